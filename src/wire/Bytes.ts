/**
 * Byte strings: joining, comparing, and overwriting.
 *
 * @since 0.1.0
 */

/**
 * @category combinators
 * @since 0.1.0
 */
export const concat = (
  parts: ReadonlyArray<Uint8Array>,
  allocate: (length: number) => Uint8Array = (length) => new Uint8Array(length)
): Uint8Array => {
  let length = 0
  for (const part of parts) length += part.length
  const out = allocate(length)
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/**
 * Writes as much of `bytes` into `out` at `at` as there is room for. Short arrays live in the heap of V8 until something asks for a part
 * of one: a `subarray` would cost them memory of their own, and two thirds of a microsecond.
 *
 * @category combinators
 * @since 0.1.0
 */
export const copyPart = (bytes: Uint8Array, out: Uint8Array, at: number): void => {
  const length = Math.min(bytes.length, out.length - at)
  for (let i = 0; i < length; i++) out[at + i] = bytes[i] ?? 0
}

/**
 * A part of `bytes`, to be read: a view, or a copy where that is cheaper, which is where they are short.
 *
 * @category combinators
 * @since 0.1.0
 */
export const partOf = (bytes: Uint8Array, from: number, to: number = bytes.length): Uint8Array =>
  bytes.length > mostInHeap ? bytes.subarray(from, to) : bytes.slice(from, to)

// Longer ones have memory of their own from the start.
const mostInHeap = 64

/**
 * Whether two public byte strings are equal. For secrets use `Primitives.equal`, which takes the same time wherever they
 * differ.
 *
 * @category predicates
 * @since 0.1.0
 */
export const samePublic = (a: Uint8Array, b: Uint8Array): boolean => {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/**
 * @category constants
 * @since 0.1.0
 */
export const empty = new Uint8Array(0)

const utf8Encoder = new TextEncoder()
const utf8Decoder = new TextDecoder("utf-8", { fatal: true })

/**
 * @category encoding
 * @since 0.1.0
 */
export const fromText = (text: string): Uint8Array => {
  // Most of it is short and ASCII: labels and names. To call the encoder costs more than they do.
  if (text.length > 64) return utf8Encoder.encode(text)
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 0x7f) return utf8Encoder.encode(text)
    bytes[i] = code
  }
  return bytes
}

/**
 * Text of bytes that must be UTF-8; `undefined` where they are not.
 *
 * @category decoding
 * @since 0.1.0
 */
export const toText = (bytes: Uint8Array): string | undefined => {
  try {
    return utf8Decoder.decode(bytes)
  } catch {
    return undefined
  }
}

/**
 * One character (U+0000 to U+00FF) a byte: loses nothing, fails on nothing. For names that a peer may have filled with
 * anything.
 *
 * @category decoding
 * @since 0.1.0
 */
export const toLatin1 = (bytes: Uint8Array): string => {
  // Not TextDecoder("latin1"): that is windows-1252, which gives the bytes 0x80 to 0x9f other characters.
  let text = ""
  for (const byte of bytes) text += String.fromCharCode(byte)
  return text
}

/**
 * The bytes of a text of characters up to U+00FF. Any other character is a defect of the caller: throws a `RangeError`.
 *
 * @category encoding
 * @since 0.1.0
 */
export const fromLatin1 = (text: string): Uint8Array => {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 0xff) throw new RangeError(`U+${code.toString(16).padStart(4, "0")} is no byte`)
    bytes[i] = code
  }
  return bytes
}

/**
 * Bytes of a literal of ours: two hexadecimal digits each.
 *
 * @category decoding
 * @since 0.1.0
 */
export const fromHex = (digits: string): Uint8Array =>
  Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))

/**
 * @category encoding
 * @since 0.1.0
 */
export const toHex = (bytes: Uint8Array): string => {
  // In one piece, not added up: that would leave a chain of pieces in memory, for as long as the result.
  const codes = new Uint8Array(2 * bytes.length)
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0
    codes[2 * i] = digitOf(byte >>> 4)
    codes[2 * i + 1] = digitOf(byte & 15)
  }
  // Spread over a call they would be listed one by one first, at four times the cost.
  return codes.length <= mostArguments
    ? Reflect.apply(String.fromCharCode, undefined, codes)
    : Array.from(codes, (c) => String.fromCharCode(c)).join("")
}

const mostArguments = 1024
const digitOf = (value: number): number => value + (value < 10 ? 48 : 87)
