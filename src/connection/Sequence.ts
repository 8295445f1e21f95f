/**
 * One thing after the other.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

/**
 * As `Effect.andThen`, and at once where there is nothing to wait for, which is most of the time. So it is for inside of an effect: `next` may
 * be called by this very call.
 *
 * @category combinators
 * @since 0.1.0
 */
export const andThen = <A, E, E2>(
  first: Effect.Effect<void, E>,
  next: () => Effect.Effect<A, E2>
): Effect.Effect<A, E | E2> => isDone(first) ? next() : Effect.flatMap(first, next)

/**
 * Whether there is nothing to wait for.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isDone = (effect: Effect.Effect<unknown, unknown>): boolean =>
  effect === Effect.void || (Exit.isExit(effect) && Exit.isSuccess(effect))
