/** The rules of the house, each a function of a path and a text: its floors, the purity of its kernel, its manners. */
import { dirname, join, normalize } from "node:path/posix"
import { SyntaxKind } from "typescript/unstable/ast"
import { createScanner } from "typescript/unstable/ast/scanner"

/** A file of the repository; the path is relative to its root. */
export interface Source {
  readonly path: string
  readonly text: string
}

/** What is wrong with a file, a sentence each. */
export type Rule = (source: Source) => ReadonlyArray<string>

// ---- tokens

interface Token {
  readonly kind: SyntaxKind
  readonly text: string
  readonly start: number
  readonly end: number
}

/** Kinds after which a slash divides, a `!` asserts, and an expression may have ended. */
const operandEnds: ReadonlySet<SyntaxKind> = new Set([
  SyntaxKind.Identifier,
  SyntaxKind.PrivateIdentifier,
  SyntaxKind.ThisKeyword,
  SyntaxKind.NumericLiteral,
  SyntaxKind.StringLiteral,
  SyntaxKind.NoSubstitutionTemplateLiteral,
  SyntaxKind.TemplateTail,
  SyntaxKind.CloseParenToken,
  SyntaxKind.CloseBracketToken,
  SyntaxKind.CloseBraceToken
])

/** Comments are left out; a template is its literal parts and the tokens between them. */
const tokensOf = (text: string): ReadonlyArray<Token> => {
  const scanner = createScanner(true)
  scanner.setText(text)
  const tokens: Array<Token> = []
  // For each template that is open: how many braces are open inside its expression.
  const templates: Array<number> = []
  for (let kind = scanner.scan(); kind !== SyntaxKind.EndOfFile; kind = scanner.scan()) {
    const last = tokens.at(-1)
    const braces = templates.at(-1)
    if (kind === SyntaxKind.SlashToken || kind === SyntaxKind.SlashEqualsToken) {
      if (last === undefined || !operandEnds.has(last.kind)) kind = scanner.reScanSlashToken()
    } else if (kind === SyntaxKind.TemplateHead) templates.push(0)
    else if (braces !== undefined && kind === SyntaxKind.OpenBraceToken) templates.push((templates.pop() ?? 0) + 1)
    else if (kind === SyntaxKind.CloseBraceToken && braces !== undefined) {
      templates.pop()
      if (braces > 0) templates.push(braces - 1)
      else {
        kind = scanner.reScanTemplateToken(false)
        if (kind === SyntaxKind.TemplateMiddle) templates.push(0)
      }
    }
    tokens.push({ kind, text: scanner.getTokenText(), start: scanner.getTokenStart(), end: scanner.getTokenEnd() })
  }
  return tokens
}

/** What a file imports and exports from, types included. */
export const importsOf = ({ text }: Source): ReadonlyArray<string> => {
  const tokens = tokensOf(text)
  return tokens.flatMap(({ kind, text }, i) => {
    if (kind !== SyntaxKind.StringLiteral && kind !== SyntaxKind.NoSubstitutionTemplateLiteral) return []
    const [before, last] = [tokens[i - 2]?.kind, tokens[i - 1]?.kind]
    const isImport = last === SyntaxKind.FromKeyword || last === SyntaxKind.ImportKeyword ||
      (last === SyntaxKind.OpenParenToken && before === SyntaxKind.ImportKeyword)
    return isImport ? [text.slice(1, -1)] : []
  })
}

const isRelative = (specifier: string): boolean => specifier.startsWith(".")
const resolve = (from: string, specifier: string): string => normalize(join(dirname(from), specifier))

// ---- the floors

export const floors: ReadonlyMap<string, number> = new Map([
  ["wire", 0],
  ["alert", 1],
  ["secret", 2],
  ["record", 3],
  ["message", 4],
  ["x509", 4],
  ["service", 5],
  ["handshake", 6],
  ["connection", 7],
  ["testing", 7],
  // The public modules lie in src itself.
  ["", 8],
  ["platform", 9],
  ["cli", 10]
])
const highestOfKernel = 4
const highestOfPublic = 8

const folderOf = (path: string): string => path.split("/").slice(1, -1)[0] ?? ""
const floorOf = (path: string): number | undefined => floors.get(folderOf(path))

export const lowerFloorsOnly: Rule = (source) => {
  const own = floorOf(source.path)
  if (own === undefined) return [`${source.path} is on no floor`]
  return importsOf(source).filter(isRelative).flatMap((specifier) => {
    const target = resolve(source.path, specifier)
    const floor = target.startsWith("src/") ? floorOf(target) : undefined
    if (floor === undefined) return [`${source.path} imports ${target}, which is no part of the house`]
    if (folderOf(target) === folderOf(source.path) || floor < own) return []
    return [`${source.path} imports ${target}, ${floor === own ? "a sibling" : "which is above it"}`]
  })
}

const dataModules: ReadonlySet<string> = new Set(
  "Schema SchemaIssue SchemaTransformation SchemaGetter Result Option Data Context Redacted Predicate Equal"
    .split(" ").map((name) => `effect/${name}`)
)

/** Imports that the kernel should not have, and has for a reason. */
export const kernelExceptions: ReadonlyMap<string, string> = new Map([
  // What SchemaTransformation.transformEffect returns is an Effect; nothing runs it here.
  ["src/alert/Alert.ts", "effect/Effect"]
])

/** `effect/Schema` and `effect/socket/Socket`, and no barrel. */
const isModuleOfEffect = (specifier: string): boolean => /^effect\/([a-z-]+\/)?[A-Z]\w*$/.test(specifier)

