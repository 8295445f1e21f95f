/** `npm run bench`: see docs/benchmarks.md. */
import * as Effect from "effect/Effect"
import { writeFileSync } from "node:fs"
import { cpus, loadavg } from "node:os"
import { parseArgs } from "node:util"
import { chart } from "./Chart.ts"
import { linesOf } from "./Lines.ts"
import { type LineResult, measure } from "./Line.ts"
import { formatLine, formatMarkdown } from "./Report.ts"

const usage = `npm run bench -- [--quick] [--only TEXT]... [--rounds N] [--json FILE] [--svg FILE] [--markdown FILE]
  --quick     three small rounds: whether it runs, not how fast
  --only      the lines whose name contains TEXT
  --rounds    how many rounds, 9 by default
  --json, --svg, --markdown   writes the results there as well`

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", multiple: true, default: [] },
    rounds: { type: "string" },
    json: { type: "string" },
    svg: { type: "string" },
    markdown: { type: "string" },
    help: { type: "boolean", default: false }
  }
})

const environment = () => ({
  node: process.version,
  openssl: process.versions.openssl,
  platform: `${process.platform} ${process.arch}`,
  processor: `${cpus().length} x ${cpus()[0]?.model.trim() ?? "unknown"}`,
  load: loadavg().map((load) => load.toFixed(2)).join(" "),
  at: new Date().toISOString()
})

const main = Effect.gen(function*() {
  const lines = (yield* linesOf).filter(({ name }) =>
    values.only.length === 0 || values.only.some((text) => name.includes(text))
  )
  const options = {
    rounds: values.rounds === undefined ? (values.quick ? 3 : 9) : Number(values.rounds),
    scale: values.quick ? 0.05 : 1
  }
  const before = environment()
  console.log(`${before.node}, OpenSSL ${before.openssl}, ${before.processor}, load ${before.load}`)
  console.log(
    `${options.rounds} rounds; cost, then cost of node:tls / own cost as median (min-max): above 1 is ahead\n`
  )
  const results: Array<LineResult> = []
  for (const line of lines) {
    const result = yield* measure(line, options)
    results.push(result)
    console.log(`${formatLine(result)}\n`)
  }
  const after = environment()
  console.log(`load at the end ${after.load}`)
  if (values.json !== undefined) {
    const report = { environment: { ...before, loadAtEnd: after.load }, lines: results }
    writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`)
  }
  if (values.svg !== undefined) writeFileSync(values.svg, chart(results))
  if (values.markdown !== undefined) writeFileSync(values.markdown, `${formatMarkdown(results)}\n`)
})

if (values.help) console.log(usage)
else await Effect.runPromise(main)
