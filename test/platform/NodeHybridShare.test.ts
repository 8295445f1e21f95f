/** X25519MLKEM768, draft-ietf-tls-ecdhe-mlkem: with the published vectors of its two halves. */
import { assert, describe, it } from "@effect/vitest"
import * as crypto from "node:crypto"
import { inspect } from "node:util"
import { isAvailable } from "../../src/platform/NodeHybridShare.ts"
import { make } from "../../src/platform/NodePrimitives.ts"
import type { KeyShareResponse } from "../../src/secret/Primitives.ts"
import { concat } from "../record/records.ts"
import { hex, readVectors, titleOf, toHex, type Wycheproof } from "./vectors.ts"

const group = "x25519mlkem768"

it("the groups are those of the runtime: without ML-KEM all the others", () => {
  const curves = ["x25519", "secp256r1", "secp384r1", "secp521r1"]
  assert.deepStrictEqual([...make.groups], isAvailable ? [...curves, group] : curves)
  // OpenSSL 3.5 is the first that has it.
  const [major = 0, minor = 0] = process.versions.openssl.split(".").map(Number)
  assert.isTrue(!isAvailable || major > 3 || minor >= 5)
  assert.isTrue(!isAvailable || "encapsulate" in crypto)
})

describe.runIf(isAvailable)(group, () => {
  const scalar = new Uint8Array(32).fill(3)
  const x25519 = make.keyShare("x25519", new Uint8Array(32).fill(4))
  const classical = x25519.agree(make.keyShare("x25519", scalar).publicKey) ?? new Uint8Array()
  const respond = (peer: Uint8Array): KeyShareResponse => {
    const response = make.respond(group, peer)
    return response ?? assert.fail("the share was refused")
  }

  it("a client's share has 1216 bytes, a server's 1120, the secret 64, and both sides agree", () => {
    const [client, other] = [make.keyShare(group), make.keyShare(group)]
    const [response, again] = [respond(client.publicKey), respond(client.publicKey)]
    assert.strictEqual(client.group, group)
    assert.deepStrictEqual([client.publicKey, response.publicKey, response.secret].map(({ length }) => length), [
      1216,
      1120,
      64
    ])
    for (const bytes of [client.publicKey, response.publicKey, response.secret]) {
      assert.strictEqual(bytes.constructor, Uint8Array)
    }
    assert.deepStrictEqual(client.agree(response.publicKey), response.secret)
    assert.notDeepEqual(other.agree(response.publicKey), response.secret)
    // Neither half is the same twice.
    for (const [from, to] of [[0, 32], [32, 64]] as const) {
      assert.notDeepEqual(again.secret.subarray(from, to), response.secret.subarray(from, to))
    }
    assert.notDeepEqual(other.publicKey.subarray(0, 1184), client.publicKey.subarray(0, 1184))
    assert.notDeepEqual(other.publicKey.subarray(1184), client.publicKey.subarray(1184))
  })

  it("a given private key always gives the same share, and the X25519 half of an answer is given as well", () => {
    const privateKey = concat([new Uint8Array(64).fill(1), scalar])
    const [one, two] = [make.keyShare(group, privateKey), make.keyShare(group, privateKey)]
    assert.deepStrictEqual(one.publicKey, two.publicKey)
    assert.deepStrictEqual(one.publicKey.subarray(1184), make.keyShare("x25519", scalar).publicKey)
    const response = make.respond(group, one.publicKey, new Uint8Array(32).fill(4))
    assert.deepStrictEqual(response?.publicKey.subarray(1088), x25519.publicKey)
    assert.deepStrictEqual(response?.secret.subarray(32), classical)
    assert.deepStrictEqual(two.agree(response?.publicKey ?? scalar), response?.secret)
    for (const length of [0, 32, 64, 95, 97]) assert.throws(() => make.keyShare(group, new Uint8Array(length)))
  })

  it("DMLKEM-server_share-01, DMLKEM-server_share-02: every other length is refused", () => {
    const client = make.keyShare(group)
    const response = respond(client.publicKey)
    for (const length of [0, 1, 32, 1087, 1088, 1119, 1120, 1121, 1184, 1215, 1217]) {
      const bytes = new Uint8Array(length)
      bytes.set(client.publicKey.subarray(0, length))
      assert.strictEqual(make.respond(group, bytes), undefined, `${length}`)
      if (length === 1120) continue
      bytes.set(response.publicKey.subarray(0, length))
      assert.strictEqual(client.agree(bytes), undefined, `${length}`)
    }
  })

  it("a ciphertext that was tampered with gives another secret, and no error (FIPS 203 section 6.3)", () => {
    const client = make.keyShare(group)
    const { publicKey, secret } = respond(client.publicKey)
    for (const at of [0, 500, 1087]) {
      const turned = publicKey.with(at, (publicKey[at] ?? 0) ^ 1)
      const other = client.agree(turned)
      assert.deepStrictEqual(other?.subarray(32), secret.subarray(32))
      assert.notDeepEqual(other?.subarray(0, 32), secret.subarray(0, 32))
      assert.deepStrictEqual(client.agree(turned), other, "the same each time")
    }
  })

  it("DMLKEM-shared_secret-01: an X25519 key of small order is refused on both sides", () => {
    const client = make.keyShare(group)
    const response = respond(client.publicKey)
    for (const point of ["00".repeat(32), `01${"00".repeat(31)}`, `ec${"ff".repeat(30)}7f`]) {
      assert.strictEqual(make.respond(group, concat([client.publicKey.subarray(0, 1184), hex(point)])), undefined)
      assert.strictEqual(client.agree(concat([response.publicKey.subarray(0, 1088), hex(point)])), undefined)
    }
  })

  it("prints its public half", () => {
    const share = make.keyShare(group)
    assert.deepStrictEqual(Object.keys(share).toSorted(), ["group", "publicKey"])
    assert.notInclude(inspect(share, { showHidden: true, depth: null }), "private")
  })

  interface Test {
    readonly seed?: string
    readonly ek: string
    readonly c?: string
    readonly K?: string
  }
  const [decapsulation, encapsulation] =
    readVectors<Wycheproof<{ readonly type: string }, Test>>("kem-mlkem768.json").groups

  it(`kem-mlkem768.json, ${decapsulation?.type}`, () => {
    let valid = 0
    for (const test of decapsulation?.tests ?? []) {
      const client = make.keyShare(group, concat([hex(test.seed ?? ""), scalar]))
      assert.strictEqual(toHex(client.publicKey.subarray(0, 1184)), test.ek, titleOf(test))
      const secret = client.agree(concat([hex(test.c ?? ""), x25519.publicKey]))
      // Section 3.3 of the draft: the secret of ML-KEM first.
      const expected = test.result === "valid" ? `${test.K}${toHex(classical)}` : undefined
      assert.strictEqual(toHex(secret), expected, titleOf(test))
      if (test.result === "valid") valid++
    }
    assert.isAtLeast(valid, 12)
    assert.isAtLeast((decapsulation?.tests.length ?? 0) - valid, 4)
  })

  it(`kem-mlkem768.json, DMLKEM-server_share-01: ${encapsulation?.type} (FIPS 203 section 7.2)`, () => {
    let refused = 0
    for (const test of encapsulation?.tests ?? []) {
      const response = make.respond(group, concat([hex(test.ek), x25519.publicKey]))
      assert.strictEqual(response?.publicKey.length, test.result === "valid" ? 1120 : undefined, titleOf(test))
      if (response === undefined) refused++
    }
    assert.isAtLeast(refused, 8)
    assert.isAtLeast((encapsulation?.tests.length ?? 0) - refused, 6)
  })
})
