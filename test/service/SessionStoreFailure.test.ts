/** A store that is slow, down or lying: what the cache makes of it, and what it remembers by itself. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { SessionCache, SessionKeys } from "effect-tls"
import type { PersistedOptions } from "../../src/service/PersistedSessions.ts"
import { counted, counts, offeredBy, randomKeys, session } from "./sessions.ts"
import { type Mood, moodyStore, processOver } from "./stores.ts"

const keyOf = (number: number) => SessionCache.serverKey(session(number).id, "")
const clientKey = SessionCache.clientKey({ verified: "v", name: "a", alpnProtocols: [], trust: "t", identity: "i" })

const world = (options?: PersistedOptions) =>
  Effect.gen(function*() {
    const store = moodyStore()
    const keys = yield* Effect.provide(SessionKeys.SessionKeys, randomKeys)
    const join = processOver(store.backing, keys, options)
    return { store, keys, join, a: yield* join, b: yield* join }
  })

/** Runs it while as much time passes as it takes, and tells how much that was. */
const lasting = <A>(effect: Effect.Effect<A>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
    let millis = 0
    while (fiber.pollUnsafe() === undefined) {
      yield* TestClock.adjust(10)
      millis += 10
    }
    return { value: yield* Fiber.join(fiber), millis }
  })

