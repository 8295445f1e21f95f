/**
 * The NewSessionTicket message: of TLS 1.3, RFC 8446 section 4.6.1, and of TLS 1.2, RFC 5077 section 3.3.
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

/**
 * RFC 5077 section 3.3.
 *
 * @category models
 * @since 0.1.0
 */
export interface NewSessionTicket12 {
  readonly _tag: "NewSessionTicket12"
  /** Seconds; 0 where the server does not say. */
  readonly lifetimeHint: number
  /** Empty where the server has thought better of it. */
  readonly ticket: Uint8Array
}

/**
 * @category codecs
 * @since 0.1.0
 */
export const newSessionTicket12: MessageCodec<NewSessionTicket12> = {
  type: HandshakeType.new_session_ticket,
  decode: (body) => ({
    _tag: "NewSessionTicket12",
    lifetimeHint: body.uint32("ticket_lifetime_hint"),
    ticket: body.vector16("ticket")
  }),
  encode: (body, { lifetimeHint, ticket }) => body.uint32(lifetimeHint).vector16((value) => value.bytes(ticket))
}
