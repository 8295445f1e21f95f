/** Several readers of one connection, and readers that give up. */
import { assert } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Socket from "effect/socket/Socket"
import { Alert, type Connection } from "effect-tls"
import { bytes, how, said, test, text } from "./conversation.ts"
import * as Tls12 from "../harness/Tls12.ts"

const inPull = (connection: Connection) => Effect.map(connection.pull, text)
const inPullInto = (connection: Connection) =>
  Effect.suspend(() => {
    const buffer = new Uint8Array(100)
    return Effect.map(connection.pullInto(buffer), (length) => text(buffer.subarray(0, length)))
  })

const broken = new Socket.SocketError({ reason: new Socket.SocketWriteError({ cause: new Error("broken") }) })

const start = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

test("who came first is served first, also where one before has given up", () =>
  Effect.gen(function*() {
    const { client, server } = yield* Tls12.pair()
    for (const [first, second] of [[inPull, inPullInto], [inPullInto, inPull]] as const) {
      const got: Array<string> = []
      const reader = (name: string, read: typeof inPull) =>
        start(Effect.map(read(server), (text) => void got.push(`${name} ${text}`)))
      const givenUp = yield* start(first(server))
      const readers = [yield* reader("a", first), yield* reader("b", second), yield* reader("c", first)]
      const behind = yield* start(second(server))
      yield* Fiber.interrupt(givenUp)
      yield* Fiber.interrupt(behind)
      for (const [i, piece] of ["one", "two", "three"].entries()) {
        yield* client.write(bytes(piece))
        while (got.length <= i) yield* Effect.yieldNow
      }
      yield* Effect.forEach(readers, Fiber.join)
      assert.deepStrictEqual(got, ["a one", "b two", "c three"])
    }
  }))

test("two that read on and on take turns", () =>
  Effect.gen(function*() {
    const { client, server } = yield* Tls12.pair()
    const got = [0, 0]
    const readers = yield* Effect.forEach(
      got,
      (_, i) => start(Stream.runForEach(server.stream, () => Effect.sync(() => void (got[i] = (got[i] ?? 0) + 1))))
    )
    const heard = () => got.reduce((sum, count) => sum + count, 0)
    for (let i = 1; i <= 100; i++) {
      yield* client.write(bytes("piece"))
      while (heard() < i) yield* Effect.yieldNow
    }
    assert.deepStrictEqual(got, [50, 50])
    yield* client.close
    yield* Effect.forEach(readers, Fiber.join)
  }))

test("all who wait hear of the end", () =>
  Effect.gen(function*() {
    const { client, server } = yield* Tls12.pair()
    const readers = [yield* start(inPull(server)), yield* start(inPull(server)), yield* start(inPullInto(server))]
    yield* client.close
    for (const reader of readers) assert.strictEqual(how(yield* Fiber.await(reader)), "Done")
    assert.isTrue(Cause.isDone(yield* Effect.flip(server.pull)))
  }))

test("who cannot write hears what came before, after a read that was called off has stopped", () =>
  Effect.gen(function*() {
    const { accept, connect, serverSocket, wire } = yield* Tls12.ends()
    const [stopping, mayStop] = [yield* Deferred.make(), yield* Deferred.make()]
    const { reader: openedReader, writer: openedWriter } = serverSocket
    const pulls = { now: 0, most: 0 }
    let isBroken = false
    Object.assign(serverSocket, {
      reader: Effect.map(openedReader, (reader) => ({
        ...reader,
        pull: Effect.suspend(() => {
          pulls.most = Math.max(pulls.most, ++pulls.now)
          const stopped = Effect.andThen(Deferred.succeed(stopping, undefined), Deferred.await(mayStop))
          return Effect.ensuring(Effect.onInterrupt(reader.pull, () => stopped), Effect.sync(() => pulls.now--))
        })
      })),
      writer: Effect.map(openedWriter, (writer): Socket.Writer => ({
        ...writer,
        write: (chunk) => isBroken ? Effect.fail(broken) : writer.write(chunk)
      }))
    })
    const [, server] = yield* Effect.all([connect, accept], { concurrency: 2 })
    const reader = yield* start(inPull(server))
    const interrupted = yield* start(Fiber.interrupt(reader))
    yield* Deferred.await(stopping)
    isBroken = true
    yield* wire.send({ from: "client", alert: Alert.fatal("internal_error") })
    const written = yield* start(Effect.flip(server.write(bytes("data"))))
    yield* Deferred.succeed(mayStop, undefined)
    assert.strictEqual(said(yield* Fiber.join(written)), "AlertReceived InternalError")
    assert.strictEqual(pulls.most, 1)
    yield* Fiber.join(interrupted)
  }))

test("a read that takes its time to stop keeps no goodbye waiting for a reader that is gone", () =>
  Effect.gen(function*() {
    const { accept, connect, serverSocket } = yield* Tls12.ends()
    const [stopping, mayStop, released] = [yield* Deferred.make(), yield* Deferred.make(), yield* Deferred.make()]
    const opened = serverSocket.reader
    Object.assign(serverSocket, {
      reader: Effect.gen(function*() {
        const reader = yield* opened
        yield* Scope.addFinalizer(yield* Scope.Scope, Deferred.succeed(released, undefined))
        const stopped = Effect.andThen(Deferred.succeed(stopping, undefined), Deferred.await(mayStop))
        return { ...reader, pull: Effect.onInterrupt(reader.pull, () => stopped) }
      })
    })
    const [client, server] = yield* Effect.all([connect, accept], { concurrency: 2 })
    const reader = yield* start(inPull(server))
    const interrupted = yield* start(Fiber.interrupt(reader))
    yield* Deferred.await(stopping)
    const closed = yield* start(server.close)
    assert.isTrue(Cause.isDone(yield* Effect.flip(client.pull)))
    yield* client.close
    yield* Deferred.succeed(mayStop, undefined)
    // By a clock that stands still: no time limit ends this.
    yield* Deferred.await(released)
    yield* Fiber.join(closed)
    yield* Fiber.join(interrupted)
  }))
