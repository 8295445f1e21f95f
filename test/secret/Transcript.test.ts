import { assert, describe, it } from "@effect/vitest"
import { make as primitives } from "../../src/platform/NodePrimitives.ts"
import { Transcript } from "../../src/secret/Transcript.ts"
import { concat, fromText } from "../../src/wire/Bytes.ts"

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

  it("hashes messages that are longer than others, and nothing of what was hashed before", () => {
    const lengths = [8000, 192, 1, 5]
    const messages = lengths.map((length, i) => new Uint8Array(length).fill(i + 1))
    const [transcript, other] = [new Transcript(), new Transcript()]
    transcript.start(primitives, "sha256")
    other.start(primitives, "sha256")
    other.add(fromText("abc"))
    for (const [i, message] of messages.entries()) {
      transcript.add(message)
      assert.deepStrictEqual(transcript.digest(), primitives.digest("sha256", concat(messages.slice(0, i + 1))))
      other.add(fromText("d"))
      assert.deepStrictEqual(other.digest(), digest(`abc${"d".repeat(i + 1)}`))
    }
  })

  it("has nothing more to hash when the messages are forgotten", () => {
    const transcript = new Transcript()
    transcript.add(fromText("a"))
    transcript.start(primitives, "sha256")
    transcript.forget()
    transcript.add(fromText("b"))
    assert.throws(() => transcript.digest(), /forgotten/)
    assert.throws(() => transcript.messages(), /forgotten/)
  })

  it("does not make up what it does not have", () => {
    const transcript = new Transcript()
    assert.deepStrictEqual(transcript.messages(), new Uint8Array(0))
    assert.throws(() => transcript.digest(), /not settled/)
    transcript.start(primitives, "sha384")
    assert.throws(() => transcript.start(primitives, "sha256"), /settled already/)
  })

  it("before a HelloRetryRequest the ClientHello counts as its hash (RFC 8446 section 4.4.1)", () => {
    const transcript = new Transcript()
    transcript.add(fromText("first hello"))
    transcript.collapseFirst(primitives, "sha384")
    transcript.add(fromText("retry"))
    const hashed = primitives.digest("sha384", fromText("first hello"))
    const expected = concat([Uint8Array.of(254, 0, 0, 48), hashed, fromText("retry")])
    assert.deepStrictEqual(transcript.messages(), expected)
    transcript.start(primitives, "sha384")
    assert.deepStrictEqual(transcript.digest(), primitives.digest("sha384", expected))
    assert.throws(() => transcript.collapseFirst(primitives, "sha384"), /no first message/)
    assert.throws(() => new Transcript().collapseFirst(primitives, "sha256"), /no first message/)
  })

  it("digestWith covers what comes after, less what is cut, and adds nothing", () => {
    const transcript = new Transcript()
    assert.deepStrictEqual(transcript.digestWith(primitives, "sha256", {}), digest(""))
    transcript.add(fromText("ab"))
    assert.deepStrictEqual(transcript.digestWith(primitives, "sha256", {}), digest("ab"))
    assert.deepStrictEqual(transcript.digestWith(primitives, "sha256", { cut: 1 }), digest("a"))
    assert.deepStrictEqual(
      transcript.digestWith(primitives, "sha256", { after: fromText("cde"), cut: 2 }),
      digest("abc")
    )
    assert.deepStrictEqual(
      transcript.digestWith(primitives, "sha384", { after: fromText("c") }),
      primitives.digest("sha384", fromText("abc"))
    )
    assert.deepStrictEqual(transcript.messages(), fromText("ab"))
    transcript.forget()
    assert.throws(() => transcript.digestWith(primitives, "sha256", {}), /forgotten/)
  })
})
