/**
 * The Finished message, RFC 5246 section 7.4.9.
 *
 * @since 0.1.0
 */
import { HandshakeType } from "../wire/CodePoints.ts"
import { Malformed } from "../wire/Reader.ts"
import type { MessageCodec } from "./Syntax.ts"

/**
 * RFC 5246 section 7.4.9.
 *
 * @category models
 * @since 0.1.0
 */
export interface Finished {
  readonly _tag: "Finished"
  /** 12 bytes. */
  readonly verifyData: Uint8Array
}

/** What every cipher suite has that does not say otherwise, and none here does. */
const verifyDataLength = 12

/**
 * @category codecs
 * @since 0.1.0
 */
export const finished: MessageCodec<Finished> = {
  type: HandshakeType.finished,
  decode: (body) => {
    const verifyData = body.rest()
    if (verifyData.length !== verifyDataLength) {
      throw new Malformed("verify_data", `has ${verifyData.length} bytes where ${verifyDataLength} are required`)
    }
    return { _tag: "Finished", verifyData }
  },
  encode: (body, { verifyData }) => {
    body.bytes(verifyData)
  }
}
