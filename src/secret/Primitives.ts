/**
 * The cryptographic primitives that the protocol stands on. Synchronous by contract: the record layer calls them between
 * two bytes of one chunk, with no promise and no Effect. `NodePrimitives.layer` provides them from `node:crypto`.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type { NamedGroup, SignatureScheme } from "../wire/CodePoints.ts"

/**
 * @category models
 * @since 0.1.0
 */
export type HashName = "sha256" | "sha384" | "sha512"

/**
 * @category models
 * @since 0.1.0
 */
export type AeadName = "aes-128-gcm" | "aes-256-gcm" | "chacha20-poly1305"

/**
 * HMAC (RFC 2104) under one key, for any number of messages.
 *
 * @category models
 * @since 0.1.0
 */
export interface Mac {
  readonly sign: (...parts: ReadonlyArray<Uint8Array>) => Uint8Array
}

/**
 * One AEAD key (RFC 5116) with a 12-byte nonce and a 16-byte tag.
 *
 * @category models
 * @since 0.1.0
 */
export interface AeadKey {
  /** Writes ciphertext and tag (`plaintext.length + 16` bytes) into `out` at `at`, where the plaintext may already be. */
  readonly seal: (nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array, out: Uint8Array, at: number) => void
  /** The plaintext as bytes of its own; `undefined`, and no more detail than that, where the tag does not verify. */
  readonly open: (nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array) => Uint8Array | undefined
  /** As `open`, into a buffer of the caller; the length of the plaintext, or -1. Nothing unverified is left in `out`. */
  readonly openInto: (
    nonce: Uint8Array,
    aad: Uint8Array,
    sealed: Uint8Array,
    out: Uint8Array,
    at: number
  ) => number
}

/**
 * One side of an ephemeral key agreement. `agree` is `undefined` where the peer's share is not a point of the group, or
 * where the result is the all-zero value of RFC 7748 section 6.
 *
 * @category models
 * @since 0.1.0
 */
export interface KeyShare {
  readonly group: NamedGroup
  /** RFC 8422 section 5.4: the u-coordinate for X25519, the uncompressed point for the NIST curves. */
  readonly publicKey: Uint8Array
  readonly agree: (peer: Uint8Array) => Uint8Array | undefined
}

/**
 * The answer to a share of the client: our own, and the secret of both.
 *
 * @category models
 * @since 0.1.0
 */
export interface KeyShareResponse {
  readonly publicKey: Uint8Array
  readonly secret: Uint8Array
}

/**
 * What a key can sign with.
 *
 * @category models
 * @since 0.1.0
 */
export type KeyType = "rsa" | "ec-p256" | "ec-p384" | "ec-p521" | "ed25519"

/**
 * A key of the platform, opaque to everything above it. It prints as its type alone.
 *
 * @category models
 * @since 0.1.0
 */
export interface PublicKey {
  readonly type: KeyType
  /** RSA modulus or curve size, in bits. */
  readonly bits: number
  readonly verify: (scheme: SignatureScheme, message: Uint8Array, signature: Uint8Array) => boolean
}

/**
 * @category models
 * @since 0.1.0
 */
export interface PrivateKey {
  readonly type: KeyType
  readonly sign: (scheme: SignatureScheme, message: Uint8Array) => Uint8Array
  /** Whether this key belongs to that public key. */
  readonly matches: (publicKey: PublicKey) => boolean
}

/**
 * How a certificate, a revocation list or an OCSP response is signed: what is verified at all (docs/trust.md). RSASSA-PSS has
 * MGF1 over the same hash, and a salt as long as that hash.
 *
 * @category models
 * @since 0.1.0
 */
export type SignatureAlgorithm = `${"rsa-pkcs1" | "rsa-pss" | "ecdsa"}-${HashName}` | "ed25519"

/**
 * What the platform makes of a certificate: the second parser. It judges nothing; that is done in `x509/`, by the first one.
 *
 * @category models
 * @since 0.1.0
 */
export interface PlatformCertificate {
  readonly der: Uint8Array
  /** Names on one line, for people. */
  readonly subject: string
  readonly issuer: string
  /** `undefined` for a kind of key that this library does not use in handshakes. */
  readonly publicKey: PublicKey | undefined
  /** Whether the key of this certificate made the signature. */
  readonly verifies: (algorithm: SignatureAlgorithm, message: Uint8Array, signature: Uint8Array) => boolean
}

/**
 * @category services
 * @since 0.1.0
 */
export class Primitives extends Context.Service<Primitives, {
  readonly digest: (name: HashName, bytes: Uint8Array) => Uint8Array
  /** Only to find what others name by it: the issuer in an OCSP response. It proves nothing. */
  readonly sha1: (bytes: Uint8Array) => Uint8Array
  /** Has a key of its own: that of the caller may be overwritten afterwards. */
  readonly mac: (hash: HashName, key: Uint8Array) => Mac
  /** Works on the key of the caller, as long as it is not overwritten: cheaper where there are few messages, and leaves no copy. */
  readonly passingMac: (hash: HashName, key: Uint8Array) => Mac
  readonly aead: (name: AeadName, key: Uint8Array) => AeadKey
  /** A fresh key pair; with `privateKey` (raw scalar, big-endian, of the size of the group) that one. */
  readonly keyShare: (group: NamedGroup, privateKey?: Uint8Array) => KeyShare
  /**
   * The side that answers, in one step: a key encapsulation has no share of its own to begin with. `undefined` where the peer's
   * share is not valid. With `privateKey` (as for `keyShare`, for X25519MLKEM768 that of X25519) that one.
   */
  readonly respond: (group: NamedGroup, peer: Uint8Array, privateKey?: Uint8Array) => KeyShareResponse | undefined
  /** The groups that this platform has. */
  readonly groups: ReadonlyArray<NamedGroup>
  readonly parseCertificate: (der: Uint8Array) => PlatformCertificate | undefined
  /** PKCS#8, PKCS#1 or SEC 1, as DER; `undefined` for what the platform cannot read or this library does not use. */
  readonly importPrivateKey: (der: Uint8Array) => PrivateKey | undefined
  /** In time that does not depend on where the two differ. */
  readonly equal: (a: Uint8Array, b: Uint8Array) => boolean
  /** A buffer whose content is undefined: to be overwritten whole. It may share its memory with others. */
  readonly allocate: (length: number) => Uint8Array
  /** Frees the memory of a large buffer now, not at some garbage collection: nobody may refer to it, and it is empty afterwards. */
  readonly release: (bytes: Uint8Array) => void
  /** A host name in A-label form, lower case, or `undefined` where it is not one (RFC 5890), as an address is not. */
  readonly hostToAscii: (host: string) => string | undefined
  /** Whether the text is an IPv4 or IPv6 address. */
  readonly isAddress: (text: string) => boolean
}>()("effect-tls/Primitives") {}
