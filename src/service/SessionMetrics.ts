/**
 * What can be counted about sessions, as Effect metrics: see docs/sessions.md.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

/**
 * Why a session that was asked for is not resumed: the cache does not have it; it is too old; it died, or is as old as what died; what
 * is stored is unreadable, or was sealed under a key that is not held; the store did not answer; the session does not fit the
 * hello; the binder of the ticket is wrong.
 *
 * @category models
 * @since 0.1.0
 */
export type Refusal = "absent" | "expired" | "dead" | "unreadable" | "unknown-key" | "store" | "unfit" | "binder"

const refusals = [
  "absent",
  "expired",
  "dead",
  "unreadable",
  "unknown-key",
  "store",
  "unfit",
  "binder"
] as const satisfies ReadonlyArray<Refusal>

/**
 * What a store is asked for.
 *
 * @category models
 * @since 0.1.0
 */
export type Operation = "offer" | "store" | "invalidate"

const operations = ["offer", "store", "invalidate"] as const satisfies ReadonlyArray<Operation>

const countOf = (name: string, description: string, attributes: Readonly<Record<string, string>> = {}) =>
  Metric.counter(name, { description, attributes, incremental: true })

/** One for each value: `Metric.withAttributes` would look for its series at every update. */
const byValue = <const Value extends string, Made>(
  values: ReadonlyArray<Value>,
  make: (value: Value) => Made
): (value: Value) => Made => {
  const made = new Map(values.map((value) => [value, make(value)]))
  return (value) => made.get(value) ?? make(value)
}

const resumedBy = byValue(
  ["client", "server"],
  (role) => countOf("tls_sessions_resumed", "Handshakes that resumed a session", { role })
)
const refusedBy = byValue(
  refusals,
  (reason) => countOf("tls_sessions_refused", "Sessions that were asked for and not resumed, by reason", { reason })
)
const errorsBy = byValue(
  operations,
  (operation) =>
    countOf("tls_session_store_errors", "Operations of a session store that failed or came too late", { operation })
)
const latencyBy = byValue(operations, (operation) =>
  Metric.timer("tls_session_store_latency", {
    description: "How long the operations of a session store take",
    attributes: { operation },
    boundaries: Metric.exponentialBoundaries({ start: 0.125, factor: 2, count: 16 })
  }))

const offeredCount = countOf("tls_sessions_offered", "Sessions that a cache was asked for")
const storedCount = countOf("tls_sessions_stored", "Sessions that a cache took")
const invalidatedCount = countOf("tls_sessions_invalidated", "Sessions that a cache was told to forget")
const retriedCount = countOf("tls_session_invalidations_retried", "Attempts to tell a store again of a dead session")
const abandonedCount = countOf("tls_session_invalidations_abandoned", "Dead sessions that a store could not be told of")
const pendingGauge = Metric.gauge("tls_session_invalidations_pending", {
  description: "Dead sessions that a store is still to be told of"
})

// `Metric.update` in one step instead of two: a handshake counts twice or three times.
const once = (counter: Metric.Counter<number>): Effect.Effect<void> =>
  Effect.withFiberSucceed(({ context }) => counter.updateUnsafe(1, context))

/**
 * A cache was asked for a session.
 *
 * @category metrics
 * @since 0.1.0
 */
export const offered: Effect.Effect<void> = once(offeredCount)

/**
 * The same, and `storedIn` as `stored`, for who has the context at hand: at once.
 *
 * @category metrics
 * @since 0.1.0
 */
export const offeredIn = (context: Context.Context<never>): void => offeredCount.updateUnsafe(1, context)

/**
 * A handshake was a resumption.
 *
 * @category metrics
 * @since 0.1.0
 */
export const resumed = (role: "client" | "server"): Effect.Effect<void> => once(resumedBy(role))

/**
 * @category metrics
 * @since 0.1.0
 */
export const refused = (reason: Refusal): Effect.Effect<void> => once(refusedBy(reason))

/**
 * @category metrics
 * @since 0.1.0
 */
export const stored: Effect.Effect<void> = once(storedCount)

/**
 * @category metrics
 * @since 0.1.0
 */
export const storedIn = (context: Context.Context<never>): void => storedCount.updateUnsafe(1, context)

/**
 * @category metrics
 * @since 0.1.0
 */
export const invalidated: Effect.Effect<void> = once(invalidatedCount)

/**
 * @category metrics
 * @since 0.1.0
 */
export const storeError = (operation: Operation): Effect.Effect<void> => Metric.update(errorsBy(operation), 1)

/**
 * How long an operation of the store took, whoever still waited for it.
 *
 * @category metrics
 * @since 0.1.0
 */
export const latency = (operation: Operation): Metric.Metric<Duration.Duration, Metric.HistogramState> =>
  latencyBy(operation)

/**
 * @category metrics
 * @since 0.1.0
 */
export const retried = (count: number): Effect.Effect<void> => Metric.update(retriedCount, count)

/**
 * @category metrics
 * @since 0.1.0
 */
export const abandoned = (count: number): Effect.Effect<void> => Metric.update(abandonedCount, count)

/**
 * @category metrics
 * @since 0.1.0
 */
export const pending = (count: number): Effect.Effect<void> => Metric.update(pendingGauge, count)
