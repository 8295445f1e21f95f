/** A small choice of inputs, kept in the repository, so that the tests need no folder of corpora. */
import { readFileSync } from "node:fs"
import * as Schema from "effect/Schema"
import { inputsOf, parseLines, readFolder, Row } from "./Corpus.ts"
import { type Input, jobOf } from "./Jobs.ts"

/** A row, with the corpus it comes from. */
const SampleLine = Schema.Struct({ corpus: Schema.String, ...Row.fields })
export type SampleLine = typeof SampleLine.Type

const longest = 2000

const decodeLine = Schema.decodeUnknownSync(SampleLine)

/** The shortest input for every way in which one of a corpus ended at a target. */
export const chooseSample = async (folder: string): Promise<ReadonlyArray<SampleLine>> => {
  const chosen = new Map<string, Input>()
  for (const input of readFolder(folder, Infinity).inputs) {
    // No private keys, though these are for tests only.
    if (input.target._tag === "Pem" && input.target.label === "PRIVATE KEY") continue
    const job = jobOf(input)
    if (job.length > longest) continue
    const { label } = await job.run()
    const key = `${input.corpus} ${job.target} ${label}`
    const before = chosen.get(key)
    if (before === undefined || job.length < before.bytes.length) chosen.set(key, input)
  }
  const lines = new Map<string, SampleLine>()
  for (const { corpus, row } of chosen.values()) {
    const { b64, dataOffset, name, tags } = row
    const line = {
      corpus,
      name,
      b64,
      ...dataOffset === undefined ? {} : { dataOffset },
      ...tags === undefined ? {} : { tags }
    }
    lines.set(`${corpus} ${name}`, line)
  }
  return [...lines.values()].toSorted((a, b) => a.corpus.localeCompare(b.corpus) || a.name.localeCompare(b.name))
}

export const readSample = (): ReadonlyArray<Input> =>
  parseLines(readFileSync(new URL("../vectors/fuzz-sample.jsonl", import.meta.url), "utf8")).flatMap((line) => {
    const { corpus, ...row } = decodeLine(line)
    return inputsOf(corpus, row)
  })
