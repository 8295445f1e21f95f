/** Law 12 of the design: secrets held as bytes are overwritten, and no secret is ever in a printed form. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import { TestClock } from "effect/testing"
import {
  Alert,
  Primitives,
  Randomness,
  type Session,
  SessionCache,
  SessionSecret,
  TlsClient,
  TlsError,
  TlsTest,
  Trust
} from "effect-tls"
import { inspect } from "node:util"
import { Inside } from "../../src/connection/Connection.ts"
import { Secrets } from "../../src/connection/Secrets.ts"
import type { Wire } from "../../src/connection/Wire.ts"
import { suites } from "../../src/secret/CipherSuite.ts"
import { Exporter } from "../../src/secret/Exporter.ts"
import { keyBlock } from "../../src/secret/KeySchedule12.ts"
import * as Prf from "../../src/secret/Prf.ts"
import { bytes, how, said, test, trustIn } from "./conversation.ts"
import * as Tls12 from "../harness/Tls12.ts"

const data = bytes("some data")
const isZero = (bytes: Uint8Array) => bytes.every((byte) => byte === 0)

/** Primitives that keep every secret byte string that passes through them, as it is: not a copy. */
const watched = Effect.map(Primitives, (primitives) => {
  const kept: Array<readonly [string, Uint8Array]> = []
  const keep = (what: string, bytes: Uint8Array) => {
    kept.push([what, bytes])
    return bytes
  }
  const watching = Primitives.of({
    ...primitives,
    keyShare: (group, privateKey) => {
      const share = primitives.keyShare(group, privateKey)
      return {
        group,
        publicKey: share.publicKey,
        agree: (peer) => {
          const shared = share.agree(peer)
          return shared === undefined ? undefined : keep("premaster secret", shared)
        }
      }
    },
    passingMac: (hash, key) => {
      const mac = primitives.passingMac(hash, keep("key of the PRF", key))
      return { sign: (...parts) => keep("output of the PRF", mac.sign(...parts)) }
    },
    aead: (name, key) => primitives.aead(name, keep("write key", key))
  })
  const left = () => kept.flatMap(([what, bytes]) => isZero(bytes) ? [] : [what])
  return { watching, left, count: () => kept.length }
})

/** A cache that keeps every session that it was given, and every copy that it gave away. */
const watchedCache = Effect.map(SessionCache.makeMemory(), (memory) => {
  const kept: Array<Session> = []
  const cache = SessionCache.SessionCache.of({
    ...memory,
    offer: (key) =>
      Effect.tap(memory.offer(key), (offered) =>
        Effect.sync(() => {
          if (Option.isSome(offered)) kept.push(offered.value)
        })),
    store: (key, session) =>
      Effect.suspend(() => {
        kept.push(session)
        return memory.store(key, session)
      })
  })
  return { cache, kept, left: () => kept.filter((session) => !isZero(session.secret.bytes)).length }
})

