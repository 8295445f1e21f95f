/**
 * The NewSessionTicket message of TLS 1.3, RFC 8446 section 4.6.1.
 *
 * @since 0.1.0
 */
import { HandshakeType } from "../wire/CodePoints.ts"
import type { Extension } from "./Extension.ts"
import { readExtensions, writeExtensions } from "./ExtensionCodec.ts"
import type { MessageCodec } from "./Syntax.ts"

/**
 * RFC 8446 section 4.6.1.
 *
 * @category models
 * @since 0.1.0
 */
export interface NewSessionTicket {
  readonly _tag: "NewSessionTicket"
  /** Seconds; at most 604800, which is a matter of its use. */
  readonly lifetime: number
  readonly ageAdd: number
  readonly nonce: Uint8Array
  /** At least one byte. */
  readonly ticket: Uint8Array
  readonly extensions: ReadonlyArray<Extension>
}

/**
 * @category codecs
 * @since 0.1.0
 */
export const newSessionTicket: MessageCodec<NewSessionTicket> = {
  type: HandshakeType.new_session_ticket,
  decode: (body) => ({
    _tag: "NewSessionTicket",
    lifetime: body.uint32("ticket_lifetime"),
    ageAdd: body.uint32("ticket_age_add"),
    nonce: body.vector8("ticket_nonce"),
    ticket: body.vector16("ticket", 1),
    extensions: readExtensions(body, "NewSessionTicket")
  }),
  encode: (body, message) => {
    body.uint32(message.lifetime).uint32(message.ageAdd)
    body.vector8((nonce) => nonce.bytes(message.nonce))
    body.vector16((ticket) => ticket.bytes(message.ticket))
    writeExtensions(body, message.extensions, "NewSessionTicket")
  }
}
