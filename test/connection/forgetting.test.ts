/** When a session is forgotten, in order and by policy; and who cannot have one forgotten. Law 11 of the design. */
import { assert, describe } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { Alert, CipherSuite, Session, SessionCache, SessionSecret, type TlsConfig, TlsTest } from "effect-tls"
import { counted, counts } from "../service/sessions.ts"
import { bytes, how, observed, said, test } from "./conversation.ts"

type Version = TlsConfig.ProtocolName
type Policy = TlsConfig.Policies["forgetting"]

const data = bytes("some data")
const versions: ReadonlyArray<Version> = ["1.2", "1.3"]
const policies: ReadonlyArray<Policy> = ["strict", "keep-on-received-alert"]

/** Two caches, and the latest session of each as it was stored: a client may come back with what it should have forgotten. */
const makeWorld = Effect.fnUntraced(function*(version: Version, policy: Policy = "strict") {
  const identity = yield* TlsTest.identity("server.test", 0)
  const caches = { client: yield* SessionCache.makeMemory(), server: yield* SessionCache.makeMemory() }
  const sideOf = (key: string) => key.startsWith("client") ? "client" : "server"
  let latest: readonly [key: string, session: Session] | undefined
  const forgotten: Array<string> = []
  let seed = 0
  const options = (more: TlsTest.Options = {}): TlsTest.Options => ({
    identity,
    seed: ++seed,
    client: { versions: [version], policies: { forgetting: policy } },
    server: { versions: [version], policies: { forgetting: policy }, tickets: version === "1.3" ? 1 : 0 },
    sessionCache: {
      offer: (key) => caches[sideOf(key)].offer(key),
      store: (key, session) => {
        if (sideOf(key) === "client") latest = [key, session.copy()]
        return caches[sideOf(key)].store(key, session)
      },
      invalidate: (key, session) => {
        forgotten.push(sideOf(key))
        return caches[sideOf(key)].invalidate(key, session)
      }
    },
    ...more
  })
  const world = {
    forgotten,
    ends: (more?: TlsTest.Options) => Effect.suspend(() => TlsTest.ends(options(more))),
    pair: (more?: TlsTest.Options) => Effect.suspend(() => TlsTest.pair(options(more))),
    /** A whole conversation, tickets included. */
    visit: Effect.suspend(() =>
      Effect.scoped(Effect.gen(function*() {
        const { client, server } = yield* TlsTest.pair(options())
        yield* server.write(data)
        yield* client.pull
        return client.resumed
      }))
    ),
    latest: () => latest ?? assert.fail("the client has stored nothing"),
    clientHas: Effect.fnUntraced(function*([key, session]: readonly [string, Session]) {
      caches.client = yield* SessionCache.makeMemory()
      yield* caches.client.store(key, session)
    })
  }
  return world
})

/** The session as somebody has it who saw its name on the wire. */
const stolen = ([key, session]: readonly [string, Session]) => {
  const secret = new Uint8Array(session.secret.bytes.length).fill(7)
  return [key, new Session({ ...session, secret: new SessionSecret(secret) })] as const
}