export const packagesOfTheFloor: Rule = (source) => {
  const floor = floorOf(source.path) ?? 0
  return importsOf(source).filter((specifier) => !isRelative(specifier)).flatMap((specifier) => {
    const isAllowed = floor <= highestOfKernel
      ? dataModules.has(specifier) || kernelExceptions.get(source.path) === specifier
      : floor <= highestOfPublic
      ? isModuleOfEffect(specifier)
      : isModuleOfEffect(specifier) || !/^(@effect\/[a-z-]+|effect(\/.*)?)$/.test(specifier)
    return isAllowed ? [] : [`${source.path} imports ${specifier}`]
  })
}

export const impureGlobals: ReadonlySet<string> = new Set(
  ("Buffer process crypto performance setTimeout setInterval setImmediate queueMicrotask URL URLSearchParams Date " +
    "console fetch require globalThis").split(" ")
)

export const noImpureGlobals: Rule = (source) => {
  if ((floorOf(source.path) ?? 0) > highestOfKernel) return []
  const tokens = tokensOf(source.text)
  return tokens.flatMap(({ kind, text }, i) => {
    const [before, last] = [tokens[i - 2], tokens[i - 1]]
    const isMember = last?.kind === SyntaxKind.DotToken || last?.kind === SyntaxKind.QuestionDotToken
    const isRandom = isMember && before?.text === "Math" && text === "random"
    const isName = kind === SyntaxKind.Identifier || kind === SyntaxKind.RequireKeyword
    return isRandom || (isName && !isMember && impureGlobals.has(text)) ? [`${source.path} uses ${text}`] : []
  })
}

// ---- the manners

/** Kinds after which `any` is the type, and no name of something. */
const beforeTypes: ReadonlySet<SyntaxKind> = new Set([
  SyntaxKind.ColonToken,
  SyntaxKind.LessThanToken,
  SyntaxKind.CommaToken,
  SyntaxKind.BarToken,
  SyntaxKind.AmpersandToken,
  SyntaxKind.EqualsToken,
  SyntaxKind.EqualsGreaterThanToken,
  SyntaxKind.OpenParenToken,
  SyntaxKind.OpenBracketToken,
  SyntaxKind.AsKeyword,
  SyntaxKind.SatisfiesKeyword,
  SyntaxKind.ExtendsKeyword,
  SyntaxKind.IsKeyword
])

export const noHoleInTheTypes: Rule = ({ path, text }) => {
  const tokens = tokensOf(text)
  const found = tokens.flatMap(({ kind, start }, i) => {
    const last = tokens[i - 1]
    if (kind === SyntaxKind.AnyKeyword && last !== undefined && beforeTypes.has(last.kind)) return [`${path} has any`]
    // The formatter sets a space before a `!` that negates.
    return kind === SyntaxKind.ExclamationToken && last !== undefined && operandEnds.has(last.kind) &&
        last.end === start
      ? [`${path} asserts with !`]
      : []
  })
  const directives = text.match(/@ts-(ignore|expect-error|nocheck)/g) ?? []
  return [...found, ...directives.map((directive) => `${path} has ${directive}`)]
}

export const mostLines = 400
/** Tables: splitting them would help nobody. */
export const longTables: ReadonlyMap<string, string> = new Map([
  ["src/alert/Catalogue.ts", "an entry for every alert of the registry"]
])
export const linesOf = (text: string): number => text.split("\n").length - 1

export const notTooLong: Rule = ({ path, text }) =>
  linesOf(text) <= mostLines || longTables.has(path) ? [] : [`${path} has ${linesOf(text)} lines`]

export const byName: Rule = ({ path }) =>
  /(^|\/)(utils?|utilities|helpers?|misc|common|stuff)(\.|\/|$)/i.test(path) ? [`${path} says nothing`] : []

const topLevel: ReadonlySet<string> = new Set(
  ["src", "test", "docs", "package.json", "package-lock.json", "tsconfig.json", "README.md", "LICENSE"]
)
export const byPlace: Rule = ({ path }) =>
  topLevel.has(path) || path.startsWith(".") ? [] : [`${path} has no place at the top of the repository`]

// ---- the house as a whole

export type House = ReadonlyArray<Source>

const graphOf = (house: House): ReadonlyMap<string, ReadonlyArray<string>> =>
  new Map(house.map((source) => [
    source.path,
    importsOf(source).filter(isRelative).map((specifier) => resolve(source.path, specifier))
  ]))

/** Each cycle once, as the path around it. */
export const cyclesOf = (house: House): ReadonlyArray<string> => {
  const graph = graphOf(house)
  const done = new Set<string>()
  const cycles: Array<string> = []
  const visit = (file: string, way: ReadonlyArray<string>): void => {
    const at = way.indexOf(file)
    if (at >= 0) cycles.push([...way.slice(at), file].join(" -> "))
    if (at >= 0 || done.has(file)) return
    for (const next of graph.get(file) ?? []) visit(next, [...way, file])
    done.add(file)
  }
  for (const file of graph.keys()) visit(file, [])
  return cycles
}

/** What a program gets that imports `src/index.ts`: nothing of Node. */
export const platformBehind = (house: House, entry: string): ReadonlyArray<string> => {
  const graph = graphOf(house)
  const reached = new Set<string>()
  const visit = (file: string): void => {
    if (reached.has(file)) return
    reached.add(file)
    for (const next of graph.get(file) ?? []) visit(next)
  }
  visit(entry)
  return house.filter(({ path }) => reached.has(path)).flatMap((source) => [
    ...(floorOf(source.path) ?? 0) > highestOfPublic ? [`${entry} reaches ${source.path}`] : [],
    ...importsOf(source).filter((specifier) => /^(node:|@effect\/platform)/.test(specifier))
      .map((specifier) => `${entry} reaches ${specifier} by ${source.path}`)
  ])
}
