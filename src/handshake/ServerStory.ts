/**
 * What a server story works with, beside the channel.
 *
 * @since 0.1.0
 */
import type { Identity } from "../service/Identity.ts"
import { serverKey, type SessionKey } from "../service/SessionCache.ts"
import type { ServerOptions, Settings } from "../service/TlsConfig.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface ServerStory {
  readonly settings: Settings
  readonly identity: Identity["Service"]
  readonly clientAuth: ServerOptions["clientAuth"]
  /** The fingerprint of the trust that judges the clients; empty where none is asked for a certificate. */
  readonly clientTrust: string
}

/**
 * The fingerprint is that of the beginning: what a client is judged by may be loaded anew before its session is kept, and a session
 * must not count as one of a trust that has not judged it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  settings: Settings,
  identity: Identity["Service"],
  clientAuth: ServerOptions["clientAuth"]
): ServerStory => ({ settings, identity, clientAuth, clientTrust: clientAuth?.trust.fingerprint ?? "" })

/**
 * The key of a session of this server. A session whose client was judged is not resumed where clients are judged otherwise.
 *
 * @category sessions
 * @since 0.1.0
 */
export const sessionKeyOf = (story: ServerStory, id: Uint8Array): SessionKey => serverKey(id, story.clientTrust)
