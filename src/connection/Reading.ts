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
  #followers: Array<Resume> = []
  /** Calls the read off, and ends when that is done. */
  stop: () => Effect.Effect<void> = () => Effect.void
  /** It has ended or was called off: what is still to come is for nobody in particular. */
  isOver = false

  constructor(reader: Resume) {
    this.#reader = reader
  }

  get isFollowed(): boolean {
    return this.#followers.length > 0
  }

  /** Gives what leaves again. */
  follow(resume: Resume): Effect.Effect<void> {
    this.#followers.push(resume)
    return Effect.sync(() => {
      this.#followers = this.#followers.filter((other) => other !== resume)
    })
  }

  resumeReader(outcome: Effect.Effect<void>): void {
    this.#reader(outcome)
  }

  resumeFollowers(): void {
    const followers = this.#followers
    this.#followers = []
    for (const resume of followers) resume(Effect.void)
  }
}
