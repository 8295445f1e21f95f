/**
 * Whether a certificate was revoked, as far as lists at hand and a stapled response tell: RFC 5280 section 6.3, RFC 6960
 * section 3.2. Nothing is fetched.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import type { CertificateFault } from "../alert/Fault.ts"
import type { HashName } from "../secret/Primitives.ts"
import { samePublic, toLatin1 } from "../wire/Bytes.ts"
import type { Budget } from "./Budget.ts"
import type { Certificate } from "./Certificate.ts"
import { type Crl, serialKey } from "./Crl.ts"
import { KeyUsage, Purpose } from "./Extension.ts"
import { type Name, sameName } from "./Name.ts"
import { certificatesOf, type OcspResponse, parse, type SingleResponse } from "./Ocsp.ts"
import type { AskedStatus } from "./Rules.ts"
import { describe, type Reader, verify } from "./Signature.ts"
import { formatTime } from "./Time.ts"

/**
 * Lists, found by their issuer.
 *
 * @category models
 * @since 0.1.0
 */
export class Crls {
  readonly all: ReadonlyArray<Crl>
  readonly #byIssuer: ReadonlyMap<string, ReadonlyArray<Crl>>

  constructor(lists: ReadonlyArray<Crl>) {
    this.all = lists
    this.#byIssuer = Map.groupBy(lists, ({ issuer }) => toLatin1(issuer.der))
  }

  of(issuer: Name): ReadonlyArray<Crl> {
    return this.#byIssuer.get(toLatin1(issuer.der)) ?? []
  }
}

/**
 * What is known about a certificate. `until` is when it has to be asked for again, in seconds since the epoch.
 *
 * @category models
 * @since 0.1.0
 */
export type Status =
  | { readonly _tag: "Good"; readonly until: number }
  | { readonly _tag: "Revoked"; readonly at: number }
  /** Something was there to tell, and cannot be used. */
  | { readonly _tag: "Unusable"; readonly why: string }
  /** Nothing was there to tell. */
  | { readonly _tag: "Silent" }

/**
 * What every judgement here needs: the second parser, the budget, and the time in whole seconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface Means {
  readonly reader: Reader
  readonly budget: Budget
  readonly now: number
}

const unusable = (why: string): Status => ({ _tag: "Unusable", why })

const byCrl = (crl: Crl, certificate: Certificate, issuer: Certificate, means: Means): Status => {
  if (crl.unknownCritical !== undefined) {
    return unusable(`the list of its issuer has the extension ${crl.unknownCritical}, which is not known here`)
  }
  const { keyUsage } = issuer.extensions
  // RFC 5280 section 6.3.3 (f)
  if (keyUsage !== undefined && (keyUsage & KeyUsage.cRLSign) === 0) {
    return unusable("the key usage of its issuer does not allow it to sign lists")
  }
  const verdict = verify(means.reader, means.budget, crl, issuer)
  if (verdict._tag !== "Valid") return unusable(`the signature of its issuer's list ${describe(verdict)}`)
  // Also an old list has nothing good to say about what it names.
  const at = crl.revoked.get(serialKey(certificate.serial))
  if (at !== undefined) return { _tag: "Revoked", at }
  if (means.now < crl.thisUpdate) return unusable(`the list of its issuer is from ${formatTime(crl.thisUpdate)}`)
  return means.now > crl.nextUpdate
    ? unusable(`the list of its issuer was good until ${formatTime(crl.nextUpdate)}`)
    : { _tag: "Good", until: crl.nextUpdate }
}

/**
 * What the lists of the issuer tell. An issuer with several keys has several lists, of which one is enough.
 *
 * @category combinators
 * @since 0.1.0
 */
export const statusByCrls = (crls: Crls, certificate: Certificate, issuer: Certificate, means: Means): Status => {
  let best: Status = { _tag: "Silent" }
  for (const crl of crls.of(certificate.issuer)) {
    const status = byCrl(crl, certificate, issuer, means)
    if (status._tag === "Revoked") return status
    if (status._tag === "Good" || best._tag === "Silent") best = status
  }
  return best
}

