import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import { describe as sentence } from "../../src/alert/Fault.ts"
import * as Crl from "../../src/x509/Crl.ts"
import * as Ocsp from "../../src/x509/Ocsp.ts"
import type { RevocationMode } from "../../src/x509/Revocation.ts"
import * as Make from "./Maker.ts"

const root = Make.authority("root")
const inner = Make.authority("inner", root)
const leaf = Make.leaf(inner)
const promising = Make.leaf(inner, { more: [Make.mustStaple] })
const stranger = Make.authority("stranger")

interface Given {
  readonly crls?: ReadonlyArray<Uint8Array>
  readonly mode?: RevocationMode
  /** `undefined` where the status was not asked for, `null` where nothing was stapled. */
  readonly stapled?: Uint8Array | null
  readonly of?: Make.Made
}

const trialOf = ({ crls, mode, of = leaf, stapled }: Given): Make.Trial => ({
  chain: [of, inner],
  anchors: [root],
  crls: crls ?? [],
  mode: mode ?? "if-present",
  peer: stapled === undefined ? Make.host : { ...Make.host, status: { stapled: stapled ?? undefined } }
})
const verdictOf = (given: Given): string => Make.verdictOf(trialOf(given))

const check = (rows: ReadonlyArray<readonly [what: string, verdict: string, given: () => Given]>) =>
  it.each(rows)("%s: %s", (_, verdict, given) => {
    assert.strictEqual(verdictOf(given()), verdict)
  })

const unknown = (oid: string, isCritical: boolean) => Make.extension(oid, isCritical, Make.tlv(5))

describe("revocation lists (RFC 5280 section 6.3)", () => {
  const noSign = Make.authority("no lists", root, {
    extensions: [Make.basicConstraints(true), Make.keyUsage("keyCertSign")]
  })
  const silent = Make.authority("silent", root, { extensions: [Make.basicConstraints(true)] })
  const under = (issuer: Make.Made): Make.Trial => {
    const own = Make.leaf(issuer)
    return { chain: [own, issuer], anchors: [root], crls: [Make.crl(issuer, [])] }
  }
  check([
    ["not on the list", "ok", () => ({ crls: [Make.crl(inner, [root.serial])] })],
    ["on the list", "CertificateRevoked 0", () => ({ crls: [Make.crl(inner, [root.serial, leaf.serial])] })],
    ["on the list, and nobody looks", "ok", () => ({ crls: [Make.crl(inner, [leaf.serial])], mode: "off" })],
    ["on the list of a stranger", "ok", () => ({ crls: [Make.crl(stranger, [leaf.serial])] })],
    ["the intermediate", "CertificateRevoked 1", () => ({ crls: [Make.crl(root, [inner.serial])] })],
    ["on a list that is old", "CertificateRevoked 0", () => ({
      crls: [Make.crl(inner, [leaf.serial], { nextUpdate: "2025-12-31T00:00:00Z" })]
    })],
    ["on hold", "CertificateRevoked 0", () => ({
      crls: [Make.crl(inner, [leaf.serial], {
        entryExtensions: [Make.extension("2.5.29.21", false, Make.tlv(10, Uint8Array.of(6)))]
      })]
    })],
    ["a list that is old", "CertificateStatusUnknown 0", () => ({
      crls: [Make.crl(inner, [], { nextUpdate: "2025-12-31T23:59:59Z" })]
    })],
    ["a list from tomorrow", "CertificateStatusUnknown 0", () => ({
      crls: [Make.crl(inner, [], { thisUpdate: "2026-01-02T00:00:00Z" })]
    })],
    ["an old list and a new one", "ok", () => ({
      crls: [Make.crl(inner, [], { nextUpdate: "2025-12-31T00:00:00Z" }), Make.crl(inner, [])]
    })],
    ["a new list and an old one", "ok", () => ({
      crls: [Make.crl(inner, []), Make.crl(inner, [], { nextUpdate: "2025-12-31T00:00:00Z" })]
    })],
    ["a list that somebody else signed", "CertificateStatusUnknown 0", () => ({
      crls: [Make.crl(inner, [leaf.serial], { keys: stranger.keys })]
    })],
    ["a list that is signed with SHA-1", "CertificateStatusUnknown 0", () => ({
      crls: [Make.crl(inner, [leaf.serial], { way: Make.ecdsaSha1 })]
    })],
    ["an unknown critical extension", "CertificateStatusUnknown 0", () => ({
      crls: [Make.crl(inner, [], { extensions: [unknown("1.2.3.4", true)] })]
    })],
    [
      "an unknown extension",
      "ok",
      () => ({ crls: [Make.crl(inner, [], { extensions: [unknown("1.2.3.4", false)] })] })
    ],
    ["a list of a part", "CertificateStatusUnknown 0", () => ({
      crls: [Make.crl(inner, [], { extensions: [unknown("2.5.29.28", false)] })]
    })],
    ["a list of changes", "CertificateStatusUnknown 0", () => ({
      crls: [Make.crl(inner, [], { extensions: [unknown("2.5.29.27", true)] })]
    })],
    ["entries of other issuers", "CertificateStatusUnknown 0", () => ({
      crls: [Make.crl(inner, [root.serial], { entryExtensions: [unknown("2.5.29.29", true)] })]
    })],
    ["nothing, where it is required", "CertificateStatusUnknown 0", () => ({ mode: "require" })],
    ["a list, where it is required", "ok", () => ({ mode: "require", crls: [Make.crl(inner, [])] })]
  ])

  it("an issuer whose key usage does not allow lists has none", () => {
    assert.strictEqual(Make.verdictOf(under(noSign)), "CertificateStatusUnknown 0")
    assert.strictEqual(Make.verdictOf(under(silent)), "ok")
  })

  it("bounds how long the judgement holds", () => {
    const found = Result.getOrThrow(
      Make.tried(trialOf({ crls: [Make.crl(inner, [], { nextUpdate: "2026-01-03T00:00:00Z" })] }))
    )
    assert.strictEqual(found.notAfter, Date.UTC(2026, 0, 3) / 1000)
  })

  it("is read to the last byte, or not at all", () => {
    const der = Make.crl(inner, [leaf.serial])
    assert.isTrue(Result.isSuccess(Crl.parse(der)))
    for (let length = 0; length < der.length; length++) {
      assert.isTrue(Result.isFailure(Crl.parse(der.subarray(0, length))))
    }
    assert.isTrue(Result.isFailure(Crl.parse(Uint8Array.of(...der, 0))))
  })
})

