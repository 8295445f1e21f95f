/**
 * The Certificate message of TLS 1.3, RFC 8446 section 4.4.2.
 *
 * @since 0.1.0
 */
import { HandshakeType } from "../wire/CodePoints.ts"
import type { Extension } from "./Extension.ts"
import { readExtensions, writeExtensions } from "./ExtensionCodec.ts"
import { listOf, type MessageCodec } from "./Syntax.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface CertificateEntry {
  /** DER. */
  readonly certificate: Uint8Array
  readonly extensions: ReadonlyArray<Extension>
}

/**
 * RFC 8446 section 4.4.2. Only a client may send an empty list, so who sent it decides whether that is a fault.
 *
 * @category models
 * @since 0.1.0
 */
export interface Certificate13 {
  readonly _tag: "Certificate13"
  /** That of the request; empty in a handshake. */
  readonly context: Uint8Array
  /** The sender's own first. */
  readonly entries: ReadonlyArray<CertificateEntry>
}

/**
 * @category codecs
 * @since 0.1.0
 */
export const certificate13: MessageCodec<Certificate13> = {
  type: HandshakeType.certificate,
  decode: (body) => ({
    _tag: "Certificate13",
    context: body.vector8("certificate_request_context"),
    entries: listOf(body.vector24("certificate_list"), (list) => ({
      certificate: list.vector24("cert_data", 1),
      extensions: readExtensions(list, "Certificate")
    }))
  }),
  encode: (body, { context, entries }) => {
    body.vector8((value) => value.bytes(context))
    body.vector24((list) => {
      for (const { certificate, extensions } of entries) {
        list.vector24((item) => item.bytes(certificate))
        writeExtensions(list, extensions, "Certificate")
      }
    })
  }
}
