import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { existsSync } from "node:fs"
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { freePort } from "../harness/FreePort.ts"
import { nodeTlsServer, type NodeTlsServerOptions } from "../harness/NodeTls.ts"
import { openSslServer } from "../harness/OpenSsl.ts"
import { peerSuite } from "../harness/PeerSuite.ts"
import { type LeafName, testCredential } from "../harness/Pki.ts"
import { pkiFiles } from "../harness/PkiFiles.ts"
import { spawnPeer } from "../harness/Process.ts"
import { rawServer } from "../harness/RawTcp.ts"
import { cut, type Tampered, tamperingProxy } from "../harness/TamperingProxy.ts"
import { alertRecord, contentType, contentTypes, flipBits } from "../harness/TlsRecords.ts"
import { effectTls, nodeArguments, runToEnd, serving } from "./Command.ts"

const request = "GET / HTTP/1.0\r\n\r\n"

/** A node:tls server with the certificate `name`, and the file of its root. */
const nodeServer = (options: NodeTlsServerOptions = {}, name: LeafName = "ec") =>
  Effect.gen(function*() {
    const { certificatePem: cert, privateKeyPem: key } = yield* testCredential(name)
    return { files: yield* pkiFiles("client"), server: yield* nodeTlsServer({ cert, key, ...options }) }
  })

const to = (port: number, ...args: ReadonlyArray<string>) => ["connect", `localhost:${port}`, ...args]

