/** Which requirement is shown by which test, and which is out of reach and why. */
import * as Schema from "effect/Schema"

const Requirement = Schema.Struct({
  id: Schema.String,
  section: Schema.String,
  level: Schema.Literals(["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY", "DEFINITION", "NOTE"]),
  requirement: Schema.String,
  /** The alert it is about, or `any`; `none` where it asks for silence. */
  alert: Schema.String,
  who: Schema.Literals(["both", "client", "server"])
})
export type Requirement = typeof Requirement.Type

/** Rows that stand together: the part of a document that this library answers for. */
const RequirementDocument = Schema.Struct({
  name: Schema.String,
  url: Schema.String,
  /** What the identifiers of its rows begin with. */
  prefix: Schema.String,
  requirements: Schema.Array(Requirement)
})
export type RequirementDocument = typeof RequirementDocument.Type

export const Requirements = Schema.Struct({ note: Schema.String, documents: Schema.Array(RequirementDocument) })

/** By identifier, the reason why it is out of reach. */
export const Unreachable = Schema.Record(Schema.String, Schema.String)

/** A title of a test that names requirements. */
export interface Title {
  readonly file: string
  readonly title: string
  readonly ids: ReadonlyArray<string>
}

const identifier = /\b(?:R\d+-(?:\d+|[A-Z])(?:\.\d+)*|DMLKEM-[a-z_]+)-\d+\b/g

// Titles may hold `${...}`; strings of one line are enough to find them.
const string = /"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|`((?:[^`\\]|\\.)*)`/g

const isComment = (line: string): boolean => /^\s*(?:\/\/|\/?\*)/.test(line)