describe("stapled responses (RFC 6066 section 8, RFC 6960)", () => {
  const responder = (order: Parameters<typeof Make.leaf>[1] = {}, issuer = inner) =>
    Make.leaf(issuer, {
      subject: "responder",
      purpose: "1.3.6.1.5.5.7.3.9",
      names: [Make.dns("ocsp.example")],
      ...order
    })
  const delegate = responder()
  const by = (signer: Make.Made, order: Make.StapleOrder = {}) =>
    Make.staple(inner, leaf, { signer, certificates: [signer.der], ...order })
  const noCheck = Make.extension("1.3.6.1.5.5.7.48.1.5", false, Make.tlv(5))
  check([
    ["good", "ok", () => ({ stapled: Make.staple(inner, leaf) })],
    ["good, by SHA-256", "ok", () => ({ stapled: Make.staple(inner, leaf, { hash: "sha256" }) })],
    ["revoked", "CertificateRevoked 0", () => ({ stapled: Make.staple(inner, leaf, { status: "revoked" }) })],
    ["revoked, and old", "CertificateRevoked 0", () => ({
      stapled: Make.staple(inner, leaf, { status: "revoked", nextUpdate: "2025-12-31T12:00:00Z" })
    })],
    [
      "revoked, and nobody looks",
      "ok",
      () => ({ stapled: Make.staple(inner, leaf, { status: "revoked" }), mode: "off" })
    ],
    ["not known to its responder", "CertificateStatusWrong", () => ({
      stapled: Make.staple(inner, leaf, { status: "unknown" })
    })],
    [
      "old",
      "CertificateStatusWrong",
      () => ({ stapled: Make.staple(inner, leaf, { nextUpdate: "2025-12-31T12:00:00Z" }) })
    ],
    ["just over, as clocks differ", "ok", () => ({
      stapled: Make.staple(inner, leaf, { nextUpdate: "2025-12-31T23:56:00Z" })
    })],
    ["from tomorrow", "CertificateStatusWrong", () => ({
      stapled: Make.staple(inner, leaf, { thisUpdate: "2026-01-02T00:00:00Z" })
    })],
    ["without an end, of yesterday", "ok", () => ({
      stapled: Make.staple(inner, leaf, { thisUpdate: "2025-12-31T01:00:00Z", nextUpdate: null })
    })],
    ["without an end, of last week", "CertificateStatusWrong", () => ({
      stapled: Make.staple(inner, leaf, { thisUpdate: "2025-12-25T00:00:00Z", nextUpdate: null })
    })],
    ["about another certificate", "CertificateStatusWrong", () => ({ stapled: Make.staple(inner, root) })],
    [
      "about another issuer",
      "CertificateStatusWrong",
      () => ({ stapled: Make.staple(inner, leaf, { about: stranger }) })
    ],
    ["about another key of the issuer", "CertificateStatusWrong", () => ({
      stapled: Make.staple(inner, leaf, { about: { ...inner, keys: stranger.keys } })
    })],
    ["signed by a stranger", "CertificateStatusWrong", () => ({ stapled: by(stranger) })],
    ["signed by another leaf of the issuer", "CertificateStatusWrong", () => ({ stapled: by(Make.leaf(inner)) })],
    ["signed by the leaf itself", "CertificateStatusWrong", () => ({ stapled: by(leaf) })],
    [
      "signed with SHA-1",
      "CertificateStatusWrong",
      () => ({ stapled: Make.staple(inner, leaf, { way: Make.ecdsaSha1 }) })
    ],
    ["signed by a delegate", "ok", () => ({ stapled: by(delegate) })],
    ["signed by a delegate that did not come along", "CertificateStatusWrong", () => ({
      stapled: by(delegate, { certificates: [] })
    })],
    ["a delegate of the fifth place", "CertificateStatusWrong", () => ({
      stapled: by(delegate, { certificates: [...Array.from({ length: 4 }, () => leaf.der), delegate.der] })
    })],
    ["signed by a delegate that names the issuer, and was made by a stranger", "CertificateStatusWrong", () => ({
      stapled: by(responder({}, { ...inner, keys: stranger.keys }))
    })],
    ["signed by a delegate of the root", "CertificateStatusWrong", () => ({ stapled: by(responder({}, root)) })],
    ["signed by a delegate that has expired", "CertificateStatusWrong", () => ({
      stapled: by(responder({ notAfter: "2025-12-31T00:00:00Z" }))
    })],
    ["signed by a delegate for any purpose", "CertificateStatusWrong", () => ({
      stapled: by(responder({ purpose: "2.5.29.37.0" }))
    })],
    ["signed by a delegate that may not sign", "CertificateStatusWrong", () => ({
      stapled: by(
        responder({ extensions: [Make.keyUsage("keyEncipherment"), Make.extendedKeyUsage("1.3.6.1.5.5.7.3.9")] })
      )
    })],
    ["signed by a delegate that was revoked", "CertificateStatusWrong", () => ({
      stapled: by(delegate),
      crls: [Make.crl(inner, [delegate.serial])]
    })],
    ["signed by a delegate that is not to be asked about", "ok", () => {
      const unchecked = responder({ more: [noCheck] })
      return { stapled: by(unchecked), crls: [Make.crl(inner, [unchecked.serial])] }
    }],
    ["an error of the responder", "CertificateStatusWrong", () => ({
      stapled: Make.staple(inner, leaf, { responseStatus: 3 })
    })],
    ["an unknown critical extension", "CertificateStatusWrong", () => ({
      stapled: Make.staple(inner, leaf, { extensions: [unknown("1.2.3.4", true)] })
    })],
    ["no response at all", "CertificateStatusWrong", () => ({ stapled: Uint8Array.of(0x30, 0) })],
    ["good, and on a list", "CertificateRevoked 0", () => ({
      stapled: Make.staple(inner, leaf),
      crls: [Make.crl(inner, [leaf.serial])]
    })],
    ["good, beside a list that is old", "ok", () => ({
      stapled: Make.staple(inner, leaf),
      crls: [Make.crl(inner, [], { nextUpdate: "2025-12-31T00:00:00Z" })]
    })],
    ["none", "ok", () => ({ stapled: null })],
    ["none, where one is promised", "CertificateStatusWrong", () => ({ stapled: null, of: promising })],
    ["none, where one is promised and nobody asked", "ok", () => ({ of: promising })],
    ["one, as promised", "ok", () => ({ stapled: Make.staple(inner, promising), of: promising })],
    ["none, where it is required", "CertificateStatusWrong", () => ({ stapled: null, mode: "require" })],
    ["none, where a list will do", "ok", () => ({ stapled: null, mode: "require", crls: [Make.crl(inner, [])] })],
    ["one, where it is required", "ok", () => ({ stapled: Make.staple(inner, leaf), mode: "require" })]
  ])

  it("says what is wrong with it", () => {
    const found = Make.tried(trialOf({ stapled: by(Make.leaf(inner)) }))
    assert(Result.isFailure(found))
    assert.strictEqual(
      sentence(found.failure),
      "the stapled status of the certificate is not good: it is signed neither by the issuer nor by whom that has appointed"
    )
  })

  it("is read to the last byte, or not at all", () => {
    const der = Make.staple(inner, leaf, { certificates: [inner.der] })
    assert.isTrue(Result.isSuccess(Ocsp.parse(der)))
    for (let length = 0; length < der.length; length++) {
      assert.isTrue(Result.isFailure(Ocsp.parse(der.subarray(0, length))))
    }
    assert.isTrue(Result.isFailure(Ocsp.parse(Uint8Array.of(...der, 0))))
  })
})
