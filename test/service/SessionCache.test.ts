import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import { Session, SessionCache, SessionSecret } from "effect-tls"
import { inspect } from "node:util"
import { SessionInsecureJson } from "../../src/service/Session.ts"

const session = (number: number, createdAt = 0): Session =>
  new Session({
    version: "1.2",
    id: Uint8Array.of(number),
    cipherSuite: 0xc02b,
    secret: new SessionSecret(new Uint8Array(48).fill(number)),
    serverName: "server.test",
    peerCertificates: [Uint8Array.of(1, 2, 3)],
    authenticatedAt: createdAt,
    authenticatedUntil: undefined,
    createdAt,
    lifetime: undefined,
    ageAdd: 0
  })

const secretOf = (session: Session) => session.secret.bytes
const isWiped = (session: Session) => secretOf(session).every((byte) => byte === 0)

/** Which of these keys have a session, and the number of it. */
const kept = (cache: SessionCache.SessionCache["Service"], ...keys: ReadonlyArray<string>) =>
  Effect.forEach(
    keys,
    (key) => Effect.map(cache.offer(key), (offered) => Option.isSome(offered) ? `${key}${offered.value.id[0]}` : key)
  ).pipe(Effect.map((all) => all.join(" ")))

describe("layerNone", () => {
  it.effect("keeps nothing", () =>
    Effect.gen(function*() {
      const cache = yield* SessionCache.SessionCache
      yield* cache.store("a", session(1))
      yield* cache.invalidate("a", session(1))
      assert.strictEqual(yield* kept(cache, "a"), "a")
    }).pipe(Effect.provide(SessionCache.layerNone)))
})

describe("layerMemory", () => {
  it.effect("is one cache for all that are provided with it", () =>
    Effect.gen(function*() {
      yield* Effect.flatMap(SessionCache.SessionCache, (cache) => cache.store("a", session(1)))
      assert.strictEqual(yield* Effect.flatMap(SessionCache.SessionCache, (cache) => kept(cache, "a")), "a1")
    }).pipe(Effect.provide(SessionCache.layerMemory())))

  it.effect("what was used longest ago goes first", () =>
    Effect.gen(function*() {
      const cache = yield* SessionCache.makeMemory({ capacity: 3 })
      for (const [index, key] of ["a", "b", "c"].entries()) yield* cache.store(key, session(index + 1))
      // An offer is a use; so is a newer session under the same key.
      yield* cache.offer("a")
      yield* cache.store("d", session(4))
      assert.strictEqual(yield* kept(cache, "b", "c", "a", "d"), "b c3 a1 d4")
      yield* cache.store("c", session(5))
      yield* cache.store("e", session(6))
      assert.strictEqual(yield* kept(cache, "a", "c", "d", "e"), "a c5 d4 e6")
    }))

  it.effect("the default capacity is 1024", () =>
    Effect.gen(function*() {
      const cache = yield* SessionCache.makeMemory()
      for (let index = 0; index <= 1024; index++) yield* cache.store(`k${index}:`, session(index % 256))
      assert.strictEqual(yield* kept(cache, "k0:", "k1:", "k1024:"), "k0: k1:1 k1024:0")
    }))

  for (const [timeToLive, name] of [[undefined, "1 hour"], ["10 minutes", "10 minutes"]] as const) {
    it.effect(`time to live: ${name} from the handshake on, however often it is used`, () =>
      Effect.gen(function*() {
        const cache = yield* SessionCache.makeMemory(timeToLive === undefined ? {} : { timeToLive })
        yield* cache.store("a", session(1))
        yield* TestClock.adjust(name)
        yield* TestClock.adjust("-1 millis")
        assert.strictEqual(yield* kept(cache, "a"), "a1")
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(yield* kept(cache, "a"), "a")
        // Not even where the clock goes back.
        yield* TestClock.setTime(0)
        assert.strictEqual(yield* kept(cache, "a"), "a")
      }))
  }

  it.effect("time to live: what came of a resumption ends with its full handshake, and is not kept after that", () =>
    Effect.gen(function*() {
      const cache = yield* SessionCache.makeMemory({ timeToLive: "1 hour", capacity: 1 })
      const minute = 60_000
      const ticket = (number: number, minutes: number) =>
        new Session({ ...session(number), authenticatedAt: 0, createdAt: minutes * minute })
      yield* TestClock.adjust("59 minutes")
      yield* cache.store("a", ticket(1, 59))
      assert.strictEqual(yield* kept(cache, "a"), "a1")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* kept(cache, "a"), "a")
      yield* cache.store("b", session(2, 60 * minute))
      yield* cache.store("a", ticket(3, 60))
      assert.strictEqual(yield* kept(cache, "a", "b"), "a b2", "it takes the room of no other")
    }))

  it.effect("no longer than the server said, from the ticket on", () =>
    Effect.gen(function*() {
      const cache = yield* SessionCache.makeMemory()
      yield* TestClock.adjust("10 minutes")
      yield* cache.store("a", new Session({ ...session(1), createdAt: 10 * 60_000, lifetime: 600 }))
      yield* TestClock.adjust("599 seconds")
      assert.strictEqual(yield* kept(cache, "a"), "a1")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* kept(cache, "a"), "a")
    }))

  it.effect("invalidate forgets that very session, and no newer one", () =>
    Effect.gen(function*() {
      const cache = yield* SessionCache.makeMemory()
      yield* cache.store("a", session(1))
      yield* cache.store("a", session(2))
      yield* cache.invalidate("a", session(1))
      assert.strictEqual(yield* kept(cache, "a"), "a2")
      yield* cache.invalidate("a", session(2))
      assert.strictEqual(yield* kept(cache, "a"), "a")
    }))

  it.effect("a dead session is not stored again; another one is", () =>
    Effect.gen(function*() {
      const cache = yield* SessionCache.makeMemory()
      // The connection failed before it could store.
      yield* cache.invalidate("a", session(1))
      yield* cache.store("a", session(1))
      assert.strictEqual(yield* kept(cache, "a"), "a")
      yield* cache.store("a", session(2))
      yield* cache.store("a", session(1))
      assert.strictEqual(yield* kept(cache, "a"), "a2")
    }))

  it.effect("the marks of the dead are bounded as well", () =>
    Effect.gen(function*() {
      const cache = yield* SessionCache.makeMemory({ capacity: 2 })
      for (const number of [1, 2, 3]) yield* cache.invalidate("a", session(number))
      for (const number of [1, 2, 3]) yield* cache.store(`${number}:`, session(number))
      assert.strictEqual(yield* kept(cache, "1:", "2:", "3:"), "1:1 2: 3:")
    }))

  it.effect("its secrets are copies: what is wiped outside lives on inside, and what goes is wiped", () =>
    Effect.gen(function*() {
      const cache = yield* SessionCache.makeMemory({ capacity: 1 })
      const mine = session(1)
      yield* cache.store("a", mine)
      mine.wipe()
      const first = Option.getOrThrow(yield* cache.offer("a"))
      const second = Option.getOrThrow(yield* cache.offer("a"))
      assert.deepStrictEqual(secretOf(first), new Uint8Array(48).fill(1))
      first.wipe()
      assert.isTrue(isWiped(mine) && isWiped(first) && !isWiped(second))
    }))

  // What the cache holds can be seen where it copies: it takes a copy of what is stored.
  const watched = (number: number): { readonly session: Session; readonly inside: () => Session } => {
    const copies: Array<Session> = []
    class Watched extends Session {
      override copy(): Session {
        const copy = super.copy()
        copies.push(copy)
        return copy
      }
    }
    return {
      session: new Watched({ ...session(number) }),
      inside: () => copies[0] ?? assert.fail("nothing was copied")
    }
  }
  const goes: ReadonlyArray<
    readonly [string, (cache: SessionCache.SessionCache["Service"]) => Effect.Effect<unknown>]
  > = [
    ["evicted", (cache) => cache.store("b", session(2))],
    ["replaced", (cache) => cache.store("a", session(2))],
    ["invalidated", (cache) => cache.invalidate("a", session(1))],
    ["too old", (cache) => Effect.andThen(TestClock.adjust("1 hour"), cache.offer("a"))]
  ]
  for (const [name, go] of goes) {
    it.effect(`a session that is ${name} is overwritten`, () =>
      Effect.gen(function*() {
        const cache = yield* SessionCache.makeMemory({ capacity: 1 })
        const { inside, session } = watched(1)
        yield* cache.store("a", session)
        assert.isFalse(isWiped(inside()))
        yield* go(cache)
        assert.isTrue(isWiped(inside()))
        assert.isFalse(isWiped(session))
      }))
  }
})

