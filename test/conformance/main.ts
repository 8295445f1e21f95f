/**
 * `npm run conformance` writes docs/conformance.md; `npm run conformance:check` fails where the page is stale. Both fail where a
 * requirement is neither shown by a test nor out of reach.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import * as Schema from "effect/Schema"
import { type Conformance, pageOf, problemsOf, Requirements, skipsOf, titlesOf, Unreachable } from "./Conformance.ts"

const root = new URL("../../", import.meta.url)
const read = (path: string): string => readFileSync(new URL(path, root), "utf8")
const readJson = <S extends Schema.Decoder<unknown>>(schema: S, path: string): S["Type"] =>
  Schema.decodeUnknownSync(schema)(JSON.parse(read(path)))

const testFiles = (folder: string): ReadonlyArray<string> =>
  readdirSync(new URL(folder, root), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    // The tests of this script name requirements that there are not.
    if (path === "test/conformance/conformance.test.ts") return []
    return entry.isDirectory() ? testFiles(path) : path.endsWith(".test.ts") ? [path] : []
  })

/** What the repository says now. */
export const readConformance = (): Conformance => {
  const sources = testFiles("test").toSorted().map((path) => [path, read(path)] as const)
  return {
    documents: readJson(Requirements, "test/conformance/requirements.json").documents,
    unreachable: readJson(Unreachable, "test/conformance/unreachable.json"),
    titles: sources.flatMap(([path, source]) => titlesOf(path, source)),
    skips: sources.flatMap(([path, source]) => skipsOf(path, source))
  }
}

const main = (command: string | undefined): number => {
  if (command !== "write" && command !== "check") {
    console.error("usage: main.ts write|check")
    return 2
  }
  const conformance = readConformance()
  const problems = [...problemsOf(conformance)]
  const page = pageOf(conformance)
  const file = new URL("docs/conformance.md", root)
  if (command === "write") writeFileSync(file, page)
  else if (read("docs/conformance.md") !== page) problems.push("docs/conformance.md is stale: run npm run conformance")
  for (const problem of problems) console.error(problem)
  return problems.length === 0 ? 0 : 1
}

if (import.meta.main) process.exitCode = main(process.argv[2])
