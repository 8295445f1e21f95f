/** Record protection of TLS 1.3, RFC 8446 sections 5.2 and 5.3, against `node:crypto`. */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { type CipherGCM, createCipheriv } from "node:crypto"
import { make as primitives } from "../../src/platform/NodePrimitives.ts"
import { protection13 } from "../../src/record/Protection.ts"
import { TrafficSecret } from "../../src/record/TrafficSecret.ts"
import { type CipherSuite13, suites13 } from "../../src/secret/CipherSuite.ts"
import { hashLength, nextTrafficSecret, secretOf, trafficKeys } from "../../src/secret/KeySchedule13.ts"
import { toHex } from "../platform/vectors.ts"
import { bytesUpTo, concat, drain, filled, gcm13, int, openDirection13, protectionOf13, tags } from "./records.ts"

/** A protected fragment, from the RFC and `node:crypto` alone. */
const expectedFragment = (
  { aead }: CipherSuite13,
  key: Uint8Array,
  iv: Uint8Array,
  sequence: bigint,
  inner: Uint8Array
): Uint8Array => {
  const length = inner.length + 16
  const nonce = iv.map((byte, i) => byte ^ (i < 4 ? 0 : Number((sequence >> BigInt(8 * (11 - i))) & 255n)))
  // One call for all three: the overloads of node:crypto take no union, and GCM is what they have in common.
  const cipher = createCipheriv(aead as "aes-128-gcm", key, nonce, { authTagLength: 16 }) as CipherGCM
  cipher.setAAD(Uint8Array.of(23, 3, 3, length >> 8, length & 255), { plaintextLength: inner.length })
  return concat([cipher.update(inner), cipher.final(), cipher.getAuthTag()])
}

const sequences = [0, 1, 255, 256, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 48 + 7, Number.MAX_SAFE_INTEGER]
const sentinel = Uint8Array.of(0xa5, 0xa5, 0xa5)
const isSame = (a: Uint8Array | undefined, b: Uint8Array) => a !== undefined && Buffer.from(a).equals(b)

describe.each(suites13)("$name", (suite) => {
  const [key, iv] = [filled(suite.keyLength, 1), filled(12, 2)]

  it("hides the type, adds type and tag, and knows its limits", () => {
    const { fragmentLimit, hidesType, isProtected, overhead, recordLimit } = protectionOf13(suite)
    assert.deepStrictEqual(
      { fragmentLimit, hidesType, isProtected, overhead, recordLimit },
      { fragmentLimit: 16640, hidesType: true, isProtected: true, overhead: 17, recordLimit: suite.recordLimit }
    )
  })

  it.each(sequences)("record %i is what the RFC says, and opens to content and type", (sequence) => {
    const protection = protectionOf13(suite)
    for (const type of [21, 22, 23]) {
      for (const content of [0, 1, 15, 16, 17, 1400, 16384].map((length) => filled(length, length))) {
        const inner = concat([content, Uint8Array.of(type)])
        const expected = expectedFragment(suite, key, iv, BigInt(sequence), inner)
        // Sealed into the middle of a buffer, of which nothing else is touched.
        const out = new Uint8Array(expected.length + 4).fill(0xa5)
        protection.seal(type, content, sequence, out, 3, 0)
        assert.isTrue(isSame(out, concat([sentinel, expected, sentinel.subarray(2)])))
        assert.isTrue(isSame(protection.open(23, expected, sequence), inner))
        const into = new Uint8Array(inner.length + 4).fill(0xa5)
        assert.strictEqual(protection.openInto(23, expected, sequence, into, 3), inner.length)
        assert.isTrue(isSame(into, concat([sentinel, inner, sentinel.subarray(2)])))
      }
    }
  })

  it("seals with padding, into memory that is not zero (RFC 8446 section 5.4)", () => {
    for (const padding of [1, 2, 255, 16384 - 5]) {
      const inner = concat([filled(5, 1), Uint8Array.of(22), new Uint8Array(padding)])
      const out = new Uint8Array(inner.length + 16 + 4).fill(0xa5)
      protectionOf13(suite).seal(22, filled(5, 1), 3, out, 3, padding)
      const expected = expectedFragment(suite, key, iv, 3n, inner)
      assert.isTrue(isSame(out, concat([sentinel, expected, sentinel.subarray(2)])))
    }
  })

  it("padding opens with the rest, also where there is nothing else (RFC 8446 section 5.4)", () => {
    for (const inner of [new Uint8Array(), new Uint8Array(1), new Uint8Array(300), Uint8Array.of(1, 23, 0, 0)]) {
      const opened = protectionOf13(suite).open(23, expectedFragment(suite, key, iv, 7n, inner), 7)
      assert.deepStrictEqual(opened, inner)
    }
  })

  it("a fragment that is too short to be one does not open", () => {
    const protection = protectionOf13(suite)
    for (let length = 0; length < 16; length++) {
      assert.strictEqual(protection.open(23, new Uint8Array(length), 0), undefined)
      assert.strictEqual(protection.openInto(23, new Uint8Array(length), 0, new Uint8Array(64), 0), -1)
    }
  })

  it("the key may be overwritten after the set-up; the IV belongs to the protection, which overwrites it at the end", () => {
    const [key, iv] = [filled(suite.keyLength, 1), filled(12, 2)]
    const protection = protection13(primitives, suite, key, iv)
    key.fill(0)
    const out = new Uint8Array(5 + 17)
    protection.seal(22, filled(5, 1), 0, out, 0, 0)
    assert.deepStrictEqual(protectionOf13(suite).open(23, out, 0), concat([filled(5, 1), Uint8Array.of(22)]))
    protection.forget()
    assert.isTrue(iv.every((byte) => byte === 0))
    assert.strictEqual(protection.open(23, out, 0), undefined)
    assert.strictEqual(protection.openInto(23, out, 0, new Uint8Array(64), 0), -1)
    assert.throws(() => protection.seal(23, filled(5, 1), 1, out, 0, 0), /keys were forgotten/)
  })

  it("sealing and opening with one protection do not disturb each other", () => {
    const protection = protectionOf13(suite)
    const sealed = [7, 8].map((sequence) => {
      const out = new Uint8Array(4 + 17)
      protection.seal(23, filled(4, sequence), sequence, out, 0, 0)
      return out
    })
    assert.deepStrictEqual(protection.open(23, sealed[1] ?? sentinel, 8)?.subarray(0, 4), filled(4, 8))
    const again = new Uint8Array(4 + 17)
    protection.seal(23, filled(4, 7), 7, again, 0, 0)
    assert.deepStrictEqual(again, sealed[0])
  })
})

