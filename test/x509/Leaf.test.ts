import { assert, describe, it } from "@effect/vitest"
import { generateKeyPairSync } from "node:crypto"
import * as Make from "./Maker.ts"

const root = Make.authority("root")
const inner = Make.authority("inner", root)
const good = Make.leaf(inner)
const { verdictOf } = Make

const check = (rows: ReadonlyArray<readonly [what: string, verdict: string, trial: () => Make.Trial]>) =>
  it.each(rows)("%s: %s", (_, verdict, trial) => {
    assert.strictEqual(verdictOf(trial()), verdict)
  })

const under = (leaf: Make.Made, ...rest: ReadonlyArray<Make.Made>): Make.Trial => ({
  chain: [leaf, ...rest],
  anchors: [root]
})

describe("the rules of a leaf", () => {
  const alone = (order: Parameters<typeof Make.leaf>[1], peer = Make.host): Make.Trial => ({
    chain: [Make.leaf(root, order)],
    anchors: [root],
    peer
  })
  const san = Make.subjectAltName([Make.dns("host.example")])
  check([
    ["expired", "CertificateExpired 0", () => alone({ notAfter: "2025-12-31T23:59:59Z" })],
    ["not yet", "CertificateNotYetValid 0", () => alone({ notBefore: "2026-01-01T00:00:01Z" })],
    ["valid at last", "ok", () => ({ ...alone({ notAfter: "2026-01-01T00:00:00Z" }), now: Make.now + 999 })],
    ["another name", "CertificateNameMismatch", () => alone({}, { role: "server", host: "other.example" })],
    [
      "no names, and a common name",
      "CertificateNameMismatch",
      () => alone({ subject: "host.example", extensions: [Make.basicConstraints(false)] })
    ],
    [
      "an address",
      "ok",
      () => alone({ names: [Make.address(192, 0, 2, 1)] }, { role: "server", address: "192.0.2.1" })
    ],
    [
      "another address",
      "CertificateNameMismatch",
      () => alone({ names: [Make.address(192, 0, 2, 1)] }, { role: "server", address: "192.0.2.2" })
    ],
    [
      "an address of five bytes",
      "CertificateMalformed 0",
      () => alone({ names: [Make.dns("host.example"), Make.address(1, 2, 3, 4, 5)] })
    ],
    [
      "an address as a host name",
      "CertificateNameMismatch",
      () => alone({ names: [Make.dns("192.0.2.1")] }, { role: "server", address: "192.0.2.1" })
    ],
    ["for clients", "CertificateUsageWrong 0", () => alone({ purpose: Make.clientAuth })],
    ["for any purpose", "CertificateUsageWrong 0", () => alone({ purpose: "2.5.29.37.0" })],
    ["for no purpose in particular", "ok", () => alone({ extensions: [san] })],
    [
      "may not sign handshakes",
      "CertificateUsageWrong 0",
      () => alone({ extensions: [Make.keyUsage("keyEncipherment"), san] })
    ],
    [
      "an unknown critical extension",
      "CertificateExtensionUnknown 0",
      () => alone({ more: [Make.extension("1.2.3.4", true, Make.sequence())] })
    ],
    [
      "a critical key identifier",
      "CertificateExtensionUnknown 0",
      () => alone({ more: [Make.extension("2.5.29.14", true, Make.octets(Uint8Array.of(1)))] })
    ],
    ["an extension twice", "CertificateMalformed 0", () => alone({ extensions: [san, san] })],
    [
      "name constraints",
      "CertificateMalformed 0",
      () => alone({ more: [Make.nameConstraints({ permitted: [Make.dns("host.example")] })] })
    ],
    ["version 2", "CertificateUnsupported 0", () => alone({ version: 2, extensions: undefined as never })],
    ["no subject, and names", "CertificateMalformed 0", () => alone({ subject: [] })],
    [
      "no subject, and critical names",
      "ok",
      () => alone({ subject: [], extensions: [Make.subjectAltName([Make.dns("host.example")], true)] })
    ],
    ["no issuer", "CertificateMalformed 0", () => ({
      chain: [Make.leaf({ keys: root.keys, subject: Make.name([]) })],
      anchors: [root]
    })],
    ["another algorithm inside", "CertificateMalformed 0", () => alone({ inner: Make.rsaSha256.identifier })],
    ["signed with SHA-1", "CertificateSignatureWeak 0", () => alone({ way: Make.ecdsaSha1 })],
    [
      "signed with the algorithm of another key",
      "CertificateSignatureWrong 0",
      () => alone({ way: { ...Make.ecdsaSha256, identifier: Make.rsaSha256.identifier } })
    ],
    ["RSA of 1024 bits", "CertificateKeyWeak 0", () => alone({ keys: Make.rsaKeys(1024) })],
    ["RSA of 2048 bits", "ok", () => alone({ keys: Make.rsaKeys() })],
    [
      "RSA with an exponent of its own",
      "CertificateKeyWeak 0",
      () => alone({ keys: generateKeyPairSync("rsa", { modulusLength: 2048, publicExponent: 0x10003 }) })
    ],
    [
      "RSA for RSASSA-PSS only",
      "CertificateUnsupported 0",
      () => alone({ keys: generateKeyPairSync("rsa-pss", { modulusLength: 2048 }) })
    ],
    ["P-224", "CertificateKeyWeak 0", () => alone({ keys: Make.ecKey("secp224r1") })],
    ["secp256k1", "CertificateKeyWeak 0", () => alone({ keys: Make.ecKey("secp256k1") })],
    ["P-384", "ok", () => alone({ keys: Make.ecKey("P-384") })],
    ["P-521", "ok", () => alone({ keys: Make.ecKey("P-521") })],
    ["Ed25519", "ok", () => alone({ keys: Make.ed25519Keys() })],
    ["Ed448", "CertificateUnsupported 0", () => alone({ keys: generateKeyPairSync("ed448") })]
  ])

  it("an authority with an Ed25519 or RSA key vouches", () => {
    for (const keys of [Make.ed25519Keys(), Make.rsaKeys()]) {
      const anchor = Make.authority("another kind", undefined, { keys })
      assert.strictEqual(verdictOf({ chain: [Make.leaf(anchor)], anchors: [anchor] }), "ok")
    }
  })

  const rsaRoot = Make.authority("rsa root", undefined, { keys: Make.rsaKeys() })
  const signedBy = (way: Make.Way): Make.Trial => ({ chain: [Make.leaf(rsaRoot, { way })], anchors: [rsaRoot] })
  const sha256WithoutNull: Make.Way = {
    ...Make.rsaSha256,
    identifier: Make.sequence(Make.oid("1.2.840.113549.1.1.11"))
  }
  check([
    ["RSASSA-PSS with SHA-256", "ok", () => signedBy(Make.rsaPss("sha256"))],
    ["RSASSA-PSS with SHA-384", "ok", () => signedBy(Make.rsaPss("sha384"))],
    [
      "RSASSA-PSS with SHA-512, its hashes without NULL",
      "ok",
      () => signedBy(Make.rsaPss("sha512", { withoutNull: true }))
    ],
    ["RSASSA-PSS with a short salt", "CertificateUnsupported 0", () => signedBy(Make.rsaPss("sha256", { salt: 20 }))],
    [
      "RSASSA-PSS with two hashes",
      "CertificateUnsupported 0",
      () => signedBy(Make.rsaPss("sha256", { mask: "sha384" }))
    ],
    [
      "RSASSA-PSS by default, which is SHA-1",
      "CertificateUnsupported 0",
      () =>
        signedBy({
          ...Make.rsaPss("sha256"),
          identifier: Make.sequence(Make.oid("1.2.840.113549.1.1.10"), Make.sequence())
        })
    ],
    ["PKCS#1 without NULL (RFC 4055 section 5)", "ok", () => signedBy(sha256WithoutNull)],
    ["SHA-256 of RSA with another parameter", "CertificateUnsupported 0", () =>
      signedBy({
        ...Make.rsaSha256,
        identifier: Make.sequence(Make.oid("1.2.840.113549.1.1.11"), Make.tlv(4))
      })]
  ])

  it("what cannot be read is told where it may be what is missing, and passed over where it is not", () => {
    const junk = { der: Uint8Array.of(0x30, 0x80, 0, 0) }
    assert.strictEqual(verdictOf({ chain: [good, junk], anchors: [root] }), "CertificateMalformed 1")
    assert.strictEqual(verdictOf({ chain: [good, junk, inner], anchors: [root] }), "ok")
    assert.strictEqual(verdictOf({ chain: [junk, inner], anchors: [root] }), "CertificateMalformed 0")
    assert.strictEqual(verdictOf({ chain: [], anchors: [root] }), "CertificateMalformed 0")
  })
})

