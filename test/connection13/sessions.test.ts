/** Which sessions a connection of TLS 1.3 takes with it, and which secrets: RFC 8446 section 6, laws 11 and 12. */
import { assert, describe } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { Alert, Primitives, type Session, SessionCache, TlsTest } from "effect-tls"
import * as KeySchedule from "../../src/secret/KeySchedule13.ts"
import { toHex, toLatin1 } from "../../src/wire/Bytes.ts"
import { bytes, test, text } from "../connection/conversation.ts"
import { conversation, converse } from "../handshake13/conversation.ts"
import { watch } from "../handshake13/world.ts"

const sides = ["client", "server"] as const

/** Pairs with one identity and one cache. */
const house = Effect.gen(function*() {
  const identity = yield* TlsTest.identity("server.test", 1)
  const watched = watch(yield* SessionCache.makeMemory())
  let seed = 0
  const options = (more: TlsTest.Options): TlsTest.Options => ({
    identity,
    sessionCache: watched.cache,
    seed: `house ${seed++}`,
    client: { groups: ["x25519"] },
    server: { tickets: 1 },
    ...more
  })
  const pair = (more: TlsTest.Options = {}) =>
    Effect.gen(function*() {
      const opened = yield* TlsTest.pair(options(more))
      yield* opened.server.write(bytes("here is your ticket"))
      assert.strictEqual(text(yield* opened.client.pull), "here is your ticket")
      return opened
    })
  return { watched, pair, options }
})

const data = bytes("some data")
const corrupt = (pair: TlsTest.Pair, from: TlsTest.Side = "server") =>
  Effect.andThen(pair.wire.corrupt({ from, record: 0, fragmentBit: 0 }), pair[from].write(data))
const pullBoth = ({ client, server }: TlsTest.Pair) =>
  Effect.andThen(Effect.ignore(client.pull), Effect.ignore(server.pull))

