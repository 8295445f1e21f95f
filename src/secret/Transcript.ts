/**
 * The handshake messages so far, RFC 5246 section 7.4.9.
 *
 * @since 0.1.0
 */
import { concat, empty } from "../wire/Bytes.ts"
import { HandshakeType } from "../wire/CodePoints.ts"
import type { HashName, Primitives } from "./Primitives.ts"

// Most handshakes fit. Used again for every hash, which leaves nothing behind: no call waits in the middle.
const scratch = new Uint8Array(8192)

/** The hash of what is joined, less the last `cut` bytes of it. */
const hashJoined = (
  primitives: Pick<Primitives["Service"], "digest">,
  hash: HashName,
  parts: ReadonlyArray<Uint8Array>,
  cut = 0
): Uint8Array => {
  let length = 0
  for (const part of parts) length += part.length
  if (length > scratch.length) return primitives.digest(hash, concat(parts).subarray(0, length - cut))
  let at = 0
  for (const part of parts) {
    scratch.set(part, at)
    at += part.length
  }
  try {
    return primitives.digest(hash, scratch.subarray(0, length - cut))
  } finally {
    scratch.fill(0, 0, length)
  }
}

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
  #messages: Array<Uint8Array> = []
  #isForgotten = false
  #hash: ((messages: ReadonlyArray<Uint8Array>) => Uint8Array) | undefined
  /** Of the messages so far, where it was asked for. */
  #digest: Uint8Array | undefined

  /** One message, header included, which must stay as it is. */
  add(message: Uint8Array): void {
    if (this.#isForgotten) return
    this.#messages.push(message)
    this.#digest = undefined
  }

  /** Settles the hash. */
  start(primitives: Pick<Primitives["Service"], "digest">, hash: HashName): void {
    if (this.#hash !== undefined) throw new Error("the hash of this transcript is settled already")
    this.#hash = (messages) => hashJoined(primitives, hash, messages)
  }

  /**
   * RFC 8446 section 4.4.1: before a HelloRetryRequest the ClientHello counts as its hash, in a message of its own. To be done before
   * the hash is settled.
   */
  collapseFirst(primitives: Pick<Primitives["Service"], "digest">, hash: HashName): void {
    const [first, ...others] = this.#kept()
    if (first === undefined || this.#hash !== undefined) {
      throw new Error("this transcript has no first message to collapse")
    }
    const digest = primitives.digest(hash, first)
    this.#messages = [concat([Uint8Array.of(HandshakeType.message_hash, 0, 0, digest.length), digest]), ...others]
    this.#digest = undefined
  }

  /** The hash of the messages that are kept and of what comes after them, or of all but the last `cut` bytes. */
  digestWith(
    primitives: Pick<Primitives["Service"], "digest">,
    hash: HashName,
    { after = empty, cut = 0 }: { readonly after?: Uint8Array; readonly cut?: number }
  ): Uint8Array {
    return hashJoined(primitives, hash, [...this.#kept(), after], cut)
  }

  /** The hash of all messages so far. More may be added afterwards. */
  digest(): Uint8Array {
    if (this.#hash === undefined) throw new Error("the hash of this transcript is not settled yet")
    return this.#digest ??= this.#hash(this.#kept())
  }

  /** All messages so far, joined, as bytes of the caller's own. */
  messages(): Uint8Array {
    return concat(this.#kept())
  }

  /** Drops the messages. */
  forget(): void {
    this.#isForgotten = true
    this.#messages = []
    this.#digest = undefined
  }

  #kept(): ReadonlyArray<Uint8Array> {
    if (this.#isForgotten) throw new Error("the messages of this transcript are forgotten")
    return this.#messages
  }
}
