import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { chart } from "./Chart.ts"
import { type Contender, type Line, type LineResult, measure, spreadOf } from "./Line.ts"
import { linesOf } from "./Lines.ts"
import { formatLine, formatMarkdown, reached } from "./Report.ts"

const values = Arbitrary.array(Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 }))), {
  minLength: 1,
  maxLength: 9
})

it.prop("a spread is the least, the middle and the greatest", { values }, ({ values }) => {
  const { max, median, min } = spreadOf(values)
  assert.strictEqual(min, Math.min(...values))
  assert.strictEqual(max, Math.max(...values))
  const below = values.filter((value) => value < median).length
  const above = values.filter((value) => value > median).length
  assert.isAtMost(Math.max(below, above), values.length / 2)
})

/** A line whose costs are known. */
const known = (goal: number, limit: ReadonlyArray<number> = [1, 1, 1]): Line => {
  const contender = (name: string, part: Contender["part"], costs: ReadonlyArray<number>): Contender => {
    // The first one is the warm-up.
    let round = -1
    return { name, part, run: Effect.sync(() => ({ cpu: round < 0 ? round++ : costs[round++] ?? 0 })) }
  }
  return {
    name: "known",
    unit: "call",
    measures: ["cpu"],
    goal,
    open: () =>
      Effect.succeed([
        contender("quick", "ours", [1, 2, 5]),
        contender("reference", "reference", [10, 10, 10]),
        contender("limit", "probe", limit)
      ])
  }
}

it.effect("ratios are taken inside a round, and the first of our ways is judged", () =>
  Effect.gen(function*() {
    const result = yield* measure(known(5), { rounds: 3, scale: 1 })
    assert.deepStrictEqual(result.outcomes.map(({ ratios }) => ratios["cpu"]), [
      { min: 2, median: 5, max: 10 },
      { min: 1, median: 1, max: 1 },
      { min: 10, median: 10, max: 10 }
    ])
    assert.strictEqual(reached(result), true)
    assert.strictEqual(reached(yield* measure(known(5.1), { rounds: 3, scale: 1 })), false)
    assert.match(formatLine(result), /known +goal 5: reached[^]*quick +2\.0 ns +5\.00 \(2\.00-10\.0\)/)
    assert.include(formatMarkdown([result]), "| known: quick | 5 | 5.00 (2.00-10.0) | - | 2.0 ns | limit 10.0 |")
  }))

it.effect("a cost of about zero, or below it for noise, has no ratio", () =>
  Effect.gen(function*() {
    for (const limit of [[0, 0, 1], [1, -1, 1], [0.001, 1, 1]]) {
      const result = yield* measure(known(5, limit), { rounds: 3, scale: 1 })
      assert.match(formatLine(result), /^  limit: limit +-?\d\.\d ns$/m)
      assert.match(formatMarkdown([result]), /\| - \|$/)
      assert.notInclude(chart([result]), `class="limit"`)
    }
  }))

describe("the quick form", () => {
  const lines = [
    "alert decode",
    "64-byte",
    "TLS 1.2: resumed handshakes, Duplex",
    "X25519MLKEM768: resumed handshakes, loopback",
    "TLS 1.3: echo"
  ]
  it.live.each(lines)("%s", (name) =>
    Effect.gen(function*() {
      const line = (yield* linesOf).find((line) => line.name.includes(name))
      if (line === undefined) return assert.fail(name)
      const result = yield* measure(line, { rounds: 2, scale: 0.01 })
      assertSane(result)
      const drawing = chart([result])
      assert.match(drawing, /^<svg [^]*<\/svg>\n$/)
      assert.strictEqual(drawing.match(/class="bar"/g)?.length, result.outcomes.filter((_) => _.part === "ours").length)
    }), 60_000)
})

const assertSane = (result: LineResult): void => {
  assert.strictEqual(result.rounds, 2)
  assert.deepStrictEqual(result.outcomes.map(({ part }) => part).filter((part) => part === "reference"), ["reference"])
  for (const { costs, name, ratios } of result.outcomes) {
    for (const measure of result.measures) {
      for (const spread of [costs[measure], ratios[measure]]) {
        if (spread === undefined) return assert.fail(`${name} has no ${measure}`)
        assert.isTrue(0 <= spread.min && spread.min <= spread.median && spread.median <= spread.max, name)
      }
    }
  }
}
