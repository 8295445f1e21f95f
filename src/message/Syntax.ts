/**
 * What the codecs of messages and extensions share.
 *
 * @since 0.1.0
 */
import { Malformed, Reader } from "../wire/Reader.ts"
import type { Writer } from "../wire/Writer.ts"

/**
 * Thrown inside a codec when bytes fit their definition and the value does not: the counterpart of `Malformed`, and turned
 * into a `Result` at the same edge.
 *
 * @category errors
 * @since 0.1.0
 */
export class Illegal {
  readonly field: string
  readonly why: string
  constructor(field: string, why: string) {
    this.field = field
    this.why = why
  }
}

/**
 * One handshake message on the wire, without its header. `decode` may leave bytes over, which is an error at the edge; it
 * throws `Malformed` and `Illegal`.
 *
 * @category models
 * @since 0.1.0
 */
export interface MessageCodec<Message> {
  readonly type: number
  readonly decode: (body: Reader) => Message
  readonly encode: (body: Writer, message: Message) => void
}

/**
 * The items of a vector, RFC 5246 section 4.3: they fill it exactly.
 *
 * @category decoding
 * @since 0.1.0
 */
export const listOf = <A>(vector: Uint8Array, item: (list: Reader) => A): ReadonlyArray<A> => {
  const list = new Reader(vector)
  const items: Array<A> = []
  while (list.remaining > 0) items.push(item(list))
  return items
}

/**
 * A vector of one-byte values with a one-byte length, such as `CompressionMethod compression_methods<1..2^8-1>`.
 *
 * @category decoding
 * @since 0.1.0
 */
export const readUint8s = (reader: Reader, field: string): ReadonlyArray<number> => {
  const values: Array<number> = []
  for (const value of reader.vector8(field, 1)) values.push(value)
  return values
}

/**
 * @category encoding
 * @since 0.1.0
 */
export const writeUint8s = (writer: Writer, values: ReadonlyArray<number>): Writer =>
  writer.vector8((writer) => {
    for (const value of values) writer.uint8(value)
  })

/**
 * A vector of two-byte values with a two-byte length, such as `CipherSuite cipher_suites<2..2^16-2>`.
 *
 * @category decoding
 * @since 0.1.0
 */
export const readUint16s = (reader: Reader, field: string): ReadonlyArray<number> =>
  reader.uint16s(field, reader.vector16(field, 2))

/**
 * @category encoding
 * @since 0.1.0
 */
export const writeUint16s = (writer: Writer, values: ReadonlyArray<number>): Writer =>
  writer.vector16((writer) => {
    for (const value of values) writer.uint16(value)
  })

const longestSessionId = 32

/**
 * `opaque SessionID<0..32>`, in both hellos: RFC 5246 section 7.4.1.2.
 *
 * @category decoding
 * @since 0.1.0
 */
export const readSessionId = (body: Reader): Uint8Array => {
  const id = body.vector8("session_id")
  if (id.length > longestSessionId) {
    throw new Malformed("session_id", `has ${id.length} bytes, at most ${longestSessionId} are allowed`)
  }
  return id
}
