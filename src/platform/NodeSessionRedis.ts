/**
 * Redis as the store of `SessionCache.layerPersisted`.
 *
 * @since 0.1.0
 */
import * as NodeRedis from "@effect/platform-node/NodeRedis"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Persistence from "effect/persistence/Persistence"
import type * as Redis from "effect/persistence/Redis"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import { SessionStoreUnusable } from "./NodeSessionStore.ts"

const protocols: ReadonlyArray<string> = ["redis:", "rediss:"]

const parse = (url: string): URL | undefined => {
  try {
    const parsed = new URL(url)
    return protocols.includes(parsed.protocol) && parsed.hostname !== "" ? parsed : undefined
  } catch {
    return undefined
  }
}

/** Where it is, without user and password. */
const nameOf = ({ host, pathname, protocol }: URL): string => `${protocol}//${host}${pathname}`

const whyOf = ({ cause }: Redis.RedisError): string => {
  if (cause instanceof AggregateError && cause.errors[0] instanceof Error) return cause.errors[0].message
  return cause instanceof Error ? cause.message : String(cause)
}

/** A key of ours that somebody gave another type: the store is well, the value is not. What stands for it is no session either. */
const isForeign = ({ cause }: Persistence.PersistenceError): boolean =>
  cause instanceof Error && cause.message.startsWith("WRONGTYPE")

const tolerant = Layer.effect(
  Persistence.BackingPersistence,
  Effect.map(Persistence.BackingPersistence, ({ make }) => ({
    make: (storeId: string) =>
      Effect.map(make(storeId), (store) => ({
        ...store,
        get: (key: string) => Effect.catchIf(store.get(key), isForeign, () => Effect.succeed({}))
      }))
  }))
).pipe(Layer.provide(Persistence.layerBackingRedis))

/** The end of the layer waits for no answer: a server that stands still must not keep the process. */
const withoutWaiting = Layer.effectDiscard(
  Effect.flatMap(NodeRedis.NodeRedis, ({ client }) =>
    Effect.addFinalizer(() =>
      Effect.sync(() => {
        if (client.isOpen) client.destroy()
      })
    ))
)

/**
 * `url` is `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS. The layer fails where nobody answers there; a Redis
 * that goes away later is waited for in the background, and handshakes are full ones meanwhile.
 *
 * @example
 * import { Config, Layer, Redacted } from "effect"
 * import { SessionCache, SessionKeys } from "effect-tls"
 * import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
 * import * as NodeSessionRedis from "effect-tls/platform/NodeSessionRedis"
 *
 * const keys = SessionKeys.layerRedacted(Config.Redacted("SESSION_KEYS")).pipe(Layer.provide(NodePrimitives.layer))
 * const redis = NodeSessionRedis.layer(Redacted.make("redis://cache.internal"))
 * const cache = SessionCache.layerPersisted({ timeToLive: "1 hour" }).pipe(Layer.provide([redis, keys]))
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  url: Redacted.Redacted<string>
): Layer.Layer<Persistence.BackingPersistence, SessionStoreUnusable> =>
  Layer.unwrap(Effect.suspend(() => {
    const parsed = parse(Redacted.value(url))
    if (parsed === undefined) {
      const why = "it is not of the form redis://host:port or rediss://host:port"
      return Effect.fail(new SessionStoreUnusable({ store: "URL", why }))
    }
    const redis = NodeRedis.layer({
      url: parsed.href,
      // What cannot be asked now is not asked later: the cache decides what is worth trying again.
      disableOfflineQueue: true,
      socket: { connectTimeout: 2000 }
    }).pipe(
      Layer.catchTag("RedisError", (error) =>
        Layer.effectContext(
          Effect.fail(new SessionStoreUnusable({ store: nameOf(parsed), why: whyOf(error) }))
        )),
      // The client tells of each attempt to connect again; the cache tells once.
      Layer.provide(Layer.succeed(References.MinimumLogLevel, "None"))
    )
    return Effect.succeed(
      Layer.merge(tolerant, withoutWaiting).pipe(Layer.provide(redis))
    )
  }))
