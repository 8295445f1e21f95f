/**
 * Writing the presentation language of RFC 5246 section 4.
 *
 * @since 0.1.0
 */
import { empty } from "./Bytes.ts"

// Most messages are short, and written one after the other: they share a buffer, which is clear whenever nobody holds it.
let spare: Uint8Array | undefined
const spareLength = 4096

/**
 * A growing buffer. A vector is written by a function between its length and its end: the length is filled in afterwards.
 *
 * @category models
 * @since 0.1.0
 */
export class Writer {
  #buffer: Uint8Array
  #length = 0

  constructor() {
    this.#buffer = spare ?? new Uint8Array(spareLength)
    spare = undefined
  }

  #reserve(length: number): number {
    const at = this.#length
    if (at + length > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(this.#buffer.length * 2, at + length))
      grown.set(this.#buffer.subarray(0, at))
      this.#buffer = grown
    }
    this.#length = at + length
    return at
  }

  uint8(value: number): this {
    const at = this.#reserve(1)
    this.#buffer[at] = value
    return this
  }

  uint16(value: number): this {
    const at = this.#reserve(2)
    this.#buffer[at] = value >>> 8
    this.#buffer[at + 1] = value
    return this
  }

  uint24(value: number): this {
    const at = this.#reserve(3)
    this.#buffer[at] = value >>> 16
    this.#buffer[at + 1] = value >>> 8
    this.#buffer[at + 2] = value
    return this
  }

  uint32(value: number): this {
    return this.uint16(value >>> 16).uint16(value & 0xffff)
  }

  bytes(value: Uint8Array): this {
    const at = this.#reserve(value.length)
    this.#buffer.set(value, at)
    return this
  }

  /** A vector with a one-byte length. */
  vector8(body: (writer: Writer) => void): this {
    return this.#vector(1, body)
  }

  /** A vector with a two-byte length. */
  vector16(body: (writer: Writer) => void): this {
    return this.#vector(2, body)
  }

  /** A vector with a three-byte length. */
  vector24(body: (writer: Writer) => void): this {
    return this.#vector(3, body)
  }

  #vector(size: 1 | 2 | 3, body: (writer: Writer) => void): this {
    const at = this.#reserve(size)
    body(this)
    const length = this.#length - at - size
    // Only our own values are written, and each has its limit checked where it enters: this is a defect, not an input.
    if (length >>> (8 * size) > 0) throw new RangeError(`${length} bytes do not fit a vector of ${size} length bytes`)
    for (let i = 0; i < size; i++) this.#buffer[at + i] = length >>> (8 * (size - 1 - i))
    return this
  }

  /** What was written, as bytes of its own. The writer begins again after it. */
  finish(): Uint8Array {
    const buffer = this.#buffer
    const written = buffer.slice(0, this.#length)
    buffer.fill(0, 0, this.#length)
    if (buffer.length === spareLength) spare = buffer
    this.#buffer = empty
    this.#length = 0
    return written
  }
}
