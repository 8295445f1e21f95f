/**
 * What a server makes of tickets, and makes tickets of: RFC 5077, RFC 8446 sections 4.2.11 and 4.6.1. A ticket is a handle into the
 * cache, so that forgetting it is real; with a cache that holds nothing, the ticket is the session itself.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { ClientHello } from "../message/ClientHello.ts"
import { findExtension } from "../message/Extension.ts"
import { withNow } from "../service/Now.ts"
import type { Session } from "../service/Session.ts"
import type { SessionCache, SessionKey } from "../service/SessionCache.ts"
import * as SessionMetrics from "../service/SessionMetrics.ts"
import { empty } from "../wire/Bytes.ts"
import type { Channel } from "./Channel.ts"
import { type ServerStory, sessionKeyOf } from "./ServerStory.ts"

/**
 * Bytes of a handle, and of a session identifier of ours.
 *
 * @category constants
 * @since 0.1.0
 */
export const handleLength = 32

/**
 * Seconds for which a session may be resumed after its full handshake, whatever the cache says, and for which a client is told to keep a
 * ticket at most: RFC 5246 section F.1.4 wants 24 hours. The cache may forget earlier.
 *
 * @category constants
 * @since 0.1.0
 */
export const ticketLifetime = 24 * 60 * 60

/**
 * A session that a client offers, and whether its ticket should be replaced.
 *
 * @category models
 * @since 0.1.0
 */
export interface Offered {
  readonly key: SessionKey
  readonly session: Session
  readonly isRenewalDue: boolean
  /** When it was, in milliseconds since the epoch. */
  readonly offeredAt: number
}

/** A cache may be kinder than we are. */
const unlessTooOld = (offered: Omit<Offered, "offeredAt">): Effect.Effect<Offered | undefined> =>
  withNow((now) => {
    if (offered.session.livesFor(ticketLifetime * 1000, now) > 0) return Effect.succeed({ ...offered, offeredAt: now })
    offered.session.wipe()
    return Effect.as(SessionMetrics.refused("expired"), undefined)
  })

const byHandle = (
  story: ServerStory,
  cache: SessionCache["Service"],
  handle: Uint8Array
): Effect.Effect<Offered | undefined> => {
  if (handle.length !== handleLength) return Effect.undefined
  const key = sessionKeyOf(story, handle)
  return Effect.flatMap(
    cache.offer(key),
    (found) =>
      Option.isSome(found) ? unlessTooOld({ key, session: found.value, isRenewalDue: false }) : Effect.undefined
  )
}

/**
 * The session of a ticket that a client offers.
 *
 * @category sessions
 * @since 0.1.0
 */
export const redeem = (
  story: ServerStory,
  cache: SessionCache["Service"],
  ticket: Uint8Array
): Effect.Effect<Offered | undefined> =>
  cache.selfContained === undefined
    ? byHandle(story, cache, ticket)
    : Effect.flatMap(cache.selfContained.open(ticket, story.clientTrust), (opened) => {
      if (Option.isNone(opened)) return Effect.undefined
      const { session } = opened.value
      return unlessTooOld({ ...opened.value, key: sessionKeyOf(story, session.id) })
    })

/**
 * The session that a hello of TLS 1.2 offers. RFC 5077 section 3.4: beside a ticket the session identifier says nothing.
 *
 * @category sessions
 * @since 0.1.0
 */
export const offered12 = (
  story: ServerStory,
  cache: SessionCache["Service"],
  hello: ClientHello
): Effect.Effect<Offered | undefined> => {
  const ticket = findExtension(hello.extensions, "SessionTicket")?.ticket ?? empty
  const isTicket = ticket.length > 0
  return Effect.map(
    isTicket ? redeem(story, cache, ticket) : byHandle(story, cache, hello.sessionId),
    (offered) => {
      if (offered === undefined || (offered.session.isTicket === true) === isTicket) return offered
      offered.session.wipe()
      return undefined
    }
  )
}

/**
 * Makes the ticket of a session that was named by a handle, and keeps what is to be kept. Empty where it cannot be made.
 *
 * @category sessions
 * @since 0.1.0
 */
export const issue = Effect.fnUntracedEager(
  function*(
    channel: Pick<Channel, "storeSession">,
    story: ServerStory,
    cache: SessionCache["Service"],
    session: Session
  ): Effect.fn.Return<Uint8Array> {
    const ticket = cache.selfContained === undefined
      ? session.id
      : Option.getOrElse(yield* cache.selfContained.seal(session, story.clientTrust), () => empty)
    // A session that is in its ticket is not kept, but known to the connection, which may have to forget it.
    yield* channel.storeSession(sessionKeyOf(story, session.id), session)
    return ticket
  }
)
