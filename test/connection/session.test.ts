/** When a session is forgotten, and when it is not: RFC 5246 section 7.2, law 11 of the design. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { Alert, type Session, SessionCache, TlsTest } from "effect-tls"
import { bytes, how, recordsOf, test, text } from "./conversation.ts"
import * as Tls12 from "../harness/Tls12.ts"

const data = bytes("some data")

/** Pairs with one identity and one cache, which tells what it is asked for: `client stores 1`, by the number of the session. */
const makeWorld = Effect.gen(function*() {
  const identity = yield* TlsTest.identity("server.test", 0)
  const memory = yield* SessionCache.makeMemory()
  const log: Array<string> = []
  const numbers = new Map<string, number>()
  const numberOf = (session: Session) => {
    const id = Buffer.from(session.id).toString("hex")
    if (!numbers.has(id)) numbers.set(id, numbers.size + 1)
    return numbers.get(id)
  }
  const note = (key: string, what: string, session: Session) => {
    log.push(`${key.split(" ", 1)[0]} ${what} ${numberOf(session)}`)
  }
  /** A side that is not told to forget, as one whose cache is another process's. */
  const deaf = new Set<TlsTest.Side>()
  const sessionCache = SessionCache.SessionCache.of({
    offer: (key) => memory.offer(key),
    store: (key, session) =>
      Effect.suspend(() => {
        note(key, "stores", session)
        return memory.store(key, session)
      }),
    invalidate: (key, session) =>
      Effect.suspend(() => {
        note(key, "forgets", session)
        const isDeaf = [...deaf].some((side) => key.startsWith(side))
        return isDeaf ? Effect.void : memory.invalidate(key, session)
      })
  })
  let seed = 0
  const options = (more: TlsTest.Options = {}): TlsTest.Options => ({ identity, sessionCache, seed: ++seed, ...more })
  return {
    deaf,
    log,
    memory,
    pair: (more?: TlsTest.Options) => Effect.suspend(() => Tls12.pair(options(more))),
    ends: (more?: TlsTest.Options) => Effect.suspend(() => Tls12.ends(options(more)))
  }
})

type World = Effect.Success<typeof makeWorld>

/** Whether a new connection of both sides is a resumption. */
const resumes = (world: World) =>
  Effect.scoped(Effect.map(world.pair(), ({ client, server }) => {
    assert.strictEqual(client.resumed, server.resumed)
    return client.resumed
  }))

interface Row {
  readonly name: string
  readonly end: (pair: TlsTest.Pair) => Effect.Effect<unknown, unknown>
  readonly forgets: ReadonlyArray<TlsTest.Side>
  readonly options?: TlsTest.Options
}

const pullBoth = ({ client, server }: TlsTest.Pair) =>
  Effect.andThen(Effect.ignore(client.pull), Effect.ignore(server.pull))
const corrupt = (pair: TlsTest.Pair) =>
  Effect.andThen(pair.wire.corrupt({ from: "server", record: 0, fragmentBit: 0 }), pair.server.write(data))

const rows: ReadonlyArray<Row> = [
  {
    name: "R5246-7.2-04, R5246-7.2.2-02, R5246-7.2.2-03: a fatal alert, at who sent it and at who received it",
    end: (pair) => Effect.andThen(corrupt(pair), pullBoth(pair)),
    forgets: ["client", "server"]
  },
  {
    name: "a fatal alert that is seen in a write",
    end: (pair) => Effect.andThen(corrupt(pair), Effect.forever(pair.client.write(data))),
    forgets: ["client"]
  },
  ...Alert.AlertDescription.members[0].literals.map((description): Row => ({
    name: `${description} at level fatal, received`,
    end: ({ client, wire }) =>
      Effect.andThen(wire.send({ from: "server", alert: Alert.fatal(description) }), Effect.ignore(client.pull)),
    forgets: ["client"]
  })),
  {
    name: "an unknown alert at level fatal, received",
    end: ({ client, wire }) =>
      Effect.andThen(wire.send({ from: "server", alert: Alert.fromBytes(2, 200) }), Effect.ignore(client.pull)),
    forgets: ["client"]
  },
  {
    name: "a fatal alert that is received after our close_notify",
    end: ({ client, wire }) =>
      Effect.andThen(
        client.closeWrite,
        Effect.andThen(wire.send({ from: "server", alert: Alert.fatal("internal_error") }), Effect.ignore(client.pull))
      ),
    forgets: ["client"]
  },
  {
    name: "a fault after our close_notify: nobody was told",
    end: (pair) =>
      Effect.andThen(pair.client.closeWrite, Effect.andThen(corrupt(pair), Effect.ignore(pair.client.pull))),
    forgets: []
  },
  {
    name: "R5246-7.2.1-04: truncation by FIN",
    end: (pair) => Effect.andThen(pair.wire.truncate({ from: "server" }), Effect.ignore(pair.client.pull)),
    forgets: []
  },
  {
    name: "R5246-7.2.1-04: truncation by reset, in mid-record",
    end: (pair) =>
      Effect.andThen(
        pair.wire.truncate({ from: "server", by: "reset", bytes: 20 }),
        Effect.andThen(Effect.ignore(pair.server.write(data)), pullBoth(pair))
      ),
    forgets: []
  },
  {
    name: "a failure of the transport in a write",
    end: (pair) =>
      Effect.andThen(pair.wire.truncate({ from: "server", by: "reset" }), Effect.forever(pair.client.write(data))),
    forgets: []
  },
  {
    name: "close_notify",
    end: (pair) => Effect.andThen(pair.client.close, pullBoth(pair)),
    forgets: []
  },
  {
    name: "warnings",
    end: ({ client, server, wire }) =>
      Effect.andThen(
        wire.send({ from: "server", alert: Alert.warning("user_canceled") }),
        Effect.andThen(server.write(data), client.pull)
      ),
    forgets: []
  }
]

