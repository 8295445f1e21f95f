/** Handshakes that come to nothing: out of time, interrupted, closed by the peer. Laws 8 and 15 of the design. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import { TestClock } from "effect/testing"
import { Alert, Identity, SessionCache, TlsTest } from "effect-tls"
import { bytes, how, plainAlertsOf, said, test, toldBy, trustIn } from "./conversation.ts"
import * as Tls12 from "../harness/Tls12.ts"

/** Both ends; what the server says does not arrive, so that the handshake of the client hangs, and so does that of the server. */
const hanging = Effect.fnUntraced(function*(options: TlsTest.Options = {}) {
  const ends = yield* Tls12.ends(options)
  yield* ends.wire.hold({ from: "server" })
  return ends
})

const farewell = ["warning user_canceled", "warning close_notify"]

describe("out of time", () => {
  for (const side of ["client", "server"] as const) {
    test(`R5246-7.2.2-32: after 10 seconds the ${side} says user_canceled and close_notify, and ends`, () =>
      Effect.gen(function*() {
        const other = side === "client" ? "server" : "client"
        const { accept, connect, wire } = yield* hanging({ [other]: { limits: { handshakeTimeout: "1 hour" } } })
        const [mine, others] = side === "client" ? [connect, accept] : [accept, connect]
        yield* Effect.forkChild(Effect.ignore(others), { startImmediately: true })
        const opening = yield* Effect.forkChild(Effect.flip(mine), { startImmediately: true })
        yield* TestClock.adjust("9999 millis")
        assert.isUndefined(opening.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        const error = yield* Fiber.join(opening)
        assert.deepStrictEqual([error._tag, "by" in error && error.by], ["HandshakeAborted", "timeout"])
        yield* wire.release({ from: "server" })
        assert.deepStrictEqual(yield* plainAlertsOf(wire, side), farewell)
        assert.strictEqual((yield* toldBy(wire, side)).at(-1), "fin")
      }))
  }

  test("the peer of both gets HandshakeAborted by user_canceled", () =>
    Effect.gen(function*() {
      const { accept, connect } = yield* hanging()
      const accepting = yield* Effect.forkChild(Effect.flip(accept), { startImmediately: true })
      const connecting = yield* Effect.forkChild(Effect.flip(connect), { startImmediately: true })
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.interrupt(connecting)
      const error = yield* Fiber.join(accepting)
      assert.deepStrictEqual([error._tag, "by" in error && error.by], ["HandshakeAborted", "user_canceled"])
    }))

  test("silence, where no record has passed", () =>
    Effect.gen(function*() {
      const { accept, wire } = yield* Tls12.ends()
      yield* wire.inject({ from: "client", bytes: Uint8Array.of(22, 3, 1) })
      const accepting = yield* Effect.forkChild(Effect.flip(accept), { startImmediately: true })
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(said(yield* Fiber.join(accepting)), "HandshakeAborted")
      assert.deepStrictEqual(yield* toldBy(wire, "server"), ["fin"])
    }))

  test("the limit is an option, and progress does not prolong it", () =>
    Effect.gen(function*() {
      const { accept, connect, wire } = yield* Tls12.ends({ client: { limits: { handshakeTimeout: "3 seconds" } } })
      yield* Effect.forkChild(Effect.ignore(accept), { startImmediately: true })
      for (let record = 0; record < 6; record++) yield* wire.drop({ from: "client", record: record + 1 })
      const connecting = yield* Effect.forkChild(Effect.flip(connect), { startImmediately: true })
      for (let i = 0; i < 20; i++) yield* Effect.yieldNow
      yield* TestClock.adjust("2 seconds")
      yield* wire.inject({ from: "server", alert: Alert.warning("user_canceled") })
      yield* TestClock.adjust("999 millis")
      assert.isUndefined(connecting.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(said(yield* Fiber.join(connecting)), "HandshakeAborted")
    }))

  test("it is bounded where the transport takes nothing, too", () =>
    Effect.gen(function*() {
      const { connect, wire } = yield* Tls12.ends()
      yield* wire.stall({ from: "client" })
      const connecting = yield* Effect.forkChild(Effect.flip(connect), { startImmediately: true })
      yield* TestClock.adjust("11 seconds")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(said(yield* Fiber.join(connecting)), "HandshakeAborted")
      yield* wire.release({ from: "client" })
      assert.deepStrictEqual(yield* toldBy(wire, "client"), ["handshake", "fin"])
    }))

  test("what was said last can still be read by a peer that is talking: the transport is not torn down under it", () =>
    Effect.gen(function*() {
      const { connect, serverSocket } = yield* Tls12.ends({ client: { limits: { drainTimeout: "1 second" } } })
      const pull = yield* Socket.readerBytes(serverSocket)
      const { write } = yield* serverSocket.writer
      const connecting = yield* Effect.forkChild(Effect.flip(connect), { startImmediately: true })
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(said(yield* Fiber.join(connecting)), "HandshakeAborted")
      // A write would fail with a reset, were the transport closed; half-closed it is read and dropped.
      yield* write(bytes("late"))
      assert.strictEqual((yield* pull)[0][0], 22)
      assert.deepStrictEqual(Array.from((yield* pull)[0]), [21, 3, 3, 0, 2, 1, 90, 21, 3, 3, 0, 2, 1, 0])
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Effect.flip(write(bytes("too late")))).reason._tag, "SocketWriteError")
    }))
})

