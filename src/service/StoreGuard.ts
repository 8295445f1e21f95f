/**
 * A store that others run: it may be slow, or gone. Nobody waits for it longer than a bound, and while it does not answer it is left
 * alone, but for a try now and then.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { withNow } from "./Now.ts"
import * as SessionMetrics from "./SessionMetrics.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface StoreGuard {
  /**
   * What the operation gave; none where it failed, was late, or was not begun because the store rests. One that is late goes on in the
   * background: it may still be carried out. With `whileResting: "ask"` it is begun in any case.
   */
  readonly run: <A, E>(
    operation: SessionMetrics.Operation,
    effect: Effect.Effect<A, E>,
    whileResting?: "skip" | "ask"
  ) => Effect.Effect<Option.Option<A>>
}

const whyOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}

/**
 * `timeout`: how long anybody waits. `rest`: for how long a store is left alone after it failed, in milliseconds.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  options: { readonly timeout: Duration.Duration; readonly rest: number }
): Effect.Effect<StoreGuard> =>
  Effect.sync(() => {
    /** Until when nothing is asked; afterwards one operation is tried. */
    let restsUntil: number | undefined
    let isTried = false

    const failed = (operation: SessionMetrics.Operation, now: number, why: string): Effect.Effect<void> =>
      Effect.suspend(() => {
        const isNews = restsUntil === undefined
        restsUntil = now + options.rest
        return Effect.andThen(
          SessionMetrics.storeError(operation),
          isNews
            ? Effect.logWarning(
              `the session store does not answer, so that handshakes are full ones (${operation}: ${why})`
            )
            : Effect.void
        )
      })

    const answered: Effect.Effect<void> = Effect.suspend(() => {
      if (restsUntil === undefined) return Effect.void
      restsUntil = undefined
      return Effect.logInfo("the session store answers again")
    })

    const attempt = <A, E>(operation: SessionMetrics.Operation, effect: Effect.Effect<A, E>) =>
      Effect.gen(function*() {
        // On a fiber of its own: it is not given up, and nobody who is not to be interrupted has to wait for its end.
        const fiber = yield* Effect.forkDetach(
          Effect.trackDuration(effect, SessionMetrics.latency(operation)),
          { startImmediately: true }
        )
        const exit = yield* Effect.timeoutOption(Fiber.await(fiber), options.timeout)
        const now = yield* Clock.currentTimeMillis
        if (Option.isNone(exit)) {
          yield* failed(operation, now, "out of time")
          return Option.none<A>()
        }
        if (Exit.isFailure(exit.value)) {
          yield* failed(operation, now, whyOf(exit.value.cause))
          return Option.none<A>()
        }
        yield* answered
        return Option.some(exit.value.value)
      })

    return {
      run: <A, E>(
        operation: SessionMetrics.Operation,
        effect: Effect.Effect<A, E>,
        whileResting: "skip" | "ask" = "skip"
      ) =>
        withNow((now): Effect.Effect<Option.Option<A>> => {
          if (restsUntil === undefined || whileResting === "ask") return attempt(operation, effect)
          if (now < restsUntil || isTried) return Effect.succeedNone
          isTried = true
          return Effect.ensuring(
            attempt(operation, effect),
            Effect.sync(() => {
              isTried = false
            })
          )
        })
    }
  })
