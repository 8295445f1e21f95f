import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Lookup } from "effect-tls"
import { gnuTlsClient } from "../harness/GnuTls.ts"
import { nodeTlsClient } from "../harness/NodeTls.ts"
import { openSslClient, openSslServer } from "../harness/OpenSsl.ts"
import { peerSuite } from "../harness/PeerSuite.ts"
import { testPki } from "../harness/Pki.ts"
import { pkiFiles } from "../harness/PkiFiles.ts"
import { ending, faultIn, ourClient, ourServer, receiveLine, sendLine } from "./Ours.ts"

peerSuite("openssl", (it) => {
  it.live("s_client asks: it is told so by a warning, and gives up", () =>
    Effect.gen(function*() {
      const server = yield* ourServer()
      const { ca } = yield* pkiFiles()
      const client = yield* openSslClient({ port: server.port, caFile: ca })
      yield* client.waitFor(/Verify return code: 0/)
      yield* client.send("R\n")
      yield* client.waitFor(/^SSL3 alert read:warning:no renegotiation$/m)
      yield* client.waitFor(/^SSL3 alert write:fatal:handshake failure$/m)
      assert.strictEqual(ending((yield* server.report).exit), "AlertReceived HandshakeFailure")
    }))

  it.live("s_server asks: it is told so by a warning, and gives up", () =>
    Effect.gen(function*() {
      const files = yield* pkiFiles("ec")
      const server = yield* openSslServer({ ...files.of("ec"), mode: "plain" })
      const connection = yield* ourClient({ port: server.port })
      yield* sendLine(connection, "hello")
      yield* server.process.waitFor(/^hello$/m)
      yield* server.process.send("r\n")
      assert.strictEqual(ending(yield* Effect.exit(receiveLine(connection))), "AlertReceived HandshakeFailure")
      yield* server.process.waitFor(/^SSL3 alert read:warning:no renegotiation$/m)
    }))
}, "renegotiation: openssl")

peerSuite("gnutls-cli", (it) => {
  it.live("gnutls-cli asks, is told so by a warning, and asks again: that is once too often", () =>
    Effect.gen(function*() {
      const server = yield* ourServer()
      const { ca } = yield* pkiFiles()
      const client = yield* gnuTlsClient({ port: server.port, caFile: ca, extra: ["--rehandshake"] })
      yield* client.waitFor(/Received alert \[100\]: No renegotiation is allowed/)
      yield* client.waitFor(/Received alert \[10\]: Unexpected message/)
      const { exit } = yield* server.report
      assert.deepStrictEqual([ending(exit), faultIn(exit)], ["AlertSent UnexpectedMessage", "RenegotiationFlood"])
    }))
}, "renegotiation: gnutls")

describe("renegotiation: node:tls", () => {
  it.live("its client asks: it is told so by a warning, and gives up", () =>
    Effect.gen(function*() {
      const server = yield* ourServer()
      const client = yield* nodeTlsClient({ port: server.port, ca: (yield* testPki).ca.certificatePem })
      yield* client.secured
      client.socket.renegotiate({}, () => {})
      const code = String(Reflect.get(yield* client.waitForError, "code"))
      assert.strictEqual(code, "ERR_SSL_NO_RENEGOTIATION")
      assert.strictEqual(Lookup.find(code)?.entry.name, "no_renegotiation")
      assert.strictEqual(ending((yield* server.report).exit), "AlertReceived HandshakeFailure")
    }))
})
