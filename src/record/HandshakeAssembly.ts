/**
 * Handshake messages out of records, RFC 5246 section 6.2.1: a message may be split over records, and several may share one.
 *
 * @since 0.1.0
 */
import type { Fault } from "../alert/Fault.ts"
import { empty, partOf } from "../wire/Bytes.ts"
import { HandshakeType, handshakeTypeName } from "../wire/CodePoints.ts"
import type { Observer } from "./Observer.ts"

/**
 * One whole message, in bytes of its own, which stay as they are.
 *
 * @category models
 * @since 0.1.0
 */
export interface RawMessage {
  readonly _tag: "Handshake"
  readonly type: number
  readonly body: Uint8Array
  /** Header and body: what the transcript takes. */
  readonly bytes: Uint8Array
}

/**
 * What a peer can make grow in a handshake, in bytes.
 *
 * @category models
 * @since 0.1.0
 */
export interface HandshakeLimits {
  /** Of any message but Certificate. */
  readonly message: number
  /** Of a Certificate message. */
  readonly certificateChain: number
  /** Of all messages of the peer together, until the handshake is done. */
  readonly total: number
}

const headerLength = 4

/**
 * A message is judged by its announced length, before anything is buffered for it.
 *
 * @category models
 * @since 0.1.0
 */
export class HandshakeAssembly {
  readonly #limits: HandshakeLimits
  readonly #observe: Observer | undefined
  /** Grows by doubling: a peer that sends one byte a record must not make us copy the rest each time. */
  #buffer: Uint8Array = empty
  #length = 0
  #total = 0
  #established = false

  constructor(limits: HandshakeLimits, observe: Observer | undefined) {
    this.#limits = limits
    this.#observe = observe
  }

  /** The total of the handshake no longer counts. */
  establish(): void {
    this.#established = true
  }

  get isMidMessage(): boolean {
    return this.#length > 0
  }

  clear(): void {
    this.#buffer = empty
    this.#length = 0
  }

  push(fragment: Uint8Array): Fault | undefined {
    if (!this.#established) {
      this.#total += fragment.length
      if (this.#total > this.#limits.total) return { _tag: "HandshakeTooLong", limit: this.#limits.total }
    }
    const length = this.#length + fragment.length
    if (this.#length === 0) {
      this.#buffer = new Uint8Array(fragment)
      this.#length = length
      return undefined
    }
    if (length > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(length, this.#buffer.length * 2))
      grown.set(this.#buffer.subarray(0, this.#length))
      this.#buffer = grown
    }
    this.#buffer.set(fragment, this.#length)
    this.#length = length
    return undefined
  }

  next(): RawMessage | Fault | undefined {
    if (this.#length < headerLength) return undefined
    const buffer = this.#buffer
    const type = buffer[0] ?? 0
    const length = ((buffer[1] ?? 0) << 16) | ((buffer[2] ?? 0) << 8) | (buffer[3] ?? 0)
    const limit = type === HandshakeType.certificate ? this.#limits.certificateChain : this.#limits.message
    if (length > limit) {
      return type === HandshakeType.certificate
        ? { _tag: "CertificateChainTooLong", length, limit }
        : { _tag: "MessageTooLong", message: handshakeTypeName(type) ?? `handshake ${type}`, length, limit }
    }
    const end = headerLength + length
    if (this.#length < end) return undefined
    // The buffer itself, where it holds this message alone: it is let go of then.
    const bytes = end === buffer.length ? buffer : buffer.slice(0, end)
    if (end === this.#length) this.clear()
    else {
      buffer.copyWithin(0, end, this.#length)
      this.#length -= end
    }
    this.#observe?.({ _tag: "Message", direction: "received", type, length: end })
    return { _tag: "Handshake", type, body: partOf(bytes, headerLength), bytes }
  }
}
