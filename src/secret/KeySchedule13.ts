/**
 * The key schedule of TLS 1.3, RFC 8446 section 7.1, over HKDF (RFC 5869).
 *
 * @since 0.1.0
 */
import { concat, copyPart, empty, fromText } from "../wire/Bytes.ts"
import type { HashName, Mac, Primitives } from "./Primitives.ts"

type Needed = Pick<Primitives["Service"], "passingMac" | "digest">

/**
 * Bytes of the output of a hash, and of every secret of the schedule.
 *
 * @category constants
 * @since 0.1.0
 */
export const hashLength: Readonly<Record<HashName, number>> = { sha256: 32, sha384: 48, sha512: 64 }

/**
 * A secret of the schedule: its bytes, which their owner overwrites, and HMAC under them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Secret {
  readonly hash: HashName
  readonly bytes: Uint8Array
  readonly mac: Mac
}

/**
 * A secret that is used up before its bytes are overwritten.
 *
 * @category constructors
 * @since 0.1.0
 */
export const secretOf = (primitives: Needed, hash: HashName, bytes: Uint8Array): Secret => ({
  hash,
  bytes,
  mac: primitives.passingMac(hash, bytes)
})

/**
 * The same secret in bytes of its own, which are left to whoever asked for them to overwrite.
 *
 * @category constructors
 * @since 0.1.0
 */
export const copyOf = (primitives: Needed, { bytes, hash }: Secret): Secret => secretOf(primitives, hash, bytes.slice())

/**
 * HKDF-Extract, RFC 5869 section 2.2. The input keying material stays with the caller.
 *
 * @category key schedule
 * @since 0.1.0
 */
export const extract = (primitives: Needed, salt: Secret, inputKeyingMaterial: Uint8Array): Secret =>
  secretOf(primitives, salt.hash, salt.mac.sign(inputKeyingMaterial))

// RFC 5869 section 2.3. The last byte of `info` is the counter.
const expand = (secret: Secret, info: Uint8Array, length: number): Uint8Array => {
  const longest = 255 * hashLength[secret.hash]
  if (length > longest) throw new RangeError(`HKDF with ${secret.hash} gives up to ${longest} bytes, not ${length}`)
  let block = secret.mac.sign(info)
  // Nearly every secret is one block.
  if (length === block.length) return block
  const out = new Uint8Array(length)
  copyPart(block, out, 0)
  for (let at = block.length; at < length; at += block.length) {
    info[info.length - 1] = at / block.length + 1
    const previous = block
    block = secret.mac.sign(previous, info)
    previous.fill(0)
    copyPart(block, out, at)
  }
  block.fill(0)
  return out
}

/**
 * HKDF-Expand-Label, RFC 8446 section 7.1: `length` bytes, at most 255 times the length of the hash. More, or a label of more than
 * 249 bytes, is a defect of the caller: throws a `RangeError`.
 *
 * @category key schedule
 * @since 0.1.0
 */
export const expandLabel = (secret: Secret, label: string, context: Uint8Array, length: number): Uint8Array =>
  expand(secret, hkdfLabel(labels.get(label) ?? { bytes: labelOf(label), infos: [] }, context, length), length)

interface Label {
  readonly bytes: Uint8Array
  /** What was made of it before, by the length of the context: used again, since what is signed is not kept. */
  readonly infos: Array<Uint8Array | undefined>
}

const labelOf = (name: string): Uint8Array => fromText(`tls13 ${name}`)

// Encoded once. Those of exporters belong to applications, which may have any number of them.
const labels: ReadonlyMap<string, Label> = new Map(
  `res binder|derived|c hs traffic|s hs traffic|c ap traffic|s ap traffic|exp master|res master|finished|key|iv|traffic upd|resumption|exporter`
    .split("|").map((name) => [name, { bytes: labelOf(name), infos: [] }])
)

/** HkdfLabel, and the counter of the first block behind it. */
const hkdfLabel = ({ bytes, infos }: Label, context: Uint8Array, length: number): Uint8Array => {
  if (bytes.length > 255 || context.length > 255) {
    throw new RangeError(`a label of ${bytes.length} and a context of ${context.length} bytes, where 255 are the most`)
  }
  const info = infos[context.length] ??= infoOf(bytes, context.length)
  info[0] = length >>> 8
  info[1] = length
  copyPart(context, info, 4 + bytes.length)
  info[info.length - 1] = 1
  return info
}

const infoOf = (label: Uint8Array, contextLength: number): Uint8Array => {
  const info = new Uint8Array(label.length + contextLength + 5)
  info[2] = label.length
  copyPart(label, info, 3)
  info[3 + label.length] = contextLength
  return info
}

/**
 * Derive-Secret, RFC 8446 section 7.1, with the transcript hash already computed.
 *
 * @category key schedule
 * @since 0.1.0
 */
