/** A recorded conversation of TLS 1.3, cut at every byte: RFC 8446 section 6.1. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import { concat } from "../../src/wire/Bytes.ts"
import { record, type Recording, replay, speech } from "../handshake/replay.ts"
import type { Side } from "../handshake/world.ts"

type Expected = Pick<Effect.Success<ReturnType<typeof replay>>, "failure" | "data" | "sessions">

/** The records of the peer of each side in a handshake, and those of tickets after it. */
const said: Readonly<Record<Side, { readonly handshake: number; readonly tickets: number }>> = {
  // ServerHello, ChangeCipherSpec, EncryptedExtensions to Finished; both tickets.
  client: { handshake: 3, tickets: 1 },
  // ClientHello, ChangeCipherSpec, Finished.
  server: { handshake: 3, tickets: 0 }
}

const endsOf = ({ records, subject }: Recording): ReadonlyArray<number> => {
  const { handshake, tickets } = said[subject]
  // One for each of the words, and close_notify.
  assert.lengthOf(records, handshake + tickets + speech.length + 1)
  const ends: Array<number> = []
  for (const record of records) ends.push((ends.at(-1) ?? 0) + record.length)
  return ends
}

/** Nothing but close_notify is an end. What came whole before the cut is delivered (law 13), and stored. */
const expectedAt = ({ subject }: Recording, ends: ReadonlyArray<number>, at: number, by: "fin" | "reset"): Expected => {
  const { handshake, tickets } = said[subject]
  const where = at === 0 || ends.includes(at) ? "between records" : "in a record"
  const whole = ends.filter((end) => end <= at).length
  if (whole < handshake) {
    const version = whole === 0 ? "undecided" : "1.3"
    return { failure: `Truncated ${by} ${where} after 0 handshaking ${version}`, data: "", sessions: 0 }
  }
  // A client may resume by what it has got, a server by each of the tickets that it has sent.
  const sessions = subject === "server" ? 2 : Math.min(1, whole - handshake)
  if (whole === ends.length) return { failure: "clean", data: speech.join(""), sessions }
  const data = speech.slice(0, Math.max(0, whole - handshake - tickets)).join("")
  return { failure: `Truncated ${by} ${where} after ${data.length} established 1.3`, data, sessions }
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
      const recording = yield* record(subject, true, "1.3")
      const ends = endsOf(recording)
      const bytes = concat(recording.records)
      for (let at = 0; at <= bytes.length; at++) {
        const chunks = at === 0 ? [] : feed(bytes.subarray(0, at))
        const { data, failure, sent, sessions } = yield* replay(recording, chunks, by)
        assert.deepStrictEqual({ data, failure, sessions }, expectedAt(recording, ends, at, by), `after ${at} bytes`)
        // No alert answers an end of the transport: what was sent is what is always sent, or less of it.
        assert.isTrue(recording.result.sent.startsWith(sent), `after ${at} bytes`)
      }
    }).pipe(Effect.provide(NodePrimitives.layerPrimitives)))
})
