/** Laws 5, 13, 16 and 18 of the design: which failure counts, what is delivered before it, and what waits for what. */
import { assert, describe } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { Alert, TlsTest } from "effect-tls"
import { bytes, how, observed, recordsOf, said, test, text, toldBy } from "./conversation.ts"
import * as Tls12 from "../harness/Tls12.ts"

const data = bytes("some data")
const helloRequest = { contentType: 22, content: Uint8Array.of(0, 0, 0, 0) }

describe("the first failure wins (law 5)", () => {
  test("every later read and write gets it, the same one", () =>
    Effect.gen(function*() {
      const { client, server, wire } = yield* Tls12.pair()
      yield* wire.corrupt({ from: "server", record: 0, fragmentBit: 0 })
      yield* server.write(data)
      const first = yield* Effect.flip(client.pull)
      assert.strictEqual(said(first), "AlertSent BadRecordMac")
      const later = [
        yield* Effect.flip(client.pull),
        yield* Effect.flip(client.pullInto(new Uint8Array(100))),
        yield* Effect.flip(client.write(data)),
        yield* Effect.flip(Stream.runDrain(client.stream)),
        yield* Effect.flip(Stream.run(Stream.make(data), client.sink))
      ]
      for (const error of later) assert.strictEqual(error, first)
      const closure = yield* client.closure
      assert.deepStrictEqual([closure._tag, closure.error], ["Failed", first])
    }))

  test("R5246-7.2.2-01: at most one fatal alert leaves, at level fatal, then FIN; none answers a received one", () =>
    Effect.gen(function*() {
      const alerts = observed()
      const { client, server, wire } = yield* Tls12.pair({
        client: { observe: alerts.observe("client") },
        server: { observe: alerts.observe("server") }
      })
      yield* wire.corrupt({ from: "server", record: 0, fragmentBit: 0 })
      yield* server.writeAll([data, data])
      yield* server.write(data)
      assert.strictEqual(said(yield* Effect.flip(client.pull)), "AlertSent BadRecordMac")
      assert.strictEqual(said(yield* Effect.flip(server.pull)), "AlertReceived BadRecordMac")
      yield* Effect.all([client.close, server.close], { concurrency: 2 })
      assert.deepStrictEqual(alerts.sent, ["client fatal bad_record_mac"])
      assert.deepStrictEqual((yield* toldBy(wire, "client")).slice(-2), ["alert", "fin"])
      assert.strictEqual((yield* toldBy(wire, "server")).at(-1), "fin")
    }))

  test("R5246-7.2-02: after a fatal alert nothing is said or heard any more, whatever it was", () =>
    Effect.gen(function*() {
      for (const description of Alert.AlertDescription.members[0].literals) {
        if (description === "close_notify") continue
        const { client, server, wire } = yield* Tls12.pair()
        yield* wire.hold({ from: "server" })
        yield* wire.send({ from: "server", alert: Alert.fatal(description) })
        yield* server.write(data)
        yield* wire.release({ from: "server" })
        const error = yield* Effect.flip(client.pull)
        assert.strictEqual(error._tag, "AlertReceived", description)
        if (error._tag === "AlertReceived") {
          assert.deepStrictEqual([error.level, error.phase, error.version], ["fatal", "established", "1.2"])
          assert.include(error.message, description)
        }
        const before = (yield* recordsOf(wire, "client")).length
        assert.strictEqual(yield* Effect.flip(client.write(data)), error)
        assert.strictEqual((yield* recordsOf(wire, "client")).length, before)
        assert.strictEqual((yield* toldBy(wire, "client")).at(-1), "fin")
      }
    }).pipe(Effect.scoped))
})

