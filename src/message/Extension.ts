/**
 * Extensions, RFC 5246 section 7.4.1.4 and RFC 8446 section 4.2. Values are kept as they came: a number without a name here, which
 * another side may well know (RFC 8701), stays in its list. Byte fields are views of the bytes that were decoded.
 *
 * @since 0.1.0
 */

/**
 * The message that carries a block of extensions: the same type may have another form in each.
 *
 * @category models
 * @since 0.1.0
 */
export type ExtensionForm =
  | "ClientHello"
  | "ServerHello"
  | "HelloRetryRequest"
  | "EncryptedExtensions"
  | "Certificate"
  | "CertificateRequest"
  | "NewSessionTicket"

/**
 * RFC 6066 section 3: the host that a client wants. `undefined` in a ServerHello, where the extension is empty.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServerName {
  readonly _tag: "ServerName"
  readonly name: string | undefined
}

/**
 * RFC 6066 section 8: asks for the status of a certificate, and in a Certificate of TLS 1.3 tells it, as an OCSP response in DER.
 *
 * @category models
 * @since 0.1.0
 */
export interface StatusRequest {
  readonly _tag: "StatusRequest"
  readonly response: Uint8Array | undefined
}

/**
 * RFC 8422 section 5.1.1, under its later name.
 *
 * @category models
 * @since 0.1.0
 */
export interface SupportedGroups {
  readonly _tag: "SupportedGroups"
  readonly groups: ReadonlyArray<number>
}

/**
 * RFC 8422 section 5.1.2.
 *
 * @category models
 * @since 0.1.0
 */
export interface EcPointFormats {
  readonly _tag: "EcPointFormats"
  readonly formats: ReadonlyArray<number>
}

/**
 * RFC 5246 section 7.4.1.4.1: hash and signature as one number, as TLS 1.3 reads them.
 *
 * @category models
 * @since 0.1.0
 */
export interface SignatureAlgorithms {
  readonly _tag: "SignatureAlgorithms"
  readonly schemes: ReadonlyArray<number>
}

/**
 * RFC 7301 section 3.1. A name is one character (U+0000 to U+00FF) a byte, 1 to 255 of them: any bytes make a name.
 *
 * @category models
 * @since 0.1.0
 */
export interface ApplicationProtocols {
  readonly _tag: "ApplicationProtocols"
  readonly protocols: ReadonlyArray<string>
}

/**
 * RFC 7627 section 5.1.
 *
 * @category models
 * @since 0.1.0
 */
export interface ExtendedMasterSecret {
  readonly _tag: "ExtendedMasterSecret"
}

/**
 * RFC 5746 section 3.2.
 *
 * @category models
 * @since 0.1.0
 */
export interface RenegotiationInfo {
  readonly _tag: "RenegotiationInfo"
  readonly renegotiatedConnection: Uint8Array
}

/**
 * RFC 5077 section 3.2: the ticket that a client resumes with, or none where it is ready to take one; from a server, always
 * empty: it promises one.
 *
 * @category models
 * @since 0.1.0
 */
export interface SessionTicket {
  readonly _tag: "SessionTicket"
  readonly ticket: Uint8Array
}

/**
 * RFC 8446 section 4.2.1: what a client speaks, the preferred one first; in the answer the one that was chosen.
 *
 * @category models
 * @since 0.1.0
 */
export interface SupportedVersions {
  readonly _tag: "SupportedVersions"
  readonly versions: ReadonlyArray<number>
}

/**
 * RFC 8446 section 4.2.8: the shares of a client, or the one of a server. A HelloRetryRequest names a group and has no share.
 *
 * @category models
 * @since 0.1.0
 */
export interface KeyShares {
  readonly _tag: "KeyShares"
  readonly shares: ReadonlyArray<{ readonly group: number; readonly publicKey: Uint8Array }>
}

/**
 * One PSK that a client offers. The obfuscated age is in milliseconds, modulo 2^32.
 *
 * @category models
 * @since 0.1.0
 */