describe("order", () => {
  for (const version of versions) {
    test(`TLS ${version}: the session is forgotten before the peer hears of it, whoever writes meanwhile`, () =>
      Effect.gen(function*() {
        const alerts = observed()
        const memory = yield* SessionCache.makeMemory()
        const [isAsked, mayEnd] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const { client, server, wire } = yield* TlsTest.pair({
          client: { versions: [version], observe: alerts.observe("client") },
          server: { versions: [version] },
          sessionCache: {
            ...memory,
            invalidate: (key, session) =>
              key.startsWith("client") ? memory.invalidate(key, session) : Deferred.succeed(isAsked, undefined).pipe(
                Effect.andThen(Deferred.await(mayEnd)),
                Effect.andThen(memory.invalidate(key, session))
              )
          }
        })
        yield* wire.corrupt({ from: "client", record: 0, fragmentBit: 0 })
        const reading = yield* Effect.forkChild(Effect.flip(server.pull), { startImmediately: true })
        yield* client.write(data)
        yield* Deferred.await(isAsked)
        // Who writes now is refused, and takes the alert along to nobody.
        const writing = yield* Effect.forkChild(Effect.exit(server.write(data)), { startImmediately: true })
        const listening = yield* Effect.forkChild(Effect.flip(client.pull), { startImmediately: true })
        for (let turn = 0; turn < 100; turn++) yield* Effect.yieldNow
        assert.deepStrictEqual(alerts.received, [])
        assert.isUndefined(listening.pollUnsafe())
        yield* Deferred.succeed(mayEnd, undefined)
        assert.strictEqual(said(yield* Fiber.join(listening)), "AlertReceived BadRecordMac")
        assert.strictEqual(said(yield* Fiber.join(reading)), "AlertSent BadRecordMac")
        assert.strictEqual(how(yield* Fiber.join(writing)), "AlertSent BadRecordMac")
      }))

    test(`TLS ${version}: the end of the scope waits for it when the alert is the peer's, too`, () =>
      Effect.gen(function*() {
        const memory = yield* SessionCache.makeMemory()
        const [isAsked, mayEnd] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const { client, server, wire } = yield* TlsTest.pair({
          client: { versions: [version] },
          server: { versions: [version] },
          sessionCache: {
            ...memory,
            invalidate: () => Effect.andThen(Deferred.succeed(isAsked, undefined), Deferred.await(mayEnd))
          }
        })
        yield* wire.send({ from: "client", alert: Alert.fatal("internal_error") })
        const reading = yield* Effect.forkChild(Effect.flip(server.pull), { startImmediately: true })
        yield* Deferred.await(isAsked)
        const closing = yield* Effect.forkChild(server.close, { startImmediately: true })
        for (let turn = 0; turn < 100; turn++) yield* Effect.yieldNow
        assert.isUndefined(closing.pollUnsafe())
        yield* Deferred.succeed(mayEnd, undefined)
        yield* Fiber.join(closing)
        assert.strictEqual(said(yield* Fiber.join(reading)), "AlertReceived InternalError")
        yield* client.close
      }))

    test(`TLS ${version}: the end of the scope waits for it, and neither hurries the alert nor takes it away`, () =>
      Effect.gen(function*() {
        const memory = yield* SessionCache.makeMemory()
        const [isAsked, mayEnd] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const { accept, connect, wire } = yield* TlsTest.ends({
          client: { versions: [version] },
          server: { versions: [version] },
          sessionCache: {
            ...memory,
            invalidate: (key) =>
              key.startsWith("client")
                ? Effect.void
                : Effect.andThen(Deferred.succeed(isAsked, undefined), Deferred.await(mayEnd))
          }
        })
        const serving = yield* Effect.forkChild(
          Effect.scoped(Effect.gen(function*() {
            const server = yield* accept
            yield* Effect.forkChild(Effect.ignore(server.pull), { startImmediately: true })
            yield* Deferred.await(isAsked)
          })),
          { startImmediately: true }
        )
        const client = yield* connect
        yield* wire.corrupt({ from: "client", record: 0, fragmentBit: 0 })
        yield* client.write(data)
        yield* Deferred.await(isAsked)
        const listening = yield* Effect.forkChild(Effect.flip(client.pull), { startImmediately: true })
        for (let turn = 0; turn < 100; turn++) yield* Effect.yieldNow
        assert.isUndefined(listening.pollUnsafe())
        yield* Deferred.succeed(mayEnd, undefined)
        assert.strictEqual(said(yield* Fiber.join(listening)), "AlertReceived BadRecordMac")
        yield* client.close
        yield* Fiber.join(serving)
      }))
  }
})

