import { assert, it } from "@effect/vitest"
import { plain, release } from "../../src/platform/NodeBytes.ts"

it("plain shows nothing of the pool that a Buffer was cut from", () => {
  const pooled = Buffer.from("abc")
  assert.isAbove(pooled.buffer.byteLength, 3)
  assert.deepStrictEqual(plain(pooled), Uint8Array.of(97, 98, 99))
  assert.strictEqual(plain(pooled).buffer.byteLength, 3)
})

it("plain does not copy what has its memory to itself", () => {
  const own = Buffer.alloc(5000, 7)
  assert.strictEqual(plain(own).buffer, own.buffer)
  assert.strictEqual(plain(own).constructor, Uint8Array)
})

it("release empties a large result, and never a part of somebody else's memory", () => {
  const own = Buffer.alloc(5000, 7)
  release(own)
  assert.strictEqual(own.length, 0)
  const whole = Buffer.alloc(10_000, 7)
  release(whole.subarray(0, 5000))
  assert.strictEqual(whole.length, 10_000)
  const small = Buffer.alloc(16, 7)
  release(small)
  assert.strictEqual(small.length, 16)
})