export const deriveSecret = (primitives: Needed, secret: Secret, label: string, transcriptHash: Uint8Array): Secret =>
  secretOf(primitives, secret.hash, expandLabel(secret, label, transcriptHash, hashLength[secret.hash]))

const emptyHashes: { [Name in HashName]?: Uint8Array } = {}
const emptyHash = (primitives: Needed, hash: HashName): Uint8Array =>
  emptyHashes[hash] ??= primitives.digest(hash, empty)

/**
 * The secret of the next step: Derive-Secret(., "derived", "") as the salt of the next extract.
 */
const next = (primitives: Needed, secret: Secret, inputKeyingMaterial: Uint8Array): Secret => {
  const salt = deriveSecret(primitives, secret, "derived", emptyHash(primitives, secret.hash))
  const extracted = extract(primitives, salt, inputKeyingMaterial)
  salt.bytes.fill(0)
  return extracted
}

/**
 * The early secret. Without a PSK its input is a string of zeros.
 *
 * @category key schedule
 * @since 0.1.0
 */
export const earlySecret = (primitives: Needed, hash: HashName, psk: Uint8Array | undefined): Secret => {
  const zeros = new Uint8Array(hashLength[hash])
  return extract(primitives, secretOf(primitives, hash, zeros), psk ?? zeros)
}

/**
 * @category key schedule
 * @since 0.1.0
 */
export const handshakeSecret = (primitives: Needed, early: Secret, shared: Uint8Array): Secret =>
  next(primitives, early, shared)

/**
 * @category key schedule
 * @since 0.1.0
 */
export const masterSecret = (primitives: Needed, handshake: Secret): Secret =>
  next(primitives, handshake, new Uint8Array(hashLength[handshake.hash]))

/**
 * RFC 8446 section 4.2.11.2: the binder key of a resumption PSK.
 *
 * @category key schedule
 * @since 0.1.0
 */
export const resumptionBinderKey = (primitives: Needed, early: Secret): Secret =>
  deriveSecret(primitives, early, "res binder", emptyHash(primitives, early.hash))

/**
 * RFC 8446 section 4.4.4: the verify data of a Finished, and of a binder. The transcript hash covers what comes before it.
 *
 * @category key schedule
 * @since 0.1.0
 */
export const verifyData = (primitives: Needed, base: Secret, transcriptHash: Uint8Array): Uint8Array => {
  const key = expandLabel(base, "finished", empty, hashLength[base.hash])
  const data = primitives.passingMac(base.hash, key).sign(transcriptHash)
  key.fill(0)
  return data
}

/**
 * RFC 8446 section 7.3: what a traffic secret protects records with. Both are the caller's to overwrite.
 *
 * @category key schedule
 * @since 0.1.0
 */
export const trafficKeys = (
  secret: Secret,
  suite: { readonly keyLength: number }
): { readonly key: Uint8Array; readonly iv: Uint8Array } => ({
  key: expandLabel(secret, "key", empty, suite.keyLength),
  iv: expandLabel(secret, "iv", empty, 12)
})

/**
 * RFC 8446 section 7.2: the traffic secret after a KeyUpdate.
 *
 * @category key schedule
 * @since 0.1.0
 */
export const nextTrafficSecret = (primitives: Needed, secret: Secret): Secret =>
  secretOf(primitives, secret.hash, expandLabel(secret, "traffic upd", empty, hashLength[secret.hash]))

/**
 * RFC 8446 section 4.6.1: the PSK of one ticket.
 *
 * @category key schedule
 * @since 0.1.0
 */
export const ticketPsk = (resumption: Secret, nonce: Uint8Array): Uint8Array =>
  expandLabel(resumption, "resumption", nonce, hashLength[resumption.hash])

/**
 * RFC 8446 section 7.5: keying material for the application, from the exporter master secret. The limits of `expandLabel` hold.
 *
 * @category exporters
 * @since 0.1.0
 */
export const exportKeyingMaterial = (
  primitives: Needed,
  exporter: Secret,
  label: string,
  context: Uint8Array,
  length: number
): Uint8Array => {
  const derived = deriveSecret(primitives, exporter, label, emptyHash(primitives, exporter.hash))
  const material = expandLabel(derived, "exporter", primitives.digest(exporter.hash, context), length)
  derived.bytes.fill(0)
  return material
}

/**
 * RFC 8446 section 4.4.3: what a CertificateVerify signs.
 *
 * @category signatures
 * @since 0.1.0
 */
export const signedContent = (signer: "client" | "server", transcriptHash: Uint8Array): Uint8Array =>
  concat([
    new Uint8Array(64).fill(0x20),
    fromText(`TLS 1.3, ${signer} CertificateVerify`),
    Uint8Array.of(0),
    transcriptHash
  ])
