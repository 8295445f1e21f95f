/**
 * The CertificateRequest message, RFC 5246 section 7.4.4.
 *
 * @since 0.1.0
 */
import { HandshakeType } from "../wire/CodePoints.ts"
import { listOf, type MessageCodec, readUint16s, readUint8s, writeUint16s, writeUint8s } from "./Syntax.ts"

/**
 * RFC 5246 section 7.4.4.
 *
 * @category models
 * @since 0.1.0
 */
export interface CertificateRequest {
  readonly _tag: "CertificateRequest"
  readonly certificateTypes: ReadonlyArray<number>
  readonly signatureSchemes: ReadonlyArray<number>
  /** Distinguished names in DER. */
  readonly authorities: ReadonlyArray<Uint8Array>
}

/**
 * @category codecs
 * @since 0.1.0
 */
export const certificateRequest: MessageCodec<CertificateRequest> = {
  type: HandshakeType.certificate_request,
  decode: (body) => ({
    _tag: "CertificateRequest",
    certificateTypes: readUint8s(body, "certificate_types"),
    signatureSchemes: readUint16s(body, "supported_signature_algorithms"),
    authorities: listOf(
      body.vector16("certificate_authorities"),
      (list) => list.vector16("distinguished_name", 1)
    )
  }),
  encode: (body, { authorities, certificateTypes, signatureSchemes }) => {
    writeUint8s(body, certificateTypes)
    writeUint16s(body, signatureSchemes)
    body.vector16((list) => {
      for (const name of authorities) list.vector16((item) => item.bytes(name))
    })
  }
}
