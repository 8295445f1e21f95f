import { assert, describe, it } from "@effect/vitest"
import { type AlertDescription, descriptionOf, fromBytes } from "../../src/alert/Alert.ts"
import { answer, type Version } from "../../src/alert/Answer.ts"
import { type Budget, defaultBudget } from "../../src/alert/Budget.ts"
import type { Fault } from "../../src/alert/Fault.ts"
import { interruptedAlert, judge, type Phase, readAlertRecord, type Verdict } from "../../src/alert/Verdict.ts"
import { everyByte } from "./registry.ts"

const versions: ReadonlyArray<Version> = ["1.2", "undecided", "1.3"]
const phases: ReadonlyArray<Phase> = ["handshaking", "established"]

/** One alert as two numbers, and where it arrives. */
interface Case {
  readonly level: number
  readonly code: number
  readonly version: Version
  readonly warningsLeft: number
}

type Outcome =
  | "end of data"
  | "end of data, the session is forgotten"
  | "go on with one warning less"
  | "terminate"
  | "protest with illegal_parameter"
  | "protest with unexpected_message"

const tolerated = ({ warningsLeft }: Case): Outcome =>
  warningsLeft === 0 ? "protest with unexpected_message" : "go on with one warning less"

/** The rows of the table for one whole alert, in order: the first that applies decides. */
const rows: ReadonlyArray<
  readonly [row: number, applies: (alert: Case) => boolean, outcome: (alert: Case) => Outcome]
> = [
  [5, ({ code, level, version }) => code === 0 && (version === "1.3" || level === 1), () => "end of data"],
  [5, ({ code, level }) => code === 0 && level === 2, () => "end of data, the session is forgotten"],
  [6, ({ code, level, version }) => code === 90 && (version === "1.3" || level === 1), tolerated],
  [7, ({ version }) => version === "1.3", () => "terminate"],
  [8, ({ level }) => level !== 1 && level !== 2, () => "protest with illegal_parameter"],
  [9, ({ level }) => level === 2, () => "terminate"],
  [10, ({ level }) => level === 1, tolerated]
]

const outcomeOf = (verdict: Verdict, budget: Budget, version: Version): Outcome | undefined => {
  switch (verdict._tag) {
    case "EndOfData":
      return verdict.forgets ? "end of data, the session is forgotten" : "end of data"
    case "Terminate":
      return "terminate"
    case "Protest": {
      const alert = answer(verdict.fault, version)
      return alert === "illegal_parameter" || alert === "unexpected_message" ? `protest with ${alert}` : undefined
    }
    case "Tolerate":
      assert.deepStrictEqual(verdict.budget, { ...budget, warnings: budget.warnings - 1 })
      return "go on with one warning less"
  }
}

const judged = (alert: Case, phase: Phase): Outcome | undefined => {
  const budget = { warnings: alert.warningsLeft, emptyRecords: 7, renegotiations: 3, keyUpdates: 5 }
  const context = { version: alert.version, phase, budget, limits: defaultBudget }
  return outcomeOf(judge(context, fromBytes(alert.level, alert.code)), budget, alert.version)
}

const warningOf = (description: AlertDescription) => ({ level: "warning", description }) as const
const fatalOf = (description: AlertDescription) => ({ level: "fatal", description }) as const

