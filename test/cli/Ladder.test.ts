import { assert, describe, it } from "@effect/vitest"
import { fatal, fromBytes, warning } from "../../src/alert/Alert.ts"
import { draw, drawHeading, type Paint, rungs, type Sides, type Step, unpainted } from "../../src/cli/Ladder.ts"
import type { Direction, Observation } from "../../src/record/Observer.ts"

const record = (
  direction: Direction,
  contentType: number,
  contentLength: number,
  isProtected = false
): Observation => ({
  _tag: "Record",
  direction,
  contentType,
  length: contentLength + (isProtected ? 29 : 5),
  contentLength,
  isProtected,
  sequence: 0
})
const message = (direction: Direction, type: number, length: number): Observation => ({
  _tag: "Message",
  direction,
  type,
  length
})
const left: Sides = { left: "client", right: "server", observer: "left" }
const right: Sides = { ...left, observer: "right" }

const conversation: ReadonlyArray<Step> = [
  message("sent", 1, 128), // ClientHello, before its record
  record("sent", 22, 128),
  record("received", 22, 700), // one record with two messages, after it
  message("received", 2, 90),
  message("received", 11, 610),
  record("received", 22, 100), // a message in two records
  record("received", 22, 50),
  message("received", 12, 150),
  record("sent", 20, 1),
  { _tag: "Note", text: "the proxy does something", tone: "warning" },
  record("received", 23, 16384, true),
  record("received", 23, 16384, true),
  record("received", 23, 1, true),
  record("sent", 23, 1, true),
  record("received", 21, 4, true),
  { _tag: "Alert", direction: "received", alert: warning("user_canceled"), isProtected: true },
  { _tag: "Alert", direction: "received", alert: warning("close_notify"), isProtected: true },
  record("sent", 21, 2, true),
  { _tag: "Alert", direction: "sent", alert: fatal("bad_record_mac"), isProtected: true },
  record("sent", 21, 2, true),
  { _tag: "Alert", direction: "sent", alert: fromBytes(7, 255), isProtected: true },
  record("sent", 21, 2, true),
  { _tag: "Alert", direction: "sent", alert: fatal("bad_certificate_hash_value_RESERVED"), isProtected: true }
]

describe("the ladder", () => {
  it("draws each record with what it carried, its direction, state and size", () => {
    const lines = draw(conversation, left, unpainted)
    const expected: ReadonlyArray<RegExp> = [
      /^ {2}│ ─── ClientHello ─+ 133 bytes, clear ──▶ │$/,
      /^ {2}│ ◀── ServerHello, 90 bytes ─+ 705 bytes, clear ─── │$/,
      /^ {2}│ {5}\+ Certificate, 610 bytes +│$/,
      /^ {2}│ ◀── a part of a message ─+ 105 bytes, clear ─── │$/,
      /^ {2}│ ◀── ServerKeyExchange ─+ 55 bytes, clear ─── │$/,
      /^ {2}│ ─── change_cipher_spec ─+ 6 bytes, clear ──▶ │$/,
      /^ {2}│ {5}the proxy does something +│$/,
      /^ {2}│ ◀══ 3 × application_data, 32769 bytes ═+ 32856 bytes, protected ═══ │$/,
      /^ {2}│ ═══ application_data, 1 byte ═+ 30 bytes, protected ══▶ │$/,
      /^ {2}│ ◀══ alert warning user_canceled \(90\) ═+ 33 bytes, protected ═══ │$/,
      /^ {2}│ {5}\+ alert warning close_notify \(0\) +│$/,
      /^ {2}│ ═══ alert fatal bad_record_mac \(20\) ═+ 31 bytes, protected ══▶ │$/,
      /^ {2}│ ═══ alert of level 7 unknown \(255\) ═+ 31 bytes, protected ══▶ │$/,
      // Too long for the state in words: the stroke has to do.
      /^ {2}│ ═══ alert fatal bad_certificate_hash_value_RESERVED \(114\) ═+ 31 bytes ══▶ │$/
    ]
    assert.strictEqual(lines.length, expected.length, lines.join("\n"))
    for (const [index, pattern] of expected.entries()) assert.match(lines[index] ?? "", pattern)
    assert.deepStrictEqual([...new Set(lines.map((line) => line.length))], [80], "all lines are as wide")
    assert.match(drawHeading(left, unpainted)[0] ?? "", /^ {2}client {66}server$/)
  })

  it("turns the arrows for an observer on the right", () => {
    const [hello] = draw([message("sent", 2, 90), record("sent", 22, 90)], right, unpainted)
    assert.match(hello ?? "", /│ ◀── ServerHello ─+ 95 bytes, clear ─── │/)
  })

  it("keeps a message whose record was drawn before", () => {
    const late = rungs([message("received", 14, 4), message("received", 20, 16)])
    assert.deepStrictEqual(late.map(({ records }) => records), [0, 0])
    assert.match(draw([message("received", 14, 4)], left, unpainted)[0] ?? "", /^ {2}│ {5}\+ ServerHelloDone +│$/)
  })

  it("has the same text in every tone", () => {
    const brackets: Paint = (tone, text) => tone === "plain" ? text : `<${tone}>${text}</>`
    const painted = draw(conversation, left, brackets)
    assert.deepStrictEqual(
      painted.map((line) => line.replaceAll(/<[a-z/]*>/g, "")),
      draw(conversation, left, unpainted)
    )
    assert.match(painted.join("\n"), /<fatal>alert fatal bad_record_mac/)
    assert.match(painted.join("\n"), /<closure>alert warning close_notify/)
    assert.match(painted.join("\n"), /<warning>alert warning user_canceled/)
  })
})
