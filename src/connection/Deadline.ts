/**
 * Time limits for what is mostly over before them.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Option from "effect/Option"

const platformClock = Context.get(Context.empty(), Clock.Clock)
const longestTimer = 2 ** 31 - 1

/**
 * Rings after that long, by the clock of the context. Gives what calls it off.
 *
 * @category combinators
 * @since 0.1.0
 */
export const alarm = (
  context: Context.Context<never>,
  duration: Duration.Input,
  ring: () => void
): () => void => {
  const millis = Duration.toMillis(duration)
  // By the clock of the platform there need be no fiber, and there are four alarms in the life of a pair of connections.
  if (Context.get(context, Clock.Clock) === platformClock && millis <= longestTimer) {
    const timer = setTimeout(ring, millis)
    return () => clearTimeout(timer)
  }
  const sleep = Effect.runForkWith(context)(Effect.sleep(duration))
  sleep.addObserver((exit) => {
    if (Exit.isSuccess(exit)) ring()
  })
  return () => sleep.interruptUnsafe()
}

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
    maskedWithin(restore, Effect.asSome(effect), duration, () => Effect.succeedNone)
  )

/**
 * The same with an effect for who is late, and for who cannot be interrupted but by what `restore` is given. The timed effect always can; the
 * other one runs to its end, and who was interrupted meanwhile does not hear of it.
 *
 * @category combinators
 * @since 0.1.0
 */
export const maskedWithin = <A, E, R>(
  restore: <B, E2>(effect: Effect.Effect<B, E2>) => Effect.Effect<B, E2>,
  effect: Effect.Effect<A, E, R>,
  duration: Duration.Input,
  onLate: () => Effect.Effect<A, E>
): Effect.Effect<A, E, R> =>
  Effect.contextWith((context: Context.Context<R>) => {
    const work = Effect.runForkWith(context)(effect)
    const early = work.pollUnsafe()
    if (early !== undefined) return early
    let isLate = false
    const callOff = alarm(context, duration, () => {
      isLate = true
      work.interruptUnsafe()
    })
    const over = Effect.callback<A, E>((resume) => {
      work.addObserver((exit) => {
        callOff()
        const isCut = isLate && Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
        resume(isCut ? Effect.uninterruptible(onLate()) : exit)
      })
    })
    return Effect.onInterrupt(restore(over), () => {
      callOff()
      return Fiber.interrupt(work)
    })
  })
