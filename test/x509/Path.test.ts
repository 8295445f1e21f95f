import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
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
