/**
 * The time of the `Clock`.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
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
 * Goes on with the current time, and with the context: one step, where `Effect.flatMap` of `currentMillis` is two.
 *
 * @category combinators
 * @since 0.1.0
 */
export const withNow = <A, E, R>(
  then: (now: number, context: Context.Context<never>) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => then(fiber.getRef(Clock.Clock).currentTimeMillisUnsafe(), fiber.context))