describe("R8446-6-07, R8446-6-06: what a connection forgets that fails", () => {
  const endings: ReadonlyArray<
    readonly [
      what: string,
      end: (pair: TlsTest.Pair) => Effect.Effect<unknown, unknown>,
      forgets: ReadonlyArray<TlsTest.Side>
    ]
  > = [
    ["a fault of the client", (pair) => Effect.andThen(corrupt(pair, "server"), pullBoth(pair)), sides],
    [
      "a fault of the server",
      (pair) =>
        Effect.andThen(
          corrupt(pair, "client"),
          Effect.andThen(Effect.ignore(pair.server.pull), Effect.ignore(pair.client.pull))
        ),
      sides
    ],
    [
      "a fatal alert of the server",
      ({ client, wire }) =>
        Effect.andThen(wire.send({ from: "server", alert: Alert.fatal("internal_error") }), Effect.ignore(client.pull)),
      ["client"]
    ],
    [
      "an error alert at level warning",
      ({ server, wire }) =>
        Effect.andThen(
          wire.send({ from: "client", alert: Alert.warning("bad_certificate") }),
          Effect.ignore(server.pull)
        ),
      ["server"]
    ],
    ["close_notify", (pair) => Effect.andThen(pair.client.closeWrite, Effect.ignore(pair.server.pull)), []],
    [
      "close_notify at level fatal",
      ({ client, wire }) =>
        Effect.andThen(wire.send({ from: "server", alert: Alert.fatal("close_notify") }), Effect.ignore(client.pull)),
      []
    ],
    [
      "user_canceled and close_notify",
      ({ client, wire }) =>
        wire.send({ from: "server", alert: Alert.warning("user_canceled") }).pipe(
          Effect.andThen(wire.send({ from: "server", alert: Alert.warning("close_notify") })),
          Effect.andThen(Effect.ignore(client.pull))
        ),
      []
    ],
    [
      "a truncation",
      ({ client, wire }) => Effect.andThen(wire.truncate({ from: "server" }), Effect.ignore(client.pull)),
      []
    ],
    ["a reset", (pair) => Effect.andThen(pair.wire.truncate({ from: "server", by: "reset" }), pullBoth(pair)), []]
  ]
  for (const [what, end, forgets] of endings) {
    test(`${what}: the tickets of ${forgets.length === 0 ? "neither side" : forgets.join(" and ")}`, () =>
      Effect.gen(function*() {
        const { pair, watched } = yield* house
        // Another connection, whose tickets are no concern of this one.
        const other = yield* pair({ client: { groups: ["x25519"], sessionName: "another" } })
        const mine = yield* Effect.scoped(Effect.gen(function*() {
          const opened = yield* pair({ server: { tickets: 3 } })
          const ids = watched.stored.slice(2).map(([, { id }]) => toHex(id))
          assert.lengthOf(new Set(ids), 3)
          yield* end(opened)
          const alive = (side: TlsTest.Side) =>
            Effect.map(
              Effect.forEach(watched.stored.slice(2).filter(([key]) => key.startsWith(side)), ([key]) =>
                watched.cache.offer(key)),
              (found) =>
                found.filter(Option.isSome).length
            )
          for (const side of sides) assert.strictEqual(yield* alive(side), forgets.includes(side) ? 0 : 3, side)
          return ids
        }))
        assert.isNotEmpty(mine)
        // R8446-6-07: and the other connection goes on.
        yield* other.client.write(data)
        assert.strictEqual(text(yield* other.server.pull), "some data")
      }))
  }

  conversation("a ticket in the chunk that a fatal alert is in is not stored", (all) =>
    Effect.gen(function*() {
      const watched = watch(yield* SessionCache.makeMemory())
      const outcome = yield* converse({ ...all, cacheOf: () => Effect.succeed(watched) }, {
        subject: "client",
        script: {
          open: (puppet) =>
            Effect.sync(() => {
              puppet.isOneChunk = true
              const [nonce, ticket] = [Uint8Array.of(1), Uint8Array.of(2)]
              puppet.blurt({ _tag: "NewSessionTicket", lifetime: 100, ageAdd: 0, nonce, ticket, extensions: [] })
              puppet.alert(2, 80)
            })
        }
      })
      assert.strictEqual(outcome.failure, "AlertReceived fatal 80 established 1.3")
      assert.lengthOf(watched.stored, 0)
    }))

  conversation(
    "a resumption that was accepted and then failed forgets its session, at the client",
    (all) =>
      Effect.gen(function*() {
        const watched = watch(yield* SessionCache.makeMemory())
        const [key, session] = all.remembered.client
        yield* watched.cache.store(key, session)
        const outcome = yield* converse({ ...all, cacheOf: () => Effect.succeed(watched) }, {
          subject: "client",
          remembers: true,
          script: {
            moves: {
              Finished: (puppet, _) => {
                puppet.blurt({ ..._, verifyData: new Uint8Array(32) })
                puppet.stop()
              }
            }
          }
        })
        assert.strictEqual(outcome.failure, "AlertSent 51 FinishedWrong handshaking 1.3")
        assert.deepStrictEqual(watched.invalidated, [key])
      })
  )

  conversation(
    "a session that was offered and declined is no concern of the connection that fails",
    (all) =>
      Effect.gen(function*() {
        const watched = watch(yield* SessionCache.makeMemory())
        yield* watched.cache.store(...all.remembered.client)
        const outcome = yield* converse({ ...all, cacheOf: () => Effect.succeed(watched) }, {
          subject: "client",
          remembers: true,
          script: { session: undefined, open: (puppet) => Effect.sync(() => puppet.alert(2, 80)) }
        })
        assert.strictEqual(outcome.failure, "AlertReceived fatal 80 established 1.3")
        assert.deepStrictEqual(watched.invalidated, [])
      })
  )

  conversation("and at the server", (all) =>
    Effect.gen(function*() {
      const outcome = yield* converse(all, {
        subject: "server",
        remembers: true,
        script: {
          moves: {
            Finished: (puppet, _) => {
              puppet.blurt({ ..._, verifyData: new Uint8Array(32) })
              puppet.stop()
            }
          }
        }
      })
      assert.strictEqual(outcome.failure, "AlertSent 51 FinishedWrong handshaking 1.3")
      assert.strictEqual(outcome.sessions, 0)
    }))

  for (const side of sides) {
    conversation(
      `a resumption that is cut off, or takes too long, forgets nothing at the ${side}`,
      (all) =>
        Effect.gen(function*() {
          for (const cut of [true, false]) {
            const watched = watch(yield* SessionCache.makeMemory())
            yield* watched.cache.store(...all.remembered[side])
            const outcome = yield* converse({ ...all, cacheOf: () => Effect.succeed(watched) }, {
              subject: side,
              remembers: true,
              waits: true,
              script: {
                moves: {
                  Finished: (puppet) => {
                    if (cut) puppet.cutLater("fin")
                    puppet.stop()
                  }
                }
              }
            })
            assert.match(outcome.failure, cut ? /^Truncated/ : /^HandshakeAborted timeout/)
            assert.deepStrictEqual(watched.invalidated, [])
          }
        })
    )
  }
})

