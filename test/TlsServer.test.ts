/** `TlsServer.run`: what one connection does to the others, and what is told of it by default. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as NetAddress from "effect/net/NetAddress"
import * as Queue from "effect/Queue"
import * as References from "effect/References"
import * as Socket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import {
  type Connection,
  Identity,
  RemoteAddress,
  SessionCache,
  TlsClient,
  type TlsError,
  TlsServer,
  TlsTest,
  Trust
} from "effect-tls"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import * as Cable from "../src/testing/Cable.ts"
import { bytes, how, test, text, trustIn } from "./connection/conversation.ts"

interface Dialled {
  readonly address: string
  readonly socket: Socket.Socket
}

/** Stricter than that of Node: a handler that fails takes the others with it. */
const makeSocketServer = Effect.gen(function*() {
  const dialled = yield* Queue.unbounded<Dialled>()
  const server = SocketServer.SocketServer.of({
    address: NetAddress.unixPathAddress("/memory"),
    run: (handler) =>
      Stream.fromQueue(dialled).pipe(
        Stream.mapEffect(
          ({ address, socket }) => Effect.provideService(handler(socket), RemoteAddress, Effect.succeed(address)),
          { concurrency: "unbounded" }
        ),
        Stream.runDrain,
        Effect.orDie,
        Effect.andThen(Effect.never)
      )
  })
  const dial = (address: string) =>
    Effect.suspend(() => {
      const { cable, client, server } = Cable.make()
      return Effect.as(Queue.offer(dialled, { address, socket: server }), { socket: client, wire: cable })
    })
  return { dial, server }
})

/** A line of the log: its level, the remote address, and what it says. */
type Line = readonly [level: string, remoteAddress: unknown, message: string]

const stuck = Effect.onInterrupt(Effect.never, () => Effect.die(new Error("a bug in the end")))

const obey = (connection: Connection, order: string): Effect.Effect<void, string | TlsError.TlsError> => {
  switch (order) {
    case "die":
      return Effect.die(new Error("a bug of the handler"))
    case "fail":
      return Effect.fail("no more")
    case "get stuck":
      return Effect.andThen(connection.write(bytes("stuck")), stuck)
    default:
      return connection.write(bytes(order))
  }
}

/** A server that runs as it does by default, echoing what is no order, with a logger that listens. */
const serving = Effect.gen(function*() {
  const { dial, server } = yield* makeSocketServer
  const made = yield* TlsTest.identity("server.test", 1)
  const lines = yield* Queue.unbounded<Line>()
  const logger = Logger.make(({ fiber, logLevel, message }) =>
    void Queue.offerUnsafe(lines, [
      logLevel,
      fiber.getRef(References.CurrentLogAnnotations)["remoteAddress"],
      String(message)
    ])
  )
  const running = yield* TlsServer.run((tls) => Stream.runForEach(tls.stream, (chunk) => obey(tls, text(chunk)))).pipe(
    Effect.provideService(SocketServer.SocketServer, server),
    Effect.provideService(Identity.Identity, yield* Effect.orDie(Identity.makePem(made))),
    Effect.provide([SessionCache.layerNone, NodePrimitives.layer, Logger.layer([logger])]),
    Effect.forkScoped({ startImmediately: true })
  )
  const trust = yield* trustIn(made)
  const connect = (socket: Socket.Socket) =>
    TlsClient.connect({ serverName: "server.test" }).pipe(
      Effect.provideService(Socket.Socket, socket),
      Effect.provideService(Trust.Trust, trust),
      Effect.provide([SessionCache.layerNone, NodePrimitives.layer])
    )
  return {
    running,
    dial,
    connect,
    open: (address: string) => Effect.flatMap(dial(address), ({ socket }) => connect(socket)),
    nextLine: Queue.take(lines),
    otherLines: Queue.clear(lines)
  }
})

const echoes = (connection: Connection, word: string) =>
  Effect.gen(function*() {
    yield* connection.write(bytes(word))
    assert.strictEqual(text(yield* connection.pull), word)
  })

