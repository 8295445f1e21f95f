/** How a connection is ended in order: RFC 5246 section 7.2.1, laws 6, 7 and 15 of the design. */
import { assert, describe } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { Alert, Primitives, SessionCache, type TlsError, TlsTest } from "effect-tls"
import { bytes, how, observed, said, test, text, toldBy } from "./conversation.ts"
import * as Tls12 from "../harness/Tls12.ts"

const data = bytes("some data")

/** A pair whose client has a scope of its own: gives what the server reads, and what the client said, when that has ended. */
const ended = Effect.fnUntraced(
  function*(
    use: (
      client: TlsTest.Pair["client"],
      server: TlsTest.Pair["server"]
    ) => Effect.Effect<unknown, unknown, Scope.Scope>,
    options: TlsTest.Options = {}
  ) {
    const alerts = observed()
    const { accept, connect, wire } = yield* Tls12.ends({
      ...options,
      client: { ...options.client, observe: alerts.observe("client") },
      server: { ...options.server, observe: alerts.observe("server") }
    })
    const accepting = yield* Effect.forkChild(accept, { startImmediately: true })
    const running = yield* Effect.forkChild(
      Effect.scoped(Effect.gen(function*() {
        const client = yield* connect
        return yield* use(client, yield* Fiber.join(accepting))
      }))
    )
    const server = yield* Fiber.join(accepting)
    return { alerts, running, server, wire }
  }
)

const endedBy = (error: TlsError.TlsError) => [error._tag, "by" in error && error.by]

