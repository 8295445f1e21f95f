/**
 * The ClientHello message, RFC 5246 section 7.4.1.2.
 *
 * @since 0.1.0
 */
import { HandshakeType } from "../wire/CodePoints.ts"
import type { Extension } from "./Extension.ts"
import { readExtensions, writeExtensions } from "./ExtensionCodec.ts"
import { type MessageCodec, readSessionId, readUint16s, readUint8s, writeUint16s, writeUint8s } from "./Syntax.ts"

/**
 * RFC 5246 section 7.4.1.2. What it offers is judged by negotiation, not here: any version and any values decode.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClientHello {
  readonly _tag: "ClientHello"
  readonly version: number
  /** 32 bytes. */
  readonly random: Uint8Array
  /** 0 to 32 bytes. */
  readonly sessionId: Uint8Array
  readonly cipherSuites: ReadonlyArray<number>
  readonly compressionMethods: ReadonlyArray<number>
  readonly extensions: ReadonlyArray<Extension>
}

/**
 * @category codecs
 * @since 0.1.0
 */
export const clientHello: MessageCodec<ClientHello> = {
  type: HandshakeType.client_hello,
  decode: (body) => ({
    _tag: "ClientHello",
    version: body.uint16("client_version"),
    random: body.bytes("random", 32),
    sessionId: readSessionId(body),
    cipherSuites: readUint16s(body, "cipher_suites"),
    compressionMethods: readUint8s(body, "compression_methods"),
    extensions: readExtensions(body, "ClientHello")
  }),
  encode: (body, message) => {
    body.uint16(message.version).bytes(message.random).vector8((id) => id.bytes(message.sessionId))
    writeUint16s(body, message.cipherSuites)
    writeUint8s(body, message.compressionMethods)
    writeExtensions(body, message.extensions, "ClientHello")
  }
}
