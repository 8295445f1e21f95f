import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Persistence from "effect/persistence/Persistence"
import type * as Scope from "effect/Scope"
import { SessionCache, SessionKeys, StatelessTickets, type TlsTest } from "effect-tls"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import { randomKeys } from "../service/sessions.ts"

export type Cache = SessionCache.SessionCache["Service"]
export type Kind = "in memory" | "persisted" | "in tickets" | "in tickets that are renewed"

/** So that every ticket is replaced when it is used. */
const rotating = SessionKeys.layerRandom({ rotateEvery: "10 minutes", overlap: "60 days" }).pipe(
  Layer.provide(NodePrimitives.layer)
)

/** What keeps sessions, and for how long: an hour by default. */
export const cacheOf = (kind: Kind, timeToLive?: Duration.Input): Effect.Effect<Cache, never, Scope.Scope> => {
  const options = timeToLive === undefined ? {} : { timeToLive }
  const layer = kind === "in memory"
    ? SessionCache.layerMemory(options)
    : kind === "persisted"
    ? SessionCache.layerPersisted(options).pipe(Layer.provide([Persistence.layerBackingMemory, randomKeys]))
    : StatelessTickets.layerWithoutForgetting(options).pipe(
      Layer.provide(kind === "in tickets" ? randomKeys : rotating)
    )
  return Effect.map(Layer.build(layer), (context) => Context.get(context, SessionCache.SessionCache))
}

/** One cache for both sides of a pair, made of a cache each. */
export const bothOf = (caches: Readonly<Record<TlsTest.Side, Cache>>): Cache => {
  const of = (key: string) => caches[key.startsWith("client") ? "client" : "server"]
  const { selfContained } = caches.server
  return SessionCache.SessionCache.of({
    offer: (key) => of(key).offer(key),
    store: (key, session) => of(key).store(key, session),
    invalidate: (key, session) => of(key).invalidate(key, session),
    ...(selfContained === undefined ? {} : { selfContained })
  })
}
