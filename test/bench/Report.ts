import type { LineResult, Outcome, Spread } from "./Line.ts"

const ratio = (value: number): string => value.toFixed(value < 10 ? 2 : 1)

const spread = ({ max, median, min }: Spread): string => `${ratio(median)} (${ratio(min)}-${ratio(max)})`

/** A cost in the unit that reads best: throughput for bytes, time or memory a unit else. */
export const formatCost = (unit: string, measure: string, value: number): string => {
  if (measure === "bytes") return `${(value / 1024).toFixed(1)} KiB`
  if (unit === "byte" && measure === "wall") return `${(1 / value).toFixed(2)} GB/s`
  if (unit === "byte") return `${value.toFixed(2)} s/GB`
  if (value >= 10_000) return `${(value / 1000).toFixed(0)} us`
  return value >= 1000 ? `${(value / 1000).toFixed(1)} us` : `${value.toFixed(value < 10 ? 1 : 0)} ns`
}

/** Whether the first of our ways reaches the goal by the measure that is judged: `undefined` without a goal. */
export const reached = (line: LineResult): boolean | undefined => {
  const ours = line.outcomes.find(({ part }) => part === "ours")
  const judged = ours?.ratios[line.measures[0] ?? ""]
  return line.goal === undefined || judged === undefined ? undefined : judged.median >= line.goal
}

const row = (line: LineResult, outcome: Outcome): ReadonlyArray<string> => [
  outcome.part === "ours" ? outcome.name : outcome.part === "probe" ? `limit: ${outcome.name}` : outcome.name,
  ...line.measures.map((measure) => {
    const costs = outcome.costs[measure]
    const ratios = outcome.ratios[measure]
    if (costs === undefined || Number.isNaN(costs.median)) return "-"
    const cost = formatCost(line.unit, measure, costs.median)
    return outcome.part === "reference" || ratios === undefined ? cost : `${cost}  ${spread(ratios)}`
  })
]

/** The table of one line: cost, and ratio to the reference as median (min-max). */
export const formatLine = (line: LineResult): string => {
  const verdict = reached(line)
  const goal = line.goal === undefined ? "" : `   goal ${line.goal}: ${verdict === true ? "reached" : "MISSED"}`
  const rows = [["", ...line.measures], ...line.outcomes.map((outcome) => row(line, outcome))]
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0))) ?? []
  const body = rows.map((cells) => `  ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("   ")}`.trimEnd())
  return [`${line.name}${goal}`, ...body].join("\n")
}

/** The same as a row a line of a Markdown table, for the documentation. */
export const formatMarkdown = (lines: ReadonlyArray<LineResult>): string => {
  const rows = lines.flatMap((line) => {
    const judged = line.measures[0] ?? ""
    return line.outcomes.filter(({ part }) => part === "ours").map((outcome) => {
      const limits = line.outcomes.filter(({ part }) => part === "probe").flatMap(({ name, ratios }) => {
        const limit = ratios[judged]
        return limit === undefined ? [] : [`${name} ${ratio(limit.median)}`]
      })
      const of = (measure: string): string => {
        const ratios = outcome.ratios[measure]
        return ratios === undefined ? "-" : spread(ratios)
      }
      const cells = [
        `${line.name}: ${outcome.name}`,
        line.goal === undefined ? "-" : String(line.goal),
        of(judged === "bytes" ? judged : "cpu"),
        of("wall"),
        formatCost(line.unit, judged, outcome.costs[judged]?.median ?? Number.NaN),
        limits.join(", ") || "-"
      ]
      return `| ${cells.join(" | ")} |`
    })
  })
  return [
    "| line | goal | cpu (or memory) ratio | wall ratio | cost | limit |",
    "|---|---|---|---|---|---|",
    ...rows
  ].join("\n")
}
