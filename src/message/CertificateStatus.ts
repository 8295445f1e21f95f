/**
 * The CertificateStatus message of TLS 1.2, RFC 6066 section 8, which in TLS 1.3 is an extension of a certificate (RFC 8446 section
 * 4.4.2.1).
 *
 * @since 0.1.0
 */
import { HandshakeType } from "../wire/CodePoints.ts"
import type { Reader } from "../wire/Reader.ts"
import type { Writer } from "../wire/Writer.ts"
import { Illegal, type MessageCodec } from "./Syntax.ts"

/**
 * RFC 6066 section 8.
 *
 * @category models
 * @since 0.1.0
 */
export interface CertificateStatus {
  readonly _tag: "CertificateStatus"
  /** An OCSP response in DER. */
  readonly response: Uint8Array
}

/**
 * CertificateStatusType `ocsp`, the only one that is used here.
 *
 * @category constants
 * @since 0.1.0
 */
export const ocspStatus = 1

/**
 * @category decoding
 * @since 0.1.0
 */
export const readStatus = (body: Reader): Uint8Array => {
  const type = body.uint8("status_type")
  if (type !== ocspStatus) throw new Illegal("status_type", `is ${type}, which was not asked for`)
  return body.vector24("response", 1)
}

/**
 * @category encoding
 * @since 0.1.0
 */
export const writeStatus = (body: Writer, response: Uint8Array): Writer =>
  body.uint8(ocspStatus).vector24((value) => value.bytes(response))

/**
 * @category codecs
 * @since 0.1.0
 */
export const certificateStatus: MessageCodec<CertificateStatus> = {
  type: HandshakeType.certificate_status,
  decode: (body) => ({ _tag: "CertificateStatus", response: readStatus(body) }),
  encode: (body, { response }) => {
    writeStatus(body, response)
  }
}
