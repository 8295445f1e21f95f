/**
 * HMAC (RFC 2104) over `node:crypto`.
 *
 * @since 0.1.0
 */
import { createHmac, createSecretKey, hash, type KeyObject } from "node:crypto"
import type { HashName, Mac } from "../secret/Primitives.ts"
import { copyPart, fromLatin1 } from "../wire/Bytes.ts"

/**
 * With a key of OpenSSL's own.
 *
 * @category models
 * @since 0.1.0
 */
export class NodeMac implements Mac {
  readonly algorithm: HashName
  readonly #key: KeyObject

  constructor(algorithm: HashName, key: Uint8Array) {
    this.algorithm = algorithm
    this.#key = createSecretKey(key)
  }

  sign(...parts: ReadonlyArray<Uint8Array>): Uint8Array {
    const hmac = createHmac(this.algorithm, this.#key)
    for (const part of parts) hmac.update(part)
    return fromLatin1(hmac.digest("binary"))
  }
}

const mostInScratch = 512
const innerPadding = 0x36
const outerPadding = 0x5c

/** What the two hashes of one HMAC are over: a block of padding, into which the key is mixed, and what comes after it. */
const scratchOf = (blockLength: number, hashLength: number) => ({
  blockLength,
  inner: new Uint8Array(blockLength + mostInScratch).fill(innerPadding, 0, blockLength),
  /** The first bytes of `inner`, by their number: a view costs as much as a hash. */
  firstOfInner: [] as Array<Uint8Array | undefined>,
  outer: new Uint8Array(blockLength + hashLength).fill(outerPadding, 0, blockLength)
})

// Used again for every call, which leaves the padding behind and nothing else: no call waits in the middle.
const scratches = { sha256: scratchOf(64, 32), sha384: scratchOf(128, 48), sha512: scratchOf(128, 64) } satisfies {
  readonly [Name in HashName]: unknown
}

/**
 * From two hashes, over a key that stays where it is. Two calls of `hash` cost a third of what a key object and an `Hmac` cost, and
 * leave no native object for the garbage collector to free: a TLS 1.3 handshake has some fifty keys, most of them for one message. Hashes come as
 * text, which costs a fifth of a buffer.
 *
 * @category models
 * @since 0.1.0
 */
export class NodePassingMac implements Mac {
  readonly algorithm: HashName
  readonly #key: Uint8Array

  constructor(algorithm: HashName, key: Uint8Array) {
    this.algorithm = algorithm
    this.#key = key
  }

  sign(...parts: ReadonlyArray<Uint8Array>): Uint8Array {
    const algorithm = this.algorithm
    const key = this.#key
    const scratch = scratches[algorithm]
    const { blockLength, firstOfInner, inner, outer } = scratch
    let length = blockLength
    for (const part of parts) length += part.length
    if (length > inner.length || key.length > blockLength) return new NodeMac(algorithm, key).sign(...parts)
    let at = blockLength
    for (const part of parts) {
      copyPart(part, inner, at)
      at += part.length
    }
    try {
      // RFC 2104 section 2: H(K XOR opad, H(K XOR ipad, text)). What the key does not reach of the block is padding already.
      for (let i = 0; i < key.length; i++) {
        const byte = key[i] ?? 0
        inner[i] = byte ^ innerPadding
        outer[i] = byte ^ outerPadding
      }
      const text = hash(algorithm, firstOfInner[length] ??= inner.subarray(0, length), "binary")
      for (let i = 0; i < text.length; i++) outer[blockLength + i] = text.charCodeAt(i)
      return fromLatin1(hash(algorithm, outer, "binary"))
    } finally {
      for (let i = 0; i < key.length; i++) {
        inner[i] = innerPadding
        outer[i] = outerPadding
      }
      for (let i = blockLength; i < length; i++) inner[i] = 0
      for (let i = blockLength; i < outer.length; i++) outer[i] = 0
    }
  }
}
