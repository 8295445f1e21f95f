/**
 * Reading the presentation language of RFC 5246 section 4: big-endian integers and length-prefixed vectors.
 *
 * @since 0.1.0
 */

/**
 * Thrown inside a codec when bytes do not fit their definition, and turned into a `Result` at its edge.
 *
 * @category errors
 * @since 0.1.0
 */
export class Malformed {
  readonly field: string
  readonly why: string
  constructor(field: string, why: string) {
    this.field = field
    this.why = why
  }
}

/**
 * A cursor over bytes. Every read names its field, so that a failure says which one was wrong. Vectors are views: they
 * live as long as the bytes that the reader was made of.
 *
 * @category models
 * @since 0.1.0
 */
export class Reader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get remaining(): number {
    return this.#bytes.length - this.#at
  }

  #advance(field: string, length: number): number {
    const at = this.#at
    if (length > this.#bytes.length - at) {
      throw new Malformed(field, `needs ${length} bytes where ${this.#bytes.length - at} are left`)
    }
    this.#at = at + length
    return at
  }

  // The reads below stand behind the bounds check of #advance, so `?? 0` never supplies a value.
  uint8(field: string): number {
    return this.#bytes[this.#advance(field, 1)] ?? 0
  }

  uint16(field: string): number {
    const at = this.#advance(field, 2)
    return ((this.#bytes[at] ?? 0) << 8) | (this.#bytes[at + 1] ?? 0)
  }

  uint24(field: string): number {
    const at = this.#advance(field, 3)
    return ((this.#bytes[at] ?? 0) << 16) | ((this.#bytes[at + 1] ?? 0) << 8) | (this.#bytes[at + 2] ?? 0)
  }

  uint32(field: string): number {
    return this.uint16(field) * 0x1_0000 + this.uint16(field)
  }

  bytes(field: string, length: number): Uint8Array {
    const at = this.#advance(field, length)
    return length === this.#bytes.length ? this.#bytes : this.#bytes.subarray(at, at + length)
  }

  rest(): Uint8Array {
    return this.bytes("rest", this.remaining)
  }

  /** `opaque field<floor..2^8-1>` */
  vector8(field: string, floor = 0): Uint8Array {
    return this.#vector(field, this.uint8(field), floor)
  }

  /** `opaque field<floor..2^16-1>` */
  vector16(field: string, floor = 0): Uint8Array {
    return this.#vector(field, this.uint16(field), floor)
  }

  /** `opaque field<floor..2^24-1>` */
  vector24(field: string, floor = 0): Uint8Array {
    return this.#vector(field, this.uint24(field), floor)
  }

  /** A vector of two-byte values, such as `CipherSuite cipher_suites<2..2^16-2>`. */
  uint16s(field: string, vector: Uint8Array): ReadonlyArray<number> {
    if (vector.length % 2 !== 0) {
      throw new Malformed(field, `has ${vector.length} bytes, which is not a whole number of values`)
    }
    const values: Array<number> = []
    for (let at = 0; at < vector.length; at += 2) values.push(((vector[at] ?? 0) << 8) | (vector[at + 1] ?? 0))
    return values
  }

  /** Ends the reading: whatever is left over is an error. */
  end(field: string): void {
    if (this.remaining > 0) throw new Malformed(field, `is followed by ${this.remaining} bytes too many`)
  }

  #vector(field: string, length: number, floor: number): Uint8Array {
    if (length < floor) throw new Malformed(field, `has ${length} bytes, at least ${floor} are required`)
    return this.bytes(field, length)
  }
}
