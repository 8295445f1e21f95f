/** A table in Markdown, in columns as the formatter has them. A bar inside a cell would end it. */
export const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const cells = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll("|", "\\|")))
  const widths = head.map((_, column) => Math.max(3, ...cells.map((row) => row[column]?.length ?? 0)))
  const line = (row: ReadonlyArray<string>, fill: string) =>
    `| ${widths.map((width, column) => (row[column] ?? "").padEnd(width, fill)).join(" | ")} |`
  const [first = [], ...others] = cells
  return [line(first, " "), line([], "-"), ...others.map((row) => line(row, " "))].join("\n")
}

/** What all of them say: a row of a table stands for many, and must not be true of some only. */
export const theOne = (texts: Iterable<string>): string => {
  const [first = "", ...others] = new Set(texts)
  if (others.length > 0) throw new Error(`a row says several things: ${[first, ...others].join(" / ")}`)
  return first
}
