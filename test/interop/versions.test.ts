import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { gnuTlsClient, gnuTlsServer } from "../harness/GnuTls.ts"
import { peerSuite } from "../harness/PeerSuite.ts"
import { pkiFiles } from "../harness/PkiFiles.ts"
import { ending, faultIn, ourClient, ourServer, receivedAlert } from "./Ours.ts"
import { everyPeer } from "./peers.ts"

peerSuite(["gnutls-cli", "gnutls-serv"], (it) => {
  const priority = "NORMAL:-VERS-ALL:+VERS-TLS1.2:%DISABLE_SAFE_RENEGOTIATION"

  it.live("our client refuses such a server: handshake_failure", () =>
    Effect.gen(function*() {
      const files = yield* pkiFiles("ec")
      const server = yield* gnuTlsServer({ ...files.of("ec"), priority, extra: ["--debug", "5"] })
      const exit = yield* Effect.exit(ourClient({ port: server.port }))
      assert.deepStrictEqual([ending(exit), faultIn(exit)], ["AlertSent HandshakeFailure", "RenegotiationInfoWrong"])
      yield* server.process.waitFor(/Alert\[2\|40\] - .* - was received/)
    }))

  it.live("our server takes such a client: it is the one who would have to ask", () =>
    Effect.gen(function*() {
      const server = yield* ourServer()
      const { ca } = yield* pkiFiles()
      const client = yield* gnuTlsClient({ port: server.port, caFile: ca, priority })
      yield* client.waitFor(/Handshake was completed/)
      yield* client.endInput
      assert.strictEqual((yield* server.report).closure?._tag, "Closed")
    }))
}, "gnutls without the renegotiation indication (RFC 5746)")

everyPeer("peers of other versions", (peer, it) => {
  it.live("our server tells a client of TLS 1.1 alone: protocol_version", () =>
    Effect.gen(function*() {
      const server = yield* ourServer()
      const client = yield* peer.client({ port: server.port, version: "1.1" })
      assert.strictEqual(yield* client.sawAlert, 70)
      const { exit } = yield* server.report
      assert.deepStrictEqual([ending(exit), faultIn(exit)], ["AlertSent ProtocolVersion", "VersionUnsupported"])
    }))

  // In a ClientHello of TLS 1.3 the version that RFC 5246 knows is 1.2; what there is none of is a suite.
  it.live("our server tells a client of TLS 1.3 alone: handshake_failure", () =>
    Effect.gen(function*() {
      const server = yield* ourServer()
      const client = yield* peer.client({ port: server.port, version: "1.3" })
      assert.strictEqual(yield* client.sawAlert, 40)
      const { exit } = yield* server.report
      assert.deepStrictEqual([ending(exit), faultIn(exit)], ["AlertSent HandshakeFailure", "NothingInCommon"])
    }))

  // It sees that none of our suites is for TLS 1.1 before it could answer with that version. What our client says to such an answer
  // is in alertsSent.test.ts.
  it.live("our client is told by a server of TLS 1.1 alone: handshake_failure", () =>
    Effect.gen(function*() {
      const server = yield* peer.server({ version: "1.1", identity: "rsa" })
      assert.strictEqual(receivedAlert(yield* Effect.exit(ourClient({ port: server.port }))), 40)
    }))

  if (peer.name === "node:tls") return

  it.live("our server tells a client that fell back to TLS 1.1: inappropriate_fallback", () =>
    Effect.gen(function*() {
      const server = yield* ourServer()
      const client = yield* peer.client({ port: server.port, version: "1.1", isFallback: true })
      assert.strictEqual(yield* client.sawAlert, 86)
      const { exit } = yield* server.report
      assert.deepStrictEqual([ending(exit), faultIn(exit)], [
        "AlertSent InappropriateFallback",
        "FallbackInappropriate"
      ])
    }))

  it.live("our server minds no TLS_FALLBACK_SCSV in TLS 1.2, its best version", () =>
    Effect.gen(function*() {
      const server = yield* ourServer()
      const client = yield* peer.client({ port: server.port, isFallback: true })
      yield* client.facts
      yield* client.close
      assert.strictEqual((yield* server.report).connection?.version, "1.2")
    }))
})
