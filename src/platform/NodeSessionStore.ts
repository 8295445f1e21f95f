/**
 * What the session stores of Node have in common.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"

/**
 * A store cannot be used from the start: better a sentence then than full handshakes for ever.
 *
 * @category errors
 * @since 0.1.0
 */
export class SessionStoreUnusable extends Data.TaggedError("SessionStoreUnusable")<{
  /** As it was named, without user and password. */
  readonly store: string
  readonly why: string
}> {
  override get message(): string {
    return `The session store ${this.store} cannot be used: ${this.why}.`
  }
}