const skipping =
  /\b(?:it|test|describe)(?:\.\w+)*\.(?:skip|todo|fails|only)\b|\b(?:skip|todo|fails|only): true\b|\.skip\(/

/** Where a file leaves tests out: what it names is not shown then. (`skipIf` and `runIf` say where there is nothing to test.) */
export const skipsOf = (file: string, source: string): ReadonlyArray<string> =>
  source.split("\n").flatMap((line, index) => !isComment(line) && skipping.test(line) ? [`${file}:${index + 1}`] : [])

// The last five are those of test/handshake13 and test/sweep13.
const registrar = /(?<![\w.])(?:(?:it|test|describe)(?:\.\w+)*|refuses|accepts|ends|conversation|sweep)$/

/** What is left of the source before the bracket that closes at its end was opened. */
const beforeGroup = (source: string): string => {
  let depth = 0
  for (let at = source.length - 1; at >= 0; at--) {
    if (source[at] === ")") depth++
    else if (source[at] === "(" && --depth === 0) return source.slice(0, at).trimEnd().replace(/<[^()]*>$/, "")
  }
  return ""
}

/** Whether the string that follows is the title of a test: the first argument, or its part in a row of a table. */
const isTitleAfter = (before: string, title: string): boolean => {
  if (before.endsWith("(")) {
    const callee = before.slice(0, -1).trimEnd()
    return registrar.test(callee) || (callee.endsWith(")") && registrar.test(beforeGroup(callee)))
  }
  // A row that is not the first comes after another, or after what makes some.
  const isInRow = /(?:\[|\],|=>|\),\n)\s*\[$|\{\s*(?:what|name):$/.test(before)
  return isInRow && title.search(identifier) === 0
}

/** The titles of a test file that name requirements. Comments show nothing, nor does any other text. */
export const titlesOf = (file: string, source: string): ReadonlyArray<Title> => {
  const titles: Array<Title> = []
  let before = ""
  for (const line of source.split("\n").filter((line) => !isComment(line))) {
    for (const match of line.matchAll(string)) {
      const [, double, single, template] = match
      const title = double ?? single ?? template ?? ""
      const ids = title.match(identifier) ?? []
      if (ids.length > 0 && isTitleAfter((before + line.slice(0, match.index)).trimEnd(), title)) {
        titles.push({ file, title, ids })
      }
    }
    before += `${line}\n`
  }
  return titles
}

export interface Conformance {
  readonly documents: ReadonlyArray<RequirementDocument>
  readonly unreachable: Readonly<Record<string, string>>
  readonly titles: ReadonlyArray<Title>
  /** Where tests are left out. */
  readonly skips: ReadonlyArray<string>
}

// A name of the protocol keeps its spelling where a sentence begins with it.
const misspelt = /\b[A-Z][a-z]+_[a-z]\w*/g

/**
 * What must not be: a requirement that nobody answers for, one that two lists answer for, an identifier that there is not, a name that
 * no RFC spells so, a test that is left out.
 */
export const problemsOf = ({ documents, skips, titles, unreachable }: Conformance): ReadonlyArray<string> => {
  const problems = skips.map((place) => `${place} leaves tests out`)
  const known = new Set<string>()
  for (const { name, prefix, requirements } of documents) {
    for (const { id, requirement } of requirements) {
      for (const name of requirement.match(misspelt) ?? []) {
        problems.push(`${id} spells ${name}, which begins in lower case`)
      }
      if (known.has(id)) problems.push(`${id} is there twice`)
      if (!id.startsWith(prefix)) problems.push(`${id} is not of ${name}`)
      known.add(id)
    }
  }
  const tested = new Set(titles.flatMap(({ ids }) => ids))
  for (const id of known) {
    if (!tested.has(id) && unreachable[id] === undefined) {
      problems.push(`${id} is named by no test, and not listed as out of reach`)
    }
    if (tested.has(id) && unreachable[id] !== undefined) {
      problems.push(`${id} is listed as out of reach, and named by a test`)
    }
  }
  for (const { file, ids, title } of titles) {
    for (const id of ids) {
      if (!known.has(id) && documents.some(({ prefix }) => id.startsWith(prefix))) {
        problems.push(`${file} names ${id}, which there is not: ${title}`)
      }
    }
  }
  for (const [id, reason] of Object.entries(unreachable)) {
    if (!known.has(id)) problems.push(`${id} is listed as out of reach, and there is no such requirement`)
    if (reason.trim() === "") problems.push(`${id} is listed as out of reach without a reason`)
  }
  return problems
}

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ")

const row = (cells: ReadonlyArray<string>): string => `| ${cells.map(cell).join(" | ")} |`

/** What a test says of itself, without the numbers that stand in the first column. */
const plain = (title: string): string =>
  title.replaceAll(identifier, "").replaceAll(/\$\{[^}]*\}/g, "…").replaceAll(/^[\s,:]+|[\s,:]+$/g, "").trim()

const testsOf = (titles: ReadonlyArray<Title>, id: string): string => {
  const byFile = new Map<string, Set<string>>()
  for (const { file, ids, title } of titles) {
    if (!ids.includes(id)) continue
    const told = byFile.get(file) ?? new Set<string>()
    byFile.set(file, told)
    if (plain(title) !== "") told.add(plain(title))
  }
  return [...byFile].toSorted(([a], [b]) => a.localeCompare(b))
    .map(([file, told]) => told.size === 0 ? `\`${file}\`` : `\`${file}\`: ${[...told].join("; ")}`)
    .join("<br>")
}

const sectionOf = (document: RequirementDocument, { titles, unreachable }: Conformance): ReadonlyArray<string> => {
  const shown = document.requirements.filter(({ id }) => unreachable[id] === undefined)
  const others = document.requirements.filter(({ id }) => unreachable[id] !== undefined)
  return [
    `## [${document.name}](${document.url})`,
    "",
    `${shown.length} of ${document.requirements.length} requirements are shown by tests, ${others.length} are out of reach.`,
    "",
    "### Shown by tests",
    "",
    row(["id", "level", "requirement", "tests"]),
    row(["---", "---", "---", "---"]),
    ...shown.map(({ id, level, requirement }) => row([id, level, requirement, testsOf(titles, id)])),
    "",
    "### Out of reach",
    "",
    row(["id", "level", "requirement", "why"]),
    row(["---", "---", "---", "---"]),
    ...others.map(({ id, level, requirement }) => row([id, level, requirement, unreachable[id] ?? ""])),
    ""
  ]
}

/** The page, docs/conformance.md. */
export const pageOf = (conformance: Conformance): string =>
  [
    "# Conformance",
    "",
    "What the RFCs ask of the alert protocol, and the tests that show that it is so. This page is generated by",
    "`npm run conformance`, which reads the titles of the tests; `npm test` fails where a requirement is in neither list.",
    "",
    ...conformance.documents.flatMap((document) => sectionOf(document, conformance))
  ].join("\n")
