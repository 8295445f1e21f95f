/**
 * Record payload protection: RFC 5246 section 6.2.3.3 (AEAD ciphers) and RFC 8446 section 5.2.
 *
 * @since 0.1.0
 */
import type { CipherSuite, CipherSuite13 } from "../secret/CipherSuite.ts"
import type { AeadKey, Primitives } from "../secret/Primitives.ts"

import { ContentType } from "../wire/CodePoints.ts"
import { maxCiphertext, maxCiphertext13, maxPlaintext } from "./Deframer.ts"

/**
 * How the fragments of one direction are protected. The sequence number belongs to the state that counts it.
 *
 * @category models
 * @since 0.1.0
 */
export interface RecordProtection {
  /** Whether a record under this protection is secret and authentic at all. */
  readonly isProtected: boolean
  /** RFC 8446 section 5.2: the content type is inside, behind the content, and every record looks like application data. */
  readonly hidesType: boolean
  /** The longest fragment that comes of it, RFC 5246 section 6.2.3 and RFC 8446 section 5.2. */
  readonly fragmentLimit: number
  /** Bytes that a fragment grows by. */
  readonly overhead: number
  /** How many records may be sealed under the key. */
  readonly recordLimit: number
  /**
   * Writes the protected fragment (`plaintext.length + padding + overhead` bytes) into `out` at `at`. Only a protection that hides the
   * type can hide the length as well: elsewhere the padding is 0.
   */
  readonly seal: (
    type: number,
    plaintext: Uint8Array,
    sequence: number,
    out: Uint8Array,
    at: number,
    padding: number
  ) => void
  /** `undefined` for whatever does not authenticate: that there is no more detail is the point (RFC 5246 section 7.2.2). */
  readonly open: (type: number, fragment: Uint8Array, sequence: number) => Uint8Array | undefined
  /** As `open`, into a buffer of the caller: the length of the plaintext, or -1. */
  readonly openInto: (type: number, fragment: Uint8Array, sequence: number, out: Uint8Array, at: number) => number
  /** Drops the key and overwrites what is held as bytes: afterwards nothing opens, and to seal throws. */
  readonly forget: () => void
}

/**
 * TLS_NULL_WITH_NULL_NULL: the state every connection begins in (RFC 5246 section 6.1).
 *
 * @category constants
 * @since 0.1.0
 */
export const nullProtection: RecordProtection = {
  isProtected: false,
  hidesType: false,
  fragmentLimit: maxPlaintext,
  overhead: 0,
  recordLimit: Number.MAX_SAFE_INTEGER,
  seal: (_type, plaintext, _sequence, out, at) => out.set(plaintext, at),
  open: (_type, fragment) => fragment,
  openInto: (_type, fragment, _sequence, out, at) => {
    out.set(fragment, at)
    return fragment.length
  },
  forget: () => {}
}

/**
 * What is left when the keys are gone: nothing opens, and to seal is a defect.
 *
 * @category constants
 * @since 0.1.0
 */
export const forgottenProtection: RecordProtection = {
  hidesType: false,
  fragmentLimit: maxPlaintext,
  isProtected: true,
  overhead: 0,
  recordLimit: Number.MAX_SAFE_INTEGER,
  seal: () => {
    throw new Error("a record was to be sealed after its keys were forgotten")
  },
  open: () => undefined,
  openInto: () => -1,
  forget: () => {}
}

const tagLength = 16

const writeSequence = (out: Uint8Array, at: number, sequence: number): void => {
  // 2^53 is far beyond every record limit, so a number holds the 64 bits of the RFC.
  const high = Math.floor(sequence / 0x1_0000_0000)
  out[at] = high >>> 24
  out[at + 1] = high >>> 16
  out[at + 2] = high >>> 8
  out[at + 3] = high
  out[at + 4] = sequence >>> 24
  out[at + 5] = sequence >>> 16
  out[at + 6] = sequence >>> 8
  out[at + 7] = sequence
}

// Rewritten for every record of every connection: the primitives are synchronous, and keep none of them.
const nonce = new Uint8Array(12)
const additionalData = new Uint8Array(13)
additionalData[9] = 3
additionalData[10] = 3
const additionalData13 = Uint8Array.of(ContentType.application_data, 3, 3, 0, 0)

class Protection12 implements RecordProtection {
  readonly isProtected = true
  readonly hidesType = false
  readonly fragmentLimit = maxCiphertext
  readonly overhead: number
  readonly recordLimit: number
  readonly #explicit: number
  readonly #fixedIv: Uint8Array
  #aead: AeadKey | undefined

  constructor(suite: CipherSuite, aead: AeadKey, fixedIv: Uint8Array) {
    this.#explicit = suite.recordIvLength
    this.overhead = suite.recordIvLength + tagLength
    this.recordLimit = suite.recordLimit
    this.#aead = aead
    this.#fixedIv = fixedIv
  }

