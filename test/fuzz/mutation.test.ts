import { assert, describe, it } from "@effect/vitest"
import { concat } from "../../src/wire/Bytes.ts"
import { converse } from "./Conversation.ts"
import { mutate, operationNames } from "./Mutation.ts"
import { versions } from "./Permissive.ts"
import { modes, record, recordAll, shapes } from "./Recorded.ts"
import { attempt, runStream } from "./Targets.ts"

const said = { client: "an answer of some length", server: "question" } as const

describe("a recorded conversation, repeated unharmed, ends clean and brings its data", () => {
  for (const version of versions) {
    for (const [mode, shape] of modes.flatMap((mode) => shapes[version].map((shape) => [mode, shape] as const))) {
      it(`TLS ${version}, ${mode}, ${shape}`, async () => {
        for (const { name, records, setup } of await record(version, mode, shape)) {
          const bytes = concat(records)
          for (const chunks of [[bytes], records, Array.from(bytes, (byte) => Uint8Array.of(byte))]) {
            const { label, read, violations } = await converse(setup, chunks)
            assert.deepStrictEqual([label, violations], ["clean", []], name)
            assert.strictEqual(Buffer.from(read).toString(), said[setup.role], name)
          }
        }
      })
    }
  }
})

describe("a conversation with seeded damage ends in success, a clean close, or one failure with at most one fatal alert", () => {
  // The long form: npm run corpora -- --mutations N
  const seeds = Array.from({ length: 1200 }, (_, seed) => seed)

  it(`${seeds.length} mutations`, async () => {
    const flights = await recordAll()
    const labels = new Set<string>()
    const used = new Set<string>()
    for (const seed of seeds) {
      const { bytes, flight, operations } = mutate(flights, seed)
      const { label, violations } = await attempt(() => runStream(flight.setup, bytes))
      const input = `seed ${seed}, ${flight.name}, ${operations.join(", ")}: ${Buffer.from(bytes).toString("base64")}`
      assert.deepStrictEqual(violations, [], input)
      labels.add(label)
      for (const operation of operations) used.add(operation)
    }
    assert.deepStrictEqual(operationNames.filter((name) => !used.has(name)), [])
    assert.isAbove(labels.size, 20)
  })

  it("follows from the seed", async () => {
    const flights = await record("1.3", "permissive", "full")
    for (const seed of seeds.slice(0, 50)) assert.deepStrictEqual(mutate(flights, seed), mutate(flights, seed))
    const inputs = new Set(seeds.slice(0, 50).map((seed) => Buffer.from(mutate(flights, seed).bytes).toString("hex")))
    assert.isAbove(inputs.size, 45)
  })
})
