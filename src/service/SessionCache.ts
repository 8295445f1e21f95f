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
 * `offer` gives a session that may be resumed, with a secret of its own. `store` keeps one, unless it is known to be dead.
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
    // A Map iterates in the order of insertion, so its first entry is the oldest one.
    const sessions = new Map<SessionKey, Session>()
    const dead = new Set<string>()

    const remove = (key: SessionKey, session: Session) => {
      sessions.delete(key)
      session.wipe()
    }
    const keepWithinCapacity = () => {
      for (const [key, session] of sessions) {
        if (sessions.size <= capacity) break
        remove(key, session)
      }
      for (const id of dead) {
        if (dead.size <= capacity) break
        dead.delete(id)
      }
    }

    return SessionCache.of({
      offer: (key) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          const session = sessions.get(key)
          if (session === undefined) return Option.none()
          if (now - session.createdAt >= timeToLive) {
            remove(key, session)
            return Option.none()
          }
          sessions.delete(key)
          sessions.set(key, session)
          return Option.some(session.copy())
        }),
      store: (key, session) =>
        Effect.sync(() => {
          if (dead.has(toHex(session.id))) return
          const older = sessions.get(key)
          if (older !== undefined) remove(key, older)
          sessions.set(key, session.copy())
          keepWithinCapacity()
        }),
      invalidate: (key, session) =>
        Effect.sync(() => {
          const id = toHex(session.id)
          // A session is stored again by its own connection at most, and that one has failed: the mark need not outlive it.
          dead.delete(id)
          dead.add(id)
          const kept = sessions.get(key)
          if (kept !== undefined && toHex(kept.id) === id) remove(key, kept)
          keepWithinCapacity()
        })
    })
  })
