/**
 * The ClientKeyExchange message of ECDHE, RFC 8422 section 5.7.
 *
 * @since 0.1.0
 */
import { HandshakeType } from "../wire/CodePoints.ts"
import type { MessageCodec } from "./Syntax.ts"

/**
 * RFC 8422 section 5.7, with an explicit public key: the implicit form needs a certificate with a static key, which is refused.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClientKeyExchange {
  readonly _tag: "ClientKeyExchange"
  readonly publicKey: Uint8Array
}

/**
 * @category codecs
 * @since 0.1.0
 */
export const clientKeyExchange: MessageCodec<ClientKeyExchange> = {
  type: HandshakeType.client_key_exchange,
  decode: (body) => ({ _tag: "ClientKeyExchange", publicKey: body.vector8("ecdh_Yc", 1) }),
  encode: (body, { publicKey }) => {
    body.vector8((point) => point.bytes(publicKey))
  }
}
