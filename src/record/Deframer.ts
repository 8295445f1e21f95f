/**
 * Records out of a byte stream, RFC 5246 section 6.2: five bytes of header, then the fragment.
 *
 * @since 0.1.0
 */
import type { Fault } from "../alert/Fault.ts"
import { empty, partOf } from "../wire/Bytes.ts"

/**
 * @category constants
 * @since 0.1.0
 */
export const headerLength = 5

/**
 * RFC 5246 section 6.2.1: the most that a fragment may hold.
 *
 * @category constants
 * @since 0.1.0
 */
export const maxPlaintext = 2 ** 14

/**
 * RFC 5246 section 6.2.2: the most that a compressed fragment may hold.
 *
 * @category constants
 * @since 0.1.0
 */
export const maxCompressed = 2 ** 14 + 1024

/**
 * RFC 5246 section 6.2.3: the most that a protected fragment may hold.
 *
 * @category constants
 * @since 0.1.0
 */
export const maxCiphertext = 2 ** 14 + 2048

/**
 * RFC 8446 section 5.2: the most that a protected fragment of TLS 1.3 may hold.
 *
 * @category constants
 * @since 0.1.0
 */
export const maxCiphertext13 = 2 ** 14 + 256

/**
 * One record. The fragment is a view, good until the next call.
 *
 * @category models
 * @since 0.1.0
 */
export interface RawRecord {
  readonly _tag: "Record"
  readonly type: number
  readonly version: number
  readonly fragment: Uint8Array
}

/**
 * What a header must look like at this point of the connection.
 *
 * @category models
 * @since 0.1.0
 */
export interface HeaderRules {
  /** The longest fragment that is acceptable. */
  readonly limit: number
  /** The version of every record once TLS 1.2 is settled; `undefined` before, which takes any `3.x`. TLS 1.3 ignores it. */
  readonly version: number | "ignored" | undefined
}

const isVersion = (version: number, rule: HeaderRules["version"]): boolean => {
  if (rule === "ignored") return true
  return rule === undefined ? version >>> 8 === 3 : version === rule
}

const checkHeader = (type: number, version: number, length: number, rules: HeaderRules): Fault | undefined => {
  if (type < 20 || type > 23) return { _tag: "RecordTypeUnknown", contentType: type }
  if (!isVersion(version, rules.version)) return { _tag: "RecordVersionWrong", version }
  if (length > rules.limit) return { _tag: "RecordTooLong", length, limit: rules.limit }
  return undefined
}

/**
 * An incremental parser. A header is judged as soon as its five bytes are here, so nothing is buffered for a record that
 * is too long. Only a record that is split over chunks is copied.
 *
 * @category models
 * @since 0.1.0
 */
export class Deframer {
  #chunk: Uint8Array = empty
  #at = 0
  #waiting: Array<Uint8Array> = []
  /** A record begun in an earlier chunk, in a buffer of its own. */
  #partial: Uint8Array = empty
  #partialLength = 0
  /** Is given every chunk that all was taken of: the deframer refers to it no more. */
  onSpent: ((chunk: Uint8Array) => void) | undefined

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    if (this.#at === this.#chunk.length && this.#waiting.length === 0) {
      this.#chunk = chunk
      this.#at = 0
    } else this.#waiting.push(chunk)
  }

  /** Whether bytes are held that were not taken as a record yet. */
  get isMidRecord(): boolean {
    return this.#partialLength > 0 || this.#at < this.#chunk.length || this.#waiting.length > 0
  }

  /** Everything that was pushed and not yet taken as a record; taken now. */
  takeRest(): Uint8Array {
    const parts = [this.#partial.subarray(0, this.#partialLength), this.#chunk.subarray(this.#at), ...this.#waiting]
    const length = parts.reduce((sum, part) => sum + part.length, 0)
    const rest = new Uint8Array(length)
    let at = 0
    for (const part of parts) {
      rest.set(part, at)
      at += part.length
    }
    this.clear()
    return rest
  }

  clear(): void {
    this.#chunk = empty
    this.#at = 0
    this.#waiting = []
    this.#partial = empty
    this.#partialLength = 0
  }

  next(rules: HeaderRules): RawRecord | Fault | undefined {
    for (;;) {
      const record = this.#partialLength > 0 ? this.#complete(rules) : this.#whole(rules)
      if (record !== undefined) return record
      if (this.#chunk.length > 0) this.onSpent?.(this.#chunk)
      this.#chunk = this.#waiting.shift() ?? empty
      this.#at = 0
      if (this.#chunk.length === 0) return undefined
    }
  }

  /** A record that lies whole in the chunk, or the begin of one kept for later. */
  #whole(rules: HeaderRules): RawRecord | Fault | undefined {
    const { length } = this.#chunk
    const at = this.#at
    const left = length - at
    if (left === 0) return undefined
    if (left >= headerLength) {
      const record = this.#header(this.#chunk, at, rules)
      if (record._tag !== "Record") return record
      const end = at + headerLength + record.length
      if (end <= length) {
        this.#at = end
        return {
          _tag: "Record",
          type: record.type,
          version: record.version,
          fragment: partOf(this.#chunk, at + headerLength, end)
        }
      }
      this.#partial = new Uint8Array(headerLength + record.length)
    } else this.#partial = new Uint8Array(headerLength)
    this.#partial.set(this.#chunk.subarray(at))
    this.#partialLength = left
    this.#at = length
    return undefined
  }

  /** Goes on with a record that an earlier chunk began. */
  #complete(rules: HeaderRules): RawRecord | Fault | undefined {
    if (this.#partialLength < headerLength) {
      this.#fill(headerLength)
      if (this.#partialLength < headerLength) return undefined
    }
    const record = this.#header(this.#partial, 0, rules)
    if (record._tag !== "Record") return record
    const whole = headerLength + record.length
    if (this.#partial.length < whole) {
      const partial = new Uint8Array(whole)
      partial.set(this.#partial.subarray(0, headerLength))
      this.#partial = partial
    }
    this.#fill(whole)
    if (this.#partialLength < whole) return undefined
    const fragment = this.#partial.subarray(headerLength, whole)
    this.#partial = empty
    this.#partialLength = 0
    return { _tag: "Record", type: record.type, version: record.version, fragment }
  }

  #fill(until: number): void {
    const part = this.#chunk.subarray(this.#at, this.#at + until - this.#partialLength)
    this.#partial.set(part, this.#partialLength)
    this.#partialLength += part.length
    this.#at += part.length
  }

  #header(
    bytes: Uint8Array,
    at: number,
    rules: HeaderRules
  ): { readonly _tag: "Record"; readonly type: number; readonly version: number; readonly length: number } | Fault {
    const type = bytes[at] ?? 0
    const version = ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0)
    const length = ((bytes[at + 3] ?? 0) << 8) | (bytes[at + 4] ?? 0)
    return checkHeader(type, version, length, rules) ?? { _tag: "Record", type, version, length }
  }
}