describe("secrets are overwritten", () => {
  test("when the handshake is done, and the connection lives, full and resumed", () =>
    Effect.gen(function*() {
      const { count, left, watching } = yield* watched
      const { cache, kept, left: sessions } = yield* watchedCache
      const identity = yield* TlsTest.identity("server.test", 0)
      for (const seed of [1, 2]) {
        yield* Effect.scoped(Effect.gen(function*() {
          const { client, server } = yield* Tls12.pair({ seed, identity, sessionCache: cache }).pipe(
            Effect.provideService(Primitives, watching)
          )
          assert.strictEqual(client.resumed, seed === 2)
          yield* client.write(data)
          yield* server.pull
          // What is exported from, on either side, which goes with the connection.
          assert.deepStrictEqual(left(), ["key of the PRF", "key of the PRF"])
          assert.strictEqual(sessions(), 0)
        }))
        assert.deepStrictEqual(left(), [])
      }
      assert.isAbove(count(), 40)
      assert.strictEqual(kept.length, 4)
    }))

  /** Cuts the handshake short, somewhere. */
  const cuts: ReadonlyArray<
    readonly [string, (wire: TlsTest.Wire, from: TlsTest.Side, record: number) => Effect.Effect<void>]
  > = [
    ["truncated", (wire, from, record) => wire.truncate({ from, record })],
    ["corrupted", (wire, from, record) => wire.corrupt({ from, record, fragmentBit: -1 })],
    ["out of time", (wire, from, record) => wire.drop({ from, record })]
  ]
  for (const [name, cut] of cuts) {
    for (const resumes of [false, true]) {
      test(`R5246-7.2.2-02: when a ${resumes ? "resumed" : "full"} handshake is ${name}, at any record`, () =>
        Effect.gen(function*() {
          const identity = yield* TlsTest.identity("server.test", 0)
          for (const from of ["client", "server"] as const) {
            for (let record = 0; record < (resumes ? 3 : from === "client" ? 4 : 6); record++) {
              const { left, watching } = yield* watched
              const { cache, left: sessions } = yield* watchedCache
              if (resumes) yield* Effect.scoped(Tls12.pair({ seed: 1, identity, sessionCache: cache }))
              const options: TlsTest.Options = { seed: 2, identity, sessionCache: cache }
              const { accept, connect, wire } = yield* Tls12.ends(options).pipe(
                Effect.provideService(Primitives, watching)
              )
              yield* cut(wire, from, record)
              const scope = yield* Scope.make("parallel")
              const shaking = yield* Effect.forkChild(
                Effect.all([Effect.exit(connect), Effect.exit(accept)], { concurrency: 2 }).pipe(Scope.provide(scope))
              )
              yield* TestClock.adjust("1 minute")
              const exits = yield* Fiber.join(shaking)
              // The last message of all is not missed by who sent it.
              assert.isTrue(exits.some(Exit.isFailure), exits.map(how).join())
              const open = exits.filter(Exit.isSuccess).map(() => "key of the PRF")
              assert.deepStrictEqual(left(), open, `${from} ${record}`)
              assert.strictEqual(sessions(), 0)
              yield* Scope.close(scope, Exit.void)
              assert.deepStrictEqual(left(), [], `${from} ${record}`)
            }
          }
        }))
    }
  }

  test("that a story makes when its connection has ended around it, at once", () =>
    Effect.sync(() => {
      const secrets = new Secrets()
      const [before, after, exported] = [bytes("before"), bytes("after"), bytes("exported")]
      const exporter = new Exporter(exported, () => exported.slice())
      secrets.keep(before)
      secrets.endConnection()
      secrets.keep(after)
      assert.deepStrictEqual(exporter.material("EXPERIMENTAL-one", undefined, 8), bytes("exported"))
      secrets.keepExporter(exporter)
      assert.isUndefined(exporter.material("EXPERIMENTAL-one", undefined, 8))
      assert.isTrue([before, after, exported].every(isZero))
    }))

  test("a session that was offered and declined", () =>
    Effect.gen(function*() {
      const { cache, kept, left } = yield* watchedCache
      const identity = yield* TlsTest.identity("server.test", 0)
      yield* Effect.scoped(Tls12.pair({ seed: 1, identity, sessionCache: cache }))
      const offers = kept.length
      const forgetful = SessionCache.SessionCache.of({
        ...cache,
        offer: (key) => key.startsWith("server") ? Effect.succeedNone : cache.offer(key)
      })
      const { client } = yield* Tls12.pair({ seed: 2, identity, sessionCache: forgetful })
      assert.isFalse(client.resumed)
      assert.strictEqual(kept.length, offers + 3)
      assert.strictEqual(left(), 0)
    }))
})

/** A connection whose inside can be seen. */
const opened = Effect.fnUntraced(function*(
  seed: number,
  identity: TlsTest.ThrowAwayIdentity,
  options: TlsTest.Options = {}
) {
  const { accept, clientSocket, wire } = yield* Tls12.ends({ ...options, seed, identity })
  const keyLog: Array<string> = []
  let inside: Wire | undefined
  const primitives = yield* Primitives
  const connect = TlsClient.connect({ serverName: "server.test", insecureKeyLog: (line) => keyLog.push(line) }).pipe(
    Effect.provideService(Socket.Socket, clientSocket),
    Effect.provideService(Trust.Trust, yield* trustIn(identity)),
    Effect.provideService(SessionCache.SessionCache, options.sessionCache ?? (yield* SessionCache.makeMemory())),
    Effect.provideService(Randomness.Randomness, Randomness.makeInsecureSeeded(primitives, seed)),
    Effect.provideService(Inside, (wire) => {
      inside = wire
    })
  )
  const [client, server] = yield* Effect.all([connect, accept], { concurrency: 2 })
  if (inside === undefined) return assert.fail("no inside was given")
  return { client, server, wire, keyLog, core: inside.core }
})

