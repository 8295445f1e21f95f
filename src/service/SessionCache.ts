/**
 * Where sessions are kept, and forgotten. RFC 5246 section 7.2: after a fatal alert the session identifier must be
 * invalidated, so that nothing resumes the failed connection.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { toHex } from "../wire/Bytes.ts"
import type { Session } from "./Session.ts"

/**
 * Under what a session is kept: see `clientKey` and `serverKey`.
 *
 * @category models
 * @since 0.1.0
 */
export type SessionKey = string

/**
 * The key of a client's sessions. They never cross the name of the server, the application protocols, the trust that judged
 * the server, or the identity that was shown to it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const clientKey = (peer: {
  readonly name: string
  readonly alpnProtocols: ReadonlyArray<string>
  readonly trust: string
  readonly identity: string
}): SessionKey => `client ${JSON.stringify([peer.name, peer.alpnProtocols, peer.trust, peer.identity])}`

/**
 * The key of a server's session: its identifier, and the trust that judged the client.
 *
 * @category constructors
 * @since 0.1.0
 */
export const serverKey = (id: Uint8Array, trust: string): SessionKey => `server ${toHex(id)} ${trust}`

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
}>()("effect-tls/SessionCache") {}

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
 * RFC 8446 appendix C.4: a client uses a ticket once, so that nobody can tell by it which connections are of one client. It is taken
 * from the cache, and several are kept.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isSingleUse = (key: SessionKey, session: Session): boolean =>
  session.version === "1.3" && key.startsWith("client ")

/** Tickets that a client keeps under one key. */
const maxTickets = 4

/**
 * @category models
 * @since 0.1.0
 */
export interface MemoryOptions {
  /** How many sessions at most; the one that was used longest ago goes first. 1024 by default. */
  readonly capacity?: number
  /** How long a session may be resumed after its handshake. One hour by default; RFC 5246 section F.1.4 wants 24 at most. */
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

    /** What is kept under a key from now on; the key counts as used. */
    const keep = (key: SessionKey, kept: ReadonlyArray<Session>) => {
      count += kept.length - (sessions.get(key)?.length ?? 0)
      sessions.delete(key)
      if (kept.length > 0) sessions.set(key, kept)
    }
    const drop = (key: SessionKey, isDropped: (session: Session) => boolean) => {
      const all = sessions.get(key) ?? []
      const kept = all.filter((session) => !isDropped(session))
      for (const session of all) if (!kept.includes(session)) session.wipe()
      if (kept.length < all.length) keep(key, kept)
    }
    const keepWithinCapacity = () => {
      for (const key of sessions.keys()) {
        if (count <= capacity) break
        drop(key, () => true)
      }
      for (const id of dead) {
        if (dead.size <= capacity) break
        dead.delete(id)
      }
    }
    const isExpired = (session: Session, now: number) =>
      now - session.createdAt >= Math.min(timeToLive, (session.lifetime ?? Infinity) * 1000)

    return SessionCache.of({
      offer: (key) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          drop(key, (session) => isExpired(session, now))
          const kept = sessions.get(key) ?? []
          const newest = kept[kept.length - 1]
          if (newest === undefined) return Option.none()
          const isTaken = isSingleUse(key, newest)
          keep(key, isTaken ? kept.slice(0, -1) : kept)
          return Option.some(isTaken ? newest : newest.copy())
        }),
      store: (key, session) =>
        Effect.sync(() => {
          if (dead.has(toHex(session.id))) return
          const isAdded = isSingleUse(key, session)
          if (!isAdded) drop(key, () => true)
          const kept = [...sessions.get(key) ?? [], session.copy()]
          keep(key, kept)
          const oldest = kept[0]
          if (kept.length > maxTickets && oldest !== undefined) drop(key, (session) => session === oldest)
          keepWithinCapacity()
        }),
      invalidate: (key, session) =>
        Effect.sync(() => {
          const id = toHex(session.id)
          // A session is stored again by its own connection at most, and that one has failed: the mark need not outlive it.
          dead.delete(id)
          dead.add(id)
          drop(key, (kept) => toHex(kept.id) === id)
          keepWithinCapacity()
        })
    })
  })
