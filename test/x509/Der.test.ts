import { assert, describe, it } from "@effect/vitest"
import { formatTime, time } from "../../src/x509/Time.ts"
import { Der, namedBits, oidOf, whole } from "../../src/x509/Der.ts"
import { Malformed } from "../../src/wire/Reader.ts"
import { Dice } from "../fuzz/Dice.ts"
import { ascii, integer, oid, sequence, tlv } from "./Maker.ts"

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replaceAll(" ", ""), "hex"))

/** What is wrong, or `undefined`. */
const fault = (read: () => unknown): string | undefined => {
  try {
    read()
    return undefined
  } catch (thrown) {
    if (!(thrown instanceof Malformed)) throw thrown
    return `${thrown.field} ${thrown.why}`
  }
}

const any = (der: Der) => der.any("it")

describe("elements (X.690 sections 8.1 and 10.1)", () => {
  it.each([
    ["", "it is missing"],
    ["04", "it is missing"],
    ["04 01", "it needs 1 bytes where 0 are left"],
    ["04 80 00 00", "it has no definite length"],
    ["24 80 04 00 00 00", "it has no definite length"],
    ["04 81 01 00", "it has a length in a longer form"],
    ["04 81 7f", "it has a length in a longer form"],
    ["04 82 00 80", "it has a length in a longer form"],
    ["04 83 00 01 00", "it has a length in a longer form"],
    ["04 82 01", "it needs 256 bytes where 0 are left"],
    ["04 82 01 00", "it needs 256 bytes where 0 are left"],
    ["04 85 00 00 00 00 01 00", "it is too long"],
    ["04 ff", "it is too long"],
    ["1f 81 01 00", "it has a tag number above 30"],
    ["04 00 00", "it is followed by 1 bytes too many"]
  ])("%s is refused: %s", (bytes, why) => {
    assert.strictEqual(fault(() => whole(hex(bytes), "it", any)), why)
  })

  it.each([["04 00", 0], ["04 01 ff", 1], [`04 81 80 ${"00".repeat(128)}`, 128], [
    `04 82 01 00 ${"00".repeat(256)}`,
    256
  ]])(
    "%s is read",
    (bytes, length) => assert.strictEqual(whole(hex(bytes), "it", any).content.length, length)
  )

  it("another tag is refused, and one that is optional is left", () => {
    const der = new Der(hex("02 01 05"))
    assert.strictEqual(fault(() => der.content(4, "it")), "it has the tag 0x2")
    assert.strictEqual(der.optional(4, "it"), undefined)
    assert.strictEqual(der.smallInteger("it"), 5)
    assert.strictEqual(fault(() => der.content(4, "it")), "it is missing")
  })

  it("no prefix and no change of a length is read as the whole", () => {
    const bytes = sequence(integer(5), sequence(oid("1.2.3"), tlv(4, new Uint8Array(300))))
    const read = (der: Der) =>
      der.within(0x30, "it", (content) => [
        content.smallInteger("it"),
        content.within(0x30, "it", (inner) => [inner.oid("it"), inner.content(4, "it").length])
      ])
    assert.deepStrictEqual(whole(bytes, "it", read), [5, ["1.2.3", 300]])
    for (let length = 0; length < bytes.length; length++) {
      assert.isDefined(fault(() => whole(bytes.subarray(0, length), "it", read)), `${length}`)
    }
  })

  it("any bytes are read or refused, and nothing else happens", () => {
    const dice = new Dice("any bytes")
    for (let i = 0; i < 2000; i++) {
      const bytes = dice.bytes(1 + dice.below(40))
      fault(() => {
        const walk = (der: Der): void => {
          while (!der.isEmpty) {
            const { content, tag } = der.any("it")
            if ((tag & 0x20) !== 0) walk(new Der(content))
          }
        }
        walk(new Der(bytes))
      })
    }
  })
})