describe("is it forgotten?", () => {
  for (const { end, forgets, name } of rows) {
    for (const kind of ["full", "resumed"] as const) {
      test(`${forgets.length > 0 ? `yes, by ${forgets.join(" and ")}` : "no"}: ${name} (${kind} handshake)`, () =>
        Effect.gen(function*() {
          const world = yield* makeWorld
          if (kind === "resumed") yield* Effect.scoped(world.pair())
          yield* Effect.scoped(Effect.gen(function*() {
            const pair = yield* world.pair()
            assert.strictEqual(pair.client.resumed, kind === "resumed")
            yield* Effect.exit(end(pair))
            assert.deepStrictEqual(world.log, [
              "server stores 1",
              "client stores 1",
              ...forgets.map((_) => `${_} forgets 1`)
            ])
          }))
          assert.strictEqual(yield* resumes(world), forgets.length === 0)
        }))
    }
  }

  test("the failure of an application with the policy internal_error forgets, with close_notify it does not", () =>
    Effect.gen(function*() {
      for (const onFailure of ["close_notify", "internal_error"] as const) {
        const world = yield* makeWorld
        yield* Effect.exit(Effect.scoped(
          Effect.andThen(world.pair({ client: { policies: { onFailure } } }), Effect.fail("app"))
        ))
        assert.strictEqual(yield* resumes(world), onFailure === "close_notify")
      }
    }))
})

describe("a dead session", () => {
  test("is not offered again: the next hello has no session identifier", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      const idLengthOf = ({ wire }: { readonly wire: TlsTest.Wire }) =>
        Effect.map(recordsOf(wire, "client"), ([hello]) => hello?.[5 + 4 + 2 + 32])
      yield* Effect.scoped(world.pair())
      yield* Effect.scoped(Effect.gen(function*() {
        const pair = yield* world.pair()
        assert.strictEqual(yield* idLengthOf(pair), 32)
        yield* corrupt(pair)
        yield* Effect.ignore(pair.client.pull)
      }))
      assert.strictEqual(yield* Effect.scoped(Effect.flatMap(world.pair(), idLengthOf)), 0)
    }))

  for (const side of ["client", "server"] as const) {
    test(`is not resumed where the ${side} alone was not told`, () =>
      Effect.gen(function*() {
        const world = yield* makeWorld
        world.deaf.add(side)
        yield* Effect.scoped(Effect.gen(function*() {
          const pair = yield* world.pair()
          yield* corrupt(pair)
          yield* pullBoth(pair)
        }))
        assert.deepStrictEqual(world.log.slice(2), ["client forgets 1", "server forgets 1"])
        assert.isFalse(yield* resumes(world))
        // A declined offer is replaced by the session of the full handshake, and that one is fit for use.
        assert.isTrue(yield* resumes(world))
        assert.deepStrictEqual(world.log.slice(4), ["server stores 2", "client stores 2"])
      }))
  }

  test("leaves a newer session with the same peer alone", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      const older = yield* world.pair()
      // The server has lost the first session, so that a second one is made while the first connection lives.
      const lost = SessionCache.SessionCache.of({ ...world.memory, offer: () => Effect.succeedNone })
      yield* Effect.scoped(world.pair({ sessionCache: lost }))
      yield* corrupt(older)
      yield* pullBoth(older)
      assert.deepStrictEqual(world.log.slice(-2), ["client forgets 1", "server forgets 1"])
      assert.isTrue(yield* resumes(world))
    }))

  test("R5246-7.2-03: other live connections of the session go on", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      const first = yield* world.pair()
      const second = yield* world.pair()
      const third = yield* world.pair()
      assert.deepStrictEqual([first, second, third].map((_) => _.client.resumed), [false, true, true])
      yield* corrupt(second)
      yield* pullBoth(second)
      for (const { client, server } of [first, third]) {
        yield* client.write(data)
        assert.strictEqual(text(yield* server.pull), text(data))
        yield* server.write(data)
        assert.strictEqual(text(yield* client.pull), text(data))
        assert.deepStrictEqual(yield* client.closure, { _tag: "Open", error: undefined })
      }
      assert.isFalse(yield* resumes(world))
    }))
})