/** RFC 6960 section 4.1.1: the hashes that name an issuer. */
const hashOf = (reader: Reader, oid: string): ((bytes: Uint8Array) => Uint8Array) | undefined => {
  const names: Readonly<Record<string, HashName>> = {
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512"
  }
  const name = names[oid]
  if (oid === "1.3.14.3.2.26") return reader.platform.sha1
  return name === undefined ? undefined : (bytes) => reader.platform.digest(name, bytes)
}

const isAbout = (single: SingleResponse, certificate: Certificate, issuer: Certificate, reader: Reader): boolean => {
  if (!samePublic(single.serial, certificate.serial)) return false
  const hash = hashOf(reader, single.hash)
  return hash !== undefined && samePublic(single.issuerNameHash, hash(issuer.subject.der)) &&
    samePublic(single.issuerKeyHash, hash(issuer.keyBits))
}

/** Nobody needs more than one; each costs signatures. */
const maxDelegates = 4

/** RFC 6960 section 4.2.2.2: whom the issuer itself has told to answer. */
const isDelegate = (delegate: Certificate, issuer: Certificate, crls: Crls, means: Means): boolean => {
  const { extendedKeyUsage, keyUsage, noCheck, unknownCritical } = delegate.extensions
  return delegate.version === 3 && sameName(delegate.issuer, issuer.subject) &&
    extendedKeyUsage?.includes(Purpose.ocspSigning) === true && unknownCritical === undefined &&
    (keyUsage === undefined || (keyUsage & KeyUsage.digitalSignature) !== 0) &&
    delegate.notBefore <= means.now && means.now <= delegate.notAfter &&
    means.reader.of(delegate) !== undefined &&
    verify(means.reader, means.budget, delegate, issuer)._tag === "Valid" &&
    (noCheck === true || !["Revoked", "Unusable"].includes(statusByCrls(crls, delegate, issuer, means)._tag))
}

const signerFault = (response: OcspResponse, issuer: Certificate, crls: Crls, means: Means): string | undefined => {
  const byIssuer = verify(means.reader, means.budget, response, issuer)
  if (byIssuer._tag === "Valid") return undefined
  if (byIssuer._tag !== "Invalid") return `its signature ${describe(byIssuer)}`
  const delegates = certificatesOf(response, maxDelegates).filter((delegate) =>
    isDelegate(delegate, issuer, crls, means)
  )
  return delegates.some((delegate) => verify(means.reader, means.budget, response, delegate)._tag === "Valid")
    ? undefined
    : "it is signed neither by the issuer nor by whom that has appointed"
}

/** Clocks differ. */
const skew = 300
/** How long an answer is good that does not say so. */
const unlimited = 86_400

const bySingle = (single: SingleResponse, now: number): Status => {
  if (single.status._tag === "Revoked") return { _tag: "Revoked", at: single.status.at }
  if (single.status._tag === "Unknown") return unusable("its responder does not know the certificate")
  const until = (single.nextUpdate ?? single.thisUpdate + unlimited) + skew
  if (now < single.thisUpdate - skew) return unusable(`it is from ${formatTime(single.thisUpdate)}`)
  return now > until ? unusable(`it was good until ${formatTime(until - skew)}`) : { _tag: "Good", until }
}

/** What a response tells about the leaf; never `Silent`. */
const statusByResponse = (
  response: OcspResponse,
  certificate: Certificate,
  issuer: Certificate,
  crls: Crls,
  means: Means
): Status => {
  if (response.unknownCritical !== undefined) {
    return unusable(`it has the critical extension ${response.unknownCritical}, which is not known here`)
  }
  const about = response.responses.filter((single) => isAbout(single, certificate, issuer, means.reader))
  if (about.length === 0) return unusable("it is about another certificate")
  const fault = signerFault(response, issuer, crls, means)
  if (fault !== undefined) return unusable(fault)
  const all = about.map((single) => bySingle(single, means.now))
  return all.find(({ _tag }) => _tag === "Revoked") ?? all.find(({ _tag }) => _tag === "Good") ?? all[0] ?? unusable("")
}

/**
 * How much has to be known: nothing (`off`), whatever is at hand (`if-present`), or that the leaf was not revoked (`require`).
 *
 * @category models
 * @since 0.1.0
 */
export type RevocationMode = "off" | "if-present" | "require"

/**
 * What to judge by.
 *
 * @category models
 * @since 0.1.0
 */
