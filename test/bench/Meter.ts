import * as Effect from "effect/Effect"
import type { Cost } from "./Line.ts"

const now = (): number => Number(process.hrtime.bigint())

/** Processor time of this process so far, in nanoseconds: all its threads, garbage collection included. */
export const processorTime = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) * 1000
}

/** Wall and processor time for `units` of work, a unit. */
export const timed = (units: number, work: Effect.Effect<unknown>): Effect.Effect<Cost> =>
  Effect.suspend(() => {
    const processor = processorTime()
    const wall = now()
    return Effect.map(work, () => ({ cpu: (processorTime() - processor) / units, wall: (now() - wall) / units }))
  })

/** The same for work of other processes, whose processor time so far can be asked for, by name. */
export const timedElsewhere = (
  units: number,
  processors: Effect.Effect<Readonly<Record<string, number>>>,
  work: Effect.Effect<unknown>
): Effect.Effect<Cost> =>
  Effect.gen(function*() {
    const before = yield* processors
    const wall = now()
    yield* work
    const took = (now() - wall) / units
    const split: Record<string, number> = {}
    let cpu = 0
    for (const [name, after] of Object.entries(yield* processors)) {
      const spent = (after - (before[name] ?? 0)) / units
      split[name] = spent
      cpu += spent
    }
    return { cpu, wall: took, ...split }
  })

/** The same for work that says how much processor time another process spent on it. */
export const timedWithPeer = (
  units: number,
  names: { readonly own: string; readonly peer: string } | undefined,
  work: Effect.Effect<number>
): Effect.Effect<Cost> =>
  Effect.suspend(() => {
    const processor = processorTime()
    const wall = now()
    return Effect.map(work, (peer): Cost => {
      const own = processorTime() - processor
      const split = names === undefined ? {} : { [names.own]: own / units, [names.peer]: peer / units }
      return { cpu: (own + peer) / units, wall: (now() - wall) / units, ...split }
    })
  })
