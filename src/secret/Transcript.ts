/**
 * The handshake messages so far, RFC 5246 section 7.4.9.
 *
 * @since 0.1.0
 */
import { concat, empty } from "../wire/Bytes.ts"
import { HandshakeType } from "../wire/CodePoints.ts"
import type { HashName, Primitives } from "./Primitives.ts"

// Most resumptions need no more, unless a hybrid share is among the messages; and the allocator has it at hand.
const firstCapacity = 1000

/**
 * Kept until `forget`, and hashed when it is asked for: CertificateVerify signs the messages themselves, with a hash of its own (RFC
 * 5246 section 7.4.8). One hash over two or three KiB costs less than a running one that is copied for each of its results.
 *
 * Asking for what is not there is a defect of the caller, and throws.
 *
 * @category models
 * @since 0.1.0
 */
export class Transcript {
  /** Grows by doubling. */
  #buffer: Uint8Array = empty
  #length = 0
  #firstLength = 0
  #isForgotten = false
  #hash: ((bytes: Uint8Array) => Uint8Array) | undefined
  /** Of the messages so far, where it was asked for. */
  #digest: Uint8Array | undefined

  /** One message or several, header included. What is kept is a copy: `bytes` may be lent. */
  add(bytes: Uint8Array): void {
    if (this.#isForgotten) return
    const length = this.#length + bytes.length
    if (length > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(length, this.#buffer.length * 2, firstCapacity))
      grown.set(this.#kept())
      this.#buffer = grown
    }
    this.#buffer.set(bytes, this.#length)
    if (this.#length === 0) this.#firstLength = length
    this.#length = length
    this.#digest = undefined
  }

  /** Settles the hash. */
  start(primitives: Pick<Primitives["Service"], "digest">, hash: HashName): void {
    if (this.#hash !== undefined) throw new Error("the hash of this transcript is settled already")
    this.#hash = (bytes) => primitives.digest(hash, bytes)
  }

  /**
   * RFC 8446 section 4.4.1: before a HelloRetryRequest the ClientHello counts as its hash, in a message of its own. To be done before
   * the hash is settled.
   */
  collapseFirst(primitives: Pick<Primitives["Service"], "digest">, hash: HashName): void {
    const [kept, length] = [this.#kept(), this.#firstLength]
    if (length === 0 || this.#hash !== undefined) throw new Error("this transcript has no first message to collapse")
    const digest = primitives.digest(hash, kept.subarray(0, length))
    const message = concat([Uint8Array.of(HandshakeType.message_hash, 0, 0, digest.length), digest])
    this.#buffer = concat([message, kept.subarray(length)])
    this.#length = this.#buffer.length
    this.#firstLength = message.length
    this.#digest = undefined
  }

  /** The hash of the messages that are kept and of what comes after them, or of all but the last `cut` bytes. */
  digestWith(
    primitives: Pick<Primitives["Service"], "digest">,
    hash: HashName,
    { after = empty, cut = 0 }: { readonly after?: Uint8Array; readonly cut?: number }
  ): Uint8Array {
    const bytes = after.length === 0 ? this.#kept() : concat([this.#kept(), after])
    return primitives.digest(hash, bytes.subarray(0, bytes.length - cut))
  }

  /** The hash of all messages so far. More may be added afterwards. */
  digest(): Uint8Array {
    if (this.#hash === undefined) throw new Error("the hash of this transcript is not settled yet")
    return this.#digest ??= this.#hash(this.#kept())
  }

  /** All messages so far, joined, as bytes of the caller's own. */
  messages(): Uint8Array {
    return this.#kept().slice()
  }

  /** Drops the messages. */
  forget(): void {
    this.#isForgotten = true
    this.#buffer = empty
    this.#digest = undefined
  }

  #kept(): Uint8Array {
    if (this.#isForgotten) throw new Error("the messages of this transcript are forgotten")
    return this.#buffer.subarray(0, this.#length)
  }
}