describe("an alert behind our close_notify, with nobody left to read", () => {
  /** What the server says is still on its way when the client is done; what it said then is all there. */
  const afterClose = Effect.fnUntraced(function*(
    version: Version,
    say: (pair: TlsTest.Pair, reading: Fiber.Fiber<Exit.Exit<unknown, unknown>>) => Effect.Effect<void, unknown>
  ) {
    const world = yield* makeWorld(version)
    yield* world.visit
    const pair = yield* world.pair()
    assert.isTrue(pair.client.resumed)
    yield* pair.wire.hold({ from: "server" })
    const reading = yield* Effect.forkChild(Effect.exit(pair.server.pull), { startImmediately: true })
    yield* say(pair, reading)
    yield* pair.client.close
    assert.notInclude(world.forgotten, "client")
    yield* pair.wire.release({ from: "server" })
    yield* Effect.all([pair.server.close, TestClock.adjust("5 seconds")])
    return { ...world, pair }
  })

  for (const version of versions) {
    test(`TLS ${version}: a fatal one forgets the session, whatever came before it`, () =>
      Effect.gen(function*() {
        const { forgotten, pair, visit } = yield* afterClose(version, ({ client, server, wire }, reading) =>
          Effect.gen(function*() {
            yield* server.write(new Uint8Array(40_000))
            yield* server.updateKeys(true)
            yield* server.write(data)
            yield* wire.corrupt({ from: "client", record: 0, fragmentBit: 0 })
            yield* client.write(data)
            assert.strictEqual(how(yield* Fiber.join(reading)), "AlertSent BadRecordMac")
          }))
        assert.include(forgotten, "client")
        assert.strictEqual((yield* pair.client.closure)._tag, "Failed")
        assert.isFalse(yield* visit)
      }))

    test(`TLS ${version}: a goodbye, data and what cannot be opened do not`, () =>
      Effect.gen(function*() {
        for (const isCorrupt of [false, true]) {
          const { forgotten, pair, visit } = yield* afterClose(version, ({ server, wire }) =>
            Effect.gen(function*() {
              if (isCorrupt) yield* wire.corrupt({ from: "server", record: 0, fragmentBit: 0 })
              yield* server.write(data)
              yield* server.closeWrite
            }))
          assert.deepStrictEqual(forgotten, [])
          assert.strictEqual((yield* pair.client.closure)._tag, isCorrupt ? "CloseSent" : "Closed")
          // In TLS 1.3 the ticket is used up, and the next one came too late.
          assert.strictEqual(yield* visit, version === "1.2")
        }
      }))
  }

  test("a fatal one forgets the session that had come already, behind data that nobody asked for", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld("1.2")
      yield* world.visit
      const { client, server, wire } = yield* world.pair()
      yield* wire.hold({ from: "server" })
      const reading = yield* Effect.forkChild(Effect.exit(server.pull), { startImmediately: true })
      yield* server.write(data)
      yield* wire.corrupt({ from: "client", record: 0, fragmentBit: 0 })
      yield* client.write(data)
      yield* Fiber.join(reading)
      yield* wire.release({ from: "server" })
      assert.strictEqual(yield* client.pullInto(new Uint8Array(1)), 1)
      yield* client.close
      yield* server.close
      assert.deepStrictEqual(world.forgotten, ["server", "client"])
    }))

  test("a store that takes longer than the drain forgets all the same", () =>
    Effect.gen(function*() {
      const memory = yield* SessionCache.makeMemory()
      const forgotten: Array<string> = []
      const { client, server, wire } = yield* TlsTest.pair({
        client: { versions: ["1.2"] },
        sessionCache: {
          ...memory,
          invalidate: (key) =>
            Effect.andThen(Effect.sleep("3 seconds"), Effect.sync(() => forgotten.push(key.slice(0, 6))))
        }
      })
      yield* wire.hold({ from: "server" })
      const reading = yield* Effect.forkChild(Effect.exit(server.pull), { startImmediately: true })
      yield* wire.corrupt({ from: "client", record: 0, fragmentBit: 0 })
      yield* client.write(data)
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.join(reading)
      yield* client.close
      yield* wire.release({ from: "server" })
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(forgotten, ["server", "client"])
    }))

  test("where it comes later than the drain lasts, it is not heard", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld("1.2")
      yield* world.visit
      const { client, server, wire } = yield* world.pair()
      yield* wire.hold({ from: "server" })
      const reading = yield* Effect.forkChild(Effect.exit(server.pull), { startImmediately: true })
      yield* wire.corrupt({ from: "client", record: 0, fragmentBit: 0 })
      yield* client.write(data)
      yield* Fiber.join(reading)
      yield* client.close
      yield* TestClock.adjust("1 second")
      yield* wire.release({ from: "server" })
      yield* server.close
      assert.deepStrictEqual(world.forgotten, ["server"])
    }))
})

