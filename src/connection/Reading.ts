/**
 * A read of the transport that somebody waits for.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"

/** Has one who waits go on. */
type Resume = (effect: Effect.Effect<void>) => void

/**
 * Two who receive would steal from each other: who comes second waits for the end of the first read, and looks again.
 *
 * @category models
 * @since 0.1.0
 */
export class Reading {
  readonly #reader: Resume
  readonly #followers = new Set<Resume>()
  /** Calls the read off, and ends when that is done. */
  stop: () => Effect.Effect<void> = () => Effect.void
  isCalledOff = false

  constructor(reader: Resume) {
    this.#reader = reader
  }

  /** Gives what leaves again. */
  follow(resume: Resume): Effect.Effect<void> {
    this.#followers.add(resume)
    return Effect.sync(() => this.#followers.delete(resume))
  }

  end(outcome: Effect.Effect<void>): void {
    this.#reader(outcome)
    const followers = [...this.#followers]
    this.#followers.clear()
    for (const resume of followers) resume(Effect.void)
  }
}
