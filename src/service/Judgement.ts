/**
 * The judgement behind `Trust`: what it is made of, and what it remembers.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { CertificateFault } from "../alert/Fault.ts"
import { type PlatformCertificate, Primitives, type PublicKey } from "../secret/Primitives.ts"
import { concat, fromText, toHex } from "../wire/Bytes.ts"
import { Anchors } from "../x509/Anchor.ts"
import type { Limits } from "../x509/Budget.ts"
import type { Certificate } from "../x509/Certificate.ts"
import { type Crl, parse as parseCrl } from "../x509/Crl.ts"
import { judge, type Policy } from "../x509/Path.ts"
import { Crls, type RevocationMode } from "../x509/Revocation.ts"
import type { Peer } from "../x509/Rules.ts"
import { Reader } from "../x509/Signature.ts"
import { decodePem, type PemError } from "./Pem.ts"
import { verified, type VerifiedChain } from "./VerifiedChain.ts"
import { VerifiedChains } from "./VerifiedChains.ts"

/**
 * What a trust is made of cannot be used.
 *
 * @category errors
 * @since 0.1.0
 */
export class TrustError extends Schema.TaggedError<TrustError>()("TrustError", { why: Schema.String }) {
  override get message(): string {
    return this.why
  }
}

const malformed: CertificateFault = { _tag: "CertificateMalformed", depth: 0, why: "the platform cannot read it" }

const unusable: CertificateFault = {
  _tag: "CertificateUnsupported",
  depth: 0,
  why: "its key is of a kind that is not used in handshakes"
}

/**
 * The key of a leaf, where a handshake can be done with it.
 *
 * @category combinators
 * @since 0.1.0
 */
export const acceptedKey = (leaf: PlatformCertificate | undefined): Result.Result<PublicKey, CertificateFault> =>
  leaf === undefined
    ? Result.fail(malformed)
    : leaf.publicKey === undefined
    ? Result.fail(unusable)
    : Result.succeed(leaf.publicKey)

/**
 * How to judge chains, beside whom to trust.
 *
 * @category models
 * @since 0.1.0
 */
export interface JudgementOptions {
  /** Revocation lists: PEM text with one or more, or lists in DER. Each counts for the certificates of its own issuer. */
  readonly crls?: string | ReadonlyArray<Uint8Array>
  /**
   * How much has to be known about revocation: nothing (`off`), whatever is at hand (`if-present`, the default), or that the leaf
   * was not revoked (`require`). Nothing is fetched: what is at hand is the lists above, and a stapled OCSP response.
   */
  readonly revocation?: RevocationMode
  /** What the judgement of one chain may cost. */
  readonly limits?: Partial<Limits>
  /** How many accepted chains are remembered: 128. */
  readonly remember?: number
}

const defaultRemember = 128

/**
 * Reads one after the other; the error says which it was, counted from 1.
 *
 * @category constructors
 * @since 0.1.0
 */
export const readAll = <A>(
  what: string,
  ders: ReadonlyArray<Uint8Array>,
  parse: (der: Uint8Array) => Result.Result<A, string>
): Effect.Effect<ReadonlyArray<A>, TrustError> =>
  Effect.forEach(ders, (der, i) =>
    Effect.mapError(
      // Whoever gave the bytes may use them again.
      Effect.fromResult(parse(der.slice())),
      (why) => new TrustError({ why: `${what} ${i + 1} of ${ders.length} cannot be read: ${why}` })
    ))

const crlsOf = (crls: string | ReadonlyArray<Uint8Array>): Effect.Effect<ReadonlyArray<Crl>, PemError | TrustError> =>
  Effect.flatMap(
    typeof crls === "string" ? decodePem(crls, "X509 CRL") : Effect.succeed(crls),
    (ders) => readAll("revocation list", ders, parseCrl)
  )

/**
 * The SHA-256 hash of the parts, one after the other, in hexadecimal.
 *
 * @category combinators
 * @since 0.1.0
 */
export const digestOf = (primitives: Primitives["Service"], parts: ReadonlyArray<Uint8Array>): string =>
  toHex(primitives.digest("sha256", concat(parts)))

/**
 * What a trust makes of chains.
 *
 * @category models
 * @since 0.1.0
 */
export interface Judgement {
  /** Differs between judgements that may differ. */
  readonly fingerprint: string
  readonly authorities: ReadonlyArray<Uint8Array>
  /** `now` is in milliseconds since the epoch. */
  readonly judge: (
    chain: ReadonlyArray<Uint8Array>,
    peer: Peer,
    now: number
  ) => Result.Result<VerifiedChain, CertificateFault>
}

/** Bytes of names and their lengths that a request for a certificate may take: less than one record. */
const maxAuthorities = 16_000

/**
 * The names that issue what the anchors accept, in DER and each once (RFC 5246 section 7.4.4, RFC 8446 section 4.2.4). None where they
 * are too long together: a client would take half a list for all of it.
 *
 * @category combinators
 * @since 0.1.0
 */
export const authoritiesOf = (anchors: ReadonlyArray<Certificate>): ReadonlyArray<Uint8Array> => {
  const names = new Map(
    anchors.flatMap(({ extensions, issuer, subject }) =>
      // A certificate that does not say that it is an authority may be a client's own, trusted as it stands.
      (extensions.basicConstraints?.isAuthority === true ? [subject] : [subject, issuer])
        .map(({ der }) => [toHex(der), der] as const)
    )
  )
  const length = [...names.values()].reduce((sum, der) => sum + 2 + der.length, 0)
  return length <= maxAuthorities ? [...names.values()] : []
}

/**
 * Judges by anchors and options, and remembers what it accepted. Fails with the number of the first revocation list that cannot be
 * read.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(
  anchors: ReadonlyArray<Certificate>,
  options: JudgementOptions & { readonly uncriticalAnchors: boolean }
): Effect.fn.Return<Judgement, PemError | TrustError, Primitives> {
  const primitives = yield* Primitives
  const { limits = {}, remember = defaultRemember, revocation = "if-present", uncriticalAnchors } = options
  const crls = options.crls === undefined ? [] : yield* crlsOf(options.crls)
  const policy: Policy = {
    anchors: new Anchors(anchors),
    uncriticalAnchors,
    revocation: { mode: revocation, crls: new Crls(crls) },
    limits
  }
  const reader = new Reader(primitives)
  const remembered = new VerifiedChains(primitives, remember)
  return {
    fingerprint: digestOf(primitives, [
      fromText(JSON.stringify([revocation, uncriticalAnchors, limits])),
      ...policy.anchors.all.map(({ der }) => der),
      ...crls.map(({ body }) => body)
    ]),
    authorities: authoritiesOf(anchors),
    judge: (chain, peer, now) => {
      const seconds = Math.floor(now / 1000)
      const key = remembered.keyOf(chain, peer)
      const known = remembered.get(key, seconds)
      if (known !== undefined) return Result.succeed(known)
      // The path is kept for longer than the bytes of the message.
      const owned = chain.map((der) => der.slice())
      return Result.flatMap(judge(reader, policy, { chain: owned, peer, now }), ({ notAfter, notBefore, path }) => {
        const leaf = path[0] === undefined ? undefined : reader.of(path[0])
        return Result.map(acceptedKey(leaf), (publicKey) => {
          // The last second belongs to it.
          const accepted = verified(owned, publicKey, path, (notAfter + 1) * 1000)
          remembered.set(key, { verified: accepted, notBefore, notAfter })
          return accepted
        })
      })
    }
  }
})
