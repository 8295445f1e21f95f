import { assert, describe, it } from "@effect/vitest"
import * as Make from "./Maker.ts"

type Names = ReadonlyArray<Uint8Array>
interface Case {
  readonly permitted?: Names
  readonly excluded?: Names
  readonly names?: Names
  readonly subject?: Make.Attributes
}

const { address, directory, dns, email, otherName, uri } = Make
const root = Make.authority("root")
const someone: Make.Attributes = [["2.5.4.6", "CH", 0x13], ["2.5.4.10", "Example"], [Make.commonName, "someone"]]

/** The verdict on a client certificate with those names under an authority with those constraints. */
const verdictOf = ({ excluded, names, permitted, subject = someone }: Case): string => {
  const subtrees = { ...(permitted && { permitted }), ...(excluded && { excluded }) }
  const authority = Make.authority("narrow", root, { more: [Make.nameConstraints(subtrees)] })
  const leaf = Make.leaf(authority, { subject, purpose: Make.clientAuth, names: names ?? [dns("host.example")] })
  return Make.verdictOf({ chain: [leaf, authority], anchors: [root], peer: { role: "client" } })
}

const mask = (...bytes: ReadonlyArray<number>) => address(...bytes)
const v6 = (first: number, last: number): ReadonlyArray<number> => [first, ...new Uint8Array(14), last]

const within: ReadonlyArray<readonly [string, Case]> = [
  ["the domain itself", { permitted: [dns("host.example")] }],
  ["below the domain", { permitted: [dns("example")] }],
  ["whatever the case", { permitted: [dns("EXAMPLE")], names: [dns("Host.Example")] }],
  ["every name", { permitted: [dns("")] }],
  ["one of several", { permitted: [dns("a.example"), dns("b.example")], names: [dns("b.example"), dns("a.example")] }],
  ["a wildcard below", { permitted: [dns("b.example")], names: [dns("*.b.example")] }],
  ["not excluded", { excluded: [dns("other.example")] }],
  ["a wildcard beside what is excluded", { excluded: [dns("x.y.example")], names: [dns("*.z.example")] }],
  ["above what is excluded", { excluded: [dns("a.host.example")] }],
  ["a longer label", { excluded: [dns("ost.example")] }],
  ["another form, permitted", { permitted: [address(192, 0, 2, 0, 255, 255, 255, 0)] }],
  ["another form, excluded", { excluded: [otherName("1.2.3"), email("example")] }],
  ["a range", { permitted: [mask(192, 0, 2, 0, 255, 255, 255, 0)], names: [address(192, 0, 2, 255)] }],
  ["a range whose base has bits too many", {
    permitted: [mask(192, 0, 2, 9, 255, 255, 255, 0)],
    names: [address(192, 0, 2, 1)]
  }],
  ["outside an excluded range", { excluded: [mask(192, 0, 2, 0, 255, 255, 255, 0)], names: [address(192, 0, 3, 0)] }],
  ["a range of IPv6", {
    permitted: [mask(...v6(0x20, 0), ...new Uint8Array(15).fill(255), 0)],
    names: [address(...v6(0x20, 7))]
  }],
  ["a mailbox", { permitted: [email("me@example.com")], names: [email("me@EXAMPLE.com")] }],
  ["any mailbox of a host", { permitted: [email("example.com")], names: [email("me@example.com")] }],
  ["any mailbox below", { permitted: [email(".example.com")], names: [email("me@mail.example.com")] }],
  ["a host of a URI", { permitted: [uri("example.com")], names: [uri("https://me@example.com:8443/x?y#z")] }],
  ["hosts of URIs below", { permitted: [uri(".example.com")], names: [uri("ldap://www.example.com/")] }],
  ["a subtree of the directory", { permitted: [directory([["2.5.4.6", "CH", 0x13], ["2.5.4.10", "Example"]])] }],
  ["the same in another encoding", {
    permitted: [directory([["2.5.4.6", "ch", 0x0c], ["2.5.4.10", "  EXAMPLE ", 0x13]])]
  }],
  ["outside an excluded subtree", { excluded: [directory([["2.5.4.6", "CH"], ["2.5.4.10", "Exam"]])] }]
]

