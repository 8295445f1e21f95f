import { assert, it } from "@effect/vitest"
import { make } from "../../src/platform/NodePrimitives.ts"
import * as NodeRandomness from "../../src/platform/NodeRandomness.ts"
import { toHex } from "../../src/wire/Bytes.ts"

const { bytes } = NodeRandomness.make(make)

it("gives what was asked for, and no part of it twice", () => {
  const seen = new Set<string>()
  let parts = 0
  for (let length = 0; length <= 2048; length++) {
    const drawn = bytes(length)
    assert.strictEqual(drawn.length, length)
    assert.strictEqual(drawn.buffer.byteLength, length)
    for (let at = 0; at + 8 <= length; at += 8) {
      seen.add(toHex(drawn.slice(at, at + 8)))
      parts++
    }
    // What the caller does with it is of no matter to others.
    drawn.fill(0)
  }
  assert.strictEqual(seen.size, parts)
  assert.isFalse(seen.has("0000000000000000"))
})
