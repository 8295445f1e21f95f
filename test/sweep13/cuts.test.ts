/** A recorded conversation of TLS 1.3, cut at every byte: RFC 8446 section 6.1. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import { concat } from "../../src/wire/Bytes.ts"
import { type Flow, record, type Recording, replay, speech } from "../handshake/replay.ts"
import type { Side } from "../handshake/world.ts"

type Expected = Pick<Effect.Success<ReturnType<typeof replay>>, "failure" | "data" | "sessions">

interface Said {
  readonly handshake: number
  readonly tickets: number
}

/** The records of the peer of each side in a handshake, and those of tickets after it. */
const said: Readonly<Record<Flow, Readonly<Record<Side, Said>>>> = {
  "full": {
    // ServerHello, ChangeCipherSpec, EncryptedExtensions to Finished; both tickets.
    client: { handshake: 3, tickets: 1 },
    // ClientHello, ChangeCipherSpec, Finished.
    server: { handshake: 3, tickets: 0 }
  },
  "HelloRetryRequest and a client certificate": {
    // HelloRetryRequest, ChangeCipherSpec, ServerHello, EncryptedExtensions to Finished; both tickets.
    client: { handshake: 4, tickets: 1 },
    // ClientHello, ChangeCipherSpec, ClientHello, Certificate to Finished.
    server: { handshake: 4, tickets: 0 }
  },
  "resumption": {
    // ServerHello, ChangeCipherSpec, EncryptedExtensions and Finished; a ticket.
    client: { handshake: 3, tickets: 1 },
    // ClientHello, ChangeCipherSpec, Finished.
    server: { handshake: 3, tickets: 0 }
  }
}

const endsOf = ({ flow, records, result, subject }: Recording): ReadonlyArray<number> => {
  const { handshake, tickets } = said[flow][subject]
  assert.include(result.facts, `"resumed":${flow === "resumption"}`)
  // One for each of the words, and close_notify.
  assert.lengthOf(records, handshake + tickets + speech.length + 1)
  const ends: Array<number> = []
  for (const record of records) ends.push((ends.at(-1) ?? 0) + record.length)
  return ends
}

/** What the side may resume by: a client by the latest ticket, once; a server by each that it has sent, the used one included. */
const sessionsOf = ({ flow, subject }: Recording, isDone: boolean, tickets: number): number => {
  if (subject === "client") return Math.min(1, tickets)
  return flow === "resumption" ? isDone ? 2 : 1 : isDone ? 2 : 0
}

/** Nothing but close_notify is an end. What came whole before the cut is delivered (law 13), and stored. */
const expectedAt = (recording: Recording, ends: ReadonlyArray<number>, at: number, by: "fin" | "reset"): Expected => {
  const { handshake, tickets } = said[recording.flow][recording.subject]
  const where = at === 0 || ends.includes(at) ? "between records" : "in a record"
  const whole = ends.filter((end) => end <= at).length
  const sessions = sessionsOf(recording, whole >= handshake, Math.max(0, whole - handshake))
  if (whole < handshake) {
    const version = whole === 0 ? "undecided" : "1.3"
    return { failure: `Truncated ${by} ${where} after 0 handshaking ${version}`, data: "", sessions }
  }
  if (whole === ends.length) return { failure: "clean", data: speech.join(""), sessions }
  const data = speech.slice(0, Math.max(0, whole - handshake - tickets)).join("")
  return { failure: `Truncated ${by} ${where} after ${data.length} established 1.3`, data, sessions }
}

const byteByByte = (bytes: Uint8Array) => Array.from(bytes, (byte) => Uint8Array.of(byte))

describe.each(["client", "server"] as const)("what the peer of a %s says, cut at every byte", (subject) => {
  const whole = (bytes: Uint8Array) => [bytes]
  const ways = [
    { flow: "full", name: "by a FIN", by: "fin", feed: whole },
    { flow: "full", name: "by a reset", by: "reset", feed: whole },
    { flow: "full", name: "by a FIN, after it came byte by byte", by: "fin", feed: byteByByte },
    { flow: "HelloRetryRequest and a client certificate", name: "by a FIN", by: "fin", feed: whole },
    { flow: "resumption", name: "by a FIN", by: "fin", feed: whole }
  ] as const
  it.effect.each(ways)("$flow, $name", ({ by, feed, flow }) =>
    Effect.gen(function*() {
      const recording = yield* record(subject, true, "1.3", flow)
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
