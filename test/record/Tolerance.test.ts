/** What a peer may send for nothing, and how much of it (law 9): empty records, warnings, and alerts as records carry them. */
import { assert, describe, it } from "@effect/vitest"
import type { Alert } from "../../src/alert/Alert.ts"
import type { Fault } from "../../src/alert/Fault.ts"
import { Inbound, type Incoming } from "../../src/record/Inbound.ts"
import { concat, ContentType, cut, filled, limits, makeRecord, openDirection, receive, say, tags } from "./records.ts"

const { alert, application_data: data, change_cipher_spec: ccs, handshake } = ContentType

const fresh = () => new Inbound({ handshake: limits })

/** A HelloRequest, and a message with a body. */
const helloRequest = new Uint8Array(4)
const message = concat([Uint8Array.of(1, 0, 0, 6), filled(6, 1)])
const noRenegotiation = Uint8Array.of(1, 100)

const tolerated = (level: Alert["level"], description: Alert["description"], warnings: number): Incoming => ({
  _tag: "Alert",
  alert: { level, description },
  verdict: { _tag: "Tolerate", budget: { warnings, emptyRecords: 32, renegotiations: 1, keyUpdates: 32 } }
})

describe("records of length zero, RFC 5246 section 6.2.1: application data alone may have them, on an open connection", () => {
  const faults: ReadonlyArray<readonly [type: number, Fault]> = [
    [ccs, { _tag: "RecordEmpty", contentType: ccs }],
    [alert, { _tag: "AlertEmpty" }],
    [handshake, { _tag: "RecordEmpty", contentType: handshake }],
    [data, { _tag: "RecordEmpty", contentType: data }]
  ]
  it.each(faults)("type %i in the handshake, in the clear", (type, fault) => {
    assert.deepStrictEqual(receive(fresh(), makeRecord(type, new Uint8Array())), [fault])
  })
  it.each(faults)("type %i on the open connection, protected", (type, fault) => {
    assert.deepStrictEqual(say(openDirection(), type, new Uint8Array()), type === data ? [] : [fault])
  })
})

describe("budgets, law 9", () => {
  const flood: Incoming = {
    _tag: "Alert",
    alert: { level: "warning", description: "no_renegotiation" },
    verdict: { _tag: "Protest", fault: { _tag: "AlertFlood", limit: 4 } }
  }

  it("4 warnings in a row, judged one by one, over records or in one record", () => {
    const expected = [3, 2, 1, 0].map((left) => tolerated("warning", "no_renegotiation", left))
    const single = Array.from({ length: 5 }, () => noRenegotiation)
    assert.deepStrictEqual(say(openDirection(), alert, ...single), [...expected, flood])
    assert.deepStrictEqual(say(openDirection(), alert, concat(single)), [...expected, flood])
    const inbound = fresh()
    assert.deepStrictEqual(receive(inbound, ...single.map((one) => makeRecord(alert, one))), [...expected, flood])
  })

  it("32 empty records in a row", () => {
    const direction = openDirection()
    const empties = Array.from({ length: 32 }, () => new Uint8Array())
    assert.deepStrictEqual(say(direction, data, ...empties), [])
    assert.deepStrictEqual(say(direction, data, new Uint8Array()), [{ _tag: "EmptyRecordFlood", limit: 32 }])
  })

  it("neither refills the other", () => {
    for (const last of ["warning", "empty"] as const) {
      const direction = openDirection()
      for (let i = 0; i < 4; i++) {
        assert.deepStrictEqual(say(direction, data, ...Array.from({ length: 8 }, () => new Uint8Array())), [])
        assert.deepStrictEqual(tags(say(direction, alert, noRenegotiation)), ["Alert"])
      }
      assert.deepStrictEqual(
        last === "warning" ? say(direction, alert, noRenegotiation) : say(direction, data, new Uint8Array()),
        last === "warning" ? [flood] : [{ _tag: "EmptyRecordFlood", limit: 32 }]
      )
    }
  })

  it("data refills both, and the request to renegotiate", () => {
    const direction = openDirection()
    for (let i = 0; i < 3; i++) {
      assert.strictEqual(direction.inbound.spendRenegotiation(), undefined)
      assert.deepStrictEqual(direction.inbound.spendRenegotiation(), { _tag: "RenegotiationFlood", limit: 1 })
      assert.deepStrictEqual(say(direction, data, ...Array.from({ length: 32 }, () => new Uint8Array())), [])
      const warnings = say(direction, alert, ...Array.from({ length: 4 }, () => noRenegotiation))
      assert.deepStrictEqual(
        warnings.map((incoming) => incoming._tag === "Alert" ? incoming.verdict._tag : incoming),
        ["Tolerate", "Tolerate", "Tolerate", "Tolerate"]
      )
      assert.deepStrictEqual(say(direction, data, Uint8Array.of(1)), [{ _tag: "Data", bytes: Uint8Array.of(1) }])
    }
  })

  it("a message that is progress refills warnings, and never the request to renegotiate", () => {
    const inbound = fresh()
    const warnings = Array.from({ length: 4 }, () => makeRecord(alert, noRenegotiation))
    assert.strictEqual(inbound.spendRenegotiation(), undefined)
    assert.deepStrictEqual(tags(receive(inbound, ...warnings)), ["Alert", "Alert", "Alert", "Alert"])
    inbound.progress()
    const again = receive(inbound, ...warnings)
    assert.isTrue(again.every((incoming) => incoming._tag === "Alert" && incoming.verdict._tag === "Tolerate"))
    assert.strictEqual(again.length, 4)
    assert.deepStrictEqual(inbound.spendRenegotiation(), { _tag: "RenegotiationFlood", limit: 1 })
  })

  it("a message that is not progress refills nothing, nor does ChangeCipherSpec", () => {
    const inbound = fresh()
    const warnings = Array.from({ length: 4 }, () => makeRecord(alert, noRenegotiation))
    receive(inbound, ...warnings)
    const rest = [
      makeRecord(handshake, helloRequest),
      makeRecord(ccs, Uint8Array.of(1)),
      makeRecord(alert, noRenegotiation)
    ]
    assert.deepStrictEqual(receive(inbound, ...rest).at(-1), flood)
  })

  it("are what the options say", () => {
    const direction = openDirection({
      inbound: { budget: { warnings: 1, emptyRecords: 0, renegotiations: 0, keyUpdates: 0 } }
    })
    assert.deepStrictEqual(direction.inbound.spendRenegotiation(), { _tag: "RenegotiationFlood", limit: 0 })
    assert.deepStrictEqual(direction.inbound.spendKeyUpdate(), { _tag: "KeyUpdateFlood", limit: 0 })
    const [first, second] = say(direction, alert, noRenegotiation, noRenegotiation)
    assert.isTrue(first?._tag === "Alert" && first.verdict._tag === "Tolerate")
    assert.deepStrictEqual(second?._tag === "Alert" ? second.verdict : second, {
      _tag: "Protest",
      fault: { _tag: "AlertFlood", limit: 1 }
    })
    assert.deepStrictEqual(say(direction, data, new Uint8Array()), [{ _tag: "EmptyRecordFlood", limit: 0 }])
  })
})