type End = readonly [string, (pair: TlsTest.Pair) => Effect.Effect<unknown, unknown>, string]

const neitherOpensNorSeals = ([, end, expected]: End) =>
  Effect.gen(function*() {
    const pair = yield* opened(1, yield* TlsTest.identity("server.test", 0))
    assert.strictEqual(how(yield* Effect.exit(end(pair))), expected)
    const { inbound, outbound } = pair.core
    for (const { state } of [inbound, outbound]) {
      const { protection } = state.current
      assert.isUndefined(protection.open(23, new Uint8Array(100), 0))
      assert.throws(() => protection.seal(23, data, 0, new Uint8Array(100), 0, 0), "after its keys were forgotten")
    }
    yield* Effect.all([pair.client.close, pair.server.close], { concurrency: 2 })
  })

describe("keys are dropped", () => {
  const failures: ReadonlyArray<End> = [
    [
      "a fault",
      ({ client, server, wire }) =>
        Effect.andThen(
          wire.corrupt({ from: "server", record: 0, fragmentBit: 0 }),
          Effect.andThen(server.write(data), client.pull)
        ),
      "AlertSent BadRecordMac"
    ],
    [
      "a fatal alert of the peer",
      ({ client, wire }) =>
        Effect.andThen(wire.send({ from: "server", alert: Alert.fatal("internal_error") }), client.pull),
      "AlertReceived InternalError"
    ],
    ["a truncation", ({ client, wire }) => Effect.andThen(wire.truncate({ from: "server" }), client.pull), "Truncated"],
    [
      "a failure of the transport",
      ({ client, wire }) =>
        Effect.andThen(wire.truncate({ from: "server", by: "reset" }), Effect.forever(client.write(data))),
      "TransportFailed"
    ]
  ]
  for (const failure of failures) {
    test(`R5246-7.2.2-02: after ${failure[0]} nothing opens and nothing seals`, () => neitherOpensNorSeals(failure))
  }

  const others: ReadonlyArray<End> = [
    // The peer is listened to for a while: it may have a fatal alert on its way.
    ["close", ({ client }) => Effect.andThen(client.close, TestClock.adjust("1 second")), "success"],
    ["the close_notify of the peer", ({ client, server }) => Effect.andThen(server.close, client.pull), "Done"]
  ]
  for (const end of others) test(`after ${end[0]} nothing opens and nothing seals`, () => neitherOpensNorSeals(end))
})

test("what seals is dropped with the close_notify", () =>
  Effect.gen(function*() {
    const { client, core, server } = yield* opened(1, yield* TlsTest.identity("server.test", 0))
    yield* client.close
    const { protection } = core.outbound.state.current
    assert.throws(() => protection.seal(23, data, 0, new Uint8Array(100), 0, 0), "after its keys were forgotten")
    yield* server.close
  }))

/** Every way in which a value may be written down. */
const printed = (value: unknown): string => {
  const shown = inspect(value, { depth: 12, showHidden: true, maxArrayLength: null, maxStringLength: null })
  const json = JSON.stringify(value, (_, inner: unknown) => typeof inner === "bigint" ? String(inner) : inner) ?? ""
  return [shown, json, String(value)].join("\n")
}

