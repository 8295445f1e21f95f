import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { gnuTlsClient, gnuTlsServer } from "../harness/GnuTls.ts"
import { peerSuite } from "../harness/PeerSuite.ts"
import { pkiFiles } from "../harness/PkiFiles.ts"
import { tamperingProxy } from "../harness/TamperingProxy.ts"
import * as Edits from "./Edits.ts"
import { ending, faultIn, ourClient, ourServer, receivedAlert } from "./Ours.ts"
import { eachPeer } from "./peers.ts"

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

const both = ["1.3", "1.2"] as const

const refused = ["AlertSent ProtocolVersion", "VersionUnsupported"]

eachPeer("peers of other versions: PEER", (peer, it) => {
  it.live.each(
    [
      { own: ["1.2"], version: "1.1" },
      { own: both, version: "1.1" },
      { own: ["1.2"], version: "1.3" },
      { own: ["1.3"], version: "1.2" }
    ] as const
  )(
    "our server of $own tells a client of TLS $version alone: protocol_version",
    ({ own, version }) =>
      Effect.gen(function*() {
        const server = yield* ourServer({ versions: own })
        const client = yield* peer.client({ port: server.port, version })
        assert.strictEqual(yield* client.sawAlert, 70)
        const { exit } = yield* server.report
        assert.deepStrictEqual([ending(exit), faultIn(exit)], refused)
      })
  )

  // It sees that none of our suites is for TLS 1.1 before it could answer with that version. What our client says to such an answer
  // is in alertsSentByClient.test.ts.
  it.live("our client of TLS 1.2 is told by a server of TLS 1.1 alone: handshake_failure", () =>
    Effect.gen(function*() {
      const server = yield* peer.server({ version: "1.1", identity: "rsa" })
      assert.strictEqual(receivedAlert(yield* Effect.exit(ourClient({ port: server.port }))), 40)
    }))

  it.live("our client of both is told by a server of TLS 1.1 alone: protocol_version", () =>
    Effect.gen(function*() {
      const server = yield* peer.server({ version: "1.1", identity: "rsa" })
      const exit = yield* Effect.exit(ourClient({ port: server.port, versions: both }))
      // GnuTLS looks for a common suite first.
      assert.strictEqual(receivedAlert(exit), peer.name === "gnutls" ? 40 : 70)
    }))

  it.live.each(
    [
      { ours: both, theirs: "both", agreed: "1.3" },
      { ours: both, theirs: "1.3", agreed: "1.3" },
      { ours: both, theirs: "1.2", agreed: "1.2" },
      { ours: ["1.2"], theirs: "both", agreed: "1.2" },
      { ours: ["1.3"], theirs: "both", agreed: "1.3" }
    ] as const
  )(
    "ours of $ours and theirs of $theirs agree on $agreed, in both roles",
    ({ agreed, ours, theirs }) =>
      Effect.gen(function*() {
        const server = yield* ourServer({ versions: ours })
        const client = yield* peer.client({ port: server.port, version: theirs })
        yield* client.facts
        yield* client.close
        assert.strictEqual((yield* server.report).connection?.version, agreed)
        const foreign = yield* peer.server({ version: theirs })
        assert.strictEqual((yield* ourClient({ port: foreign.port, versions: ours })).version, agreed)
      })
  )

  /** The server does not hear of TLS 1.3, and of its answer the ServerHello is all that the client hears. */
  const withoutVersions = (to: number) =>
    tamperingProxy({
      to,
      onRecord: (direction, index, record) =>
        direction === "serverToClient"
          ? index === 0 ? record : null
          : index === 0
          ? Edits.renumbered(43, 0x1234)(record)
          : record
    })

  it.live("our client of both sees that somebody made the server answer with TLS 1.2 (RFC 8446 section 4.1.3)", () =>
    Effect.gen(function*() {
      const server = yield* peer.server({ version: "both" })
      const end = yield* server.next
      const proxy = yield* withoutVersions(server.port)
      const exit = yield* Effect.exit(ourClient({ port: proxy.port, versions: both }))
      assert.deepStrictEqual([ending(exit), faultIn(exit)], ["AlertSent IllegalParameter", "DowngradeDetected"])
      assert.strictEqual(yield* end.sawAlert, 47)
    }))

  it.live("a client of both sees the same of our server", () =>
    Effect.gen(function*() {
      const server = yield* ourServer({ versions: both })
      const proxy = yield* withoutVersions(server.port)
      yield* peer.client({ port: proxy.port, version: "both" })
      const { exit } = yield* server.report
      assert.strictEqual(receivedAlert(exit), 47)
    }))

  if (peer.name === "node:tls") return

  it.live.each(
    [
      { own: ["1.2"], version: "1.1" },
      { own: both, version: "1.1" },
      { own: both, version: "1.2" }
    ] as const
  )(
    "our server of $own tells a client that fell back to $version: inappropriate_fallback",
    ({ own, version }) =>
      Effect.gen(function*() {
        const server = yield* ourServer({ versions: own })
        const client = yield* peer.client({ port: server.port, version, isFallback: true })
        assert.strictEqual(yield* client.sawAlert, 86)
        const { exit } = yield* server.report
        assert.deepStrictEqual([ending(exit), faultIn(exit)], [
          "AlertSent InappropriateFallback",
          "FallbackInappropriate"
        ])
      })
  )

  it.live.each(["1.2", "1.3"] as const)(
    "our server minds no TLS_FALLBACK_SCSV in TLS %s, its best version",
    (version) =>
      Effect.gen(function*() {
        const server = yield* ourServer({ version })
        const client = yield* peer.client({ port: server.port, version, isFallback: true })
        yield* client.facts
        yield* client.close
        assert.strictEqual((yield* server.report).connection?.version, version)
      })
  )
})
