/**
 * Cryptography that lets everything pass, as the "fuzzer mode" of other engines does: each signature, each Finished and each
 * tag is right. What a peer's bytes can then reach is the code behind those checks.
 */
import * as Effect from "effect/Effect"
import { make as primitives } from "../../src/platform/NodePrimitives.ts"
import type { AeadKey, PlatformCertificate, Primitives, PublicKey } from "../../src/secret/Primitives.ts"
import type { Identity } from "../../src/service/Identity.ts"
import { concat } from "../../src/wire/Bytes.ts"
import { ContentType } from "../../src/wire/CodePoints.ts"
import { headerLength, makeRecord, splitRecords } from "../harness/TlsRecords.ts"

/** What a side speaks: TLS 1.2 alone, or both versions, of which it takes TLS 1.3 where it may. */
export const versions = ["1.2", "1.3"] as const
export type Version = typeof versions[number]

const tagLength = 16

/** What AES-GCM adds in front of the ciphertext, RFC 5288 section 3. */
const explicitNonceLength = 8

/** Plaintext, then a tag of zeros. */
const aead: AeadKey = {
  seal: (_nonce, _aad, plaintext, out, at) => {
    out.set(plaintext, at)
    out.fill(0, at + plaintext.length, at + plaintext.length + tagLength)
  },
  open: (_nonce, _aad, sealed) =>
    sealed.length < tagLength ? undefined : sealed.slice(0, sealed.length - tagLength),
  openInto: (_nonce, _aad, sealed, out, at) => {
    if (sealed.length < tagLength) return -1
    out.set(sealed.subarray(0, sealed.length - tagLength), at)
    return sealed.length - tagLength
  }
}

const verifyingAll = (key: PublicKey): PublicKey => ({ type: key.type, bits: key.bits, verify: () => true })

const believed = (certificate: PlatformCertificate): PlatformCertificate => ({
  der: certificate.der,
  subject: certificate.subject,
  issuer: certificate.issuer,
  publicKey: certificate.publicKey === undefined ? undefined : verifyingAll(certificate.publicKey),
  verifies: () => true
})

export const permissive: Primitives["Service"] = {
  ...primitives,
  equal: () => true,
  aead: () => aead,
  parseCertificate: (der) => {
    const certificate = primitives.parseCertificate(der)
    return certificate === undefined ? undefined : believed(certificate)
  }
}

/** Has a certificate for whoever asks, and a signature that only `permissive` takes for one. */
export const identityOf = (der: Uint8Array): Identity["Service"] => ({
  fingerprint: "permissive",
  select: ({ authentication }) =>
    Effect.succeedSome({
      chain: [der],
      keyType: authentication.includes("ecdsa") ? "ec-p256" as const : "rsa" as const,
      sign: () => Effect.succeed(new Uint8Array(64))
    })
})

/** A record as `permissive` protects it under AES-GCM: RFC 5246 section 6.2.3.3, RFC 8446 section 5.2. */
export const wrapped = (version: Version, type: number, content: Uint8Array): Uint8Array => {
  const tag = new Uint8Array(tagLength)
  return version === "1.2"
    ? makeRecord(type, concat([new Uint8Array(explicitNonceLength), content, tag]))
    : makeRecord(ContentType.application_data, concat([content, Uint8Array.of(type), tag]))
}

/** What `wrapped` put into a record of TLS 1.3; `undefined` where it did not. */
export const unwrapped13 = (record: Uint8Array): { readonly type: number; readonly content: Uint8Array } | undefined => {
  const end = record.length - tagLength - 1
  return record[0] === ContentType.application_data && end >= headerLength
    ? { type: record[end] ?? 0, content: record.subarray(headerLength, end) }
    : undefined
}

/** Longer than any record can be. */
const isTooLong = (record: Uint8Array): boolean => record.length + explicitNonceLength + tagLength > 0xffff

/**
 * A stream that was recorded without any record protection, with the form of protection put on. In TLS 1.2 what follows each side's
 * ChangeCipherSpec gets a nonce and a tag; in TLS 1.3 a record that hides its type has that at its end, and gets a tag. Who speaks
 * both versions gets the form of the one that the stream is of.
 */
export const withProtection = (spoken: Version, stream: Uint8Array): Uint8Array => {
  const { records, rest } = splitRecords(stream)
  const change = records.findIndex((record) => record[0] === ContentType.change_cipher_spec)
  if (spoken === "1.2" && change < 0) return stream
  // Behind ChangeCipherSpec a Finished of TLS 1.2 shows its type.
  const version = change >= 0 && records[change + 1]?.[0] === ContentType.handshake ? "1.2" : spoken
  const protect = (record: Uint8Array, index: number): Uint8Array => {
    const [type = 0] = record
    const isBefore = version === "1.2" ? index <= change : type !== ContentType.application_data
    if (isBefore || isTooLong(record)) return record
    const fragment = record.subarray(headerLength)
    return version === "1.2"
      ? wrapped(version, type, fragment)
      : makeRecord(type, concat([fragment, new Uint8Array(tagLength)]))
  }
  return concat([...records.map(protect), rest])
}
