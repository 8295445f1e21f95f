/** What the vector tests share. */
import { readFileSync } from "node:fs"

export const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"))

export const toHex = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString("hex")

export const readVectorText = (name: string): string =>
  readFileSync(new URL(`../vectors/${name}`, import.meta.url), "utf8")

/** The files are part of the repository and each is read by one test, whose type says what is in it. */
export const readVectors = <A>(name: string): A => JSON.parse(readVectorText(name)) as A

export interface Verdict {
  readonly tcId: number
  readonly comment: string
  readonly flags: ReadonlyArray<string>
  readonly result: "valid" | "invalid" | "acceptable"
}

export interface Wycheproof<Group, Test> {
  readonly groups: ReadonlyArray<Group & { readonly tests: ReadonlyArray<Test & Verdict> }>
}

export const titleOf = (test: Verdict): string => `tcId ${test.tcId} ${test.comment} [${test.flags.join(", ")}]`
