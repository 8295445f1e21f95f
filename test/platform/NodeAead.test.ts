import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import { inspect } from "node:util"
import { make } from "../../src/platform/NodePrimitives.ts"
import type { AeadName } from "../../src/secret/Primitives.ts"
import { hex, readVectors, titleOf } from "./vectors.ts"
import type { Wycheproof } from "./vectors.ts"

interface AeadTest {
  readonly key: string
  readonly iv: string
  readonly aad: string
  readonly msg: string
  readonly ct: string
  readonly tag: string
}

const names: ReadonlyArray<AeadName> = ["aes-128-gcm", "aes-256-gcm", "chacha20-poly1305"]
const keyLength = (name: AeadName): number => (name === "aes-128-gcm" ? 16 : 32)

const filled = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * 31 + seed * 17 + (index >> 8)) & 255)

const sealed = (name: AeadName, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array) => {
  const key = make.aead(name, filled(keyLength(name), 1))
  const out = new Uint8Array(plaintext.length + 16)
  key.seal(nonce, aad, plaintext, out, 0)
  return { key, out }
}

const nonce = filled(12, 2)
const aad = filled(13, 3)
const lengths = [0, 1, 15, 16, 17, 64, 4095, 4096, 4097, 16384]

describe.each(["aead-aes-gcm.json", "aead-chacha20-poly1305.json"])("%s", (file) => {
  const { groups } = readVectors<Wycheproof<{ readonly aead: AeadName; readonly ivSize: number }, AeadTest>>(file)
  for (const { aead, ivSize, tests } of groups) {
    it(`${aead}, nonce of ${ivSize} bits: ${tests.length} cases`, () => {
      for (const test of tests) {
        const [nonce, aad, plaintext] = [hex(test.iv), hex(test.aad), hex(test.msg)]
        const key = make.aead(aead, hex(test.key))
        const whole = hex(test.ct + test.tag)
        const out = new Uint8Array(plaintext.length + 16)
        if (ivSize !== 96) {
          // A nonce of another length is good for GCM in general, never for TLS: a defect here, whatever the vector
          // says.
          assert.throws(() => key.seal(nonce, aad, plaintext, out, 0), RangeError)
          assert.throws(() => key.open(nonce, aad, whole), RangeError)
        } else if (test.result === "valid") {
          key.seal(nonce, aad, plaintext, out, 0)
          assert.deepStrictEqual(out, whole, titleOf(test))
          assert.deepStrictEqual(key.open(nonce, aad, whole), plaintext, titleOf(test))
          const into = new Uint8Array(plaintext.length)
          assert.strictEqual(key.openInto(nonce, aad, whole, into, 0), plaintext.length, titleOf(test))
          assert.deepStrictEqual(into, plaintext, titleOf(test))
        } else {
          const into = new Uint8Array(plaintext.length).fill(0xa5)
          assert.strictEqual(key.open(nonce, aad, whole), undefined, titleOf(test))
          assert.strictEqual(key.openInto(nonce, aad, whole, into, 0), -1, titleOf(test))
          assert.deepStrictEqual(into, new Uint8Array(plaintext.length).fill(0xa5), titleOf(test))
        }
      }
    })
  }
})

