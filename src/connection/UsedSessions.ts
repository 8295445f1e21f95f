/**
 * Law 11: the sessions that a fatal alert of this connection forgets.
 *
 * @since 0.1.0
 */
import type { Session } from "../service/Session.ts"
import type { SessionKey } from "../service/SessionCache.ts"
import type { Policies } from "../service/TlsConfig.ts"

/**
 * Whose fatal alert it was: our own, for a fault that we found, or one that came.
 *
 * @category models
 * @since 0.1.0
 */
export type FatalAlert = "sent" | "received"

/**
 * RFC 5246 section 7.2.2, as far as the policy goes along: whoever spoke before the handshake was over has proved nothing.
 *
 * @category combinators
 * @since 0.1.0
 */
export const forgets = (policy: Policies["forgetting"], alert: FatalAlert, isHandshaking: boolean): boolean =>
  policy === "strict" || (alert === "sent" && !isHandshaking)

/**
 * @category models
 * @since 0.1.0
 */
export interface UsedSession {
  readonly key: SessionKey
  readonly session: Session
}

/**
 * The session that was resumed or made, and every ticket that came of the connection.
 *
 * @category models
 * @since 0.1.0
 */
export class UsedSessions {
  #used: Array<UsedSession> = []
  #isForgotten = false

  /** The session of this connection; `undefined` where an offer was declined. */
  use(used: UsedSession | undefined): void {
    for (const { session } of this.#used) if (session !== used?.session) session.wipe()
    this.#used = used === undefined ? [] : [used]
  }

  add(used: UsedSession): void {
    this.#used.push(used)
  }

  /** Takes them all: they are to be forgotten, and nothing more is to be stored. */
  forget(): ReadonlyArray<UsedSession> {
    this.#isForgotten = true
    // By name: nobody needs the secrets for it.
    this.wipe()
    return this.#used.splice(0)
  }

  get isForgotten(): boolean {
    return this.#isForgotten
  }

  /** Overwrites the secrets; what the sessions are called stays. */
  wipe(): void {
    for (const { session } of this.#used) session.wipe()
  }
}
