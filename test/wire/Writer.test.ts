import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { concat } from "../../src/wire/Bytes.ts"
import { Reader } from "../../src/wire/Reader.ts"
import { Writer } from "../../src/wire/Writer.ts"
import { toHex } from "../platform/vectors.ts"
import { bytesUpTo, filled, int } from "../record/records.ts"

it("writes integers big-endian (RFC 5246 section 4.1)", () => {
  const bytes = new Writer().uint8(0x01).uint16(0x0203).uint24(0x040506).uint8(255).uint16(65535).uint24(0xffffff)
    .finish()
  assert.strictEqual(toHex(bytes), "010203040506ffffffffffff")
})

it("writes vectors in vectors, each with the length of what was written between", () => {
  const bytes = new Writer()
    .vector24((a) => a.uint8(1).vector16((b) => b.vector8((c) => c.bytes(Uint8Array.of(2, 3))).vector8(() => {})))
    .finish()
  assert.strictEqual(toHex(bytes), "00000701000402020300")
})

it("grows with what it is given, and gives nothing of one message to the next", () => {
  const long = filled(5000, 1)
  for (const writer of [new Writer(), new Writer()]) {
    const other = new Writer().uint8(1)
    assert.deepStrictEqual(writer.bytes(long).uint8(7).bytes(long).finish(), concat([long, Uint8Array.of(7), long]))
    assert.deepStrictEqual(other.uint8(2).finish(), Uint8Array.of(1, 2))
    assert.deepStrictEqual(writer.uint16(3).finish(), Uint8Array.of(0, 3))
    assert.deepStrictEqual(new Writer().vector16(() => {}).finish(), Uint8Array.of(0, 0))
  }
})

it("vectors keep their place when the buffer grows around them, and messages their bytes when others are written", () => {
  const written = Array.from({ length: 60 }, (_, i) => {
    const body = filled((i * 700) % 5000, i)
    return { body, bytes: new Writer().vector24((outer) => outer.vector16((_) => _.bytes(body)).uint8(i)).finish() }
  })
  for (const [i, { body, bytes }] of written.entries()) {
    const outer = new Reader(new Reader(bytes).vector24("outer"))
    assert.deepStrictEqual(outer.vector16("inner"), body)
    assert.strictEqual(outer.uint8("last"), i)
  }
})

it.prop("what a writer wrote a reader reads", {
  values: Arbitrary.array(
    Arbitrary.all({ kind: int(0, 6), number: int(0, 0xffffff), bytes: bytesUpTo(40) }),
    { maxLength: 12 }
  )
}, (_) => {
  const writer = new Writer()
  for (const { bytes, kind, number } of _.values) {
    if (kind === 0) writer.uint8(number & 0xff)
    else if (kind === 1) writer.uint16(number & 0xffff)
    else if (kind === 2) writer.uint24(number)
    else if (kind === 3) writer.bytes(bytes)
    else if (kind === 4) writer.vector8((body) => body.bytes(bytes))
    else if (kind === 5) writer.vector16((body) => body.bytes(bytes))
    else writer.vector24((body) => body.bytes(bytes))
  }
  const written = writer.finish()
  const reader = new Reader(written)
  for (const { bytes, kind, number } of _.values) {
    if (kind === 0) assert.strictEqual(reader.uint8("v"), number & 0xff)
    else if (kind === 1) assert.strictEqual(reader.uint16("v"), number & 0xffff)
    else if (kind === 2) assert.strictEqual(reader.uint24("v"), number)
    else if (kind === 3) assert.deepStrictEqual(reader.bytes("v", bytes.length), bytes)
    else if (kind === 4) assert.deepStrictEqual(reader.vector8("v"), bytes)
    else if (kind === 5) assert.deepStrictEqual(reader.vector16("v"), bytes)
    else assert.deepStrictEqual(reader.vector24("v"), bytes)
  }
  reader.end("all")
}, { arbitrary: { runs: 200 } })

describe("a vector that its length bytes cannot say is a defect", () => {
  it.each([[255, 256, "vector8"], [65535, 65536, "vector16"], [2 ** 24 - 1, 2 ** 24, "vector24"]] as const)(
    "%i bytes fit, %i do not (%s)",
    (fits, doesNot, vector) => {
      const write = (length: number) =>
        new Writer()[vector]((body) => body.bytes(new Uint8Array(length))).finish().length
      assert.isAbove(write(fits), fits)
      assert.throws(() => write(doesNot), RangeError)
    }
  )
})

it("what is finished is bytes of its own", () => {
  const writer = new Writer()
  const first = writer.bytes(filled(3, 1)).finish()
  const second = writer.uint8(9).finish()
  second.fill(0)
  assert.deepStrictEqual(first, filled(3, 1))
  assert.strictEqual(writer.finish().length, 0)
})
