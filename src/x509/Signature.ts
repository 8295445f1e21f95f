/**
 * Signatures of certificates, revocation lists and OCSP responses: the one place where they are verified.
 *
 * @since 0.1.0
 */
import type { PlatformCertificate, Primitives } from "../secret/Primitives.ts"
import { fits } from "./Algorithm.ts"
import type { Budget } from "./Budget.ts"
import type { Certificate, Signed } from "./Certificate.ts"

/**
 * What the platform has to know.
 *
 * @category models
 * @since 0.1.0
 */
export type Platform = Pick<Primitives["Service"], "parseCertificate" | "digest" | "sha1">

/**
 * The second parser, and what it made of each certificate. A certificate counts only where both parsers take it.
 *
 * @category models
 * @since 0.1.0
 */
export class Reader {
  readonly platform: Platform
  readonly #read = new WeakMap<Certificate, { readonly parsed: PlatformCertificate | undefined }>()

  constructor(platform: Platform) {
    this.platform = platform
  }

  /** `undefined` where the platform refuses the certificate. */
  of(certificate: Certificate): PlatformCertificate | undefined {
    let read = this.#read.get(certificate)
    if (read === undefined) {
      read = { parsed: this.platform.parseCertificate(certificate.der) }
      this.#read.set(certificate, read)
    }
    return read.parsed
  }
}

/**
 * What became of a signature.
 *
 * @category models
 * @since 0.1.0
 */
export type SignatureVerdict =
  | { readonly _tag: "Valid" }
  | { readonly _tag: "Invalid" }
  /** Not verified: an algorithm that is broken. */
  | { readonly _tag: "Broken"; readonly name: string }
  /** Not verified: an algorithm that is not used here. */
  | { readonly _tag: "Unknown"; readonly oid: string }

const valid: SignatureVerdict = { _tag: "Valid" }
const invalid: SignatureVerdict = { _tag: "Invalid" }

/**
 * Whether the key of `issuer` made the signature. Throws `Spent`.
 *
 * @category combinators
 * @since 0.1.0
 */
export const verify = (reader: Reader, budget: Budget, signed: Signed, issuer: Certificate): SignatureVerdict => {
  const { signing } = signed
  if (signing._tag !== "Usable") return signing
  const { key } = issuer
  if (key._tag !== "Usable" || !fits(key.family, signing.algorithm)) return invalid
  budget.signature(key.cost)
  return reader.of(issuer)?.verifies(signing.algorithm, signed.body, signed.signature) === true ? valid : invalid
}

/**
 * The verdict in words, as the end of "its signature".
 *
 * @category formatting
 * @since 0.1.0
 */
export const describe = (verdict: Exclude<SignatureVerdict, { readonly _tag: "Valid" }>): string => {
  switch (verdict._tag) {
    case "Invalid":
      return "does not verify"
    case "Broken":
      return `is of ${verdict.name}`
    case "Unknown":
      return `is of an algorithm that is not used here (${verdict.oid})`
  }
}
