import { assert, describe, it } from "@effect/vitest"
import { make as primitives } from "../../src/platform/NodePrimitives.ts"
import { Transcript } from "../../src/secret/Transcript.ts"
import { fromText } from "../../src/wire/Bytes.ts"

const digest = (text: string): Uint8Array => primitives.digest("sha256", fromText(text))

describe("Transcript", () => {
  it("hashes what came before the hash was settled and what comes after", () => {
    const transcript = new Transcript()
    transcript.add(fromText("a"))
    transcript.add(fromText("b"))
    transcript.start(primitives, "sha256")
    assert.deepStrictEqual(transcript.digest(), digest("ab"))
    transcript.add(fromText("c"))
    assert.deepStrictEqual(transcript.digest(), digest("abc"))
    assert.deepStrictEqual(transcript.digest(), digest("abc"))
    assert.deepStrictEqual(transcript.messages(), fromText("abc"))
  })

  it("keeps a copy: what was lent may change", () => {
    const transcript = new Transcript()
    const lent = fromText("abc")
    transcript.add(lent)
    lent.fill(0)
    transcript.start(primitives, "sha256")
    assert.deepStrictEqual(transcript.digest(), digest("abc"))
    assert.deepStrictEqual(transcript.messages(), fromText("abc"))
  })

  it("goes on hashing when the messages are forgotten", () => {
    const transcript = new Transcript()
    transcript.add(fromText("a"))
    transcript.start(primitives, "sha256")
    transcript.forget()
    transcript.add(fromText("b"))
    assert.deepStrictEqual(transcript.digest(), digest("ab"))
    assert.throws(() => transcript.messages(), /forgotten/)
  })

  it("does not make up what it does not have", () => {
    const transcript = new Transcript()
    assert.deepStrictEqual(transcript.messages(), new Uint8Array(0))
    assert.throws(() => transcript.digest(), /not settled/)
    transcript.start(primitives, "sha384")
    assert.throws(() => transcript.start(primitives, "sha256"), /settled already/)
    const forgotten = new Transcript()
    forgotten.forget()
    assert.throws(() => forgotten.start(primitives, "sha256"), /forgotten/)
  })
})
