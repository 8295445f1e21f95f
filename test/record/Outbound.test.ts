import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { make as primitives } from "../../src/platform/NodePrimitives.ts"
import { nullCompression } from "../../src/record/Compression.ts"
import type { Observation } from "../../src/record/Observer.ts"
import { Outbound } from "../../src/record/Outbound.ts"
import { splitRecords } from "../harness/TlsRecords.ts"
import { toHex } from "../platform/vectors.ts"
import {
  chacha20,
  concat,
  ContentType,
  cut,
  drain,
  filled,
  gcm,
  int,
  makeRecord,
  openDirection,
  protectionOf
} from "./records.ts"

const { alert, application_data: data, change_cipher_spec: ccs, handshake } = ContentType

const max = 16384

const contentLengths = (stream: Uint8Array, overhead: number): ReadonlyArray<number> => {
  const { records, rest } = splitRecords(stream)
  assert.strictEqual(rest.length, 0)
  return records.map((record) => record.length - 5 - overhead)
}

/** `length` bytes as the fewest records there can be. */
const full = (length: number): ReadonlyArray<number> =>
  length === 0 ? [] : length <= max ? [length] : [max, ...full(length - max)]

describe("fragmentation, RFC 5246 section 6.2.1", () => {
  const lengths = [0, 1, max - 1, max, max + 1, 2 * max, 2 * max + 1, 100_000]
  it.each(lengths)("%i bytes, in the clear and protected", (length) => {
    const content = filled(length, 1)
    const clear = new Outbound(primitives, undefined)
    assert.strictEqual(clear.recordsFor(length), full(length).length)
    assert.strictEqual(
      toHex(clear.seal(handshake, content)),
      toHex(concat(cut(content, [max]).map((part) => makeRecord(handshake, part))))
    )
    for (const suite of [gcm, chacha20]) {
      const { inbound, outbound } = openDirection({ suite })
      const sealed = outbound.seal(data, content)
      assert.deepStrictEqual(contentLengths(sealed, outbound.state.current.protection.overhead), full(length))
      for (const record of splitRecords(sealed).records) {
        assert.deepStrictEqual([...record.subarray(0, 3)], [data, 3, 3])
      }
      inbound.push(sealed)
      assert.strictEqual(
        toHex(concat(drain(inbound).map((incoming) => incoming._tag === "Data" ? incoming.bytes : new Uint8Array()))),
        toHex(content)
      )
    }
  })
})

const Part = Arbitrary.map(
  Arbitrary.all({ size: int(0, 5), more: int(0, 40) }),
  // Small ones, ones about a record, and one of several records.
  ({ more, size }) => size < 3 ? more : size === 3 ? max - 20 + more : size === 4 ? more * 500 : 3 * max + more
)
it.prop("parts are joined: the same content, in the fewest records", {
  parts: Arbitrary.array(Part, { maxLength: 8 })
}, (_) => {
  const parts = _.parts.map((length, i) => filled(length, i))
  const content = concat(parts)
  const { inbound, outbound } = openDirection()
  const sealed = outbound.sealAll(data, parts, content.length)
  assert.deepStrictEqual(contentLengths(sealed, 24), full(content.length))
  assert.strictEqual(outbound.state.sequence, outbound.recordsFor(content.length))
  inbound.push(sealed)
  const opened = concat(drain(inbound).map((incoming) => incoming._tag === "Data" ? incoming.bytes : new Uint8Array()))
  assert.isTrue(Buffer.from(content).equals(opened))
}, { arbitrary: { runs: 60 } })

it("the buffer in which parts were joined is overwritten", () => {
  const made: Array<Uint8Array> = []
  const watched = {
    ...primitives,
    allocate: (length: number) => {
      const buffer = primitives.allocate(length)
      made.push(buffer)
      return buffer
    }
  }
  const outbound = new Outbound(watched, undefined)
  outbound.sealAll(data, [filled(10, 1), filled(max, 2)], max + 10)
  // The first is for the records.
  const [, staging] = made
  assert.strictEqual(staging?.length, max)
  assert.isTrue(staging?.every((byte) => byte === 0))
})

