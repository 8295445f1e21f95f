/**
 * Runs corpora of a folder, and mutations of good conversations:
 *
 *     npm run corpora -- [FOLDER] [--max N] [--mutations N]
 *
 * Every input must end in success, a clean close, or one failure with at most one fatal alert. It runs in a thread with little
 * memory, watched from outside, so that a hang and a crash are found with the input they came from. With `--write-sample FILE`
 * it writes a small choice of the inputs, for the tests. Exits with 1 where anything went as it must not.
 */
import { writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { Worker } from "node:worker_threads"
import type { Outcome } from "./Conversation.ts"
import type { Job, Plan } from "./Jobs.ts"
import { Tally } from "./Tally.ts"
import type { Report, WorkerData } from "./worker.ts"

/** Far beyond what any input takes. */
const longestMillis = 20_000

/** Of the heap, for the inputs and all that is made of them. */
const heapMebibytes = 256

/** Of the heap and the buffers beside it, garbage included. */
const mostMebibytes = 512

const withinMemory = ({ memory, outcome }: Extract<Report, { _tag: "End" }>): Outcome =>
  memory <= mostMebibytes * 2 ** 20
    ? outcome
    : { ...outcome, violations: [...outcome.violations, `${memory} bytes of memory are in use`] }

/** What one thread came to: the index to go on from, where it did not come to its end. */
const runThread = (plan: Plan, from: number, tally: Tally): Promise<number | undefined> => {
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>()
  const workerData: WorkerData = { plan, from }
  const worker = new Worker(new URL("./worker.ts", import.meta.url), {
    workerData,
    resourceLimits: { maxOldGenerationSizeMb: heapMebibytes }
  })
  let isOver = false
  let current: { readonly index: number; readonly job: Omit<Job, "run"> } | undefined
  const giveUp = (what: string, cause?: unknown) => {
    if (isOver) return
    isOver = true
    clearTimeout(watchdog)
    void worker.terminate()
    if (current === undefined) reject(new Error(`before the first input: ${what}`, { cause }))
    else {
      tally.add(current.job, { label: what, violations: [what] }, longestMillis, 0)
      resolve(current.index + 1)
    }
  }
  const watchdog = setTimeout(() => giveUp(`no end after ${longestMillis} ms`), longestMillis)
  worker.on("message", (report: Report) => {
    watchdog.refresh()
    switch (report._tag) {
      case "Ready":
        if (from === 0) {
          for (const { file, why } of report.passedOver) console.log(`passed over: ${file}: ${why}`)
        }
        return
      case "Begin":
        current = report
        return
      case "End":
        if (current !== undefined) tally.add(current.job, withinMemory(report), report.millis, report.memory)
        return
      case "Done":
        isOver = true
        clearTimeout(watchdog)
        resolve(undefined)
    }
  })
  worker.on("error", (error) => giveUp(`the thread died: ${String(error)}`, error))
  worker.on("exit", (code) => giveUp(`the thread ended with ${code}`))
  return promise
}

const main = async (): Promise<void> => {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { max: { type: "string" }, mutations: { type: "string" }, "write-sample": { type: "string" } }
  })
  const [folder] = positionals
  const plan: Plan = {
    folder,
    max: values.max === undefined ? Infinity : Number(values.max),
    mutations: Number(values.mutations ?? 0)
  }
  if (Number.isNaN(plan.max) || Number.isNaN(plan.mutations) || (folder === undefined && plan.mutations === 0)) {
    console.error("usage: npm run corpora -- [FOLDER] [--max N] [--mutations N] [--write-sample FILE]")
    process.exitCode = 2
    return
  }
  const sample = values["write-sample"]
  if (sample !== undefined && folder !== undefined) {
    const { chooseSample } = await import("./Sample.ts")
    const lines = await chooseSample(folder)
    writeFileSync(sample, lines.map((line) => `${JSON.stringify(line)}\n`).join(""))
    console.log(`${lines.length} inputs in ${sample}`)
    return
  }
  const tally = new Tally()
  let from: number | undefined = 0
  while (from !== undefined) from = await runThread(plan, from, tally)
  console.log(tally.print())
  // A run that ran nothing has shown nothing.
  if (tally.violations.length > 0 || tally.runs === 0) process.exitCode = 1
}

await main()
