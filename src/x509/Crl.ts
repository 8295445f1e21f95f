/**
 * Certificate revocation lists, RFC 5280 section 5: complete ones, of one issuer about its own certificates.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import { toHex } from "../wire/Bytes.ts"
import { Malformed } from "../wire/Reader.ts"
import { attempt, readSigned, type Signed } from "./Certificate.ts"
import { constructed, type Der, listOf, Tag, whole } from "./Der.ts"
import { readExtensionList } from "./Extension.ts"
import { type Name, readName } from "./Name.ts"
import { time } from "./Time.ts"

/**
 * A revocation list. Times are seconds since the epoch.
 *
 * @category models
 * @since 0.1.0
 */
export interface Crl extends Signed {
  readonly issuer: Name
  readonly thisUpdate: number
  readonly nextUpdate: number
  /** When each was revoked, by its serial number (the INTEGER's content in hexadecimal). */
  readonly revoked: ReadonlyMap<string, number>
  /** A critical extension that is not known here, of the list or of an entry: then the list cannot be used. */
  readonly unknownCritical: string | undefined
}

/** The form in which `Crl.revoked` has serial numbers. */
export const serialKey = (serial: Uint8Array): string => toHex(serial)

/** issuingDistributionPoint and deltaCRLIndicator: such a list is not complete, whether that is marked critical or not. */
const partial: ReadonlyArray<string> = ["2.5.29.28", "2.5.29.27"]

const firstCritical = (der: Der): string | undefined =>
  readExtensionList(der).find((extension) => extension.isCritical || partial.includes(extension.oid))?.oid

const readBody = (body: Der, inner: (algorithm: Uint8Array) => void): Omit<Crl, keyof Signed> => {
  // Version 1 is left out, and has no extensions.
  const isSecond = body.tag === Tag.integer
  const version = isSecond ? body.smallInteger("version") + 1 : 1
  if (isSecond && version !== 2) throw new Malformed("version", `is ${version}`)
  inner(body.element(Tag.sequence, "signature").whole)
  const issuer = readName(body, "issuer")
  const thisUpdate = time(body, "thisUpdate")
  // RFC 5280 section 5.1.2.5: it must be there. Without it nobody could tell when the list is old.
  const nextUpdate = time(body, "nextUpdate")
  const revoked = new Map<string, number>()
  let unknownCritical: string | undefined
  const entries = body.optional(Tag.sequence, "revokedCertificates")
  if (entries !== undefined) {
    listOf(entries, "revokedCertificates", 0, (list) =>
      list.within(Tag.sequence, "revokedCertificates", (entry) => {
        const serial = serialKey(entry.integer("userCertificate"))
        const revocationDate = time(entry, "revocationDate")
        if (isSecond && !entry.isEmpty) unknownCritical ??= firstCritical(entry)
        revoked.set(serial, revocationDate)
      }))
  }
  const explicit = isSecond ? body.optional(constructed(0), "crlExtensions") : undefined
  if (explicit !== undefined) unknownCritical ??= whole(explicit, "crlExtensions", firstCritical)
  return { issuer, thisUpdate, nextUpdate, revoked, unknownCritical }
}

/**
 * Reads a list that is all of `der`; fails with what is wrong, in words. It keeps views of `der`.
 *
 * @category decoding
 * @since 0.1.0
 */
export const parse = (der: Uint8Array): Result.Result<Crl, string> =>
  attempt(() =>
    whole(
      der,
      "certificateList",
      (outer) =>
        outer.within(Tag.sequence, "certificateList", (content) => readSigned(content, "tbsCertList", readBody))
    )
  )
