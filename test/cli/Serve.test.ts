import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readFile, stat } from "node:fs/promises"
import { join } from "node:path"
import type { ConnectionOptions } from "node:tls"
import { nodeTlsClient } from "../harness/NodeTls.ts"
import { openSslClient } from "../harness/OpenSsl.ts"
import { peerSuite } from "../harness/PeerSuite.ts"
import { testCredential } from "../harness/Pki.ts"
import { pkiFiles } from "../harness/PkiFiles.ts"
import { rawClient } from "../harness/RawTcp.ts"
import { tamperingProxy } from "../harness/TamperingProxy.ts"
import { alertRecord, contentType, contentTypes, flipBits } from "../harness/TlsRecords.ts"
import { serving } from "./Command.ts"

const request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"

/** A server with the certificate `ec`, and what a node:tls client needs to trust it. */
const serveEc = (...args: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const files = yield* pkiFiles("ec")
    const { cert, key } = files.of("ec")
    const ca = yield* Effect.promise(() => readFile(files.ca, "utf8"))
    return { files, ca, server: yield* serving("--cert", cert, "--key", key, ...args) }
  })

/** What a client hears to `text`, up to close_notify. */
const hear = (port: number, options: Omit<ConnectionOptions, "port">, text: string) =>
  Effect.scoped(Effect.gen(function*() {
    const client = yield* nodeTlsClient({ port, ...options })
    yield* client.secured
    const session = client.socket.getSession()
    yield* client.send(text)
    yield* client.waitForEnd
    yield* client.waitForClose
    assert.deepStrictEqual(client.errors, [])
    return { text: client.text, session }
  }))

const aes128 = "TLS 1.2, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"

