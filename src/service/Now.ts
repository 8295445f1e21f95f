/**
 * The time of the `Clock`.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import type * as Effect from "effect/Effect"

/**
 * Goes on with the current time, in milliseconds since the epoch: one step, where `Effect.flatMap` of `Clock.currentTimeMillis` is three.
 *
 * @category combinators
 * @since 0.1.0
 */
export const withNow = <A, E, R>(then: (now: number) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Clock.clockWith((clock) => then(clock.currentTimeMillisUnsafe()))
