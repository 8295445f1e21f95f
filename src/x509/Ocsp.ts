/**
 * OCSP responses, RFC 6960 section 4.2: as a server staples them.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import { Malformed } from "../wire/Reader.ts"
import { attempt, type Certificate, parse as parseCertificate, readSigned, type Signed } from "./Certificate.ts"
import { constructed, type Der, implicit, listOf, smallIntegerOf, Tag, whole } from "./Der.ts"
import { readExtensionList } from "./Extension.ts"
import { readName } from "./Name.ts"
import { generalizedTime } from "./Time.ts"

/**
 * What a response says about one certificate. Times are seconds since the epoch.
 *
 * @category models
 * @since 0.1.0
 */
export interface SingleResponse {
  /** The hash that the issuer is named by, dotted. */
  readonly hash: string
  readonly issuerNameHash: Uint8Array
  readonly issuerKeyHash: Uint8Array
  readonly serial: Uint8Array
  readonly status:
    | { readonly _tag: "Good" }
    | { readonly _tag: "Revoked"; readonly at: number }
    | { readonly _tag: "Unknown" }
  readonly thisUpdate: number
  readonly nextUpdate: number | undefined
}

/**
 * A basic response, signed by the issuer of the certificates or by whom it delegated.
 *
 * @category models
 * @since 0.1.0
 */
export interface OcspResponse extends Signed {
  readonly responses: ReadonlyArray<SingleResponse>
  /** A critical extension that is not known here: then the response cannot be used. */
  readonly unknownCritical: string | undefined
  /** The certificates that came with it, as they stand; `certificates` reads them. */
  readonly certificates: ReadonlyArray<Uint8Array>
}

const readStatus = (der: Der): SingleResponse["status"] => {
  const { content, tag } = der.any("certStatus")
  switch (tag) {
    case implicit(0):
    case implicit(2):
      if (content.length > 0) throw new Malformed("certStatus", "holds more than its name")
      return tag === implicit(0) ? { _tag: "Good" } : { _tag: "Unknown" }
    case constructed(1):
      return whole(content, "certStatus", (revoked) => {
        const at = generalizedTime(revoked, "revocationTime")
        // The reason does not change anything: also what is on hold is not to be used.
        if (!revoked.isEmpty) {
          revoked.within(constructed(0), "revocationReason", (_) => _.content(Tag.enumerated, "reason"))
        }
        return { _tag: "Revoked", at }
      })
    default:
      throw new Malformed("certStatus", `has the tag 0x${tag.toString(16)}`)
  }
}

const firstCritical = (der: Der): string | undefined =>
  readExtensionList(der).find((extension) => extension.isCritical)?.oid

type WithExtensions = SingleResponse & { readonly unknownCritical: string | undefined }

const readSingle = (list: Der): WithExtensions =>
  list.within(Tag.sequence, "singleResponse", (content) => {
    const named = content.within(Tag.sequence, "certID", (id) => {
      const hash = id.within(Tag.sequence, "hashAlgorithm", (algorithm) => {
        const oid = algorithm.oid("hashAlgorithm")
        algorithm.optional(Tag.null, "hashAlgorithm")
        return oid
      })
      const issuerNameHash = id.content(Tag.octetString, "issuerNameHash")
      const issuerKeyHash = id.content(Tag.octetString, "issuerKeyHash")
      return { hash, issuerNameHash, issuerKeyHash, serial: id.integer("serialNumber") }
    })
    const status = readStatus(content)
    const thisUpdate = generalizedTime(content, "thisUpdate")
    const explicitNext = content.optional(constructed(0), "nextUpdate")
    const nextUpdate = explicitNext === undefined
      ? undefined
      : whole(explicitNext, "nextUpdate", (_) => generalizedTime(_, "nextUpdate"))
    const extensions = content.optional(constructed(1), "singleExtensions")
    const unknownCritical = extensions === undefined ? undefined : whole(extensions, "singleExtensions", firstCritical)
    return { ...named, status, thisUpdate, nextUpdate, unknownCritical }
  })

const readBody = (body: Der) => {
  const version = body.optional(constructed(0), "version")
  if (version !== undefined) throw new Malformed("version", "is not 1, which is left out")
  // Who answered: by name or by the hash of a key. The signature tells, so this is read and forgotten.
  const byName = body.optional(constructed(1), "responderID")
  if (byName !== undefined) whole(byName, "responderID", (_) => readName(_, "responderID"))
  else body.within(constructed(2), "responderID", (_) => _.content(Tag.octetString, "responderID"))
  generalizedTime(body, "producedAt")
  const responses = body.list(Tag.sequence, "responses", 1, readSingle)
  const extensions = body.optional(constructed(1), "responseExtensions")
  const critical = extensions === undefined ? undefined : whole(extensions, "responseExtensions", firstCritical)
  return { responses, unknownCritical: critical ?? responses.find((_) => _.unknownCritical)?.unknownCritical }
}

const readBasic = (content: Der): OcspResponse => {
  const signed = readSigned(content, "tbsResponseData", readBody)
  const explicit = content.optional(constructed(0), "certs")
  const certificates = explicit === undefined ?
    [] :
    whole(
      explicit,
      "certs",
      (_) => listOf(_.content(Tag.sequence, "certs"), "certs", 0, (list) => list.element(Tag.sequence, "certs").whole)
    )
  return { ...signed, certificates }
}

const statuses = ["successful", "malformedRequest", "internalError", "tryLater", "4", "sigRequired", "unauthorized"]
const basicResponse = "1.3.6.1.5.5.7.48.1.1"

/**
 * Reads a response that is all of `der`; fails with what is wrong, in words, also where the responder answered with an error. It
 * keeps views of `der`.
 *
 * @category decoding
 * @since 0.1.0
 */
export const parse = (der: Uint8Array): Result.Result<OcspResponse, string> =>
  attempt(() =>
    whole(der, "OCSPResponse", (outer) =>
      outer.within(Tag.sequence, "OCSPResponse", (content) => {
        const status = smallIntegerOf(content.content(Tag.enumerated, "responseStatus"), "responseStatus")
        if (status !== 0) throw new Malformed("responseStatus", `is ${statuses[status] ?? status}`)
        return content.within(constructed(0), "responseBytes", (explicit) =>
          explicit.within(Tag.sequence, "responseBytes", (bytes) => {
            const type = bytes.oid("responseType")
            if (type !== basicResponse) throw new Malformed("responseType", `is ${type}`)
            const response = bytes.content(Tag.octetString, "response")
            return whole(response, "BasicOCSPResponse", (_) =>
              _.within(Tag.sequence, "BasicOCSPResponse", readBasic))
          }))
      }))
  )

/**
 * Those of its first `limit` certificates that can be read.
 *
 * @category decoding
 * @since 0.1.0
 */
export const certificatesOf = (response: OcspResponse, limit: number): ReadonlyArray<Certificate> =>
  response.certificates.slice(0, limit).flatMap((der) => {
    const parsed = parseCertificate(der)
    return Result.isSuccess(parsed) ? [parsed.success] : []
  })
