/**
 * The CertificateRequest message of TLS 1.3, RFC 8446 section 4.3.2.
 *
 * @since 0.1.0
 */
import { HandshakeType } from "../wire/CodePoints.ts"
import type { Extension } from "./Extension.ts"
import { readExtensions, writeExtensions } from "./ExtensionCodec.ts"
import type { MessageCodec } from "./Syntax.ts"

/**
 * RFC 8446 section 4.3.2.
 *
 * @category models
 * @since 0.1.0
 */
export interface CertificateRequest13 {
  readonly _tag: "CertificateRequest13"
  /** Empty in a handshake. */
  readonly context: Uint8Array
  readonly extensions: ReadonlyArray<Extension>
}

/**
 * @category codecs
 * @since 0.1.0
 */
export const certificateRequest13: MessageCodec<CertificateRequest13> = {
  type: HandshakeType.certificate_request,
  decode: (body) => ({
    _tag: "CertificateRequest13",
    context: body.vector8("certificate_request_context"),
    extensions: readExtensions(body, "CertificateRequest")
  }),
  encode: (body, { context, extensions }) => {
    body.vector8((value) => value.bytes(context))
    writeExtensions(body, extensions, "CertificateRequest")
  }
}
