/**
 * The handshake messages so far, RFC 5246 section 7.4.9.
 *
 * @since 0.1.0
 */
import { concat, empty } from "../wire/Bytes.ts"
import { HandshakeType } from "../wire/CodePoints.ts"
import type { HashName, Primitives } from "./Primitives.ts"

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
  #kept: Array<Uint8Array> | undefined = []
  #hash: ((bytes: Uint8Array) => Uint8Array) | undefined
  /** Of the messages so far, where it was asked for. */
  #digest: Uint8Array | undefined

  /** One message or several, header included. What is kept is a copy: `bytes` may be lent. */
  add(bytes: Uint8Array): void {
    this.#kept?.push(bytes.slice())
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
    const [first, ...rest] = this.#keptMessages()
    if (first === undefined || this.#hash !== undefined) {
      throw new Error("this transcript has no first message to collapse")
    }
    const digest = primitives.digest(hash, first)
    this.#kept = [concat([Uint8Array.of(HandshakeType.message_hash, 0, 0, digest.length), digest]), ...rest]
  }

  /** The hash of the messages that are kept and of what comes after them, or of all but the last `cut` bytes. */
  digestWith(
    primitives: Pick<Primitives["Service"], "digest">,
    hash: HashName,
    { after = empty, cut = 0 }: { readonly after?: Uint8Array; readonly cut?: number }
  ): Uint8Array {
    const bytes = concat([...this.#keptMessages(), after])
    return primitives.digest(hash, bytes.subarray(0, bytes.length - cut))
  }

  /** The hash of all messages so far. More may be added afterwards. */
  digest(): Uint8Array {
    if (this.#hash === undefined) throw new Error("the hash of this transcript is not settled yet")
    return this.#digest ??= this.#hash(this.messages())
  }

  /** All messages so far, joined. */
  messages(): Uint8Array {
    return concat(this.#keptMessages())
  }

  /** Drops the messages. */
  forget(): void {
    this.#kept = undefined
  }

  #keptMessages(): ReadonlyArray<Uint8Array> {
    if (this.#kept === undefined) throw new Error("the messages of this transcript are forgotten")
    return this.#kept
  }
}
