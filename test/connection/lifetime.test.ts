/** RFC 8446 and RFC 9846 section 4.6.1: a session ends with the time of its full handshake, however often it is resumed before. */
import { assert, describe } from "@effect/vitest"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { TestClock } from "effect/testing"
import { Session, TlsTest } from "effect-tls"
import { bothOf, type Cache, cacheOf } from "./caches.ts"
import { bytes, test } from "./conversation.ts"

/** A cache that hands out whatever it has as if it had just been made. */
const flattering = (cache: Cache): Cache => ({
  ...cache,
  offer: (key) =>
    Effect.zipWith(
      cache.offer(key),
      Clock.currentTimeMillis,
      (offered, now) =>
        Option.map(offered, (session) => new Session({ ...session, authenticatedAt: now, createdAt: now }))
    )
})

/** What one connection after the other comes to. */
const makeWorld = Effect.fnUntraced(function*(
  version: "1.2" | "1.3",
  caches: Readonly<Record<TlsTest.Side, Cache>>,
  server: { readonly tickets?: number } = {}
) {
  const identity = yield* TlsTest.identity("server.test", 1)
  const lifetimes: Record<TlsTest.Side, Array<number | undefined>> = { client: [], server: [] }
  const both = bothOf(caches)
  const store: Cache["store"] = (key, session) => {
    lifetimes[key.startsWith("client") ? "client" : "server"].push(session.lifetime)
    return both.store(key, session)
  }
  const sessionCache = { ...both, store }
  let seed = 0
  const resumes = Effect.gen(function*() {
    const pair = yield* TlsTest.pair({
      identity,
      sessionCache,
      seed: seed++,
      client: { versions: [version] },
      server: { tickets: 1, ...server, versions: [version] }
    })
    yield* pair.server.write(bytes("here is your ticket"))
    yield* pair.client.pull
    assert.strictEqual(pair.client.resumed, pair.server.resumed)
    return pair.client.resumed
  }).pipe(Effect.scoped)
  return {
    /** For how many seconds each side is to keep what it stored. */
    lifetimes,
    resumes,
    /** Connects this often, with as much time in between; which of them resumed. */
    every: Effect.fnUntraced(function*(time: Duration.Input, count: number) {
      const resumed: Array<boolean> = []
      for (let round = 0; round < count; round++) {
        if (round > 0) yield* TestClock.adjust(time)
        resumed.push(yield* resumes)
      }
      return resumed
    })
  }
})

const [full, resumed] = [false, true]
const day = 24 * 60 * 60
const hour = 60 * 60

describe("resumed again and again, a session ends an hour after its full handshake", () => {
  const ends = [full, resumed, resumed, full, resumed, resumed, full]
  for (const version of ["1.2", "1.3"] as const) {
    for (const kind of ["in memory", "persisted", "in tickets", "in tickets that are renewed"] as const) {
      test(`TLS ${version}, at a server whose sessions are ${kind}`, () =>
        Effect.gen(function*() {
          const caches = { client: yield* cacheOf("in memory", "7 days"), server: yield* cacheOf(kind) }
          const { every } = yield* makeWorld(version, caches)
          assert.deepStrictEqual(yield* every("20 minutes", 7), ends)
        }))
    }
    for (const kind of ["in memory", "persisted"] as const) {
      for (const theirs of ["in memory", "in tickets that are renewed"] as const) {
        test(`TLS ${version}, at a client whose sessions are ${kind}, those of its server ${theirs}`, () =>
          Effect.gen(function*() {
            const caches = { client: yield* cacheOf(kind), server: yield* cacheOf(theirs, "7 days") }
            const { every } = yield* makeWorld(version, caches)
            assert.deepStrictEqual(yield* every("20 minutes", 7), ends)
          }))
      }
    }
  }
})

describe("whatever a cache says", () => {
  for (const version of ["1.2", "1.3"] as const) {
    const ways = [["in memory", 1], ["in tickets", 1], ...version === "1.2" ? [["in memory", 0] as const] : []] as const
    for (const [kind, tickets] of ways) {
      const how = tickets === 0 ? "known by their identifiers" : kind
      test(`TLS ${version}: a server resumes for a day, with sessions that are ${how}`, () =>
        Effect.gen(function*() {
          const caches = {
            client: flattering(yield* cacheOf("in memory", "60 days")),
            server: yield* cacheOf(kind, "60 days")
          }
          const { every } = yield* makeWorld(version, caches, { tickets })
          assert.deepStrictEqual(yield* every("10 hours", 4), [full, resumed, resumed, full])
        }))
    }
  }

  test("TLS 1.3: a client goes on for a week, and keeps no ticket for longer", () =>
    Effect.gen(function*() {
      const caches = {
        client: yield* cacheOf("in memory", "60 days"),
        server: flattering(yield* cacheOf("in memory", "60 days"))
      }
      const { every, lifetimes } = yield* makeWorld("1.3", caches)
      const rounds = yield* every("20 hours", 10)
      assert.deepStrictEqual(rounds, [full, ...Array.from({ length: 8 }, () => resumed), full])
      // At 160 hours 8 are left.
      assert.deepStrictEqual(lifetimes.client, [...Array.from({ length: 8 }, () => day), 8 * hour, day])
    }))
})

describe("a ticket for who has resumed", () => {
  const caches = Effect.all({ client: cacheOf("in memory", "60 days"), server: cacheOf("in memory", "60 days") })

  test("TLS 1.3: is good for what is left of the day", () =>
    Effect.gen(function*() {
      const { every, lifetimes } = yield* makeWorld("1.3", yield* caches)
      assert.deepStrictEqual(yield* every("10 hours", 4), [full, resumed, resumed, full])
      assert.deepStrictEqual(lifetimes.client, [day, day - 10 * hour, day - 20 * hour, day])
    }))

  test("TLS 1.3: is none, with less than a second left", () =>
    Effect.gen(function*() {
      const { every, lifetimes, resumes } = yield* makeWorld("1.3", yield* caches)
      assert.isFalse(yield* resumes)
      assert.deepStrictEqual(yield* Effect.andThen(TestClock.adjust((day - 0.5) * 1000), every(0, 2)), [resumed, full])
      assert.deepStrictEqual(lifetimes, { client: [day, day], server: [day, day] })
    }))
})
