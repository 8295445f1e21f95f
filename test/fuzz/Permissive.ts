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

const tagLength = 16

/** What AES-GCM adds in front of the ciphertext, RFC 5288 section 3. */
const explicitNonceLength = 8

/** Plaintext, then a tag of zeros. */
const aead: AeadKey = {
  seal: (_nonce, _aad, plaintext, out, at) => {
    out.set(plaintext, at)
    out.fill(0, at + plaintext.length, at + plaintext.length + tagLength)
  },
  open: (_nonce, _aad, sealed) => sealed.slice(0, sealed.length - tagLength),
  openInto: (_nonce, _aad, sealed, out, at) => {
    out.set(sealed.subarray(0, sealed.length - tagLength), at)
    return sealed.length - tagLength
  }
}

const verifyingAll = (key: PublicKey): PublicKey => ({ type: key.type, bits: key.bits, verify: () => true })

const believed = (certificate: PlatformCertificate): PlatformCertificate => ({
  der: certificate.der,
  subject: certificate.subject,
  issuer: certificate.issuer,
  notBefore: certificate.notBefore,
  notAfter: certificate.notAfter,
  isAuthority: certificate.isAuthority,
  extendedKeyUsage: certificate.extendedKeyUsage,
  publicKey: certificate.publicKey === undefined ? undefined : verifyingAll(certificate.publicKey),
  namesAsIssuer: () => true,
  signedBy: () => true,
  isForHost: () => true,
  isForAddress: () => true
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

/** A fragment as `permissive` protects it under AES-GCM. */
export const wrapped = (content: Uint8Array): Uint8Array => {
  const fragment = new Uint8Array(explicitNonceLength + content.length + tagLength)
  fragment.set(content, explicitNonceLength)
  return fragment
}

/**
 * A stream that was recorded without any record protection, with the form of protection put on: what follows each side's
 * ChangeCipherSpec gets a nonce and a tag.
 */
export const withProtection = (stream: Uint8Array): Uint8Array => {
  const { records, rest } = splitRecords(stream)
  const change = records.findIndex((record) => record[0] === ContentType.change_cipher_spec)
  if (change < 0) return stream
  return concat([
    ...records.slice(0, change + 1),
    ...records.slice(change + 1).map((record) =>
      record.length + explicitNonceLength + tagLength > 0xffff
        ? record
        : makeRecord(record[0] ?? 0, wrapped(record.subarray(headerLength)))
    ),
    rest
  ])
}
