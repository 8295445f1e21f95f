import { assert, describe, it } from "@effect/vitest"
import { type Conformance, pageOf, problemsOf, type Requirement, skipsOf, titlesOf } from "./Conformance.ts"
import { readConformance } from "./main.ts"

const requirement = (id: string, text: string = `does what ${id} says`): Requirement => ({
  id,
  section: "1.2",
  level: "MUST",
  requirement: text,
  alert: "any",
  who: "both"
})

const document = {
  name: "RFC 9, section 1",
  url: "https://example.com",
  prefix: "R9-1",
  requirements: [requirement("R9-1.2-01"), requirement("R9-1.2-02")]
}

const conformance = (change: Partial<Conformance> = {}): Conformance => ({
  documents: [document],
  unreachable: { "R9-1.2-02": "there are no pigeons" },
  titles: titlesOf("a.test.ts", "it(\"R9-1.2-01: flies\", () => {})"),
  skips: [],
  ...change
})

describe("what must not be", () => {
  it("is not, as things stand", () => assert.deepStrictEqual(problemsOf(readConformance()), []))

  it("is not, where each requirement is in one list", () => assert.deepStrictEqual(problemsOf(conformance()), []))

  const titles = (source: string) => ({ titles: titlesOf("a.test.ts", source) })
  const saying = (text: string) => ({
    documents: [{ ...document, requirements: [requirement("R9-1.2-01", text), requirement("R9-1.2-02")] }]
  })
  const cases: ReadonlyArray<readonly [what: string, change: Partial<Conformance>, problems: ReadonlyArray<string>]> = [
    ["a requirement in neither list", { unreachable: {} }, [
      "R9-1.2-02 is named by no test, and not listed as out of reach"
    ]],
    ["a requirement that only a comment names", titles("// \"R9-1.2-01: flies\"\n * \"R9-1.2-01\""), [
      "R9-1.2-01 is named by no test, and not listed as out of reach"
    ]],
    ["a requirement in both lists", titles("it(`R9-1.2-01, R9-1.2-02: flies`)"), [
      "R9-1.2-02 is listed as out of reach, and named by a test"
    ]],
    ["a test that names what there is not", titles("it(\"R9-1.2-01: flies\")\nit(\"R9-1.2-03: sings\")"), [
      "a.test.ts names R9-1.2-03, which there is not: R9-1.2-03: sings"
    ]],
    ["a test that is left out", { skips: skipsOf("a.test.ts", "\nit.skip(\"R9-1.2-01: flies\")") }, [
      "a.test.ts:2 leaves tests out"
    ]],
    ["a reason for what there is not", { unreachable: { "R9-1.2-02": "no pigeons", "R9-1.2-04": "none" } }, [
      "R9-1.2-04 is listed as out of reach, and there is no such requirement"
    ]],
    [
      "a name of the protocol in capitals",
      saying("Close_notify follows User_canceled, as TLS_FALLBACK_SCSV does not"),
      [
        "R9-1.2-01 spells Close_notify, which begins in lower case",
        "R9-1.2-01 spells User_canceled, which begins in lower case"
      ]
    ],
    ["no reason", { unreachable: { "R9-1.2-02": " " } }, ["R9-1.2-02 is listed as out of reach without a reason"]]
  ]
  it.each(cases)("%s", (_, change, problems) => assert.deepStrictEqual(problemsOf(conformance(change)), problems))
})

const idsIn = (source: string) => titlesOf("a.test.ts", source).flatMap(({ ids }) => ids)

describe("a title", () => {
  it.each([
    "it('R9-1.2-01: flies', () => {})",
    "test(`R9-1.2-01: ${name} flies`, () =>",
    "describe(\"R9-1.2-01: flies\", () => {",
    "it.effect(\"flies, as R9-1.2-01 says\", () =>",
    "it.live(\n  \"R9-1.2-01: flies\",",
    "it.prop(\"R9-1.2-01: flies\", {",
    "describe.each([\"a\", f(\"b\")])(\"R9-1.2-01: %s flies\", () => {",
    "it.live.each(rows)(\"R9-1.2-01: flies\", () =>",
    "it.each<readonly [string, Kind]>(\n  [[\"a\", 1]]\n)(\n  \"R9-1.2-01: %s flies\",",
    "refuses(\n  `R9-1.2-01: to the ${side}, a bird`,",
    "accepts(\"R9-1.2-01: flies\", [",
    "ends(\"R9-1.2-01: flies\", [",
    "conversation(\"R9-1.2-01: flies\", (all) =>",
    "const rows = [\n  [\"R9-1.2-01\", \"flies\"]",
    "  [\"sings\", bird],\n  [\"R9-1.2-01: flies\", bird],",
    "  ...birds.map(rowOf),\n  [\"R9-1.2-01: flies\", bird],",
    "birds.map((bird) => [`R9-1.2-01: ${bird} flies`, bird])",
    "{\n  name: \"R9-1.2-01: flies\",",
    "{ what: \"R9-1.2-01: flies\" }"
  ])("is the first argument of a test, or stands in a row of a table: %s", (source) => {
    assert.deepStrictEqual(idsIn(source), ["R9-1.2-01"])
  })

  it.each([
    "assert.strictEqual(bird.what, 1, \"R9-1.2-01: flies\")",
    "assert.fail(\"R9-1.2-01: flies\")",
    "assert.deepStrictEqual(birds, [\"R9-1.2-01: flies\"])",
    "assert.deepStrictEqual(birdsOf(a), [\"R9-1.2-01: flies\"])",
    "throw new Error(`R9-1.2-01: ${bird} flies`)",
    "const why = \"R9-1.2-01: flies\"",
    "const id = isBird ? \"R9-1.2-01\" : \"R9-1.2-02\"",
    "submit(\"R9-1.2-01: flies\")",
    "bird.ends(\"R9-1.2-01: flies\")",
    "it(\"flies\", () => fly(\"R9-1.2-01\"))",
    "{ what: \"cannot fly: R9-1.2-01\" }",
    "// it(\"R9-1.2-01: flies\", () => {})"
  ])("is no other text: %s", (source) => assert.deepStrictEqual(idsIn(source), []))
})

describe("a test that is left out", () => {
  it.each([
    "it.skip(\"flies\", () => {})",
    "it.live.skip(\"flies\", () =>",
    "it.skip.each(rows)(\"flies\", () =>",
    "test.todo(\"flies\")",
    "describe.skip(\"birds\", () => {",
    "it.effect.fails(\"flies\", () =>",
    "it.only(\"flies\", () => {})",
    "it(\"flies\", { skip: true }, () => {})",
    "it(\"flies\", (context) => context.skip())"
  ])("%s", (source) => assert.deepStrictEqual(skipsOf("a.test.ts", source), ["a.test.ts:1"]))

  it.each(["describe.skipIf(!isAvailable)(\"birds\", () => {", "it(\"skips\", () => {})", "// it.skip(\"flies\")"])(
    "not %s",
    (source) => assert.deepStrictEqual(skipsOf("a.test.ts", source), [])
  )
})

it("the page has both lists, with the tests and the reasons", () => {
  const page = pageOf(conformance())
  assert.include(page, "| R9-1.2-01 | MUST | does what R9-1.2-01 says | `a.test.ts`: flies |")
  assert.include(page, "| R9-1.2-02 | MUST | does what R9-1.2-02 says | there are no pigeons |")
  assert.include(page, "1 of 2 requirements are shown by tests, 1 are out of reach.")
})
