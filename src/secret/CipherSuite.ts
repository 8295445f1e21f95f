/**
 * The cipher suites of TLS 1.2 that this library uses, as data: RFC 5289 (AES-GCM) and RFC 7905 (ChaCha20-Poly1305).
 *
 * @since 0.1.0
 */
import type { AeadName, HashName } from "./Primitives.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface CipherSuite {
  readonly id: number
  /** As IANA has it. */
  readonly name: string
  readonly keyExchange: "ecdhe"
  /** The kind of key that the certificate of the server has. */
  readonly authentication: "ecdsa" | "rsa"
  readonly aead: AeadName
  /** The hash of the PRF and of the transcript. */
  readonly hash: HashName
  readonly keyLength: number
  /** The part of the nonce that comes from the key block. */
  readonly fixedIvLength: number
  /** The part of the nonce that each record carries. */
  readonly recordIvLength: number
  /** How many records may be sealed, or opened, under one key. */
  readonly recordLimit: number
}

// RFC 5288 section 3: a salt of 4 bytes from the key block, 8 explicit bytes in the record. RFC 8446 section 5.5, which
// RFC 9325 carries over to TLS 1.2: 2^24.5 full-size records under one key.
const gcm = {
  keyExchange: "ecdhe",
  fixedIvLength: 4,
  recordIvLength: 8,
  recordLimit: Math.floor(2 ** 24.5)
} as const

const aes128 = { ...gcm, aead: "aes-128-gcm", hash: "sha256", keyLength: 16 } as const
const aes256 = { ...gcm, aead: "aes-256-gcm", hash: "sha384", keyLength: 32 } as const

// RFC 7905 section 2: nothing explicit. The sequence number would wrap before the key is worn out, so what can be
// counted is the limit.
const chacha20 = {
  keyExchange: "ecdhe",
  aead: "chacha20-poly1305",
  hash: "sha256",
  keyLength: 32,
  fixedIvLength: 12,
  recordIvLength: 0,
  recordLimit: Number.MAX_SAFE_INTEGER
} as const

/**
 * In order of preference.
 *
 * @category constants
 * @since 0.1.0
 */
export const suites = [
  { id: 0xc02b, name: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", authentication: "ecdsa", ...aes128 },
  { id: 0xc02f, name: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", authentication: "rsa", ...aes128 },
  { id: 0xc02c, name: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", authentication: "ecdsa", ...aes256 },
  { id: 0xc030, name: "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", authentication: "rsa", ...aes256 },
  { id: 0xcca9, name: "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", authentication: "ecdsa", ...chacha20 },
  { id: 0xcca8, name: "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", authentication: "rsa", ...chacha20 }
] as const satisfies ReadonlyArray<CipherSuite>

const byId = new Map<number, CipherSuite>(suites.map((suite) => [suite.id, suite]))

/**
 * @category combinators
 * @since 0.1.0
 */
export const suiteOf = (id: number): CipherSuite | undefined => byId.get(id)
