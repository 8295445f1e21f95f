import { assert, describe, it } from "@effect/vitest"
import { createPublicKey, generateKeyPairSync } from "node:crypto"
import type { KeyObject } from "node:crypto"
import { inspect } from "node:util"
import { NodePublicKey } from "../../src/platform/NodeKeys.ts"
import { make } from "../../src/platform/NodePrimitives.ts"
import type { KeyType, PrivateKey } from "../../src/secret/Primitives.ts"
import { SignatureScheme } from "../../src/wire/CodePoints.ts"
import { hex, readVectors, titleOf } from "./vectors.ts"
import type { Wycheproof } from "./vectors.ts"

interface SignatureTest {
  readonly msg: string
  readonly sig: string
}

interface SignatureFile extends Wycheproof<{ readonly publicKeyDer: string }, SignatureTest> {
  readonly scheme: SignatureScheme
}

/** The names of the registry; `Object.keys` forgets that they are all of them. */
const schemes = Object.keys(SignatureScheme) as ReadonlyArray<SignatureScheme>

const publicKeyOf = (key: KeyObject): NodePublicKey => {
  const publicKey = NodePublicKey.of(key)
  if (publicKey === undefined) throw new Error("a key of a kind that is not used")
  return publicKey
}

const privateKeyOf = (der: Uint8Array): PrivateKey => {
  const privateKey = make.importPrivateKey(der)
  if (privateKey === undefined) throw new Error("a key that cannot be imported")
  return privateKey
}

const pkcs8 = (key: KeyObject): Uint8Array => key.export({ format: "der", type: "pkcs8" })

const pairs = {
  "rsa": generateKeyPairSync("rsa", { modulusLength: 2048 }),
  "ec-p256": generateKeyPairSync("ec", { namedCurve: "P-256" }),
  "ec-p384": generateKeyPairSync("ec", { namedCurve: "P-384" }),
  "ec-p521": generateKeyPairSync("ec", { namedCurve: "P-521" })
}
const types = ["rsa", "ec-p256", "ec-p384", "ec-p521"] as const satisfies ReadonlyArray<KeyType>
const bits = { "rsa": 2048, "ec-p256": 256, "ec-p384": 384, "ec-p521": 521 }
const message = new TextEncoder().encode("a message")

describe.each([
  "sig-ecdsa-secp256r1-sha256.json",
  "sig-ecdsa-secp384r1-sha384.json",
  "sig-ecdsa-secp521r1-sha512.json",
  "sig-rsa-pkcs1-2048-sha256.json",
  "sig-rsa-pkcs1-3072-sha384.json",
  "sig-rsa-pkcs1-4096-sha512.json",
  "sig-rsa-pss-2048-sha256.json",
  "sig-rsa-pss-2048-sha384.json",
  "sig-rsa-pss-4096-sha512.json"
])("%s", (file) => {
  it("valid signatures verify, all others do not", () => {
    const { groups, scheme } = readVectors<SignatureFile>(file)
    let [good, bad] = [0, 0]
    for (const { publicKeyDer, tests } of groups) {
      const key = publicKeyOf(createPublicKey({ key: Buffer.from(hex(publicKeyDer)), format: "der", type: "spki" }))
      for (const test of tests) {
        // "acceptable" is PKCS#1 without the NULL parameters alone (MissingNull): RFC 8017 section 8.2.2 compares with
        // one encoding, which has them.
        const wanted = test.result === "valid"
        if (wanted) good++
        else bad++
        assert.strictEqual(key.verify(scheme, hex(test.msg), hex(test.sig)), wanted, titleOf(test))
      }
    }
    assert.isAbove(good, 4)
    assert.isAbove(bad, 20)
  })
})

