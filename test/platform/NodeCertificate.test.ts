import { assert, describe, it } from "@effect/vitest"
import {
  constants,
  generateKeyPairSync,
  type KeyPairKeyObjectResult as KeyPair,
  sign,
  X509Certificate
} from "node:crypto"
import { make } from "../../src/platform/NodePrimitives.ts"
import type { PlatformCertificate, SignatureAlgorithm } from "../../src/secret/Primitives.ts"
import { certificate, commonName, ecKey, rsaKey } from "./certificates.ts"
import type { Order } from "./certificates.ts"

const [caKey, leafKey] = [ecKey(), ecKey()]

const parse = (der: Uint8Array): PlatformCertificate => {
  const parsed = make.parseCertificate(der)
  if (parsed === undefined) throw new Error("a certificate that cannot be parsed")
  return parsed
}

const leafOrder: Order = {
  subject: [[commonName, "leaf"]],
  issuer: [[commonName, "ca"]],
  key: leafKey.publicKey,
  signer: caKey.privateKey
}
const made = (order: Partial<Order>): PlatformCertificate => parse(certificate({ ...leafOrder, ...order }))

describe("parseCertificate", () => {
  const der = certificate(leafOrder)

  it("has bytes of its own", () => {
    const lent = der.slice()
    const parsed = parse(lent)
    lent.fill(0)
    assert.deepStrictEqual(parsed.der, der)
    assert.strictEqual(parsed.der.constructor, Uint8Array)
  })

  it("refuses what is not exactly one certificate in DER", () => {
    assert.strictEqual(make.parseCertificate(new Uint8Array(0)), undefined)
    assert.strictEqual(make.parseCertificate(Uint8Array.of(...der, 0)), undefined)
    assert.strictEqual(make.parseCertificate(Uint8Array.of(...der, ...der)), undefined)
    for (let length = 0; length < der.length; length++) {
      assert.strictEqual(make.parseCertificate(der.subarray(0, length)), undefined)
    }
    // PEM, which X509Certificate takes as well.
    const pem = new TextEncoder().encode(new X509Certificate(der).toString())
    assert.strictEqual(make.parseCertificate(pem), undefined)
    // BER: a length written longer than it need be, and one left open, around the same content.
    const body = der.subarray(4)
    assert.strictEqual(make.parseCertificate(Uint8Array.of(0x30, 0x83, 0, ...der.subarray(2, 4), ...body)), undefined)
    assert.strictEqual(make.parseCertificate(Uint8Array.of(0x30, 0x80, ...body, 0, 0)), undefined)
  })

  it("does not throw on a changed byte, and does not take another certificate for this one", () => {
    for (let at = 0; at < der.length; at++) {
      const bad = der.slice()
      bad[at] = (bad[at] ?? 0) ^ 0x11
      const parsed = make.parseCertificate(bad)
      if (parsed === undefined) continue
      assert.deepStrictEqual(parsed.der, bad)
    }
  })
})

