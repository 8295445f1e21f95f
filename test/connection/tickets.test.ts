/** Tickets of TLS 1.2 (RFC 5077): handles into the cache by default, or the session itself. */
import { assert, describe } from "@effect/vitest"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { TestClock } from "effect/testing"
import { Session, SessionCache, SessionKeys, StatelessTickets, TlsTest } from "effect-tls"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import { findExtension } from "../../src/message/Extension.ts"
import { decodeHandshake } from "../../src/message/HandshakeMessage.ts"
import * as Tls12 from "../harness/Tls12.ts"
import { counted, counts } from "../service/sessions.ts"
import { bytes, recordsOf, said, test } from "./conversation.ts"

type Cache = SessionCache.SessionCache["Service"]

/** Each side with a cache of its own, as on the net; both can be replaced. */
const makeWorld = Effect.fnUntraced(function*(server: Effect.Effect<Cache>) {
  const identity = yield* TlsTest.identity("server.test", 0)
  const caches = { client: yield* SessionCache.makeMemory(), server: yield* server }
  /** The latest session of the client, as it was stored. */
  let latest: readonly [key: string, session: Session] | undefined
  const forgotten: Array<string> = []
  const sideOf = (key: string) => key.startsWith("client") ? "client" : "server"
  let seed = 0
  const options = (more: TlsTest.Options = {}): TlsTest.Options => ({
    identity,
    seed: ++seed,
    sessionCache: {
      offer: (key) => caches[sideOf(key)].offer(key),
      store: (key, session) => {
        if (sideOf(key) === "client") latest = [key, session.copy()]
        return caches[sideOf(key)].store(key, session)
      },
      invalidate: (key, session) => {
        forgotten.push(sideOf(key))
        return caches[sideOf(key)].invalidate(key, session)
      },
      ...(caches.server.selfContained === undefined ? {} : { selfContained: caches.server.selfContained })
    },
    ...more
  })
  return {
    forgotten,
    latest: () => latest ?? assert.fail("the client has stored nothing"),
    serverIs: (cache: Cache) => {
      caches.server = cache
    },
    /** The client comes with this session, whatever it has learnt since. */
    clientHas: Effect.fnUntraced(function*(key: string, session: Session) {
      caches.client = yield* SessionCache.makeMemory()
      yield* caches.client.store(key, session)
    }),
    pair: (more?: TlsTest.Options) => Effect.suspend(() => Tls12.pair(options(more)))
  }
})

type World = Effect.Success<ReturnType<typeof makeWorld>>

const memory = SessionCache.makeMemory()

/** The handshake messages of one side that were in the clear. */
const messagesOf = Effect.fnUntraced(function*(wire: TlsTest.Wire, from: TlsTest.Side) {
  const messages = []
  for (const record of yield* recordsOf(wire, from)) {
    if (record[0] === 20) break
    if (record[0] !== 22) continue
    const message = decodeHandshake(record[5] ?? 0, record.subarray(9), "1.2")
    messages.push(yield* Effect.orDie(Effect.fromResult(message)))
  }
  return messages
})

/** What the two sides said about sessions in one whole conversation, and whether it was a resumption. */
const conversation = Effect.fnUntraced(function*(world: World, options?: TlsTest.Options) {
  const { client, server, wire } = yield* world.pair(options)
  const [[clientHello], fromServer] = [yield* messagesOf(wire, "client"), yield* messagesOf(wire, "server")]
  const [serverHello] = fromServer
  assert(clientHello?._tag === "ClientHello" && serverHello?._tag === "ServerHello")
  assert.strictEqual(client.resumed, server.resumed)
  assert.deepStrictEqual(client.sessionId, server.sessionId)
  return {
    resumed: client.resumed,
    sessionId: client.sessionId,
    offered: findExtension(clientHello.extensions, "SessionTicket")?.ticket,
    helloId: clientHello.sessionId,
    answeredId: serverHello.sessionId,
    promised: findExtension(serverHello.extensions, "SessionTicket") !== undefined,
    issued: fromServer.find((message) => message._tag === "NewSessionTicket12")
  }
}, Effect.scoped)

const none = new Uint8Array(0)