describe("effect-tls connect", () => {
  it.live("takes the input to the peer and the peer to the output, until the peer closes", () =>
    Effect.gen(function*() {
      const { files, server } = yield* nodeServer({ ALPNProtocols: ["http/1.1"] })
      const command = yield* effectTls(...to(server.port, "--ca", files.ca, "--alpn", "h2", "--alpn", "http/1.1"))
      yield* command.send("question")
      yield* command.endInput // the answer is still to come
      const peer = yield* server.accept
      yield* peer.waitForText(/question/)
      assert.ok(!peer.ended, "the end of the input is not the end of the connection")
      yield* peer.send("answer")
      yield* peer.end
      assert.strictEqual(yield* command.exit, 0)
      assert.strictEqual(command.stdout, "answer")
      assert.match(
        command.stderr,
        /^connected to localhost:\d+: TLS 1\.2, TLS_\w+, full handshake, ALPN http\/1\.1\nclosed cleanly with close_notify, 6 bytes received\n$/
      )
      assert.strictEqual(peer.socket.alpnProtocol, "http/1.1")
    }))

  it.live("--close-on-eof says close_notify at the end of the input, after a MiB both ways", () =>
    Effect.gen(function*() {
      const { files, server } = yield* nodeServer({ echo: true })
      const command = yield* effectTls(...to(server.port, "--ca", files.ca, "--close-on-eof"))
      const text = "0123456789abcdef".repeat(65_536)
      yield* command.send(text)
      yield* command.until("the echo", () => command.stdout.length < text.length ? undefined : Effect.void)
      yield* command.endInput
      const peer = yield* server.accept
      yield* peer.waitForEnd
      assert.deepStrictEqual(peer.errors, [])
      assert.strictEqual(yield* command.exit, 0)
      assert.ok(command.stdout === text)
    }))

  it.live("--close-on-eof still prints what the peer says before it closes as well", () =>
    Effect.gen(function*() {
      const { files, server } = yield* nodeServer({ allowHalfOpen: true })
      const command = yield* effectTls(...to(server.port, "--ca", files.ca, "--close-on-eof"))
      yield* command.endInput
      const peer = yield* server.accept
      yield* peer.waitForEnd
      yield* peer.send("a last word")
      yield* peer.end
      assert.strictEqual(yield* command.exit, 0)
      assert.strictEqual(command.stdout, "a last word")
    }))

  it.live("SIGINT says close_notify", () =>
    Effect.gen(function*() {
      const { files, server } = yield* nodeServer()
      const command = yield* effectTls(...to(server.port, "--ca", files.ca))
      const peer = yield* server.accept
      yield* command.waitFor(/connected to/)
      yield* command.kill("SIGINT")
      yield* peer.waitForEnd
      assert.deepStrictEqual(peer.errors, [])
      assert.strictEqual(yield* command.exit, 130)
    }))

  it.live("shows a certificate, and accepts any with --insecure", () =>
    Effect.gen(function*() {
      const { files, server } = yield* nodeServer({ requestCert: true, rejectUnauthorized: false }, "untrusted")
      const { cert, key } = files.of("client")
      const command = yield* effectTls(...to(server.port, "--insecure", "--cert", cert, "--key", key))
      const peer = yield* server.accept
      assert.strictEqual(peer.socket.getPeerCertificate().subject.CN, "client")
      yield* peer.end
      assert.strictEqual(yield* command.exit, 0)
      assert.match(command.stderr, /^warning: the certificate of the peer is not checked\.\n/)
    }))

  it.live("--trace draws the conversation", () =>
    Effect.gen(function*() {
      const { files, server } = yield* nodeServer()
      const command = yield* effectTls(...to(server.port, "--ca", files.ca, "--trace"))
      yield* command.send("four")
      const peer = yield* server.accept
      yield* peer.waitForText(/four/)
      yield* peer.end
      assert.strictEqual(yield* command.exit, 0)
      const rungs = command.stderr.split("\n").filter((line) => /│ [─◀═]/.test(line))
      const expected = [
        /─── ClientHello ─+ \d+ bytes, clear ──▶/,
        /◀── ServerHello ─+ \d+ bytes, clear ───/,
        /◀── Certificate ─+ \d+ bytes, clear ───/,
        /◀── ServerKeyExchange ─+ \d+ bytes, clear ───/,
        /◀── ServerHelloDone ─+ 9 bytes, clear ───/,
        /─── ClientKeyExchange ─+ \d+ bytes, clear ──▶/,
        /─── change_cipher_spec ─+ 6 bytes, clear ──▶/,
        /═══ Finished ═+ 45 bytes, protected ══▶/,
        /◀── NewSessionTicket ─+ \d+ bytes, clear ───/,
        /◀── change_cipher_spec ─+ 6 bytes, clear ───/,
        /◀══ Finished ═+ 45 bytes, protected ═══/,
        /═══ application_data, 4 bytes ═+ 33 bytes, protected ══▶/,
        /◀══ alert warning close_notify \(0\) ═+ 31 bytes, protected ═══/,
        /═══ alert warning close_notify \(0\) ═+ 31 bytes, protected ══▶/
      ]
      assert.strictEqual(rungs.length, expected.length, command.stderr)
      for (const [index, pattern] of expected.entries()) assert.match(rungs[index] ?? "", pattern)
      // Events keep their place among the arrows.
      const events = command.stderr.split("\n").flatMap((line) =>
        /Finished|application_data|connected to|close_notify/.exec(line)?.[0] ?? []
      )
      assert.deepStrictEqual(events.slice(2), ["connected to", "application_data", ...Array(3).fill("close_notify")])
      assert.match(command.stderr, /\nclosed cleanly with close_notify, 0 bytes received\n$/)
    }))

  it.live("--trace draws what ended it before saying so", () =>
    Effect.gen(function*() {
      const { files, server } = yield* nodeServer({}, "untrusted")
      const { code, stderr } = yield* runToEnd(to(server.port, "--ca", files.ca, "--trace"))
      assert.strictEqual(code, 11)
      assert.match(stderr, /─── alert fatal unknown_ca \(48\) ─+ 7 bytes, clear ──▶ │\neffect-tls: We ended .*\n$/)
    }))

  it.live("writes a key log", () =>
    Effect.gen(function*() {
      const { files, server } = yield* nodeServer()
      const path = join(files.directory, "keys.log")
      const command = yield* effectTls(...to(server.port, "--ca", files.ca, "--keylog", path))
      yield* (yield* server.accept).end
      assert.strictEqual(yield* command.exit, 0)
      assert.match(yield* Effect.promise(() => readFile(path, "utf8")), /^CLIENT_RANDOM [0-9a-f]{64} [0-9a-f]{96}\n$/)
    }))

  it.live("an output that closes is one sentence", () =>
    Effect.gen(function*() {
      const { files, server } = yield* nodeServer()
      const command = yield* spawnPeer("sh", [
        "-c",
        "{ \"$@\"; echo \"exit $?\" >&2; } | true",
        "sh",
        process.execPath,
        ...nodeArguments,
        ...to(server.port, "--ca", files.ca)
      ])
      const peer = yield* server.accept
      yield* peer.send("answer")
      yield* command.waitFor(/effect-tls: The output cannot be written: its reader is gone\.\nexit 1\n/)
      yield* peer.waitForEnd
      assert.deepStrictEqual(peer.errors, [])
    }))
})

