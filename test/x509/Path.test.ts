import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import { generateKeyPairSync } from "node:crypto"
import { describe as sentence } from "../../src/alert/Fault.ts"
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

describe("the way to an anchor", () => {
  const other = Make.authority("root")
  const crossed = Make.authority("root", inner, { keys: root.keys })
  const selfSigned = Make.leaf(undefined)
  const development = Make.certificate({
    subject: "dev",
    extensions: [Make.basicConstraints(true), Make.subjectAltName([Make.dns("host.example")])]
  })
  check([
    ["one intermediate", "ok", () => under(good, inner)],
    ["none", "ok", () => under(Make.leaf(root))],
    ["in any order, with strangers among them", "ok", () => under(good, other, selfSigned, inner)],
    ["the anchor sent along", "ok", () => under(good, inner, root)],
    ["the intermediate missing", "CertificateUntrusted 0", () => under(good)],
    ["nobody trusted", "CertificateUntrusted 1", () => ({ chain: [good, inner], anchors: [] })],
    ["a stranger of the same name as the anchor", "CertificateSignatureWrong 1", () => ({
      chain: [good, inner],
      anchors: [other]
    })],
    ["the intermediate itself trusted", "ok", () => ({ chain: [good], anchors: [inner] })],
    [
      "the root sent, and only the intermediate trusted",
      "ok",
      () => ({ chain: [good, inner, root], anchors: [inner] })
    ],
    ["the leaf itself trusted", "ok", () => ({ chain: [good], anchors: [good] })],
    ["self-signed and not trusted", "CertificateUntrusted 0", () => under(selfSigned)],
    ["self-signed and trusted", "ok", () => ({ chain: [selfSigned], anchors: [selfSigned] })],
    ["an authority made for development, trusted as it stands", "ok", () => ({
      chain: [development],
      anchors: [development]
    })],
    ["an authority as a leaf, vouched for", "CertificateUsageWrong 0", () =>
      under(Make.certificate({
        subject: "ca",
        issuer: root,
        extensions: [Make.basicConstraints(true), Make.subjectAltName([Make.dns("host.example")])]
      }))],
    ["a trusted leaf that is used as an issuer", "CertificateIssuerUnfit 1", () => ({
      chain: [Make.leaf(selfSigned, { subject: "second" })],
      anchors: [selfSigned]
    })],
    ["a circle of names", "CertificateUntrusted 2", () => ({ chain: [good, inner, crossed], anchors: [] })]
  ])

  it("goes back where a branch ends, whichever comes first", () => {
    // Two issuers of one name and key: one leads to the root, the other has expired.
    const keys = Make.ecKey()
    const old = Make.authority("branch", root, { keys, notAfter: "2025-01-01T00:00:00Z" })
    const dead = Make.authority("branch", other, { keys })
    const fresh = Make.authority("branch", root, { keys })
    const leaf = Make.leaf(fresh)
    for (const rest of [[old, dead, fresh], [fresh, old, dead], [dead, fresh, old]]) {
      const found = Make.tried(under(leaf, ...rest))
      assert.deepStrictEqual(
        Result.getOrThrow(found).path.map(({ der }) => der),
        [leaf, fresh, root].map(({ der }) => der)
      )
    }
    assert.strictEqual(verdictOf(under(leaf, old)), "CertificateExpired 1")
    assert.strictEqual(verdictOf(under(leaf, old, dead)), "CertificateSignatureWrong 1")
  })

  it("goes back where a name constraint forbids one of two ways", () => {
    const keys = Make.ecKey()
    const narrow = Make.authority("branch", root, {
      keys,
      more: [Make.nameConstraints({ permitted: [Make.dns("elsewhere.example")] })]
    })
    const wide = Make.authority("branch", root, { keys })
    const leaf = Make.leaf(wide)
    assert.strictEqual(verdictOf(under(leaf, narrow)), "CertificateNameForbidden 0")
    assert.strictEqual(verdictOf(under(leaf, narrow, wide)), "ok")
  })

  it("the window of a judgement is where all of its path is valid", () => {
    const short = Make.leaf(inner, { notBefore: "2025-12-31T00:00:00Z", notAfter: "2026-01-02T00:00:00Z" })
    const found = Result.getOrThrow(Make.tried(under(short, inner)))
    assert.strictEqual(found.notBefore, Date.UTC(2025, 11, 31) / 1000)
    assert.strictEqual(found.notAfter, Date.UTC(2026, 0, 2) / 1000)
  })
})