describe.each(types)("%s", (type) => {
  const privateKey = privateKeyOf(pkcs8(pairs[type].privateKey))
  const publicKey = publicKeyOf(pairs[type].publicKey)
  const fitting = schemes.filter((scheme) => scheme.startsWith("rsa") === (type === "rsa"))

  it("has a type and a size", () => {
    assert.strictEqual(privateKey.type, type)
    assert.strictEqual(publicKey.type, type)
    assert.strictEqual(publicKey.bits, bits[type])
  })

  it.each(schemes)("%s", (scheme) => {
    if (!fitting.includes(scheme)) {
      assert.throws(() => privateKey.sign(scheme, message), TypeError)
      assert.isFalse(publicKey.verify(scheme, message, new Uint8Array(64)))
      return
    }
    // In TLS 1.2 any curve goes with any hash.
    const signature = privateKey.sign(scheme, message)
    assert.strictEqual(signature.constructor, Uint8Array)
    for (const other of schemes) {
      assert.strictEqual(publicKey.verify(other, message, signature), other === scheme, other)
    }
    assert.isFalse(publicKey.verify(scheme, message.subarray(1), signature))
    assert.isFalse(publicKey.verify(scheme, message, signature.subarray(1)))
    assert.isFalse(publicKey.verify(scheme, message, new Uint8Array(0)))
    const bad = signature.slice()
    bad[bad.length - 1] = (bad[bad.length - 1] ?? 0) ^ 1
    assert.isFalse(publicKey.verify(scheme, message, bad))
  })

  it("belongs to its own public key alone", () => {
    for (const other of types) {
      assert.strictEqual(privateKey.matches(publicKeyOf(pairs[other].publicKey)), other === type)
    }
    const another = type === "rsa" ?
      generateKeyPairSync("rsa", { modulusLength: 2048 }) :
      generateKeyPairSync("ec", { namedCurve: `P-${bits[type]}` })
    assert.isFalse(privateKey.matches(publicKeyOf(another.publicKey)))
    assert.isFalse(privateKey.matches({ type, bits: bits[type], verify: () => true }))
  })

  it("is read from PKCS#8 and from the encoding of its kind", () => {
    const encoded = type === "rsa" ?
      pairs[type].privateKey.export({ format: "der", type: "pkcs1" }) :
      pairs[type].privateKey.export({ format: "der", type: "sec1" })
    // In the middle of a larger buffer, as a PEM reader may hand it over.
    const around = new Uint8Array(encoded.length + 20)
    around.set(encoded, 7)
    assert.isTrue(privateKeyOf(around.subarray(7, 7 + encoded.length)).matches(publicKey))
    assert.isTrue(privateKey.matches(publicKey))
  })

  it("prints its type alone", () => {
    assert.strictEqual(inspect(privateKey, { showHidden: true, depth: null }), `NodePrivateKey { type: '${type}' }`)
    assert.strictEqual(JSON.stringify(privateKey), JSON.stringify({ type }))
    assert.strictEqual(JSON.stringify(publicKey), JSON.stringify({ type, bits: bits[type] }))
  })
})

describe("importPrivateKey", () => {
  const refused: ReadonlyArray<readonly [string, () => Uint8Array]> = [
    ["nothing", () => new Uint8Array(0)],
    ["noise", () => Uint8Array.from({ length: 100 }, (_, index) => index * 7)],
    ["half a key", () => pkcs8(pairs.rsa.privateKey).subarray(0, 600)],
    ["a public key", () => pairs.rsa.publicKey.export({ format: "der", type: "spki" })],
    ["PEM", () => Buffer.from(pairs.rsa.privateKey.export({ format: "pem", type: "pkcs8" }))],
    [
      "an encrypted key",
      () => pairs.rsa.privateKey.export({ format: "der", type: "pkcs8", cipher: "aes-128-cbc", passphrase: "secret" })
    ],
    ["RSA of 1024 bits", () => pkcs8(generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey)],
    ["RSA for PSS alone", () => pkcs8(generateKeyPairSync("rsa-pss", { modulusLength: 2048 }).privateKey)],
    ["Ed25519", () => pkcs8(generateKeyPairSync("ed25519").privateKey)],
    ["X25519", () => pkcs8(generateKeyPairSync("x25519").privateKey)],
    ["another curve", () => pkcs8(generateKeyPairSync("ec", { namedCurve: "secp256k1" }).privateKey)]
  ]

  it.each(refused)("refuses %s", (_, der) => {
    assert.strictEqual(make.importPrivateKey(der()), undefined)
  })
})

it("a modulus too short for a hash is a signature that does not verify", () => {
  const short = generateKeyPairSync("rsa", { modulusLength: 512 })
  assert.isFalse(publicKeyOf(short.publicKey).verify("rsa_pss_rsae_sha512", message, new Uint8Array(64)))
  assert.isFalse(publicKeyOf(short.publicKey).verify("rsa_pkcs1_sha512", message, new Uint8Array(64)))
})