describe("interrupted", () => {
  test("R5246-7.2.2-32: a client says user_canceled and close_notify", () =>
    Effect.gen(function*() {
      const { connect, wire } = yield* Tls12.ends()
      const connecting = yield* Effect.forkChild(connect, { startImmediately: true })
      yield* Fiber.interrupt(connecting)
      assert.strictEqual(how(yield* Fiber.await(connecting)), "interrupted")
      assert.deepStrictEqual(yield* plainAlertsOf(wire, "client"), farewell)
      assert.strictEqual((yield* toldBy(wire, "client")).at(-1), "fin")
    }))

  test("a server that has heard nothing yet says nothing", () =>
    Effect.gen(function*() {
      const { accept, wire } = yield* Tls12.ends()
      const accepting = yield* Effect.forkChild(accept, { startImmediately: true })
      yield* Fiber.interrupt(accepting)
      assert.deepStrictEqual(yield* toldBy(wire, "server"), ["fin"])
    }))

  test("after the ChangeCipherSpec the farewell is protected", () =>
    Effect.gen(function*() {
      const { accept, connect, wire } = yield* Tls12.ends()
      yield* wire.hold({ from: "server", record: 4 })
      yield* Effect.forkChild(Effect.ignore(accept), { startImmediately: true })
      const connecting = yield* Effect.forkChild(connect, { startImmediately: true })
      for (let i = 0; i < 50; i++) yield* Effect.yieldNow
      yield* Fiber.interrupt(connecting)
      assert.deepStrictEqual(yield* plainAlertsOf(wire, "client"), [])
      assert.deepStrictEqual((yield* toldBy(wire, "client")).slice(-4), ["handshake", "alert", "alert", "fin"])
    }))
})

describe("a defect in the handshake", () => {
  test("says internal_error and stays a defect", () =>
    Effect.gen(function*() {
      const identity = Identity.Identity.of({ fingerprint: "broken", select: () => Effect.die(new Error("broken")) })
      const { accept, connect } = yield* Tls12.ends({ identity })
      const exits = yield* Effect.all([Effect.exit(connect), Effect.exit(accept)], { concurrency: 2 })
      assert.deepStrictEqual(exits.map(how), ["AlertReceived InternalError", "defect"])
    }))

  test("R5246-7.2.2-31: a key that cannot sign is internal_error, told to our side alone", () =>
    Effect.gen(function*() {
      const made = yield* TlsTest.identity("server.test", 0)
      const inner = yield* Identity.makePem(made)
      const sign = () => Effect.fail(new Identity.IdentityError({ why: "the token was unplugged" }))
      const identity = Identity.Identity.of({
        ...inner,
        select: (request) => Effect.map(inner.select(request), Option.map((credential) => ({ ...credential, sign })))
      })
      const { accept, connect } = yield* Tls12.ends({ identity, trust: yield* trustIn(made) })
      const [client, server] = yield* Effect.all([Effect.exit(connect), Effect.flip(accept)], { concurrency: 2 })
      assert.strictEqual(how(client), "AlertReceived InternalError")
      assert.strictEqual(said(server), "AlertSent InternalError")
      assert.include(server.message, "the token was unplugged")
    }))
})

