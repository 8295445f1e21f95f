/** The open half of the x509-limbo suite, run through our judgement. */
import * as Result from "effect/Result"
import { readFileSync } from "node:fs"
import type { CertificateFault } from "../../src/alert/Fault.ts"
import { make as primitives } from "../../src/platform/NodePrimitives.ts"
import { Anchors } from "../../src/x509/Anchor.ts"
import { type Certificate, parse } from "../../src/x509/Certificate.ts"
import * as Crl from "../../src/x509/Crl.ts"
import { judge } from "../../src/x509/Path.ts"
import { Crls } from "../../src/x509/Revocation.ts"
import type { Peer } from "../../src/x509/Rules.ts"
import { Reader } from "../../src/x509/Signature.ts"

interface Case {
  readonly id: string
  readonly validation_kind: "SERVER" | "CLIENT"
  readonly trusted_certs: ReadonlyArray<string>
  readonly untrusted_intermediates?: ReadonlyArray<string>
  readonly peer_certificate: string
  readonly validation_time?: string
  readonly expected_result: "SUCCESS" | "FAILURE"
  readonly expected_peer_name?: { readonly kind: "DNS" | "IP"; readonly value: string }
  readonly max_chain_depth?: number
  readonly crls?: ReadonlyArray<string>
}

const path = new URL("../vectors/x509-limbo.jsonl", import.meta.url)

export const cases: ReadonlyArray<Case> = readFileSync(path, "utf8").trimEnd().split("\n").map((line) =>
  JSON.parse(line)
)

/** Where we decide otherwise than the suite, and why: docs/trust.md. */
export const departures: Readonly<Record<string, string>> = {
  "crl::crlnumber-missing": "a number is of use to whoever collects lists; this one is given by the operator",
  "pathlen::validation-ignores-pathlen-in-leaf": "an authority is no peer: `webpki::ca-as-leaf` wants it refused",
  "rfc5280::aki::cross-signed-root-missing-aki":
    "key identifiers only say where to look first; private authorities omit them",
  "rfc5280::aki::intermediate-missing-aki": "the same",
  "rfc5280::ca-as-leaf": "`webpki::ca-as-leaf` wants the opposite",
  "rfc5280::ski::intermediate-missing-ski":
    "key identifiers only say where to look first; private authorities omit them",
  "webpki::aki::root-with-aki-authoritycertissuer": "a profile of roots, and this root was chosen",
  "webpki::aki::root-with-aki-authoritycertserialnumber": "the same",
  "webpki::aki::root-with-aki-ski-mismatch": "the same",
  "webpki::cn::ipv6-non-rfc5952-mismatch": "the common name is never read",
  "webpki::cn::not-in-san": "the common name is never read",
  "webpki::eku::ee-critical-eku": "RFC 5280 section 4.2.1.12 allows it; what it says is enforced",
  "webpki::eku::ee-without-eku": "`rfc5280::eku::ee-without-eku` wants the opposite",
  "webpki::eku::root-has-eku": "a profile of roots; what it says is enforced",
  "webpki::san::public-suffix-multi-label-wildcard-san": "there is no list of public suffixes here",
  "webpki::san::public-suffix-private-namespace-wildcard-san": "the same"
}

const derOf = (pem: string): Uint8Array => new Uint8Array(Buffer.from(pem.replaceAll(/-----[^-]+-----/g, ""), "base64"))

/** The certificates of the suite that have no time of their own are valid for very long. */
const sometime = "2026-01-01T00:00:00Z"

const peerOf = ({ expected_peer_name: name, validation_kind }: Case): Peer =>
  validation_kind === "CLIENT"
    ? { role: "client" }
    : name?.kind === "IP"
    ? { role: "server", address: name.value }
    : { role: "server", host: name?.value ?? "unnamed.invalid" }

/** What became of a case: accepted, or refused for that. */
export interface Verdict {
  readonly id: string
  readonly expected: "accept" | "refuse"
  readonly isAccepted: boolean
  readonly why: string
}

const readAll = <A>(pems: ReadonlyArray<string>, read: (der: Uint8Array) => Result.Result<A, string>) => {
  const results = pems.map((pem) => read(derOf(pem)))
  return {
    read: results.flatMap((result) => Result.isSuccess(result) ? [result.success] : []),
    failure: results.find(Result.isFailure)?.failure
  }
}

export const run = (test: Case): Verdict => {
  const expected = test.expected_result === "SUCCESS" ? "accept" : "refuse"
  const trusted = readAll<Certificate>(test.trusted_certs, parse)
  const crls = readAll(test.crls ?? [], Crl.parse)
  // As our layers do: an anchor or a list that cannot be read is an error of its own.
  const failure = trusted.failure ?? crls.failure
  if (failure !== undefined) return { id: test.id, expected, isAccepted: false, why: failure }
  const found = judge(
    new Reader(primitives),
    {
      anchors: new Anchors(trusted.read),
      revocation: { mode: "if-present", crls: new Crls(crls.read) },
      limits: test.max_chain_depth === undefined ? {} : { intermediates: test.max_chain_depth }
    },
    {
      chain: [test.peer_certificate, ...test.untrusted_intermediates ?? []].map(derOf),
      peer: peerOf(test),
      now: Date.parse(test.validation_time ?? sometime)
    }
  )
  if (Result.isSuccess(found)) return { id: test.id, expected, isAccepted: true, why: "" }
  // The name is judged last. Where the suite names nobody, all else was in order.
  const isUnnamed = found.failure._tag === "CertificateNameMismatch" && test.expected_peer_name === undefined
  return { id: test.id, expected, isAccepted: isUnnamed, why: tagOf(found.failure) }
}

const tagOf = (fault: CertificateFault): string => fault._tag

export const isAsExpected = (verdict: Verdict): boolean => verdict.isAccepted === (verdict.expected === "accept")