describe("alerts in records", () => {
  const fatal = (description: Alert["description"]): Incoming => ({
    _tag: "Alert",
    alert: { level: "fatal", description },
    verdict: { _tag: "Terminate" }
  })

  it("several in one record are judged singly, each by the budget that the one before it left", () => {
    assert.deepStrictEqual(say(openDirection(), alert, Uint8Array.of(1, 100, 1, 90, 2, 20, 1, 0, 3, 0)), [
      tolerated("warning", "no_renegotiation", 3),
      tolerated("warning", "user_canceled", 2),
      fatal("bad_record_mac"),
      {
        _tag: "Alert",
        alert: { level: "warning", description: "close_notify" },
        verdict: { _tag: "EndOfData", forgets: false }
      },
      {
        _tag: "Alert",
        alert: { level: 3, description: "close_notify" },
        verdict: { _tag: "Protest", fault: { _tag: "AlertLevelUnknown", level: 3, code: 0 } }
      }
    ])
  })

  it("one may be split over records, and the second half may bring others along", () => {
    const expected = [fatal("bad_record_mac"), fatal("record_overflow")]
    for (const split of [[1, 3], [3, 1], [1, 1, 1, 1], [1, 2, 1]]) {
      assert.deepStrictEqual(say(openDirection(), alert, ...cut(Uint8Array.of(2, 20, 2, 22), split)), expected)
      const records = cut(Uint8Array.of(2, 20, 2, 22), split).map((part) => makeRecord(alert, part))
      assert.deepStrictEqual(receive(fresh(), ...records), expected)
    }
  })

  it.each([
    [handshake, message, "handshake"],
    [handshake, new Uint8Array(), "handshake"],
    [ccs, Uint8Array.of(1), "change_cipher_spec"],
    [data, Uint8Array.of(1), "application_data"],
    [data, new Uint8Array(), "application_data"]
  ])("half of one, and then a record of type %i", (type, content, received) => {
    const expected: ReadonlyArray<Incoming> = [{ _tag: "RecordInterleaved", pending: "alert", received }]
    const direction = openDirection()
    assert.deepStrictEqual(say(direction, alert, Uint8Array.of(2)), [])
    assert.deepStrictEqual(say(direction, type, content), expected)
    assert.deepStrictEqual(receive(fresh(), makeRecord(alert, Uint8Array.of(2)), makeRecord(type, content)), expected)
  })

  it("a failed opening is bad_record_mac, also with half an alert pending", () => {
    const direction = openDirection()
    say(direction, alert, Uint8Array.of(2))
    assert.deepStrictEqual(receive(direction.inbound, makeRecord(alert, new Uint8Array(26))), [{
      _tag: "BadRecordMac"
    }])
  })

  it("in TLS 1.3 a record holds exactly one", () => {
    for (const [length, fault] of [[1, "AlertMalformed"], [3, "AlertMalformed"], [4, "AlertMalformed"]] as const) {
      const inbound = fresh()
      inbound.settleVersion("1.3")
      assert.deepStrictEqual(receive(inbound, makeRecord(alert, new Uint8Array(length))), [{ _tag: fault, length }])
    }
  })
})