const logged = <A, E, R>(effect: (lines: Array<string>) => Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`))
    return effect(lines).pipe(Effect.provide(Logger.layer([logger])), counted)
  })

const moods: ReadonlyArray<readonly [Mood, longest: number]> = [["down", 0], ["throwing", 0], ["paused", 250]]

describe("a store that does not answer", () => {
  for (const [mood, longest] of moods) {
    it.effect(`${mood}: nobody waits for longer than the bound, then no handshake waits at all`, () =>
      logged((lines) =>
        Effect.gen(function*() {
          const { a, store } = yield* world()
          yield* a.store(keyOf(1), session(1))
          store.mood = mood
          const first = yield* lasting(offeredBy(a, keyOf(1)))
          assert.deepStrictEqual(first, { value: undefined, millis: longest })
          for (
            const [index, act] of [
              offeredBy(a, keyOf(1)),
              a.store(keyOf(2), session(2)),
              a.store(clientKey, session(3, { version: "1.3" }))
            ].entries()
          ) {
            assert.deepStrictEqual(yield* lasting(act), { value: undefined, millis: 0 }, `${index}`)
          }
          // But a death is told in any case.
          assert.strictEqual((yield* lasting(a.invalidate(keyOf(4), session(4)))).millis, longest)
          const counted = yield* counts
          assert.strictEqual(counted["tls_sessions_refused store"], 2)
          assert.strictEqual(counted["tls_session_store_errors offer"], 1)
          assert.strictEqual(counted["tls_session_invalidations_pending"], 1)
          assert.strictEqual(lines.length, 2)
          assert.match(lines[0] ?? "", /^Warn the session store does not answer, .*\(offer: .*(down|broken|time)/)
          assert.match(lines[1] ?? "", /^Warn the session store is still to be told of a dead session/)
          store.goOn()
          yield* TestClock.adjust("10 seconds")
          assert.strictEqual(yield* offeredBy(a, keyOf(1)), 1)
          assert.strictEqual(lines[2], "Info the session store answers again")
        })
      ))
  }

  it.effect("an operation that is not to be interrupted is not waited for either", () =>
    Effect.gen(function*() {
      const { a, store } = yield* world()
      store.mood = "paused"
      const forget = yield* lasting(Effect.uninterruptible(a.invalidate(keyOf(1), session(1))))
      assert.strictEqual(forget.millis, 250)
    }))

  it.effect("the bound and the rest are options; after the rest one is let through to see, and one alone", () =>
    Effect.gen(function*() {
      const { a, store } = yield* world({ timeout: "1 second", rest: "1 minute" })
      yield* a.store(keyOf(1), session(1))
      store.mood = "paused"
      assert.strictEqual((yield* lasting(a.offer(keyOf(1)))).millis, 1000)
      store.asked.length = 0
      yield* TestClock.adjust("59 seconds")
      yield* a.offer(keyOf(1))
      assert.deepStrictEqual(store.asked, [])
      yield* TestClock.adjust("1 second")
      const trial = yield* Effect.forkChild(offeredBy(a, keyOf(1)), { startImmediately: true })
      assert.deepStrictEqual(yield* lasting(offeredBy(a, keyOf(1))), { value: undefined, millis: 0 })
      assert.strictEqual(store.asked.length, 2, "the session and its mark")
      store.goOn()
      assert.strictEqual(yield* Fiber.join(trial), 1)
      assert.strictEqual(yield* offeredBy(a, keyOf(1)), 1)
    }))
})

describe("a death that the store could not be told of", () => {
  it.effect("is refused by who saw it at once, and by all once the store is back", () =>
    logged((lines) =>
      Effect.gen(function*() {
        const { a, b, join, store } = yield* world()
        for (const number of [1, 2]) yield* a.store(keyOf(number), session(number))
        store.mood = "down"
        yield* a.invalidate(keyOf(1), session(1))
        yield* TestClock.adjust("10 minutes")
        store.mood = "well"
        // The store still has it, and only one process knows better.
        assert.strictEqual(yield* offeredBy(a, keyOf(1)), undefined)
        assert.strictEqual(yield* offeredBy(b, keyOf(1)), 1)
        yield* TestClock.adjust("6 seconds")
        for (const process of [a, b, yield* join]) {
          assert.strictEqual(yield* offeredBy(process, keyOf(1)), undefined)
          assert.strictEqual(yield* offeredBy(process, keyOf(2)), 2)
        }
        const counted = yield* counts
        assert.strictEqual(counted["tls_session_invalidations_pending"], 0)
        assert.isAbove(counted["tls_session_invalidations_retried"] ?? 0, 1)
        // Every 5 seconds at most: ten minutes are no flood.
        assert.isBelow(counted["tls_session_invalidations_retried"] ?? 0, 140)
        assert.strictEqual(lines.at(-1), "Info the session store knows of all dead sessions again")
      })
    ))

  it.effect("is told to a store that rests as well: it may be heard", () =>
    Effect.gen(function*() {
      const { a, b, store } = yield* world({ rest: "1 hour" })
      yield* a.store(keyOf(1), session(1))
      store.mood = "paused"
      yield* lasting(a.offer(keyOf(1)))
      store.asked.length = 0
      assert.strictEqual((yield* lasting(a.invalidate(keyOf(1), session(1)))).millis, 250)
      assert.match(store.asked.join(), /^set for 1d d\./)
      store.goOn()
      yield* Effect.yieldNow
      assert.strictEqual(yield* offeredBy(b, keyOf(1)), undefined)
    }))

  it.effect("late is as good as never: what is done after all, and out of order, brings nothing back", () =>
    Effect.gen(function*() {
      const { a, b, store } = yield* world()
      store.mood = "paused"
      const storing = yield* Effect.forkChild(a.store(keyOf(1), session(1)), { startImmediately: true })
      const forgetting = yield* Effect.forkChild(b.invalidate(keyOf(1), session(1)), { startImmediately: true })
      yield* TestClock.adjust("250 millis")
      yield* Fiber.join(storing)
      yield* Fiber.join(forgetting)
      // The mark is written first, the session after it.
      store.goOn()
      yield* TestClock.adjust("10 seconds")
      assert.isAbove(store.kept.size, 0)
      for (const process of [a, b]) assert.strictEqual(yield* offeredBy(process, keyOf(1)), undefined)
    }))

  it.effect("the last chance is the end of the process", () =>
    logged((lines) =>
      Effect.gen(function*() {
        const { b, join, store } = yield* world()
        yield* b.store(keyOf(1), session(1))
        for (const mood of ["well", "down"] as const) {
          const scope = yield* Scope.make()
          const dying = yield* Scope.provide(join, scope)
          store.mood = "down"
          yield* dying.invalidate(keyOf(mood === "well" ? 1 : 2), session(mood === "well" ? 1 : 2))
          yield* TestClock.adjust("1 second")
          store.mood = mood
          yield* Scope.close(scope, Exit.void)
          store.mood = "well"
        }
        assert.strictEqual(yield* offeredBy(b, keyOf(1)), undefined)
        assert.strictEqual((yield* counts)["tls_session_invalidations_abandoned"], 1)
        assert.strictEqual(lines.at(-1), "Error the session store was not told of 1 dead sessions")
      })
    ))

  it.effect("those that wait are bounded; what is beyond is refused here all the same", () =>
    logged((lines) =>
      Effect.gen(function*() {
        const { a, store } = yield* world()
        yield* a.store(keyOf(1030), session(1030))
        store.mood = "down"
        for (let number = 0; number <= 1030; number++) yield* a.invalidate(keyOf(number), session(number))
        assert.strictEqual((yield* counts)["tls_session_invalidations_pending"], 1024)
        assert.strictEqual((yield* counts)["tls_session_invalidations_abandoned"], 7)
        assert.match(lines.at(-1) ?? "", /^Error too many dead sessions wait/)
        store.mood = "well"
        yield* TestClock.adjust("10 minutes")
        assert.strictEqual((yield* counts)["tls_session_invalidations_pending"], 0)
        assert.strictEqual(yield* offeredBy(a, keyOf(1030)), undefined)
      })
    ))

  it.effect("what a process remembers is bounded: beyond it whatever is as old is refused", () =>
    Effect.gen(function*() {
      const { a, b, store } = yield* world({ denied: 2 })
      for (const number of [1, 2, 3, 4, 5]) yield* a.store(keyOf(number), session(number, { createdAt: number }))
      store.mood = "down"
      for (const number of [2, 3, 4]) yield* a.invalidate(keyOf(number), session(number, { createdAt: number }))
      store.mood = "well"
      yield* TestClock.adjust("1 second")
      const all = (process: typeof a) => Effect.forEach([1, 2, 3, 4, 5], (number) => offeredBy(process, keyOf(number)))
      assert.deepStrictEqual(yield* all(a), [undefined, undefined, undefined, undefined, 5])
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* all(b), [1, undefined, undefined, undefined, 5])
    }))
})

describe("a store that lies", () => {
  const change = (json: string, edit: (sealed: Buffer) => void): string => {
    const value: unknown = JSON.parse(json)
    const fields = Object.entries(Object(value))
    return JSON.stringify(Object.fromEntries(fields.map(([name, field]) => {
      if (name !== "sealed") return [name, field]
      const bytes = Buffer.from(String(field), "base64")
      edit(bytes)
      return [name, bytes.toString("base64")]
    })))
  }
  const lies: ReadonlyArray<readonly [string, (json: string, other: string) => string]> = [
    ["no JSON", () => "{"],
    ["no object of ours", () => "{\"hello\":1}"],
    ["an array", () => "[1,2]"],
    ["a number", () => "1"],
    ["null", () => "null"],
    ["a text", () => "\"sealed\""],
    ["nothing sealed", () => "{\"sealed\":\"\",\"at\":0}"],
    ["no base64", () => "{\"sealed\":\"~\",\"at\":0}"],
    ["a cut value", (json) => json.replace(/.{40}","at/, "\",\"at")],
    ["a changed value", (json) => change(json, (sealed) => sealed.writeUInt8(sealed.readUInt8(40) ^ 1, 40))],
    ["the value of another session", (_, other) => other]
  ]
  for (const [name, lie] of lies) {
    it.effect(`${name} is no session: counted, and removed`, () =>
      counted(Effect.gen(function*() {
        const { a, store } = yield* world()
        yield* a.store(keyOf(1), session(1))
        yield* a.store(keyOf(2), session(2))
        const [[slot, json], [, other]] = [...store.kept] as [[string, string], [string, string]]
        store.kept.set(slot, lie(json, other))
        assert.strictEqual(yield* offeredBy(a, keyOf(1)), undefined)
        assert.strictEqual((yield* counts)["tls_sessions_refused unreadable"], 1)
        yield* Effect.yieldNow
        assert.isFalse(store.kept.has(slot))
        assert.strictEqual(yield* offeredBy(a, keyOf(2)), 2, "the store itself is well")
      })))
  }

  it.effect("a session that the store should have let go of is too old all the same", () =>
    counted(Effect.gen(function*() {
      const { a, store } = yield* world()
      yield* a.store(keyOf(1), session(1))
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(store.kept.size, 1)
      assert.strictEqual(yield* offeredBy(a, keyOf(1)), undefined)
      assert.strictEqual((yield* counts)["tls_sessions_refused expired"], 1)
      yield* Effect.yieldNow
      assert.strictEqual(store.kept.size, 0)
    })))

  it.effect("a client: one bad ticket does not hide the others", () =>
    Effect.gen(function*() {
      const { a, store } = yield* world()
      for (const number of [1, 2, 3]) yield* a.store(clientKey, session(number, { version: "1.3", createdAt: number }))
      const newest = [...store.kept].find(([, json]) => json.includes("\"at\":3")) ?? assert.fail("no ticket")
      store.kept.set(newest[0], "{")
      assert.strictEqual(yield* offeredBy(a, clientKey), 2)
    }))

  it.effect("a value that comes back from the dead is refused by who saw it die, and by the mark", () =>
    Effect.gen(function*() {
      const { a, b, store } = yield* world()
      yield* a.store(keyOf(1), session(1))
      const before = [...store.kept]
      yield* a.invalidate(keyOf(1), session(1))
      const [[mark, json]] = [...store.kept] as [[string, string]]
      for (const [name, value] of before) store.kept.set(name, value)
      for (const process of [a, b]) assert.strictEqual(yield* offeredBy(process, keyOf(1)), undefined)
      // Whatever is in the place of the mark is one.
      for (const [name, value] of before) store.kept.set(name, value)
      store.kept.set(mark, "{")
      assert.strictEqual(yield* offeredBy(b, keyOf(1)), undefined)
      // A store that has lost the mark as well has only who saw it die.
      for (const [name, value] of before) store.kept.set(name, value)
      store.kept.delete(mark)
      assert.strictEqual(yield* offeredBy(a, keyOf(1)), undefined)
      assert.strictEqual(yield* offeredBy(b, keyOf(1)), 1, "a store that loses what it said it keeps is believed")
      assert.strictEqual(json, "{\"dead\":true}")
    }))
})

describe("what a store shows", () => {
  it.effect("no secret, no identifier, no name of a peer; and it lets go of everything in time", () =>
    Effect.gen(function*() {
      const { a, store } = yield* world()
      const one = session(0x7a7b, { id: Buffer.from("identifier of this session"), isTicket: true })
      const key = SessionCache.serverKey(one.id, "fingerprint")
      yield* a.store(key, one)
      const peer = { verified: "host.test", name: "peer.test", alpnProtocols: [], trust: "t", identity: "i" }
      yield* a.store(SessionCache.clientKey(peer), one)
      yield* a.invalidate(key, one)
      const dump = JSON.stringify([...store.kept, ...store.asked])
      const secret = Buffer.alloc(48, 0x7b)
      for (const encoding of ["hex", "base64", "latin1"] as const) {
        assert.notInclude(dump, secret.toString(encoding).slice(1, 13))
        assert.notInclude(dump, Buffer.from(one.id).toString(encoding).slice(1, 13))
      }
      for (const word of ["host.test", "peer.test", "server.test", "fingerprint", "identifier"]) {
        assert.notInclude(dump, word)
      }
      for (const name of store.kept.keys()) assert.match(name, /^[sd]\.[0-9a-f]{64}$/)
      const sets = store.asked.filter((line) => line.startsWith("set"))
      assert.deepStrictEqual(sets.map((line) => line.replace(/ [sd]\..*/, "")), [
        "set for 1h",
        "set for 1h",
        "set for 1d"
      ])
    }))
})