const suite = Arbitrary.map(int(0, suites13.length - 1), (i): CipherSuite13 => suites13[i] ?? gcm13)

it.prop(
  "R8446-5.2-02: a fragment with a bit turned, cut, or under another sequence number does not open and leaves nothing",
  {
    suite,
    content: bytesUpTo(60),
    sequence: int(0, 1000),
    bit: int(0, 1_000_000)
  },
  (_) => {
    const protection = protectionOf13(_.suite)
    const sealed = new Uint8Array(_.content.length + 17)
    protection.seal(23, _.content, _.sequence, sealed, 0, 0)
    const turned = sealed.slice()
    const at = (_.bit >> 3) % sealed.length
    turned[at] = (turned[at] ?? 0) ^ (1 << (_.bit & 7))
    const cases: ReadonlyArray<readonly [fragment: Uint8Array, sequence: number]> = [
      [turned, _.sequence],
      [sealed, _.sequence + 1 + (_.bit % 5)],
      [sealed.subarray(0, -1), _.sequence],
      [concat([sealed, Uint8Array.of(_.bit & 255)]), _.sequence]
    ]
    for (const [fragment, sequence] of cases) {
      const into = new Uint8Array(100).fill(0xa5)
      assert.strictEqual(protection.open(23, fragment, sequence), undefined)
      assert.strictEqual(protection.openInto(23, fragment, sequence, into, 0), -1)
      assert.isTrue(into.every((byte) => byte === 0xa5))
    }
    assert.deepStrictEqual(protection.open(23, sealed, _.sequence)?.subarray(0, -1), _.content)
  },
  { arbitrary: { runs: 300 } }
)

it.prop("R8446-5.2-02: a record with any one bit turned, header included, never becomes content", {
  suite,
  content: bytesUpTo(60),
  bit: int(0, 1_000_000)
}, (_) => {
  const { inbound, outbound } = openDirection13({ suite: _.suite })
  const record = outbound.seal(23, concat([_.content, Uint8Array.of(1)]))
  const at = (_.bit >> 3) % record.length
  record[at] = (record[at] ?? 0) ^ (1 << (_.bit & 7))
  const target = { buffer: new Uint8Array(100), at: 0 }
  inbound.push(record)
  // What a length that grew is waiting for comes as well.
  inbound.push(new Uint8Array(65535))
  // The type may become one that is in the clear: a handshake message, or an alert that is too long.
  const faults = at === 0
    ? ["RecordTypeUnknown", "MessageUnexpected", "AlertMalformed"]
    : at < 3
    ? ["BadRecordMac"]
    : at < 5
    ? ["RecordTooLong", "BadRecordMac"]
    : ["BadRecordMac"]
  const [only, ...more] = tags(drain(inbound, target))
  assert.include(faults, only)
  assert.deepStrictEqual(more, [])
  assert.deepStrictEqual(target, { buffer: new Uint8Array(100), at: 0 })
}, { arbitrary: { runs: 500 } })

describe.each(suites13)("the traffic secret of $name", (suite) => {
  const bytes = filled(hashLength[suite.hash], 3)
  const make = () => new TrafficSecret(primitives, suite, secretOf(primitives, suite.hash, bytes.slice()))
  /** The first record under a secret, by the schedule and `node:crypto`. */
  const first = (secret: Uint8Array): string | undefined => {
    const { iv, key } = trafficKeys(secretOf(primitives, suite.hash, secret), suite)
    return toHex(expectedFragment(suite, key, iv, 0n, Uint8Array.of(9, 23)))
  }
  const sealed = ({ parameters }: Pick<TrafficSecret, "parameters">): string | undefined => {
    const out = new Uint8Array(18)
    parameters.protection.seal(23, Uint8Array.of(9), 0, out, 0, 0)
    return toHex(out)
  }

  it("gives its keys, and after a KeyUpdate those of the next (RFC 8446 section 7.2)", () => {
    const traffic = make()
    assert.strictEqual(sealed(traffic), first(bytes))
    let secret = secretOf(primitives, suite.hash, bytes.slice())
    for (let update = 0; update < 3; update++) {
      secret = nextTrafficSecret(primitives, secret)
      const parameters = traffic.next()
      assert.strictEqual(sealed({ parameters }), first(secret.bytes))
      assert.strictEqual(sealed(traffic), first(secret.bytes))
      assert.deepStrictEqual(traffic.secret.bytes, secret.bytes)
    }
  })

  it("is overwritten by the next, and by forget", () => {
    const traffic = make()
    const before = traffic.secret.bytes
    traffic.next()
    assert.isTrue(before.every((byte) => byte === 0))
    const after = traffic.secret.bytes
    assert.isFalse(after.every((byte) => byte === 0))
    traffic.forget()
    assert.isTrue(after.every((byte) => byte === 0))
  })
})
