/**
 * From the certificates that a peer sent to an anchor: building the path with backtracking (RFC 4158), and judging it
 * (RFC 5280 section 6.1).
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import type { CertificateFault } from "../alert/Fault.ts"
import { samePublic } from "../wire/Bytes.ts"
import type { Anchors } from "./Anchor.ts"
import { Budget, defaultLimits, type Limits, Spent } from "./Budget.ts"
import { type Certificate, parse } from "./Certificate.ts"
import { type Candidate, candidatesOf, objection } from "./Constraint.ts"
import { formatName, sameName } from "./Name.ts"
import { type Means, RevocationCheck, type RevocationPolicy } from "./Revocation.ts"
import { judgeAny, judgeIssuer, judgeLeafForm, judgeLeafUse, type Peer } from "./Rules.ts"
import { type Reader, verify } from "./Signature.ts"

/**
 * Whom to trust, and how strictly.
 *
 * @category models
 * @since 0.1.0
 */
export interface Policy {
  readonly anchors: Anchors
  /**
   * Whether an anchor may have basic constraints that are not critical. RFC 5280 section 4.2.1.9 forbids it; root programs have
   * kept roots that are older. False by default.
   */
  readonly uncriticalAnchors?: boolean
  readonly revocation: RevocationPolicy
  readonly limits?: Partial<Limits>
}

/**
 * What was sent, by whom, and what time it is.
 *
 * @category models
 * @since 0.1.0
 */
export interface Question {
  /** In DER, leaf first and never empty; the order of the rest tells nothing. */
  readonly chain: ReadonlyArray<Uint8Array>
  readonly peer: Peer
  /** Milliseconds since the epoch. */
  readonly now: number
}

const proof: unique symbol = Symbol("effect-tls/ValidPath")

/**
 * The proof that a chain was judged and accepted. Only `judge` makes one.
 *
 * @category models
 * @since 0.1.0
 */
export interface ValidPath {
  readonly [proof]: true
  /** The leaf first, the anchor last; they are one where the leaf itself is an anchor. */
  readonly path: ReadonlyArray<Certificate>
  /** From when to when the judgement would have been the same, both included, in seconds since the epoch. */
  readonly notBefore: number
  readonly notAfter: number
}

/** A fault, and how far the path had come; one that came to an anchor is furthest. */
interface Failure {
  readonly length: number
  readonly fault: CertificateFault
}
const complete = Infinity

/** Where a path may go on. */
interface Issuer {
  readonly certificate: Certificate
  readonly isAnchor: boolean
}

class Search {
  readonly #policy: Policy
  readonly #peer: Peer
  readonly #means: Means
  readonly #pool: ReadonlyArray<Certificate>
  readonly #revocation: RevocationCheck
  // What is known of a certificate however often the search comes by.
  readonly #issuers = new Map<Certificate, ReadonlyArray<Issuer>>()
  readonly #candidates = new Map<Certificate, ReadonlyArray<Candidate>>()
  readonly #signatures = new Map<Certificate, Map<Certificate, CertificateFault | "valid">>()
  #furthest: Failure | undefined

  constructor(policy: Policy, peer: Peer, means: Means, pool: ReadonlyArray<Certificate>) {
    this.#policy = policy
    this.#peer = peer
    this.#means = means
    this.#pool = pool
    const asked = peer.role === "server" ? peer.status : undefined
    this.#revocation = new RevocationCheck(policy.revocation, asked, means)
  }

