import { assert, describe, it } from "@effect/vitest"
import { constants, createPublicKey, generateKeyPairSync, sign } from "node:crypto"
import type { KeyObject } from "node:crypto"
import { inspect } from "node:util"
import { NodePublicKey } from "../../src/platform/NodeKeys.ts"
import { make } from "../../src/platform/NodePrimitives.ts"
import type { KeyType, PrivateKey } from "../../src/secret/Primitives.ts"
import { SignatureScheme } from "../../src/wire/CodePoints.ts"
import { certificate, commonName } from "./certificates.ts"
import { hex, readVectors, titleOf, toHex } from "./vectors.ts"
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
  "ec-p521": generateKeyPairSync("ec", { namedCurve: "P-521" }),
  "ed25519": generateKeyPairSync("ed25519")
}
const types = ["rsa", "ec-p256", "ec-p384", "ec-p521", "ed25519"] as const satisfies ReadonlyArray<KeyType>
const bits: { readonly [Type in KeyType]: number } = {
  "rsa": 2048,
  "ec-p256": 256,
  "ec-p384": 384,
  "ec-p521": 521,
  "ed25519": 256
}
const familyOf = (name: KeyType | SignatureScheme): string => /^(rsa|ec|ed25519)/.exec(name)?.[0] ?? ""
const anotherOf = (type: KeyType): { readonly publicKey: KeyObject } =>
  type === "rsa" ?
    generateKeyPairSync("rsa", { modulusLength: 2048 }) :
    type === "ed25519" ?
    generateKeyPairSync("ed25519") :
    generateKeyPairSync("ec", { namedCurve: `P-${bits[type]}` })
const message = new TextEncoder().encode("a message")

describe.each([
  "sig-ecdsa-secp256r1-sha256.json",
  "sig-ecdsa-secp384r1-sha384.json",
  "sig-ecdsa-secp521r1-sha512.json",
  "sig-ed25519.json",
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
  const fitting = schemes.filter((scheme) => familyOf(scheme) === familyOf(type))

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
    assert.isFalse(privateKey.matches(publicKeyOf(anotherOf(type).publicKey)))
    assert.isFalse(privateKey.matches({ type, bits: bits[type], verify: () => true }))
  })

  it("is read from PKCS#8 and from the encoding of its kind", () => {
    const encoded = type === "rsa" ?
      pairs[type].privateKey.export({ format: "der", type: "pkcs1" }) :
      type === "ed25519" ?
      pkcs8(pairs[type].privateKey) :
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
    ["Ed448", () => pkcs8(generateKeyPairSync("ed448").privateKey)],
    ["X25519", () => pkcs8(generateKeyPairSync("x25519").privateKey)],
    ["another curve", () => pkcs8(generateKeyPairSync("ec", { namedCurve: "secp256k1" }).privateKey)]
  ]

  it.each(refused)("refuses %s", (_, der) => {
    assert.strictEqual(make.importPrivateKey(der()), undefined)
  })
})

it("an RSASSA-PSS signature is as long as the modulus, a leading zero included (RFC 8017 section 8.1.2)", () => {
  const { privateKey, publicKey } = pairs.rsa
  const key = { key: privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
  let signature = sign("sha256", message, key)
  // One in 256 begins so.
  while (signature[0] !== 0) signature = sign("sha256", message, key)
  const verifying = publicKeyOf(publicKey)
  assert.isTrue(verifying.verify("rsa_pss_rsae_sha256", message, signature))
  assert.isFalse(verifying.verify("rsa_pss_rsae_sha256", message, signature.subarray(1)))
  const self = make.parseCertificate(certificate({
    subject: [[commonName, "self"]],
    issuer: [[commonName, "self"]],
    key: publicKey,
    signer: privateKey
  }))
  assert.isTrue(self?.verifies("rsa-pss-sha256", message, signature))
  assert.isFalse(self?.verifies("rsa-pss-sha256", message, signature.subarray(1)))
})

it("a modulus too short for a hash is a signature that does not verify", () => {
  const short = generateKeyPairSync("rsa", { modulusLength: 512 })
  assert.isFalse(publicKeyOf(short.publicKey).verify("rsa_pss_rsae_sha512", message, new Uint8Array(64)))
  assert.isFalse(publicKeyOf(short.publicKey).verify("rsa_pkcs1_sha512", message, new Uint8Array(64)))
})

describe("RFC 8032 section 7.1", () => {
  const rows: ReadonlyArray<
    readonly [name: string, secret: string, point: string, message: string, signature: string]
  > = [
    [
      "test 1",
      "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
      "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    ],
    [
      "test 2",
      "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
      "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
      "72",
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    ],
    [
      "test 3",
      "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
      "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
      "af82",
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
    ],
    [
      "SHA(abc)",
      "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
      "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
      "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"
    ]
  ]

  it.each(rows)("%s", (_, secret, point, message, signature) => {
    const privateKey = privateKeyOf(hex(`302e020100300506032b657004220420${secret}`))
    const spki = Buffer.from(`302a300506032b6570032100${point}`, "hex")
    const publicKey = publicKeyOf(createPublicKey({ key: spki, format: "der", type: "spki" }))
    assert.isTrue(privateKey.matches(publicKey))
    assert.strictEqual(toHex(privateKey.sign("ed25519", hex(message))), signature)
    assert.isTrue(publicKey.verify("ed25519", hex(message), hex(signature)))
  })
})
