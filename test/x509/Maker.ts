/** Certificates, revocation lists and OCSP responses made to order, good or bad: a DER writer that does what it is told. */
import * as Result from "effect/Result"
import {
  constants,
  createHash,
  generateKeyPairSync,
  type KeyObject,
  type KeyPairKeyObjectResult as Keys,
  sign
} from "node:crypto"
import type { CertificateFault } from "../../src/alert/Fault.ts"
import { make as primitives } from "../../src/platform/NodePrimitives.ts"
import { Anchors } from "../../src/x509/Anchor.ts"
import type { Limits } from "../../src/x509/Budget.ts"
import { type Certificate, parse } from "../../src/x509/Certificate.ts"
import * as Crl from "../../src/x509/Crl.ts"
import { judge, type ValidPath } from "../../src/x509/Path.ts"
import { Crls, type RevocationMode } from "../../src/x509/Revocation.ts"
import type { Peer } from "../../src/x509/Rules.ts"
import { Reader } from "../../src/x509/Signature.ts"
import { commonName, ecKey, oid, tlv } from "../platform/certificates.ts"

export { commonName, ecKey, oid, tlv }

type Parts = ReadonlyArray<Uint8Array>

export const ascii = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "utf8"))
export const sequence = (...parts: Parts): Uint8Array => tlv(0x30, ...parts)
export const octets = (...parts: Parts): Uint8Array => tlv(4, ...parts)
export const bits = (...parts: Parts): Uint8Array => tlv(3, Uint8Array.of(0), ...parts)
export const explicit = (number: number, ...parts: Parts): Uint8Array => tlv(0xa0 + number, ...parts)
export const boolean = (value: boolean): Uint8Array => tlv(1, Uint8Array.of(value ? 255 : 0))
export const integer = (value: number): Uint8Array => {
  const bytes = [value & 0xff]
  for (let left = value >> 8; left > 0; left >>= 8) bytes.unshift(left & 0xff)
  return tlv(2, ...((bytes[0] ?? 0) >= 0x80 ? [Uint8Array.of(0)] : []), Uint8Array.from(bytes))
}

/** `2026-01-31T12:00:00Z` */
export const generalized = (iso: string): Uint8Array => tlv(0x18, ascii(iso.replaceAll(/[-:T]/g, "")))

export type Attributes = ReadonlyArray<readonly [type: string, value: string, tag?: number]>
export const name = (attributes: Attributes): Uint8Array =>
  sequence(...attributes.map(([type, value, tag = 0x0c]) => tlv(0x31, sequence(oid(type), tlv(tag, ascii(value))))))
const nameOf = (text: string | Attributes): Uint8Array => name(typeof text === "string" ? [[commonName, text]] : text)

// ---- extensions

export const extension = (type: string, isCritical: boolean, value: Uint8Array): Uint8Array =>
  sequence(oid(type), ...(isCritical ? [boolean(true)] : []), octets(value))

export const basicConstraints = (isAuthority: boolean, pathLength?: number, isCritical = true): Uint8Array =>
  extension(
    "2.5.29.19",
    isCritical,
    sequence(...(isAuthority ? [boolean(true)] : []), ...(pathLength === undefined ? [] : [integer(pathLength)]))
  )

const usageBits = { digitalSignature: 0x80, keyEncipherment: 0x20, keyCertSign: 0x04, cRLSign: 0x02 } as const
export const keyUsage = (...usages: ReadonlyArray<keyof typeof usageBits>): Uint8Array => {
  const flags = usages.reduce((sum, usage) => sum | usageBits[usage], 0)
  return extension("2.5.29.15", true, tlv(3, Uint8Array.of(31 - Math.clz32(flags & -flags), flags)))
}

export const serverAuth = "1.3.6.1.5.5.7.3.1"
export const clientAuth = "1.3.6.1.5.5.7.3.2"
export const extendedKeyUsage = (...purposes: ReadonlyArray<string>): Uint8Array =>
  extension("2.5.29.37", false, sequence(...purposes.map(oid)))

