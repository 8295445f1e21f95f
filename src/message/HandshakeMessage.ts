/**
 * The handshake messages of TLS 1.2, RFC 5246 section 7.4: values, and the way between them and bytes.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import type { Fault } from "../alert/Fault.ts"
import { HandshakeType } from "../wire/CodePoints.ts"
import { Malformed, Reader } from "../wire/Reader.ts"
import { Writer } from "../wire/Writer.ts"
import { type Certificate, certificate } from "./Certificate.ts"
import { type CertificateRequest, certificateRequest } from "./CertificateRequest.ts"
import { type CertificateVerify, certificateVerify } from "./CertificateVerify.ts"
import { type ClientHello, clientHello } from "./ClientHello.ts"
import { type ClientKeyExchange, clientKeyExchange } from "./ClientKeyExchange.ts"
import { type Finished, finished } from "./Finished.ts"
import { type ServerHello, serverHello } from "./ServerHello.ts"
import { type ServerKeyExchange, serverKeyExchange } from "./ServerKeyExchange.ts"
import { Illegal, type MessageCodec } from "./Syntax.ts"

/**
 * RFC 5246 section 7.4.1.1.
 *
 * @category models
 * @since 0.1.0
 */
export interface HelloRequest {
  readonly _tag: "HelloRequest"
}

/**
 * RFC 5246 section 7.4.5.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServerHelloDone {
  readonly _tag: "ServerHelloDone"
}

/**
 * @category models
 * @since 0.1.0
 */
export type HandshakeMessage =
  | HelloRequest
  | ClientHello
  | ServerHello
  | Certificate
  | ServerKeyExchange
  | CertificateRequest
  | ServerHelloDone
  | CertificateVerify
  | ClientKeyExchange
  | Finished

/**
 * The message of one tag.
 *
 * @category models
 * @since 0.1.0
 */
export type HandshakeMessageOf<Tag extends HandshakeMessage["_tag"]> = Extract<HandshakeMessage, { readonly _tag: Tag }>

const codecs: { readonly [Tag in HandshakeMessage["_tag"]]: MessageCodec<HandshakeMessageOf<Tag>> } = {
  HelloRequest: { type: HandshakeType.hello_request, decode: () => ({ _tag: "HelloRequest" }), encode: () => {} },
  ClientHello: clientHello,
  ServerHello: serverHello,
  Certificate: certificate,
  ServerKeyExchange: serverKeyExchange,
  CertificateRequest: certificateRequest,
  ServerHelloDone: {
    type: HandshakeType.server_hello_done,
    decode: () => ({ _tag: "ServerHelloDone" }),
    encode: () => {}
  },
  CertificateVerify: certificateVerify,
  ClientKeyExchange: clientKeyExchange,
  Finished: finished
}

interface NamedDecoder {
  readonly message: HandshakeMessage["_tag"]
  readonly decode: (body: Reader) => HandshakeMessage
}

// The keys of the table are exactly the tags; `Object.entries` widens them.
const entries = Object.entries(codecs) as ReadonlyArray<
  readonly [HandshakeMessage["_tag"], MessageCodec<HandshakeMessage>]
>
const decoderOfType = new Map<number, NamedDecoder>(
  entries.map(([message, { decode, type }]) => [type, { message, decode }])
)

/**
 * The tag of the messages of a type, or `undefined` for a type that is not used here.
 *
 * @category decoding
 * @since 0.1.0
 */
export const messageTag = (type: number): HandshakeMessage["_tag"] | undefined => decoderOfType.get(type)?.message

/**
 * Decodes the body of a message, the four bytes of header left out. Total: any bytes are a message or a fault. Byte fields of
 * the message are views of `body`, which is the caller's to keep unchanged as long as the message is in use.
 *
 * @category decoding
 * @since 0.1.0
 */
export const decodeHandshake = (type: number, body: Uint8Array): Result.Result<HandshakeMessage, Fault> => {
  const decoder = decoderOfType.get(type)
  if (decoder === undefined) {
    return Result.fail<Fault>({ _tag: "MessageUnexpected", expected: [], received: `handshake message type ${type}` })
  }
  const { message } = decoder
  try {
    const reader = new Reader(body)
    const decoded = decoder.decode(reader)
    reader.end("message")
    return Result.succeed(decoded)
  } catch (thrown) {
    if (thrown instanceof Malformed) {
      return Result.fail<Fault>({ _tag: "MessageMalformed", message, field: thrown.field, why: thrown.why })
    }
    if (thrown instanceof Illegal) {
      return Result.fail<Fault>({ _tag: "ParameterIllegal", message, field: thrown.field, why: thrown.why })
    }
    throw thrown
  }
}

/**
 * Encodes a message with its header, RFC 5246 section 7.4. A value beyond the limits of its field is a defect.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encodeHandshake = (message: HandshakeMessage): Uint8Array => {
  // The table has a codec for each tag, of that tag's own type; TypeScript cannot correlate the two on its own.
  const codec = codecs[message._tag] as MessageCodec<HandshakeMessage>
  return new Writer().uint8(codec.type).vector24((body) => codec.encode(body, message)).finish()
}
