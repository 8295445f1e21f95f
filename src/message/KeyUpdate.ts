/**
 * The KeyUpdate message of TLS 1.3, RFC 8446 section 4.6.3.
 *
 * @since 0.1.0
 */
import { HandshakeType } from "../wire/CodePoints.ts"
import { Illegal, type MessageCodec } from "./Syntax.ts"

/**
 * RFC 8446 section 4.6.3.
 *
 * @category models
 * @since 0.1.0
 */
export interface KeyUpdate {
  readonly _tag: "KeyUpdate"
  /** The receiver is to update its own keys as well, and to say so. */
  readonly isRequested: boolean
}

/**
 * @category codecs
 * @since 0.1.0
 */
export const keyUpdate: MessageCodec<KeyUpdate> = {
  type: HandshakeType.key_update,
  decode: (body) => {
    const request = body.uint8("request_update")
    if (request > 1) throw new Illegal("request_update", `is ${request}, which is neither 0 nor 1`)
    return { _tag: "KeyUpdate", isRequested: request === 1 }
  },
  encode: (body, { isRequested }) => {
    body.uint8(isRequested ? 1 : 0)
  }
}
