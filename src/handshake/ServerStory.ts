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
}

/**
 * The key of a session of this server. A session whose client was judged is not resumed where clients are judged otherwise.
 *
 * @category sessions
 * @since 0.1.0
 */
export const sessionKeyOf = (story: ServerStory, id: Uint8Array): SessionKey => serverKey(id, trustOf(story))

/**
 * The fingerprint of the trust that judges the clients; empty where none is asked for a certificate.
 *
 * @category sessions
 * @since 0.1.0
 */
export const trustOf = (story: ServerStory): string => story.clientAuth?.trust.fingerprint ?? ""