export interface RevocationPolicy {
  readonly mode: RevocationMode
  readonly crls: Crls
}

const revoked = (depth: number, at: number): CertificateFault => ({
  _tag: "CertificateRevoked",
  depth,
  at: formatTime(at)
})

/** The leaf: by its staple and by lists. */
const judgeLeaf = (
  listed: Status,
  stapled: Status | undefined,
  mustStaple: boolean,
  asked: AskedStatus | undefined,
  mode: RevocationMode
): CertificateFault | undefined => {
  if (stapled?._tag === "Revoked") return revoked(0, stapled.at)
  // RFC 6066 section 8: a response that is not satisfactory ends the handshake, whatever else is known.
  if (stapled?._tag === "Unusable") return { _tag: "CertificateStatusWrong", why: stapled.why }
  if (stapled !== undefined) return undefined
  // RFC 7633 section 4.2.3.1: promised to whoever asks.
  if (mustStaple && asked !== undefined) {
    return { _tag: "CertificateStatusWrong", why: "the certificate promises one, and none came" }
  }
  if (mode !== "require" || listed._tag !== "Silent") return undefined
  return asked === undefined
    ? { _tag: "CertificateStatusUnknown", depth: 0, why: "no list of its issuer is at hand" }
    : { _tag: "CertificateStatusWrong", why: "one is required, and none came" }
}

/**
 * The revocation part of one judgement. Many paths may have a link in common: what was found out about it is kept.
 *
 * @category models
 * @since 0.1.0
 */
export class RevocationCheck {
  readonly #policy: RevocationPolicy
  readonly #asked: AskedStatus | undefined
  readonly #means: Means
  readonly #listed = new Map<Certificate, Map<Certificate, Status>>()
  readonly #stapled = new Map<Certificate, Status>()
  #response: Result.Result<OcspResponse, string> | undefined

  /** `asked` is for the leaf. */
  constructor(policy: RevocationPolicy, asked: AskedStatus | undefined, means: Means) {
    this.#policy = policy
    this.#asked = asked
    this.#means = means
  }

  /**
   * Judges every certificate of a path but its anchor, which is the last. Gives until when the judgement holds. Throws `Spent`.
   */
  judge(path: ReadonlyArray<Certificate>): Result.Result<number, CertificateFault> {
    const { mode } = this.#policy
    let until = Infinity
    if (mode === "off") return Result.succeed(until)
    for (const [depth, issuer] of path.slice(1).entries()) {
      const certificate = path[depth] ?? issuer
      const listed = this.#byLists(certificate, issuer)
      if (listed._tag === "Revoked") return Result.fail(revoked(depth, listed.at))
      const stapled = depth > 0 ? undefined : this.#byStaple(certificate, issuer)
      const mustStaple = certificate.extensions.mustStaple === true
      const fault = depth > 0 ? undefined : judgeLeaf(listed, stapled, mustStaple, this.#asked, mode)
      if (fault !== undefined) return Result.fail(fault)
      if (listed._tag === "Unusable" && stapled === undefined) {
        return Result.fail({ _tag: "CertificateStatusUnknown", depth, why: listed.why })
      }
      const known = [listed, stapled].flatMap((status) => status?._tag === "Good" ? [status.until] : [])
      if (known.length > 0) until = Math.min(until, Math.max(...known))
    }
    return Result.succeed(until)
  }

  #byLists(certificate: Certificate, issuer: Certificate): Status {
    const known = this.#listed.get(certificate) ?? new Map<Certificate, Status>()
    this.#listed.set(certificate, known)
    const status = known.get(issuer) ?? statusByCrls(this.#policy.crls, certificate, issuer, this.#means)
    known.set(issuer, status)
    return status
  }

  #byStaple(leaf: Certificate, issuer: Certificate): Status | undefined {
    const stapled = this.#asked?.stapled
    if (stapled === undefined) return undefined
    this.#means.budget.size("bytes", stapled.length)
    this.#response ??= parse(stapled)
    const response = this.#response
    const status = this.#stapled.get(issuer) ?? (Result.isFailure(response)
      ? unusable(response.failure)
      : statusByResponse(response.success, leaf, issuer, this.#policy.crls, this.#means))
    this.#stapled.set(issuer, status)
    return status
  }
}
