/**
 * The ServerHello message, RFC 5246 section 7.4.1.3 and RFC 8446 section 4.1.3, and the HelloRetryRequest that looks like one.
 *
 * @since 0.1.0
 */
import { fromHex, samePublic } from "../wire/Bytes.ts"
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

// SHA-256 of "HelloRetryRequest"
const helloRetryRandom = fromHex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")

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
