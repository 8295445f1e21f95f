/** The transport ends without close_notify: RFC 5246 section 7.2.1, law 6 of the design. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { TlsTest } from "effect-tls"
import { bytes, said, test, text } from "./conversation.ts"
import * as Tls12 from "../harness/Tls12.ts"

const data = bytes("some data")

describe("the transport ends without close_notify", () => {
  for (const by of ["fin", "reset"] as const) {
    test(`R5246-7.2.1-01: it is Truncated, by ${by}, at every byte, and says how much was read`, () =>
      Effect.gen(function*() {
        // Two records of 5 + 8 + 9 + 16 bytes each, cut everywhere.
        const size = 5 + 8 + data.length + 16
        for (let cut = 0; cut <= 2 * size; cut++) {
          const { client, server, wire } = yield* Tls12.pair()
          yield* wire.truncate({ from: "server", by, bytes: cut })
          yield* Effect.ignore(server.write(data))
          yield* Effect.ignore(server.write(data))
          const read: Array<Uint8Array> = []
          const error = yield* Effect.flip(Stream.runForEach(client.stream, (_) => Effect.sync(() => read.push(_))))
          assert.strictEqual(error._tag, "Truncated", `cut at ${cut}`)
          if (error._tag !== "Truncated") continue
          const whole = Math.floor(cut / size)
          assert.strictEqual(text(read), text(data).repeat(whole))
          assert.deepStrictEqual(
            [error.by, error.bytesRead, error.midRecord, error.phase, error.version],
            [by, whole * data.length, cut % size > 0, "established", "1.2"]
          )
          assert.deepStrictEqual(yield* client.closure, { _tag: "Truncated", error })
          assert.strictEqual(yield* Effect.flip(client.write(data)), error)
          yield* client.close
        }
      }).pipe(Effect.scoped))
  }

  test("R5246-7.2.1-01: also after our own close_notify, in the phase closing", () =>
    Effect.gen(function*() {
      const { client, wire } = yield* Tls12.pair()
      yield* wire.truncate({ from: "server" })
      yield* client.closeWrite
      const error = yield* Effect.flip(client.pull)
      assert.deepStrictEqual([error._tag, "phase" in error && error.phase], ["Truncated", "closing"])
    }))

  test("the policy `end` takes a FIN between two records for the end, and nothing else", () =>
    Effect.gen(function*() {
      const rows = [["fin", 38, "Done"], ["fin", 40, "Truncated"], ["reset", 38, "Truncated"]] as const
      for (const [by, cut, expected] of rows) {
        const { client, server, wire } = yield* Tls12.pair({ client: { policies: { missingCloseNotify: "end" } } })
        yield* wire.truncate({ from: "server", by, bytes: cut })
        yield* Effect.ignore(server.write(data))
        yield* Effect.ignore(server.write(data))
        assert.strictEqual(text(yield* client.pull), text(data))
        assert.strictEqual(said(yield* Effect.flip(client.pull)), expected)
        assert.strictEqual((yield* client.closure)._tag, "Truncated")
        const error = yield* Effect.flip(client.write(data))
        if (expected === "Done") {
          assert.deepStrictEqual([error._tag, "by" in error && error.by], ["ConnectionClosed", "peer"])
        }
      }
    }).pipe(Effect.scoped))

  const halves: ReadonlyArray<readonly [what: string, version: "1.2" | "1.3", contentType: number, half: Uint8Array]> =
    [
      ["half an alert", "1.2", 21, Uint8Array.of(1)],
      ["half the header of a handshake message", "1.2", 22, Uint8Array.of(0, 0)],
      ["a handshake message without its last byte", "1.2", 22, Uint8Array.of(20, 0, 0, 2, 1)],
      ["half the header of a handshake message", "1.3", 22, Uint8Array.of(24, 0)],
      ["a KeyUpdate without its byte", "1.3", 22, Uint8Array.of(24, 0, 0, 1)]
    ]
  for (const [what, version, contentType, half] of halves) {
    for (const from of ["server", "client"] as const) {
      test(`and not one of the ${from} after ${what} of TLS ${version}`, () =>
        Effect.gen(function*() {
          const options = { versions: [version], policies: { missingCloseNotify: "end" } } as const
          const { [from === "server" ? "client" : "server"]: reader, wire } = yield* TlsTest.pair({
            client: options,
            server: { ...options, tickets: 0 }
          })
          yield* wire.send({ from, contentType: 23, content: data })
          yield* wire.send({ from, contentType, content: half })
          yield* wire.truncate({ from })
          assert.strictEqual(text(yield* reader.pull), text(data))
          const error = yield* Effect.flip(reader.pull)
          assert(error._tag === "Truncated")
          assert.deepStrictEqual([error.by, error.midRecord, error.phase], ["fin", false, "established"])
        }))
    }
  }

  test("a FIN after a whole alert and a whole handshake message is one between records", () =>
    Effect.gen(function*() {
      const { client, wire } = yield* Tls12.pair({ client: { policies: { missingCloseNotify: "end" } } })
      for (const byte of [1, 90]) yield* wire.send({ from: "server", contentType: 21, content: Uint8Array.of(byte) })
      for (const half of [2, 2]) yield* wire.send({ from: "server", contentType: 22, content: new Uint8Array(half) })
      yield* wire.truncate({ from: "server" })
      assert.strictEqual(said(yield* Effect.flip(client.pull)), "Done")
    }))
})
