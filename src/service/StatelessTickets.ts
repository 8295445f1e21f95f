/**
 * Sessions that are kept nowhere but in the ticket of the client.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { toHex } from "../wire/Bytes.ts"
import { DenyList } from "./DenyList.ts"
import { withNow } from "./Now.ts"
import { seal, unseal } from "./SealedSession.ts"
import { SessionCache } from "./SessionCache.ts"
import { SessionKeys } from "./SessionKeys.ts"
import * as SessionMetrics from "./SessionMetrics.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface StatelessOptions {
  /** How long a session may be resumed after its full handshake, however often it is. One hour by default. */
  readonly timeToLive?: Duration.Input
  /** How many dead sessions this process remembers: 10000 by default. Beyond that it refuses what is as old as they. */
  readonly denied?: number
}

/** A hello has room for more, but not every peer. A client that showed long certificates gets no ticket. */
const longestTicket = 8192

/**
 * For servers without a store: the ticket is the session, sealed under `SessionKeys`.
 *
 * Such a session **cannot be forgotten**, as RFC 5246 section 7.2.2 demands it after a fatal alert: whoever holds the ticket, and finds a
 * process with the keys that did not see the connection die, resumes it. A process refuses what it has itself seen die, as long as
 * it runs. Where that is not enough, and there is more than one process, take `SessionCache.layerPersisted`.
 *
 * TLS 1.2 clients without tickets (RFC 5077) cannot resume. A client has no use for this layer.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerWithoutForgetting = (
  options: StatelessOptions = {}
): Layer.Layer<SessionCache, never, SessionKeys> =>
  Layer.effect(
    SessionCache,
    Effect.map(SessionKeys, (keys) => {
      const timeToLive = Duration.toMillis(Duration.fromInputUnsafe(options.timeToLive ?? "1 hour"))
      const denied = new DenyList(options.denied ?? 10_000, timeToLive)
      const contextOf = (trust: string) => `ticket ${trust}`
      const refused = (reason: SessionMetrics.Refusal) => Effect.as(SessionMetrics.refused(reason), Option.none())

      return SessionCache.of({
        offer: () => Effect.succeedNone,
        store: () => Effect.void,
        invalidate: (_, session) =>
          withNow((now) => {
            denied.add(toHex(session.id), session.createdAt, now)
            return SessionMetrics.invalidated
          }),
        selfContained: {
          seal: (session, trust) =>
            Effect.map(
              seal(keys, session, contextOf(trust)),
              (ticket) => ticket.length > longestTicket ? Option.none() : Option.some(ticket)
            ),
          open: (ticket, trust) =>
            Effect.gen(function*() {
              yield* SessionMetrics.offered
              const unsealed = yield* unseal(keys, ticket, contextOf(trust))
              if (unsealed._tag === "Refused") return yield* refused(unsealed.why)
              const { isNewestKey, session } = unsealed
              const now = yield* Clock.currentTimeMillis
              const isExpired = session.livesFor(timeToLive, now) <= 0
              if (!isExpired && !denied.refuses(toHex(session.id), session.createdAt)) {
                return Option.some({ session, isRenewalDue: !isNewestKey })
              }
              session.wipe()
              return yield* refused(isExpired ? "expired" : "dead")
            })
        }
      })
    })
  )
