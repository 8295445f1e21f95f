/**
 * Which keys and which signatures count: an allow list of whole AlgorithmIdentifiers (RFC 3279, RFC 4055, RFC 5480, RFC 5758,
 * RFC 8410). What is not on it is not verified at all.
 *
 * @since 0.1.0
 */
import type { HashName, SignatureAlgorithm } from "../secret/Primitives.ts"
import type { LegacyScheme } from "../wire/CodePoints.ts"
import { Malformed } from "../wire/Reader.ts"
import { constructed, type Der, Tag, whole } from "./Der.ts"

/**
 * An AlgorithmIdentifier, RFC 5280 section 4.1.1.2.
 *
 * @category models
 * @since 0.1.0
 */
export interface Identifier {
  readonly oid: string
  /** The whole encoding of the parameters; `undefined` where they are absent. */
  readonly parameters: Uint8Array | undefined
}

/**
 * Reads the AlgorithmIdentifier that comes next. Throws `Malformed`.
 *
 * @category decoding
 * @since 0.1.0
 */
export const readIdentifier = (der: Der, field: string): Identifier =>
  der.within(Tag.sequence, field, (content) => ({
    oid: content.oid(field),
    parameters: content.isEmpty ? undefined : content.any(field).whole
  }))

const isNull = (bytes: Uint8Array): boolean => bytes.length === 2 && bytes[0] === Tag.null && bytes[1] === 0

/** RFC 4055 sections 2.1 and 5: NULL, or nothing. */
const isBare = ({ parameters }: Identifier): boolean => parameters === undefined || isNull(parameters)

/**
 * The hashes of signatures that count, by their object identifiers.
 *
 * @category constants
 * @since 0.1.0
 */
export const hashes: Readonly<Record<string, HashName>> = {
  "2.16.840.1.101.3.4.2.1": "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512"
}
const hashLengths: Readonly<Record<HashName, number>> = { sha256: 32, sha384: 48, sha512: 64 }

const pkcs1: Readonly<Record<string, SignatureAlgorithm>> = {
  "1.2.840.113549.1.1.11": "rsa-pkcs1-sha256",
  "1.2.840.113549.1.1.12": "rsa-pkcs1-sha384",
  "1.2.840.113549.1.1.13": "rsa-pkcs1-sha512"
}
const withoutParameters: Readonly<Record<string, SignatureAlgorithm>> = {
  "1.2.840.10045.4.3.2": "ecdsa-sha256",
  "1.2.840.10045.4.3.3": "ecdsa-sha384",
  "1.2.840.10045.4.3.4": "ecdsa-sha512",
  "1.3.101.112": "ed25519"
}
/**
 * id-RSASSA-PSS, RFC 4055 section 3.1.
 *
 * @category constants
 * @since 0.1.0
 */
export const rsaPss = "1.2.840.113549.1.1.10"
const mgf1 = "1.2.840.113549.1.1.8"

interface Broken {
  readonly name: string
  /** What a peer that takes it nevertheless calls it, where there is a word for it (RFC 8446 section 4.2.3). */
  readonly scheme?: LegacyScheme
}

const sha1WithRsa: Broken = { name: "SHA-1 with RSA", scheme: "rsa_pkcs1_sha1" }

/** Broken hashes, by name: RFC 8446 section 4.4.2.4 has an alert for them. */
const broken: Readonly<Record<string, Broken>> = {
  "1.2.840.113549.1.1.2": { name: "MD2 with RSA" },
  "1.2.840.113549.1.1.4": { name: "MD5 with RSA" },
  "1.2.840.113549.1.1.5": sha1WithRsa,
  "1.3.14.3.2.29": sha1WithRsa,
  "1.2.840.10045.4.1": { name: "SHA-1 with ECDSA", scheme: "ecdsa_sha1" },
  "1.2.840.10040.4.3": { name: "SHA-1 with DSA" }
}

/**
 * The parameters of RSASSA-PSS, RFC 4055 section 3.1; `undefined` where one is left out: SHA-1, MGF1 with SHA-1, a salt of 20 bytes.
 *
 * @category models
 * @since 0.1.0
 */
export interface PssParameters {
  readonly hash: Identifier | undefined
  readonly maskGeneration: Identifier | undefined
  readonly saltLength: number | undefined
  /** Nothing but the default may stand in it, and DER leaves that out. */
  readonly hasTrailer: boolean
}