describe("the goodbye of a scope (law 15)", () => {
  const boom = new Error("boom")
  const rows: ReadonlyArray<
    readonly [
      name: string,
      use: Effect.Effect<unknown, unknown>,
      onFailure: "close_notify" | "internal_error",
      sent: string,
      peer: string
    ]
  > = [
    ["success", Effect.void, "internal_error", "client warning close_notify", "Done"],
    ["failure", Effect.fail("app"), "close_notify", "client warning close_notify", "Done"],
    ["failure", Effect.fail("app"), "internal_error", "client fatal internal_error", "AlertReceived InternalError"],
    ["interruption", Effect.interrupt, "internal_error", "client warning close_notify", "Done"],
    ["defect", Effect.die(boom), "close_notify", "client fatal internal_error", "AlertReceived InternalError"]
  ]
  for (const [name, use, onFailure, sent, peer] of rows) {
    test(`R5246-7.2.1-07, R5246-7.2.2-33: ${name} of a scope with policy ${onFailure} says ${sent}, then FIN`, () =>
      Effect.gen(function*() {
        const { alerts, running, server, wire } = yield* ended(() => use, { client: { policies: { onFailure } } })
        assert.strictEqual(said(yield* Effect.flip(server.pull)), peer)
        yield* server.close
        // The exit of the application is its own: no goodbye hides it.
        assert.strictEqual(how(yield* Fiber.await(running)), how(yield* Effect.exit(use)))
        assert.deepStrictEqual(alerts.sent.filter((_) => _.startsWith("client")), [sent])
        assert.deepStrictEqual((yield* toldBy(wire, "client")).slice(-2), ["alert", "fin"])
      }))
  }

  test("a server says the same", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const { accept, connect } = yield* Tls12.ends()
      const [client] = yield* Effect.all([connect, Scope.provide(accept, scope)], { concurrency: 2 })
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.die(new Error("boom"))))
      assert.strictEqual(said(yield* Effect.flip(client.pull)), "AlertReceived InternalError")
      yield* Fiber.join(closing)
    }))

  test("R5246-7.2.1-11: it waits for nobody, when the peer says nothing", () =>
    Effect.gen(function*() {
      const { running, server } = yield* ended(() => Effect.void)
      // The clock stands still, and the server has not looked yet.
      yield* Fiber.join(running)
      assert.strictEqual(said(yield* Effect.flip(server.pull)), "Done")
    }))

  for (const use of [Effect.void, Effect.fail("app"), Effect.die("boom"), Effect.interrupt]) {
    test(`it is bounded in time where the transport takes nothing, and hides no error: ${how(Effect.runSyncExit(use))}`, () =>
      Effect.gen(function*() {
        const { running, wire } = yield* ended(
          (client) =>
            Effect.andThen(Effect.forkScoped(Effect.ignore(client.write(data)), { startImmediately: true }), use)
        )
        yield* wire.stall({ from: "client" })
        yield* TestClock.adjust("999 millis")
        assert.isUndefined(running.pollUnsafe())
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(how(yield* Fiber.await(running)), how(yield* Effect.exit(use)))
      }))
  }

  test("a half-close that takes for ever holds nobody up", () =>
    Effect.gen(function*() {
      const { both, clientSocket } = yield* Tls12.ends()
      const { writer } = clientSocket
      Object.defineProperty(clientSocket, "writer", {
        value: Effect.tap(writer, () => Effect.addFinalizer(() => Effect.never))
      })
      const { client } = yield* both
      const closing = yield* Effect.forkDetach(client.close, { startImmediately: true })
      for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
      assert.isDefined(closing.pollUnsafe())
    }))

  test("a reader that gives up while the close_notify waits leaves the drain to the connection", () =>
    Effect.gen(function*() {
      const { both, clientSocket, wire } = yield* Tls12.ends()
      const { reader } = clientSocket
      let isReleased = false
      Object.defineProperty(clientSocket, "reader", {
        value: Effect.tap(reader, () => Effect.addFinalizer(() => Effect.sync(() => isReleased = true)))
      })
      const { client, server } = yield* both
      const reading = yield* Effect.forkChild(client.pull, { startImmediately: true })
      yield* wire.stall({ from: "client" })
      const writing = yield* Effect.forkChild(Effect.exit(client.write(data)), { startImmediately: true })
      const closing = yield* Effect.forkChild(client.close, { startImmediately: true })
      yield* Fiber.interrupt(reading)
      yield* wire.release({ from: "client" })
      yield* Fiber.join(writing)
      yield* Fiber.join(closing)
      assert.isFalse(isReleased)
      yield* server.close
      for (let turn = 0; turn < 50; turn++) yield* Effect.yieldNow
      assert.isTrue(isReleased)
    }))

  test("a defect while nobody reads any more ends the drain, and lets go of the transport", () =>
    Effect.gen(function*() {
      const primitives = yield* Primitives
      let isBroken = false
      const breaking = Primitives.of({
        ...primitives,
        aead: (name, key) => {
          const aead = primitives.aead(name, key)
          const checked = <A>(result: A): A => isBroken ? assert.fail("broken") : result
          return {
            seal: (...args) => aead.seal(...args),
            open: (...args) => checked(aead.open(...args)),
            openInto: (...args) => checked(aead.openInto(...args))
          }
        }
      })
      const { both, clientSocket, wire } = yield* Effect.provideService(Tls12.ends(), Primitives, breaking)
      const { reader } = clientSocket
      let isReleased = false
      Object.defineProperty(clientSocket, "reader", {
        value: Effect.tap(reader, () => Effect.addFinalizer(() => Effect.sync(() => isReleased = true)))
      })
      const { client } = yield* both
      yield* client.close
      assert.isFalse(isReleased)
      isBroken = true
      yield* wire.inject({ from: "server", bytes: Uint8Array.from([23, 3, 3, 0, 24, ...new Uint8Array(24)]) })
      for (let turn = 0; turn < 50; turn++) yield* Effect.yieldNow
      assert.isTrue(isReleased)
    }))

  test("a cache that dies while the scope ends keeps neither the alert nor the transport", () =>
    Effect.gen(function*() {
      const memory = yield* SessionCache.makeMemory()
      const forgotten: Array<string> = []
      const { accept, clientSocket, connect } = yield* Tls12.ends({
        client: { policies: { onFailure: "internal_error" } },
        sessionCache: { ...memory, invalidate: (key) => Effect.die(forgotten.push(key.slice(0, 6))) }
      })
      const { reader } = clientSocket
      let isReleased = false
      Object.defineProperty(clientSocket, "reader", {
        value: Effect.tap(reader, () => Effect.addFinalizer(() => Effect.sync(() => isReleased = true)))
      })
      const accepting = yield* Effect.forkChild(accept, { startImmediately: true })
      const client = yield* Effect.forkChild(
        Effect.scoped(Effect.andThen(connect, Effect.fail("the application"))),
        { startImmediately: true }
      )
      const server = yield* Fiber.join(accepting)
      yield* Effect.exit(server.pull)
      assert.strictEqual((yield* server.closure).error?._tag, "AlertReceived")
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* Fiber.await(client), Exit.fail("the application"))
      assert.include(forgotten, "client")
      assert.isTrue(isReleased)
    }))

  for (const isReading of [false, true]) {
    test(`law 16: after a fatal alert of ours the transport stays for a drain, ${isReading ? "with" : "without"} a reader`, () =>
      Effect.gen(function*() {
        const { accept, clientSocket, connect, wire } = yield* Tls12.ends()
        const { reader } = clientSocket
        const log: Array<string> = []
        const seen: Array<boolean> = []
        const clock = yield* Clock.Clock
        Object.defineProperty(clientSocket, "reader", {
          value: Effect.map(
            Effect.tap(reader, () => Effect.addFinalizer(() => Effect.sync(() => log.push("reader released")))),
            (opened) => ({
              ...opened,
              pull: Effect.onInterrupt(
                Effect.andThen(Clock.clockWith((own) => Effect.sync(() => seen.push(own === clock))), opened.pull),
                () => Effect.andThen(Effect.yieldNow, Effect.sync(() => log.push("pull let go")))
              )
            })
          )
        })
        const scope = yield* Scope.make()
        const [client] = yield* Effect.all([Scope.provide(connect, scope), accept], { concurrency: 2 })
        const reading = yield* Effect.forkChild(isReading ? Effect.exit(client.pull) : Effect.void, {
          startImmediately: true
        })
        yield* Effect.forkChild(Scope.close(scope, Exit.die(new Error("broken"))), { startImmediately: true })
        yield* Fiber.join(reading)
        for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
        assert.deepStrictEqual((yield* toldBy(wire, "client")).slice(-2), ["alert", "fin"])
        assert.notInclude(log, "reader released")
        yield* TestClock.adjust("1 minute")
        for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
        assert.deepStrictEqual(log.slice(-2), ["pull let go", "reader released"])
        assert.notInclude(seen, false)
      }))
  }

  test("a connection that is over says nothing more", () =>
    Effect.gen(function*() {
      const { alerts, running, server } = yield* ended((client) => Effect.andThen(client.close, Effect.die("late")))
      yield* Effect.flip(server.pull)
      assert.strictEqual(how(yield* Fiber.await(running)), "defect")
      assert.deepStrictEqual(alerts.sent, ["client warning close_notify", "server warning close_notify"])
    }))
})