describe("values", () => {
  const integers: ReadonlyArray<readonly [string, number | string]> = [
    ["02 01 00", 0],
    ["02 01 7f", 127],
    ["02 02 00 80", 128],
    ["02 04 7f ff ff ff", 2 ** 31 - 1],
    ["02 00", "it is an empty integer"],
    ["02 02 00 7f", "it is an integer in a longer form"],
    ["02 02 ff 80", "it is an integer in a longer form"],
    ["02 01 80", "it is out of range"],
    ["02 05 00 80 00 00 00", "it is out of range"]
  ]
  it.each(integers)("INTEGER %s is %s", (bytes, expected) => {
    const read = () => whole(hex(bytes), "it", (der) => der.smallInteger("it"))
    if (typeof expected === "number") assert.strictEqual(read(), expected)
    else assert.strictEqual(fault(read), expected)
  })

  it.each([["01 01 00", undefined], ["01 01 ff", undefined], ["01 01 01", "it is no boolean"], [
    "01 00",
    "it is no boolean"
  ], [
    "01 02 ff ff",
    "it is no boolean"
  ]])("BOOLEAN %s", (bytes, expected) => {
    assert.strictEqual(fault(() => whole(hex(bytes), "it", (der) => der.boolean("it"))), expected)
  })

  const objects: ReadonlyArray<readonly [string, string]> = [
    ["2a 86 48 86 f7 0d 01 01 0b", "1.2.840.113549.1.1.11"],
    ["55 1d 13", "2.5.29.19"],
    ["00", "0.0"],
    ["27", "0.39"],
    ["28", "1.0"],
    ["4f", "1.39"],
    ["50", "2.0"],
    ["88 37 03", "2.999.3"],
    ["69 83 b8 a1 94 dc a8 a9 c3 a5 e8 f7 cd a4 a7 d4 91 d3 78 01", ""],
    ["", "it is no object identifier"],
    ["2a 80 01", "it is an object identifier in a longer form"],
    ["80 01", "it is an object identifier in a longer form"],
    ["2a 86", "it is half an object identifier"],
    ["01".repeat(65), "it is no object identifier"]
  ]
  it.each(objects)("OBJECT IDENTIFIER %s is %s", (bytes, expected) => {
    if (expected === "") {
      // An arc of 128 bits, as those made of a UUID.
      assert.match(oidOf(hex(bytes), "it"), /^2\.25\.\d{37,39}\.1$/)
      return
    }
    assert.strictEqual(fault(() => oidOf(hex(bytes), "it")) ?? oidOf(hex(bytes), "it"), expected)
  })

  it("object identifiers come back as they were written", () => {
    const dice = new Dice("identifiers")
    for (let i = 0; i < 500; i++) {
      const root = dice.below(3)
      const arcs = [
        root,
        dice.below(root < 2 ? 40 : 48),
        ...Array.from({ length: dice.below(8) }, () => dice.below(2 ** 31))
      ]
      const text = arcs.join(".")
      assert.strictEqual(whole(oid(text), "it", (der) => der.oid("it")), text)
    }
  })

  it.each([
    ["07 80", 1],
    ["01 06", 0b1100000],
    ["00 80", 1],
    ["00", 0],
    ["07 80 80", undefined],
    ["07 c0", undefined],
    [
      "08 00",
      undefined
    ],
    ["01", undefined],
    ["", undefined]
  ])("named bits %s are %s", (bytes, expected) => {
    const content = hex(bytes)
    if (expected === undefined && bytes !== "07 80 80") assert.isDefined(fault(() => namedBits(content, "it")))
    else assert.strictEqual(fault(() => namedBits(content, "it")), undefined)
    if (expected !== undefined) assert.strictEqual(namedBits(content, "it"), expected)
  })
})

describe("times (RFC 5280 section 4.1.2.5)", () => {
  const read = (tag: number, text: string): number => whole(tlv(tag, ascii(text)), "it", (der) => time(der, "it"))

  it("are seconds since the epoch, and print as they are", () => {
    const dice = new Dice("times")
    const moments = [0, -1, 951_782_400, 4_107_542_400, 253_402_300_799, -62_167_219_200, 2_524_607_999, -631_152_000]
    for (let i = 0; i < 2000; i++) moments.push(dice.below(2 ** 31) * 100 - 60_000_000_000)
    for (const seconds of moments) {
      const iso = new Date(seconds * 1000).toISOString().replace(".000Z", "Z")
      assert.strictEqual(formatTime(seconds), iso)
      const digits = iso.replaceAll(/[-:T]/g, "")
      assert.strictEqual(read(0x18, digits), seconds, iso)
      const year = new Date(seconds * 1000).getUTCFullYear()
      if (year >= 1950 && year < 2050) assert.strictEqual(read(0x17, digits.slice(2)), seconds, iso)
    }
  })

  it.each([
    [0x17, "260101000000"],
    [0x17, "2601010000Z"],
    [0x17, "260101000000+0000"],
    [0x17, "20260101000000Z"],
    [0x17, "261301000000Z"],
    [0x17, "260229000000Z"],
    [0x17, "260100000000Z"],
    [0x17, "260101240000Z"],
    [0x17, "260101006000Z"],
    [0x17, "260101000060Z"],
    [0x17, "26010100000 Z"],
    [0x17, "26010100000\u0660"],
    [0x18, "20260101000000"],
    [0x18, "202601010000Z"],
    [0x18, "20260101000000.5Z"],
    [0x18, "21000229000000Z"],
    [0x18, "20260101000000z"],
    [0x18, ""],
    [0x13, "20260101000000Z"]
  ])("tag %i, %j is none", (tag, text) => assert.isDefined(fault(() => read(tag, text))))
})