describe("one connection that fails touches no other, and is logged with its address and the reason", () => {
  test("a defect and a failure of the handler, garbage for a handshake, and a handshake that never ends", () =>
    Effect.gen(function*() {
      const { dial, nextLine, open, otherLines } = yield* serving
      const steady = yield* open("192.0.2.1:1")
      yield* echoes(steady, "before")
      const silent = (yield* dial("192.0.2.4:4")).socket
      const silence = yield* Socket.readerBytes(silent)

      const doomed = yield* open("192.0.2.2:2")
      yield* echoes(doomed, "not yet")
      yield* doomed.write(bytes("die"))
      assert.strictEqual(how(yield* Effect.exit(doomed.pull)), "AlertReceived InternalError")
      assert.deepStrictEqual(yield* nextLine, [
        "Warn",
        "192.0.2.2:2",
        "TLS connection failed: a bug of the handler"
      ])
      yield* echoes(steady, "after the defect")

      const failing = yield* open("192.0.2.6:6")
      yield* failing.write(bytes("fail"))
      assert.strictEqual(how(yield* Effect.exit(failing.pull)), "Done")
      assert.deepStrictEqual(yield* nextLine, ["Warn", "192.0.2.6:6", "TLS connection failed: no more"])
      yield* echoes(steady, "after the failure")

      const garbage = (yield* dial("192.0.2.3:3")).socket
      yield* Effect.scoped(Effect.gen(function*() {
        const pull = yield* Socket.readerBytes(garbage)
        const { write } = yield* garbage.writer
        yield* write(bytes("GET / HTTP/1.1\r\n\r\n"))
        assert.deepStrictEqual(Array.from((yield* pull)[0]), [21, 3, 3, 0, 2, 2, 10])
      }))
      const [level, address, message] = yield* nextLine
      assert.deepStrictEqual([level, address], ["Warn", "192.0.2.3:3"])
      assert.match(message, /^TLS handshake failed: We ended .* alert unexpected_message \(10\), .* character G\. /)
      yield* echoes(steady, "after the garbage")

      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* Effect.flip(silence)).reason._tag, "SocketCloseError")
      const [, lateAddress, late] = yield* nextLine
      assert.strictEqual(lateAddress, "192.0.2.4:4")
      assert.match(
        late,
        /^TLS handshake failed: This side gave up the TLS handshake, because it took longer than allowed/
      )
      yield* echoes(steady, "after the silence")

      // Who comes now is served as well, and an end in order is no news.
      const next = yield* open("192.0.2.5:5")
      yield* echoes(next, "hello")
      yield* next.close
      yield* echoes(steady, "to the end")
      assert.deepStrictEqual(yield* otherLines, [])
    }))
})

describe("the end of the server", () => {
  test("closes what is open in order; a handshake that it cuts off is logged", () =>
    Effect.gen(function*() {
      const { connect, dial, open, otherLines, running } = yield* serving
      const steady = yield* open("192.0.2.1:1")
      const { socket, wire } = yield* dial("192.0.2.2:2")
      // The Finished of this client never arrives, so that its handshake is over for the client alone.
      for (const record of [1, 2]) yield* wire.drop({ from: "client", record })
      const early = yield* connect(socket)
      yield* Fiber.interrupt(running)
      for (const connection of [steady, early]) assert.strictEqual(how(yield* Effect.exit(connection.pull)), "Done")
      assert.deepStrictEqual(yield* otherLines, [
        ["Warn", "192.0.2.2:2", "TLS handshake failed: It was interrupted, as when the server ends."]
      ])
    }))

  test("a defect of a handler that it interrupts is logged, too", () =>
    Effect.gen(function*() {
      const { open, otherLines, running } = yield* serving
      const connection = yield* open("192.0.2.1:1")
      yield* connection.write(bytes("get stuck"))
      assert.strictEqual(text(yield* connection.pull), "stuck")
      const ending = yield* Effect.forkChild(Fiber.interrupt(running), { startImmediately: true })
      assert.strictEqual(how(yield* Effect.exit(connection.pull)), "AlertReceived InternalError")
      yield* Fiber.join(ending)
      assert.deepStrictEqual(yield* otherLines, [
        ["Warn", "192.0.2.1:1", "TLS connection failed: a bug in the end"]
      ])
    }))
})