describe("rows 5 to 10: one whole alert", () => {
  for (const version of versions) {
    it(`every description at levels 0, 1, 2, 3, 10 and 255, in ${version}, by the table`, () => {
      const met = new Set<number>()
      for (const code of everyByte) {
        for (const level of [0, 1, 2, 3, 10, 255]) {
          for (const warningsLeft of [0, 1, 4]) {
            const alert: Case = { level, code, version, warningsLeft }
            const [row, , outcome] = rows.find(([, applies]) => applies(alert)) ?? []
            assert(row !== undefined && outcome !== undefined)
            met.add(row)
            for (const phase of phases) {
              assert.strictEqual(judged(alert, phase), outcome(alert), `row ${row}: ${JSON.stringify(alert)} ${phase}`)
            }
          }
        }
      }
      assert.deepStrictEqual([...met].sort((a, b) => a - b), version === "1.3" ? [5, 6, 7] : [5, 6, 8, 9, 10])
    })
  }

  const fresh = (version: Version) =>
    ({ version, phase: "established", budget: defaultBudget, limits: defaultBudget }) as const

  it("R5246-7.2-02, R5246-7.2.2-13: fatal ends the connection, the alerts that must not be sent too", () => {
    for (const code of everyByte.slice(1)) {
      assert.deepStrictEqual(judge(fresh("1.2"), fatalOf(descriptionOf(code))), { _tag: "Terminate" })
    }
  })

  it("R5246-7.2.2-05, R5246-7.2.2-07: a certificate error counts by its level, and after a warning all goes on", () => {
    for (const code of [42, 43, 44, 45, 46]) {
      assert.strictEqual(judge(fresh("1.2"), warningOf(descriptionOf(code)))._tag, "Tolerate")
      assert.strictEqual(judge(fresh("1.2"), fatalOf(descriptionOf(code)))._tag, "Terminate")
    }
  })

  it("R5246-7.2.2-32, R5246-7.2.2-36: user_canceled and no_renegotiation leave the choice to us, and we go on", () => {
    assert.strictEqual(judge(fresh("1.2"), warningOf("user_canceled"))._tag, "Tolerate")
    assert.strictEqual(judge(fresh("1.2"), warningOf("no_renegotiation"))._tag, "Tolerate")
  })

  it("R5246-7.2.2-38: an unknown description counts by its level in TLS 1.2, and is an error in TLS 1.3", () => {
    assert.strictEqual(judge(fresh("1.2"), warningOf(200))._tag, "Tolerate")
    assert.strictEqual(judge(fresh("1.2"), fatalOf(200))._tag, "Terminate")
    assert.strictEqual(judge(fresh("1.3"), warningOf(200))._tag, "Terminate")
  })

  it("R5246-7.2-06: an undefined level is no warning, and the fault keeps both bytes", () => {
    assert.deepStrictEqual(judge(fresh("1.2"), fromBytes(3, 0)), {
      _tag: "Protest",
      fault: { _tag: "AlertLevelUnknown", level: 3, code: 0 }
    })
    assert.deepStrictEqual(judge(fresh("undecided"), fromBytes(0, 200)), {
      _tag: "Protest",
      fault: { _tag: "AlertLevelUnknown", level: 0, code: 200 }
    })
  })

  it("R5246-7.2.2-08: who will not go on after a warning says so, at the fifth in a row (CVE-2016-8610)", () => {
    for (const version of versions) {
      let budget = defaultBudget
      const alert = warningOf("user_canceled")
      for (let count = 1; count <= 4; count++) {
        const verdict = judge({ ...fresh(version), budget }, alert)
        assert(verdict._tag === "Tolerate", `warning ${count} in ${version}`)
        budget = verdict.budget
      }
      assert.deepStrictEqual(judge({ ...fresh(version), budget }, alert), {
        _tag: "Protest",
        fault: { _tag: "AlertFlood", limit: 4 }
      })
    }
  })
})

interface Read {
  readonly pairs: ReadonlyArray<readonly [level: number, code: number]>
  readonly left: number | undefined
}

/** What a stream of alert bytes says, wherever it is cut. */
const inPairs = (bytes: ReadonlyArray<number>): Read => {
  const whole = bytes.length - bytes.length % 2
  const pairs: Array<readonly [number, number]> = []
  for (let at = 0; at < whole; at += 2) pairs.push([bytes[at] ?? -1, bytes[at + 1] ?? -1])
  return { pairs, left: bytes[whole] }
}

const faultOf = (
  version: Version,
  fragment: ReadonlyArray<number>,
  unprotectedAfterProtected = false
): Fault | undefined => {
  const read = readAlertRecord(
    { version, carry: undefined, unprotectedAfterProtected },
    Uint8Array.from(fragment)
  )
  return read._tag === "Protest" ? read.fault : undefined
}

