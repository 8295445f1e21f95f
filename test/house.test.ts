/** The rules of `house.ts`, held against the sources, and shown to see what they are there for. */
import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import {
  byName,
  byPlace,
  cyclesOf,
  type House,
  importsOf,
  impureGlobals,
  kernelExceptions,
  linesOf,
  longTables,
  lowerFloorsOnly,
  mostLines,
  noHoleInTheTypes,
  noImpureGlobals,
  notTooLong,
  packagesOfTheFloor,
  platformBehind,
  type Rule,
  type Source
} from "./house.ts"

const root = new URL("..", import.meta.url)
/** What git does not look at. */
const ignored = readFileSync(new URL(".gitignore", root), "utf8").split("\n").map((line) => line.replace(/\/$/, ""))
const isIgnored = (path: string): boolean =>
  ignored.some((pattern) =>
    pattern.startsWith("*") ? path.endsWith(pattern.slice(1)) : pattern !== "" && path === pattern
  )

const filesBelow = (folder: string): ReadonlyArray<string> =>
  readdirSync(new URL(folder, root), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    return isIgnored(path) ? [] : entry.isDirectory() ? filesBelow(path) : [path]
  })

const house: House = filesBelow("src").filter((path) => path.endsWith(".ts"))
  .map((path) => ({ path, text: readFileSync(new URL(path, root), "utf8") }))

describe("the house as it stands", () => {
  const rules: Record<string, Rule> = {
    "imports lower floors only, and no sibling": lowerFloorsOnly,
    "imports of packages what its floor may": packagesOfTheFloor,
    "has a kernel without clock, randomness, timers and platform": noImpureGlobals,
    "has no hole in its types": noHoleInTheTypes,
    "has no file that is too long": notTooLong
  }
  it.each(Object.entries(rules))("%s", (_, rule) => {
    assert.isAbove(house.length, 50)
    assert.deepStrictEqual(house.flatMap(rule), [])
  })

  it("has no circle of imports", () => assert.deepStrictEqual(cyclesOf(house), []))

  it("shows nothing of Node to who imports its index", () => {
    assert.deepStrictEqual(platformBehind(house, "src/index.ts"), [])
  })

  it("makes no exception that is not needed", () => {
    const pathOf = (path: string): Source => house.find((source) => source.path === path) ?? { path, text: "" }
    for (const [path, specifier] of kernelExceptions) assert.include(importsOf(pathOf(path)), specifier)
    for (const path of longTables.keys()) assert.isAbove(linesOf(pathOf(path).text), mostLines)
  })

  it("names its files for what they are", () => {
    assert.deepStrictEqual(
      ["src", "test", "docs"].flatMap(filesBelow).flatMap((path) => byName({ path, text: "" })),
      []
    )
  })

  it("keeps the top of the repository tidy", () => {
    assert.deepStrictEqual(
      readdirSync(root).filter((path) => !isIgnored(path)).flatMap((path) => byPlace({ path, text: "" })),
      []
    )
  })
})