describe("clients", () => {
  const as = (leaf: Make.Made, ...rest: ReadonlyArray<Make.Made>): Make.Trial => ({
    ...under(leaf, ...rest),
    peer: { role: "client" }
  })
  const client = { purpose: Make.clientAuth, names: [Make.email("someone@corp.example")] }
  const only = (permitted: Uint8Array) =>
    Make.authority("corp", root, { more: [Make.nameConstraints({ permitted: [permitted] })] })
  check([
    ["for clients", "ok", () => as(Make.leaf(inner, client), inner)],
    ["for servers", "CertificateUsageWrong 0", () => as(good, inner)],
    [
      "for no purpose in particular",
      "ok",
      () => as(Make.leaf(root, { extensions: [Make.keyUsage("digitalSignature")] }))
    ],
    [
      "without any extension",
      "ok",
      () => as(Make.certificate({ subject: "someone", issuer: root, extensions: [Make.basicConstraints(false)] }))
    ],
    ["without a name", "CertificateMalformed 0", () => as(Make.leaf(root, { ...client, subject: [] }))],
    [
      "may not sign",
      "CertificateUsageWrong 0",
      () => as(Make.leaf(root, { extensions: [Make.keyUsage("keyEncipherment")] }))
    ],
    ["an authority for servers only", "CertificateUsageWrong 1", () => {
      const servers = Make.authority("servers", root, { more: [Make.extendedKeyUsage(Make.serverAuth)] })
      return as(Make.leaf(servers, client), servers)
    }],
    ["an authority for clients only", "ok", () => {
      const clients = Make.authority("clients", root, { more: [Make.extendedKeyUsage(Make.clientAuth)] })
      return as(Make.leaf(clients, client), clients)
    }],
    ["expired", "CertificateExpired 0", () => as(Make.leaf(root, { ...client, notAfter: "2025-01-01T00:00:00Z" }))],
    ["of a stranger", "CertificateUntrusted 0", () => as(Make.leaf(Make.authority("stranger"), client))],
    ["an e-mail address in its place", "ok", () => {
      const corp = only(Make.email("corp.example"))
      return as(Make.leaf(corp, client), corp)
    }],
    ["an e-mail address out of its place", "CertificateNameForbidden 0", () => {
      const corp = only(Make.email("other.example"))
      return as(Make.leaf(corp, client), corp)
    }],
    ["an e-mail address in the subject out of its place", "CertificateNameForbidden 0", () => {
      const corp = only(Make.email("corp.example"))
      return as(
        Make.leaf(corp, {
          ...client,
          names: [Make.dns("x.example")],
          subject: [["1.2.840.113549.1.9.1", "a@other.example", 0x16]]
        }),
        corp
      )
    }],
    ["a department in its place", "ok", () => {
      const corp = only(Make.directory([["2.5.4.10", "Corp"]]))
      return as(
        Make.leaf(corp, { ...client, subject: [["2.5.4.10", "CORP", 0x13], [Make.commonName, "someone"]] }),
        corp
      )
    }],
    ["a department out of its place", "CertificateNameForbidden 0", () => {
      const corp = only(Make.directory([["2.5.4.10", "Corp"]]))
      return as(Make.leaf(corp, { ...client, subject: [["2.5.4.10", "Core"], [Make.commonName, "someone"]] }), corp)
    }],
    ["revoked", "CertificateRevoked 0", () => {
      const leaf = Make.leaf(root, client)
      return { ...as(leaf), crls: [Make.crl(root, [leaf.serial])] }
    }]
  ])
})
