/**
 * The distinguished encoding rules of X.690, read strictly: definite lengths in their shortest form, low tag numbers, and
 * nothing left over. What does not fit throws `Malformed` (`wire/Reader.ts`); the parsers of this folder catch it at their edge.
 *
 * @since 0.1.0
 */
import { Malformed } from "../wire/Reader.ts"

/**
 * Identifier octets (X.690 section 8.1.2): class, form and number together, so that a wrong form is a wrong tag.
 *
 * @category constants
 * @since 0.1.0
 */
export const Tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  numericString: 0x12,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  visibleString: 0x1a,
  universalString: 0x1c,
  bmpString: 0x1e
} as const

/**
 * `[number]` around a primitive, as `IMPLICIT` makes it.
 *
 * @category constants
 * @since 0.1.0
 */
export const implicit = (number: number): number => 0x80 | number

/**
 * `[number]` around something constructed: `EXPLICIT`, or `IMPLICIT` of a sequence.
 *
 * @category constants
 * @since 0.1.0
 */
export const constructed = (number: number): number => 0xa0 | number

/**
 * One element. Both are views of what was read.
 *
 * @category models
 * @since 0.1.0
 */
export interface Element {
  readonly tag: number
  readonly content: Uint8Array
  /** With its identifier and length octets. */
  readonly whole: Uint8Array
}

// More than any certificate, list or response has.
const maxLengthOctets = 4

/**
 * A cursor over the elements of one encoding, or of the content of a constructed one. Every read names its field, so that a
 * failure says which one was wrong.
 *
 * @category models
 * @since 0.1.0
 */
export class Der {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get isEmpty(): boolean {
    return this.#at === this.#bytes.length
  }

  /** The tag of the next element; -1 at the end. */
  get tag(): number {
    return this.#bytes[this.#at] ?? -1
  }

  /** The next element, of whatever tag. */
  any(field: string): Element {
    const start = this.#at
    const bytes = this.#bytes
    const tag = bytes[start]
    const first = bytes[start + 1]
    if (tag === undefined || first === undefined) throw new Malformed(field, "is missing")
    if ((tag & 0x1f) === 0x1f) throw new Malformed(field, "has a tag number above 30")
    let length = first
    let at = start + 2
    if (first >= 0x80) {
      const octets = first & 0x7f
      if (octets === 0 || octets > maxLengthOctets) {
        throw new Malformed(field, octets === 0 ? "has no definite length" : "is too long")
      }
      length = 0
      for (let i = 0; i < octets; i++) length = length * 256 + (bytes[at + i] ?? 0)
      if (length < 0x80 || length < 256 ** (octets - 1)) throw new Malformed(field, "has a length in a longer form")
      at += octets
    }
    if (length > bytes.length - at) {
      throw new Malformed(field, `needs ${length} bytes where ${Math.max(0, bytes.length - at)} are left`)
    }
    this.#at = at + length
    return { tag, content: bytes.subarray(at, at + length), whole: bytes.subarray(start, at + length) }
  }

  /** The next element, which must have that tag. */
  element(tag: number, field: string): Element {
    if (this.tag !== tag) {
      throw new Malformed(field, this.isEmpty ? "is missing" : `has the tag 0x${this.tag.toString(16)}`)
    }
    return this.any(field)
  }

  /** The content of the next element, which must have that tag. */
  content(tag: number, field: string): Uint8Array {
    return this.element(tag, field).content
  }

  /** The content of the next element if it has that tag; else nothing is read. */
  optional(tag: number, field: string): Uint8Array | undefined {
    return this.tag === tag ? this.any(field).content : undefined
  }

  /** A constructed element, to be read in turn; the caller ends it. */
  inside(tag: number, field: string): Der {
    return new Der(this.content(tag, field))
  }

  sequence(field: string): Der {
    return this.inside(Tag.sequence, field)
  }

  /** What `read` makes of a constructed element, from its first to its last byte. */
  within<A>(tag: number, field: string, read: (content: Der) => A): A {
    return whole(this.content(tag, field), field, read)
  }

  /** `SEQUENCE OF` or `SET OF` at least `floor`, under a tag of its own. */
  list<A>(tag: number, field: string, floor: number, read: (content: Der) => A): ReadonlyArray<A> {
    return listOf(this.content(tag, field), field, floor, read)
  }

