/**
 * What a client story works with, beside the channel.
 *
 * @since 0.1.0
 */
import type { SessionKey } from "../service/SessionCache.ts"
import type { ClientOptions, Settings } from "../service/TlsConfig.ts"
import type { PeerRole, Trust } from "../service/Trust.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface ClientStory {
  readonly settings: Settings
  /** Whom we talk to, in the form that its certificate is judged by. */
  readonly peer: Extract<PeerRole, { readonly role: "server" }>
  readonly trust: Trust["Service"]
  readonly identity: ClientOptions["identity"]
  readonly sessionKey: SessionKey
}

/**
 * RFC 6066 section 3: an IP address is not a host name.
 *
 * @category combinators
 * @since 0.1.0
 */
export const serverNameOf = (story: ClientStory): string | undefined =>
  "host" in story.peer ? story.peer.host : undefined