  run(leaf: Certificate): Result.Result<ValidPath, CertificateFault> {
    const found = this.#climb([leaf], leaf)
    if (found !== undefined) return Result.succeed(found)
    return Result.fail(this.#furthest?.fault ?? untrusted(leaf, 0))
  }

  /** Of several ways that fail, the one that got furthest is told. */
  #note(length: number, fault: () => CertificateFault): undefined {
    if (this.#furthest === undefined || length > this.#furthest.length) this.#furthest = { length, fault: fault() }
    return undefined
  }

  #climb(path: ReadonlyArray<Certificate>, top: Certificate): ValidPath | undefined {
    if (this.#policy.anchors.has(top)) {
      const valid = this.#complete(path)
      if (valid !== undefined) return valid
    }
    const depth = path.length
    const below = path.slice(1).filter((lower) => !lower.isSelfIssued).length
    for (const { certificate: issuer, isAnchor } of this.#issuersOf(top)) {
      this.#means.budget.candidate()
      if (!isAnchor && isRepeated(issuer, path)) continue
      const mayBeUncritical = isAnchor && this.#policy.uncriticalAnchors === true
      // Whether it is the issuer comes before whether it may be.
      const fault = judgeAny(issuer, depth) ?? this.#signatureFault(top, issuer, depth - 1) ??
        judgeIssuer(issuer, { depth, below, isAnchor, mayBeUncritical }, this.#peer.role, this.#means.now)
      if (fault !== undefined) {
        this.#note(depth, () => fault)
        continue
      }
      const longer = [...path, issuer]
      const valid = isAnchor ? this.#complete(longer) : this.#climbOn(longer, issuer)
      if (valid !== undefined) return valid
    }
    return this.#note(depth, () => untrusted(top, depth - 1))
  }

  #climbOn(path: ReadonlyArray<Certificate>, top: Certificate): ValidPath | undefined {
    const limit = this.#means.budget.limits.intermediates
    return path.length - 1 > limit
      ? this.#note(path.length, () => ({ _tag: "CertificatePathTooLong", limit }))
      : this.#climb(path, top)
  }

  /** Anchors first: the shortest way is the best. */
  #issuersOf(subject: Certificate): ReadonlyArray<Issuer> {
    const known = this.#issuers.get(subject)
    if (known !== undefined) return known
    const sent = this.#pool.filter((candidate) => sameName(candidate.subject, subject.issuer))
    const issuers = [
      ...byKeyIdentifier(this.#policy.anchors.named(subject.issuer), subject).map((certificate) => ({
        certificate,
        isAnchor: true
      })),
      ...byKeyIdentifier(sent, subject).map((certificate) => ({ certificate, isAnchor: false }))
    ]
    this.#issuers.set(subject, issuers)
    return issuers
  }

  #signatureFault(subject: Certificate, issuer: Certificate, depth: number): CertificateFault | undefined {
    const known = this.#signatures.get(subject) ?? new Map<Certificate, CertificateFault | "valid">()
    this.#signatures.set(subject, known)
    const verdict = known.get(issuer) ?? this.#verify(subject, issuer, depth) ?? "valid"
    known.set(issuer, verdict)
    return verdict === "valid" ? undefined : verdict
  }

  #verify(subject: Certificate, issuer: Certificate, depth: number): CertificateFault | undefined {
    const { budget, reader } = this.#means
    if (reader.of(issuer) === undefined) return unreadable(depth + 1)
    const verdict = verify(reader, budget, subject, issuer)
    switch (verdict._tag) {
      case "Valid":
        return undefined
      case "Invalid":
        return { _tag: "CertificateSignatureWrong", depth }
      case "Broken":
        return { _tag: "CertificateSignatureWeak", depth, algorithm: verdict.name }
      case "Unknown":
        return {
          _tag: "CertificateUnsupported",
          depth,
          why: `its signature is of an algorithm that is not used here (${verdict.oid})`
        }
    }
  }

  /** A path from the leaf to an anchor, every link of which holds: what is left is what needs all of it. */
  #complete(path: ReadonlyArray<Certificate>): ValidPath | undefined {
    const fault = this.#constraintFault(path)
    if (fault !== undefined) return this.#note(complete, () => fault)
    const status = this.#revocation.judge(path)
    if (Result.isFailure(status)) return this.#note(complete, () => status.failure)
    return {
      [proof]: true,
      path,
      notBefore: Math.max(...path.map((certificate) => certificate.notBefore)),
      notAfter: Math.min(status.success, ...path.map((certificate) => certificate.notAfter))
    }
  }

  /** RFC 5280 section 6.1.3 (b) and (c): each authority restricts all that is below it; where it stands alone, itself. */
  #constraintFault(path: ReadonlyArray<Certificate>): CertificateFault | undefined {
    for (const [height, { extensions: { nameConstraints } }] of path.entries()) {
      if (nameConstraints === undefined) continue
      for (const [depth, certificate] of path.slice(0, Math.max(1, height)).entries()) {
        if (depth > 0 && certificate.isSelfIssued) continue
        for (const name of this.#namesOf(certificate)) {
          const why = objection(name, nameConstraints, this.#compare)
          if (why !== undefined) return { _tag: "CertificateNameForbidden", depth, why }
        }
      }
    }
    return undefined
  }

  readonly #compare = (): void => this.#means.budget.comparisons(1)

  #namesOf(certificate: Certificate): ReadonlyArray<Candidate> {
    const known = this.#candidates.get(certificate)
    if (known !== undefined) return known
    const names = candidatesOf(certificate.subject, certificate.extensions.subjectAltName?.names ?? [])
    this.#means.budget.comparisons(names.length)
    this.#candidates.set(certificate, names)
    return names
  }
}