it("sequence numbers count records, and begin again with each change of keys", () => {
  const observed: Array<Observation> = []
  const outbound = new Outbound(primitives, (observation) => observed.push(observation))
  outbound.seal(handshake, filled(2 * max, 1))
  for (let epoch = 0; epoch < 2; epoch++) {
    outbound.state.setPending({ protection: protectionOf(gcm), compression: nullCompression })
    outbound.changeCipherSpec()
    const stream = concat([outbound.seal(handshake, filled(16, 1)), outbound.seal(data, filled(max + 1, 2))])
    // RFC 5288 section 3: here the explicit part of the nonce is the sequence number.
    assert.deepStrictEqual(
      splitRecords(stream).records.map((record) => toHex(record.subarray(5, 13))),
      [0, 1, 2].map((sequence) => sequence.toString(16).padStart(16, "0"))
    )
  }
  assert.deepStrictEqual(
    observed.map((observation) =>
      observation._tag === "Record"
        ? [
          observation.contentType,
          observation.sequence,
          observation.isProtected,
          observation.length,
          observation.contentLength
        ]
        : observation
    ),
    [
      [handshake, 0, false, 5 + max, max],
      [handshake, 1, false, 5 + max, max],
      [ccs, 2, false, 6, 1],
      [handshake, 0, true, 5 + 24 + 16, 16],
      [data, 1, true, 5 + 24 + max, max],
      [data, 2, true, 5 + 24 + 1, 1],
      [ccs, 3, true, 5 + 24 + 1, 1],
      [handshake, 0, true, 5 + 24 + 16, 16],
      [data, 1, true, 5 + 24 + max, max],
      [data, 2, true, 5 + 24 + 1, 1]
    ]
  )
})

it("ChangeCipherSpec itself goes out under the old state, and without a pending one it is a defect", () => {
  const outbound = new Outbound(primitives, undefined)
  assert.throws(() => outbound.changeCipherSpec(), /without a pending state/)
  outbound.state.setPending({ protection: protectionOf(gcm), compression: nullCompression })
  assert.strictEqual(toHex(outbound.changeCipherSpec()), "140303000101")
  assert.isTrue(outbound.state.current.protection.isProtected)
})

it.each([
  [0, 0, true],
  [0, 3, true],
  [0, 4, false],
  [2, 1, true],
  [2, 2, false],
  [3, 0, true],
  [4, 0, false]
])("of 4 records, with %i used, there is room for %i more and an alert: %s", (used, records, expected) => {
  const { outbound } = openDirection({ suite: { ...gcm, recordLimit: 4 } })
  for (let i = 0; i < used; i++) outbound.seal(data, Uint8Array.of(i))
  assert.strictEqual(outbound.hasRoomFor(records), expected)
})

it("a key that is worn out has sealed an alert last, and who opens knows of no limit", () => {
  const { inbound, outbound } = openDirection({ suite: { ...gcm, recordLimit: 4 } })
  assert.isTrue(outbound.hasRoomFor(outbound.recordsFor(3 * max)))
  inbound.push(concat([outbound.seal(data, filled(3 * max, 1)), outbound.seal(alert, Uint8Array.of(2, 80))]))
  assert.deepStrictEqual(drain(inbound).map(({ _tag }) => _tag), ["Data", "Data", "Data", "Alert"])
  inbound.push(outbound.seal(data, Uint8Array.of(1)))
  assert.deepStrictEqual(drain(inbound).map(({ _tag }) => _tag), ["Data"])
})

it("once the keys are forgotten nothing is sealed, in the clear least of all", () => {
  for (const outbound of [openDirection().outbound, new Outbound(primitives, undefined)]) {
    outbound.sealAll(data, [Uint8Array.of(1), Uint8Array.of(2)], 2)
    const { protection } = outbound.state.current
    outbound.forget()
    assert.throws(() => outbound.seal(alert, Uint8Array.of(1, 0)), /keys were forgotten/)
    if (protection.isProtected) {
      assert.throws(() => protection.seal(data, Uint8Array.of(1), 9, new Uint8Array(30), 0, 0), /keys were forgotten/)
    }
  }
})
