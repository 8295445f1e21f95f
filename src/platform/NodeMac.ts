/**
 * HMAC (RFC 2104) over `node:crypto`.
 *
 * @since 0.1.0
 */
import { createHmac, createSecretKey, hash, type KeyObject } from "node:crypto"
import type { HashName, Mac } from "../secret/Primitives.ts"
import { fromLatin1 } from "../wire/Bytes.ts"

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

const blockLength: Readonly<Record<HashName, number>> = { sha256: 64, sha384: 128, sha512: 128 }
const mostInScratch = 512

// Used again for every call, and overwritten before it returns: no call waits in the middle.
const inner = new Uint8Array(128 + mostInScratch)
const outer = new Uint8Array(128 + 64)

/**
 * From two hashes, over a key that stays where it is. Two calls of `hash` cost half of what a key object and an `Hmac` cost, and
 * leave nothing for the garbage collector to free: a TLS 1.3 handshake has some fifty keys, most of them for one message.
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
    const [algorithm, key] = [this.algorithm, this.#key]
    const block = blockLength[algorithm]
    let length = block
    for (const part of parts) length += part.length
    if (length > inner.length || key.length > block) return new NodeMac(algorithm, key).sign(...parts)
    // RFC 2104 section 2: H(K XOR opad, H(K XOR ipad, text)), with the key padded to a block.
    for (let i = 0; i < block; i++) {
      const byte = key[i] ?? 0
      inner[i] = byte ^ 0x36
      outer[i] = byte ^ 0x5c
    }
    let at = block
    for (const part of parts) {
      inner.set(part, at)
      at += part.length
    }
    const text = hash(algorithm, inner.subarray(0, length), "binary")
    for (let i = 0; i < text.length; i++) outer[block + i] = text.charCodeAt(i)
    const code = fromLatin1(hash(algorithm, outer.subarray(0, block + text.length), "binary"))
    inner.fill(0, 0, length)
    outer.fill(0, 0, block + code.length)
    return code
  }
}