describe("each rule sees what it is there for, and nothing else", () => {
  const cases: ReadonlyArray<readonly [Rule, path: string, text: string, complaints: number]> = [
    [lowerFloorsOnly, "src/alert/A.ts", `import { b } from "../record/B.ts"`, 1],
    [lowerFloorsOnly, "src/alert/A.ts", `import type { B } from "../record/B.ts"`, 1],
    [lowerFloorsOnly, "src/alert/A.ts", `import {\n  a,\n  b\n} from\n  "../record/B.ts"`, 1],
    [lowerFloorsOnly, "src/alert/A.ts", `export * from "../record/B.ts"`, 1],
    [lowerFloorsOnly, "src/alert/A.ts", `import "../record/B.ts"`, 1],
    [lowerFloorsOnly, "src/alert/A.ts", `const b = await import("../record/B.ts")`, 1],
    [lowerFloorsOnly, "src/alert/A.ts", `type B = import("../record/B.ts").B`, 1],
    [lowerFloorsOnly, "src/message/A.ts", `import { b } from "../x509/B.ts"`, 1],
    [lowerFloorsOnly, "src/x509/A.ts", `import { b } from "../message/B.ts"`, 1],
    [lowerFloorsOnly, "src/platform/A.ts", `import { b } from "../cli/B.ts"`, 1],
    [lowerFloorsOnly, "src/connection/A.ts", `import { b } from "../TlsClient.ts"`, 1],
    [lowerFloorsOnly, "src/wire/A.ts", `import { b } from "../cupboard/B.ts"`, 1],
    [lowerFloorsOnly, "src/cupboard/A.ts", "", 1],
    [lowerFloorsOnly, "src/cli/A.ts", `import { b } from "../../test/B.ts"`, 1],
    [lowerFloorsOnly, "src/record/A.ts", `import { b } from "./B.ts"\nimport { c } from "../wire/C.ts"`, 0],
    [lowerFloorsOnly, "src/index.ts", `export * as A from "./TlsClient.ts"\nexport * from "./alert/A.ts"`, 0],
    [lowerFloorsOnly, "src/cli/tour/A.ts", `import { b } from "../B.ts"\nimport { c } from "../../TlsClient.ts"`, 0],
    [lowerFloorsOnly, "src/alert/A.ts", `// import { b } from "../record/B.ts"\nconst a = 'from "../record/B.ts"'`, 0],
    [packagesOfTheFloor, "src/wire/A.ts", `import { hash } from "node:crypto"`, 1],
    [packagesOfTheFloor, "src/record/A.ts", `import * as Effect from "effect/Effect"`, 1],
    [packagesOfTheFloor, "src/record/A.ts", `import type { Effect } from "effect/Effect"`, 1],
    [packagesOfTheFloor, "src/secret/A.ts", `import { Schema } from "effect"`, 1],
    [packagesOfTheFloor, "src/message/A.ts", `import * as Clock from "effect/Clock"`, 1],
    [packagesOfTheFloor, "src/message/A.ts", `import * as Result from "effect/Result"`, 0],
    [packagesOfTheFloor, "src/service/A.ts", `import { hash } from "node:crypto"`, 1],
    [packagesOfTheFloor, "src/service/A.ts", `import { Effect } from "effect"`, 1],
    [packagesOfTheFloor, "src/A.ts", `import * as NodeSocket from "@effect/platform-node/NodeSocket"`, 1],
    [packagesOfTheFloor, "src/A.ts", `import { Socket } from "effect/socket"`, 1],
    [packagesOfTheFloor, "src/A.ts", `import * as Socket from "effect/socket/Socket"`, 0],
    [packagesOfTheFloor, "src/cli/A.ts", `import { NodeSocket } from "@effect/platform-node"`, 1],
    [packagesOfTheFloor, "src/platform/A.ts", `import { hash } from "node:crypto"`, 0],
    [packagesOfTheFloor, "src/cli/A.ts", `import * as NodeSocket from "@effect/platform-node/NodeSocket"`, 0],
    ...[...impureGlobals].map((name) => [noImpureGlobals, "src/wire/A.ts", `const a = ${name}.b`, 1] as const),
    [noImpureGlobals, "src/secret/A.ts", "const a = Math.random()", 1],
    [noImpureGlobals, "src/secret/A.ts", "const a = `a ${b ? `c ${new Date()}` : {}} d`", 1],
    [noImpureGlobals, "src/secret/A.ts", `const a = b / 2; new Date() / 3`, 1],
    [
      noImpureGlobals,
      "src/secret/A.ts",
      `const a = b.crypto.c?.process // Buffer\n/* Date */ + "URL" + \`Date\` + /Date/`,
      0
    ],
    [noImpureGlobals, "src/service/A.ts", "const a = new Date()", 0],
    [noHoleInTheTypes, "src/cli/A.ts", "const a: any = 1", 1],
    [noHoleInTheTypes, "src/cli/A.ts", "const a = b as any as Map<any, any> | Array<(x: [any]) => any>", 5],
    [noHoleInTheTypes, "src/cli/A.ts", "const a = b!.c + d()!.e + f[0]! + this!.g", 4],
    [noHoleInTheTypes, "src/cli/A.ts", "class A { b!: string }", 1],
    [noHoleInTheTypes, "src/cli/A.ts", "const a = `${b!}`", 1],
    [noHoleInTheTypes, "src/cli/A.ts", "// @ts-ignore\n// @ts-expect-error\n// @ts-nocheck", 3],
    [
      noHoleInTheTypes,
      "src/cli/A.ts",
      "const a = !b !== !(c) // any b!.c\nconst d = Effect.any(\"any!\") && (e) !== f; let any = 0; any |= 1",
      0
    ],
    [notTooLong, "src/wire/A.ts", "a\n".repeat(401), 1],
    [notTooLong, "src/wire/A.ts", "a\n".repeat(400), 0],
    [byName, "src/wire/utils.ts", "", 1],
    [byName, "test/helpers/a.ts", "", 1],
    [byName, "src/wire/Misc.ts", "", 1],
    [byName, "test/harness/Process.ts", "", 0],
    [byPlace, "scripts", "", 1],
    [byPlace, "NOTES.md", "", 1],
    [byPlace, ".ci", "", 0]
  ]
  it.each(cases)("%o %s: %j", (rule, path, text, complaints) => {
    const found = rule({ path, text })
    assert.strictEqual(found.length, complaints, found.join("\n"))
  })

  const houseOf = (files: Record<string, string>): House =>
    Object.entries(files).map(([path, text]) => ({ path, text }))

  it("circles, of one file, of two, and behind others; not two ways to one file", () => {
    assert.deepStrictEqual(cyclesOf(houseOf({ "src/wire/A.ts": `import "./A.ts"` })), [
      "src/wire/A.ts -> src/wire/A.ts"
    ])
    assert.deepStrictEqual(
      cyclesOf(houseOf({
        "src/a/A.ts": `import "./B.ts"`,
        "src/a/B.ts": `import type { C } from "../c/C.ts"`,
        "src/c/C.ts": `export * from "../a/B.ts"`
      })),
      ["src/a/B.ts -> src/c/C.ts -> src/a/B.ts"]
    )
    const diamond = {
      "src/A.ts": `import "./B.ts"\nimport "./C.ts"`,
      "src/B.ts": `import "./D.ts"`,
      "src/C.ts": `import "./D.ts"`
    }
    assert.deepStrictEqual(cyclesOf(houseOf({ ...diamond, "src/D.ts": "" })), [])
  })

  it("Node behind the index, however far", () => {
    const files = {
      "src/index.ts": `export * from "./TlsClient.ts"`,
      "src/TlsClient.ts": `import "./wire/A.ts"`,
      "src/wire/A.ts": `import "node:net"`,
      "src/platform/B.ts": `import "node:fs"`
    }
    assert.strictEqual(platformBehind(houseOf(files), "src/index.ts").length, 1)
    const more = { ...files, "src/wire/A.ts": `import "../platform/B.ts"` }
    assert.strictEqual(platformBehind(houseOf(more), "src/index.ts").length, 2)
    assert.deepStrictEqual(platformBehind(houseOf({ ...files, "src/wire/A.ts": "" }), "src/index.ts"), [])
  })
})
