import { assert, describe, it } from "@effect/vitest"
import { cases, departures, isAsExpected, run } from "./Limbo.ts"

describe("x509-limbo, open half", () => {
  it.each(cases.map((test) => [test.id, test] as const))("%s", (id, test) => {
    const verdict = run(test)
    assert.strictEqual(
      isAsExpected(verdict),
      departures[id] === undefined,
      `expected to ${verdict.expected}: ${verdict.why}`
    )
  })

  it("is there as a whole, and no departure is made up", () => {
    assert.strictEqual(cases.length, 116)
    const ids = new Set(cases.map(({ id }) => id))
    for (const id of Object.keys(departures)) assert.isTrue(ids.has(id), id)
  })
})
