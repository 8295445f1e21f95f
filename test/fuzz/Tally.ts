/** What came of many inputs. */
import type { Outcome } from "./Conversation.ts"
import type { Job } from "./Jobs.ts"

interface Line {
  runs: number
  bytes: number
  slowest: number
  memory: number
  violations: number
}

export interface Violation {
  readonly job: Omit<Job, "run">
  readonly what: string
}

export class Tally {
  readonly violations: Array<Violation> = []
  readonly #lines = new Map<string, Line>()
  readonly #outcomes = new Map<string, Map<string, number>>()

  add(job: Omit<Job, "run">, outcome: Outcome, millis: number, memory: number): void {
    const line = this.#lines.get(job.corpus) ?? { runs: 0, bytes: 0, slowest: 0, memory: 0, violations: 0 }
    this.#lines.set(job.corpus, line)
    line.runs++
    line.bytes += job.length
    line.slowest = Math.max(line.slowest, millis)
    line.memory = Math.max(line.memory, memory)
    if (outcome.violations.length > 0) line.violations++
    const outcomes = this.#outcomes.get(job.target) ?? new Map<string, number>()
    this.#outcomes.set(job.target, outcomes)
    outcomes.set(outcome.label, (outcomes.get(outcome.label) ?? 0) + 1)
    for (const what of outcome.violations) this.violations.push({ job, what })
  }

  get runs(): number {
    return [...this.#lines.values()].reduce((sum, { runs }) => sum + runs, 0)
  }

  print(): string {
    const mebibytes = (bytes: number) => (bytes / 2 ** 20).toFixed(1)
    const corpora = [...this.#lines].map(([corpus, line]) => [
      corpus,
      String(line.runs),
      mebibytes(line.bytes),
      line.slowest.toFixed(0),
      mebibytes(line.memory),
      String(line.violations)
    ])
    const outcomes = [...this.#outcomes].toSorted(([a], [b]) => a.localeCompare(b)).flatMap(([target, counts]) =>
      [...counts].toSorted(([, a], [, b]) => b - a).map(([label, count]) => [target, String(count), label])
    )
    return [
      table(["corpus", "runs", "MiB in", "slowest ms", "memory MiB", "violations"], corpora),
      table(["target", "runs", "outcome"], outcomes),
      ...this.violations.map(({ job, what }) => `VIOLATION ${job.corpus} ${job.name}, ${job.target}: ${what}`),
      `${this.runs} runs, ${this.violations.length} violations`
    ].join("\n\n")
  }
}

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)))
  const line = (row: ReadonlyArray<string>) =>
    row.map((cell, column) =>
      /^[\d.]+$/.test(cell) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)
    )
      .join("  ").trimEnd()
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n")
}
