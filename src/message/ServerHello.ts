/**
 * The ServerHello message, RFC 5246 section 7.4.1.3.
 *
 * @since 0.1.0
 */
import { HandshakeType } from "../wire/CodePoints.ts"
import { type Extension, readExtensions, writeExtensions } from "./Extension.ts"
import { type MessageCodec, readSessionId } from "./Syntax.ts"

/**
 * RFC 5246 section 7.4.1.3.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServerHello {
  readonly _tag: "ServerHello"
  readonly version: number
  /** 32 bytes. */
  readonly random: Uint8Array
  /** 0 to 32 bytes. */
  readonly sessionId: Uint8Array
  readonly cipherSuite: number
  readonly compressionMethod: number
  readonly extensions: ReadonlyArray<Extension>
}

/**
 * @category codecs
 * @since 0.1.0
 */
export const serverHello: MessageCodec<ServerHello> = {
  type: HandshakeType.server_hello,
  decode: (body) => ({
    _tag: "ServerHello",
    version: body.uint16("server_version"),
    random: body.bytes("random", 32),
    sessionId: readSessionId(body),
    cipherSuite: body.uint16("cipher_suite"),
    compressionMethod: body.uint8("compression_method"),
    extensions: readExtensions(body, "ServerHello")
  }),
  encode: (body, message) => {
    body.uint16(message.version).bytes(message.random).vector8((id) => id.bytes(message.sessionId))
    body.uint16(message.cipherSuite).uint8(message.compressionMethod)
    writeExtensions(body, message.extensions, "ServerHello")
  }
}
