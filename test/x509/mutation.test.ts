import { assert, describe, it } from "@effect/vitest"
import { areGood, mutate } from "./Mutation.ts"

describe("certificates and responses in which something was changed", () => {
  it("are good before", () => assert.isTrue(areGood()))

  it("none is accepted, and nothing else happens", () => {
    // All 20,000: npm run mutations.
    assert.deepStrictEqual(mutate("short", 1500).violations, [])
  })
})
