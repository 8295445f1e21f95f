/**
 * The hash that stands for a certificate: the channel binding tls-server-end-point, RFC 5929 section 4.1.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import type { HashName } from "../secret/Primitives.ts"
import { hashes, maskHash, readIdentifier, readPss, rsaPss } from "./Algorithm.ts"
import { attempt } from "./Certificate.ts"
import { Tag, whole } from "./Der.ts"

/** RFC 3279, RFC 4055, RFC 5758. SHA-256 stands in for MD5 and SHA-1. */
const hashOfSignature: Readonly<Record<string, HashName>> = {
  "1.2.840.113549.1.1.4": "sha256", // MD5 with RSA
  "1.2.840.113549.1.1.5": "sha256", // SHA-1 with RSA
  "1.3.14.3.2.29": "sha256", // SHA-1 with RSA, of OIW
  "1.2.840.113549.1.1.11": "sha256",
  "1.2.840.113549.1.1.12": "sha384",
  "1.2.840.113549.1.1.13": "sha512",
  "1.2.840.10045.4.1": "sha256", // SHA-1 with ECDSA
  "1.2.840.10045.4.3.2": "sha256",
  "1.2.840.10045.4.3.3": "sha384",
  "1.2.840.10045.4.3.4": "sha512",
  "1.2.840.10040.4.3": "sha256", // SHA-1 with DSA
  "2.16.840.1.101.3.4.3.2": "sha256" // with DSA
}

const sha1 = "1.3.14.3.2.26"

/** The message and MGF1 may have different hashes. */
const hashOfPss = (parameters: Uint8Array): HashName | undefined => {
  const { hash, maskGeneration } = readPss(parameters)
  const oid = hash?.oid ?? sha1
  const mask = maskGeneration === undefined ? sha1 : maskHash(maskGeneration)?.oid
  if (mask !== oid) return undefined
  return oid === sha1 ? "sha256" : hashes[oid]
}

/**
 * By which hash a certificate is bound to: that of its signatureAlgorithm, and SHA-256 in place of MD5 and SHA-1. `undefined` where
 * its signature uses no hash of its own (Ed25519), more than one, or one that is not at hand, and where its DER cannot be read.
 *
 * @category decoding
 * @since 0.1.0
 */
export const endPointHash = (certificate: Uint8Array): HashName | undefined =>
  Result.getOrUndefined(attempt(() =>
    whole(certificate, "certificate", (outer) => {
      const content = outer.sequence("certificate")
      content.element(Tag.sequence, "tbsCertificate")
      const { oid, parameters } = readIdentifier(content, "signatureAlgorithm")
      return oid === rsaPss && parameters !== undefined ? hashOfPss(parameters) : hashOfSignature[oid]
    })
  ))
