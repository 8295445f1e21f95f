/**
 * A ladder that grows while the conversation goes on.
 *
 * @since 0.1.0
 */
import type { Observation, Observer } from "../record/Observer.ts"
import { draw, drawHeading, legend, type Paint, type Sides } from "./Ladder.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Trace {
  readonly observe: Observer
  /** Draws what is still to be drawn: for before anything else is written. */
  readonly flush: () => void
}

/**
 * Observations of one turn of the event loop are drawn together, so that a message is drawn with its record.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (sides: Sides, paint: Paint, writeLine: (line: string) => void): Trace => {
  const pending: Array<Observation> = []
  let hasHeading = false
  let isScheduled = false

  const flush = () => {
    if (pending.length === 0) return
    if (!hasHeading) {
      for (const line of [`  ${paint("faint", legend)}`, ...drawHeading(sides, paint)]) {
        writeLine(line)
      }
    }
    hasHeading = true
    for (const line of draw(pending.splice(0), sides, paint)) writeLine(line)
  }

  return {
    flush,
    observe: (observation) => {
      pending.push(observation)
      if (isScheduled) return
      isScheduled = true
      setImmediate(() => {
        isScheduled = false
        flush()
      })
    }
  }
}
