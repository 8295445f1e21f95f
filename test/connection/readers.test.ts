/** Several readers of one connection. */
import { assert } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Connection } from "effect-tls"
import { bytes, how, test, text } from "./conversation.ts"
import * as Tls12 from "../harness/Tls12.ts"

const inPull = (connection: Connection) => Effect.map(connection.pull, text)
const inPullInto = (connection: Connection) =>
  Effect.suspend(() => {
    const buffer = new Uint8Array(100)
    return Effect.map(connection.pullInto(buffer), (length) => text(buffer.subarray(0, length)))
  })

const start = <A, E>(effect: Effect.Effect<A, E>) => Effect.forkChild(effect, { startImmediately: true })

test("who comes second gets what comes next, also where the first has given up", () =>
  Effect.gen(function*() {
    const { client, server } = yield* Tls12.pair()
    for (const read of [inPull, inPullInto]) {
      const given = yield* start(read(server))
      const readers = [yield* start(read(server)), yield* start(inPull(server)), yield* start(inPullInto(server))]
      yield* Fiber.interrupt(given)
      const got: Array<string> = []
      const all = yield* start(
        Effect.forEach(readers, (reader) => Effect.map(Fiber.join(reader), (text) => void got.push(text)), {
          concurrency: "unbounded"
        })
      )
      for (const [i, piece] of ["one", "two", "three"].entries()) {
        yield* client.write(bytes(piece))
        while (got.length <= i) yield* Effect.yieldNow
      }
      yield* Fiber.join(all)
      assert.deepStrictEqual(got, ["one", "two", "three"])
    }
  }))

test("one that gives up behind another takes nothing with it, and all hear of the end", () =>
  Effect.gen(function*() {
    const { client, server } = yield* Tls12.pair()
    const first = yield* start(inPull(server))
    const second = yield* start(inPull(server))
    const third = yield* start(inPull(server))
    yield* Fiber.interrupt(second)
    yield* client.write(bytes("one"))
    assert.strictEqual(yield* Fiber.join(first), "one")
    const fourth = yield* start(inPullInto(server))
    yield* client.close
    assert.deepStrictEqual([how(yield* Fiber.await(third)), how(yield* Fiber.await(fourth))], ["Done", "Done"])
    assert.isTrue(Cause.isDone(yield* Effect.flip(server.pull)))
  }))
