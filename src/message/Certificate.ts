/**
 * The Certificate message, RFC 5246 sections 7.4.2 and 7.4.6.
 *
 * @since 0.1.0
 */
import { HandshakeType } from "../wire/CodePoints.ts"
import { listOf, type MessageCodec } from "./Syntax.ts"

/**
 * RFC 5246 section 7.4.2. Only a client may send an empty chain (section 7.4.6), so who sent it decides whether that is a fault.
 *
 * @category models
 * @since 0.1.0
 */
export interface Certificate {
  readonly _tag: "Certificate"
  /** DER, the sender's own first. */
  readonly chain: ReadonlyArray<Uint8Array>
}

/**
 * @category codecs
 * @since 0.1.0
 */
export const certificate: MessageCodec<Certificate> = {
  type: HandshakeType.certificate,
  decode: (body) => ({
    _tag: "Certificate",
    chain: listOf(body.vector24("certificate_list"), (list) => list.vector24("certificate", 1))
  }),
  encode: (body, { chain }) => {
    body.vector24((list) => {
      for (const der of chain) list.vector24((item) => item.bytes(der))
    })
  }
}