describe("what came before a fault is delivered before it (law 13)", () => {
  const faults: ReadonlyArray<
    readonly [string, (wire: TlsTest.Wire, server: TlsTest.Pair["server"]) => Effect.Effect<void, unknown>, string]
  > = [
    [
      "a record that does not authenticate",
      (wire, server) => Effect.andThen(wire.corrupt({ from: "server", record: 0, fragmentBit: 9 }), server.write(data)),
      "AlertSent BadRecordMac"
    ],
    [
      "a fatal alert",
      (wire) => wire.send({ from: "server", alert: Alert.fatal("internal_error") }),
      "AlertReceived InternalError"
    ],
    ["garbage", (wire) => wire.inject({ from: "server", bytes: bytes("garbage") }), "AlertSent UnexpectedMessage"],
    ["the end of the transport", (wire) => wire.truncate({ from: "server" }), "Truncated"],
    ["close_notify", (_, server) => server.close, "Done"]
  ]
  for (const [name, fault, expected] of faults) {
    test(`before ${name}, in one chunk`, () =>
      Effect.gen(function*() {
        const { client, server, wire } = yield* Tls12.pair()
        yield* wire.hold({ from: "server" })
        yield* server.write(bytes("one "))
        yield* server.write(bytes("two"))
        yield* fault(wire, server)
        yield* wire.release({ from: "server" })
        assert.strictEqual(text(yield* client.pull), "one two")
        assert.strictEqual(said(yield* Effect.flip(client.pull)), expected)
      }))

    test(`before ${name}, in one chunk, into a buffer that is too small`, () =>
      Effect.gen(function*() {
        const { client, server, wire } = yield* Tls12.pair()
        yield* wire.hold({ from: "server" })
        yield* server.write(bytes("one "))
        yield* server.write(bytes("two"))
        yield* fault(wire, server)
        yield* wire.release({ from: "server" })
        let read = ""
        const buffer = new Uint8Array(3)
        const error = yield* Effect.flip(Effect.forever(
          Effect.map(client.pullInto(buffer), (length) => read += text(buffer.subarray(0, length)))
        ))
        assert.deepStrictEqual([read, said(error)], ["one two", expected])
      }))

    test(`before ${name}, to a side that has only written so far`, () =>
      Effect.gen(function*() {
        const { accept, connect, wire } = yield* Tls12.ends()
        const accepting = yield* Effect.forkChild(accept)
        // The last flight of the server, its data and the fault come in one chunk: all of it is there when the handshake ends.
        yield* wire.hold({ from: "server", record: 4 })
        const connecting = yield* Effect.forkChild(connect)
        const server = yield* Fiber.join(accepting)
        yield* server.write(data)
        yield* fault(wire, server)
        yield* wire.release({ from: "server" })
        const client = yield* Fiber.join(connecting)
        for (let i = 0; i < 4; i++) yield* Effect.exit(client.write(data))
        assert.strictEqual(text(yield* client.pull), text(data))
        assert.strictEqual(said(yield* Effect.flip(client.pull)), expected)
        yield* server.close
      }))
  }
})

describe("an alert that was received outranks the write error that followed it (law 16)", () => {
  test("on the open connection, whether somebody reads or not", () =>
    Effect.gen(function*() {
      for (const reads of [false, true]) {
        const { client, server, wire } = yield* Tls12.pair()
        const reading = reads
          ? yield* Effect.forkChild(Effect.flip(client.pull), { startImmediately: true })
          : undefined
        yield* wire.send({ from: "server", alert: Alert.fatal("access_denied") })
        yield* server.close
        const error = yield* Effect.flip(Effect.forever(client.write(data)))
        assert.strictEqual(said(error), "AlertReceived AccessDenied")
        if (reading !== undefined) assert.strictEqual(yield* Fiber.join(reading), error)
      }
    }).pipe(Effect.scoped))

  test("behind data that nobody has read yet, which stays to be read", () =>
    Effect.gen(function*() {
      const { client, server, wire } = yield* Tls12.pair()
      for (const word of ["one ", "two ", "three"]) yield* server.write(bytes(word))
      yield* wire.send({ from: "server", alert: Alert.fatal("access_denied") })
      yield* wire.truncate({ from: "server", by: "reset" })
      const error = yield* Effect.flip(Effect.forever(client.write(data)))
      assert.strictEqual(said(error), "AlertReceived AccessDenied")
      assert.strictEqual(text(yield* client.pull), "one two three")
      assert.strictEqual(yield* Effect.flip(client.pull), error)
    }))

  test("in the handshake, also in the chunk with the message that is being answered", () =>
    Effect.gen(function*() {
      for (const join of [false, true]) {
        const { accept, connect, wire } = yield* Tls12.ends()
        if (join) yield* wire.hold({ from: "client" })
        const connecting = yield* Effect.forkChild(Effect.exit(connect), { startImmediately: true })
        yield* wire.inject({ from: "client", alert: Alert.fatal("user_canceled") })
        if (join) yield* wire.release({ from: "client" })
        yield* wire.truncate({ from: "client", by: "reset" })
        assert.strictEqual(said(yield* Effect.flip(accept)), "AlertReceived UserCanceled")
        yield* Fiber.interrupt(connecting)
      }
    }).pipe(Effect.scoped))

  test("a write error alone is TransportFailed, for every later read and write too, and forgets nothing", () =>
    Effect.gen(function*() {
      const { client, wire } = yield* Tls12.pair()
      yield* wire.truncate({ from: "server", by: "reset" })
      const error = yield* Effect.flip(Effect.forever(client.write(data)))
      assert.strictEqual(said(error), "TransportFailed")
      assert.strictEqual(yield* Effect.flip(client.pull), error)
      assert.strictEqual(yield* Effect.flip(client.write(data)), error)
      assert.include(error.message, "the peer is gone")
    }))
})

