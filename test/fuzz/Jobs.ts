/** All that one run of the fuzzer has to do, as a list that can be taken up at any place. */
import { type Folder, inputsOf, readFolder } from "./Corpus.ts"
import type { Outcome } from "./Conversation.ts"
import { mutate } from "./Mutation.ts"
import { recordAll } from "./Recorded.ts"
import { attempt, nameOfTarget, runStream, runTarget } from "./Targets.ts"

export interface Plan {
  readonly folder: string | undefined
  /** How many rows of each corpus at most. */
  readonly max: number
  readonly mutations: number
}

export interface Job {
  readonly corpus: string
  readonly name: string
  readonly target: string
  /** Bytes of input. */
  readonly length: number
  readonly run: () => Promise<Outcome>
}

export interface Jobs {
  readonly count: number
  readonly at: (index: number) => Job
  readonly passedOver: Folder["passedOver"]
}

export type Input = ReturnType<typeof inputsOf>[number]

export const jobOf = ({ bytes, corpus, row, target }: Input): Job => ({
  corpus,
  name: row.name,
  target: nameOfTarget(target),
  length: bytes.length,
  run: () => runTarget(target, bytes)
})

export const makeJobs = async (plan: Plan): Promise<Jobs> => {
  const folder = plan.folder === undefined ? { inputs: [], passedOver: [] } : readFolder(plan.folder, plan.max)
  const flights = plan.mutations > 0 ? await recordAll() : []
  return {
    count: folder.inputs.length + plan.mutations,
    passedOver: folder.passedOver,
    at: (index) => {
      const input = folder.inputs[index]
      if (input !== undefined) return jobOf(input)
      const { bytes, flight, operations } = mutate(flights, index - folder.inputs.length)
      return {
        corpus: "mutations",
        name: `${index - folder.inputs.length}: ${operations.join(", ")}`,
        target: flight.name,
        length: bytes.length,
        run: () => attempt(() => runStream(flight.setup, bytes))
      }
    }
  }
}
