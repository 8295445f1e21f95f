import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import { Fault } from "../../src/alert/Fault.ts"
import { floors } from "../house.ts"
import { regenerate, tables, tablesOf } from "./tables.ts"

const root = resolve(import.meta.dirname, "../..")

const filesBelow = (folder: string, ending: string): ReadonlyArray<string> =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(root, folder, name))

const pages = [join(root, "README.md"), ...filesBelow("docs", ".md")]
const read = (file: string): string => readFileSync(file, "utf8")

describe("documentation", () => {
  it.each(pages.map((page) => [relative(root, page), page] as const))("%s has fresh tables", (_, page) => {
    assert.strictEqual(regenerate(read(page)), read(page), "run npm run docs")
  })

  it("every table is in one page, once", () => {
    assert.deepStrictEqual(pages.flatMap((page) => tablesOf(read(page))).sort(), Object.keys(tables).sort())
  })

  it("every fault is in the table of what raises alerts", () => {
    const table = tables["raised"]?.() ?? ""
    assert.deepStrictEqual(Object.keys(Fault.cases).filter((tag) => !table.includes(`\`${tag}\``)), [])
  })

  it("the floors of the architecture are those of the house", () => {
    const page = read(join(root, "docs/architecture.md"))
    const told = [...page.matchAll(/^\| (\d+) +\| `(?:([a-z0-9]+)\/|\*\.ts)` /gm)]
      .map(([, floor, folder = ""]) => [folder, Number(floor)] as const)
    assert.deepStrictEqual(told, [...floors])
  })

  it.each(pages.map((page) => [relative(root, page), page] as const))("%s links to what exists", (_, page) => {
    const links = [...read(page).matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)].map((match) => match[1] ?? "")
    const broken = links.filter((link) => !existsSync(resolve(dirname(page), link)))
    assert.deepStrictEqual(broken, [])
  })

  it("every piece of TypeScript in a page or a docstring type-checks", () => {
    const snippets = new Map<string, string>()
    const name = (file: string, index: number) =>
      `${relative(root, file).replaceAll(/[^A-Za-z0-9]+/g, "_")}_${index}.ts`
    for (const page of pages) {
      for (const [index, match] of [...read(page).matchAll(/^```ts\n([\s\S]*?)^```$/gm)].entries()) {
        snippets.set(name(page, index), match[1] ?? "")
      }
    }
    for (const file of filesBelow("src", ".ts")) {
      const examples = read(file).matchAll(/^ \* @example\n((?: \*(?! @)(?: .*)?\n)+)/gm)
      for (const [index, match] of [...examples].entries()) {
        snippets.set(name(file, index), (match[1] ?? "").replaceAll(/^ \* ?/gm, ""))
      }
    }
    assert.isAbove(snippets.size, 5)
    const folder = join(import.meta.dirname, "snippets")
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder)
    try {
      for (const [file, code] of snippets) writeFileSync(join(folder, file), `${code}\nexport {}\n`)
      writeFileSync(
        join(folder, "tsconfig.json"),
        JSON.stringify({ extends: "../../../tsconfig.json", include: ["*.ts"] })
      )
      let output = ""
      try {
        execFileSync(join(root, "node_modules/.bin/tsc"), ["--project", folder], { encoding: "utf8", stdio: "pipe" })
      } catch (failure) {
        output = String(Reflect.get(Object(failure), "stdout"))
      }
      assert.strictEqual(output, "")
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
