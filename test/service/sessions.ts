import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import { Session, type SessionCache, SessionKeys, SessionSecret } from "effect-tls"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"

type Fields = ConstructorParameters<typeof Session>[0]

/** A session of its own by number: identifier, secret and certificate. */
export const session = (number: number, fields: Partial<Fields> = {}): Session =>
  new Session({
    version: "1.2",
    id: Uint8Array.of(number >> 8, number),
    cipherSuite: 0xc02b,
    secret: new SessionSecret(new Uint8Array(48).fill(number)),
    serverName: "server.test",
    peerCertificates: [Uint8Array.of(1, 2, 3)],
    authenticatedAt: fields.createdAt ?? 0,
    authenticatedUntil: undefined,
    createdAt: 0,
    lifetime: undefined,
    ageAdd: 0,
    ...fields
  })

export const secretOf = (session: Session): Uint8Array => session.secret.bytes

export const isWiped = (session: Session): boolean => secretOf(session).every((byte) => byte === 0)

export const numberOf = ({ id }: Session): number => ((id[0] ?? 0) << 8) + (id[1] ?? 0)

/** The number of the session that a cache offers. */
export const offeredBy = (
  cache: SessionCache.SessionCache["Service"],
  key: string
): Effect.Effect<number | undefined> =>
  Effect.map(cache.offer(key), (found) => Option.isSome(found) ? numberOf(found.value) : undefined)

export const randomKeys = SessionKeys.layerRandom().pipe(Layer.provide(NodePrimitives.layer))

/** What was counted so far: `tls_sessions_refused dead` is 2. */
export const counts: Effect.Effect<Readonly<Record<string, number>>> = Effect.map(
  Metric.snapshot,
  (all) =>
    Object.fromEntries(all.flatMap((metric): ReadonlyArray<readonly [string, number]> => {
      if (!metric.id.startsWith("tls_session")) return []
      const attributes = Object.entries(metric.attributes ?? {}).filter(([name]) => name !== "time_unit")
      const name = [metric.id, ...attributes.map(([, value]) => value)].join(" ")
      switch (metric.type) {
        case "Counter":
          return [[name, Number(metric.state.count)]]
        case "Gauge":
          return [[name, Number(metric.state.value)]]
        case "Histogram":
          return [[name, metric.state.count]]
        default:
          return []
      }
    }))
)

/** Counts for this effect alone. */
export const counted = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(effect, Metric.MetricRegistry, new Map())
