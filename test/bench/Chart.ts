import type { LineResult } from "./Line.ts"

const escape = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")

const labelWidth = 420
const plotWidth = 420
const rowHeight = 22
const most = 6

/** One bar for each of our ways: the median ratio, a whisker from min to max, a tick for the goal and one for each limit. */
export const chart = (lines: ReadonlyArray<LineResult>): string => {
  // The square root leaves room for what is below 1, where most of the lines are.
  const x = (ratio: number): number => labelWidth + plotWidth * Math.sqrt(Math.min(ratio, most) / most)
  const rows = lines.flatMap((line) =>
    line.outcomes.filter(({ part }) => part === "ours").map((outcome) => ({ line, outcome }))
  )
  const height = (rows.length + 2) * rowHeight
  const bars = rows.flatMap(({ line, outcome }, index) => {
    const y = (index + 1) * rowHeight
    const middle = y + rowHeight / 2
    const measure = line.measures[0] ?? ""
    const ratios = outcome.ratios[measure]
    if (ratios === undefined) return []
    const { max, median, min } = ratios
    const ticks = line.outcomes.filter(({ part }) => part === "probe").flatMap(({ name, ratios }) => {
      const limit = ratios[measure]
      if (limit === undefined) return []
      return [
        `<path class="limit" d="M${x(limit.median)} ${y + 3}v${rowHeight - 6}"><title>${escape(name)}</title></path>`
      ]
    })
    return [
      `<text x="${labelWidth - 8}" y="${middle + 4}" text-anchor="end">${
        escape(`${line.name}: ${outcome.name}`)
      }</text>`,
      `<rect class="bar" x="${labelWidth}" y="${y + 4}" width="${x(median) - labelWidth}" height="${rowHeight - 8}"/>`,
      `<path class="whisker" d="M${x(min)} ${middle}H${x(max)}"/>`,
      ...ticks,
      ...(line.goal === undefined ? [] : [`<path class="goal" d="M${x(line.goal)} ${y + 1}v${rowHeight - 2}"/>`]),
      `<text x="${x(Math.max(max, median)) + 6}" y="${middle + 4}">${median.toFixed(2)}</text>`
    ]
  })
  const scale = [0.25, 0.5, 1, 2, 4].map((at) =>
    `<path class="${at === 1 ? "one" : "grid"}" d="M${x(at)} ${rowHeight}V${height - rowHeight}"/>` +
    `<text x="${x(at)}" y="${rowHeight - 6}" text-anchor="middle">${at}</text>`
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${labelWidth + plotWidth + 60} ${height}" role="img">
<title>Ratio of the cost of node:tls to ours: above 1 we are ahead</title>
<style>
svg { background: #fff } text { font: 11px sans-serif; fill: #333 } .bar { fill: #5b8def } path { fill: none }
.whisker { stroke: #1d3f8f; stroke-width: 2 } .goal { stroke: #d1495b; stroke-width: 2 } .limit { stroke: #999; stroke-width: 2 }
.grid { stroke: #ddd } .one { stroke: #333 }
</style>
${[...scale, ...bars].join("\n")}
<text x="${labelWidth}" y="${height - 6}">bar: median, dark: min to max, red: goal, grey: limits</text>
</svg>
`
}