describe("closed by the peer (law 8)", () => {
  for (const level of ["warning", "fatal"] as const) {
    test(`close_notify at level ${level} ends the handshake, and is answered`, () =>
      Effect.gen(function*() {
        const { connect, wire } = yield* Tls12.ends()
        yield* wire.inject({ from: "server", alert: { level, description: "close_notify" } })
        const error = yield* Effect.flip(connect)
        assert.deepStrictEqual([error._tag, "by" in error && error.by], ["HandshakeAborted", "close_notify"])
        assert.include(error.message, "ended the TLS connection during the handshake with the alert close_notify (0)")
        assert.deepStrictEqual(yield* plainAlertsOf(wire, "client"), ["warning close_notify"])
        assert.strictEqual((yield* toldBy(wire, "client")).at(-1), "fin")
      }))
  }

  test("user_canceled is tolerated, the close_notify that should follow ends the handshake", () =>
    Effect.gen(function*() {
      const { connect, wire } = yield* Tls12.ends()
      yield* wire.inject({ from: "server", alert: Alert.warning("user_canceled") })
      const connecting = yield* Effect.forkChild(Effect.flip(connect), { startImmediately: true })
      for (let i = 0; i < 20; i++) yield* Effect.yieldNow
      assert.isUndefined(connecting.pollUnsafe())
      yield* wire.inject({ from: "server", alert: Alert.warning("close_notify") })
      const error = yield* Fiber.join(connecting)
      assert.deepStrictEqual([error._tag, "by" in error && error.by], ["HandshakeAborted", "user_canceled"])
      assert.include(error.message, "with the warning user_canceled (90) and close_notify: the handshake was given up")
      assert.deepStrictEqual(yield* plainAlertsOf(wire, "client"), ["warning close_notify"])
    }))

  test("another warning before the close_notify does not count as its reason", () =>
    Effect.gen(function*() {
      const { connect, wire } = yield* Tls12.ends()
      yield* wire.inject({ from: "server", alert: Alert.warning("no_renegotiation") })
      yield* wire.inject({ from: "server", alert: Alert.warning("close_notify") })
      const error = yield* Effect.flip(connect)
      assert.deepStrictEqual([error._tag, "by" in error && error.by], ["HandshakeAborted", "close_notify"])
    }))

  for (const by of ["fin", "reset"] as const) {
    test(`the end of the transport, by ${by}, after the hello is Truncated in the phase handshaking`, () =>
      Effect.gen(function*() {
        const { connect, wire } = yield* Tls12.ends()
        const connecting = yield* Effect.forkChild(Effect.flip(connect), { startImmediately: true })
        yield* wire.truncate({ from: "server", by })
        const error = yield* Fiber.join(connecting)
        assert(error._tag === "Truncated", error._tag)
        const { bytesRead, midRecord, phase, version } = error
        assert.deepStrictEqual({ by: error.by, bytesRead, midRecord, phase, version }, {
          by,
          bytesRead: 0,
          midRecord: false,
          phase: "handshaking",
          version: "undecided"
        })
      }))
  }

  test("a reset before the hello shows in the first write: TransportFailed", () =>
    Effect.gen(function*() {
      const { connect, wire } = yield* Tls12.ends()
      yield* wire.truncate({ from: "server", by: "reset" })
      const error = yield* Effect.flip(connect)
      assert(error._tag === "TransportFailed", error._tag)
      assert.deepStrictEqual([error.operation, error.phase], ["write", "handshaking"])
    }))
})