describe("a resumption that fails", () => {
  /** The handshakes of both ends, over a session that exists. */
  const fails = Effect.fnUntraced(function*(
    world: World,
    prepare: (wire: TlsTest.Wire) => Effect.Effect<void>,
    more?: TlsTest.Options
  ) {
    yield* Effect.scoped(world.pair({ ...more, server: {} }))
    const { accept, connect, wire } = yield* world.ends(more)
    yield* prepare(wire)
    const shaking = yield* Effect.forkChild(
      Effect.all([Effect.exit(connect), Effect.exit(accept)], { concurrency: 2 }),
      { startImmediately: true }
    )
    yield* TestClock.adjust("1 minute")
    return (yield* Fiber.join(shaking)).map(how)
  })
  const nothing = () => Effect.void

  const failures: ReadonlyArray<
    readonly [
      name: string,
      prepare: (wire: TlsTest.Wire) => Effect.Effect<void>,
      client: string,
      server: string,
      forgets: boolean,
      more?: TlsTest.Options
    ]
  > = [
    [
      "by the Finished of the server",
      (wire) => wire.corrupt({ from: "server", record: 2, fragmentBit: -1 }),
      "AlertSent BadRecordMac",
      "AlertReceived BadRecordMac",
      true
    ],
    [
      "by the Finished of the client",
      (wire) => wire.corrupt({ from: "client", record: 2, fragmentBit: -1 }),
      "success",
      "AlertSent BadRecordMac",
      true
    ],
    [
      "by the application protocol",
      nothing,
      "AlertReceived NoApplicationProtocol",
      "AlertSent NoApplicationProtocol",
      true,
      { client: { alpnProtocols: ["a"] }, server: { alpnProtocols: ["b"] } }
    ],
    [
      "by an alert of the server in the clear",
      (wire) => wire.inject({ from: "server", alert: Alert.fatal("handshake_failure") }),
      "AlertReceived HandshakeFailure",
      "TransportFailed",
      true
    ],
    ["by truncation", (wire) => wire.truncate({ from: "server", record: 1 }), "Truncated", "Truncated", false],
    ["by the clock", (wire) => wire.drop({ from: "server", record: 2 }), "HandshakeAborted", "HandshakeAborted", false],
    [
      "by close_notify",
      (wire) => wire.inject({ from: "server", alert: Alert.warning("close_notify") }),
      "HandshakeAborted",
      "HandshakeAborted",
      false
    ],
    [
      "by close_notify at level fatal",
      (wire) => wire.inject({ from: "server", alert: { level: "fatal", description: "close_notify" } }),
      "HandshakeAborted",
      "HandshakeAborted",
      true
    ]
  ]
  for (const [name, prepare, client, server, forgets, more] of failures) {
    test(`${name} ${forgets ? "forgets the session" : "forgets nothing"}`, () =>
      Effect.gen(function*() {
        const world = yield* makeWorld
        assert.deepStrictEqual(yield* fails(world, prepare, more), [client, server])
        assert.strictEqual(world.log.some((_) => _.endsWith("forgets 1")), forgets)
        assert.strictEqual(yield* resumes(world), !forgets && more === undefined)
      }))
  }

  test("a handshake that fails stores nothing", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      const { accept, connect, wire } = yield* world.ends()
      yield* wire.corrupt({ from: "client", record: 3, fragmentBit: -1 })
      const exits = yield* Effect.all([Effect.exit(connect), Effect.exit(accept)], { concurrency: 2 })
      assert.deepStrictEqual(exits.map(how), ["AlertReceived BadRecordMac", "AlertSent BadRecordMac"])
      assert.deepStrictEqual(world.log, [])
    }))
})

describe("a session is resumed", () => {
  test("with the facts of its first connection", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      const first = yield* world.pair()
      const { client, server } = yield* world.pair()
      assert.isTrue(client.resumed)
      assert.deepStrictEqual(client.sessionId, first.client.sessionId)
      assert.deepStrictEqual(client.peerCertificates, first.client.peerCertificates)
      assert.deepStrictEqual([server.serverName, client.serverName], ["server.test", "server.test"])
      assert.strictEqual(client.cipherSuite, first.client.cipherSuite)
    }))

  const borders: ReadonlyArray<readonly [string, TlsTest.Options]> = [
    ["for another name", { client: { sessionName: "other" } }],
    ["with other application protocols", { client: { alpnProtocols: ["a"] } }],
    ["where certificates are shown", { clientAuth: "request" }]
  ]
  for (const [name, options] of borders) {
    test(`not ${name}`, () =>
      Effect.gen(function*() {
        const world = yield* makeWorld
        yield* Effect.scoped(world.pair())
        assert.isFalse(yield* Effect.scoped(Effect.map(world.pair(options), (_) => _.client.resumed)))
        assert.isTrue(yield* resumes(world))
      }))
  }

  test("not under another trust", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      yield* Effect.scoped(world.pair())
      const identity = yield* TlsTest.identity("server.test", "another")
      assert.isFalse(yield* Effect.scoped(Effect.map(world.pair({ identity }), (_) => _.client.resumed)))
    }))
})