describe("effect-tls serve", () => {
  it.live("answers a request with what was negotiated, full and resumed, and tells of each", () =>
    Effect.gen(function*() {
      const { ca, server } = yield* serveEc("--alpn", "h2", "--alpn", "http/1.1")
      const alpn = { ca, ALPNProtocols: ["http/1.1"] }
      const full = yield* hear(server.port, alpn, request)
      const [head, body] = full.text.split("\r\n\r\n")
      assert.match(
        head ?? "",
        /^HTTP\/1\.1 200 OK\r\nContent-Type: text\/plain; charset=utf-8\r\nContent-Length: \d+\r\n/
      )
      assert.match(head ?? "", new RegExp(`Content-Length: ${body?.length}\r\n`))
      const facts = /^version +TLS 1\.2\ncipher suite +TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256\nhandshake +full\n/
      assert.match(body ?? "", facts)
      assert.match(body ?? "", /\nALPN +http\/1\.1\nserver name +localhost\nclient +no certificate\n$/)
      const resumed = yield* hear(server.port, { ca, session: full.session }, request)
      assert.match(resumed.text, /\nhandshake +resumed\n/)
      const [first, second] = yield* server.lines(2)
      assert.match(first ?? "", new RegExp(`^127\\.0\\.0\\.1:\\d+  ${aes128}, full handshake, ALPN http/1\\.1: clean$`))
      assert.match(second ?? "", new RegExp(`^127\\.0\\.0\\.1:\\d+  ${aes128}, resumed: clean$`))
    }))

  it.live("knows HTTP/1.x from what is none", () =>
    Effect.gen(function*() {
      const { ca, server } = yield* serveEc()
      const answers: ReadonlyArray<readonly [string, RegExp]> = [
        ["HEAD / HTTP/1.0\r\n\r\n", /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\n$/],
        ["\r\nPOST /form HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi", /^HTTP\/1\.1 200 OK\r\n/],
        ["EHLO localhost\r\n\r\n", /^HTTP\/1\.1 400 Bad Request\r\n/],
        ["GET / HTTP/2\r\n\r\n", /^HTTP\/1\.1 400 Bad Request\r\n/],
        [`GET / HTTP/1.1\r\nX: ${"x".repeat(17_000)}`, /^HTTP\/1\.1 431 /]
      ]
      for (const [text, answer] of answers) assert.match((yield* hear(server.port, { ca }, text)).text, answer)
      // Who leaves in the middle of a request gets no answer, and that is no failure.
      const client = yield* nodeTlsClient({ port: server.port, ca })
      yield* client.secured
      yield* client.send("GET /")
      yield* client.end
      yield* client.waitForEnd
      assert.strictEqual(client.text, "")
      for (const line of yield* server.lines(answers.length + 1)) assert.match(line, /: clean$/)
    }))

  it.live("echoes", () =>
    Effect.gen(function*() {
      const { ca, server } = yield* serveEc("--echo")
      const client = yield* nodeTlsClient({ port: server.port, ca })
      yield* client.secured
      const data = Uint8Array.from({ length: 300_000 }, (_, index) => index % 251)
      yield* client.send(data)
      assert.deepStrictEqual(yield* client.waitForBytes(data.length), data)
      yield* client.end
      yield* client.waitForEnd
      const [line] = yield* server.lines(1)
      assert.match(line ?? "", /full handshake: clean$/)
    }))

  it.live("tells of every end, and keeps serving", () =>
    Effect.gen(function*() {
      const { ca, server } = yield* serveEc("--echo", "--alpn", "http/1.1")
      const secured = (options: ConnectionOptions & { readonly port: number }) =>
        Effect.tap(nodeTlsClient({ ca, ...options }), (client) => client.secured)

      const stranger = yield* rawClient(server.port)
      yield* stranger.send("GET / HTTP/1.1\r\n\r\n")
      const noTls = yield* server.lines(1)
      assert.match(
        noTls[0] ?? "",
        /^127\.0\.0\.1:\d+ {2}handshake failed: alert sent: fatal unexpected_message \(10\), because what came does not .* character G$/
      )

      const mismatched = yield* nodeTlsClient({ port: server.port, ca, ALPNProtocols: ["h2\n\u001b[31m"] })
      yield* mismatched.waitForError
      const noProtocol = yield* server.lines(2)
      assert.match(
        noProtocol[1] ?? "",
        /handshake failed: alert sent: fatal no_application_protocol \(120\), because .* h2\\u\{a\}\\u\{1b\}\[31m is/
      )

      const silent = yield* rawClient(server.port)
      yield* silent.end
      const noHello = yield* server.lines(3)
      assert.match(noHello[2] ?? "", /handshake failed: truncated by a FIN after 0 bytes, no close_notify$/)

      const cut = yield* secured({ port: server.port })
      yield* cut.send("hello")
      yield* cut.waitForBytes(5)
      yield* cut.reset
      const truncated = yield* server.lines(4)
      assert.match(truncated[3] ?? "", /full handshake: truncated by a reset after 5 bytes, no close_notify$/)

      // A record of the server is damaged: the client says so.
      const proxy = yield* tamperingProxy({
        to: server.port,
        onRecord: (direction, _, record) =>
          direction === "serverToClient" && contentType(record) === contentTypes.applicationData
            ? flipBits(record, -1)
            : record
      })
      const deceived = yield* secured({ port: proxy.port })
      yield* deceived.send("hello")
      const alerted = yield* server.lines(5)
      assert.match(alerted[4] ?? "", /full handshake: alert received: fatal bad_record_mac \(20\)$/)

      const well = yield* secured({ port: server.port })
      yield* well.end
      const clean = yield* server.lines(6)
      assert.match(clean[5] ?? "", /full handshake: clean$/)
    }))

  it.live("tells what a client said that gave up the handshake", () =>
    Effect.gen(function*() {
      const { server } = yield* serveEc()
      for (
        const [index, [said, by]] of ([[[0], "close_notify (0)"], [[90, 0], "user_canceled (90)"]] as const).entries()
      ) {
        const client = yield* rawClient(server.port)
        for (const alert of said) yield* client.send(alertRecord(1, alert))
        const line = (yield* server.lines(index + 1))[index] ?? ""
        assert.isTrue(line.endsWith(`  handshake failed: handshake aborted by ${by}`), line)
      }
    }))

  it.live("asks clients for a certificate, or insists", () =>
    Effect.gen(function*() {
      const files = yield* pkiFiles("ec")
      const { certificatePem: cert, privateKeyPem: key } = yield* testCredential("client")
      const shown = { cert, key }
      for (const mode of ["request", "require"]) {
        const { ca, server } = yield* serveEc("--client-ca", files.ca, "--client-auth", mode)
        assert.match((yield* hear(server.port, { ca, ...shown }, request)).text, /\nclient +CN=client\n$/)
        const without = yield* nodeTlsClient({ port: server.port, ca })
        yield* without.send(request)
        if (mode === "request") {
          yield* without.waitForEnd
          assert.match(without.text, /\nclient +no certificate\n$/)
        } else {
          yield* without.waitForError
          const [, line] = yield* server.lines(2)
          assert.match(
            line ?? "",
            /handshake failed: alert sent: fatal handshake_failure \(40\), because a certificate is required/
          )
        }
      }
    }))

  it.live("writes a key log that only its owner can read", () =>
    Effect.gen(function*() {
      const { directory } = yield* pkiFiles()
      const path = join(directory, "keys.log")
      const { ca, server } = yield* serveEc("--keylog", path)
      yield* hear(server.port, { ca }, request)
      yield* server.lines(1)
      const log = yield* Effect.promise(() => readFile(path, "utf8"))
      assert.match(log, /^CLIENT_RANDOM [0-9a-f]{64} [0-9a-f]{96}\n$/)
      assert.strictEqual((yield* Effect.promise(() => stat(path))).mode & 0o777, 0o600)
    }))

  it.live.each(["SIGINT", "SIGTERM"] as const)(
    "%s says goodbye to open connections",
    (signal) =>
      Effect.gen(function*() {
        const { ca, server } = yield* serveEc("--echo")
        const client = yield* nodeTlsClient({ port: server.port, ca })
        yield* client.secured
        yield* client.send("hello")
        yield* client.waitForBytes(5)
        yield* server.process.kill(signal)
        yield* client.waitForEnd
        assert.deepStrictEqual(client.errors, [])
        assert.strictEqual(yield* server.process.exit, 130)
        assert.match(server.process.stderr, /full handshake: clean \(this server was stopped\)\n$/)
      })
  )
})

peerSuite("openssl", (it) => {
  it.live("openssl s_client gets the page and close_notify, and answers it", () =>
    Effect.gen(function*() {
      const { files, server } = yield* serveEc()
      const client = yield* openSslClient({ port: server.port, caFile: files.ca, extra: ["-ign_eof"] })
      yield* client.send(request)
      yield* client.waitFor(/client +no certificate/)
      yield* client.waitFor(/SSL3 alert read:warning:close notify/)
      assert.strictEqual(yield* client.exit, 0)
      assert.match(client.stdout, /Verify return code: 0 \(ok\)/)
      assert.match(client.stderr, /^SSL3 alert write:warning:close notify$/m)
      const [line] = yield* server.lines(1)
      assert.match(line ?? "", /full handshake: clean$/)
    }))
}, "effect-tls serve against openssl")