  seal(type: number, plaintext: Uint8Array, sequence: number, out: Uint8Array, at: number): void {
    if (this.#aead === undefined) return forgottenProtection.seal(type, plaintext, sequence, out, at, 0)
    this.#prepare(type, sequence, plaintext.length)
    if (this.#explicit > 0) writeSequence(out, at, sequence)
    this.#aead.seal(nonce, additionalData, plaintext, out, at + this.#explicit)
  }

  open(type: number, fragment: Uint8Array, sequence: number): Uint8Array | undefined {
    const sealed = this.#prepareOpen(type, fragment, sequence)
    return sealed === undefined ? undefined : this.#aead?.open(nonce, additionalData, sealed)
  }

  openInto(type: number, fragment: Uint8Array, sequence: number, out: Uint8Array, at: number): number {
    const sealed = this.#prepareOpen(type, fragment, sequence)
    return sealed === undefined || this.#aead === undefined
      ? -1
      : this.#aead.openInto(nonce, additionalData, sealed, out, at)
  }

  forget(): void {
    this.#aead = undefined
    this.#fixedIv.fill(0)
    nonce.fill(0)
  }

  /** Sets the additional data, and the nonce of our own records. */
  #prepare(type: number, sequence: number, length: number): void {
    writeSequence(additionalData, 0, sequence)
    additionalData[8] = type
    additionalData[11] = length >>> 8
    additionalData[12] = length
    nonce.set(this.#fixedIv)
    writeSequence(nonce, 4, sequence)
    if (this.#explicit === 0) { for (let i = 4; i < 12; i++) nonce[i] = (nonce[i] ?? 0) ^ (this.#fixedIv[i] ?? 0) }
  }

  #prepareOpen(type: number, fragment: Uint8Array, sequence: number): Uint8Array | undefined {
    if (fragment.length < this.overhead) return undefined
    this.#prepare(type, sequence, fragment.length - this.overhead)
    if (this.#explicit === 0) return fragment
    // The explicit part is what the peer says it is.
    for (let i = 0; i < this.#explicit; i++) nonce[4 + i] = fragment[i] ?? 0
    return fragment.subarray(this.#explicit)
  }
}

/**
 * The AEAD protection of TLS 1.2. It owns `fixedIv` from here on; the key is set up at once, and may be overwritten.
 * AES-GCM carries 8 bytes of its nonce in the record, and uses the sequence number for them (RFC 5288 section 3);
 * ChaCha20-Poly1305 carries none, and mixes the sequence number into its IV (RFC 7905 section 2).
 *
 * @category constructors
 * @since 0.1.0
 */
export const protection12 = (
  primitives: Primitives["Service"],
  suite: CipherSuite,
  key: Uint8Array,
  fixedIv: Uint8Array
): RecordProtection => new Protection12(suite, primitives.aead(suite.aead, key), fixedIv)

class Protection13 implements RecordProtection {
  readonly isProtected = true
  readonly hidesType = true
  readonly fragmentLimit = maxCiphertext13
  /** The type, and the tag. */
  readonly overhead = 1 + tagLength
  readonly recordLimit: number
  readonly #iv: Uint8Array
  #aead: AeadKey | undefined

  constructor(suite: CipherSuite13, aead: AeadKey, iv: Uint8Array) {
    this.recordLimit = suite.recordLimit
    this.#aead = aead
    this.#iv = iv
  }

  seal(type: number, plaintext: Uint8Array, sequence: number, out: Uint8Array, at: number, padding: number): void {
    if (this.#aead === undefined) return forgottenProtection.seal(type, plaintext, sequence, out, at, padding)
    const length = plaintext.length + 1 + padding
    this.#prepare(length + tagLength, sequence)
    // An AEAD takes its input in one piece. It is laid out where the ciphertext will be.
    const inner = out.subarray(at, at + length)
    inner.set(plaintext)
    inner[plaintext.length] = type
    if (padding > 0) inner.fill(0, plaintext.length + 1)
    this.#aead.seal(nonce, additionalData13, inner, out, at)
  }

  open(_type: number, fragment: Uint8Array, sequence: number): Uint8Array | undefined {
    this.#prepare(fragment.length, sequence)
    return this.#aead?.open(nonce, additionalData13, fragment)
  }

  openInto(_type: number, fragment: Uint8Array, sequence: number, out: Uint8Array, at: number): number {
    this.#prepare(fragment.length, sequence)
    return this.#aead === undefined ? -1 : this.#aead.openInto(nonce, additionalData13, fragment, out, at)
  }

  forget(): void {
    this.#aead = undefined
    this.#iv.fill(0)
    nonce.fill(0)
  }

  #prepare(length: number, sequence: number): void {
    additionalData13[3] = length >>> 8
    additionalData13[4] = length
    // RFC 8446 section 5.3.
    nonce.fill(0, 0, 4)
    writeSequence(nonce, 4, sequence)
    for (let i = 0; i < 12; i++) nonce[i] = (nonce[i] ?? 0) ^ (this.#iv[i] ?? 0)
  }
}

/**
 * The AEAD protection of TLS 1.3, RFC 8446 section 5.2. What is sealed and opened is the inner plaintext: content, its type, and
 * zeros. It owns `iv` from here on; the key is set up at once, and may be overwritten.
 *
 * @category constructors
 * @since 0.1.0
 */
export const protection13 = (
  primitives: Primitives["Service"],
  suite: CipherSuite13,
  key: Uint8Array,
  iv: Uint8Array
): RecordProtection => new Protection13(suite, primitives.aead(suite.aead, key), iv)

/**
 * Where the content of an inner plaintext ends, RFC 8446 section 5.4: its type is there, the last byte that is not zero. -1 where there
 * is none.
 *
 * @category decoding
 * @since 0.1.0
 */
export const contentEnd = (inner: Uint8Array): number => {
  let end = inner.length - 1
  while (end >= 0 && inner[end] === 0) end--
  return end
}