describe("the exchange of close_notify", () => {
  for (const from of ["client", "server"] as const) {
    test(`R5246-7.2.1-02, R5246-7.2.1-05: started by the ${from}, with and without data before`, () =>
      Effect.gen(function*() {
        for (const before of ["", "some data"]) {
          const alerts = observed()
          const { wire, ...pair } = yield* Tls12.pair(alerts.options)
          const [first, second] = from === "client" ? [pair.client, pair.server] : [pair.server, pair.client]
          if (before !== "") yield* first.write(bytes(before))
          yield* first.close
          assert.strictEqual(text(yield* Stream.runCollect(second.stream)), before)
          const other = from === "client" ? "server" : "client"
          assert.deepStrictEqual(alerts.sent, [`${from} warning close_notify`, `${other} warning close_notify`])
          for (const side of ["client", "server"] as const) {
            assert.deepStrictEqual((yield* toldBy(wire, side)).slice(-2), ["alert", "fin"])
          }
          assert.deepStrictEqual(yield* second.closure, { _tag: "Closed", error: undefined })
        }
      }).pipe(Effect.scoped))
  }

  test("R5246-7.2.1-03: after it nothing is sent, and a write fails with ConnectionClosed by this side", () =>
    Effect.gen(function*() {
      const { client, server, wire } = yield* Tls12.pair()
      yield* client.closeWrite
      const error = yield* Effect.flip(client.write(data))
      assert.deepStrictEqual(endedBy(error), ["ConnectionClosed", "local"])
      assert.strictEqual((yield* client.closure)._tag, "CloseSent")
      yield* client.closeWrite
      yield* client.close
      assert.strictEqual(said(yield* Effect.flip(server.pull)), "Done")
      assert.deepStrictEqual((yield* toldBy(wire, "client")).slice(-2), ["alert", "fin"])
    }))

  test("R5246-7.2.1-08: it is answered at once, and what waits to be written is discarded", () =>
    Effect.gen(function*() {
      const alerts = observed()
      const { client, server, wire } = yield* Tls12.pair(alerts.options)
      yield* wire.stall({ from: "server" })
      const writers = yield* Effect.replicateEffect(
        Effect.forkChild(Effect.exit(server.write(new Uint8Array(100_000))), { startImmediately: true }),
        10
      )
      yield* client.closeWrite
      const reading = yield* Effect.forkChild(Effect.flip(server.pull), { startImmediately: true })
      yield* wire.release({ from: "server" })
      assert.strictEqual(said(yield* Fiber.join(reading)), "Done")
      const exits = (yield* Effect.forEach(writers, Fiber.join)).map(how)
      // The first write was on its way already; the others were never sealed.
      assert.deepStrictEqual(exits, ["success", ...Array.from({ length: 9 }, () => "ConnectionClosed")])
      const error = yield* Effect.flip(server.write(data))
      assert.deepStrictEqual(endedBy(error), ["ConnectionClosed", "peer"])
      assert.strictEqual(Buffer.concat(yield* Stream.runCollect(client.stream)).length, 100_000)
      assert.deepStrictEqual(alerts.sent, ["client warning close_notify", "server warning close_notify"])
      assert.deepStrictEqual((yield* toldBy(wire, "server")).slice(-3), ["application_data", "alert", "fin"])
    }))

  test("a writer that never reads learns of it, too", () =>
    Effect.gen(function*() {
      const { client, server } = yield* Tls12.pair()
      yield* client.close
      const error = yield* Effect.flip(Effect.forever(server.write(data)))
      assert.deepStrictEqual(endedBy(error), ["ConnectionClosed", "peer"])
      assert.strictEqual((yield* server.closure)._tag, "Closed")
    }))

  test("R5246-7.2.1-06: what comes after it is ignored, whatever it is", () =>
    Effect.gen(function*() {
      const alerts = observed()
      const { client, server, wire } = yield* Tls12.pair(alerts.options)
      yield* wire.hold({ from: "server" })
      yield* server.write(data)
      yield* wire.send({ from: "server", alert: Alert.warning("close_notify") })
      yield* server.write(data)
      yield* wire.send({ from: "server", alert: Alert.fatal("internal_error") })
      yield* wire.inject({ from: "server", bytes: bytes("and garbage") })
      yield* wire.release({ from: "server" })
      assert.strictEqual(text(yield* Stream.runCollect(client.stream)), text(data))
      assert.deepStrictEqual(yield* client.closure, { _tag: "Closed", error: undefined })
      assert.deepStrictEqual(alerts.sent, ["client warning close_notify"])
      assert.deepStrictEqual(alerts.received, ["client warning close_notify"])
    }))

  test("after closeWrite one may read on, and the data of the peer is delivered", () =>
    Effect.gen(function*() {
      const { client, server, wire } = yield* Tls12.pair()
      yield* wire.hold({ from: "server" })
      yield* server.write(bytes("written before "))
      yield* server.write(bytes("it knew"))
      yield* client.closeWrite
      const reading = yield* Effect.forkChild(Stream.runCollect(client.stream), { startImmediately: true })
      assert.strictEqual(said(yield* Effect.flip(server.pull)), "Done")
      yield* wire.release({ from: "server" })
      assert.strictEqual(text(yield* Fiber.join(reading)), "written before it knew")
      assert.strictEqual((yield* client.closure)._tag, "Closed")
    }))

  test("who reads on after close gets ConnectionClosed, and so does who was waiting", () =>
    Effect.gen(function*() {
      const { client } = yield* Tls12.pair()
      const waiting = yield* Effect.forkChild(Effect.flip(client.pull), { startImmediately: true })
      yield* client.close
      yield* TestClock.adjust("1 second")
      assert.strictEqual(said(yield* Fiber.join(waiting)), "ConnectionClosed")
      assert.strictEqual(said(yield* Effect.flip(client.pull)), "ConnectionClosed")
      assert.strictEqual(said(yield* Effect.flip(client.pullInto(data))), "ConnectionClosed")
      // Nobody was waiting here: the answer is the same, without the clock.
      const other = yield* Tls12.pair()
      yield* other.client.close
      assert.strictEqual(said(yield* Effect.flip(other.client.pull)), "ConnectionClosed")
    }))

  test("the end of the sink closes nothing", () =>
    Effect.gen(function*() {
      const { client, server } = yield* Tls12.pair()
      for (const word of ["one", "two"]) {
        yield* Stream.run(Stream.make(bytes(word)), client.sink)
        assert.strictEqual(text(yield* server.pull), word)
      }
      assert.strictEqual((yield* client.closure)._tag, "Open")
    }))
})

