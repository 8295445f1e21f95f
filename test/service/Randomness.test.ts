import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Primitives, Randomness } from "effect-tls"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"

const groups = ["x25519", "secp256r1", "secp384r1", "secp521r1"] as const

/** A few bytes and a key share of each group. */
const draw = (randomness: Randomness.Randomness["Service"]) => [
  ...[0, 1, 31, 32, 33, 100].map((length) => randomness.bytes(length)),
  ...groups.map((group) => randomness.keyShare(group).publicKey)
]

describe("layerInsecureSeeded", () => {
  it.effect("the same seed gives the same, another seed gives other", () =>
    Effect.gen(function*() {
      const primitives = yield* Primitives
      const [first, second, other] = [1, "1", 2].map((seed) => draw(Randomness.makeInsecureSeeded(primitives, seed)))
      const layered = yield* Effect.map(Randomness.Randomness, draw).pipe(
        Effect.provide(Randomness.layerInsecureSeeded(1))
      )
      assert.deepStrictEqual(first, second)
      assert.deepStrictEqual(first, layered)
      // The first has no bytes, and the second may be the same by chance.
      for (const [index, bytes] of (first ?? []).slice(2).entries()) assert.notDeepEqual(bytes, other?.[index + 2])
    }).pipe(Effect.provide(NodePrimitives.layerPrimitives)))

  it.effect("gives lengths as asked, no draw twice, and key shares that agree", () =>
    Effect.gen(function*() {
      const randomness = Randomness.makeInsecureSeeded(yield* Primitives, "seed")
      const drawn = Array.from({ length: 100 }, () => Buffer.from(randomness.bytes(32)).toString("hex"))
      assert.strictEqual(new Set(drawn).size, 100)
      assert.deepStrictEqual([0, 1, 33].map((length) => randomness.bytes(length).length), [0, 1, 33])
      for (const group of groups) {
        const [a, b] = [randomness.keyShare(group), randomness.keyShare(group)]
        assert.notDeepEqual(a.publicKey, b.publicKey)
        assert.deepStrictEqual(a.agree(b.publicKey), b.agree(a.publicKey))
        assert.isDefined(a.agree(b.publicKey))
      }
    }).pipe(Effect.provide(NodePrimitives.layerPrimitives)))
})

describe("the randomness of the platform", () => {
  it.effect("never repeats", () =>
    Effect.gen(function*() {
      const randomness = yield* Randomness.Randomness
      const drawn = Array.from({ length: 1000 }, () => Buffer.from(randomness.bytes(16)).toString("hex"))
      assert.strictEqual(new Set(drawn).size, 1000)
      for (const group of groups) {
        assert.notDeepEqual(randomness.keyShare(group).publicKey, randomness.keyShare(group).publicKey)
      }
    }).pipe(Effect.provide(NodePrimitives.layer)))
})
