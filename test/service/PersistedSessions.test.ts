import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { TestClock } from "effect/testing"
import { SessionCache, SessionKeys } from "effect-tls"
import { counted, counts, offeredBy, randomKeys, secretOf, session } from "./sessions.ts"
import { processOver, stores } from "./stores.ts"

const keys = Effect.provide(SessionKeys.SessionKeys, randomKeys)
const serverKey = (number: number, trust = "") => SessionCache.serverKey(session(number).id, trust)
const peer = { verified: "v", name: "a", alpnProtocols: [], trust: "t", identity: "i" }
const clientKey = SessionCache.clientKey(peer)
const ticket = (number: number, createdAt = number) => session(number, { version: "1.3", createdAt, lifetime: 7200 })

for (const [name, open] of stores) {
  describe(`over ${name}`, () => {
    const world = Effect.gen(function*() {
      const backing = yield* open
      const shared = yield* keys
      const join = processOver(backing, shared)
      return { backing, join, a: yield* join, b: yield* join }
    })

    it.effect("what one process stores another one offers, with a secret of its own", () =>
      Effect.gen(function*() {
        const { a, b } = yield* world
        const mine = session(1)
        yield* a.store(serverKey(1), mine)
        mine.wipe()
        for (const process of [b, a, b]) {
          const offered = Option.getOrThrow(yield* process.offer(serverKey(1)))
          assert.deepStrictEqual(secretOf(offered), new Uint8Array(48).fill(1))
          assert.deepStrictEqual(offered.peerCertificates, [Uint8Array.of(1, 2, 3)])
          offered.wipe()
        }
        assert.strictEqual(yield* offeredBy(b, serverKey(2)), undefined)
        assert.strictEqual(yield* offeredBy(b, serverKey(1, "another trust")), undefined)
      }))

    it.effect("what one process forgets, all refuse, and no late store brings it back", () =>
      Effect.gen(function*() {
        const { a, b, join } = yield* world
        yield* a.store(serverKey(1), session(1))
        yield* a.store(serverKey(2), session(2))
        yield* b.invalidate(serverKey(1), session(1))
        // Neither of who saw it die, nor of who did not.
        for (const process of [a, b, yield* join]) {
          assert.strictEqual(yield* offeredBy(process, serverKey(1)), undefined)
          yield* process.store(serverKey(1), session(1))
          for (const other of [a, b, yield* join]) assert.strictEqual(yield* offeredBy(other, serverKey(1)), undefined)
        }
        assert.strictEqual(yield* offeredBy(a, serverKey(2)), 2)
      }))

    it.effect("a client: a session is forgotten by identity, and the others with the same peer survive", () =>
      Effect.gen(function*() {
        const { a, b } = yield* world
        for (const number of [1, 2, 3]) yield* a.store(clientKey, ticket(number))
        yield* a.invalidate(clientKey, ticket(3))
        yield* a.store(clientKey, ticket(3))
        yield* b.store(clientKey, ticket(3))
        assert.strictEqual(yield* offeredBy(b, clientKey), 2)
        assert.strictEqual(yield* offeredBy(b, clientKey), 1)
        assert.strictEqual(yield* offeredBy(b, clientKey), undefined)
      }))

    it.effect("a client: several tickets, each used once, the newest first; of TLS 1.2 one session, used again", () =>
      Effect.gen(function*() {
        const { a, b } = yield* world
        for (const number of [1, 2, 3, 4, 5]) yield* a.store(clientKey, ticket(number))
        assert.strictEqual(yield* offeredBy(b, clientKey), 5)
        yield* b.store(clientKey, ticket(6))
        const order = []
        for (let time = 0; time < 5; time++) order.push(yield* offeredBy(a, clientKey))
        assert.deepStrictEqual(order, [6, 4, 3, 2, undefined])
        yield* a.store(clientKey, session(7, { createdAt: 7 }))
        yield* a.store(clientKey, session(8, { createdAt: 8 }))
        for (let time = 0; time < 2; time++) assert.strictEqual(yield* offeredBy(b, clientKey), 8)
        yield* b.invalidate(clientKey, session(8, { createdAt: 8 }))
        assert.strictEqual(yield* offeredBy(a, clientKey), undefined)
      }))

    it.effect("sessions of a client cross nothing that they must not cross", () =>
      Effect.gen(function*() {
        const { a } = yield* world
        yield* a.store(clientKey, ticket(1))
        for (
          const other of [{ verified: "w" }, { name: "b" }, { alpnProtocols: ["h2"] }, { trust: "u" }, { identity: "" }]
        ) {
          assert.strictEqual(yield* offeredBy(a, SessionCache.clientKey({ ...peer, ...other })), undefined)
        }
        assert.strictEqual(yield* offeredBy(a, clientKey), 1)
      }))

    it.effect("time to live, from the full handshake on, whatever came of it since", () =>
      Effect.gen(function*() {
        const { a, b } = yield* world
        yield* TestClock.adjust("59 minutes")
        yield* a.store(
          clientKey,
          session(1, { version: "1.3", authenticatedAt: 0, createdAt: 59 * 60_000, lifetime: 7200 })
        )
        yield* a.store(
          clientKey,
          session(2, { version: "1.3", authenticatedAt: 0, createdAt: 59 * 60_000, lifetime: 7200 })
        )
        assert.strictEqual(yield* offeredBy(b, clientKey), 1)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* offeredBy(b, clientKey), undefined)
      }))

    it.effect("time to live, from the handshake on", () =>
      Effect.gen(function*() {
        const { a, b } = yield* world
        yield* a.store(serverKey(1), session(1))
        yield* a.store(clientKey, session(2, { lifetime: 1800, isTicket: true }))
        yield* TestClock.adjust("29 minutes")
        assert.strictEqual(yield* offeredBy(b, clientKey), 2)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* offeredBy(b, clientKey), undefined)
        assert.strictEqual(yield* offeredBy(b, serverKey(1)), 1)
        yield* a.store(serverKey(3), session(3))
        yield* TestClock.adjust("30 minutes")
        assert.strictEqual(yield* offeredBy(b, serverKey(1)), undefined)
        // Stored half an hour after its handshake, it lives no longer for that.
        assert.strictEqual(yield* offeredBy(b, serverKey(3)), undefined)
        yield* a.store(serverKey(4), session(4))
        assert.strictEqual(yield* offeredBy(a, serverKey(4)), undefined)
      }))

    it.effect("other keys read nothing, and destroy nothing", () =>
      counted(Effect.gen(function*() {
        const { a, backing } = yield* world
        const stranger = yield* processOver(backing, yield* keys)
        yield* a.store(serverKey(1), session(1))
        assert.strictEqual(yield* offeredBy(stranger, serverKey(1)), undefined)
        assert.strictEqual(yield* offeredBy(a, serverKey(1)), 1)
        assert.strictEqual((yield* counts)["tls_sessions_refused unknown-key"], 1)
      })))

    it.effect("a store of another name is another store", () =>
      Effect.gen(function*() {
        const backing = yield* open
        const shared = yield* keys
        const [a, b] = [yield* processOver(backing, shared), yield* processOver(backing, shared, { storeId: "b" })]
        yield* a.store(serverKey(1), session(1))
        assert.strictEqual(yield* offeredBy(b, serverKey(1)), undefined)
      }))

    it.effect("is counted", () =>
      counted(Effect.gen(function*() {
        const { a } = yield* world
        yield* a.store(serverKey(1), session(1))
        yield* a.offer(serverKey(1))
        yield* a.offer(serverKey(2))
        yield* a.invalidate(serverKey(1), session(1))
        yield* a.offer(serverKey(1))
        const counted = yield* counts
        assert.deepStrictEqual(counted, {
          "tls_session_store_latency offer": 2,
          "tls_session_store_latency store": 1,
          "tls_session_store_latency invalidate": 1,
          "tls_sessions_offered": 3,
          "tls_sessions_stored": 1,
          "tls_sessions_refused absent": 1,
          "tls_sessions_refused dead": 1,
          "tls_sessions_invalidated": 1
        })
      })))
  })
}