describe.each(names)("%s", (name) => {
  it.each(lengths)("%i bytes seal and open, with nothing around them touched", (length) => {
    const plaintext = filled(length, 4)
    const key = make.aead(name, filled(keyLength(name), 1))
    const out = new Uint8Array(length + 16 + 10).fill(0xa5)
    key.seal(nonce, aad, plaintext, out, 5)
    assert.deepStrictEqual(plaintext, filled(length, 4))
    assert.deepStrictEqual(out.subarray(0, 5), new Uint8Array(5).fill(0xa5))
    assert.deepStrictEqual(out.subarray(length + 21), new Uint8Array(5).fill(0xa5))
    const whole = out.subarray(5, length + 21)

    const opened = key.open(nonce, aad, whole)
    assert.deepStrictEqual(opened, plaintext)
    // Owned, and not a Buffer: nobody else has a view of its memory.
    assert.strictEqual(opened?.constructor, Uint8Array)
    assert.strictEqual(opened?.buffer.byteLength, length)

    const into = new Uint8Array(length + 6).fill(0xa5)
    assert.strictEqual(key.openInto(nonce, aad, whole, into, 3), length)
    assert.deepStrictEqual(into.subarray(3, 3 + length), plaintext)
    assert.deepStrictEqual(into.subarray(0, 3), new Uint8Array(3).fill(0xa5))
    assert.deepStrictEqual(into.subarray(3 + length), new Uint8Array(3).fill(0xa5))
  })

  it("a byte changed at any place is refused and leaves the buffer alone", () => {
    const { key, out } = sealed(name, nonce, aad, filled(40, 5))
    for (let at = 0; at < out.length; at++) {
      const bad = out.slice()
      bad[at] = (bad[at] ?? 0) ^ (1 << (at % 8))
      const into = new Uint8Array(40).fill(0xa5)
      assert.strictEqual(key.open(nonce, aad, bad), undefined)
      assert.strictEqual(key.openInto(nonce, aad, bad, into, 0), -1)
      assert.deepStrictEqual(into, new Uint8Array(40).fill(0xa5))
    }
    assert.deepStrictEqual(key.open(nonce, aad, out), filled(40, 5))
  })

  it("another nonce, other additional data, another key, a shorter or a longer record are refused", () => {
    const { key, out } = sealed(name, nonce, aad, filled(40, 5))
    const other = make.aead(name, filled(keyLength(name), 9))
    assert.strictEqual(key.open(filled(12, 9), aad, out), undefined)
    assert.strictEqual(key.open(nonce, filled(13, 9), out), undefined)
    assert.strictEqual(key.open(nonce, new Uint8Array(0), out), undefined)
    assert.strictEqual(other.open(nonce, aad, out), undefined)
    for (let length = 0; length < out.length; length++) {
      assert.strictEqual(key.open(nonce, aad, out.subarray(0, length)), undefined)
      assert.strictEqual(key.openInto(nonce, aad, out.subarray(0, length), new Uint8Array(40), 0), -1)
    }
    assert.strictEqual(key.open(nonce, aad, Uint8Array.of(...out, 0)), undefined)
  })

  it("opens and seals in place", () => {
    const buffer = new Uint8Array(5000 + 16)
    buffer.set(filled(5000, 6))
    const key = make.aead(name, filled(keyLength(name), 1))
    key.seal(nonce, aad, buffer.subarray(0, 5000), buffer, 0)
    assert.deepStrictEqual(buffer, sealed(name, nonce, aad, filled(5000, 6)).out)
    assert.strictEqual(key.openInto(nonce, aad, buffer, buffer, 0), 5000)
    assert.deepStrictEqual(buffer.subarray(0, 5000), filled(5000, 6))
  })

  it("a key or a nonce of the wrong length is a defect", () => {
    assert.throws(() => make.aead(name, new Uint8Array(keyLength(name) - 1)), RangeError)
    assert.throws(() => make.aead(name, new Uint8Array(keyLength(name) + 1)), RangeError)
    const { key, out } = sealed(name, nonce, aad, filled(4, 5))
    assert.throws(() => key.seal(new Uint8Array(11), aad, out, new Uint8Array(99), 0), RangeError)
    assert.throws(() => key.open(new Uint8Array(13), aad, out), RangeError)
  })

  it("prints its algorithm, not its key", () => {
    const secret = filled(keyLength(name), 1)
    const key = make.aead(name, secret)
    assert.strictEqual(JSON.stringify(key), JSON.stringify({ algorithm: name }))
    assert.strictEqual(inspect(key, { showHidden: true, depth: null }), `NodeAeadKey { algorithm: '${name}' }`)
  })
})

const Byte = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))
const bytes = (maxLength: number) =>
  Arbitrary.map(Arbitrary.array(Arbitrary.schema(Byte), { maxLength }), (values) => Uint8Array.from(values))
const Name = Arbitrary.schema(Schema.Literals(["aes-128-gcm", "aes-256-gcm", "chacha20-poly1305"]))
const Place = Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_000_000 })))

it.prop("openInto gives what open gives, also for a record changed at some place", {
  name: Name,
  plaintext: bytes(200),
  aad: bytes(40),
  place: Place,
  change: Arbitrary.schema(Byte)
}, ({ name, plaintext, aad, place, change }) => {
  const { key, out } = sealed(name, nonce, aad, plaintext)
  const at = place % out.length
  out[at] = (out[at] ?? 0) ^ change
  const into = new Uint8Array(plaintext.length).fill(0xa5)
  const opened = key.open(nonce, aad, out)
  const length = key.openInto(nonce, aad, out, into, 0)
  assert.deepStrictEqual(opened, change === 0 ? plaintext : undefined)
  assert.strictEqual(length, change === 0 ? plaintext.length : -1)
  assert.deepStrictEqual(into, change === 0 ? plaintext : new Uint8Array(plaintext.length).fill(0xa5))
}, { arbitrary: { runs: 200 } })
