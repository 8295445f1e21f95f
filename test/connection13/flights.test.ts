/** How messages share records, and how many tickets there are: RFC 8446 sections 5.1 and 4.6.1. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type Session, SessionCache, TlsTest } from "effect-tls"
import { ContentType } from "../../src/wire/CodePoints.ts"
import { bytes, test } from "../connection/conversation.ts"

const { application_data, change_cipher_spec, handshake } = ContentType

/** Two conversations in one house, the second one a resumption: record types on the wire, and tickets that were kept. */
const twice = (server: TlsTest.Options["server"], client: TlsTest.Options["client"] = {}) =>
  Effect.gen(function*() {
    const identity = yield* TlsTest.identity("server.test", 0)
    const memory = yield* SessionCache.makeMemory()
    const tickets: Array<Session> = []
    const sessionCache = SessionCache.SessionCache.of({
      ...memory,
      store: (key, session) => {
        if (key.startsWith("client")) tickets.push(session)
        return memory.store(key, session)
      }
    })
    return yield* Effect.forEach([1, 2], (seed) =>
      Effect.scoped(Effect.gen(function*() {
        tickets.length = 0
        const pair = yield* TlsTest.pair({
          seed,
          identity,
          sessionCache,
          client: { versions: ["1.3"], ...client },
          server: { versions: ["1.3"], ...server }
        })
        yield* pair.server.write(bytes("some data"))
        yield* pair.client.pull
        const passed = yield* pair.wire.passed
        const types = passed.flatMap((one) => one._tag === "Record" && one.from === "server" ? [one.bytes[0]] : [])
        return { types, tickets: tickets.length, resumed: pair.client.resumed }
      })))
  })

describe("the records of a server", () => {
  test("its protected flight is one, and so are its tickets; who resumed gets one ticket for the one that is used", () =>
    Effect.gen(function*() {
      const hello = [handshake, change_cipher_spec]
      // The flight, the tickets, the data.
      const types = [...hello, application_data, application_data, application_data]
      assert.deepStrictEqual(yield* twice({}), [
        { types, tickets: 2, resumed: false },
        { types, tickets: 1, resumed: true }
      ])
    }))

  test("no tickets, where there are to be none", () =>
    Effect.gen(function*() {
      const types = [handshake, change_cipher_spec, application_data, application_data]
      const none = { types, tickets: 0, resumed: false }
      assert.deepStrictEqual(yield* twice({ tickets: 0 }), [none, none])
    }))

  test("a flight of more than a record holds goes on in the next one", () =>
    Effect.gen(function*() {
      const [first] = yield* twice({ tickets: 0 }, { recordSizeLimit: 100 })
      // A certificate has some hundred bytes.
      assert.isAbove(first?.types.length ?? 0, 2 + 4 + 1)
    }))
})