describe("one outbound lane (law 18)", () => {
  test("an interrupted writer breaks no sequence, wherever it was", () =>
    Effect.gen(function*() {
      const { client, server, wire } = yield* Tls12.pair()
      yield* wire.stall({ from: "client" })
      // The first waits for the transport, the second for the lane: its data was never sealed.
      const first = yield* Effect.forkChild(client.write(bytes("first ")), { startImmediately: true })
      const second = yield* Effect.forkChild(client.write(bytes("second ")), { startImmediately: true })
      yield* Fiber.interrupt(second)
      yield* Fiber.interrupt(first)
      const third = yield* Effect.forkChild(client.write(bytes("third")), { startImmediately: true })
      yield* wire.release({ from: "client" })
      yield* Fiber.join(third)
      yield* client.close
      assert.strictEqual(text(yield* Stream.runCollect(server.stream)), "first third")
    }))

  test("writers at the same time keep whole writes, in order", () =>
    Effect.gen(function*() {
      const { client, server } = yield* Tls12.pair()
      const sizes = [1, 20_000, 3, 16_384, 40_000, 0, 7]
      const reading = yield* Effect.forkChild(Stream.runCollect(server.stream))
      yield* Effect.forEach(sizes, (size, index) => client.write(new Uint8Array(size).fill(index)), {
        concurrency: "unbounded"
      })
      yield* client.close
      const read = Buffer.concat(yield* Fiber.join(reading))
      const expected = Buffer.concat(sizes.map((size, index) => new Uint8Array(size).fill(index)))
      assert.isTrue(read.equals(expected))
    }))

  test("a reader does not wait for a writer that waits for the peer's reader", () =>
    Effect.gen(function*() {
      const { client, server, wire } = yield* Tls12.pair()
      yield* wire.stall({ from: "client" })
      const writing = yield* Effect.forkChild(client.write(data), { startImmediately: true })
      for (const word of ["one", "two"]) {
        yield* server.write(bytes(word))
        assert.strictEqual(text(yield* client.pull), word)
      }
      assert.isUndefined(writing.pollUnsafe())
    }))

  test("an answer that waits behind such a writer holds up no reader either, and leaves in its turn", () =>
    Effect.gen(function*() {
      const alerts = observed()
      const { client, server, wire } = yield* Tls12.pair({ client: { observe: alerts.observe("client") } })
      yield* wire.stall({ from: "client" })
      const writing = yield* Effect.forkChild(client.write(data), { startImmediately: true })
      yield* wire.send({ from: "server", ...helloRequest })
      const reading = yield* Effect.forkChild(client.pull, { startImmediately: true })
      for (let i = 0; i < 10; i++) yield* Effect.yieldNow
      assert.deepStrictEqual(alerts.sent, ["client warning no_renegotiation"])
      yield* server.write(bytes("one"))
      assert.strictEqual(text(yield* Fiber.join(reading)), "one")
      yield* server.write(bytes("two"))
      assert.strictEqual(text(yield* client.pull), "two")
      assert.isUndefined(writing.pollUnsafe())
      yield* wire.release({ from: "client" })
      yield* Fiber.join(writing)
      // It needs no other write to take it along.
      for (let i = 0; i < 10; i++) yield* Effect.yieldNow
      assert.deepStrictEqual((yield* toldBy(wire, "client")).slice(-2), ["application_data", "alert"])
      yield* client.write(data)
      assert.strictEqual(text(yield* server.pull), text(data))
      assert.strictEqual(text(yield* server.pull), text(data))
      assert.deepStrictEqual((yield* toldBy(wire, "client")).slice(-3), [
        "application_data",
        "alert",
        "application_data"
      ])
    }))

  test("giving up on the lane ends the connection without another record", () =>
    Effect.gen(function*() {
      const { client, wire } = yield* Tls12.pair()
      yield* wire.stall({ from: "client" })
      const writing = yield* Effect.forkChild(Effect.exit(client.write(data)), { startImmediately: true })
      const closing = yield* Effect.forkChild(client.close, { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(closing)
      assert.include(["TransportFailed", "ConnectionClosed"], how(yield* Fiber.join(writing)))
      yield* wire.release({ from: "client" })
      assert.deepStrictEqual((yield* toldBy(wire, "client")).slice(-2), ["application_data", "fin"])
    }))

  test("an interrupted reader loses nothing", () =>
    Effect.gen(function*() {
      const { client, server } = yield* Tls12.pair()
      for (let i = 0; i < 3; i++) {
        const reading = yield* Effect.forkChild(client.pull, { startImmediately: true })
        yield* Fiber.interrupt(reading)
        assert.isTrue(Exit.isFailure(yield* Fiber.await(reading)))
      }
      yield* server.write(data)
      assert.strictEqual(text(yield* client.pull), text(data))
      const exit = yield* Effect.exit(client.pull.pipe(Effect.timeoutOption(0)))
      assert.isFalse(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      yield* server.write(data)
      assert.strictEqual(text(yield* client.pull), text(data))
    }))

  test("a buffer without room is filled with nothing, and that is no end", () =>
    Effect.gen(function*() {
      const { client, server } = yield* TlsTest.pair()
      assert.strictEqual(yield* client.pullInto(new Uint8Array(0)), 0)
      yield* server.write(data)
      assert.strictEqual(yield* client.pullInto(new Uint8Array(0)), 0)
      const buffer = new Uint8Array(100)
      assert.strictEqual(yield* client.pullInto(buffer), data.length)
      assert.deepStrictEqual(buffer.subarray(0, data.length), data)
    }))

  test("two readers share the data, and each gets whole chunks", () =>
    Effect.gen(function*() {
      const { client, server } = yield* Tls12.pair()
      const readers = yield* Effect.replicateEffect(Effect.forkChild(client.pull, { startImmediately: true }), 2)
      yield* server.write(bytes("one"))
      yield* server.write(bytes("two"))
      assert.deepStrictEqual((yield* Effect.forEach(readers, Fiber.join)).map(text), ["one", "two"])
    }))

  test("a reader that gives way to a writer on its way sees what the writer has found", () =>
    Effect.gen(function*() {
      const most = 24
      for (let before = 0; before < most; before++) {
        yield* Effect.scoped(Effect.gen(function*() {
          const { client, server } = yield* Tls12.pair()
          // Who writes twice looks out for what comes.
          yield* client.write(bytes("a"))
          yield* client.write(bytes("b"))
          yield* server.write(bytes("one"))
          for (let i = 0; i < 20; i++) yield* Effect.yieldNow
          const steps = Effect.forEach(Array.from({ length: before }), () => Effect.sync(() => {}), { discard: true })
          const reader = yield* Effect.andThen(steps, client.pull).pipe(
            Effect.provideService(Scheduler.MaxOpsBeforeYield, most),
            Effect.forkChild({ startImmediately: true })
          )
          yield* client.write(bytes("c"))
          assert.strictEqual(text(yield* Fiber.join(reader)), "one", `after ${before}`)
        }))
      }
    }))
})
