import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ourClient, ourServer } from "./Ours.ts"
import { everyPeer } from "./peers.ts"

everyPeer("ALPN and SNI", (peer, it) => {
  it.live("our client: the protocol is agreed, the name is told", () =>
    Effect.gen(function*() {
      const server = yield* peer.server({ alpnProtocol: "http/1.1" })
      const end = yield* server.next
      const connection = yield* ourClient({
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
      const server = yield* ourServer({ alpnProtocols: ["h2", "http/1.1"] })
      const client = yield* peer.client({ port: server.port, alpnProtocol: "http/1.1", serverName: "test.example" })
      const facts = yield* client.facts
      yield* client.close
      const { connection } = yield* server.report
      assert.deepStrictEqual([connection?.alpnProtocol, facts.alpnProtocol], ["http/1.1", "http/1.1"])
      assert.strictEqual(connection?.serverName, "test.example")
    }))

  it.live("our server without protocols chooses none", () =>
    Effect.gen(function*() {
      const server = yield* ourServer()
      const client = yield* peer.client({ port: server.port, alpnProtocol: "h2" })
      const facts = yield* client.facts
      yield* client.close
      const { connection } = yield* server.report
      assert.deepStrictEqual([connection?.alpnProtocol, facts.alpnProtocol], [undefined, undefined])
    }))
})
