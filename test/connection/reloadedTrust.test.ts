/** A session whose client was judged by one trust is not resumed under another, whenever the other one is loaded. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Identity, SessionCache, TlsTest, Trust } from "effect-tls"
import { bytes, test, trustIn } from "./conversation.ts"

describe("a trust that is loaded anew while a client shakes hands", () => {
  for (const version of ["1.2", "1.3"] as const) {
    test(`TLS ${version}: the session is one of the trust that judged`, () =>
      Effect.gen(function*() {
        const identity = yield* TlsTest.identity("server.test", 1)
        const shown = yield* TlsTest.identity("client.test", 1)
        const anchored = yield* trustIn(shown)
        const sessionCache = yield* SessionCache.makeMemory()
        let generation = "first"
        let judged = 0
        const trust = Trust.Trust.of({
          get fingerprint() {
            return generation
          },
          verify: (chain, peer) =>
            Effect.tap(anchored.verify(chain, peer), () =>
              Effect.sync(() => {
                judged++
                // The Finished of the client is still to come.
                generation = "second"
              }))
        })
        const client = { versions: [version], identity: yield* Effect.orDie(Identity.makePem(shown)) }
        const server = { versions: [version], clientAuth: { mode: "require", trust } } as const
        const resumed: Array<boolean> = []
        for (const seed of [1, 2, 3]) {
          yield* Effect.scoped(Effect.gen(function*() {
            const pair = yield* TlsTest.pair({ identity, sessionCache, seed, client, server })
            yield* pair.server.write(bytes("some data"))
            yield* pair.client.pull
            resumed.push(pair.server.resumed)
          }))
        }
        assert.deepStrictEqual(resumed, [false, false, true])
        assert.strictEqual(judged, 2)
      }))
  }
})
