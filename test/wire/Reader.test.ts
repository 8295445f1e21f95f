import { assert, describe, it } from "@effect/vitest"
import { Malformed, Reader } from "../../src/wire/Reader.ts"
import { hex, toHex } from "../platform/vectors.ts"

const malformed = (run: () => unknown): Malformed => {
  try {
    run()
  } catch (thrown) {
    if (thrown instanceof Malformed) return thrown
    throw thrown
  }
  return assert.fail("nothing was thrown")
}

it("integers are big-endian (RFC 5246 section 4.1), and unsigned up to their last bit", () => {
  const reader = new Reader(hex("01 0203 040506 ff ffff ffffff 80 8000 800000".replaceAll(" ", "")))
  assert.deepStrictEqual([reader.uint8("a"), reader.uint16("b"), reader.uint24("c")], [0x01, 0x0203, 0x040506])
  assert.deepStrictEqual([reader.uint8("a"), reader.uint16("b"), reader.uint24("c")], [0xff, 0xffff, 0xffffff])
  assert.deepStrictEqual([reader.uint8("a"), reader.uint16("b"), reader.uint24("c")], [0x80, 0x8000, 0x800000])
  assert.strictEqual(reader.remaining, 0)
  reader.end("all")
})

type Read = (reader: Reader) => number | Uint8Array

describe("a read that goes beyond the end names its field, says what is missing, and takes nothing", () => {
  it.each<readonly [name: string, bytes: string, read: Read, why: string]>([
    ["uint8", "", (_) => _.uint8("f"), "needs 1 bytes where 0 are left"],
    ["uint16", "01", (_) => _.uint16("f"), "needs 2 bytes where 1 are left"],
    ["uint24", "0102", (_) => _.uint24("f"), "needs 3 bytes where 2 are left"],
    ["bytes", "010203", (_) => _.bytes("f", 4), "needs 4 bytes where 3 are left"]
  ])("%s", (_, bytes, read, why) => {
    const reader = new Reader(hex(bytes))
    assert.deepStrictEqual(malformed(() => read(reader)), new Malformed("f", why))
    assert.strictEqual(reader.remaining, bytes.length / 2)
  })
})

describe("vectors (RFC 5246 section 4.3)", () => {
  it.each<readonly [name: string, bytes: string, read: Read, body: string, left: number]>([
    ["vector8", "00ff", (_) => _.vector8("v"), "", 1],
    ["vector8", "02aabbff", (_) => _.vector8("v", 2), "aabb", 1],
    ["vector16", "0000", (_) => _.vector16("v"), "", 0],
    ["vector16", "0002aabbffff", (_) => _.vector16("v", 2), "aabb", 2],
    ["vector24", "000000", (_) => _.vector24("v"), "", 0],
    ["vector24", "000001aaff", (_) => _.vector24("v", 1), "aa", 1],
    ["bytes", "aabbcc", (_) => _.bytes("v", 2), "aabb", 1],
    ["bytes", "aabbcc", (_) => _.bytes("v", 0), "", 3],
    ["rest", "aabbcc", (_) => _.rest(), "aabbcc", 0]
  ])("%s of %s", (_, bytes, read, body, left) => {
    const reader = new Reader(hex(bytes))
    const value = read(reader)
    assert.strictEqual(typeof value === "number" ? value : toHex(value), body)
    assert.strictEqual(reader.remaining, left)
  })

  it.each<readonly [name: string, bytes: string, read: Read, why: string]>([
    ["vector8 too short", "03aabb", (_) => _.vector8("v"), "needs 3 bytes where 2 are left"],
    ["vector16 too short", "0100aa", (_) => _.vector16("v"), "needs 256 bytes where 1 are left"],
    ["vector24 too short", "010000aa", (_) => _.vector24("v"), "needs 65536 bytes where 1 are left"],
    ["vector8 below its floor", "01aa", (_) => _.vector8("v", 2), "has 1 bytes, at least 2 are required"],
    ["vector16 below its floor", "0001aa", (_) => _.vector16("v", 2), "has 1 bytes, at least 2 are required"],
    ["vector24 below its floor", "000000", (_) => _.vector24("v", 1), "has 0 bytes, at least 1 are required"]
  ])("%s", (_, bytes, read, why) => {
    const reader = new Reader(hex(bytes))
    assert.deepStrictEqual(malformed(() => read(reader)), new Malformed("v", why))
  })

  it("are views of the bytes they were read from", () => {
    const bytes = hex("02aabb")
    assert.strictEqual(new Reader(bytes).vector8("v").buffer, bytes.buffer)
  })

  it("of two-byte values hold a whole number of them", () => {
    const reader = new Reader(new Uint8Array())
    assert.deepStrictEqual(reader.uint16s("v", hex("00010100ffff")), [1, 256, 65535])
    assert.deepStrictEqual(reader.uint16s("v", hex("")), [])
    assert.strictEqual(malformed(() => reader.uint16s("v", hex("000102"))).field, "v")
  })
})

it("what is left over at the end is an error that names the structure", () => {
  const reader = new Reader(hex("0102"))
  reader.uint8("a")
  assert.deepStrictEqual(
    malformed(() => reader.end("structure")),
    new Malformed("structure", "is followed by 1 bytes too many")
  )
})

it("a reader of a view does not see around it", () => {
  const reader = new Reader(hex("aa0102bb").subarray(1, 3))
  assert.strictEqual(reader.uint16("v"), 0x0102)
  assert.strictEqual(malformed(() => reader.uint8("v")).why, "needs 1 bytes where 0 are left")
})