describe("a ticket that is a handle", () => {
  test("RFC 5077 figures 1 and 3.4: issued in the full handshake, and good for any number of others", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld(memory)
      const first = yield* conversation(world)
      assert.isFalse(first.resumed)
      assert.deepStrictEqual([first.offered, first.helloId, first.answeredId], [none, none, none])
      assert.isTrue(first.promised)
      assert.strictEqual(first.issued?.ticket.length, 32)
      assert.strictEqual(first.issued?.lifetimeHint, 24 * 60 * 60)
      for (let time = 0; time < 2; time++) {
        const again = yield* conversation(world)
        assert.isTrue(again.resumed)
        assert.deepStrictEqual(again.offered, first.issued?.ticket)
        // The identifier of the client tells it that the ticket was accepted, and is no session.
        assert.strictEqual(again.helloId.length, 32)
        assert.deepStrictEqual(again.answeredId, again.helloId)
        assert.deepStrictEqual(again.sessionId, none)
        assert.deepStrictEqual([again.promised, again.issued], [false, undefined])
      }
    }))

  test("one that the server does not know is declined, and replaced", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld(memory)
      const first = yield* conversation(world)
      world.serverIs(yield* memory)
      const declined = yield* conversation(world)
      assert.isFalse(declined.resumed)
      assert.deepStrictEqual(declined.offered, first.issued?.ticket)
      assert.deepStrictEqual(declined.answeredId, none)
      assert.isTrue(declined.promised)
      const again = yield* conversation(world)
      assert.isTrue(again.resumed)
      assert.deepStrictEqual(again.offered, declined.issued?.ticket)
    }))

  test("without tickets there are session identifiers, and the one is not taken for the other", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld(memory)
      const without = { server: { tickets: 0 } }
      const first = yield* conversation(world, without)
      assert.deepStrictEqual([first.promised, first.answeredId.length], [false, 32])
      // A server that has tickets resumes an identifier all the same.
      const again = yield* conversation(world)
      assert.isTrue(again.resumed)
      assert.deepStrictEqual([again.helloId, again.answeredId, again.offered], [
        first.answeredId,
        first.answeredId,
        none
      ])
      assert.deepStrictEqual(again.sessionId, first.answeredId)
    }))

  test("a session with a ticket is not resumed by identifier, nor the other way round", () =>
    Effect.gen(function*() {
      for (const isTicket of [true, false]) {
        const world = yield* makeWorld(memory)
        yield* conversation(world, { server: { tickets: isTicket ? 1 : 0 } })
        const [key, session] = world.latest()
        yield* world.clientHas(key, new Session({ ...session, isTicket: !isTicket }))
        const confused = yield* conversation(world)
        assert.deepStrictEqual(isTicket ? confused.helloId : confused.offered, session.id)
        assert.isFalse(confused.resumed)
        yield* world.clientHas(key, session)
        assert.isTrue((yield* conversation(world)).resumed)
      }
    }))

  test("a fatal alert forgets it on both sides", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld(memory)
      yield* conversation(world)
      yield* Effect.scoped(Effect.gen(function*() {
        const { client, server, wire } = yield* world.pair()
        assert.isTrue(client.resumed)
        yield* wire.corrupt({ from: "client", record: 0, fragmentBit: 0 })
        yield* client.write(bytes("some data"))
        assert.strictEqual(said(yield* Effect.flip(server.pull)), "AlertSent BadRecordMac")
        assert.strictEqual(said(yield* Effect.flip(client.pull)), "AlertReceived BadRecordMac")
      }))
      assert.sameMembers(world.forgotten, ["server", "client"])
      const after = yield* conversation(world)
      assert.deepStrictEqual([after.resumed, after.offered], [false, none])
    }))
})

