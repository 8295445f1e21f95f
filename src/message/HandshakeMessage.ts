/**
 * The handshake messages, RFC 5246 section 7.4 and RFC 8446 section 4: values, and the way between them and bytes.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import type { Fault } from "../alert/Fault.ts"
import { HandshakeType } from "../wire/CodePoints.ts"
import { Malformed, Reader } from "../wire/Reader.ts"
import { Writer } from "../wire/Writer.ts"
import { type Certificate, certificate } from "./Certificate.ts"
import { type Certificate13, certificate13 } from "./Certificate13.ts"
import { type CertificateRequest, certificateRequest } from "./CertificateRequest.ts"
import { type CertificateRequest13, certificateRequest13 } from "./CertificateRequest13.ts"
import { type CertificateStatus, certificateStatus } from "./CertificateStatus.ts"
import { type CertificateVerify, certificateVerify } from "./CertificateVerify.ts"
import { type ClientHello, clientHello } from "./ClientHello.ts"
import { type ClientKeyExchange, clientKeyExchange } from "./ClientKeyExchange.ts"
import { type EncryptedExtensions, encryptedExtensions } from "./EncryptedExtensions.ts"
import { type Finished, finished } from "./Finished.ts"
import { type KeyUpdate, keyUpdate } from "./KeyUpdate.ts"
import {
  type NewSessionTicket,
  newSessionTicket,
  type NewSessionTicket12,
  newSessionTicket12
} from "./NewSessionTicket.ts"
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
  | CertificateStatus
  | EncryptedExtensions
  | Certificate13
  | CertificateRequest13
  | NewSessionTicket
  | NewSessionTicket12
  | KeyUpdate

/**
 * The message of one tag.
 *
 * @category models
 * @since 0.1.0
 */
export type HandshakeMessageOf<Tag extends HandshakeMessage["_tag"]> = Extract<HandshakeMessage, { readonly _tag: Tag }>

/**
 * The versions of the handshake protocol: the same type may have another form in each. Only a ClientHello, a ServerHello and a
 * HelloRequest come before it is settled, and those have one form.
 *
 * @category models
 * @since 0.1.0
 */
export type HandshakeVersion = "1.2" | "1.3" | "undecided"

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
  Finished: finished,
  CertificateStatus: certificateStatus,
  EncryptedExtensions: encryptedExtensions,
  Certificate13: certificate13,
  CertificateRequest13: certificateRequest13,
  NewSessionTicket: newSessionTicket,
  NewSessionTicket12: newSessionTicket12,
  KeyUpdate: keyUpdate
}

const tags12: ReadonlyArray<HandshakeMessage["_tag"]> = [
  "HelloRequest",
  "ClientHello",
  "ServerHello",
  "Certificate",
  "ServerKeyExchange",
  "CertificateRequest",
  "ServerHelloDone",
  "CertificateVerify",
  "ClientKeyExchange",
  "NewSessionTicket12",
  "Finished",
  "CertificateStatus"
]

const tags13: ReadonlyArray<HandshakeMessage["_tag"]> = [
  "ClientHello",
  "ServerHello",
  "EncryptedExtensions",
  "Certificate13",
  "CertificateRequest13",
  "CertificateVerify",
  "Finished",
  "NewSessionTicket",
  "KeyUpdate"
]

const byType = (tags: ReadonlyArray<HandshakeMessage["_tag"]>) => new Map(tags.map((tag) => [codecs[tag].type, tag]))

const tagOfType: Readonly<Record<HandshakeVersion, ReadonlyMap<number, HandshakeMessage["_tag"]>>> = {
  "1.2": byType(tags12),
  "1.3": byType(tags13),
  "undecided": byType(tags12)
}

/**
 * The tag of the messages of a type, or `undefined` for a type that the version does not have.
 *
 * @category decoding
 * @since 0.1.0
 */
export const messageTag = (type: number, version: HandshakeVersion): HandshakeMessage["_tag"] | undefined =>
  tagOfType[version].get(type)

/**
 * What the messages of a type are called, whatever the version: for those who watch.
 *
 * @category formatting
 * @since 0.1.0
 */
export const messageName = (type: number): string =>
  (messageTag(type, "1.2") ?? messageTag(type, "1.3"))?.replace(/1[23]$/, "") ?? `handshake message ${type}`

/**
 * Decodes the body of a message, the four bytes of header left out. Total: any bytes are a message or a fault. Byte fields of
 * the message are views of `body`, which is the caller's to keep unchanged as long as the message is in use.
 *
 * @category decoding
 * @since 0.1.0
 */
export const decodeHandshake = (
  type: number,
  body: Uint8Array,
  version: HandshakeVersion
): Result.Result<HandshakeMessage, Fault> => {
  const tag = messageTag(type, version)
  if (tag === undefined) {
    return Result.fail<Fault>({ _tag: "MessageUnexpected", expected: [], received: `handshake message type ${type}` })
  }
  try {
    const reader = new Reader(body)
    const decoded = codecs[tag].decode(reader)
    reader.end("message")
    return Result.succeed(decoded)
  } catch (thrown) {
    if (!(thrown instanceof Malformed || thrown instanceof Illegal)) throw thrown
    return Result.fail<Fault>({
      _tag: thrown instanceof Malformed ? "MessageMalformed" : "ParameterIllegal",
      // As the RFC calls it, whatever the version.
      message: messageName(type),
      field: thrown.field,
      why: thrown.why
    })
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
