/**
 * Certificates, RFC 5280 section 4.1: read strictly, and judged by nobody yet.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import { samePublic } from "../wire/Bytes.ts"
import { Malformed } from "../wire/Reader.ts"
import { readSubjectKey, type Signing, signingOf, type SubjectKey } from "./Algorithm.ts"
import { constructed, type Der, implicit, Tag, whole } from "./Der.ts"
import { type Extensions, readExtensions } from "./Extension.ts"
import { type Name, readName, sameName } from "./Name.ts"
import { time } from "./Time.ts"

/**
 * Something signed: what `Certificate`, `CertificateList` and `BasicOCSPResponse` have in common.
 *
 * @category models
 * @since 0.1.0
 */
export interface Signed {
  /** The bytes that the signature is over. */
  readonly body: Uint8Array
  readonly signing: Signing
  readonly signature: Uint8Array
}

/**
 * A certificate; all bytes in it are views of `der`. Times are seconds since the epoch.
 *
 * @category models
 * @since 0.1.0
 */
export interface Certificate extends Signed {
  readonly der: Uint8Array
  readonly version: 1 | 2 | 3
  /** The INTEGER as it stands: its shortest form, with a sign. */
  readonly serial: Uint8Array
  readonly issuer: Name
  readonly notBefore: number
  readonly notAfter: number
  readonly subject: Name
  /** Subject and issuer are one (RFC 5280 section 3.2): an authority issues to itself, such as for a new key. */
  readonly isSelfIssued: boolean
  /** The whole SubjectPublicKeyInfo: what a pin is a hash of. */
  readonly spki: Uint8Array
  /** The key as bytes, without what kind it is of: what OCSP names an issuer by. */
  readonly keyBits: Uint8Array
  readonly key: SubjectKey
  readonly extensions: Extensions
}

/**
 * Reads the three parts of something signed. `read` gets the content of its body, and `inner` what that says about the algorithm:
 * it has to be what stands outside (RFC 5280 section 4.1.1.2). Throws `Malformed`.
 *
 * @category decoding
 * @since 0.1.0
 */
export const readSigned = <A>(
  der: Der,
  field: string,
  read: (body: Der, inner: (algorithm: Uint8Array) => void) => A
): A & Signed => {
  const body = der.element(Tag.sequence, field)
  const algorithm = der.element(Tag.sequence, "signatureAlgorithm").whole
  const signature = der.bitString("signatureValue")
  const checkInner = (inner: Uint8Array) => {
    if (!samePublic(inner, algorithm)) throw new Malformed("signatureAlgorithm", "is not the one that was signed")
  }
  const value = whole(body.content, field, (content) => read(content, checkInner))
  return { ...value, body: body.whole, signing: signingOf(algorithm), signature }
}

/**
 * What `read` gives, or what was wrong, in words.
 *
 * @category decoding
 * @since 0.1.0
 */
export const attempt = <A>(read: () => A): Result.Result<A, string> => {
  try {
    return Result.succeed(read())
  } catch (thrown) {
    // Anything else is a defect of the parser itself.
    if (!(thrown instanceof Malformed)) throw thrown
    return Result.fail(`${thrown.field} ${thrown.why}`)
  }
}

const versionOf = (body: Der): 1 | 2 | 3 => {
  const explicit = body.optional(constructed(0), "version")
  if (explicit === undefined) return 1
  const version = whole(explicit, "version", (der) => der.smallInteger("version"))
  // Version 1 is the default, which DER leaves out.
  if (version !== 1 && version !== 2) throw new Malformed("version", `is ${version + 1}`)
  return version === 1 ? 2 : 3
}

const readBody = (body: Der, inner: (algorithm: Uint8Array) => void): Omit<Certificate, "der" | keyof Signed> => {
  const version = versionOf(body)
  const serial = body.integer("serialNumber")
  inner(body.element(Tag.sequence, "signature").whole)
  const issuer = readName(body, "issuer")
  const validity = body.within(Tag.sequence, "validity", (content) => ({
    notBefore: time(content, "notBefore"),
    notAfter: time(content, "notAfter")
  }))
  const subject = readName(body, "subject")
  const info = body.element(Tag.sequence, "subjectPublicKeyInfo")
  const { bits, key } = whole(info.content, "subjectPublicKeyInfo", readSubjectKey)
  // Unique identifiers (RFC 5280 section 4.1.2.8) tell nothing that names do not.
  if (version > 1) {
    body.optional(implicit(1), "issuerUniqueID")
    body.optional(implicit(2), "subjectUniqueID")
  }
  const explicit = version === 3 ? body.optional(constructed(3), "extensions") : undefined
  const extensions = explicit === undefined ? {} : whole(explicit, "extensions", readExtensions)
  const isSelfIssued = sameName(subject, issuer)
  return {
    version,
    serial,
    issuer,
    ...validity,
    subject,
    isSelfIssued,
    spki: info.whole,
    keyBits: bits,
    key,
    extensions
  }
}

/**
 * Reads a certificate that is all of `der`; fails with what is wrong, in words. It keeps views of `der`.
 *
 * @category decoding
 * @since 0.1.0
 */
export const parse = (der: Uint8Array): Result.Result<Certificate, string> =>
  attempt(() =>
    whole(der, "certificate", (outer) => ({
      der,
      ...outer.within(Tag.sequence, "certificate", (content) => readSigned(content, "tbsCertificate", readBody))
    }))
  )
