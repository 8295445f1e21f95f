import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { SessionCache, SessionKeys } from "effect-tls"
import * as NodeSessionRedis from "effect-tls/platform/NodeSessionRedis"
import { peerSuite } from "../harness/PeerSuite.ts"
import { redisServer } from "../harness/Redis.ts"
import { counted, counts, offeredBy, randomKeys, session } from "./sessions.ts"

const keyOf = (number: number) => SessionCache.serverKey(session(number).id, "")

peerSuite("redis-server", (it) => {
  const world = Effect.gen(function*() {
    const redis = yield* redisServer()
    const keys = Layer.succeed(SessionKeys.SessionKeys, yield* Effect.provide(SessionKeys.SessionKeys, randomKeys))
    const store = NodeSessionRedis.layer(Redacted.make(redis.url))
    const layer = SessionCache.layerPersisted({ timeout: "10 seconds" }).pipe(Layer.provide([store, keys]))
    const join = Effect.flatMap(
      Layer.build(Layer.fresh(layer)),
      (context) => Effect.provide(SessionCache.SessionCache, Layer.succeedContext(context))
    )
    const createdAt = Date.now()
    return { redis, a: yield* join, b: yield* join, made: (number: number) => session(number, { createdAt }) }
  })

  it.live("stores, offers and forgets between processes, and lets Redis let go of it all", () =>
    Effect.gen(function*() {
      const { a, b, made, redis } = yield* world
      for (const number of [1, 2]) yield* a.store(keyOf(number), made(number))
      assert.strictEqual(yield* offeredBy(b, keyOf(1)), 1)
      yield* b.invalidate(keyOf(1), made(1))
      for (const process of [a, b]) {
        assert.strictEqual(yield* offeredBy(process, keyOf(1)), undefined)
        assert.strictEqual(yield* offeredBy(process, keyOf(2)), 2)
      }
      // One session and one mark, each with an end.
      assert.strictEqual(yield* redis.ask("DBSIZE"), ":2")
      const lua = "EVAL \"local most=0 for _,k in ipairs(redis.call('KEYS','*')) do local t=redis.call('PTTL',k) " +
        "if t<0 then return -1 end if t>most then most=t end end return most\" 0"
      const longest = Number((yield* redis.ask(lua)).slice(1))
      assert.isAbove(longest, 23 * 3_600_000)
      assert.isAtMost(longest, 24 * 3_600_000)
    }))

  const spoils: ReadonlyArray<readonly [string, string]> = [
    ["no JSON", "redis.call('SET',k,'{')"],
    ["JSON of somebody else", "redis.call('SET',k,'{\\\"hello\\\":1}')"],
    ["a number", "redis.call('SET',k,'1')"],
    ["null", "redis.call('SET',k,'null')"],
    ["another type", "redis.call('DEL',k) redis.call('LPUSH',k,'x')"]
  ]
  for (const [name, spoil] of spoils) {
    it.live(`${name} under its name is no session: counted, and removed`, () =>
      counted(Effect.gen(function*() {
        const { a, b, made, redis } = yield* world
        yield* a.store(keyOf(1), made(1))
        yield* redis.ask(`EVAL "for _,k in ipairs(redis.call('KEYS','*')) do ${spoil} end return 1" 0`)
        assert.strictEqual(yield* offeredBy(b, keyOf(1)), undefined)
        assert.strictEqual((yield* counts)["tls_sessions_refused unreadable"], 1)
        // The removal goes the same way as what comes next, before it.
        yield* b.store(keyOf(2), made(2))
        assert.strictEqual(yield* offeredBy(a, keyOf(2)), 2, "the store is well")
        assert.strictEqual(yield* redis.ask("DBSIZE"), ":1")
      })))
  }

  it.live("a mark of another type is a mark", () =>
    Effect.gen(function*() {
      const { a, b, made, redis } = yield* world
      yield* a.invalidate(keyOf(1), made(1))
      yield* redis.ask(
        "EVAL \"for _,k in ipairs(redis.call('KEYS','*')) do redis.call('DEL',k) redis.call('LPUSH',k,'x') end return 1\" 0"
      )
      yield* b.store(keyOf(1), made(1))
      assert.strictEqual(yield* offeredBy(b, keyOf(1)), undefined)
    }))
}, "sessions in Redis")
