/** `--tls`, and what TLS 1.3 looks like in both commands. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { nodeTlsClient, nodeTlsServer, type NodeTlsServerOptions } from "../harness/NodeTls.ts"
import { openSslServer } from "../harness/OpenSsl.ts"
import { peerSuite } from "../harness/PeerSuite.ts"
import { testCredential, testPki } from "../harness/Pki.ts"
import { pkiFiles } from "../harness/PkiFiles.ts"
import { effectTls, runToEnd, serving } from "./Command.ts"

const speaking = {
  "1.2": { minVersion: "TLSv1.2", maxVersion: "TLSv1.2" },
  "1.3": { minVersion: "TLSv1.3", maxVersion: "TLSv1.3" },
  both: { minVersion: "TLSv1.2", maxVersion: "TLSv1.3" }
} as const

type Speaking = keyof typeof speaking

const nodeServer = (peer: Speaking, options: NodeTlsServerOptions = {}) =>
  Effect.gen(function*() {
    const { certificatePem: cert, privateKeyPem: key } = yield* testCredential("ec")
    return { files: yield* pkiFiles(), server: yield* nodeTlsServer({ cert, key, ...speaking[peer], ...options }) }
  })

const to = (port: number, ...args: ReadonlyArray<string>) => ["connect", `localhost:${port}`, ...args]

const pins: ReadonlyArray<readonly [flags: ReadonlyArray<string>, peer: Speaking, version: "1.2" | "1.3" | undefined]> =
  [
    [[], "both", "1.3"],
    [[], "1.2", "1.2"],
    [["--tls", "1.2"], "both", "1.2"],
    [["--tls", "1.3"], "both", "1.3"],
    [["--tls", "1.2"], "1.3", undefined],
    [["--tls", "1.3"], "1.2", undefined]
  ]

describe("--tls", () => {
  it.live.each(pins)("connect %j, to a server of %s: %s", ([flags, peer, version]) =>
    Effect.gen(function*() {
      const { files, server } = yield* nodeServer(peer)
      const command = yield* effectTls(...to(server.port, "--ca", files.ca, ...flags))
      if (version === undefined) {
        assert.strictEqual(yield* command.exit, 10)
        assert.match(command.stderr, /with the fatal alert protocol_version \(70\)/)
        return
      }
      yield* command.waitFor(new RegExp(`^connected to localhost:\\d+: TLS ${version.replace(".", "\\.")}, `))
      const connection = yield* server.accept
      assert.strictEqual(connection.socket.getProtocol(), `TLSv${version}`)
      // In TLS 1.3 node:tls says no close_notify before it has read something.
      yield* command.send("hi")
      yield* connection.waitForText(/hi/)
      yield* connection.end
      assert.strictEqual(yield* command.exit, 0)
    }))

  it.live.each(pins)("serve %j, to a client of %s: %s", ([flags, peer, version]) =>
    Effect.gen(function*() {
      const files = yield* pkiFiles("ec")
      const { cert, key } = files.of("ec")
      const server = yield* serving("--cert", cert, "--key", key, ...flags)
      const client = yield* nodeTlsClient({
        port: server.port,
        ca: (yield* testPki).ca.certificatePem,
        ...speaking[peer]
      })
      if (version === undefined) {
        yield* client.waitForError
        const [line] = yield* server.lines(1)
        assert.match(line ?? "", /handshake failed: alert sent: fatal protocol_version \(70\)/)
        return
      }
      yield* client.send("GET / HTTP/1.0\r\n\r\n")
      yield* client.waitForText(new RegExp(`^version +TLS ${version}$`, "m"))
      yield* client.end
      const [line] = yield* server.lines(1)
      assert.match(line ?? "", new RegExp(`  TLS ${version}, TLS_\\w+, full handshake: clean$`))
    }))
})

describe("TLS 1.3", () => {
  it.live("connect --trace draws the conversation", () =>
    Effect.gen(function*() {
      const { files, server } = yield* nodeServer("1.3")
      const command = yield* effectTls(...to(server.port, "--ca", files.ca, "--trace"))
      yield* command.send("four")
      const peer = yield* server.accept
      yield* peer.waitForText(/four/)
      yield* peer.end
      assert.strictEqual(yield* command.exit, 0)
      const rungs = command.stderr.split("\n").filter((line) => /│ [─◀═]/.test(line))
      // How the two directions interleave is up to the peer.
      const [sent, received] = [/[─═]▶/, /◀[─═]/].map((way) => rungs.filter((line) => way.test(line)))
      const expected = {
        sent: [
          /─── ClientHello ─+ \d+ bytes, clear ──▶/,
          /─── change_cipher_spec ─+ 6 bytes, clear ──▶/,
          /═══ Finished ═+ \d+ bytes, protected ══▶/,
          /═══ application_data, 4 bytes ═+ 26 bytes, protected ══▶/,
          /═══ alert warning close_notify \(0\) ═+ 24 bytes, protected ══▶/
        ],
        received: [
          /◀── ServerHello ─+ \d+ bytes, clear ───/,
          /◀── change_cipher_spec ─+ 6 bytes, clear ───/,
          /◀══ EncryptedExtensions ═+ \d+ bytes, protected ═══/,
          /◀══ Certificate ═+ \d+ bytes, protected ═══/,
          /◀══ CertificateVerify ═+ \d+ bytes, protected ═══/,
          /◀══ Finished ═+ \d+ bytes, protected ═══/,
          /◀══ NewSessionTicket ═+ \d+ bytes, protected ═══/,
          /◀══ NewSessionTicket ═+ \d+ bytes, protected ═══/,
          /◀══ alert warning close_notify \(0\) ═+ 24 bytes, protected ═══/
        ]
      }
      for (const [lines, patterns] of [[sent, expected.sent], [received, expected.received]] as const) {
        assert.strictEqual(lines?.length, patterns.length, command.stderr)
        for (const [index, pattern] of patterns.entries()) assert.match(lines?.[index] ?? "", pattern)
      }
    }))

  it.live("both write a key log, and it is the same", () =>
    Effect.gen(function*() {
      const files = yield* pkiFiles("ec")
      const { cert, key } = files.of("ec")
      const [mine, theirs] = [join(files.directory, "client.log"), join(files.directory, "server.log")]
      const server = yield* serving("--cert", cert, "--key", key, "--keylog", theirs)
      const ended = yield* runToEnd(
        to(server.port, "--ca", files.ca, "--keylog", mine),
        "GET / HTTP/1.0\r\n\r\n"
      )
      assert.strictEqual(ended.code, 0, ended.stderr)
      yield* server.lines(1)
      const [client, other] = yield* Effect.promise(() =>
        Promise.all([mine, theirs].map(async (file) => (await readFile(file, "utf8")).split("\n").sort()))
      )
      assert.deepStrictEqual(client, other)
      assert.deepStrictEqual(client?.map((line) => line.split(" ")[0]), [
        "",
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "CLIENT_TRAFFIC_SECRET_0",
        "EXPORTER_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_TRAFFIC_SECRET_0"
      ])
    }))

  it.live("serve insists on a client certificate: the client is open when it hears of it", () =>
    Effect.gen(function*() {
      const files = yield* pkiFiles("ec", "client")
      const { cert, key } = files.of("ec")
      const server = yield* serving("--cert", cert, "--key", key, "--client-ca", files.ca, "--client-auth", "require")
      const refused = yield* runToEnd(to(server.port, "--ca", files.ca))
      assert.strictEqual(refused.code, 10, refused.stderr)
      assert.match(refused.stderr, /with the fatal alert certificate_required \(116\)/)
      const [line] = yield* server.lines(1)
      assert.match(line ?? "", /handshake failed: alert sent: fatal certificate_required \(116\)/)
      const { cert: shown, key: its } = files.of("client")
      const taken = yield* runToEnd(
        to(server.port, "--ca", files.ca, "--cert", shown, "--key", its),
        "GET / HTTP/1.0\r\n\r\n"
      )
      assert.strictEqual(taken.code, 0, taken.stderr)
      assert.match(taken.stdout, /\nclient +CN=client\n$/)
    }))
})

peerSuite("openssl", (it) => {
  it.live("10: openssl insists on a certificate", () =>
    Effect.gen(function*() {
      const files = yield* pkiFiles("ec")
      const server = yield* openSslServer({
        ...files.of("ec"),
        version: "-tls1_3",
        extra: ["-Verify", "1", "-verify_return_error"]
      })
      const ended = yield* runToEnd(to(server.port, "--ca", files.ca))
      assert.strictEqual(ended.code, 10, ended.stderr)
      assert.match(ended.stderr, /the fatal alert certificate_required \(116\)/)
    }))

  const judging = (...more: ReadonlyArray<string>) =>
    Effect.gen(function*() {
      const files = yield* pkiFiles("ec", "client", "clientOther")
      const extra = ["-Verify", "1", "-verify_return_error", "-CAfile", files.ca, ...more]
      return { files, server: yield* openSslServer({ ...files.of("ec"), version: "-tls1_3", extra }) }
    })

  it.live("10: openssl refuses the certificate, and nothing was connected before", () =>
    Effect.gen(function*() {
      const { files, server } = yield* judging()
      const { cert, key } = files.of("clientOther")
      const ended = yield* runToEnd(to(server.port, "--ca", files.ca, "--cert", cert, "--key", key), "hello\n")
      assert.strictEqual(ended.code, 10, ended.stderr)
      assert.match(ended.stderr, /^effect-tls: The peer ended .* with the fatal alert unknown_ca \(48\)/)
    }))

  it.live.each(
    [
      ["says so by a ticket", []],
      ["says nothing, and is not waited for longer than a second", ["-num_tickets", "0"]]
    ] as const
  )("openssl accepts the certificate, and %s", ([, more]) =>
    Effect.gen(function*() {
      const { files, server } = yield* judging(...more)
      const { cert, key } = files.of("client")
      const command = yield* effectTls(...to(server.port, "--ca", files.ca, "--cert", cert, "--key", key))
      yield* command.send("hello\n")
      yield* command.waitFor(/^connected to localhost:\d+: TLS 1\.3, \w+, full handshake\n/)
      yield* command.waitFor(/olleh/)
    }))
}, "TLS 1.3, against openssl")