const isZero = (bytes: Uint8Array) => bytes.every((byte) => byte === 0)

/** Primitives that keep every key that passes through them, as it is: not a copy. */
const watchedPrimitives = Effect.map(Primitives, (primitives) => {
  const kept: Array<readonly [string, Uint8Array]> = []
  const keep = (what: string, bytes: Uint8Array) => {
    kept.push([what, bytes])
    return bytes
  }
  const watching = Primitives.of({
    ...primitives,
    keyShare: (group, privateKey) => {
      const share = primitives.keyShare(group, privateKey)
      const agree = (peer: Uint8Array) => {
        const shared = share.agree(peer)
        return shared === undefined ? undefined : keep("shared secret of the client", shared)
      }
      return { group, publicKey: share.publicKey, agree }
    },
    respond: (group, peer, privateKey) => {
      const answer = primitives.respond(group, peer, privateKey)
      if (answer !== undefined) keep("shared secret of the server", answer.secret)
      return answer
    },
    passingMac: (hash, key) => {
      const mac = primitives.passingMac(hash, keep("secret of the schedule", key))
      const sign = (...parts: ReadonlyArray<Uint8Array>) => {
        const made = mac.sign(...parts)
        return parts.some((part) => toLatin1(part).includes("tls13 resumption")) ? keep("PSK of a ticket", made) : made
      }
      return { sign }
    },
    aead: (name, key) => primitives.aead(name, keep("write key", key))
  })
  const left = () => kept.flatMap(([what, bytes]) => isZero(bytes) ? [] : [what])
  return { watching, left, count: () => kept.length }
})