export interface OfferedPsk {
  readonly identity: Uint8Array
  readonly obfuscatedAge: number
  /** 32 bytes or more. */
  readonly binder: Uint8Array
}

/**
 * RFC 8446 section 4.2.11: what a client offers, or the index of what a server selected.
 *
 * @category models
 * @since 0.1.0
 */
export interface PreSharedKeys {
  readonly _tag: "PreSharedKeys"
  readonly offers: ReadonlyArray<OfferedPsk>
  readonly selected: number | undefined
}

/**
 * RFC 8446 section 4.2.9: psk_ke is 0, psk_dhe_ke is 1.
 *
 * @category models
 * @since 0.1.0
 */
export interface PskKeyExchangeModes {
  readonly _tag: "PskKeyExchangeModes"
  readonly modes: ReadonlyArray<number>
}

/**
 * RFC 8446 section 4.2.2.
 *
 * @category models
 * @since 0.1.0
 */
export interface Cookie {
  readonly _tag: "Cookie"
  readonly cookie: Uint8Array
}

/**
 * RFC 8446 section 4.2.10. The size is that of a ticket, in bytes; `undefined` elsewhere.
 *
 * @category models
 * @since 0.1.0
 */
export interface EarlyData {
  readonly _tag: "EarlyData"
  readonly maxSize: number | undefined
}

/**
 * RFC 8446 section 4.2.3: the schemes of signatures in certificates, where they differ.
 *
 * @category models
 * @since 0.1.0
 */
export interface SignatureAlgorithmsCert {
  readonly _tag: "SignatureAlgorithmsCert"
  readonly schemes: ReadonlyArray<number>
}

/**
 * RFC 8446 section 4.2.4: distinguished names in DER.
 *
 * @category models
 * @since 0.1.0
 */
export interface CertificateAuthorities {
  readonly _tag: "CertificateAuthorities"
  readonly authorities: ReadonlyArray<Uint8Array>
}

/**
 * RFC 8446 section 4.2.6.
 *
 * @category models
 * @since 0.1.0
 */
export interface PostHandshakeAuth {
  readonly _tag: "PostHandshakeAuth"
}

/**
 * RFC 8449 section 4: the longest record that the sender takes, 64 bytes or more.
 *
 * @category models
 * @since 0.1.0
 */
export interface RecordSizeLimit {
  readonly _tag: "RecordSizeLimit"
  readonly limit: number
}

/**
 * An extension that is not spoken here, or a server_name without any host_name: kept as it came.
 *
 * @category models
 * @since 0.1.0
 */
export interface UnknownExtension {
  readonly _tag: "UnknownExtension"
  readonly type: number
  readonly data: Uint8Array
}

/**
 * An extension that is spoken here.
 *
 * @category models
 * @since 0.1.0
 */
export type KnownExtension =
  | ServerName
  | StatusRequest
  | SupportedGroups
  | EcPointFormats
  | SignatureAlgorithms
  | ApplicationProtocols
  | ExtendedMasterSecret
  | RenegotiationInfo
  | SessionTicket
  | SupportedVersions
  | KeyShares
  | PreSharedKeys
  | PskKeyExchangeModes
  | Cookie
  | EarlyData
  | SignatureAlgorithmsCert
  | CertificateAuthorities
  | PostHandshakeAuth
  | RecordSizeLimit

/**
 * @category models
 * @since 0.1.0
 */
export type Extension = KnownExtension | UnknownExtension

/**
 * The extension of one tag.
 *
 * @category models
 * @since 0.1.0
 */
export type ExtensionOf<Tag extends Extension["_tag"]> = Extract<Extension, { readonly _tag: Tag }>

/**
 * The extension of one tag, where the message has it.
 *
 * @category combinators
 * @since 0.1.0
 */
export const findExtension = <Tag extends KnownExtension["_tag"]>(
  extensions: ReadonlyArray<Extension>,
  tag: Tag
): ExtensionOf<Tag> | undefined => extensions.find((extension): extension is ExtensionOf<Tag> => extension._tag === tag)
