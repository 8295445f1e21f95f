import * as Data from "effect/Data"

/** What went wrong in the harness itself (never in the library under test), with all the peer said so far. */
export class HarnessError extends Data.TaggedError("HarnessError")<{
  readonly what: string
  readonly details: string
}> {
  override get message(): string {
    return this.details === "" ? this.what : `${this.what}\n${this.details}`
  }
}
