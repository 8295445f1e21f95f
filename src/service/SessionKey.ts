/**
 * Under what a session is kept.
 *
 * @since 0.1.0
 */
import { toHex } from "../wire/Bytes.ts"
import type { Session } from "./Session.ts"

/**
 * See `clientKey` and `serverKey`.
 *
 * @category models
 * @since 0.1.0
 */
export type SessionKey = string

/**
 * The key of a client's sessions. They never cross whom the certificate of the server was judged for, the name that the
 * application has for it, the application protocols, the trust that judged, or the identity that was shown.
 *
 * @category constructors
 * @since 0.1.0
 */
export const clientKey = (peer: {
  /**
   * The host or address that the certificate is for. RFC 8446 section 4.6.1: who resumes looks at no certificate, so a session is
   * for this one alone, whatever it is kept under.
   */
  readonly verified: string
  readonly name: string
  readonly alpnProtocols: ReadonlyArray<string>
  readonly trust: string
  readonly identity: string
}): SessionKey => `client ${JSON.stringify([peer.verified, peer.name, peer.alpnProtocols, peer.trust, peer.identity])}`

/**
 * The key of a server's session: its identifier or ticket, and the trust that judged the client. No other session has it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const serverKey = (id: Uint8Array, trust: string): SessionKey => `server ${toHex(id)} ${trust}`

/**
 * Whether a client keeps its sessions under this key: there may be several.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isClientKey = (key: SessionKey): boolean => key.startsWith("client ")

/**
 * RFC 8446 appendix C.4: a client uses a ticket once, so that nobody can tell by it which connections are of one client. It is taken
 * from the cache, and several are kept.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isSingleUse = (key: SessionKey, session: Session): boolean => session.version === "1.3" && isClientKey(key)

/**
 * Tickets that a client keeps under one key.
 *
 * @category constants
 * @since 0.1.0
 */
export const maxTickets = 4
