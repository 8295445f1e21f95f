/**
 * Where sessions are kept, and forgotten. RFC 5246 section 7.2: after a fatal alert the session identifier must be
 * invalidated, so that nothing resumes the failed connection.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { toHex } from "../wire/Bytes.ts"
import type * as Persistence from "effect/persistence/Persistence"
import { make as makePersisted, type PersistedOptions } from "./PersistedSessions.ts"
import type { Session } from "./Session.ts"
import { isSingleUse, maxTickets, type SessionKey } from "./SessionKey.ts"
import type { SessionKeys } from "./SessionKeys.ts"
import { withNow } from "./Now.ts"
import * as SessionMetrics from "./SessionMetrics.ts"

export { clientKey, isSingleUse, serverKey, type SessionKey } from "./SessionKey.ts"

/**
 * `offer` gives a session that may be resumed, with a secret of its own; a ticket of a client is taken, not copied. `store` keeps one, unless it is known to be dead.
 * `invalidate` forgets that very session, and no newer one under the same key.
 *
 * @category services
 * @since 0.1.0
 */
export class SessionCache extends Context.Service<SessionCache, {
  readonly offer: (key: SessionKey) => Effect.Effect<Option.Option<Session>>
  readonly store: (key: SessionKey, session: Session) => Effect.Effect<void>
  readonly invalidate: (key: SessionKey, session: Session) => Effect.Effect<void>
  /** Only where the sessions of a server travel inside their tickets, and are not kept: see `StatelessTickets`. */
  readonly selfContained?: SelfContained
}>()("effect-tls/SessionCache") {}

/**
 * Sessions that are in their tickets. `trust` is the fingerprint of what judged the client: a ticket is good under no other.
 *
 * @category models
 * @since 0.1.0
 */
export interface SelfContained {
  /** The ticket of a session; none where it would be too large. */
  readonly seal: (session: Session, trust: string) => Effect.Effect<Option.Option<Uint8Array>>
  /** The session of a ticket, unless it is not ours, too old, or known to be dead. */
  readonly open: (ticket: Uint8Array, trust: string) => Effect.Effect<
    Option.Option<{ readonly session: Session; readonly isRenewalDue: boolean }>
  >
}

/**
 * Keeps nothing: every handshake is a full one.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerNone: Layer.Layer<SessionCache> = Layer.succeed(SessionCache, {
  offer: () => Effect.succeedNone,
  store: () => Effect.void,
  invalidate: () => Effect.void
})

/**
 * @category models
 * @since 0.1.0
 */
export interface MemoryOptions {
  /** How many sessions at most; the one that was used longest ago goes first. 1024 by default. */
  readonly capacity?: number
  /**
   * How long a session may be resumed after its full handshake, however often it is. One hour by default; RFC 5246 section F.1.4 wants 24
   * at most.
   */
  readonly timeToLive?: Duration.Input
}

/**
 * Keeps sessions in the memory of this process. Share it among connections by providing one layer to them all.
 *
 * @example
 * import { SessionCache } from "effect-tls"
 *
 * const cache = SessionCache.layerMemory({ capacity: 100, timeToLive: "10 minutes" })
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory = (options?: MemoryOptions): Layer.Layer<SessionCache> =>
  Layer.effect(SessionCache, makeMemory(options))

/**
 * @category constructors
 * @since 0.1.0
 */
