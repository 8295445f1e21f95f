/** What answers each fault, for the tables. */
import * as Record from "effect/Record"
import type { KnownDescription } from "../../src/alert/Alert.ts"
import { answer } from "../../src/alert/Answer.ts"
import { Fault } from "../../src/alert/Fault.ts"
import { faultOf } from "../alert/faults.ts"
import { theOne } from "./markdown.ts"

const versions = ["1.2", "1.3"] as const

/** A fault of each tag; the judgement of the application, which names its alert, with each that it can name. */
const everyFault: ReadonlyArray<Fault> = Record.keys(Fault.cases).flatMap((tag): ReadonlyArray<Fault> =>
  tag === "CertificateRefused"
    ? Fault.cases.CertificateRefused.fields.alert.literals.map((alert) => ({ _tag: tag, alert, why: "" }))
    : [faultOf(tag)]
)

export interface Answer {
  readonly tag: Fault["_tag"]
  readonly alert: KnownDescription
  /** Where only one version answers so. */
  readonly only: typeof versions[number] | undefined
}

/** The total function over both versions. */
export const answers: ReadonlyArray<Answer> = everyFault.flatMap((fault): ReadonlyArray<Answer> => {
  const in12 = answer(fault, "1.2")
  const in13 = answer(fault, "1.3")
  const tag = fault._tag
  return in12 === in13
    ? [{ tag, alert: in12, only: undefined }]
    : [{ tag, alert: in12, only: "1.2" }, { tag, alert: in13, only: "1.3" }]
})

/** The alert for a fault that both versions answer alike. */
export const answered = (fault: Fault): string => theOne(versions.map((version) => `\`${answer(fault, version)}\``))