describe("the rules of an issuer", () => {
  const between = (order: Parameters<typeof Make.authority>[2], anchor = root): Make.Trial => {
    const middle = Make.authority("middle", anchor, order)
    return { chain: [Make.leaf(middle), middle], anchors: [anchor] }
  }
  const chain = (...lengths: ReadonlyArray<number | undefined>): Make.Trial => {
    const [first, ...rest] = lengths
    const anchor = Make.authority("long root", undefined, { extensions: [Make.basicConstraints(true, first)] })
    const middles: Array<Make.Made> = []
    for (const [i, length] of rest.entries()) {
      middles.push(
        Make.authority(`middle ${i}`, middles.at(-1) ?? anchor, { extensions: [Make.basicConstraints(true, length)] })
      )
    }
    return { chain: [Make.leaf(middles.at(-1) ?? anchor), ...middles], anchors: [anchor] }
  }
  check([
    ["no basic constraints", "CertificateIssuerUnfit 1", () => between({ extensions: [Make.keyUsage("keyCertSign")] })],
    ["no authority", "CertificateIssuerUnfit 1", () => between({ extensions: [Make.basicConstraints(false)] })],
    [
      "no authority, said at length",
      "CertificateIssuerUnfit 1",
      () => between({ extensions: [Make.extension("2.5.29.19", true, Make.sequence(Make.boolean(false)))] })
    ],
    [
      "uncritical",
      "CertificateIssuerUnfit 1",
      () => between({ extensions: [Make.basicConstraints(true, undefined, false)] })
    ],
    [
      "may not sign",
      "CertificateIssuerUnfit 1",
      () => between({ extensions: [Make.basicConstraints(true), Make.keyUsage("digitalSignature", "cRLSign")] })
    ],
    ["no key usage", "ok", () => between({ extensions: [Make.basicConstraints(true)] })],
    ["version 1", "CertificateUnsupported 1", () => between({ version: 1, extensions: undefined as never })],
    ["expired", "CertificateExpired 1", () => between({ notAfter: "2025-12-31T23:59:59Z" })],
    ["to the second of its end", "ok", () => between({ notAfter: "2026-01-01T00:00:00Z" })],
    ["not yet", "CertificateNotYetValid 1", () => between({ notBefore: "2026-01-01T00:00:01Z" })],
    ["for clients only", "CertificateUsageWrong 1", () => between({ more: [Make.extendedKeyUsage(Make.clientAuth)] })],
    ["for any purpose", "ok", () => between({ more: [Make.extendedKeyUsage("2.5.29.37.0")] })],
    [
      "an unknown critical extension",
      "CertificateExtensionUnknown 1",
      () => between({ more: [Make.extension("1.2.3.4", true, Make.sequence())] })
    ],
    ["an unknown extension", "ok", () => between({ more: [Make.extension("1.2.3.4", false, Make.sequence())] })],
    [
      "policy constraints",
      "CertificateUnsupported 1",
      () => between({ more: [Make.extension("2.5.29.36", false, Make.sequence(Make.tlv(0x80, Uint8Array.of(0))))] })
    ],
    ["policies, critical", "ok", () =>
      between({
        more: [Make.extension("2.5.29.32", true, Make.sequence(Make.sequence(Make.oid("2.5.29.32.0"))))]
      })],
    ["a negative serial number", "CertificateMalformed 1", () => between({ serial: Make.tlv(2, Uint8Array.of(0xff)) })],
    ["serial number 0", "CertificateMalformed 1", () => between({ serial: Make.integer(0) })],
    [
      "a serial number of 21 bytes",
      "CertificateMalformed 1",
      () => between({ serial: Make.tlv(2, new Uint8Array(21).fill(1)) })
    ],
    [
      "an anchor with serial number 0",
      "ok",
      () => between({}, Make.authority("zero", undefined, { serial: Make.integer(0) }))
    ],
    ["an anchor of version 1", "ok", () => between({}, Make.certificate({ subject: "old root", version: 1 }))],
    [
      "an anchor that has expired",
      "CertificateExpired 2",
      () => between({}, Make.authority("old", undefined, { notAfter: "2025-01-01T00:00:00Z" }))
    ],
    [
      "an anchor that is no authority",
      "CertificateIssuerUnfit 2",
      () => between({}, Make.certificate({ subject: "none", extensions: [Make.basicConstraints(false)] }))
    ],
    [
      "an anchor for clients",
      "CertificateUsageWrong 2",
      () => between({}, Make.authority("narrow", undefined, { more: [Make.extendedKeyUsage(Make.clientAuth)] }))
    ],
    ["none below, and none there", "ok", () => chain(0)],
    ["none below, and one there", "CertificateIssuerUnfit 2", () => chain(0, undefined)],
    ["one below, and one there", "ok", () => chain(1, undefined)],
    ["one below, and two there", "CertificateIssuerUnfit 3", () => chain(1, undefined, undefined)],
    ["none below the second", "CertificateIssuerUnfit 2", () => chain(undefined, 0, undefined)],
    ["eight intermediates", "ok", () => chain(...Array.from({ length: 9 }, () => undefined))],
    ["nine intermediates", "CertificatePathTooLong", () => chain(...Array.from({ length: 10 }, () => undefined))]
  ])

  it("self-issued certificates do not count against a path length", () => {
    const anchor = Make.authority("rolling", undefined, { extensions: [Make.basicConstraints(true, 0)] })
    const rolled = Make.authority("rolling", anchor)
    const trial: Make.Trial = { chain: [Make.leaf(rolled), rolled], anchors: [anchor] }
    assert.strictEqual(verdictOf(trial), "ok")
  })
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

describe("what a judgement may cost", () => {
  /** Certificates of one name and many keys: whose signature each has can only be told by trying. */
  const tangle = (count: number, curve: string): ReadonlyArray<Make.Made> => {
    const keys = Array.from({ length: count }, () => Make.ecKey(curve))
    const subject = Make.name([[Make.commonName, "tangle"]])
    return keys.map((own, i) =>
      Make.authority("tangle", { subject, keys: keys[(i + 1) % count] ?? own }, { keys: own })
    )
  }
  const tangled = (curve: string): Make.Trial => {
    const authorities = tangle(15, curve)
    return { chain: [Make.leaf(authorities[0]), ...authorities], anchors: [root] }
  }
  check([
    ["seventeen certificates", "CertificateTooCostly", () => under(good, ...Array.from({ length: 16 }, () => inner))],
    ["sixteen certificates", "ok", () => under(good, ...Array.from({ length: 15 }, () => inner))],
    [
      "64 KiB and more",
      "CertificateTooCostly",
      () => under(Make.leaf(root, { names: Array.from({ length: 5000 }, (_, i) => Make.dns(`host${i}.example`)) }))
    ],
    ["a tangle of issuers", "CertificatePathTooLong", () => tangled("P-256")],
    ["a tangle of issuers with dear keys", "CertificateTooCostly", () => tangled("P-384")],
    ["few candidates", "CertificateTooCostly", () => ({ ...under(good, inner), limits: { candidates: 1 } })],
    ["few signatures", "CertificateTooCostly", () => ({ ...under(good, inner), limits: { signatures: 1 } })],
    ["few intermediates", "CertificatePathTooLong", () => ({ ...under(good, inner), limits: { intermediates: 0 } })],
    ["many names and many constraints", "CertificateTooCostly", () => {
      const names = Array.from({ length: 1000 }, (_, i) => Make.dns(`host${i}.example`))
      const excluded = Array.from({ length: 1000 }, (_, i) => Make.dns(`not${i}.example`))
      const anchor = Make.authority("narrow", undefined, { more: [Make.nameConstraints({ excluded })] })
      return { chain: [Make.leaf(anchor, { names })], anchors: [anchor] }
    }]
  ])

  it("every refusal prints a sentence that says which certificate and which rule", () => {
    const found = Make.tried({ ...under(Make.leaf(root, { purpose: Make.clientAuth })), anchors: [root] })
    assert(Result.isFailure(found))
    assert.strictEqual(
      sentence(found.failure),
      "the certificate is not for this use: its extended key usage does not allow a server"
    )
  })
})
