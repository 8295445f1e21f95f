/**
 * The Finished message, RFC 5246 section 7.4.9 and RFC 8446 section 4.4.4.
 *
 * @since 0.1.0
 */
import { HandshakeType } from "../wire/CodePoints.ts"
import type { MessageCodec } from "./Syntax.ts"

/**
 * RFC 5246 section 7.4.9, RFC 8446 section 4.4.4. How long it must be depends on the suite, which is a matter of the handshake.
 *
 * @category models
 * @since 0.1.0
 */
export interface Finished {
  readonly _tag: "Finished"
  /** 12 bytes in TLS 1.2, the length of the hash in TLS 1.3. */
  readonly verifyData: Uint8Array
}

/**
 * @category codecs
 * @since 0.1.0
 */
export const finished: MessageCodec<Finished> = {
  type: HandshakeType.finished,
  decode: (body) => ({ _tag: "Finished", verifyData: body.rest() }),
  encode: (body, { verifyData }) => {
    body.bytes(verifyData)
  }
}