describe("policy", () => {
  const died = Effect.fnUntraced(function*(
    version: Version,
    policy: Policy,
    end: (pair: TlsTest.Pair) => Effect.Effect<unknown, unknown>
  ) {
    const world = yield* makeWorld(version, policy)
    yield* world.visit
    yield* Effect.scoped(Effect.gen(function*() {
      const pair = yield* world.pair()
      assert.isTrue(pair.client.resumed)
      yield* Effect.exit(end(pair))
    }))
    return [...new Set(world.forgotten)].sort()
  })

  for (const version of versions) {
    test(`TLS ${version}: an alert that was received forgets under strict alone`, () =>
      Effect.gen(function*() {
        const end = ({ client, wire }: TlsTest.Pair) =>
          Effect.andThen(wire.send({ from: "server", alert: Alert.fatal("internal_error") }), client.pull)
        assert.deepStrictEqual(yield* died(version, "strict", end), ["client"])
        assert.deepStrictEqual(yield* died(version, "keep-on-received-alert", end), [])
      }))

    test(`TLS ${version}: what this side finds forgets under both`, () =>
      Effect.gen(function*() {
        const end = ({ client, server, wire }: TlsTest.Pair) =>
          wire.corrupt({ from: "client", record: 0, fragmentBit: 0 }).pipe(
            Effect.andThen(client.write(data)),
            Effect.andThen(Effect.exit(server.pull)),
            Effect.andThen(client.pull)
          )
        assert.deepStrictEqual(yield* died(version, "strict", end), ["client", "server"])
        assert.deepStrictEqual(yield* died(version, "keep-on-received-alert", end), ["server"])
      }))
  }

  test("a close_notify at level fatal forgets under strict alone", () =>
    Effect.gen(function*() {
      const end = ({ client, wire }: TlsTest.Pair) =>
        Effect.andThen(wire.send({ from: "server", alert: Alert.fatal("close_notify") }), client.pull)
      assert.deepStrictEqual(yield* died("1.2", "strict", end), ["client"])
      assert.deepStrictEqual(yield* died("1.2", "keep-on-received-alert", end), [])
    }))
})

describe("a stolen name", () => {
  const attack = Effect.fnUntraced(function*(version: Version, policy: Policy) {
    const world = yield* makeWorld(version, policy)
    yield* world.visit
    const owner = world.latest()
    yield* world.clientHas(stolen(owner))
    const { accept, connect } = yield* world.ends()
    const exits = yield* Effect.all([Effect.exit(connect), Effect.exit(accept)], { concurrency: 2 })
    world.forgotten.length = 0
    yield* world.clientHas(owner)
    return { ends: exits.map(how), lives: yield* world.visit }
  })

  for (const policy of policies) {
    test(`TLS 1.3: a ticket with a bad binder does not kill the session of its owner (${policy})`, () =>
      counted(Effect.gen(function*() {
        assert.deepStrictEqual(yield* attack("1.3", policy), {
          ends: ["AlertReceived DecryptError", "AlertSent DecryptError"],
          lives: true
        })
        assert.strictEqual((yield* counts)["tls_sessions_refused binder"], 1)
      })))
  }

  test("TLS 1.2: an identifier costs its owner the session under strict, as the RFC has it, and not under the other policy", () =>
    Effect.gen(function*() {
      const ends = ["AlertSent BadRecordMac", "AlertReceived BadRecordMac"]
      assert.deepStrictEqual(yield* attack("1.2", "strict"), { ends, lives: false })
      assert.deepStrictEqual(yield* attack("1.2", "keep-on-received-alert"), { ends, lives: true })
    }))
})

describe("counts", () => {
  for (const version of versions) {
    test(`TLS ${version}: resumptions, by role, and sessions that do not fit the hello`, () =>
      counted(Effect.gen(function*() {
        const world = yield* makeWorld(version)
        for (let time = 0; time < 3; time++) yield* world.visit
        const before = yield* counts
        assert.strictEqual(before["tls_sessions_resumed client"], 2)
        assert.strictEqual(before["tls_sessions_resumed server"], 2)
        // A session of another suite, and in TLS 1.3 of another hash.
        const [, { cipherSuite }] = world.latest()
        const known = CipherSuite.suites13.find(({ id }) => id === cipherSuite)?.hash
        const { client } = yield* world.pair({
          client: { versions: [version] },
          server: {
            versions: [version],
            cipherSuites: [
              ...CipherSuite.suites.filter(({ id }) => id !== cipherSuite),
              ...CipherSuite.suites13.filter(({ hash }) => hash !== known)
            ]
          }
        })
        assert.isFalse(client.resumed)
        assert.strictEqual((yield* counts)["tls_sessions_refused unfit"], 1)
        assert.strictEqual((yield* counts)["tls_sessions_resumed server"], 2)
      })))
  }
})
