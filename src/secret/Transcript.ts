/**
 * The handshake messages so far, RFC 5246 section 7.4.9.
 *
 * @since 0.1.0
 */
import { concat, empty } from "../wire/Bytes.ts"
import { HandshakeType } from "../wire/CodePoints.ts"
import type { HashName, Primitives, RunningHash } from "./Primitives.ts"

/**
 * Hashed as they come once the suite has settled the hash. Until `forget` they are kept as well: CertificateVerify
 * signs the messages themselves, with a hash of its own (RFC 5246 section 7.4.8).
 *
 * Asking for what is not there is a defect of the caller, and throws.
 *
 * @category models
 * @since 0.1.0
 */
export class Transcript {
  #kept: Array<Uint8Array> | undefined = []
  #hash: RunningHash | undefined

  /** One message or several, header included. What is kept is a copy: `bytes` may be lent. */
  add(bytes: Uint8Array): void {
    this.#hash?.update(bytes)
    this.#kept?.push(bytes.slice())
  }

  /** Settles the hash; what was added before is hashed now. */
  start(primitives: Pick<Primitives["Service"], "hash">, hash: HashName): void {
    if (this.#hash !== undefined) throw new Error("the hash of this transcript is settled already")
    const running = primitives.hash(hash)
    for (const message of this.#keptMessages()) running.update(message)
    this.#hash = running
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
    return this.#hash.digest()
  }

  /** All messages so far, joined. */
  messages(): Uint8Array {
    return concat(this.#keptMessages())
  }

  /** Drops the messages; the hash goes on. */
  forget(): void {
    this.#kept = undefined
  }

  #keptMessages(): ReadonlyArray<Uint8Array> {
    if (this.#kept === undefined) throw new Error("the messages of this transcript are forgotten")
    return this.#kept
  }
}