describe("a ticket that is the session", () => {
  const keysOf = (...keys: ReadonlyArray<string>) =>
    SessionKeys.layerRedacted(Config.succeed(Redacted.make(keys.map((key) => key.repeat(64)).join(",")))).pipe(
      Layer.provide(NodePrimitives.layer)
    )
  const stateless = (keys: ReturnType<typeof keysOf>, options?: StatelessTickets.StatelessOptions) =>
    Effect.scoped(Layer.build(Layer.fresh(StatelessTickets.layerWithoutForgetting(options)).pipe(Layer.provide(keys))))
      .pipe(
        Effect.map((context) => Context.get(context, SessionCache.SessionCache)),
        Effect.orDie
      )

  test("resumes at every process that has the keys, and shows nothing", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld(stateless(keysOf("a")))
      const first = yield* conversation(world)
      const ticket = Buffer.from(first.issued?.ticket ?? none)
      assert.isAbove(ticket.length, 100)
      assert.notInclude(ticket.toString("latin1"), "server.test")
      assert.deepStrictEqual([first.answeredId, first.sessionId], [none, none])
      world.serverIs(yield* stateless(keysOf("a")))
      const again = yield* conversation(world)
      assert.deepStrictEqual([again.resumed, again.promised], [true, false])
      world.serverIs(yield* stateless(keysOf("b")))
      assert.isFalse((yield* conversation(world)).resumed)
    }))

  test("RFC 5077 figure 2: is renewed where its key is not the newest any more, and lives no longer for that", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld(stateless(keysOf("a")))
      const first = yield* conversation(world)
      yield* TestClock.adjust("30 minutes")
      world.serverIs(yield* stateless(keysOf("b", "a")))
      const renewed = yield* conversation(world)
      assert.deepStrictEqual([renewed.resumed, renewed.promised], [true, true])
      assert.notDeepEqual(renewed.issued?.ticket, first.issued?.ticket)
      assert.strictEqual(renewed.issued?.lifetimeHint, 24 * 60 * 60 - 30 * 60, "what is left of the day")
      world.serverIs(yield* stateless(keysOf("b")))
      const again = yield* conversation(world)
      assert.deepStrictEqual(again.offered, renewed.issued?.ticket)
      assert.deepStrictEqual([again.resumed, again.promised], [true, false])
      yield* TestClock.adjust("29 minutes")
      assert.isTrue((yield* conversation(world)).resumed)
      yield* TestClock.adjust("1 minute")
      assert.isFalse((yield* conversation(world)).resumed)
    }))

  test("is not renewed with less than a second left: a hint of 0 would say nothing about the time", () =>
    Effect.gen(function*() {
      const options = { timeToLive: "7 days" } as const
      const world = yield* makeWorld(stateless(keysOf("a"), options))
      yield* conversation(world)
      const [key, session] = world.latest()
      yield* world.clientHas(key, new Session({ ...session, lifetime: undefined }))
      yield* TestClock.adjust("59 minutes")
      world.serverIs(yield* stateless(keysOf("b", "a"), options))
      assert.isTrue((yield* conversation(world)).promised)
      yield* TestClock.setTime(24 * 60 * 60 * 1000 - 500)
      const now = 24 * 60 * 60 * 1000
      yield* world.clientHas(key, new Session({ ...session, authenticatedAt: now, createdAt: now }))
      const last = yield* conversation(world)
      assert.deepStrictEqual([last.resumed, last.promised], [true, false])
    }))

  test("a process refuses what it has seen die, and another one cannot know", () =>
    counted(Effect.gen(function*() {
      const world = yield* makeWorld(stateless(keysOf("a")))
      yield* conversation(world)
      const ticket = world.latest()
      yield* Effect.scoped(Effect.gen(function*() {
        const { client, server, wire } = yield* world.pair()
        assert.isTrue(client.resumed)
        yield* wire.corrupt({ from: "client", record: 0, fragmentBit: 0 })
        yield* client.write(bytes("some data"))
        assert.strictEqual(said(yield* Effect.flip(server.pull)), "AlertSent BadRecordMac")
      }))
      yield* world.clientHas(...ticket)
      const refused = yield* conversation(world)
      assert.deepStrictEqual(refused.offered, ticket[1].id)
      assert.isFalse(refused.resumed)
      assert.strictEqual((yield* counts)["tls_sessions_refused dead"], 1)
      world.serverIs(yield* stateless(keysOf("a")))
      yield* world.clientHas(...ticket)
      assert.isTrue((yield* conversation(world)).resumed, "this is what its name says")
    })))

  test("in TLS 1.3 as well", () =>
    Effect.gen(function*() {
      const identity = yield* TlsTest.identity("server.test", 0)
      const [clients, servers] = [yield* SessionCache.makeMemory(), yield* stateless(keysOf("a"))]
      const tickets: Array<Uint8Array> = []
      const sessionCache: Cache = {
        ...servers,
        offer: clients.offer,
        store: (key, session) => {
          if (!key.startsWith("client")) return Effect.void
          tickets.push(session.id)
          return clients.store(key, session)
        }
      }
      const resumed: Array<boolean> = []
      for (const seed of [1, 2, 3]) {
        yield* Effect.scoped(Effect.gen(function*() {
          const { client, server } = yield* TlsTest.pair({
            identity,
            seed,
            sessionCache,
            client: { versions: ["1.3"] },
            server: { versions: ["1.3"] }
          })
          yield* server.write(bytes("some data"))
          yield* client.pull
          assert.strictEqual(client.resumed, server.resumed)
          resumed.push(client.resumed)
        }))
      }
      assert.deepStrictEqual(resumed, [false, true, true])
      assert.strictEqual(new Set(tickets.map((ticket) => Buffer.from(ticket).toString("hex"))).size, 2 + 1 + 1)
      for (const ticket of tickets) assert.isAbove(ticket.length, 100)
    }))

  test("one that would be too large is not issued: the promise is kept with an empty one", () =>
    Effect.gen(function*() {
      const plain = yield* stateless(keysOf("a"))
      const world = yield* makeWorld(Effect.succeed({
        ...plain,
        selfContained: { seal: () => Effect.succeedNone, open: () => Effect.succeedNone }
      }))
      const first = yield* conversation(world)
      assert.deepStrictEqual([first.promised, first.issued?.ticket], [true, none])
      const again = yield* conversation(world)
      assert.deepStrictEqual([again.resumed, again.offered], [false, none])
    }))
})
