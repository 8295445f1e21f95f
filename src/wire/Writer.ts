/**
 * Writing the presentation language of RFC 5246 section 4.
 *
 * @since 0.1.0
 */
import { empty } from "./Bytes.ts"

// Most messages are short, and written one after the other: each begins where the one before it ended. Memory of its own costs a short one more
// than all that is written into it.
const sharedLength = 4096
let shared: Uint8Array = empty
let sharedFrom = 0
/** With less room than that, what is written would mostly move to a buffer of its own. */
const leastRoom = 512

/**
 * A growing buffer. A vector is written by a function between its length and its end: the length is filled in afterwards.
 *
 * @category models
 * @since 0.1.0
 */
export class Writer {
  #buffer: Uint8Array
  #from: number
  #end: number

  constructor() {
    const hasRoom = shared.length - sharedFrom >= leastRoom
    this.#buffer = hasRoom ? shared : new Uint8Array(sharedLength)
    this.#from = this.#end = hasRoom ? sharedFrom : 0
    // One writer at a time: another one that begins before the end of this one has a buffer of its own.
    shared = empty
  }

  #reserve(length: number): number {
    if (this.#end + length > this.#buffer.length) {
      const written = this.#buffer.subarray(this.#from, this.#end)
      const grown = new Uint8Array(Math.max(this.#buffer.length * 2, written.length + length))
      grown.set(written)
      written.fill(0)
      this.#buffer = grown
      this.#from = 0
      this.#end = written.length
    }
    const at = this.#end
    this.#end = at + length
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
    // From the beginning of what is written, which moves when the buffer grows.
    const before = this.#reserve(size) - this.#from
    body(this)
    const at = this.#from + before
    const length = this.#end - at - size
    // Only our own values are written, and each has its limit checked where it enters: this is a defect, not an input.
    if (length >>> (8 * size) > 0) throw new RangeError(`${length} bytes do not fit a vector of ${size} length bytes`)
    for (let i = 0; i < size; i++) this.#buffer[at + i] = length >>> (8 * (size - 1 - i))
    return this
  }

  /** What was written, which nobody else changes; its `buffer` has other messages as well. The writer begins again after it. */
  finish(): Uint8Array {
    const [buffer, from, end] = [this.#buffer, this.#from, this.#end]
    this.#buffer = empty
    this.#from = this.#end = 0
    // What has grown has room that would be kept with it.
    if (buffer.length !== sharedLength) return buffer.slice(from, end)
    shared = buffer
    sharedFrom = end
    return buffer.subarray(from, end)
  }
}
