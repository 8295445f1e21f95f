/**
 * A time limit for what is mostly over before it.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"

/**
 * Interrupts a fiber that has not ended after that long. Gives the timer, where there is need of one; it ends with the fiber.
 *
 * @category combinators
 * @since 0.1.0
 */
export const cutAfter = <A, E>(
  work: Fiber.Fiber<A, E>,
  duration: Duration.Input
): Effect.Effect<Fiber.Fiber<void> | undefined> =>
  Effect.suspend(() => {
    if (work.pollUnsafe() !== undefined) return Effect.undefined
    return Effect.map(Effect.forkDetach(Effect.sleep(duration), { startImmediately: true }), (timer) => {
      timer.addObserver((exit) => {
        if (Exit.isSuccess(exit)) work.interruptUnsafe()
      })
      work.addObserver(() => timer.interruptUnsafe())
      return timer
    })
  })

/**
 * As `Effect.timeoutOption`, and cheaper: there is no timer for what is over at once, and nobody waits for the end of a timer that is
 * no longer needed.
 *
 * @category combinators
 * @since 0.1.0
 */
export const within = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  duration: Duration.Input
): Effect.Effect<Option.Option<A>, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.forkChild(effect, { startImmediately: true }), (work) => {
      const early = work.pollUnsafe()
      if (early !== undefined) return Exit.map(early, Option.some)
      return Effect.flatMap(
        cutAfter(work, duration),
        (timer) =>
          Effect.onInterrupt(restore(Fiber.await(work)), () => Fiber.interrupt(work)).pipe(
            Effect.flatMap((exit) => {
              const end = timer?.pollUnsafe()
              const isLate = end !== undefined && Exit.isSuccess(end)
              const isCut = isLate && Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
              return isCut ? Effect.succeedNone : Exit.map(exit, Option.some)
            })
          )
      )
    })
  )