const outside: ReadonlyArray<readonly [string, Case]> = [
  ["another domain", { permitted: [dns("other.example")] }],
  ["above the domain", { permitted: [dns("a.host.example")] }],
  ["a longer label", { permitted: [dns("ost.example")] }],
  ["one name of two", { permitted: [dns("a.example")], names: [dns("a.example"), dns("b.example")] }],
  ["a wildcard that may be more", { permitted: [dns("a.b.example")], names: [dns("*.b.example")] }],
  ["excluded", { excluded: [dns("host.example")] }],
  ["below what is excluded", { excluded: [dns("example")] }],
  ["every name excluded", { excluded: [dns("")] }],
  ["excluded and permitted", { permitted: [dns("example")], excluded: [dns("host.example")] }],
  ["a wildcard that may be excluded", { excluded: [dns("x.b.example")], names: [dns("*.b.example")] }],
  ["a wildcard that is excluded", { excluded: [dns("b.example")], names: [dns("*.b.example")] }],
  ["a name that cannot be held against it", { excluded: [dns("other.example")], names: [dns("a_b.example")] }],
  ["outside a range", { permitted: [mask(192, 0, 2, 0, 255, 255, 255, 0)], names: [address(192, 0, 3, 1)] }],
  ["an IPv6 address where IPv4 is permitted", {
    permitted: [mask(192, 0, 2, 0, 255, 255, 255, 0)],
    names: [address(...v6(0x20, 1))]
  }],
  ["inside an excluded range", { excluded: [mask(0, 0, 0, 0, 0, 0, 0, 0)], names: [address(192, 0, 3, 1)] }],
  ["another mailbox", { permitted: [email("me@example.com")], names: [email("you@example.com")] }],
  ["a mailbox in another case", { permitted: [email("me@example.com")], names: [email("Me@example.com")] }],
  ["a mailbox below a host", { permitted: [email("example.com")], names: [email("me@mail.example.com")] }],
  ["a mailbox of the domain itself", { permitted: [email(".example.com")], names: [email("me@example.com")] }],
  ["no mailbox", { permitted: [email("example.com")], names: [email("me@x@example.com")] }],
  ["a quoted mailbox", { excluded: [email("other.com")], names: [email("\"a@b\"@example.com")] }],
  ["an address in the subject", {
    permitted: [email("example.com")],
    subject: [...someone, ["1.2.840.113549.1.9.1", "me@other.example", 0x16]]
  }],
  ["another host of a URI", { permitted: [uri("example.com")], names: [uri("https://www.example.com/")] }],
  ["a URI without a host", { permitted: [uri("example.com")], names: [uri("urn:example.com")] }],
  ["a URI whose host is before the @", {
    permitted: [uri("example.com")],
    names: [uri("https://example.com@evil.org/")]
  }],
  ["a URI with an address", { excluded: [uri("example.com")], names: [uri("https://192.0.2.1/")] }],
  ["a subject outside of the subtree", { permitted: [directory([["2.5.4.10", "Example"]])] }],
  ["a subject above the subtree", { permitted: [directory([...someone, ["2.5.4.11", "x"]])] }],
  ["a directory name outside of it", {
    permitted: [directory([["2.5.4.6", "CH"]])],
    names: [directory([["2.5.4.6", "DE"]])]
  }],
  ["an excluded subject", { excluded: [directory([["2.5.4.6", "CH"]])] }],
  ["an excluded subject in another encoding", { excluded: [directory([["2.5.4.6", "ch", 0x16]])] }],
  ["an excluded subject with a soft hyphen", {
    excluded: [directory([["2.5.4.10", "Evil"]])],
    subject: [["2.5.4.10", "E\u00advil"]]
  }],
  ["a subject in T.61, which cannot be compared", {
    excluded: [directory([["2.5.4.10", "Other"]])],
    subject: [["2.5.4.10", "Evil", 0x14]]
  }],
  ["an excluded other name", { excluded: [otherName("1.2.3")], names: [otherName("1.2.3")] }],
  ["a permitted other name", { permitted: [otherName("1.2.3")], names: [otherName("1.2.3")] }]
]

