/**
 * The ServerKeyExchange message of ECDHE, RFC 8422 section 5.4.
 *
 * @since 0.1.0
 */
import { HandshakeType } from "../wire/CodePoints.ts"
import { Reader } from "../wire/Reader.ts"
import { Writer } from "../wire/Writer.ts"
import { Illegal, type MessageCodec } from "./Syntax.ts"

/**
 * RFC 8422 section 5.4. `params` holds the `ServerECDHParams` as they are on the wire, which is what the signature covers and
 * what is sent; `group` and `publicKey` are what they say.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServerKeyExchange {
  readonly _tag: "ServerKeyExchange"
  readonly group: number
  readonly publicKey: Uint8Array
  readonly params: Uint8Array
  readonly signatureScheme: number
  readonly signature: Uint8Array
}

const namedCurve = 3

/**
 * `ServerECDHParams` with a named curve.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encodeServerEcdhParams = (group: number, publicKey: Uint8Array): Uint8Array =>
  new Writer().uint8(namedCurve).uint16(group).vector8((point) => point.bytes(publicKey)).finish()

/**
 * @category codecs
 * @since 0.1.0
 */
export const serverKeyExchange: MessageCodec<ServerKeyExchange> = {
  type: HandshakeType.server_key_exchange,
  decode: (body) => {
    const bytes = body.rest()
    const reader = new Reader(bytes)
    const curveType = reader.uint8("curve_type")
    if (curveType !== namedCurve) throw new Illegal("curve_type", `is ${curveType}, which is not named_curve`)
    const group = reader.uint16("named_curve")
    const publicKey = reader.vector8("public", 1)
    const params = bytes.subarray(0, bytes.length - reader.remaining)
    const signatureScheme = reader.uint16("algorithm")
    const signature = reader.vector16("signature")
    reader.end("signature")
    return { _tag: "ServerKeyExchange", group, publicKey, params, signatureScheme, signature }
  },
  encode: (body, { params, signature, signatureScheme }) => {
    body.bytes(params).uint16(signatureScheme).vector16((value) => value.bytes(signature))
  }
}
