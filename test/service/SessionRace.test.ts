/** Thousands of stores, offers and deaths of the same sessions at once, by several processes over one Redis. */
import { assert } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { SessionCache, SessionKeys } from "effect-tls"
import * as NodeSessionRedis from "effect-tls/platform/NodeSessionRedis"
import { Dice } from "../fuzz/Dice.ts"
import { peerSuite } from "../harness/PeerSuite.ts"
import { redisServer } from "../harness/Redis.ts"
import { numberOf, randomKeys, session } from "./sessions.ts"

/** One operation as it was observed, with the ticks of a clock that all share. */
interface Done {
  readonly what: "store" | "offer" | "invalidate"
  readonly process: number
  readonly session: number | undefined
  readonly begun: number
  readonly ended: number
}

const processes = 3

/** What must not be: a session that was offered by an operation that began after the end of one that forgot it. */
const raisedFromTheDead = (history: ReadonlyArray<Done>): ReadonlyArray<readonly [dead: Done, offered: Done]> => {
  const deaths = new Map<number, Done>()
  for (const done of history) {
    if (done.what !== "invalidate" || done.session === undefined) continue
    const known = deaths.get(done.session)
    if (known === undefined || done.ended < known.ended) deaths.set(done.session, done)
  }
  return history.flatMap((done) => {
    const death = done.what === "offer" && done.session !== undefined ? deaths.get(done.session) : undefined
    return death !== undefined && done.begun > death.ended ? [[death, done] as const] : []
  })
}

peerSuite("redis-server", (it) => {
  const race = (kind: "server" | "client", seed: number) =>
    Effect.gen(function*() {
      const redis = yield* redisServer()
      const keys = yield* Effect.provide(SessionKeys.SessionKeys, randomKeys)
      const caches = yield* Effect.replicateEffect(
        Effect.map(
          Layer.build(Layer.fresh(
            // The end of an operation is to be its end, however busy the machine is.
            SessionCache.layerPersisted({ timeout: "1 minute" }).pipe(
              Layer.provide(NodeSessionRedis.layer(Redacted.make(redis.url))),
              Layer.provide(Layer.succeed(SessionKeys.SessionKeys, keys))
            )
          )),
          (context) => Context.get(context, SessionCache.SessionCache)
        ),
        processes
      )
      const createdAt = Date.now()
      const sessions = Array.from({ length: 60 }, (_, index) =>
        session(index, {
          createdAt,
          ...(kind === "client" && index % 2 === 0 ? { version: "1.3", lifetime: 3600 } : {})
        }))
      const peer = { verified: "v", alpnProtocols: [], trust: "", identity: "" }
      const keyOf = (index: number) =>
        kind === "server"
          ? SessionCache.serverKey(session(index).id, "")
          : SessionCache.clientKey({ ...peer, name: `peer ${index % 10}` })

      let tick = 0
      const history: Array<Done> = []
      const dice = new Dice(`race ${seed}`)
      const operation = Effect.suspend(() => {
        const process = dice.below(processes)
        const [cache, index] = [caches[process] ?? assert.fail(), dice.below(sessions.length)]
        const [key, subject] = [keyOf(index), sessions[index] ?? assert.fail()]
        const begun = ++tick
        const note = (what: Done["what"], session: number | undefined) => {
          history.push({ what, process, session, begun, ended: ++tick })
        }
        const roll = dice.below(100)
        if (roll < 40) {
          return Effect.map(cache.store(key, subject), () => note("store", index))
        }
        if (roll < 97) {
          return Effect.map(cache.offer(key), (found) =>
            note("offer", Option.isSome(found) ? numberOf(found.value) : undefined))
        }
        return Effect.map(cache.invalidate(key, subject), () =>
          note("invalidate", index))
      })
      yield* Effect.replicateEffect(operation, 6000, { concurrency: 96, discard: true })

      assert.deepStrictEqual(raisedFromTheDead(history), [])
      // There was something to go wrong.
      const of = (what: Done["what"], isSo: (done: Done) => boolean = () => true) =>
        history.filter((done) => done.what === what && isSo(done)).length
      assert.isAbove(of("invalidate"), 100)
      assert.isAbove(of("offer", (done) => done.session !== undefined), 300)
      const deathOf = new Map<number | undefined, number>()
      for (const { ended, session, what } of history) {
        if (what === "invalidate" && !deathOf.has(session)) deathOf.set(session, ended)
      }
      assert.isAbove(of("store", ({ begun, session }) => begun > (deathOf.get(session) ?? Infinity)), 300)
      assert.isAbove(
        of("store", ({ begun, ended, session }) => {
          const death = deathOf.get(session) ?? -1
          return begun < death && death < ended
        }),
        0,
        "some stores were on their way when the session died"
      )
    })

  for (const kind of ["server", "client"] as const) {
    for (const seed of [1, 2]) {
      it.live(
        `sessions of a ${kind}: what was forgotten once is never offered again (seed ${seed})`,
        () => race(kind, seed),
        60_000
      )
    }
  }
}, "a race over Redis")