export const dns = (text: string): Uint8Array => tlv(0x82, ascii(text))
export const email = (text: string): Uint8Array => tlv(0x81, ascii(text))
export const uri = (text: string): Uint8Array => tlv(0x86, ascii(text))
export const address = (...bytes: ReadonlyArray<number>): Uint8Array => tlv(0x87, Uint8Array.from(bytes))
export const directory = (attributes: Attributes): Uint8Array => explicit(4, name(attributes))
export const otherName = (type: string): Uint8Array => explicit(0, oid(type), explicit(0, tlv(0x0c, ascii("x"))))

export const subjectAltName = (names: Parts, isCritical = false): Uint8Array =>
  extension("2.5.29.17", isCritical, sequence(...names))

export const nameConstraints = (subtrees: { readonly permitted?: Parts; readonly excluded?: Parts }): Uint8Array => {
  const list = (number: number, names: Parts | undefined) =>
    names === undefined ? [] : [explicit(number, ...names.map((one) => sequence(one)))]
  return extension("2.5.29.30", true, sequence(...list(0, subtrees.permitted), ...list(1, subtrees.excluded)))
}

export const mustStaple = extension("1.3.6.1.5.5.7.1.24", false, sequence(integer(5)))

// ---- signatures

export interface Way {
  readonly identifier: Uint8Array
  readonly sign: (message: Uint8Array, key: KeyObject) => Uint8Array
}

const hashing = (hash: string | undefined) => (message: Uint8Array, key: KeyObject): Uint8Array =>
  new Uint8Array(sign(hash, message, key))

/** A signature whose algorithm has no parameters. */
export const wayOfHash = (type: string, hash: string | undefined): Way => ({
  identifier: sequence(oid(type)),
  sign: hashing(hash)
})
/** RSASSA-PKCS1-v1_5, by the last number of its object identifier. */
export const rsaOfHash = (last: number, hash: string): Way => ({
  identifier: sequence(oid(`1.2.840.113549.1.1.${last}`), tlv(5)),
  sign: hashing(hash)
})

export const ecdsaSha256 = wayOfHash("1.2.840.10045.4.3.2", "sha256")
export const ecdsaSha1 = wayOfHash("1.2.840.10045.4.1", "sha1")
export const rsaSha256 = rsaOfHash(11, "sha256")
export const ed25519 = wayOfHash("1.3.101.112", undefined)

const sha2 = {
  sha256: { oid: "2.16.840.1.101.3.4.2.1", length: 32 },
  sha384: { oid: "2.16.840.1.101.3.4.2.2", length: 48 },
  sha512: { oid: "2.16.840.1.101.3.4.2.3", length: 64 }
} as const

/** RFC 4055 section 3.1, with parameters that fit each other or do not. */
export const rsaPss = (
  hash: keyof typeof sha2,
  order: { readonly salt?: number; readonly mask?: keyof typeof sha2; readonly withoutNull?: boolean } = {}
): Way => {
  const { mask = hash, salt = sha2[hash].length, withoutNull = false } = order
  const hashed = (name: keyof typeof sha2) => sequence(oid(sha2[name].oid), ...(withoutNull ? [] : [tlv(5)]))
  const parameters = sequence(
    explicit(0, hashed(hash)),
    explicit(1, sequence(oid("1.2.840.113549.1.1.8"), hashed(mask))),
    explicit(2, integer(salt))
  )
  const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: salt }
  return {
    identifier: sequence(oid("1.2.840.113549.1.1.10"), parameters),
    sign: (message, key) => new Uint8Array(sign(hash, message, { key, ...padding }))
  }
}

const wayOf = (key: KeyObject): Way =>
  key.asymmetricKeyType === "rsa" ? rsaSha256 : key.asymmetricKeyType === "ed25519" ? ed25519 : ecdsaSha256

// ---- certificates

/** A certificate with its keys: what can sign others. */
export interface Made {
  readonly der: Uint8Array
  readonly keys: Keys
  /** Its subject, as DER. */
  readonly subject: Uint8Array
  readonly serial: Uint8Array
}