/**
 * Reads all of the parameters of RSASSA-PSS. Throws `Malformed`.
 *
 * @category decoding
 * @since 0.1.0
 */
export const readPss = (parameters: Uint8Array): PssParameters =>
  whole(parameters, "RSASSA-PSS-params", (outer) => {
    const content = outer.sequence("RSASSA-PSS-params")
    const optional = <A>(number: number, field: string, read: (der: Der) => A): A | undefined =>
      content.tag === constructed(number) ? content.within(constructed(number), field, read) : undefined
    return {
      hash: optional(0, "hashAlgorithm", (der) => readIdentifier(der, "hashAlgorithm")),
      maskGeneration: optional(1, "maskGenAlgorithm", (der) => readIdentifier(der, "maskGenAlgorithm")),
      saltLength: optional(2, "saltLength", (der) => der.smallInteger("saltLength")),
      hasTrailer: !content.isEmpty
    }
  })

/**
 * The hash of MGF1; `undefined` where it is another function. Throws `Malformed`.
 *
 * @category decoding
 * @since 0.1.0
 */
export const maskHash = ({ oid, parameters }: Identifier): Identifier | undefined =>
  oid !== mgf1 || parameters === undefined
    ? undefined
    : whole(parameters, "maskGenAlgorithm", (der) => readIdentifier(der, "maskGenAlgorithm"))

/** One hash for the message and for MGF1, and a salt as long as that hash. */
const pssAlgorithm = (parameters: Uint8Array): SignatureAlgorithm | undefined => {
  const { hash, hasTrailer, maskGeneration, saltLength } = readPss(parameters)
  if (hash === undefined || maskGeneration === undefined || hasTrailer) return undefined
  const mask = maskHash(maskGeneration)
  const name = hashes[hash.oid]
  return name !== undefined && mask !== undefined && isBare(hash) && isBare(mask) && mask.oid === hash.oid &&
      saltLength === hashLengths[name]
    ? `rsa-pss-${name}`
    : undefined
}

/**
 * What an AlgorithmIdentifier of a signature stands for: an algorithm, or why its signatures do not count.
 *
 * @category models
 * @since 0.1.0
 */
export type Signing =
  | { readonly _tag: "Usable"; readonly algorithm: SignatureAlgorithm }
  | Broken & { readonly _tag: "Broken" }
  | { readonly _tag: "Unknown"; readonly oid: string }

/**
 * Reads a whole AlgorithmIdentifier. Throws `Malformed`.
 *
 * @category decoding
 * @since 0.1.0
 */
export const signingOf = (identifier: Uint8Array): Signing => {
  const read = whole(identifier, "signatureAlgorithm", (der) => readIdentifier(der, "signatureAlgorithm"))
  const { oid, parameters } = read
  const known = broken[oid]
  if (known !== undefined) return { _tag: "Broken", ...known }
  const algorithm = oid === rsaPss
    ? parameters === undefined ? undefined : pssAlgorithm(parameters)
    : isBare(read) && pkcs1[oid] !== undefined
    ? pkcs1[oid]
    : parameters === undefined
    ? withoutParameters[oid]
    : undefined
  return algorithm === undefined ? { _tag: "Unknown", oid } : { _tag: "Usable", algorithm }
}

/**
 * A public key, as far as it is judged.
 *
 * @category models
 * @since 0.1.0
 */
export type SubjectKey =
  | { readonly _tag: "Usable"; readonly family: "rsa" | "ecdsa" | "ed25519"; readonly cost: number }
  | { readonly _tag: "Weak"; readonly why: string }
  | { readonly _tag: "Unknown"; readonly oid: string }

// What a verification costs, in units of one with P-256 (about 50 microseconds in OpenSSL 3.5 on a server of 2024).
const curves: Readonly<Record<string, { readonly name: string; readonly size: number; readonly cost: number }>> = {
  "1.2.840.10045.3.1.7": { name: "P-256", size: 32, cost: 1 },
  "1.3.132.0.34": { name: "P-384", size: 48, cost: 16 },
  "1.3.132.0.35": { name: "P-521", size: 66, cost: 32 }
}
const costOfEd25519 = 3
const costOfRsa = (bits: number): number => bits <= 2048 ? 1 : bits <= 4096 ? 3 : 8

