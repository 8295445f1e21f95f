/**
 * A value that is loaded anew while it is in use, such as certificates that are renewed and lists that grow old.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

/**
 * The value as it was loaded last, and how to load it again. A reload that fails leaves it as it was.
 *
 * @category models
 * @since 0.1.0
 */
export interface Reloading<out A, out E> {
  readonly current: () => A
  readonly reload: Effect.Effect<void, E>
}

/**
 * Loads the value for the first time.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <A, E, R>(load: Effect.Effect<A, E, R>): Effect.Effect<Reloading<A, E>, E, R> =>
  Effect.gen(function*() {
    const context = yield* Effect.context<R>()
    let value = yield* load
    return {
      current: () => value,
      reload: Effect.map(Effect.provideContext(load, context), (loaded) => {
        value = loaded
      })
    }
  })

/**
 * Reloads with every element of the stream, for as long as the scope is open. What fails is logged, and the value stays as it was.
 *
 * @category combinators
 * @since 0.1.0
 */
export const on = <A, E, E2, R>(
  what: string,
  reloading: Reloading<A, E>,
  triggers: Stream.Stream<unknown, E2, R>
): Effect.Effect<void, never, R | Scope.Scope> =>
  triggers.pipe(
    Stream.runForEach(() =>
      Effect.catchCause(
        reloading.reload,
        (cause) => Effect.logWarning(`the ${what} could not be loaded anew, and stays as it was`, cause)
      )
    ),
    Effect.catchCause((cause) => Effect.logWarning(`what tells when to load the ${what} anew has failed`, cause)),
    Effect.forkScoped({ startImmediately: true }),
    Effect.asVoid
  )