describe("R8446-6-06: secrets are overwritten", () => {
  const opened = (resumes: boolean) =>
    Effect.gen(function*() {
      const { options, pair, watched } = yield* house
      const { count, left, watching } = yield* watchedPrimitives
      if (resumes) yield* Effect.scoped(pair())
      const made = yield* Effect.provideService(TlsTest.pair(options({ clientAuth: "require" })), Primitives, watching)
      yield* made.client.write(data)
      yield* made.server.pull
      yield* made.server.write(data)
      yield* made.client.pull
      return { ...made, count, left, watched }
    })

  for (const resumes of [false, true]) {
    const what = resumes ? "resumed" : "full"
    test(`when the handshake is done, and the connection lives: ${what}`, () =>
      Effect.gen(function*() {
        const { count, left } = yield* opened(resumes)
        assert.isAbove(count(), 30)
        // What a KeyUpdate of either direction begins with and what is exported, on either side, and what the client makes sessions of.
        assert.deepStrictEqual(left(), Array.from({ length: 7 }, () => "secret of the schedule"))
      }))

    test(`when a connection whose keys were updated fails: ${what}`, () =>
      Effect.gen(function*() {
        const made = yield* opened(resumes)
        yield* made.client.updateKeys(true)
        yield* made.client.write(data)
        yield* made.server.pull
        yield* corrupt(made)
        yield* pullBoth(made)
        assert.deepStrictEqual(made.left(), [])
      }))

    test(`when it closes: ${what}`, () =>
      Effect.gen(function*() {
        const made = yield* opened(resumes)
        yield* made.server.updateKeys(true)
        yield* made.server.write(data)
        yield* made.client.pull
        yield* Effect.all([made.client.close, made.server.close], { concurrency: 2 })
        yield* TestClock.adjust("5 seconds")
        assert.deepStrictEqual(made.left(), [])
      }))
  }

  test("when a handshake is cut off, corrupted or out of time, at any record", () =>
    Effect.gen(function*() {
      for (const from of sides) {
        for (let record = 0; record < (from === "client" ? 5 : 7); record++) {
          for (const cut of ["truncate", "corrupt", "drop"] as const) {
            const { options } = yield* house
            const { left, watching } = yield* watchedPrimitives
            const { accept, connect, wire } = yield* Effect.provideService(
              TlsTest.ends(options({ clientAuth: "require" })),
              Primitives,
              watching
            )
            if (cut === "corrupt") yield* wire.corrupt({ from, record, fragmentBit: -1 })
            else yield* wire[cut]({ from, record })
            const scope = yield* Scope.make("parallel")
            const reading = (side: typeof connect) => Effect.exit(Effect.flatMap(side, (connection) => connection.pull))
            const fiber = yield* Effect.forkChild(
              Effect.all([reading(connect), reading(accept)], { concurrency: 2 }).pipe(Scope.provide(scope))
            )
            yield* TestClock.adjust("1 minute")
            const what = `${cut} ${from} ${record}`
            if (fiber.pollUnsafe() === undefined) {
              // What is not missed: a ChangeCipherSpec, a ticket.
              yield* Fiber.interrupt(fiber)
            }
            yield* Scope.close(scope, Exit.void)
            yield* TestClock.adjust("1 minute")
            assert.deepStrictEqual(left(), [], what)
          }
        }
      }
    }))

  test("of tickets that are not stored, since the connection has failed while the first of them was", () =>
    Effect.gen(function*() {
      const { left, watching } = yield* watchedPrimitives
      const memory = yield* SessionCache.makeMemory()
      const [isStoring, mayStore] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      let stored = 0
      const sessionCache = SessionCache.SessionCache.of({
        ...memory,
        store: () =>
          // The server has stored its three when the client comes to its first.
          ++stored < 4 ? Effect.void : Effect.andThen(Deferred.succeed(isStoring, undefined), Deferred.await(mayStore))
      })
      const made = yield* Effect.provideService(
        TlsTest.pair({ server: { tickets: 3 }, sessionCache }),
        Primitives,
        watching
      )
      const reading = yield* Effect.forkChild(Effect.ignore(made.client.pull))
      yield* Deferred.await(isStoring)
      yield* corrupt(made, "server")
      // Who writes looks at what has come.
      for (let turn = 0; turn < 3; turn++) {
        yield* Effect.forkChild(Effect.ignore(made.client.write(data)))
        for (let wait = 0; wait < 20; wait++) yield* Effect.yieldNow
      }
      assert.strictEqual((yield* made.client.closure).error?._tag, "AlertSent")
      yield* Deferred.succeed(mayStore, undefined)
      yield* Fiber.join(reading)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(stored, 4)
      assert.deepStrictEqual(left().filter((what) => what === "PSK of a ticket"), [])
    }))

  test("of tickets whose store dies; and where the forgetting dies, too, the alert leaves all the same", () =>
    Effect.gen(function*() {
      const { left, watching } = yield* watchedPrimitives
      const memory = yield* SessionCache.makeMemory()
      const forgotten: Array<string> = []
      let stored = 0
      const made = yield* Effect.provideService(
        TlsTest.pair({
          server: { tickets: 3 },
          sessionCache: {
            ...memory,
            // The server has stored its three when the client comes to its first.
            store: () => ++stored < 4 ? Effect.void : Effect.die("broken"),
            invalidate: (key) => Effect.die(forgotten.push(key.slice(0, 6)))
          }
        }),
        Primitives,
        watching
      )
      yield* Effect.exit(made.client.pull)
      yield* corrupt(made, "server")
      yield* Effect.exit(made.client.pull)
      assert.strictEqual((yield* made.client.closure).error?._tag, "AlertSent")
      yield* Effect.exit(made.server.pull)
      assert.strictEqual((yield* made.server.closure).error?._tag, "AlertReceived")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(stored, 4)
      assert.include(forgotten, "client")
      assert.deepStrictEqual(left().filter((what) => what === "PSK of a ticket"), [])
    }))

  test("a ticket that is stored when they are gone is not made of zeros", () =>
    Effect.gen(function*() {
      const primitives = yield* Primitives
      const mayStore = yield* Deferred.make<void>()
      const secrets: Array<string> = []
      const memory = yield* SessionCache.makeMemory()
      const { accept, connect } = yield* TlsTest.ends({
        server: { tickets: 3 },
        sessionCache: {
          ...memory,
          store: (_, { secret }) =>
            Effect.suspend(() => {
              secrets.push(toHex(secret.bytes))
              return Deferred.await(mayStore)
            })
        }
      })
      const scope = yield* Scope.make()
      yield* Effect.forkChild(Effect.exit(Scope.provide(accept, scope)), { startImmediately: true })
      yield* Effect.forkChild(Effect.exit(connect), { startImmediately: true })
      for (let turn = 0; turn < 50; turn++) yield* Effect.yieldNow
      assert.strictEqual(secrets.length, 1)
      yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      yield* TestClock.adjust("2 seconds")
      yield* Deferred.succeed(mayStore, undefined)
      for (let turn = 0; turn < 50; turn++) yield* Effect.yieldNow
      assert.strictEqual(secrets.length, 3)
      for (const hash of ["sha256", "sha384"] as const) {
        const zeros = KeySchedule.secretOf(primitives, hash, new Uint8Array(KeySchedule.hashLength[hash]))
        for (let nonce = 0; nonce < 3; nonce++) {
          assert.notInclude(secrets, toHex(KeySchedule.ticketPsk(zeros, Uint8Array.of(nonce))))
        }
      }
    }))

  test("the secrets of sessions: those of the cache are its own", () =>
    Effect.gen(function*() {
      const given: Array<Session> = []
      const identity = yield* TlsTest.identity("server.test", 2)
      const memory = yield* SessionCache.makeMemory()
      const sessionCache = SessionCache.SessionCache.of({
        ...memory,
        offer: (key) =>
          Effect.tap(memory.offer(key), (offered) => Effect.sync(() => void given.push(...Option.toArray(offered)))),
        store: (key, session) =>
          Effect.suspend(() => {
            given.push(session)
            return memory.store(key, session)
          })
      })
      for (const seed of [1, 2]) {
        yield* Effect.scoped(Effect.gen(function*() {
          const { client, server } = yield* TlsTest.pair({ seed, identity, sessionCache })
          assert.strictEqual(client.resumed, seed === 2)
          yield* server.write(data)
          yield* client.pull
        }))
      }
      // On each side two tickets of the full handshake and one of the resumption, and what was looked up.
      assert.lengthOf(given, 8)
      assert.deepStrictEqual(given.map(({ secret }) => isZero(secret.bytes)), given.map(() => true))
    }))
})