describe("rows 1 to 4: the records that alerts come in", () => {
  it("row 1: an empty one is unexpected_message, whatever the version", () => {
    for (const version of versions) {
      for (const unprotected of [false, true]) {
        const fault = faultOf(version, [], unprotected)
        assert.deepStrictEqual(fault, { _tag: "AlertEmpty" })
        assert.strictEqual(answer({ _tag: "AlertEmpty" }, version), "unexpected_message")
      }
      const pending = { version, carry: 2, unprotectedAfterProtected: false }
      assert.strictEqual(readAlertRecord(pending, new Uint8Array(0))._tag, "Protest")
    }
  })

  it("row 2: in TLS 1.3 one that is not 2 bytes is decode_error", () => {
    for (const length of [1, 3, 4, 100, 16_384]) {
      for (const unprotected of [false, true]) {
        const fault = faultOf("1.3", Array.from({ length }, () => 1), unprotected)
        assert.deepStrictEqual(fault, { _tag: "AlertMalformed", length })
        assert.strictEqual(answer({ _tag: "AlertMalformed", length }, "1.3"), "decode_error")
      }
    }
  })

  it("row 4: in TLS 1.3 one in the clear after a protected one is unexpected_message, close_notify too", () => {
    for (const code of everyByte) {
      const fault = faultOf("1.3", [2, code], true)
      assert.deepStrictEqual(fault, { _tag: "AlertUnprotected", code })
      assert.strictEqual(answer({ _tag: "AlertUnprotected", code }, "1.3"), "unexpected_message")
      assert.strictEqual(faultOf("1.3", [2, code], false), undefined)
      // In TLS 1.2 whoever opens the record has refused it, and before that anything may be in the clear.
      assert.strictEqual(faultOf("1.2", [2, code], true), undefined)
      assert.strictEqual(faultOf("undecided", [2, code], true), undefined)
    }
  })

  it("R5246-7.2-01: however they are cut into records, TLS 1.2 reads the same alerts", () => {
    const streams = [[1, 90, 2, 20, 1, 0], [1, 90, 2, 20, 1], [0, 0, 0, 0, 0], [255, 255, 3, 200], [2]]
    for (const version of ["1.2", "undecided"] as const) {
      for (const stream of streams) {
        const { left, pairs } = inPairs(stream)
        // Each bit of `cuts` cuts the stream after one byte.
        for (let cuts = 0; cuts < 2 ** (stream.length - 1); cuts++) {
          const alerts: Array<readonly [number, number]> = []
          let carry: number | undefined
          let start = 0
          for (let end = 1; end <= stream.length; end++) {
            if (end < stream.length && (cuts >> (end - 1) & 1) === 0) continue
            const read = readAlertRecord(
              { version, carry, unprotectedAfterProtected: false },
              Uint8Array.from(stream.slice(start, end))
            )
            assert(read._tag === "Alerts")
            for (const { description, level } of read.alerts) {
              alerts.push([
                [...everyByte].find((byte) => fromBytes(byte, 1).level === level) ?? -1,
                [...everyByte].find((byte) => descriptionOf(byte) === description) ?? -1
              ])
            }
            carry = read.carry
            start = end
          }
          const where = `${JSON.stringify(stream)} cut by ${cuts.toString(2)}`
          assert.deepStrictEqual(alerts, [...pairs], where)
          assert.strictEqual(carry, left, where)
        }
      }
    }
  })

  it("in TLS 1.3 one alert is one record, and nothing is carried", () => {
    for (const code of everyByte) {
      const read = readAlertRecord(
        { version: "1.3", carry: undefined, unprotectedAfterProtected: false },
        Uint8Array.of(7, code)
      )
      assert.deepStrictEqual(read, { _tag: "Alerts", alerts: [fromBytes(7, code)], carry: undefined })
    }
  })

  it("row 3: half an alert, whatever its byte, admits nothing but its other half: unexpected_message", () => {
    assert.strictEqual(interruptedAlert(undefined, "handshake"), undefined)
    for (const byte of everyByte) {
      for (const received of ["handshake", "application_data", "change_cipher_spec"]) {
        const fault = interruptedAlert(byte, received)
        assert.deepStrictEqual(fault, { _tag: "RecordInterleaved", pending: "alert", received })
        assert(fault !== undefined)
        for (const version of versions) assert.strictEqual(answer(fault, version), "unexpected_message")
      }
    }
  })
})