describe("the exit codes of effect-tls connect", () => {
  it.live("10: an alert was received", () =>
    Effect.gen(function*() {
      const { files, server } = yield* nodeServer({ ALPNProtocols: ["h2"] })
      const ended = yield* runToEnd(to(server.port, "--ca", files.ca, "--alpn", "http/1.1"))
      assert.strictEqual(ended.code, 10, ended.stderr)
      assert.match(
        ended.stderr,
        /^effect-tls: The peer ended the TLS .* with the fatal alert no_application_protocol \(120\)/
      )
    }))

  it.live.each(
    [
      ["an authority that is not trusted", "untrusted", [], /unknown_ca \(48\), because the certificate was issued by/],
      ["an expired certificate", "expired", [], /certificate_expired \(45\), because the certificate expired at/],
      [
        "another name",
        "ec",
        ["--server-name", "other.example"],
        /\(\d+\), because the certificate is not for other\.example/
      ]
    ] as const
  )("11: an alert was sent: %s", ([, name, args, sentence]) =>
    Effect.gen(function*() {
      const { files, server } = yield* nodeServer({}, name)
      const ended = yield* runToEnd(to(server.port, "--ca", files.ca, ...args))
      assert.strictEqual(ended.code, 11, ended.stderr)
      assert.match(ended.stderr, sentence)
      yield* server.waitForClientError
    }))

  it.live("11: the anchors of the system are the default, and they do not know ours", () =>
    Effect.gen(function*() {
      const { server } = yield* nodeServer()
      const ended = yield* runToEnd(to(server.port))
      assert.strictEqual(ended.code, 11, ended.stderr)
      assert.match(ended.stderr, /unknown_ca/)
    }))

  it.live.each(["fin", "reset"] as const)("12: the peer's end was no close_notify: %s", (by) =>
    Effect.gen(function*() {
      const { files, server } = yield* nodeServer({ echo: true })
      const proxy = yield* tamperingProxy({
        to: server.port,
        onRecord: (direction, _, record) =>
          direction === "serverToClient" && contentType(record) === contentTypes.applicationData
            ? cut(by, by === "fin" ? record : new Uint8Array(0))
            : record
      })
      const ended = yield* runToEnd(to(proxy.port, "--ca", files.ca), "hello")
      assert.strictEqual(ended.code, 12, ended.stderr)
      assert.strictEqual(ended.stdout, by === "fin" ? "hello" : "")
      assert.match(ended.stderr, /without close_notify, after [05] bytes of data/)
    }))

  it.live("13: nobody listens", () =>
    Effect.gen(function*() {
      const ended = yield* runToEnd(to(yield* freePort, "--insecure"))
      assert.strictEqual(ended.code, 13, ended.stderr)
      assert.match(ended.stderr, /effect-tls: The transport could not be opened: .*ECONNREFUSED/)
    }))

  it.live.each(
    [
      [[0], /ended the TLS connection during the handshake with the alert close_notify \(0\), before it was done/],
      [[90, 0], /with the warning user_canceled \(90\) and close_notify: the handshake was given up/]
    ] as const
  )("14: the peer gave up the handshake, and said %j", ([said, sentence]) =>
    Effect.gen(function*() {
      const server = yield* rawServer
      const command = yield* effectTls(...to(server.port, "--insecure"))
      const peer = yield* server.accept
      yield* peer.waitForRecords(1)
      for (const alert of said) yield* peer.send(alertRecord(1, alert))
      assert.strictEqual(yield* command.exit, 14)
      assert.match(command.stderr, sentence)
    }))

  it.live("14: the peer never answers", () =>
    Effect.gen(function*() {
      const server = yield* rawServer
      const command = yield* effectTls(...to(server.port, "--insecure", "--handshake-timeout", "0.2"))
      const peer = yield* server.accept
      const [, canceled, closed] = yield* peer.waitForRecords(3)
      assert.deepStrictEqual([canceled, closed], [alertRecord(1, 90), alertRecord(1, 0)])
      yield* peer.end
      assert.strictEqual(yield* command.exit, 14)
      assert.match(command.stderr, /gave up the TLS handshake, because it took longer than allowed/)
    }))
})

