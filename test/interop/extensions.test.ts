import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { gnuTlsServer } from "../harness/GnuTls.ts"
import { openSslServer } from "../harness/OpenSsl.ts"
import { peerSuite } from "../harness/PeerSuite.ts"
import { pkiFiles } from "../harness/PkiFiles.ts"
import { ourClient, ourServer, receivedAlert, receiveLine, sendLine } from "./Ours.ts"
import { everyPeer } from "./peers.ts"

peerSuite("openssl", (it) => {
  const server = (...extra: ReadonlyArray<string>) =>
    Effect.gen(function*() {
      const files = yield* pkiFiles("ec")
      const { cert, key } = files.of("ec")
      return yield* openSslServer({
        cert,
        key,
        extra: ["-servername", "other.example", "-cert2", cert, "-key2", key, ...extra]
      })
    })

  it.live("s_server does not serve the name, and ends it: unrecognized_name", () =>
    Effect.gen(function*() {
      const { port } = yield* server("-servername_fatal")
      assert.strictEqual(receivedAlert(yield* Effect.exit(ourClient({ port }))), 112)
    }))

  it.live("s_server does not serve the name, and warns: the handshake goes on", () =>
    Effect.gen(function*() {
      const { port, process } = yield* server()
      const connection = yield* Effect.scoped(Effect.gen(function*() {
        const connection = yield* ourClient({ port, policies: { waitForPeer: true } })
        yield* sendLine(connection, "12345")
        assert.strictEqual(yield* receiveLine(connection), "54321\n")
        return connection
      }))
      yield* process.waitFor(/^SSL3 alert write:warning:unrecognized name$/m)
      assert.strictEqual((yield* connection.closure)._tag, "Closed")
    }))
}, "a name that is not served: openssl")

peerSuite("gnutls-serv", (it) => {
  it.live("gnutls-serv does not serve the name, and ends it: unrecognized_name", () =>
    Effect.gen(function*() {
      const files = yield* pkiFiles("ec")
      const { port } = yield* gnuTlsServer({
        ...files.of("ec"),
        extra: ["--sni-hostname", "other.example", "--sni-hostname-fatal"]
      })
      assert.strictEqual(receivedAlert(yield* Effect.exit(ourClient({ port }))), 112)
    }))
}, "a name that is not served: gnutls")

everyPeer("ALPN and SNI", (peer, it, version) => {
  it.live("our client: the protocol is agreed, the name is told", () =>
    Effect.gen(function*() {
      const server = yield* peer.server({ alpnProtocol: "http/1.1" })
      const end = yield* server.next
      const connection = yield* ourClient({
        version,
        port: server.port,
        alpnProtocols: ["h2", "http/1.1"],
        serverName: "test.example"
      })
      const facts = yield* end.facts
      assert.deepStrictEqual([connection.alpnProtocol, facts.alpnProtocol], ["http/1.1", "http/1.1"])
      assert.deepStrictEqual([connection.serverName, facts.serverName], ["test.example", "test.example"])
    }))

  it.live("our client: an address is no name, and a server without protocols chooses none", () =>
    Effect.gen(function*() {
      const server = yield* peer.server()
      const end = yield* server.next
      const connection = yield* ourClient({
        version,
        port: server.port,
        alpnProtocols: ["h2"],
        serverName: "127.0.0.1"
      })
      const facts = yield* end.facts
      assert.deepStrictEqual([connection.alpnProtocol, facts.alpnProtocol], [undefined, undefined])
      assert.deepStrictEqual([connection.serverName, facts.serverName], [undefined, undefined])
    }))

  it.live("our server: the protocol is agreed, the name is told", () =>
    Effect.gen(function*() {
      const server = yield* ourServer({ version, alpnProtocols: ["h2", "http/1.1"] })
      const client = yield* peer.client({ port: server.port, alpnProtocol: "http/1.1", serverName: "test.example" })
      const facts = yield* client.facts
      yield* client.close
      const { connection } = yield* server.report
      assert.deepStrictEqual([connection?.alpnProtocol, facts.alpnProtocol], ["http/1.1", "http/1.1"])
      assert.strictEqual(connection?.serverName, "test.example")
    }))

  it.live("our server without protocols chooses none", () =>
    Effect.gen(function*() {
      const server = yield* ourServer({ version })
      const client = yield* peer.client({ port: server.port, alpnProtocol: "h2" })
      const facts = yield* client.facts
      yield* client.close
      const { connection } = yield* server.report
      assert.deepStrictEqual([connection?.alpnProtocol, facts.alpnProtocol], [undefined, undefined])
    }))
})