/** Constraints that no certificate should have: the authority cannot be read. */
const malformed: ReadonlyArray<readonly [string, Case]> = [
  ["nothing", {}],
  ["empty lists", { permitted: [], excluded: [] }],
  ["a leading dot of a host", { permitted: [dns(".example")] }],
  ["a wildcard", { permitted: [dns("*.example")] }],
  ["an address without a mask", { permitted: [address(192, 0, 2, 0)] }],
  ["a mask with holes", { permitted: [mask(192, 0, 2, 0, 255, 0, 255, 0)] }],
  ["five bytes", { excluded: [address(1, 2, 3, 4, 5)] }],
  ["no mailbox", { permitted: [email("a@b@example.com")] }],
  ["a URI in full", { permitted: [uri("https://example.com/")] }],
  ["a minimum", { permitted: [Buffer.concat([dns("example"), Make.tlv(0x80, Uint8Array.of(1))])] }]
]

describe("name constraints (RFC 5280 section 4.2.1.10)", () => {
  it.each(within)("within: %s", (_, made) => assert.strictEqual(verdictOf(made), "ok"))
  it.each(outside)("outside: %s", (_, made) => assert.strictEqual(verdictOf(made), "CertificateNameForbidden 0"))
  it.each(malformed)("malformed: %s", (_, made) => assert.strictEqual(verdictOf(made), "CertificateMalformed 1"))

  const limited = (name: string, issuer: Make.Made, permitted: Names, order: Partial<Make.Order> = {}) =>
    Make.authority(name, issuer, { more: [Make.nameConstraints({ permitted })], ...order })

  it("every authority of the path narrows the names, and none widens them", () => {
    const outer = limited("outer", root, [dns("a.example"), dns("b.example")])
    const inner = limited("inner", outer, [dns("b.example"), dns("c.example")])
    const judged = (host: string) =>
      Make.verdictOf({
        chain: [Make.leaf(inner, { names: [dns(host)] }), inner, outer],
        anchors: [root],
        peer: { role: "server", host }
      })
    assert.strictEqual(judged("b.example"), "ok")
    for (const host of ["a.example", "c.example"]) assert.strictEqual(judged(host), "CertificateNameForbidden 0", host)
  })

  it("the constraints of the anchor count, and those of a leaf that is its own anchor", () => {
    const anchor = Make.authority("narrow root", undefined, {
      more: [Make.nameConstraints({ permitted: [dns("b.example")] })]
    })
    assert.strictEqual(
      Make.verdictOf({ chain: [Make.leaf(anchor)], anchors: [anchor] }),
      "CertificateNameForbidden 0"
    )
    const own = Make.certificate({
      subject: "own",
      extensions: [
        Make.basicConstraints(true),
        Make.subjectAltName([dns("host.example")]),
        Make.nameConstraints({ excluded: [dns("host.example")] })
      ]
    })
    assert.strictEqual(Make.verdictOf({ chain: [own], anchors: [own] }), "CertificateNameForbidden 0")
  })

  it("intermediates are held against them too, but for self-issued ones (section 6.1.3)", () => {
    const outer = limited("outer", root, [dns("host.example"), directory([[Make.commonName, "outer"]])])
    const named = Make.authority("inner", outer)
    const leaf = (issuer: Make.Made) => Make.leaf(issuer, { subject: [[Make.commonName, "outer"], ["2.5.4.10", "x"]] })
    assert.strictEqual(
      Make.verdictOf({ chain: [leaf(named), named, outer], anchors: [root] }),
      "CertificateNameForbidden 1"
    )
    const selfIssued = Make.authority("outer", outer, { more: [Make.subjectAltName([dns("other.example")])] })
    assert.strictEqual(Make.verdictOf({ chain: [leaf(selfIssued), selfIssued, outer], anchors: [root] }), "ok")
  })
})
