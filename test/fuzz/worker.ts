/**
 * Does the jobs of a plan, one after the other, and says what it is at: whoever watches sees which input made it hang or die.
 */
import { parentPort, workerData } from "node:worker_threads"
import { type Job, makeJobs, type Plan } from "./Jobs.ts"
import type { Outcome } from "./Conversation.ts"
import type { Folder } from "./Corpus.ts"

export interface WorkerData {
  readonly plan: Plan
  readonly from: number
}

export type Report =
  | { readonly _tag: "Ready"; readonly count: number; readonly passedOver: Folder["passedOver"] }
  | { readonly _tag: "Begin"; readonly index: number; readonly job: Omit<Job, "run"> }
  | { readonly _tag: "End"; readonly outcome: Outcome; readonly millis: number; readonly memory: number }
  | { readonly _tag: "Done" }

const report = (message: Report): void => parentPort?.postMessage(message, [])

// Made by corpora.ts, which is the only one who starts this file.
const { from, plan } = workerData as WorkerData
const jobs = await makeJobs(plan)
report({ _tag: "Ready", count: jobs.count, passedOver: jobs.passedOver })
for (let index = from; index < jobs.count; index++) {
  const { run, ...job } = jobs.at(index)
  report({ _tag: "Begin", index, job })
  const start = performance.now()
  const { label, violations } = await run()
  const millis = performance.now() - start
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  report({ _tag: "End", outcome: { label, violations }, millis, memory: heapUsed + arrayBuffers })
}
report({ _tag: "Done" })
