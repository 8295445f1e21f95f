/**
 * The sending half of the record protocol, RFC 5246 section 6.2: fragment, compress, protect.
 *
 * @since 0.1.0
 */
import type { Primitives } from "../secret/Primitives.ts"
import { ContentType } from "../wire/CodePoints.ts"
import { nullCompression } from "./Compression.ts"
import { ConnectionState } from "./ConnectionState.ts"
import { headerLength, maxPlaintext } from "./Deframer.ts"
import type { Observer } from "./Observer.ts"

/**
 * Seals whole writes into one buffer. Sealing advances the sequence, so whatever is sealed must be sent, in that order.
 *
 * @category models
 * @since 0.1.0
 */
export class Outbound {
  readonly state = new ConnectionState()
  readonly #primitives: Primitives["Service"]
  readonly #observe: Observer | undefined
  /** Small parts of one write are joined here, to fill a record. Made when first needed, and overwritten after use. */
  #staging: Uint8Array | undefined
  #limit = maxPlaintext
  #multiple = 1
  /**
   * RFC 8446 section 5.1 (RFC 5246 appendix E.1): the records of a first ClientHello have version 3.1, for servers that know no later
   * one. It is the first thing that a client says.
   */
  #isGreeting: boolean

  constructor(primitives: Primitives["Service"], observe: Observer | undefined, isClient = false) {
    this.#primitives = primitives
    this.#observe = observe
    this.#isGreeting = isClient
  }

  /** RFC 8449: the most content that the peer takes in one record. */
  limitContent(limit: number): void {
    this.#limit = Math.min(limit, maxPlaintext)
    this.#staging = undefined
  }

  /** RFC 8446 section 5.4: pads what is sealed from now on, type included, to a multiple of that many bytes. */
  padTo(multiple: number): void {
    this.#multiple = multiple
  }

  /** How many records a write of `length` bytes takes. */
  recordsFor(length: number): number {
    return Math.ceil(length / this.#limit)
  }

  /** Whether the key may still protect `records` more and an alert after them. */
  hasRoomFor(records: number): boolean {
    return this.state.sequence + records < this.state.current.protection.recordLimit
  }

  /** One content, in as many records as it needs; empty content gives no record. */
  seal(type: number, content: Uint8Array): Uint8Array {
    return this.sealAll(type, [content], content.length)
  }

  /** Parts of one content (`length` bytes together), joined where they are smaller than a record. */
  sealAll(type: number, parts: ReadonlyArray<Uint8Array>, length: number): Uint8Array {
    const { compression, protection } = this.state.current
    const records = this.recordsFor(length)
    // RFC 5246 section 6.2.2: compression may not grow a fragment by more than 1024 bytes.
    const slack = (compression === nullCompression ? 0 : 1024) + (protection.hidesType ? this.#multiple - 1 : 0)
    const out = this.#primitives.allocate(length + records * (headerLength + protection.overhead + slack))
    let at = 0
    let staged = 0
    for (const part of parts) {
      let from = 0
      while (from < part.length) {
        const left = part.length - from
        if (staged === 0 && (left >= this.#limit || parts.length === 1)) {
          const size = Math.min(left, this.#limit)
          at = this.#record(type, size === part.length ? part : part.subarray(from, from + size), out, at)
          from += size
          continue
        }
        this.#staging ??= this.#primitives.allocate(this.#limit)
        const size = Math.min(left, this.#limit - staged)
        this.#staging.set(part.subarray(from, from + size), staged)
        staged += size
        from += size
        if (staged === this.#limit) {
          at = this.#record(type, this.#staging, out, at)
          staged = 0
        }
      }
    }
    if (this.#staging !== undefined && staged > 0) {
      at = this.#record(type, this.#staging.subarray(0, staged), out, at)
    }
    this.#staging?.fill(0)
    this.#isGreeting = false
    return at === out.length ? out : out.subarray(0, at)
  }

  /** RFC 5246 section 7.1: the message itself goes out under the old state. */
  changeCipherSpec(): Uint8Array {
    const record = this.seal(ContentType.change_cipher_spec, Uint8Array.of(1))
    if (!this.state.changeCipherSpec()) throw new Error("change_cipher_spec was sent without a pending state")
    return record
  }

  forget(): void {
    this.state.forget()
    this.#staging?.fill(0)
    this.#staging = undefined
  }

  /** Zeros behind content and type, as far as the record has room for them. */
  #padding(length: number): number {
    return Math.min(Math.ceil(length / this.#multiple) * this.#multiple, this.#limit + 1) - length
  }

  #record(type: number, content: Uint8Array, out: Uint8Array, at: number): number {
    const { compression, protection } = this.state.current
    const fragment = compression.compress(content)
    const padding = protection.hidesType ? this.#padding(fragment.length + 1) : 0
    const length = fragment.length + padding + protection.overhead
    out[at] = protection.hidesType ? ContentType.application_data : type
    out[at + 1] = 3
    out[at + 2] = this.#isGreeting && type === ContentType.handshake ? 1 : 3
    out[at + 3] = length >>> 8
    out[at + 4] = length
    protection.seal(type, fragment, this.state.sequence, out, at + headerLength, padding)
    this.#observe?.({
      _tag: "Record",
      direction: "sent",
      contentType: type,
      length: headerLength + length,
      contentLength: content.length,
      isProtected: protection.isProtected,
      sequence: this.state.sequence
    })
    this.state.advance()
    return at + headerLength + length
  }
}
