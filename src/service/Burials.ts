/**
 * Telling a store of dead sessions, however long it takes.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as SessionMetrics from "./SessionMetrics.ts"
import type { StoreGuard } from "./StoreGuard.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Death {
  readonly name: string
  /** Tells the store. May be done more than once. */
  readonly bury: Effect.Effect<void, unknown>
  /** When it matters no more, in milliseconds since the epoch. */
  readonly until: number
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Burials {
  /** Tells the store, and waits for that as long as the guard does. What cannot be told now is told later. */
  readonly bury: (death: Death) => Effect.Effect<void>
}

const firstDelay = 100
const longestDelay = 5000
const batchSize = 64

/**
 * `capacity`: how many deaths wait for the store at most. One more is not told; the process that saw it still refuses the session.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  guard: StoreGuard,
  options: { readonly capacity: number }
): Effect.Effect<Burials, never, Scope.Scope> =>
  Effect.gen(function*() {
    const pending = new Map<string, Death>()
    const isNeeded = Latch.makeUnsafe(false)
    let isOverflowing = false

    const tell = (deaths: ReadonlyArray<Death>, whileResting?: "skip" | "ask") =>
      guard.run(
        "invalidate",
        Effect.forEach(deaths, ({ bury }) => bury, { concurrency: 16, discard: true }),
        whileResting
      )

    /** Tells of as many as go into one batch; false where the store did not take them. */
    const retry = Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      for (const { name, until } of pending.values()) if (until <= now) pending.delete(name)
      const batch = [...pending.values()].slice(0, batchSize)
      if (batch.length === 0) return true
      yield* SessionMetrics.retried(batch.length)
      if (Option.isNone(yield* tell(batch))) return false
      for (const { name } of batch) pending.delete(name)
      return true
    })

    const work = Effect.gen(function*() {
      let delay = firstDelay
      for (;;) {
        yield* isNeeded.await
        yield* Effect.sleep(delay)
        delay = (yield* retry) ? firstDelay : Math.min(delay * 2, longestDelay)
        yield* SessionMetrics.pending(pending.size)
        if (pending.size > 0) continue
        isNeeded.closeUnsafe()
        isOverflowing = false
        yield* Effect.logInfo("the session store knows of all dead sessions again")
      }
    })

    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        if (pending.size === 0) return Effect.void
        const deaths = [...pending.values()]
        return Effect.flatMap(tell(deaths), (told) =>
          Option.isSome(told) ? Effect.void : Effect.andThen(
            SessionMetrics.abandoned(deaths.length),
            Effect.logError(`the session store was not told of ${deaths.length} dead sessions`)
          ))
      })
    )
    yield* Effect.forkScoped(work)

    return {
      bury: (death) =>
        Effect.gen(function*() {
          const isFull = pending.size >= options.capacity && !pending.has(death.name)
          // Told even to a store that did not answer last time: what is on its way may be heard when this process is no more.
          if (Option.isSome(yield* tell([death], isFull ? "skip" : "ask"))) return
          if (isFull) {
            yield* SessionMetrics.abandoned(1)
            if (isOverflowing) return
            isOverflowing = true
            return yield* Effect.logError("too many dead sessions wait for the session store: it is not told of more")
          }
          if (pending.size === 0) {
            yield* Effect.logWarning("the session store is still to be told of a dead session, which is refused here")
          }
          pending.set(death.name, death)
          yield* SessionMetrics.pending(pending.size)
          isNeeded.openUnsafe()
        })
    }
  })
