/** How messages share records, and how many tickets there are: RFC 8446 sections 5.1 and 4.6.1. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { TestClock } from "effect/testing"
import { Identity, type Session, SessionCache, TlsTest } from "effect-tls"
import { Outbox } from "../../src/connection/Outbox.ts"
import { ContentType } from "../../src/wire/CodePoints.ts"
import { bytes, said, test, trustIn } from "../connection/conversation.ts"
import { openDirection } from "../record/records.ts"

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

describe("a flight that is not sealed yet", () => {
  test("leaves before the goodbye of a server that is out of time", () =>
    Effect.gen(function*() {
      const given = yield* TlsTest.identity("server.test", 0)
      const identity = yield* Effect.orDie(Identity.makePem(given))
      const select: typeof identity.select = (query) =>
        Effect.map(identity.select(query), Option.map((found) => ({ ...found, sign: () => Effect.never })))
      const ends = yield* TlsTest.ends({
        identity: { ...identity, select },
        trust: yield* trustIn(given),
        client: { versions: ["1.3"], limits: { handshakeTimeout: "1 minute" } },
        server: { versions: ["1.3"] }
      })
      const client = yield* Effect.forkChild(Effect.flip(Effect.scoped(ends.connect)))
      const server = yield* Effect.forkChild(Effect.flip(Effect.scoped(ends.accept)))
      yield* TestClock.adjust("11 seconds")
      assert.strictEqual(said(yield* Fiber.join(server)), "HandshakeAborted")
      const error = yield* Fiber.join(client)
      assert.strictEqual(error._tag === "HandshakeAborted" ? error.by : error.message, "user_canceled")
    }))

  test("is dropped with the keys that it was to be sealed under", () =>
    Effect.sync(() => {
      const outbox = new Outbox(openDirection().outbound)
      outbox.addHandshake(Uint8Array.of(20, 0, 0, 0))
      assert.isFalse(outbox.isEmpty)
      outbox.forget()
      assert.isTrue(outbox.isEmpty)
      assert.lengthOf(outbox.records, 0)
    }))
})
