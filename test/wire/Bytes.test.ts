import { assert, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Bytes from "../../src/wire/Bytes.ts"
import { bytesUpTo } from "../record/records.ts"

it.prop("concat gives what Buffer.concat gives, as bytes of its own", {
  parts: Arbitrary.array(bytesUpTo(20), { maxLength: 5 })
}, (_) => {
  const joined = Bytes.concat(_.parts)
  assert.isTrue(Buffer.concat(_.parts).equals(joined))
  assert.isTrue(_.parts.every((part) => part.buffer !== joined.buffer))
})

it.prop("samePublic compares the bytes, all of them and their number", {
  a: bytesUpTo(6),
  b: bytesUpTo(6)
}, ({ a, b }) => {
  assert.strictEqual(Bytes.samePublic(a, b), Buffer.compare(a, b) === 0)
  assert.isTrue(Bytes.samePublic(a, a.slice()))
  for (let i = 0; i < a.length; i++) assert.isFalse(Bytes.samePublic(a, a.with(i, (a[i] ?? 0) ^ 0x80)))
  assert.isFalse(Bytes.samePublic(a, Bytes.concat([a, Uint8Array.of(0)])))
})

it.prop(
  "hexadecimal is lower case, two digits a byte, there and back",
  { bytes: bytesUpTo(40) },
  ({ bytes }) => {
    assert.strictEqual(Bytes.toHex(bytes), Buffer.from(bytes).toString("hex"))
    assert.deepStrictEqual(Bytes.fromHex(Bytes.toHex(bytes)), bytes)
  }
)

it("every byte has a character of its own in latin1, that of its number", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
  const text = Bytes.toLatin1(bytes)
  assert.strictEqual(text, Buffer.from(bytes).toString("latin1"))
  assert.deepStrictEqual(Array.from(text, (character) => character.codePointAt(0)), [...bytes])
  assert.deepStrictEqual(Bytes.fromLatin1(text), bytes)
  assert.throws(() => Bytes.fromLatin1("a\u0100"), RangeError)
})

it("UTF-8 there and back; what is not UTF-8 is no text", () => {
  for (const text of ["", "http/1.1", "grüße €", "𝄞"]) {
    const bytes = Bytes.fromText(text)
    assert.isTrue(Buffer.from(text, "utf8").equals(bytes))
    assert.strictEqual(Bytes.toText(bytes), text)
  }
  for (const bad of [[0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0x61, 0x80]]) {
    assert.strictEqual(Bytes.toText(Uint8Array.from(bad)), undefined)
  }
})

it("empty is empty", () => assert.strictEqual(Bytes.empty.length, 0))
