/**
 * The time of the `Clock`.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/**
 * The current time, in milliseconds since the epoch: `Clock.currentTimeMillis` in one step, where that is two.
 *
 * @category constructors
 * @since 0.1.0
 */
export const currentMillis: Effect.Effect<number> = Effect.withFiberSucceed((fiber) =>
  fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
)

/**
 * Goes on with the current time: one step, where `Effect.flatMap` of `currentMillis` is two.
 *
 * @category combinators
 * @since 0.1.0
 */
export const withNow = <A, E, R>(then: (now: number) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Clock.clockWith((clock) => then(clock.currentTimeMillisUnsafe()))
