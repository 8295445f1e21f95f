/** A recorded conversation of TLS 1.3, said again in other pieces: RFC 8446 sections 5 and 5.1. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import { makeInsecureSeeded } from "../../src/service/Randomness.ts"
import { concat } from "../../src/wire/Bytes.ts"
import { ContentType } from "../../src/wire/CodePoints.ts"
import { type Flow, record, type Recording, replay, speech } from "../handshake/replay.ts"
import type { Side } from "../handshake/world.ts"
import { headerLength, makeRecord } from "../harness/TlsRecords.ts"
import { cut } from "../record/records.ts"

type Chunks = ReadonlyArray<Uint8Array>

const range = (length: number): ReadonlyArray<number> => Array.from({ length }, (_, at) => at)

const atOnce = ({ records }: Recording): Chunks => [concat(records)]
const byteByByte = ({ records }: Recording): Chunks => cut(concat(records), [1])

const inTwo = ({ records }: Recording): ReadonlyArray<Chunks> => {
  const bytes = concat(records)
  return range(bytes.length - 1).map((at) => [bytes.subarray(0, at + 1), bytes.subarray(at + 1)])
}

/** Chunks of the lengths that a seed makes: up to 2, 4, 8, ... 256 bytes. */
const atRandom = ({ records }: Recording): ReadonlyArray<Chunks> =>
  range(64).map((seed) => {
    const bytes = makeInsecureSeeded(NodePrimitives.make, `segments ${seed}`).bytes(64)
    return cut(concat(records), Array.from(bytes, (byte) => 1 + byte % (2 << (seed % 8))))
  })

/** With the hellos, which are all that comes in the clear, in records of `size` bytes; the rest as it was. */
const reframed = (recording: Recording, size: number): Recording => {
  const isHello = (record: Uint8Array) => record[0] === ContentType.handshake
  assert.lengthOf(recording.records.filter(isHello), recording.flow.startsWith("HelloRetryRequest") ? 2 : 1)
  const parts = (hello: Uint8Array) =>
    cut(hello.subarray(headerLength), [size]).map((part) => makeRecord(ContentType.handshake, part))
  return { ...recording, records: recording.records.flatMap((record) => isHello(record) ? parts(record) : [record]) }
}

interface Variation {
  readonly name: string
  readonly segments: (recording: Recording) => ReadonlyArray<Chunks>
  readonly sizes?: ReadonlyArray<number>
  readonly onlyListens?: boolean
  /** It takes its time: of a full handshake alone. */
  readonly isLong?: boolean
}

const variations: ReadonlyArray<Variation> = [
  { name: "all at once", segments: (_) => [atOnce(_)] },
  { name: "all at once, to one who only listens", segments: (_) => [atOnce(_)], onlyListens: true },
  { name: "record by record", segments: ({ records }) => [records] },
  { name: "one byte at a time", segments: (_) => [byteByByte(_)] },
  { name: "in two chunks, wherever the cut is", segments: inTwo, isLong: true },
  { name: "in chunks of any length, of 64 seeds", segments: atRandom },
  {
    name: "its hellos in records of other sizes, at once and byte by byte",
    segments: (_) => [atOnce(_), byteByByte(_)],
    sizes: [1, 2, 3, 5, 64, 200]
  }
]

const flows: ReadonlyArray<Flow> = ["full", "HelloRetryRequest and a client certificate", "resumption"]

const heard = Effect.fnUntraced(function*(subject: Side, flow: Flow, variation: Variation) {
  const { onlyListens = false, segments, sizes } = variation
  const recording = yield* record(subject, !onlyListens, "1.3", flow)
  assert.strictEqual(recording.result.failure, "clean")
  assert.strictEqual(recording.result.data, speech.join(""))
  assert.include(recording.result.facts, "\"version\":\"1.3\"")
  assert.include(recording.result.facts, `"resumed":${flow === "resumption"}`)
  const variants = sizes === undefined ? [recording] : sizes.map((size) => reframed(recording, size))
  for (const variant of variants) {
    for (const chunks of segments(variant)) {
      assert.deepStrictEqual(yield* replay(variant, chunks, "fin"), recording.result)
    }
  }
})

describe.each(["client", "server"] as const)("a %s makes the same of what it hears", (subject) => {
  for (const flow of flows) {
    for (const variation of variations) {
      if (variation.isLong === true && flow !== "full") continue
      it.effect(`${flow}, ${variation.name}`, () =>
        heard(subject, flow, variation).pipe(Effect.provide(NodePrimitives.layerPrimitives)))
    }
  }
})