export interface Order {
  readonly subject: string | Attributes
  /** Itself where there is none. */
  readonly issuer?: Pick<Made, "keys" | "subject">
  readonly keys?: Keys
  readonly extensions?: Parts
  readonly version?: number
  readonly serial?: Uint8Array
  readonly notBefore?: string
  readonly notAfter?: string
  readonly way?: Way
  /** The algorithm inside, where it is to be another one. */
  readonly inner?: Uint8Array
}

let serials = 0x100
export const certificate = (order: Order): Made => {
  const keys = order.keys ?? ecKey()
  const subject = nameOf(order.subject)
  const signer = order.issuer ?? { keys, subject }
  const way = order.way ?? wayOf(signer.keys.privateKey)
  const serial = order.serial ?? integer(serials++)
  const version = order.version ?? 3
  const body = sequence(
    ...(version === 1 ? [] : [explicit(0, integer(version - 1))]),
    serial,
    order.inner ?? way.identifier,
    signer.subject,
    sequence(
      generalized(order.notBefore ?? "2020-01-01T00:00:00Z"),
      generalized(order.notAfter ?? "2040-01-01T00:00:00Z")
    ),
    subject,
    keys.publicKey.export({ format: "der", type: "spki" }),
    ...(order.extensions === undefined ? [] : [explicit(3, sequence(...order.extensions))])
  )
  const der = sequence(body, way.identifier, bits(way.sign(body, signer.keys.privateKey)))
  return { der, keys, subject, serial }
}

export const authority = (
  subject: string | Attributes,
  issuer?: Pick<Made, "keys" | "subject">,
  order: Partial<Order> & { readonly more?: Parts } = {}
): Made =>
  certificate({
    subject,
    ...(issuer === undefined ? {} : { issuer }),
    extensions: [basicConstraints(true), keyUsage("keyCertSign", "cRLSign"), ...(order.more ?? [])],
    ...order
  })

export const leaf = (
  issuer: Pick<Made, "keys" | "subject"> | undefined,
  order: Partial<Order> & { readonly names?: Parts; readonly more?: Parts; readonly purpose?: string } = {}
): Made =>
  certificate({
    subject: "leaf",
    ...(issuer === undefined ? {} : { issuer }),
    extensions: [
      basicConstraints(false),
      keyUsage("digitalSignature"),
      extendedKeyUsage(order.purpose ?? serverAuth),
      subjectAltName(order.names ?? [dns("host.example")]),
      ...(order.more ?? [])
    ],
    ...order
  })

// ---- revocation

export const crl = (
  issuer: Made,
  revoked: ReadonlyArray<Uint8Array>,
  order: {
    readonly thisUpdate?: string
    readonly nextUpdate?: string
    readonly extensions?: Parts
    readonly entryExtensions?: Parts
    readonly keys?: Keys
    readonly way?: Way
  } = {}
): Uint8Array => {
  const { privateKey } = order.keys ?? issuer.keys
  const way = order.way ?? wayOf(privateKey)
  const entries = revoked.map((serial) =>
    sequence(
      serial,
      generalized("2025-06-01T00:00:00Z"),
      ...(order.entryExtensions === undefined ? [] : [sequence(...order.entryExtensions)])
    )
  )
  const body = sequence(
    integer(1),
    way.identifier,
    issuer.subject,
    generalized(order.thisUpdate ?? "2025-12-01T00:00:00Z"),
    generalized(order.nextUpdate ?? "2026-12-01T00:00:00Z"),
    ...(entries.length === 0 ? [] : [sequence(...entries)]),
    ...(order.extensions === undefined ? [] : [explicit(0, sequence(...order.extensions))])
  )
  return sequence(body, way.identifier, bits(way.sign(body, privateKey)))
}

const digest = (algorithm: string, bytes: Uint8Array): Uint8Array =>
  new Uint8Array(createHash(algorithm).update(bytes).digest())

export const hashOids = { sha1: "1.3.14.3.2.26", sha256: "2.16.840.1.101.3.4.2.1" } as const

/** The key alone, as OCSP hashes it. */
const keyBits = (keys: Keys): Uint8Array => {
  const spki = keys.publicKey.export({ format: "der", type: "spki" })
  // Of P-256: 26 bytes of header, then the point.
  return new Uint8Array(spki.subarray(26))
}