export const makeMemory = (options: MemoryOptions = {}): Effect.Effect<SessionCache["Service"]> =>
  Effect.sync(() => {
    const capacity = options.capacity ?? 1024
    const timeToLive = Duration.toMillis(Duration.fromInputUnsafe(options.timeToLive ?? "1 hour"))
    // A Map iterates in the order of insertion, so its first entry is the one used longest ago.
    const sessions = new Map<SessionKey, ReadonlyArray<Session>>()
    const dead = new Set<string>()
    let count = 0

    const keptUnder = (key: SessionKey): ReadonlyArray<Session> => sessions.get(key) ?? []
    /** What is kept under a key from now on, in place of `all`; the key counts as used. */
    const keep = (key: SessionKey, all: ReadonlyArray<Session>, kept: ReadonlyArray<Session>) => {
      count += kept.length - all.length
      sessions.delete(key)
      if (kept.length > 0) sessions.set(key, kept)
    }
    /** Of all that is kept under a key, what is left. */
    const drop = (
      key: SessionKey,
      all: ReadonlyArray<Session>,
      isDropped: (session: Session) => boolean
    ): ReadonlyArray<Session> => {
      // Most of the time there is nothing to drop.
      if (!all.some(isDropped)) return all
      const kept = all.filter((session) => !isDropped(session))
      for (const session of all) if (!kept.includes(session)) session.wipe()
      keep(key, all, kept)
      return kept
    }
    const keepWithinCapacity = () => {
      for (const key of sessions.keys()) {
        if (count <= capacity) break
        drop(key, keptUnder(key), () => true)
      }
      for (const id of dead) {
        if (dead.size <= capacity) break
        dead.delete(id)
      }
    }
    const isExpired = (session: Session, now: number) => session.livesFor(timeToLive, now) <= 0

    return SessionCache.of({
      offer: (key) =>
        withNow((now, context) => {
          SessionMetrics.offeredIn(context)
          const all = keptUnder(key)
          const kept = drop(key, all, (session) => isExpired(session, now))
          const newest = kept[kept.length - 1]
          if (newest === undefined) {
            return Effect.as(SessionMetrics.refused(all.length > 0 ? "expired" : "absent"), Option.none())
          }
          const isTaken = isSingleUse(key, newest)
          keep(key, kept, isTaken ? kept.slice(0, -1) : kept)
          return Effect.succeedSome(isTaken ? newest : newest.copy())
        }),
      store: (key, session) =>
        withNow((now, context) => {
          if ((dead.size > 0 && dead.has(toHex(session.id))) || isExpired(session, now)) return Effect.void
          const all = keptUnder(key)
          const before = isSingleUse(key, session) ? all : drop(key, all, () => true)
          const kept = [...before, session.copy()]
          keep(key, before, kept)
          const oldest = kept[0]
          if (kept.length > maxTickets) drop(key, kept, (session) => session === oldest)
          keepWithinCapacity()
          SessionMetrics.storedIn(context)
          return Effect.void
        }),
      invalidate: (key, session) =>
        Effect.suspend(() => {
          const id = toHex(session.id)
          // A session is stored again by its own connection at most, and that one has failed: the mark need not outlive it.
          dead.delete(id)
          dead.add(id)
          drop(key, keptUnder(key), (kept) => toHex(kept.id) === id)
          keepWithinCapacity()
          return SessionMetrics.invalidated
        })
    })
  })

/**
 * Keeps sessions in a `BackingPersistence`, sealed under `SessionKeys`: in Redis for a fleet, on disk over a restart. What is forgotten by one
 * process is refused by all that share the store; a store that does not answer costs full handshakes, and nothing else. The
 * promises are in docs/sessions.md.
 *
 * @example
 * import * as NodeRedis from "@effect/platform-node/NodeRedis"
 * import { Config, Layer } from "effect"
 * import { Persistence } from "effect/persistence"
 * import { SessionCache, SessionKeys } from "effect-tls"
 * import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
 *
 * const redis = Persistence.layerBackingRedis.pipe(Layer.provide(NodeRedis.layer({ url: "redis://cache.internal:6379" })))
 * const keys = SessionKeys.layerRedacted(Config.Redacted("SESSION_KEYS")).pipe(Layer.provide(NodePrimitives.layer))
 * const cache = SessionCache.layerPersisted({ timeToLive: "1 hour" }).pipe(Layer.provide([redis, keys]))
 *
 * @category layers
 * @since 0.1.0
 */
export const layerPersisted = (
  options?: PersistedOptions
): Layer.Layer<SessionCache, never, Persistence.BackingPersistence | SessionKeys> =>
  Layer.effect(SessionCache, makePersisted(options))
