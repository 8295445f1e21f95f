import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import { concat } from "../../src/wire/Bytes.ts"
import { landmarks, record, type Recording, replay, speech } from "./replay.ts"

type Expected = Pick<Effect.Success<ReturnType<typeof replay>>, "failure" | "data" | "sessions">

/** RFC 5246 section 7.2.1: nothing but close_notify is an end. What came whole before the cut is delivered (law 13). */
const expectedAt = (recording: Recording, at: number, by: "fin" | "reset"): Expected => {
  const { ends, finished, handshake, hello, total } = landmarks(recording)
  const where = at === 0 || ends.includes(at) ? "between records" : "in a record"
  if (at < handshake) {
    const version = at < hello ? "undecided" : "1.2"
    return { failure: `Truncated ${by} ${where} after 0 handshaking ${version}`, data: "", sessions: 0 }
  }
  if (at === total) return { failure: "clean", data: speech.join(""), sessions: 1 }
  const data = speech.filter((_, index) => (ends[finished + 1 + index] ?? Infinity) <= at).join("")
  return { failure: `Truncated ${by} ${where} after ${data.length} established 1.2`, data, sessions: 1 }
}

const byteByByte = (bytes: Uint8Array) => Array.from(bytes, (byte) => Uint8Array.of(byte))

describe.each(["client", "server"] as const)("what the peer of a %s says, cut at every byte", (subject) => {
  const ways = [
    { name: "by a FIN", by: "fin", feed: (bytes: Uint8Array) => [bytes] },
    { name: "by a reset", by: "reset", feed: (bytes: Uint8Array) => [bytes] },
    { name: "by a FIN, after it came byte by byte", by: "fin", feed: byteByByte }
  ] as const
  it.effect.each(ways)("$name", ({ by, feed }) =>
    Effect.gen(function*() {
      const recording = yield* record(subject)
      const bytes = concat(recording.records)
      for (let at = 0; at <= bytes.length; at++) {
        const chunks = at === 0 ? [] : feed(bytes.subarray(0, at))
        const { data, failure, sent, sessions } = yield* replay(recording, chunks, by)
        assert.deepStrictEqual({ data, failure, sessions }, expectedAt(recording, at, by), `after ${at} bytes`)
        // No alert answers an end of the transport: what was sent is what is always sent, or less of it.
        assert.isTrue(recording.result.sent.startsWith(sent), `after ${at} bytes`)
      }
    }).pipe(Effect.provide(NodePrimitives.layerPrimitives)))
})