export interface StapleOrder {
  readonly status?: "good" | "revoked" | "unknown"
  readonly thisUpdate?: string
  /** `null` for none. */
  readonly nextUpdate?: string | null
  readonly signer?: Pick<Made, "keys">
  readonly certificates?: Parts
  readonly hash?: keyof typeof hashOids
  readonly way?: Way
  readonly responseStatus?: number
  readonly extensions?: Parts
  /** Of which serial it is; that of the leaf by default. */
  readonly serial?: Uint8Array
  readonly about?: Made
}

export const staple = (issuer: Made, of: Made, order: StapleOrder = {}): Uint8Array => {
  const hash = order.hash ?? "sha1"
  const { privateKey } = (order.signer ?? issuer).keys
  const way = order.way ?? wayOf(privateKey)
  const about = order.about ?? issuer
  const status = order.status ?? "good"
  const single = sequence(
    sequence(
      sequence(oid(hashOids[hash]), tlv(5)),
      octets(digest(hash, about.subject)),
      octets(digest(hash, keyBits(about.keys))),
      order.serial ?? of.serial
    ),
    status === "good" ? tlv(0x80) : status === "unknown" ? tlv(0x82) : explicit(1, generalized("2025-06-01T00:00:00Z")),
    generalized(order.thisUpdate ?? "2025-12-31T00:00:00Z"),
    ...(order.nextUpdate === null ? [] : [explicit(0, generalized(order.nextUpdate ?? "2026-01-07T00:00:00Z"))])
  )
  const body = sequence(
    explicit(1, issuer.subject),
    generalized("2025-12-31T00:00:00Z"),
    sequence(single),
    ...(order.extensions === undefined ? [] : [explicit(1, sequence(...order.extensions))])
  )
  const basic = sequence(
    body,
    way.identifier,
    bits(way.sign(body, privateKey)),
    ...(order.certificates === undefined ? [] : [explicit(0, sequence(...order.certificates))])
  )
  return sequence(
    tlv(10, Uint8Array.of(order.responseStatus ?? 0)),
    explicit(0, sequence(oid("1.3.6.1.5.5.7.48.1.1"), octets(basic)))
  )
}

// ---- judgement

export const now = Date.UTC(2026, 0, 1)
export const host: Extract<Peer, { readonly role: "server" }> = { role: "server", host: "host.example" }

export const read = (der: Uint8Array): Certificate => {
  const parsed = parse(der)
  if (Result.isFailure(parsed)) throw new Error(`a certificate that cannot be read: ${parsed.failure}`)
  return parsed.success
}

export interface Trial {
  readonly chain: ReadonlyArray<Pick<Made, "der">>
  readonly anchors: ReadonlyArray<Pick<Made, "der">>
  readonly peer?: Peer
  readonly now?: number
  readonly crls?: ReadonlyArray<Uint8Array>
  /** The same, as they were read. */
  readonly lists?: ReadonlyArray<Crl.Crl>
  readonly mode?: RevocationMode
  readonly limits?: Partial<Limits>
}

export const tried = (trial: Trial): Result.Result<ValidPath, CertificateFault> => {
  const crls = (trial.crls ?? []).map((der) => Result.getOrThrowWith(Crl.parse(der), (why) => new Error(why)))
  return judge(
    new Reader(primitives),
    {
      anchors: new Anchors(trial.anchors.map(({ der }) => read(der))),
      revocation: { mode: trial.mode ?? "if-present", crls: new Crls([...crls, ...(trial.lists ?? [])]) },
      limits: trial.limits ?? {}
    },
    { chain: trial.chain.map(({ der }) => der), peer: trial.peer ?? host, now: trial.now ?? now }
  )
}

/** `ok`, or the tag of the fault with its depth. */
export const verdictOf = (trial: Trial): string => {
  const found = tried(trial)
  if (Result.isSuccess(found)) return "ok"
  const fault = found.failure
  return "depth" in fault ? `${fault._tag} ${fault.depth}` : fault._tag
}

export const rsaKeys = (modulusLength = 2048): Keys => generateKeyPairSync("rsa", { modulusLength })
export const ed25519Keys = (): Keys => generateKeyPairSync("ed25519")