/** Whether a text holds that secret, or a good part of it, in any of the usual spellings. */
const holds = (text: string, secret: Uint8Array): boolean => {
  const part = Buffer.from(secret.subarray(0, 12))
  const lower = text.toLowerCase()
  const numbers = `,${(text.match(/\d+/g) ?? []).join(",")},`
  // As `{"0":1,"1":2}`, too.
  const indexed = Array.from(part, (byte, index) => `${index},${byte}`).join(",")
  return lower.includes(part.toString("hex")) ||
    lower.includes(part.toString("hex").replaceAll(/..(?=.)/g, "$& ")) ||
    text.includes(part.toString("base64").slice(0, 12)) ||
    text.includes(part.toString("base64url").slice(0, 12)) ||
    numbers.includes(`,${Array.from(part).join(",")},`) ||
    numbers.includes(`,${indexed},`)
}

describe("no secret is in a printed form", () => {
  test("this test would see one", () =>
    Effect.sync(() => {
      const secret = Uint8Array.from({ length: 48 }, (_, index) => 200 - index)
      const spellings = [
        secret,
        Array.from(secret),
        Buffer.from(secret).toString("hex"),
        Buffer.from(secret).toString("base64"),
        { session: { masterSecret: secret } },
        new Map([["key", secret.buffer]])
      ]
      for (const value of spellings) assert.isTrue(holds(printed(value), secret), inspect(value))
      assert.isFalse(holds(printed(new SessionSecret(secret)), secret))
    }))

  test("over whole conversations, of connections, their insides, sessions, services and errors", () =>
    Effect.gen(function*() {
      const sessionCache = yield* SessionCache.makeMemory()
      const sessions: Array<Session> = []
      const watching = SessionCache.SessionCache.of({
        ...sessionCache,
        store: (key, session) => {
          sessions.push(session, session.copy())
          return sessionCache.store(key, session)
        }
      })
      const values: Array<unknown> = [sessionCache, sessions]
      const texts: Array<string> = []
      const masters: Array<Uint8Array> = []
      const look = () => {
        for (const value of values) texts.push(printed(value))
      }
      const primitives = yield* Primitives
      const identity = yield* TlsTest.identity("server.test", 0)
      for (const seed of [1, 2]) {
        const pair = yield* opened(seed, identity, { sessionCache: watching })
        const { client, core, keyLog, server, wire } = pair
        assert.strictEqual(client.resumed, seed === 2)
        assert.strictEqual(keyLog.length, 1)
        const [, clientRandom = "", master = ""] = keyLog[0]?.split(" ") ?? []
        const hello = Buffer.from(clientRandom, "hex")
        const secret = Uint8Array.from(Buffer.from(master, "hex"))
        assert.strictEqual(secret.length, 48)
        masters.push(secret)
        const passed = yield* wire.passed
        const answer = passed.find((_) => _.from === "server")
        const serverRandom = answer?._tag === "Record" ? answer.bytes.subarray(11, 43) : data
        const suite = suites.find(({ id }) => id === client.cipherSuite.id) ?? suites[0]
        const keys = keyBlock(
          Prf.make(primitives, suite.hash, secret),
          suite,
          hello,
          serverRandom
        )
        masters.push(keys.client.key, keys.server.key)
        values.push(client, server, core, core.inbound, core.outbound, core.settings)
        look()
        yield* client.write(data)
        yield* server.pull
        look()
        // The first ends in order, so that the second one can be resumed.
        if (seed === 1) yield* client.closeWrite
        else yield* wire.corrupt({ from: "server", record: 0, fragmentBit: 0 })
        if (seed === 2) yield* server.write(data)
        const errors = yield* Effect.all([Effect.flip(client.pull), Effect.flip(server.pull)], { concurrency: 2 })
        const expected = seed === 1 ? ["Done", "Done"] : ["AlertSent BadRecordMac", "AlertReceived BadRecordMac"]
        assert.deepStrictEqual(errors.map(said), expected)
        values.push(errors, ...errors.map((error) => Schema.encodeUnknownOption(TlsError.TlsError)(error)))
        values.push(yield* Effect.exit(client.write(data)), yield* client.closure)
        look()
        yield* Effect.all([client.close, server.close], { concurrency: 2 })
        look()
      }
      const text = texts.join("\n")
      assert.isAbove(text.length, 10_000)
      for (const secret of masters) assert.isFalse(holds(text, secret))
    }))
})
