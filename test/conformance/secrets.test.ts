import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { SessionCache, TlsTest } from "effect-tls"
import { bytes, said, test } from "../connection/conversation.ts"

/** A cache in memory, and the secrets of the sessions that it gave out: the bytes themselves, as their users have them. */
const makeWatched = Effect.map(SessionCache.makeMemory(), (memory) => {
  const secrets: Array<Uint8Array> = []
  const cache = SessionCache.SessionCache.of({
    ...memory,
    offer: (key) =>
      Effect.tap(memory.offer(key), (session) =>
        Effect.sync(() => {
          if (Option.isSome(session)) secrets.push(Redacted.value(session.value.masterSecret))
        }))
  })
  return { cache, secrets }
})

describe("R5246-7.2.2-02: the secrets of a connection that failed", () => {
  test("are overwritten on both sides, and the caches do not have them any more", () =>
    Effect.gen(function*() {
      const identity = yield* TlsTest.identity("server.test", 1)
      const { cache, secrets } = yield* makeWatched
      yield* TlsTest.pair({ seed: 1, identity, sessionCache: cache })
      const { client, server, wire } = yield* TlsTest.pair({ seed: 2, identity, sessionCache: cache })
      assert.isTrue(client.resumed)
      assert.strictEqual(secrets.length, 2)

      yield* wire.corrupt({ from: "server", record: 0, fragmentBit: 0 })
      yield* server.write(bytes("data"))
      assert.strictEqual(said(yield* Effect.flip(client.pull)), "AlertSent BadRecordMac")
      assert.strictEqual(said(yield* Effect.flip(server.pull)), "AlertReceived BadRecordMac")
      for (const secret of secrets) assert.deepStrictEqual(secret, new Uint8Array(48))
      const key = SessionCache.serverKey(server.sessionId, "")
      assert.isTrue(Option.isNone(yield* cache.offer(key)))
    }))
})