  /** X.690 section 11.1: TRUE is 0xff. */
  boolean(field: string): boolean {
    const content = this.content(Tag.boolean, field)
    if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) throw new Malformed(field, "is no boolean")
    return content[0] === 0xff
  }

  /** The two's complement of an INTEGER, big-endian, in its shortest form (X.690 section 8.3.2). */
  integer(field: string): Uint8Array {
    return checkedInteger(this.content(Tag.integer, field), field)
  }

  /** An INTEGER from 0 to 2^31 - 1. */
  smallInteger(field: string): number {
    return smallIntegerOf(this.content(Tag.integer, field), field)
  }

  oid(field: string): string {
    return oidOf(this.content(Tag.oid, field), field)
  }

  /** A BIT STRING that is a whole number of bytes. */
  bitString(field: string): Uint8Array {
    const content = this.content(Tag.bitString, field)
    if (content[0] !== 0) throw new Malformed(field, "is not a whole number of bytes")
    return content.subarray(1)
  }

  /** Ends the reading: whatever is left over is an error. */
  end(field: string): void {
    if (!this.isEmpty) throw new Malformed(field, `is followed by ${this.#bytes.length - this.#at} bytes too many`)
  }
}

/**
 * Reads `bytes` from the first to the last. Throws `Malformed` where something is left over.
 *
 * @category decoding
 * @since 0.1.0
 */
export const whole = <A>(bytes: Uint8Array, field: string, read: (der: Der) => A): A => {
  const der = new Der(bytes)
  const value = read(der)
  der.end(field)
  return value
}

/**
 * Elements of one kind to the end of `content`, at least `floor` of them.
 *
 * @category decoding
 * @since 0.1.0
 */
export const listOf = <A>(
  content: Uint8Array,
  field: string,
  floor: number,
  read: (content: Der) => A
): ReadonlyArray<A> => {
  const der = new Der(content)
  const items: Array<A> = []
  while (!der.isEmpty) items.push(read(der))
  if (items.length < floor) throw new Malformed(field, "is empty")
  return items
}

/**
 * The content of an INTEGER, once it is known to be in its shortest form.
 *
 * @category decoding
 * @since 0.1.0
 */
export const checkedInteger = (content: Uint8Array, field: string): Uint8Array => {
  const [first, second = 0] = content
  if (first === undefined) throw new Malformed(field, "is an empty integer")
  if (content.length > 1 && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80))) {
    throw new Malformed(field, "is an integer in a longer form")
  }
  return content
}

/**
 * The content of an INTEGER from 0 to 2^31 - 1.
 *
 * @category decoding
 * @since 0.1.0
 */
export const smallIntegerOf = (content: Uint8Array, field: string): number => {
  const bytes = checkedInteger(content, field)
  if (bytes.length > 4 || (bytes[0] ?? 0) >= 0x80) throw new Malformed(field, "is out of range")
  return bytes.reduce((value, byte) => value * 256 + byte, 0)
}

/**
 * The flags of a named bit list (X.690 section 11.2): bit 0 of the list is bit 0 of the number. Bits above 31 are not looked at.
 *
 * @category decoding
 * @since 0.1.0
 */
export const namedBits = (content: Uint8Array, field: string): number => {
  const [unused] = content
  const last = content[content.length - 1] ?? 0
  if (
    unused === undefined || unused > 7 || (content.length === 1 && unused > 0) || (last & ((1 << unused) - 1)) !== 0
  ) {
    throw new Malformed(field, "is no bit string")
  }
  // Trailing zero bits should not be there, but are in certificates that are in use.
  let flags = 0
  for (let bit = 0; bit < Math.min(31, (content.length - 1) * 8); bit++) {
    if (((content[1 + (bit >> 3)] ?? 0) & (0x80 >> (bit & 7))) !== 0) flags |= 1 << bit
  }
  return flags
}

// Nobody has an object identifier this long; big integers cost time that grows with the square.
const maxOidLength = 64

/** Base 128, most significant first: 49 bits fit a number. */
const arcOf = (bytes: Uint8Array): number | bigint =>
  bytes.length <= 7
    ? bytes.reduce((arc, byte) => arc * 128 + (byte & 0x7f), 0)
    : bytes.reduce((arc, byte) => arc * 128n + BigInt(byte & 0x7f), 0n)

/**
 * The dotted form of an OBJECT IDENTIFIER's content (X.690 section 8.19).
 *
 * @category decoding
 * @since 0.1.0
 */
export const oidOf = (content: Uint8Array, field: string): string => {
  const last = content[content.length - 1]
  if (last === undefined || content.length > maxOidLength) throw new Malformed(field, "is no object identifier")
  if (last >= 0x80) throw new Malformed(field, "is half an object identifier")
  let text = ""
  let start = 0
  for (let at = 0; at < content.length; at++) {
    if (content[start] === 0x80) throw new Malformed(field, "is an object identifier in a longer form")
    if ((content[at] ?? 0) >= 0x80) continue
    const arc = arcOf(content.subarray(start, at + 1))
    // The first two arcs share a number: 0.x, 1.x, or 2.x with any x.
    text += start > 0
      ? `.${arc}`
      : arc < 40
      ? `0.${arc}`
      : arc < 80
      ? `1.${Number(arc) - 40}`
      : `2.${BigInt(arc) - 80n}`
    start = at + 1
  }
  return text
}
