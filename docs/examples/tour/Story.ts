/**
 * How the tour tells what happens: ladders of what was observed, and checks of what had to be seen.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { draw, drawHeading, type Note, type Paint, type Sides, type Step, type Tone } from "../../../src/cli/Ladder.ts"

/** A step of a scenario did not come to pass. */
export class ScenarioFailed extends Data.TaggedError("ScenarioFailed")<{ readonly message: string }> {}

export interface Story {
  readonly title: (text: string) => void
  readonly say: (text: string) => void
  readonly ladder: (steps: ReadonlyArray<Step>, sides: Sides) => void
  /** `seen` is what was really seen, and is printed whether it holds or not. */
  readonly check: (seen: string, holds: boolean) => void
  /** What an error says of itself. */
  readonly quote: (sentence: string) => void
  readonly checks: () => { readonly passed: number; readonly failed: number }
}

const columns = 80

/** Breaks a text into lines of whole words. */
const wrap = (text: string): ReadonlyArray<string> => {
  const lines: Array<string> = []
  let line = ""
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > columns - 4) {
      lines.push(line)
      line = word
    } else line = line === "" ? word : `${line} ${word}`
  }
  return [...lines, line]
}

export const makeStory = (paint: Paint, writeLine: (line: string) => void): Story => {
  let passed = 0
  let failed = 0
  return {
    title: (text) => {
      writeLine("")
      writeLine(`${paint("strong", text)} ${paint("faint", "─".repeat(Math.max(0, columns - text.length - 1)))}`)
    },
    say: (text) => {
      for (const line of wrap(text)) writeLine(`  ${line}`)
      writeLine("")
    },
    ladder: (steps, sides) => {
      for (const line of [...drawHeading(sides, paint), ...draw(steps, sides, paint)]) writeLine(line)
      writeLine("")
    },
    check: (seen, holds) => {
      if (holds) passed++
      else failed++
      writeLine(`  ${holds ? paint("good", "✓") : paint("fatal", "✗")} ${seen}`)
    },
    quote: (sentence) => {
      for (const line of wrap(sentence)) writeLine(`  ${paint("faint", "┆")} ${line}`)
    },
    checks: () => ({ passed, failed })
  }
}

/** The steps of one connection, as they come. */
export class Recording {
  #steps: Array<Step> = []

  readonly observe = (step: Step): void => void this.#steps.push(step)

  note(text: string, tone: Tone = "faint"): void {
    const note: Note = { _tag: "Note", text, tone }
    this.observe(note)
  }

  /** What was recorded since the last time. */
  take(): ReadonlyArray<Step> {
    const taken = this.#steps
    this.#steps = []
    return taken
  }
}

/** Waits for what has to come; a scenario that does not get it has failed. */
export const within = <A, E, R>(
  what: string,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E | ScenarioFailed, R> =>
  Effect.timeoutOrElse(effect, {
    duration: "5 seconds",
    orElse: () => Effect.fail(new ScenarioFailed({ message: `waited 5 seconds in vain for ${what}` }))
  })
