import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** What one unit of work cost, by measure: nanoseconds, or bytes for a memory line. */
export type Cost = Readonly<Record<string, number>>

/** One way to do the work of a line. */
export interface Contender {
  readonly name: string
  /** `ours` are compared with the `reference`; a `probe` shows what the platform would allow. */
  readonly part: "ours" | "reference" | "probe"
  /** Does the work once, after a garbage collection. */
  readonly run: Effect.Effect<Cost>
}

/** One thing that is measured. */
export interface Line {
  readonly name: string
  /** What `unit` of work the costs are of. */
  readonly unit: string
  /** The first one is judged by the goal. */
  readonly measures: ReadonlyArray<string>
  /** The ratio that must be reached: `undefined` where the line is there to be looked at. */
  readonly goal: number | undefined
  /** Rounds for the compiler, before those that count: 1 by default. */
  readonly warmUps?: number
  /** `scale` is 1 for a whole run, and small for a quick one. */
  readonly open: (scale: number) => Effect.Effect<ReadonlyArray<Contender>, never, Scope.Scope>
}

export interface Spread {
  readonly min: number
  readonly median: number
  readonly max: number
}

export interface Outcome {
  readonly name: string
  readonly part: Contender["part"]
  /** By measure. */
  readonly costs: Readonly<Record<string, Spread>>
  /**
   * Cost of the reference / own cost, taken inside each round: above 1 is ahead of the reference. There is none for a measure by which
   * the own cost is about zero.
   */
  readonly ratios: Readonly<Record<string, Spread>>
}

export interface LineResult {
  readonly name: string
  readonly unit: string
  readonly measures: ReadonlyArray<string>
  readonly goal: number | undefined
  readonly rounds: number
  readonly outcomes: ReadonlyArray<Outcome>
}

export const spreadOf = (values: ReadonlyArray<number>): Spread => {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (index: number): number => sorted[index] ?? Number.NaN
  const middle = sorted.length / 2
  return {
    min: at(0),
    median: Number.isInteger(middle) ? (at(middle - 1) + at(middle)) / 2 : at(Math.floor(middle)),
    max: at(sorted.length - 1)
  }
}

// A cost a thousand times smaller, or below zero, is what the measuring itself is off by.
const isTelling = ({ max, min }: Spread): boolean => min > 0 && max < 1000

const collectGarbage = Effect.sync(() => globalThis.gc?.())

/** Runs all contenders once a round, in turning order, so that what slows the machine down slows them all down. */
export const measure = (line: Line, options: { readonly rounds: number; readonly scale: number }) =>
  Effect.gen(function*() {
    const contenders = yield* line.open(options.scale)
    const costs = new Map(contenders.map(({ name }): [string, Array<Cost>] => [name, []]))
    for (let round = -(line.warmUps ?? 1); round < options.rounds; round++) {
      for (let turn = 0; turn < contenders.length; turn++) {
        const contender = contenders[(turn + Math.abs(round)) % contenders.length]
        if (contender === undefined) continue
        const cost = yield* Effect.andThen(collectGarbage, contender.run)
        if (round >= 0) costs.get(contender.name)?.push(cost)
      }
    }
    return resultOf(line, contenders, costs)
  }).pipe(Effect.scoped)

const resultOf = (
  line: Line,
  contenders: ReadonlyArray<Contender>,
  costs: ReadonlyMap<string, ReadonlyArray<Cost>>
): LineResult => {
  const of = (name: string | undefined) => costs.get(name ?? "") ?? []
  const reference = of(contenders.find(({ part }) => part === "reference")?.name)
  const outcomes = contenders.map(({ name, part }): Outcome => {
    const own = of(name)
    const spreads = (value: (cost: Cost, round: number, measure: string) => number) =>
      line.measures.map((measure) =>
        [measure, spreadOf(own.map((cost, round) => value(cost, round, measure)))] as const
      )
    const ratios = spreads((cost, round, measure) =>
      (reference[round]?.[measure] ?? Number.NaN) / (cost[measure] ?? Number.NaN)
    )
    return {
      name,
      part,
      costs: Object.fromEntries(spreads((cost, _, measure) => cost[measure] ?? Number.NaN)),
      ratios: Object.fromEntries(ratios.filter(([, ratio]) => isTelling(ratio)))
    }
  })
  const { goal, measures, name, unit } = line
  return { name, unit, measures, goal, rounds: reference.length, outcomes }
}