describe("--session FILE", () => {
  /** Our own server, which tells whether it resumed, and a run of the client with the file. */
  const setting = Effect.fnUntraced(function*(version: "1.2" | "1.3" = "1.3") {
    const files = yield* pkiFiles("ec")
    const { cert, key } = files.of("ec")
    const server = yield* serving("--cert", cert, "--key", key)
    const file = join(files.directory, "session.json")
    // Through one proxy, so that the peer keeps its name while the wire changes.
    const wire = { tamper: (record: Uint8Array): Tampered => record }
    // Of what is protected in a resumed handshake, and looks like data in TLS 1.3, nothing is as long as the page.
    const isPage = (record: Uint8Array) => contentType(record) === contentTypes.applicationData && record.length > 200
    const proxy = yield* tamperingProxy({
      to: server.port,
      onRecord: (direction, _, record) =>
        direction === "serverToClient" && isPage(record) ? wire.tamper(record) : record
    })
    const run = (...more: ReadonlyArray<string>) =>
      Effect.map(
        runToEnd(to(proxy.port, "--ca", files.ca, "--session", file, "--tls", version, ...more), request),
        ({ code, stderr, stdout }) => ({ code, stderr, handshake: stdout.match(/^handshake +(\w+)$/m)?.[1] })
      )
    return { file, files, run, wire }
  })

  it.live.each(["1.2", "1.3"] as const)(
    "TLS %s: is stored for its owner alone, offered, kept through a truncation, and gone after a fatal alert",
    (version) =>
      Effect.gen(function*() {
        const { file, run, wire } = yield* setting(version)
        assert.deepInclude(yield* run(), { code: 0, handshake: "full" })
        assert.strictEqual((yield* Effect.promise(() => stat(file))).mode & 0o777, 0o600)
        assert.deepInclude(yield* run(), { code: 0, handshake: "resumed" })

        wire.tamper = () => cut("fin")
        assert.strictEqual((yield* run()).code, 12)
        assert.ok(existsSync(file), "a truncation does not forget")

        wire.tamper = (record) => flipBits(record, -1)
        const failed = yield* run()
        assert.strictEqual(failed.code, 11)
        assert.match(failed.stderr, /, resumed\n.*bad_record_mac/)
        assert.ok(!existsSync(file), "a fatal alert does")

        wire.tamper = (record) => record
        assert.deepInclude(yield* run(), { code: 0, handshake: "full" })
        assert.deepInclude(yield* run(), { code: 0, handshake: "resumed" })
      })
  )

  it.live.each(
    [
      ["1.2", [false, true, true], "stays"],
      ["1.3", [false, false, true], "is gone once it was offered, whatever came of it"]
    ] as const
  )(
    "TLS %s, of node:tls: %s resumed, as what a cut connection offered %s",
    ([version, expected]) =>
      Effect.gen(function*() {
        const resumed: Array<boolean> = []
        const { files, server } = yield* nodeServer({
          maxVersion: `TLSv${version}`,
          onSecure: (socket) => {
            resumed.push(socket.isSessionReused())
            socket.once("data", () => socket.end("answer"))
          }
        })
        let isCut = false
        const proxy = yield* tamperingProxy({
          to: server.port,
          onRecord: (direction, _, record) => direction === "serverToClient" && isCut ? cut("reset") : record
        })
        const file = join(files.directory, "session.json")
        const run = Effect.map(
          runToEnd(to(proxy.port, "--ca", files.ca, "--session", file), request),
          ({ code }) => code
        )
        assert.strictEqual(yield* run, 0)
        const { session } = JSON.parse(yield* Effect.promise(() => readFile(file, "utf8")))
        const ticket = Buffer.from(JSON.parse(session).id, "hex")
        const offers = () => proxy.seen.clientToServer.filter((record) => Buffer.from(record).includes(ticket)).length

        isCut = true
        assert.strictEqual(yield* run, 12)
        assert.strictEqual(offers(), 1)
        assert.strictEqual(existsSync(file), version === "1.2")
        isCut = false
        assert.deepStrictEqual([yield* run, yield* run], [0, 0])
        assert.deepStrictEqual(resumed, expected.slice())
        if (version === "1.3") assert.strictEqual(offers(), 1, "the ticket was seen again")
      })
  )

  it.live("is not offered with other options", () =>
    Effect.gen(function*() {
      const { file, run } = yield* setting()
      assert.deepInclude(yield* run(), { code: 0, handshake: "full" })
      const other = yield* run("--alpn", "http/1.1")
      assert.deepInclude(other, { code: 0, handshake: "full" })
      assert.include(other.stderr, `warning: the session of ${file} is not offered: it was made with another peer`)
    }))

  it.live.each(["not JSON", "{\"key\":\"client\"}", ""])(
    "holds something else (%j): a warning, and a full handshake",
    (text) =>
      Effect.gen(function*() {
        const { file, run } = yield* setting()
        yield* Effect.promise(() => writeFile(file, text))
        const ended = yield* run()
        assert.deepInclude(ended, { code: 0, handshake: "full" })
        assert.include(ended.stderr, `warning: no session is taken from ${file}: it does not hold a session.\n`)
        assert.deepInclude(yield* run(), { code: 0, handshake: "resumed" })
      })
  )

  it.live("is a directory: warnings, and the conversation goes on", () =>
    Effect.gen(function*() {
      const { file, run } = yield* setting()
      yield* Effect.promise(() => mkdir(file))
      const ended = yield* run()
      assert.deepInclude(ended, { code: 0, handshake: "full" })
      assert.include(ended.stderr, `warning: no session is taken from ${file}: it is a directory.\n`)
      assert.include(ended.stderr, `warning: the session cannot be stored in ${file}: it is a directory.\n`)
      assert.deepStrictEqual(yield* Effect.promise(() => readdir(file)), [])
    }))
})

