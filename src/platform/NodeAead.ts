/**
 * AEAD (RFC 5116) over `node:crypto`.
 *
 * @since 0.1.0
 */
import { createCipheriv, createDecipheriv, createSecretKey } from "node:crypto"
import type { KeyObject } from "node:crypto"
import type { AeadKey, AeadName } from "../secret/Primitives.ts"
import { copyPart } from "../wire/Bytes.ts"
import { plain, release } from "./NodeBytes.ts"

const nonceLength = 12
const tagLength = 16
const options = { authTagLength: tagLength }

const keyLengths: { readonly [Name in AeadName]: number } = {
  "aes-128-gcm": 16,
  "aes-256-gcm": 32,
  "chacha20-poly1305": 32
}

// The two branches differ in their type alone: the overloads of node:crypto do not take the union.
const cipherOf = (name: AeadName, key: KeyObject, nonce: Uint8Array) =>
  name === "chacha20-poly1305" ? createCipheriv(name, key, nonce, options) : createCipheriv(name, key, nonce, options)

const decipherOf = (name: AeadName, key: KeyObject, nonce: Uint8Array) =>
  name === "chacha20-poly1305" ?
    createDecipheriv(name, key, nonce, options) :
    createDecipheriv(name, key, nonce, options)

// What node:crypto reads gets memory outside of the heap, and an object for it: these have theirs already. Overwritten after each use.
const keyScratches: { readonly [Name in AeadName]: Uint8Array } = {
  "aes-128-gcm": new Uint8Array(keyLengths["aes-128-gcm"]),
  "aes-256-gcm": new Uint8Array(keyLengths["aes-256-gcm"]),
  "chacha20-poly1305": new Uint8Array(keyLengths["chacha20-poly1305"])
}

const tagScratch = new Uint8Array(tagLength)

const checkNonce = (nonce: Uint8Array): void => {
  // node:crypto takes a nonce of nearly any length for GCM; the record layer makes all of them, so this is a defect.
  if (nonce.length !== nonceLength) throw new RangeError(`an AEAD nonce has ${nonceLength} bytes, not ${nonce.length}`)
}

/**
 * One key. The secret is a `KeyObject` behind a private name: what prints is the algorithm.
 *
 * @category models
 * @since 0.1.0
 */
export class NodeAeadKey implements AeadKey {
  readonly algorithm: AeadName
  readonly #key: KeyObject

  constructor(name: AeadName, key: Uint8Array) {
    if (key.length !== keyLengths[name]) {
      throw new RangeError(`a key for ${name} has ${keyLengths[name]} bytes, not ${key.length}`)
    }
    this.algorithm = name
    // Raw key bytes cost 12 us and more at each call that takes them.
    const scratch = keyScratches[name]
    copyPart(key, scratch, 0)
    this.#key = createSecretKey(scratch)
    scratch.fill(0)
  }

  seal(nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array, out: Uint8Array, at: number): void {
    checkNonce(nonce)
    const length = plaintext.length
    const cipher = cipherOf(this.algorithm, this.#key, nonce)
    cipher.setAAD(aad, { plaintextLength: length })
    const ciphertext = cipher.update(plaintext)
    cipher.final()
    out.set(ciphertext, at)
    out.set(cipher.getAuthTag(), at + length)
    release(ciphertext)
  }

  open(nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
    const plaintext = this.#open(nonce, aad, sealed)
    return plaintext === undefined ? undefined : plain(plaintext)
  }

  openInto(nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array, out: Uint8Array, at: number): number {
    const plaintext = this.#open(nonce, aad, sealed)
    if (plaintext === undefined) return -1
    const length = plaintext.length
    out.set(plaintext, at)
    release(plaintext)
    return length
  }

  #open(nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Buffer<ArrayBuffer> | undefined {
    checkNonce(nonce)
    const length = sealed.length - tagLength
    if (length < 0) return undefined
    const decipher = decipherOf(this.algorithm, this.#key, nonce)
    decipher.setAAD(aad, { plaintextLength: length })
    for (let i = 0; i < tagLength; i++) tagScratch[i] = sealed[length + i] ?? 0
    decipher.setAuthTag(tagScratch)
    // Not verified before `final`, so it stays in here until then.
    const plaintext = decipher.update(sealed.subarray(0, length))
    try {
      decipher.final()
    } catch {
      plaintext.fill(0)
      return undefined
    }
    return plaintext
  }
}
