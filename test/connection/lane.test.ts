import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Socket from "effect/socket/Socket"
import * as Stream from "effect/Stream"
import { TlsTest } from "effect-tls"
import { bytes, how, recordsOf, test, text } from "./conversation.ts"

const numbered = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, i) => `piece ${i};`)

const writing = (write: (data: Uint8Array) => Effect.Effect<void, unknown>, pieces: ReadonlyArray<string>) =>
  Effect.forEach(pieces, (piece) => Effect.forkChild(Effect.exit(write(bytes(piece))), { startImmediately: true }))

test("what waits for a busy transport goes out in as few records as it fits, in order", () =>
  Effect.gen(function*() {
    const { client, server, wire } = yield* TlsTest.pair()
    const before = (yield* recordsOf(wire, "client")).length
    yield* wire.stall({ from: "client" })
    const pieces = numbered(500)
    const writers = yield* writing(client.write, pieces)
    yield* wire.release({ from: "client" })
    for (const writer of writers) assert.strictEqual(how(yield* Fiber.join(writer)), "success")
    yield* client.close
    assert.strictEqual(text(yield* Stream.runCollect(server.stream)), pieces.join(""))
    // The first write, which met no other, the rest together, and close_notify.
    assert.strictEqual((yield* recordsOf(wire, "client")).length - before, 3)
  }))

test("who gives up waiting has sent nothing, and nobody else notices", () =>
  Effect.gen(function*() {
    const { client, server, wire } = yield* TlsTest.pair()
    yield* wire.stall({ from: "client" })
    const pieces = numbered(10)
    const writers = yield* writing(client.write, pieces)
    const [first, , , fourth, , , , , , last] = writers
    for (const writer of [fourth, last]) if (writer !== undefined) yield* Fiber.interrupt(writer)
    // On its way already: whoever gives up now stops waiting, and no more.
    if (first !== undefined) yield* Fiber.interrupt(first)
    yield* wire.release({ from: "client" })
    yield* Effect.forEach(writers, Fiber.await)
    yield* client.close
    const expected = pieces.filter((_, i) => i !== 3 && i !== 9)
    assert.strictEqual(text(yield* Stream.runCollect(server.stream)), expected.join(""))
  }))

test("who writes again as soon as it may is not made to wait for the next turn of the event loop", () =>
  Effect.gen(function*() {
    const { client, server, wire } = yield* TlsTest.pair()
    let turns = 0
    yield* Effect.forkChild(Effect.forever(Effect.andThen(Effect.yieldNow, Effect.sync(() => turns++))))
    yield* wire.stall({ from: "client" })
    const pieces = numbered(200)
    const writer = yield* Effect.forkChild(Effect.forEach(pieces, (piece) => client.write(bytes(piece))), {
      startImmediately: true
    })
    assert.strictEqual(writer.pollUnsafe(), undefined)
    const before = turns
    yield* wire.release({ from: "client" })
    yield* Fiber.join(writer)
    assert.isBelow(turns - before, 5)
    yield* client.close
    assert.strictEqual(text(yield* Stream.runCollect(server.stream)), pieces.join(""))
  }))

test("all who wait fail with the transport, in the same way", () =>
  Effect.gen(function*() {
    const { client, wire } = yield* TlsTest.pair()
    yield* wire.stall({ from: "client" })
    const writers = yield* writing(client.write, numbered(5))
    yield* wire.truncate({ from: "client", by: "reset" })
    const ends = (yield* Effect.forEach(writers, Fiber.join)).map(how)
    assert.strictEqual(new Set(ends).size, 1)
    assert.notStrictEqual(ends[0], "success")
  }))

test("a transport that is not of Node's own gets memory that nobody else has a part of", () =>
  Effect.gen(function*() {
    const { both, clientSocket } = yield* TlsTest.ends()
    const opened = clientSocket.writer
    const written: Array<unknown> = []
    Object.assign(clientSocket, {
      writer: Effect.map(opened, (writer): Socket.Writer => ({
        ...writer,
        write: (chunk) => Effect.andThen(Effect.sync(() => written.push(chunk)), writer.write(chunk))
      }))
    })
    const { client, server } = yield* both
    for (const size of [1, 100, 3000, 20_000]) {
      const data = new Uint8Array(size).fill(size)
      yield* client.write(data)
      const buffer = new Uint8Array(size)
      for (let at = 0; at < size;) at += yield* server.pullInto(buffer.subarray(at))
      assert.deepStrictEqual(buffer, data)
    }
    assert.isAtLeast(written.length, 6)
    for (const chunk of written) {
      assert.instanceOf(chunk, Uint8Array)
      if (!(chunk instanceof Uint8Array)) continue
      assert.strictEqual(chunk.constructor, Uint8Array)
      assert.strictEqual(chunk.byteLength, chunk.buffer.byteLength)
    }
  }))