peerSuite("openssl", (it) => {
  it.live("openssl s_server resumes the session of the file", () =>
    Effect.gen(function*() {
      const files = yield* pkiFiles("ec")
      const server = yield* openSslServer({ ...files.of("ec"), mode: "www" })
      const session = join(files.directory, "session.json")
      const args = to(server.port, "--ca", files.ca, "--session", session)
      for (const handshake of [/full handshake/, /resumed/]) {
        const ended = yield* runToEnd(args, request)
        assert.strictEqual(ended.code, 0, ended.stderr)
        assert.match(ended.stdout, /^HTTP\/1\.0 200 ok\r\n/)
        assert.match(ended.stderr, handshake)
      }
    }))

  it.live("10: openssl insists on a certificate", () =>
    Effect.gen(function*() {
      const files = yield* pkiFiles("ec")
      const server = yield* openSslServer({ ...files.of("ec"), extra: ["-Verify", "1", "-verify_return_error"] })
      const ended = yield* runToEnd(to(server.port, "--ca", files.ca))
      assert.strictEqual(ended.code, 10, ended.stderr)
      assert.match(ended.stderr, /the fatal alert handshake_failure \(40\)/)
    }))

  it.live("12: openssl is killed", () =>
    Effect.gen(function*() {
      const files = yield* pkiFiles("ec")
      const server = yield* openSslServer(files.of("ec"))
      const command = yield* effectTls(...to(server.port, "--ca", files.ca))
      yield* command.send("hello\n")
      yield* command.waitFor(/olleh/)
      yield* server.process.kill("SIGKILL")
      assert.strictEqual(yield* command.exit, 12)
      assert.match(command.stderr, /without close_notify, after 6 bytes/)
    }))
}, "effect-tls connect against openssl")
