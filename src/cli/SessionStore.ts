/**
 * Where `serve` keeps its sessions.
 *
 * @since 0.1.0
 */
import * as Flag from "effect/cli/Flag"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { BackingPersistence } from "effect/persistence/Persistence"
import * as Redacted from "effect/Redacted"
import * as NodePrimitives from "../platform/NodePrimitives.ts"
import * as NodeSessionDirectory from "../platform/NodeSessionDirectory.ts"
import * as NodeSessionRedis from "../platform/NodeSessionRedis.ts"
import * as SessionCache from "../service/SessionCache.ts"
import * as SessionKeys from "../service/SessionKeys.ts"
import { type CommandFailed, unusable } from "./Failure.ts"

const directoryPrefix = "file:"

const isDirectory = (where: string): boolean => where.startsWith(directoryPrefix) && where !== directoryPrefix
const isRedis = (where: string): boolean => /^rediss?:\/\//.test(where)

/**
 * @category options
 * @since 0.1.0
 */
export const sessionCache = Flag.String("session-cache").pipe(
  Flag.filter(
    (where) => where === "none" || where === "memory" || isDirectory(where) || isRedis(where),
    () => "none, memory, file:DIRECTORY, redis://HOST:PORT or rediss://HOST:PORT"
  ),
  Flag.withMetavar("WHERE"),
  Flag.withDescription(
    "where sessions are kept: none, memory (the default), file:DIRECTORY, or redis://HOST:PORT for several servers; " +
      "the last two need EFFECT_TLS_SESSION_KEYS"
  ),
  Flag.withDefault("memory")
)

const failed = <I>(error: CommandFailed): Layer.Layer<I, CommandFailed> =>
  Layer.effectContext<I, CommandFailed, never>(Effect.fail(error))

const keysVariable = "EFFECT_TLS_SESSION_KEYS"

const keys = SessionKeys.layerRedacted(Config.Redacted(keysVariable)).pipe(
  Layer.provide(NodePrimitives.layer),
  Layer.catch((error) =>
    failed<SessionKeys.SessionKeys>(unusable(
      error._tag === "InvalidOption"
        ? `${keysVariable} cannot be used: ${error.why}.`
        : `${keysVariable} is not set: sessions are not kept outside of the process without keys that seal them. ` +
          "One of 32 random bytes in base64 will do."
    ))
  )
)

/**
 * The cache that `--session-cache` names.
 *
 * @category layers
 * @since 0.1.0
 */
export const cacheOf = (where: string): Layer.Layer<SessionCache.SessionCache, CommandFailed> => {
  if (where === "none") return SessionCache.layerNone
  if (where === "memory") return SessionCache.layerMemory()
  const store = isDirectory(where)
    ? NodeSessionDirectory.layer(where.slice(directoryPrefix.length))
    : NodeSessionRedis.layer(Redacted.make(where))
  return SessionCache.layerPersisted().pipe(
    Layer.provide(store.pipe(Layer.catch((error) => failed<BackingPersistence>(unusable(error.message))))),
    Layer.provide(keys)
  )
}
