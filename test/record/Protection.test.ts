import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { type CipherGCM, createCipheriv } from "node:crypto"
import { make as primitives } from "../../src/platform/NodePrimitives.ts"
import { Inbound } from "../../src/record/Inbound.ts"
import { nullProtection, protection12 } from "../../src/record/Protection.ts"
import { type CipherSuite, suites } from "../../src/secret/CipherSuite.ts"
import type { AeadName } from "../../src/secret/Primitives.ts"
import { hex, readVectors, titleOf, toHex, type Wycheproof } from "../platform/vectors.ts"
import {
  bytesUpTo,
  chacha20,
  concat,
  drain,
  filled,
  gcm,
  int,
  limits,
  makeRecord,
  openDirection,
  protectionOf,
  tags
} from "./records.ts"

const uint64 = (value: bigint): Uint8Array =>
  Uint8Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(56 - 8 * i)) & 255n))

/** `seq_num + TLSCompressed.type + TLSCompressed.version + TLSCompressed.length`, RFC 5246 section 6.2.3.3. */
const additionalData = (sequence: bigint, type: number, length: number): Uint8Array =>
  concat([uint64(sequence), Uint8Array.of(type, 3, 3, length >> 8, length & 255)])

const aeadOf = (
  name: AeadName,
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array
): Uint8Array => {
  // One call for all three: the overloads of node:crypto take no union, and GCM is what they have in common.
  const cipher = createCipheriv(name as "aes-128-gcm", key, nonce, { authTagLength: 16 }) as CipherGCM
  cipher.setAAD(aad, { plaintextLength: plaintext.length })
  return concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

/** A protected fragment, from the RFCs and `node:crypto` alone: RFC 5288 section 3, RFC 7905 section 2. */
const expectedFragment = (
  { aead }: CipherSuite,
  key: Uint8Array,
  fixedIv: Uint8Array,
  type: number,
  sequence: bigint,
  plaintext: Uint8Array
): Uint8Array => {
  const aad = additionalData(sequence, type, plaintext.length)
  if (aead === "chacha20-poly1305") {
    const padded = concat([new Uint8Array(4), uint64(sequence)])
    const nonce = padded.map((byte, i) => byte ^ (fixedIv[i] ?? NaN))
    return aeadOf(aead, key, nonce, aad, plaintext)
  }
  const explicit = uint64(sequence)
  return concat([explicit, aeadOf(aead, key, concat([fixedIv, explicit]), aad, plaintext)])
}

const sequences = [0, 1, 255, 256, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 48 + 7, Number.MAX_SAFE_INTEGER]

describe.each(suites)("$name", (suite) => {
  const key = filled(suite.keyLength, 1)
  const fixedIv = filled(suite.fixedIvLength, 2)
  const contents = [0, 1, 15, 16, 17, 1400, 16384].map((length) => filled(length, length))

  it.each(sequences)("record %i is what the RFCs say, and opens", (sequence) => {
    const protection = protectionOf(suite)
    for (const type of [20, 21, 22, 23]) {
      for (const plaintext of contents) {
        const expected = expectedFragment(suite, key, fixedIv, type, BigInt(sequence), plaintext)
        assert.strictEqual(protection.overhead, expected.length - plaintext.length)
        // Sealed into the middle of a buffer, of which nothing else is touched.
        const out = new Uint8Array(expected.length + 4).fill(0xa5)
        protection.seal(type, plaintext, sequence, out, 3, 0)
        assert.isTrue(Buffer.from(out).equals(concat([Uint8Array.of(0xa5, 0xa5, 0xa5), expected, Uint8Array.of(0xa5)])))

        assert.isTrue(Buffer.from(plaintext).equals(protection.open(type, expected, sequence) ?? Uint8Array.of(1, 2)))
        const into = new Uint8Array(plaintext.length + 4).fill(0xa5)
        assert.strictEqual(protection.openInto(type, expected, sequence, into, 3), plaintext.length)
        assert.isTrue(
          Buffer.from(into).equals(concat([Uint8Array.of(0xa5, 0xa5, 0xa5), plaintext, Uint8Array.of(0xa5)]))
        )
      }
    }
  })

  it("a fragment that is too short to be one does not open", () => {
    const protection = protectionOf(suite)
    for (let length = 0; length < protection.overhead; length++) {
      assert.strictEqual(protection.open(23, new Uint8Array(length), 0), undefined)
      assert.strictEqual(protection.openInto(23, new Uint8Array(length), 0, new Uint8Array(64), 0), -1)
    }
  })

  it("the key may be overwritten after the set-up; the IV belongs to the protection, which overwrites it at the end", () => {
    const [key, fixedIv] = [filled(suite.keyLength, 1), filled(suite.fixedIvLength, 2)]
    const protection = protection12(primitives, suite, key, fixedIv)
    key.fill(0)
    const out = new Uint8Array(5 + protection.overhead)
    protection.seal(23, filled(5, 1), 0, out, 0, 0)
    assert.deepStrictEqual(protectionOf(suite).open(23, out, 0), filled(5, 1))
    protection.forget()
    assert.isTrue(fixedIv.every((byte) => byte === 0))
    assert.strictEqual(protection.open(23, out, 0), undefined)
  })
})

describe("published AEAD vectors as records", () => {
  interface AeadTest {
    readonly key: string
    readonly iv: string
    readonly msg: string
    readonly ct: string
  }
  const suiteOf = (aead: AeadName): CipherSuite | undefined => suites.find((suite) => suite.aead === aead)

  // The ciphertext does not depend on the additional data, so it must be that of the vector; only the tag is of TLS.
  it.each(["aead-aes-gcm.json", "aead-chacha20-poly1305.json"])("%s", (file) => {
    let count = 0
    for (
      const { aead, ivSize, tests } of readVectors<
        Wycheproof<{ readonly aead: AeadName; readonly ivSize: number }, AeadTest>
      >(file).groups
    ) {
      const suite = suiteOf(aead)
      if (suite === undefined) return assert.fail(aead)
      if (ivSize !== 96) continue
      for (const test of tests.filter(({ result }) => result === "valid")) {
        count++
        const [key, iv, plaintext, ct] = [hex(test.key), hex(test.iv), hex(test.msg), hex(test.ct)]
        const isExplicit = suite.recordIvLength > 0
        const fixedIv = iv.subarray(0, suite.fixedIvLength)
        const tag = aeadOf(aead, key, iv, additionalData(0n, 23, plaintext.length), plaintext).subarray(-16)
        const fragment = concat([isExplicit ? iv.subarray(4) : new Uint8Array(), ct, tag])
        const opening = protection12(primitives, suite, key, fixedIv.slice())
        assert.strictEqual(toHex(opening.open(23, fragment, 0)), test.msg, titleOf(test))
        if (isExplicit) continue
        const out = new Uint8Array(fragment.length)
        opening.seal(23, plaintext, 0, out, 0, 0)
        assert.strictEqual(toHex(out), toHex(fragment), titleOf(test))
      }
    }
    assert.isAbove(count, 50)
  })
})

const suite = Arbitrary.map(int(0, suites.length - 1), (i): CipherSuite => suites[i] ?? gcm)

it.prop("a fragment with a bit turned, or under another type or sequence number, does not open and leaves nothing", {
  suite,
  plaintext: bytesUpTo(60),
  sequence: int(0, 1000),
  type: int(20, 23),
  bit: int(0, 1_000_000)
}, (_) => {
  const protection = protectionOf(_.suite)
  const sealed = new Uint8Array(_.plaintext.length + protection.overhead)
  protection.seal(_.type, _.plaintext, _.sequence, sealed, 0, 0)
  const turned = sealed.slice()
  const at = (_.bit >> 3) % sealed.length
  turned[at] = (turned[at] ?? 0) ^ (1 << (_.bit & 7))
  const cases: ReadonlyArray<readonly [type: number, fragment: Uint8Array, sequence: number]> = [
    [_.type, turned, _.sequence],
    [20 + (_.type - 20 + 1 + (_.bit % 3)) % 4, sealed, _.sequence],
    [_.type, sealed, _.sequence + 1 + (_.bit % 5)],
    [_.type, sealed.subarray(0, -1), _.sequence],
    [_.type, concat([sealed, Uint8Array.of(_.bit & 255)]), _.sequence]
  ]
  for (const [type, fragment, sequence] of cases) {
    const into = new Uint8Array(100).fill(0xa5)
    assert.strictEqual(protection.open(type, fragment, sequence), undefined)
    assert.strictEqual(protection.openInto(type, fragment, sequence, into, 0), -1)
    assert.isTrue(into.every((byte) => byte === 0xa5))
  }
  assert.deepStrictEqual(protection.open(_.type, sealed, _.sequence), _.plaintext)
}, { arbitrary: { runs: 300 } })

it.prop("a record with any one bit turned, header included, never becomes content", {
  suite,
  plaintext: bytesUpTo(60),
  bit: int(0, 1_000_000)
}, (_) => {
  const { inbound, outbound } = openDirection({ suite: _.suite })
  const record = outbound.seal(23, concat([_.plaintext, Uint8Array.of(1)]))
  const at = (_.bit >> 3) % record.length
  record[at] = (record[at] ?? 0) ^ (1 << (_.bit & 7))
  const target = { buffer: new Uint8Array(100), at: 0 }
  inbound.push(record)
  // What a length that grew is waiting for comes as well.
  inbound.push(new Uint8Array(65535))
  const fault = at === 0
    ? ["RecordTypeUnknown", "BadRecordMac"]
    : at < 3
    ? ["RecordVersionWrong"]
    : at < 5
    ? ["RecordTooLong", "BadRecordMac"]
    : ["BadRecordMac"]
  const [only, ...more] = tags(drain(inbound, target))
  assert.include(fault, only)
  assert.deepStrictEqual(more, [])
  assert.deepStrictEqual(target, { buffer: new Uint8Array(100), at: 0 })
}, { arbitrary: { runs: 500 } })

it("an explicit nonce need not be the sequence number (RFC 5246 section 6.2.3.3 leaves it to the sender)", () => {
  const { aead, keyLength } = gcm
  const explicit = filled(8, 9)
  const nonce = concat([filled(4, 2), explicit])
  const sealed = aeadOf(aead, filled(keyLength, 1), nonce, additionalData(5n, 23, 3), filled(3, 3))
  assert.deepStrictEqual(protectionOf(gcm).open(23, concat([explicit, sealed]), 5), filled(3, 3))
})

it("sealing and opening with one protection do not disturb each other", () => {
  for (const suite of [gcm, chacha20]) {
    const protection = protectionOf(suite)
    const [a, b] = [7, 8].map((sequence) => {
      const out = new Uint8Array(4 + protection.overhead)
      protection.seal(23, filled(4, sequence), sequence, out, 0, 0)
      return out
    })
    assert.deepStrictEqual(protection.open(23, b ?? new Uint8Array(), 8), filled(4, 8))
    const again = new Uint8Array(4 + protection.overhead)
    protection.seal(23, filled(4, 7), 7, again, 0, 0)
    assert.deepStrictEqual(again, a)
  }
})

it("the null protection is the content itself (RFC 5246 section 6.1)", () => {
  const out = new Uint8Array(6)
  nullProtection.seal(22, filled(4, 1), 0, out, 1, 0)
  assert.deepStrictEqual(out.subarray(1, 5), filled(4, 1))
  assert.deepStrictEqual(nullProtection.open(22, filled(4, 1), 0), filled(4, 1))
  assert.strictEqual(nullProtection.openInto(22, filled(4, 2), 0, out, 2), 4)
  assert.deepStrictEqual(out.subarray(2), filled(4, 2))
  const inbound = new Inbound({ handshake: limits })
  inbound.push(makeRecord(22, new Uint8Array(4)))
  assert.deepStrictEqual(tags(drain(inbound)), ["Handshake"])
})