describe("what it says", () => {
  it("names on one line", () => {
    const two = made({ subject: [["2.5.4.6", "CH"], [commonName, "a, b=c"]], issuer: [[commonName, "ca"]] })
    assert.strictEqual(two.subject, "C=CH, CN=a\\, b=c")
    assert.strictEqual(two.issuer, "CN=ca")
    assert.strictEqual(made({ subject: [] }).subject, "")
    const forged = made({ subject: [[commonName, "x\nCN=bank\u2028\u202e\u0085\u007f é"]] }).subject
    assert.strictEqual(forged, "CN=x\\0ACN=bank\\u{2028}\\u{202e}\\u{85}\\7F é")
  })

  it.each(
    [
      ["rsa", 2048, () => rsaKey(2048).publicKey],
      ["rsa", 1024, () => rsaKey(1024).publicKey],
      ["ec-p256", 256, () => ecKey("P-256").publicKey],
      ["ec-p384", 384, () => ecKey("P-384").publicKey],
      ["ec-p521", 521, () => ecKey("P-521").publicKey]
    ] as const
  )("a key of type %s and %i bits", (type, bits, key) => {
    const parsed = made({ key: key() })
    assert.strictEqual(parsed.publicKey?.type, type)
    assert.strictEqual(parsed.publicKey?.bits, bits)
    assert.strictEqual(parsed.publicKey, parsed.publicKey)
  })

  it("no key of a kind that is not used", () => {
    assert.strictEqual(made({ key: ecKey("secp256k1").publicKey }).publicKey, undefined)
    assert.strictEqual(made({ key: generateKeyPairSync("ed448").publicKey }).publicKey, undefined)
    const rsaPss = generateKeyPairSync("rsa-pss", { modulusLength: 2048 }).publicKey
    assert.strictEqual(made({ key: rsaPss }).publicKey, undefined)
  })

  it("an Ed25519 key", () => {
    const { publicKey } = made({ key: generateKeyPairSync("ed25519").publicKey })
    assert.deepStrictEqual([publicKey?.type, publicKey?.bits], ["ed25519", 256])
  })

  it("a private key matches the certificate it belongs to", () => {
    const key = make.importPrivateKey(leafKey.privateKey.export({ format: "der", type: "pkcs8" }))
    const [own, another] = [made({}).publicKey, made({ key: caKey.publicKey }).publicKey]
    if (key === undefined || own === undefined || another === undefined) return assert.fail("no key")
    assert.isTrue(key.matches(own))
    assert.isFalse(key.matches(another))
  })
})

describe("what its key verifies", () => {
  const message = new TextEncoder().encode("to be signed")
  const rsa = rsaKey(2048)
  const ed25519 = generateKeyPairSync("ed25519")
  const pss = (saltLength: number) => ({ padding: constants.RSA_PKCS1_PSS_PADDING, saltLength })
  /** Each algorithm, with the key and the way to sign so. */
  const ways: Readonly<Record<SignatureAlgorithm, readonly [KeyPair, () => Uint8Array]>> = {
    "rsa-pkcs1-sha256": [rsa, () => sign("sha256", message, rsa.privateKey)],
    "rsa-pkcs1-sha384": [rsa, () => sign("sha384", message, rsa.privateKey)],
    "rsa-pkcs1-sha512": [rsa, () => sign("sha512", message, rsa.privateKey)],
    "rsa-pss-sha256": [rsa, () => sign("sha256", message, { key: rsa.privateKey, ...pss(32) })],
    "rsa-pss-sha384": [rsa, () => sign("sha384", message, { key: rsa.privateKey, ...pss(48) })],
    "rsa-pss-sha512": [rsa, () => sign("sha512", message, { key: rsa.privateKey, ...pss(64) })],
    "ecdsa-sha256": [caKey, () => sign("sha256", message, caKey.privateKey)],
    "ecdsa-sha384": [caKey, () => sign("sha384", message, caKey.privateKey)],
    "ecdsa-sha512": [caKey, () => sign("sha512", message, caKey.privateKey)],
    ed25519: [ed25519, () => sign(null, message, ed25519.privateKey)]
  }
  // The keys of the literal are exactly the algorithms; `Object.keys` widens them.
  const names = Object.keys(ways) as ReadonlyArray<SignatureAlgorithm>

  it.each(names)("%s, and nothing else", (name) => {
    const [keys, make] = ways[name]
    const certificate = made({ key: keys.publicKey })
    const signature = make()
    for (const other of names) {
      assert.strictEqual(certificate.verifies(other, message, signature), other === name, other)
    }
    assert.isFalse(certificate.verifies(name, message.subarray(1), signature))
    assert.isFalse(certificate.verifies(name, message, signature.subarray(1)))
    assert.isFalse(certificate.verifies(name, message, new Uint8Array(0)))
    assert.isFalse(made({ key: ecKey().publicKey }).verifies(name, message, signature))
  })

  it("no RSASSA-PSS with a salt of another length", () => {
    const signature = sign("sha256", message, { key: rsa.privateKey, ...pss(20) })
    assert.isFalse(made({ key: rsa.publicKey }).verifies("rsa-pss-sha256", message, signature))
  })
})
