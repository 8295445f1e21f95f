import * as Effect from "effect/Effect"
import { HarnessError } from "./HarnessError.ts"

/** How long any wait of the harness may last, in milliseconds of the real clock (`TestClock` does not move it). */
export const waitLimit = Number(process.env["EFFECT_TLS_HARNESS_TIMEOUT"] ?? 10_000)

/** `undefined` while there is nothing to say yet, then the effect that ends the wait. */
export type Probe<A> = () => Effect.Effect<A, HarnessError> | undefined

/** Waiting for a condition on mutable state that announces each of its changes. */
export interface Watch {
  readonly changed: () => void
  /** Looks at once, after each change and, for what changes in silence, every `every` milliseconds. */
  readonly until: <A>(what: string, probe: Probe<A>, every?: number) => Effect.Effect<A, HarnessError>
}

/** `details` is what a wait that runs out of time prints. */
export const makeWatch = (details: () => string): Watch => {
  const checks = new Set<() => void>()
  return {
    changed: () => {
      for (const check of checks) check()
    },
    until: <A>(what: string, probe: Probe<A>, every?: number) =>
      Effect.callback<A, HarnessError>((resume) => {
        const stop = () => {
          clearTimeout(timer)
          clearInterval(ticker)
          checks.delete(check)
        }
        const check = () => {
          const outcome = probe()
          if (outcome === undefined) return
          stop()
          resume(outcome)
        }
        const timer = setTimeout(() => {
          stop()
          resume(
            Effect.fail(new HarnessError({ what: `waited ${waitLimit} ms for ${what}`, details: details() }))
          )
        }, waitLimit)
        const ticker = every === undefined ? undefined : setInterval(check, every)
        checks.add(check)
        check()
        return Effect.sync(stop)
      })
  }
}
