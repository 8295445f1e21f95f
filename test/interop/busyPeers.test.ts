import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { tamperingProxy } from "../harness/TamperingProxy.ts"
import { corrupted, editing } from "./Edits.ts"
import { ending, ourServer, receiveLine } from "./Ours.ts"
import { everyPeer } from "./peers.ts"

/** 3 MiB of lines: more than the buffers of a loopback connection hold, less than we are ready to drain. */
const plenty = `${"x".repeat(1023)}\n`.repeat(3 * 1024)

// gnutls-cli reads its input a line at a time and stops between.
everyPeer("a client that is still writing", (peer, it) => {
  it.live("reads the alert of our server, whose application failed", () =>
    Effect.gen(function*() {
      const server = yield* ourServer({
        policies: { onFailure: "internal_error" },
        handler: (connection) => Effect.andThen(connection.pull, Effect.fail("enough"))
      })
      const client = yield* peer.client({ port: server.port })
      yield* client.send(plenty)
      assert.strictEqual(yield* client.sawAlert, 80)
      const { closure } = yield* server.report
      assert.strictEqual(
        closure?.error?._tag === "AlertSent" ? closure.error.reason._tag : closure?._tag,
        "InternalError"
      )
    }))

  it.live("reads the alert of our server, to which a record was corrupted", () =>
    Effect.gen(function*() {
      const server = yield* ourServer({ handler: ({ pull }) => Effect.forever(pull) })
      let count = 0
      const proxy = yield* tamperingProxy({
        to: server.port,
        onRecord: (direction, index, record) =>
          direction === "clientToServer" && record[0] === 23 && ++count === 20 ? corrupted(record) : record
      })
      const client = yield* peer.client({ port: proxy.port })
      yield* client.send(plenty)
      assert.strictEqual(yield* client.sawAlert, 20)
      assert.strictEqual(ending((yield* server.report).exit), "AlertSent BadRecordMac")
    }))

  it.live("reads the close_notify of our server", () =>
    Effect.gen(function*() {
      const server = yield* ourServer({ handler: ({ pull }) => pull })
      const client = yield* peer.client({ port: server.port })
      yield* client.send(plenty)
      yield* client.sawClose
      assert.strictEqual(ending((yield* server.report).exit), "success")
    }))
})