/** RFC 4158 section 2.4.2: the same key under the same name again would lead nowhere new. */
const isRepeated = (issuer: Certificate, path: ReadonlyArray<Certificate>): boolean =>
  path.some((below) => samePublic(below.spki, issuer.spki) && sameName(below.subject, issuer.subject))

const untrusted = (certificate: Certificate, depth: number): CertificateFault => ({
  _tag: "CertificateUntrusted",
  depth,
  issuer: formatName(certificate.issuer)
})

const unreadable = (depth: number): CertificateFault => ({
  _tag: "CertificateMalformed",
  depth,
  why: "the platform cannot read it"
})

/** Identifiers of keys only say where to look first: many certificates lack them, and nobody vouches for them. */
const byKeyIdentifier = (issuers: ReadonlyArray<Certificate>, subject: Certificate): ReadonlyArray<Certificate> => {
  const wanted = subject.extensions.authorityKeyIdentifier
  if (wanted === undefined || issuers.length < 2) return issuers
  const rank = ({ extensions: { subjectKeyIdentifier } }: Certificate): number =>
    subjectKeyIdentifier === undefined ? 1 : samePublic(subjectKeyIdentifier, wanted) ? 0 : 2
  return issuers.toSorted((a, b) => rank(a) - rank(b))
}

const search = (
  reader: Reader,
  budget: Budget,
  policy: Policy,
  { chain, now, peer }: Question
): Result.Result<ValidPath, CertificateFault> => {
  budget.size("certificates", chain.length)
  budget.size("bytes", chain.reduce((length, der) => length + der.length, 0))
  const [first = Result.fail("there is none"), ...rest] = chain.map(parse)
  if (Result.isFailure(first)) return Result.fail({ _tag: "CertificateMalformed", depth: 0, why: first.failure })
  const leaf = first.success
  const fault = judgeLeafForm(leaf, policy.anchors.has(leaf)) ??
    (reader.of(leaf) === undefined ? unreadable(0) : undefined)
  if (fault !== undefined) return Result.fail(fault)

  const seconds = Math.floor(now / 1000)
  const pool = rest.flatMap((parsed) => Result.isSuccess(parsed) ? [parsed.success] : [])
  const found = new Search(policy, peer, { reader, budget, now: seconds }, pool).run(leaf)
  if (Result.isFailure(found)) {
    // What cannot be read may be what is missing.
    const broken = rest.findIndex(Result.isFailure)
    const why = rest[broken]
    return found.failure._tag === "CertificateUntrusted" && why !== undefined && Result.isFailure(why)
      ? Result.fail({ _tag: "CertificateMalformed", depth: broken + 1, why: why.failure })
      : found
  }
  const useFault = judgeLeafUse(leaf, peer, seconds)
  return useFault === undefined ? found : Result.fail(useFault)
}

/**
 * Judges a chain: the proof that it leads to an anchor and is good for this peer now, or the fault that it has. It ends within
 * the limits of the policy, whatever was sent.
 *
 * @category combinators
 * @since 0.1.0
 */
export const judge = (
  reader: Reader,
  policy: Policy,
  question: Question
): Result.Result<ValidPath, CertificateFault> => {
  try {
    return search(reader, new Budget({ ...defaultLimits, ...policy.limits }), policy, question)
  } catch (thrown) {
    // Anything else is a defect.
    if (!(thrown instanceof Spent)) throw thrown
    return Result.fail({ _tag: "CertificateTooCostly", what: thrown.what, limit: thrown.limit })
  }
}
