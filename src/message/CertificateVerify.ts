/**
 * The CertificateVerify message, RFC 5246 section 7.4.8.
 *
 * @since 0.1.0
 */
import { HandshakeType } from "../wire/CodePoints.ts"
import type { MessageCodec } from "./Syntax.ts"

/**
 * RFC 5246 section 7.4.8.
 *
 * @category models
 * @since 0.1.0
 */
export interface CertificateVerify {
  readonly _tag: "CertificateVerify"
  readonly signatureScheme: number
  readonly signature: Uint8Array
}

/**
 * @category codecs
 * @since 0.1.0
 */
export const certificateVerify: MessageCodec<CertificateVerify> = {
  type: HandshakeType.certificate_verify,
  decode: (body) => ({
    _tag: "CertificateVerify",
    signatureScheme: body.uint16("algorithm"),
    signature: body.vector16("signature")
  }),
  encode: (body, { signature, signatureScheme }) => {
    body.uint16(signatureScheme).vector16((value) => value.bytes(signature))
  }
}