describe("a handshake that failed leaves nothing open in a long scope (law 15)", () => {
  const endings: ReadonlyArray<
    readonly [string, (wire: TlsTest.Wire, opening: Fiber.Fiber<unknown, unknown>) => Effect.Effect<unknown>]
  > = [
    ["by a fault", (wire) => wire.inject({ from: "server", bytes: bytes("HTTP/1.1 400\r\n\r\n") })],
    ["by an alert", (wire) => wire.inject({ from: "server", alert: Alert.fatal("handshake_failure") })],
    ["by close_notify", (wire) => wire.inject({ from: "server", alert: Alert.warning("close_notify") })],
    ["by truncation", (wire) => wire.truncate({ from: "server" })],
    ["by the clock", () => TestClock.adjust("10 seconds")],
    ["by interruption", (_, opening) => Fiber.interrupt(opening)]
  ]
  for (const [name, end] of endings) {
    test(name, () =>
      Effect.gen(function*() {
        const long = yield* Scope.make()
        const { connect, serverSocket, wire } = yield* Tls12.ends({
          client: { limits: { drainTimeout: "1 second" } }
        })
        const pull = yield* Socket.readerBytes(serverSocket)
        const { write } = yield* serverSocket.writer
        const opening = yield* Effect.forkChild(Scope.provide(connect, long), { startImmediately: true })
        yield* end(wire, opening)
        yield* TestClock.adjust("1 second")
        assert.isTrue(Exit.isFailure(yield* Fiber.await(opening)))
        // The end of the drain, where there is one.
        yield* TestClock.adjust("1 second")
        const last = yield* Effect.flip(Effect.forever(pull))
        assert.deepStrictEqual([last.reason._tag, "code" in last.reason && last.reason.code], [
          "SocketCloseError",
          1000
        ])
        assert.strictEqual((yield* Effect.flip(write(bytes("hello?")))).reason._tag, "SocketWriteError")
        // Nothing is registered in the long scope any more: its end says nothing.
        const before = yield* wire.passed
        assert.deepStrictEqual(finalizersOf(long), 0)
        yield* Scope.close(long, Exit.void)
        assert.deepStrictEqual(yield* wire.passed, before)
      }))
  }

  const finalizersOf = (scope: Scope.Closeable): number => {
    const { state } = scope
    return state._tag === "Open" ? state.finalizers?.size ?? 0 : 0
  }
})

describe("a scope that is closed while the handshake waits", () => {
  for (const side of ["client", "server"] as const) {
    test(`ends the handshake of the ${side} when the transport is let go of`, () =>
      Effect.gen(function*() {
        const ends = yield* hanging()
        const scope = yield* Scope.make()
        const mine = side === "client" ? ends.connect : ends.accept
        const opening = yield* Effect.forkChild(Effect.flip(Scope.provide(mine, scope)), { startImmediately: true })
        yield* Scope.close(scope, Exit.void)
        yield* TestClock.adjust("1 second")
        const error = yield* Fiber.join(opening)
        assert.deepStrictEqual([error._tag, "by" in error && error.by], ["ConnectionClosed", "local"])
      }))
  }

  test("says nothing more when that is out of time as well", () =>
    Effect.gen(function*() {
      const memory = yield* SessionCache.makeMemory()
      const { connect, wire } = yield* TlsTest.ends({ sessionCache: { ...memory, offer: () => Effect.never } })
      const scope = yield* Scope.make()
      const opening = yield* Effect.forkChild(Effect.flip(Scope.provide(connect, scope)), { startImmediately: true })
      yield* Scope.close(scope, Exit.void)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* Fiber.join(opening))._tag, "ConnectionClosed")
      assert.deepStrictEqual(yield* toldBy(wire, "client"), ["fin"])
    }))
})

describe("a transport that does not open", () => {
  test("is TransportFailed, and the session cache is not asked", () =>
    Effect.gen(function*() {
      const asked: Array<string> = []
      const sessionCache = SessionCache.SessionCache.of({
        offer: (key) => Effect.sync(() => asked.push(key)).pipe(Effect.andThen(Effect.succeedNone)),
        store: () => Effect.void,
        invalidate: () => Effect.void
      })
      const { clientSocket, connect } = yield* Tls12.ends({ sessionCache })
      yield* clientSocket.reader
      const error = yield* Effect.flip(connect)
      assert.deepStrictEqual([error._tag, "operation" in error && error.operation], ["TransportFailed", "open"])
      assert.include(error.message, "opened before")
      assert.deepStrictEqual(asked, [])
    }))
})
