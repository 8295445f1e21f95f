/** Each refusal of a certificate, as the foreign side that showed it hears of it: by number. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ending, faultIn, ourClient, ourServer } from "./Ours.ts"
import { good, identityOf, type Refusal, refusals, trusting } from "./RefusalsChains.ts"
import { everyShowingPeer } from "./RefusalsPeers.ts"

everyShowingPeer("what our client refuses", (peer, it, version) => {
  it.live("a good chain is none of it", () =>
    Effect.gen(function*() {
      const server = yield* peer.server(version, good)
      const trust = yield* trusting()
      for (const serverName of ["localhost", "192.0.2.1"]) {
        const exit = yield* Effect.exit(Effect.scoped(ourClient({ version, port: server.port, trust, serverName })))
        assert.strictEqual(ending(exit), "success")
      }
    }))

  const isShown = ({ isUnusable }: Refusal) => isUnusable !== true || version === "1.3" || peer.name === "gnutls"
  it.live.each(refusals.filter(isShown))(
    "$number for a certificate: $why",
    ({ chain, fault, number, sought = "localhost" }) =>
      Effect.gen(function*() {
        const server = yield* peer.server(version, chain)
        const exit = yield* Effect.exit(
          ourClient({ version, port: server.port, trust: yield* trusting(), serverName: sought })
        )
        assert.strictEqual(faultIn(exit), fault)
        assert.strictEqual(yield* server.sawAlert, number)
      })
  )
})

everyShowingPeer("what our server refuses", (peer, it, version) => {
  const requiring = Effect.gen(function*() {
    return yield* ourServer({
      version,
      identity: yield* identityOf(good),
      clientAuth: { mode: "require", trust: yield* trusting() },
      handler: (connection) => connection.write(new TextEncoder().encode("welcome\n"))
    })
  })

  it.live("a good chain is none of it", () =>
    Effect.gen(function*() {
      const server = yield* requiring
      yield* peer.client(version, server.port, good)
      const { exit } = yield* server.report
      assert.strictEqual(ending(exit), "success")
    }))

  it.live.each(refusals.filter(({ sought }) => sought === undefined))(
    "$number for a certificate: $why",
    ({ chain, fault, number }) =>
      Effect.gen(function*() {
        const server = yield* requiring
        const client = yield* peer.client(version, server.port, chain)
        assert.strictEqual(yield* client.sawAlert, number)
        assert.strictEqual(faultIn((yield* server.report).exit), fault)
      })
  )
})