describe("waitForPeer", () => {
  const waiting = { client: { policies: { waitForPeer: true } } }

  test("R5246-7.2.1-10: the end of the scope comes after the close_notify of the peer, and drops its data", () =>
    Effect.gen(function*() {
      const { running, server, wire } = yield* ended(() => Effect.void, waiting)
      yield* wire.hold({ from: "server" })
      yield* server.write(data)
      assert.strictEqual(said(yield* Effect.flip(server.pull)), "Done")
      for (let i = 0; i < 20; i++) yield* Effect.yieldNow
      assert.isUndefined(running.pollUnsafe())
      yield* wire.release({ from: "server" })
      yield* Fiber.join(running)
      assert.strictEqual((yield* toldBy(wire, "client")).at(-1), "fin")
    }))

  test("R5246-7.2.1-09: without it nobody waits for the peer's close_notify, and the read side is closed", () =>
    Effect.gen(function*() {
      const { client, server, wire } = yield* Tls12.pair()
      yield* wire.hold({ from: "server" })
      // The clock stands still, and the answer does not arrive.
      yield* client.close
      assert.strictEqual(said(yield* Effect.flip(client.pull)), "ConnectionClosed")
      assert.deepStrictEqual((yield* toldBy(wire, "client")).slice(-2), ["alert", "fin"])
      assert.strictEqual((yield* toldBy(wire, "server")).at(-1), "handshake")
      assert.strictEqual(said(yield* Effect.flip(server.pull)), "Done")
    }))

  test("R5246-7.2.1-09: and with it for a second at most", () =>
    Effect.gen(function*() {
      const { running, wire } = yield* ended(() => Effect.void, waiting)
      yield* wire.hold({ from: "server" })
      yield* TestClock.adjust("999 millis")
      assert.isUndefined(running.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(running)
    }))

  test("a close that waits for the peer can be given up", () =>
    Effect.gen(function*() {
      const { client, wire } = yield* Tls12.pair(waiting)
      yield* wire.hold({ from: "server" })
      const closing = yield* Effect.forkChild(client.close, { startImmediately: true })
      // The clock stands still: what ends it is the interruption alone.
      yield* Fiber.interrupt(closing)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(closing)))
    }))

  test("a reader that is still there gets the last data and the end", () =>
    Effect.gen(function*() {
      const { client, server, wire } = yield* Tls12.pair(waiting)
      yield* wire.hold({ from: "server" })
      yield* server.write(data)
      const reading = yield* Effect.forkChild(Stream.runCollect(client.stream), { startImmediately: true })
      const closing = yield* Effect.forkChild(client.close, { startImmediately: true })
      assert.strictEqual(said(yield* Effect.flip(server.pull)), "Done")
      yield* wire.release({ from: "server" })
      yield* Fiber.join(closing)
      assert.strictEqual(text(yield* Fiber.join(reading)), text(data))
    }))
})