describe("keys", () => {
  const peer = { verified: "v", name: "a", alpnProtocols: ["b", "c"], trust: "t", identity: "i" }

  it("differ wherever a session must not cross", () => {
    const others = [
      { ...peer, verified: "V" },
      { ...peer, name: "A" },
      { ...peer, verified: peer.name, name: peer.verified },
      { ...peer, alpnProtocols: ["b"] },
      { ...peer, alpnProtocols: ["c", "b"] },
      { ...peer, alpnProtocols: ["b,c"] },
      { ...peer, trust: "T" },
      { ...peer, identity: "I" },
      { ...peer, name: "a\",[\"b" }
    ]
    const keys = [peer, ...others].map(SessionCache.clientKey)
    keys.push(SessionCache.serverKey(Uint8Array.of(1), "t"))
    keys.push(SessionCache.serverKey(Uint8Array.of(1), "T"))
    keys.push(SessionCache.serverKey(Uint8Array.of(1, 0), "t"))
    assert.strictEqual(new Set(keys).size, keys.length)
    assert.strictEqual(SessionCache.clientKey({ ...peer }), keys[0])
  })
})

describe("SessionInsecureJson", () => {
  it.effect("round trip, as `--session FILE` keeps it", () =>
    Effect.gen(function*() {
      const { lifetime: _, secret, ...plain } = session(7, 1234)
      const stored = { ...plain, authenticatedUntil: 5678, serverName: "server.test", secret: secret.bytes }
      const json = yield* Schema.encodeEffect(SessionInsecureJson)(stored)
      assert.include(json, "07".repeat(48))
      assert.deepStrictEqual(yield* Schema.decodeEffect(SessionInsecureJson)(json), stored)
    }))

  it.effect("what was stored before it told when the full handshake was is read as well", () =>
    Effect.gen(function*() {
      const { authenticatedAt: _, authenticatedUntil: __, lifetime: ___, secret, ...plain } = session(7, 1234)
      const stored = { ...plain, serverName: "server.test", secret: secret.bytes }
      const json = yield* Schema.encodeEffect(SessionInsecureJson)(stored)
      assert.notInclude(json, "authenticated")
      assert.deepStrictEqual(yield* Schema.decodeEffect(SessionInsecureJson)(json), stored)
    }))

  it("and no other way lets the secret out", () => {
    for (const printed of [JSON.stringify(session(7)), inspect(session(7), { depth: null, showHidden: true })]) {
      assert.include(printed, "<redacted>")
      assert.notMatch(printed, /7, ?7|0707/)
    }
  })
})