const minRsaBits = 2048
const maxRsaBits = 8192
/** 65537 is the largest that is in use; what is larger only costs more to verify. */
const maxRsaExponent = 0x10001

const bitLength = (magnitude: Uint8Array): number =>
  magnitude.length === 0 ? 0 : (magnitude.length - 1) * 8 + 32 - Math.clz32(magnitude[0] ?? 0)

/** A positive INTEGER without its sign byte. */
const magnitudeOf = (der: Der, field: string): Uint8Array => {
  const bytes = der.integer(field)
  if ((bytes[0] ?? 0) >= 0x80) throw new Malformed(field, "is negative")
  return bytes[0] === 0 ? bytes.subarray(1) : bytes
}

/** RFC 8017 appendix A.1.1. */
const rsaKey = (key: Uint8Array): SubjectKey =>
  whole(key, "RSAPublicKey", (outer) =>
    outer.within(Tag.sequence, "RSAPublicKey", (content) => {
      const modulus = magnitudeOf(content, "modulus")
      const exponent = magnitudeOf(content, "publicExponent").reduce((value, byte) => value * 256 + byte, 0)
      const bits = bitLength(modulus)
      if (bits < minRsaBits) {
        return { _tag: "Weak", why: `an RSA key of ${bits} bits, where ${minRsaBits} are required` }
      }
      if (bits > maxRsaBits) return { _tag: "Weak", why: `an RSA key of ${bits} bits, where ${maxRsaBits} are allowed` }
      if (bits % 8 !== 0) return { _tag: "Weak", why: `an RSA key of ${bits} bits, which is no whole number of bytes` }
      if (((modulus[modulus.length - 1] ?? 0) & 1) === 0) return { _tag: "Weak", why: "an even RSA modulus" }
      return exponent < 3 || exponent > maxRsaExponent || exponent % 2 === 0
        ? { _tag: "Weak", why: "an RSA exponent that is not odd and from 3 to 65537" }
        : { _tag: "Usable", family: "rsa", cost: costOfRsa(bits) }
    }))

/** RFC 5480 section 2.1.1: a named curve, and an uncompressed point (RFC 8422 section 5.1.2). */
const ecKey = (parameters: Uint8Array, key: Uint8Array): SubjectKey => {
  const oid = whole(
    parameters,
    "namedCurve",
    (der) => der.tag === Tag.oid ? der.oid("namedCurve") : (der.any("namedCurve"), undefined)
  )
  if (oid === undefined) return { _tag: "Weak", why: "a curve without a name" }
  const curve = curves[oid]
  if (curve === undefined) return { _tag: "Weak", why: `the curve ${oid}, which is not in use here` }
  return key.length === 1 + 2 * curve.size && key[0] === 4
    ? { _tag: "Usable", family: "ecdsa", cost: curve.cost }
    : { _tag: "Weak", why: `no uncompressed point of ${curve.name}` }
}

const judgeKey = (identifier: Identifier, key: Uint8Array): SubjectKey => {
  const { oid, parameters } = identifier
  if (oid === "1.2.840.113549.1.1.1" && parameters !== undefined && isNull(parameters)) return rsaKey(key)
  if (oid === "1.2.840.10045.2.1" && parameters !== undefined) return ecKey(parameters, key)
  if (oid === "1.3.101.112" && parameters === undefined) {
    return key.length === 32
      ? { _tag: "Usable", family: "ed25519", cost: costOfEd25519 }
      : { _tag: "Weak", why: "no point of Ed25519" }
  }
  return { _tag: "Unknown", oid }
}

/**
 * Reads and judges the content of a SubjectPublicKeyInfo; `bits` is the key without what kind it is of. Throws `Malformed`.
 *
 * @category decoding
 * @since 0.1.0
 */
export const readSubjectKey = (content: Der): { readonly key: SubjectKey; readonly bits: Uint8Array } => {
  const identifier = readIdentifier(content, "subjectPublicKeyInfo")
  const bits = content.bitString("subjectPublicKey")
  return { key: judgeKey(identifier, bits), bits }
}

/**
 * Whether a kind of key makes signatures of that algorithm.
 *
 * @category predicates
 * @since 0.1.0
 */
export const fits = (family: "rsa" | "ecdsa" | "ed25519", algorithm: SignatureAlgorithm): boolean =>
  algorithm.startsWith(family)
