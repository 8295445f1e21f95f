import { assert, describe, it } from "@effect/vitest"
import { generateKeyPairSync, X509Certificate } from "node:crypto"
import { make } from "../../src/platform/NodePrimitives.ts"
import type { PlatformCertificate } from "../../src/secret/Primitives.ts"
import { certificate, commonName, ecKey, rsaKey } from "./certificates.ts"
import type { Order } from "./certificates.ts"

const [caKey, otherKey, leafKey] = [ecKey(), ecKey(), ecKey()]

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

const ca = made({ subject: [[commonName, "ca"]], key: caKey.publicKey, authority: true })

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
      assert.isFalse(parsed.signedBy(ca), `byte ${at}`)
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

  it("times, in milliseconds", () => {
    const timed = made({ notBefore: "20200229123456Z", notAfter: "20991231235959Z" })
    assert.strictEqual(timed.notBefore, Date.UTC(2020, 1, 29, 12, 34, 56))
    assert.strictEqual(timed.notAfter, Date.UTC(2099, 11, 31, 23, 59, 59))
  })

  it("whether it is an authority", () => {
    assert.isTrue(ca.isAuthority)
    assert.isFalse(made({}).isAuthority)
    assert.isFalse(made({ authority: false }).isAuthority)
  })

  it("extended key usage", () => {
    const [serverAuth, clientAuth] = ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]
    assert.strictEqual(made({}).extendedKeyUsage, undefined)
    assert.deepStrictEqual(made({ purposes: [serverAuth] }).extendedKeyUsage, [serverAuth])
    assert.deepStrictEqual(made({ purposes: [clientAuth, "1.2.3.4"] }).extendedKeyUsage, [clientAuth, "1.2.3.4"])
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
    const [own, another] = [made({}).publicKey, ca.publicKey]
    if (key === undefined || own === undefined || another === undefined) return assert.fail("no key")
    assert.isTrue(key.matches(own))
    assert.isFalse(key.matches(another))
  })
})

describe("who issued it", () => {
  it("by name and by signature, each on its own", () => {
    const leaf = made({})
    assert.isTrue(leaf.namesAsIssuer(ca))
    assert.isTrue(leaf.signedBy(ca))
    assert.isFalse(ca.namesAsIssuer(leaf))
    assert.isFalse(ca.signedBy(leaf))

    const namesake = made({ subject: [[commonName, "ca"]], key: otherKey.publicKey, authority: true })
    assert.isTrue(leaf.namesAsIssuer(namesake))
    assert.isFalse(leaf.signedBy(namesake))

    const renamed = made({ subject: [[commonName, "another"]], key: caKey.publicKey, authority: true })
    assert.isFalse(leaf.namesAsIssuer(renamed))
    assert.isTrue(leaf.signedBy(renamed))
  })

  it("RSA signs, too, and a key of another kind never verifies", () => {
    const rsa = rsaKey()
    const issuer = made({ subject: [[commonName, "ca"]], key: rsa.publicKey, authority: true })
    const leaf = made({ signer: rsa.privateKey })
    assert.isTrue(leaf.signedBy(issuer))
    assert.isFalse(leaf.signedBy(ca))
    assert.isFalse(made({}).signedBy(issuer))
  })

  it("asks a certificate of another platform by its bytes", () => {
    const foreign: PlatformCertificate = {
      der: ca.der,
      subject: "",
      issuer: "",
      notBefore: 0,
      notAfter: 0,
      isAuthority: false,
      extendedKeyUsage: undefined,
      publicKey: undefined,
      namesAsIssuer: () => false,
      signedBy: () => false,
      isForHost: () => false,
      isForAddress: () => false
    }
    assert.isTrue(made({}).signedBy(foreign))
    assert.isTrue(made({}).namesAsIssuer(foreign))
    assert.isFalse(made({}).signedBy({ ...foreign, der: new Uint8Array(3) }))
    assert.isFalse(made({}).namesAsIssuer({ ...foreign, der: new Uint8Array(3) }))
  })
})

describe("what it is for", () => {
  const named = made({
    subject: [[commonName, "in-subject.example"]],
    hosts: ["example.com", "*.wild.example", "f*.part.example", "*", "10.0.0.1"],
    addresses: [[192, 0, 2, 1], [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]]
  })

  it.each(["example.com", "EXAMPLE.com", "a.wild.example"])("is for %s", (name) => {
    assert.isTrue(named.isForHost(name))
  })

  it.each([
    "",
    ".",
    ".com",
    ".example.com",
    ".wild.example",
    "wild.example",
    "a.b.wild.example",
    "foo.part.example",
    "www.example.com",
    "example.com.evil.org",
    "example.com\0.evil.org",
    "in-subject.example",
    "localhost",
    "10.0.0.1",
    "192.0.2.1"
  ])("is not for %j", (name) => {
    assert.isFalse(named.isForHost(name))
  })

  it("does not look at the subject, even where there is nothing else", () => {
    assert.isFalse(made({ subject: [[commonName, "example.com"]] }).isForHost("example.com"))
    assert.isFalse(made({ subject: [[commonName, "192.0.2.1"]] }).isForAddress("192.0.2.1"))
  })

  it("addresses", () => {
    for (const address of ["192.0.2.1", "2001:db8::1", "2001:DB8:0:0::1"]) {
      assert.isTrue(named.isForAddress(address), address)
    }
    for (const address of ["192.0.2.2", "2001:db8::2", "10.0.0.1", "example.com", "", "192.0.2.1.", "192.0.2.01"]) {
      assert.isFalse(named.isForAddress(address), address)
    }
  })
})
