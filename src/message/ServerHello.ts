/**
 * The ServerHello message, RFC 5246 section 7.4.1.3 and RFC 8446 section 4.1.3, and the HelloRetryRequest that looks like one.
 *
 * @since 0.1.0
 */
import { samePublic } from "../wire/Bytes.ts"
import { HandshakeType } from "../wire/CodePoints.ts"
import type { Extension, ExtensionForm } from "./Extension.ts"
import { readExtensions, writeExtensions } from "./ExtensionCodec.ts"
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

const helloRetryRandom = Uint8Array.from([
  // SHA-256 of "HelloRetryRequest"
  ...[0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91],
  ...[0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c]
])

/**
 * RFC 8446 section 4.1.3: the random that says HelloRetryRequest.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isHelloRetryRequest = (hello: Pick<ServerHello, "random">): boolean =>
  samePublic(hello.random, helloRetryRandom)

/**
 * The random of a HelloRetryRequest, as bytes of the caller's own.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeHelloRetryRandom = (): Uint8Array => helloRetryRandom.slice()

const formOf = (hello: Pick<ServerHello, "random">): ExtensionForm =>
  isHelloRetryRequest(hello) ? "HelloRetryRequest" : "ServerHello"

/**
 * @category codecs
 * @since 0.1.0
 */
export const serverHello: MessageCodec<ServerHello> = {
  type: HandshakeType.server_hello,
  decode: (body) => {
    const version = body.uint16("server_version")
    const random = body.bytes("random", 32)
    return {
      _tag: "ServerHello",
      version,
      random,
      sessionId: readSessionId(body),
      cipherSuite: body.uint16("cipher_suite"),
      compressionMethod: body.uint8("compression_method"),
      extensions: readExtensions(body, formOf({ random }))
    }
  },
  encode: (body, message) => {
    body.uint16(message.version).bytes(message.random).vector8((id) => id.bytes(message.sessionId))
    body.uint16(message.cipherSuite).uint8(message.compressionMethod)
    writeExtensions(body, message.extensions, formOf(message))
  }
}
