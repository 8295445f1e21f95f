import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { type TamperingProxy, tamperingProxy } from "../harness/TamperingProxy.ts"
import { alertRecord, contentType, contentTypes } from "../harness/TlsRecords.ts"
import { ourClient, ourServer } from "./Ours.ts"
import { everyPeer } from "./peers.ts"

const userCanceled = 90

const assertGoodbye = (proxy: TamperingProxy, from: keyof TamperingProxy["seen"]) =>
  Effect.gen(function*() {
    const alerts = () => proxy.seen[from].filter((record) => contentType(record) === contentTypes.alert)
    yield* proxy.until("two alerts", () => alerts().length === 2)
    assert.deepStrictEqual(alerts(), [alertRecord(1, userCanceled), alertRecord(1, 0)])
  })

/** header, alert, content type, tag: of TLS 1.3 */
const sealedAlertLength = 5 + 2 + 1 + 16

everyPeer("a handshake that our side gives up", (peer, it, version) => {
  it.live("our client is interrupted: user_canceled, then close_notify", () =>
    Effect.gen(function*() {
      const server = yield* peer.server()
      const end = yield* server.next
      const proxy = yield* tamperingProxy({
        to: server.port,
        onRecord: (direction, _index, record) => direction === "serverToClient" ? null : record
      })
      const connecting = yield* Effect.forkChild(Effect.scoped(ourClient({ version, port: proxy.port })))
      yield* proxy.until("the answer of the server", () => proxy.seen.serverToClient.length > 0)
      yield* Fiber.interrupt(connecting)
      yield* assertGoodbye(proxy, "clientToServer")
      // GnuTLS takes nothing in the clear any more once it has keys, though its client has none before the ServerHello.
      if (peer.name === "openssl" || version === "1.2" && peer.name === "gnutls") yield* end.sawWarning(userCanceled)
    }))

  it.live("our server is interrupted: user_canceled, then close_notify", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const server = yield* Scope.provide(ourServer({ version }), scope)
      const proxy = yield* tamperingProxy({
        to: server.port,
        onRecord: (direction, index, record) => direction === "clientToServer" && index > 0 ? null : record
      })
      const client = yield* peer.client({ port: proxy.port })
      yield* proxy.until("the second flight of the client", () => proxy.seen.clientToServer.length > 1)
      yield* Scope.close(scope, Exit.void)
      if (version === "1.2") yield* assertGoodbye(proxy, "serverToClient")
      else {
        const alerts = () => proxy.seen.serverToClient.filter(({ length }) => length === sealedAlertLength)
        yield* proxy.until("two alerts under keys", () => alerts().length === 2)
      }
      if (peer.name !== "node:tls") yield* client.sawWarning(userCanceled)
    }))
})
