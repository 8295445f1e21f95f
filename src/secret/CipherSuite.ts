/**
 * The cipher suites that this library uses, as data. TLS 1.2: RFC 5289 (AES-GCM) and RFC 7905 (ChaCha20-Poly1305); TLS 1.3: RFC
 * 8446 appendix B.4.
 *
 * @since 0.1.0
 */
import type { AeadName, HashName } from "./Primitives.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface CipherSuite {
  readonly version: "1.2"
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
  /** How many records may be sealed under one key. */
  readonly recordLimit: number
}

// RFC 5288 section 3: a salt of 4 bytes from the key block, 8 explicit bytes in the record. RFC 8446 section 5.5, which
// RFC 9325 carries over to TLS 1.2: 2^24.5 full-size records under one key.
const gcm = {
  version: "1.2",
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
  version: "1.2",
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

/**
 * A suite of TLS 1.3, which names the AEAD and the hash alone.
 *
 * @category models
 * @since 0.1.0
 */
export interface CipherSuite13 {
  readonly version: "1.3"
  readonly id: number
  /** As IANA has it. */
  readonly name: string
  readonly aead: AeadName
  /** The hash of HKDF and of the transcript. */
  readonly hash: HashName
  readonly keyLength: number
  /** How many records may be sealed under one key: RFC 8446 section 5.5. */
  readonly recordLimit: number
}

/**
 * In order of preference.
 *
 * @category constants
 * @since 0.1.0
 */
export const suites13: ReadonlyArray<CipherSuite13> = [
  {
    version: "1.3",
    id: 0x1301,
    name: "TLS_AES_128_GCM_SHA256",
    aead: "aes-128-gcm",
    hash: "sha256",
    keyLength: 16,
    recordLimit: gcm.recordLimit
  },
  {
    version: "1.3",
    id: 0x1302,
    name: "TLS_AES_256_GCM_SHA384",
    aead: "aes-256-gcm",
    hash: "sha384",
    keyLength: 32,
    recordLimit: gcm.recordLimit
  },
  {
    version: "1.3",
    id: 0x1303,
    name: "TLS_CHACHA20_POLY1305_SHA256",
    aead: "chacha20-poly1305",
    hash: "sha256",
    keyLength: 32,
    recordLimit: chacha20.recordLimit
  }
]

/**
 * A suite of either version.
 *
 * @category models
 * @since 0.1.0
 */
export type AnyCipherSuite = CipherSuite | CipherSuite13

const byId = new Map<number, CipherSuite>(suites.map((suite) => [suite.id, suite]))
const byId13 = new Map<number, CipherSuite13>(suites13.map((suite) => [suite.id, suite]))

/**
 * @category combinators
 * @since 0.1.0
 */
export const suiteOf = (id: number): CipherSuite | undefined => byId.get(id)

/**
 * @category combinators
 * @since 0.1.0
 */
export const suite13Of = (id: number): CipherSuite13 | undefined => byId13.get(id)
