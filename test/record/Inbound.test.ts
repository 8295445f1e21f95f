import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { defaultBudget } from "../../src/alert/Budget.ts"
import { Inbound, type Incoming, type Target } from "../../src/record/Inbound.ts"
import type { Observation } from "../../src/record/Observer.ts"
import { toHex } from "../platform/vectors.ts"
import {
  bytesUpTo,
  chacha20,
  concat,
  ContentType,
  countTo,
  cut,
  type Direction,
  drain,
  filled,
  gcm,
  int,
  limits,
  makeRecord,
  openDirection,
  protectionOf,
  receive,
  say,
  sealRecord,
  tags
} from "./records.ts"

const { alert, application_data: data, change_cipher_spec: ccs, handshake } = ContentType

const fresh = () => new Inbound({ handshake: limits })

/** A HelloRequest, and a message with a body. */
const helloRequest = new Uint8Array(4)
const message = concat([Uint8Array.of(1, 0, 0, 6), filled(6, 1)])
const rawMessage = { _tag: "Handshake", type: 1, body: message.subarray(4), bytes: message } as const
const noRenegotiation = Uint8Array.of(1, 100)

describe("interleaving, RFC 5246 section 6.2.1", () => {
  it("application data between the parts of a handshake message is delivered", () => {
    const direction = openDirection()
    assert.deepStrictEqual(say(direction, handshake, message.subarray(0, 3)), [])
    assert.deepStrictEqual(say(direction, data, Uint8Array.of(7)), [{ _tag: "Data", bytes: Uint8Array.of(7) }])
    assert.deepStrictEqual(say(direction, alert, noRenegotiation), [{
      _tag: "Alert",
      alert: { level: "warning", description: "no_renegotiation" },
      verdict: { _tag: "Tolerate", budget: { ...defaultBudget, warnings: 3 } }
    }])
    assert.deepStrictEqual(say(direction, handshake, message.subarray(3)), [rawMessage])
  })

  it("application data in the handshake is unexpected", () => {
    assert.deepStrictEqual(receive(fresh(), makeRecord(data, Uint8Array.of(7))), [
      { _tag: "MessageUnexpected", expected: ["handshake"], received: "application_data" }
    ])
  })

  it("several messages in a record come one by one, and the begin of another is kept", () => {
    const inbound = fresh()
    const record = makeRecord(handshake, concat([message, helloRequest, message.subarray(0, 4)]))
    assert.deepStrictEqual(receive(inbound, record), [
      rawMessage,
      { _tag: "Handshake", type: 0, body: new Uint8Array(), bytes: helloRequest }
    ])
    assert.deepStrictEqual(receive(inbound, makeRecord(handshake, message.subarray(4))), [rawMessage])
  })

  it("an alert that came with a message waits its turn", () => {
    const records = [makeRecord(handshake, concat([message, message])), makeRecord(alert, Uint8Array.of(2, 40))]
    assert.deepStrictEqual(tags(receive(fresh(), concat(records))), ["Handshake", "Handshake", "Alert"])
  })

  it("the limits of handshake messages hold", () => {
    const announced = makeRecord(handshake, Uint8Array.of(1, 0, 3, 0xe9))
    assert.deepStrictEqual(receive(fresh(), announced), [
      { _tag: "MessageTooLong", message: "client_hello", length: 1001, limit: 1000 }
    ])
    const direction = openDirection()
    for (let i = 0; i < 600; i++) assert.deepStrictEqual(say(direction, handshake, message), [rawMessage])
    const inbound = fresh()
    const all = Array.from({ length: 501 }, () => makeRecord(handshake, message))
    assert.deepStrictEqual(receive(inbound, ...all).at(-1), { _tag: "HandshakeTooLong", limit: 5000 })
  })
})

describe("ChangeCipherSpec", () => {
  it("needs a pending state: an early one is unexpected and changes nothing (CVE-2014-0224)", () => {
    const inbound = fresh()
    assert.deepStrictEqual(receive(inbound, makeRecord(ccs, Uint8Array.of(1))), [{ _tag: "ChangeCipherSpec" }])
    assert.deepStrictEqual(inbound.changeCipherSpec(), {
      _tag: "MessageUnexpected",
      expected: [],
      received: "change_cipher_spec"
    })
    assert.isFalse(inbound.state.current.protection.isProtected)
    assert.deepStrictEqual(receive(inbound, makeRecord(handshake, message)), [rawMessage])
  })

  it("may not cut a handshake message in two", () => {
    const inbound = fresh()
    inbound.state.setPending(openDirection().inbound.state.current)
    const records = [makeRecord(handshake, message.subarray(0, 4)), makeRecord(ccs, Uint8Array.of(1))]
    assert.deepStrictEqual(receive(inbound, ...records), [{ _tag: "ChangeCipherSpec" }])
    assert.deepStrictEqual(inbound.changeCipherSpec(), { _tag: "KeyChangeInsideMessage", pending: "handshake" })
    assert.isTrue(inbound.state.hasPending)
  })

  it("takes effect between two records of one chunk", () => {
    const { inbound: expected, outbound } = openDirection()
    const inbound = fresh()
    inbound.push(concat([makeRecord(ccs, Uint8Array.of(1)), outbound.seal(handshake, message)]))
    assert.deepStrictEqual(inbound.next(), { _tag: "ChangeCipherSpec" })
    inbound.state.setPending(expected.state.current)
    assert.strictEqual(inbound.changeCipherSpec(), undefined)
    assert.deepStrictEqual(drain(inbound), [rawMessage])
  })

  it.each([[Uint8Array.of(0)], [Uint8Array.of(2)], [Uint8Array.of(1, 1)], [Uint8Array.of(1, 0)]])(
    "of %j",
    (content) => {
      assert.deepStrictEqual(receive(fresh(), makeRecord(ccs, content)), [{ _tag: "ChangeCipherSpecMalformed" }])
    }
  )
})

describe("limits and versions of records", () => {
  it("in the clear 2^14 bytes, judged by the header alone", () => {
    const inbound = fresh()
    assert.deepStrictEqual(receive(inbound, Uint8Array.of(22, 3, 1, 0x40, 0)), [])
    assert.deepStrictEqual(receive(fresh(), Uint8Array.of(22, 3, 1, 0x40, 1)), [
      { _tag: "RecordTooLong", length: 16385, limit: 16384 }
    ])
  })

  it("protected 2^14 + 2048 bytes, judged by the header alone", () => {
    const { inbound } = openDirection()
    assert.deepStrictEqual(receive(inbound, Uint8Array.of(23, 3, 3, 0x48, 0)), [])
    assert.deepStrictEqual(receive(inbound, new Uint8Array(18432)), [{ _tag: "BadRecordMac" }])
    assert.deepStrictEqual(receive(openDirection().inbound, Uint8Array.of(23, 3, 3, 0x48, 1)), [
      { _tag: "RecordTooLong", length: 18433, limit: 18432 }
    ])
  })

  it("2^14 bytes of content, however well they are sealed", () => {
    assert.deepStrictEqual(tags(say(openDirection(), data, filled(16384, 1))), ["Data"])
    const direction = openDirection()
    const tooLong: ReadonlyArray<Incoming> = [{ _tag: "RecordTooLong", length: 16385, limit: 16384 }]
    assert.deepStrictEqual(say(direction, data, filled(16385, 1)), tooLong)
    const into = openDirection()
    const target = { buffer: new Uint8Array(20000), at: 0 }
    into.inbound.push(sealRecord(into, data, filled(16385, 1)))
    assert.deepStrictEqual(drain(into.inbound, target), tooLong)
    assert.deepStrictEqual(target, { buffer: new Uint8Array(20000), at: 0 })
  })

  it("any 3.x before the version is settled, 3.3 alone in TLS 1.2", () => {
    const record = makeRecord(handshake, message)
    record[2] = 1
    const inbound = fresh()
    assert.deepStrictEqual(receive(inbound, record), [rawMessage])
    const settled = fresh()
    settled.settleVersion("1.2")
    assert.strictEqual(settled.version, "1.2")
    assert.deepStrictEqual(receive(settled, makeRecord(handshake, message)), [rawMessage])
    assert.deepStrictEqual(receive(settled, record), [{ _tag: "RecordVersionWrong", version: 0x0301 }])
  })

  it("how long a key is good for is the matter of who seals (RFC 9325 section 4.4)", () => {
    const direction = openDirection({ suite: { ...gcm, recordLimit: 3 } })
    const records = [1, 2, 3, 4, 5].map((value) => sealRecord(direction, data, Uint8Array.of(value)))
    assert.deepStrictEqual(tags(receive(direction.inbound, ...records)), ["Data", "Data", "Data", "Data", "Data"])
  })

  it("a sequence number does not wrap: without a next one no record is opened (RFC 5246 section 6.1)", () => {
    const direction = openDirection()
    countTo(direction, Number.MAX_SAFE_INTEGER - 1)
    assert.deepStrictEqual(tags(say(direction, data, Uint8Array.of(1))), ["Data"])
    countTo(direction, Number.MAX_SAFE_INTEGER)
    assert.deepStrictEqual(say(direction, data, Uint8Array.of(1)), [{
      _tag: "KeyWornOut",
      limit: Number.MAX_SAFE_INTEGER
    }])
  })
})

it("what came before a fault in the same chunk is delivered before it (law 13)", () => {
  const direction = openDirection()
  const records = [1, 2, 3].map((value) => sealRecord(direction, data, Uint8Array.of(value)))
  const chunk = concat(records)
  chunk[chunk.length - 1] = (chunk.at(-1) ?? 0) ^ 1
  assert.deepStrictEqual(receive(direction.inbound, chunk), [
    { _tag: "Data", bytes: Uint8Array.of(1) },
    { _tag: "Data", bytes: Uint8Array.of(2) },
    { _tag: "BadRecordMac" }
  ])
  assert.strictEqual(direction.inbound.recordsReceived, 2)
})

it("a record that is replayed, dropped or moved is bad_record_mac alone", () => {
  for (const order of [[0, 0], [1], [1, 0]]) {
    for (const suite of [gcm, chacha20]) {
      const direction = openDirection({ suite })
      const records = [1, 2].map((value) => sealRecord(direction, data, Uint8Array.of(value)))
      const sent = order.map((i) => records[i] ?? new Uint8Array())
      assert.deepStrictEqual(receive(direction.inbound, ...sent).at(-1), { _tag: "BadRecordMac" })
    }
  }
})

const Content = Arbitrary.all({ type: int(21, 23), bytes: bytesUpTo(40) })
it.prop("any split of a protected conversation gives the same as all at once, observations included", {
  contents: Arbitrary.array(Content, { minLength: 1, maxLength: 8 }),
  lengths: Arbitrary.array(int(1, 60), { minLength: 1, maxLength: 5 })
}, (_) => {
  const run = (split: ReadonlyArray<number>) => {
    const observed: Array<Observation> = []
    const direction = openDirection({ inbound: { observe: (observation) => observed.push(observation) } })
    const stream = concat(_.contents.map(({ bytes, type }) => sealRecord(direction, type, bytes)))
    const all: Array<Incoming> = []
    for (const chunk of cut(stream, split)) {
      all.push(...receive(direction.inbound, chunk))
      if (!["Data", "Handshake", "ChangeCipherSpec", "Alert", undefined].includes(all.at(-1)?._tag)) break
    }
    return { all, observed, received: direction.inbound.recordsReceived }
  }
  assert.deepStrictEqual(run(_.lengths), run([100_000]))
}, { arbitrary: { runs: 300 } })

describe("a target", () => {
  const opened = (target: Target, direction: Direction, ...contents: ReadonlyArray<Uint8Array>) => {
    for (const content of contents) direction.inbound.push(sealRecord(direction, data, content))
    return drain(direction.inbound, target)
  }

  it.each([["GCM", gcm], ["ChaCha20", chacha20]] as const)(
    "takes what fits, one record behind the other (%s)",
    (_, suite) => {
      const target = { buffer: new Uint8Array(10).fill(0xa5), at: 1 }
      const direction = openDirection({ suite })
      const all = opened(target, direction, filled(3, 1), new Uint8Array(), filled(4, 2), filled(3, 3), filled(2, 4))
      // 3 and 4 fit behind the first byte, then 3 do not any more, and 2 do.
      assert.deepStrictEqual(all, [3, 4, 3, 2].map((length, i) => ({ _tag: "Data", bytes: filled(length, i + 1) })))
      assert.strictEqual(target.at, 10)
      assert.strictEqual(toHex(target.buffer), `a5${toHex(concat([filled(3, 1), filled(4, 2), filled(2, 4)]))}`)
    }
  )

  it("gets views of itself, and others get bytes of their own", () => {
    const target = { buffer: new Uint8Array(4), at: 0 }
    const direction = openDirection()
    for (const content of [filled(4, 1), filled(1, 2)]) direction.inbound.push(sealRecord(direction, data, content))
    const [first, second] = [direction.inbound.next(target), direction.inbound.next(target)]
    assert.isTrue(first?._tag === "Data" && first.bytes.buffer === target.buffer.buffer)
    assert.isTrue(second?._tag === "Data" && second.bytes.buffer !== target.buffer.buffer)
  })

  it.each([["GCM", gcm], ["ChaCha20", chacha20]] as const)(
    "keeps nothing of a record that does not authenticate (%s)",
    (_, suite) => {
      const target = { buffer: new Uint8Array(64).fill(0xa5), at: 0 }
      const direction = openDirection({ suite })
      const record = sealRecord(direction, data, filled(32, 1))
      record[20] = (record[20] ?? 0) ^ 1
      direction.inbound.push(record)
      assert.deepStrictEqual(drain(direction.inbound, target), [{ _tag: "BadRecordMac" }])
      assert.deepStrictEqual(target, { buffer: new Uint8Array(64).fill(0xa5), at: 0 })
    }
  )

  it("is not moved on by data that is not delivered: half an alert is pending", () => {
    const target = { buffer: new Uint8Array(8), at: 0 }
    const direction = openDirection()
    say(direction, alert, Uint8Array.of(2))
    assert.deepStrictEqual(tags(opened(target, direction, filled(5, 1))), ["RecordInterleaved"])
    assert.strictEqual(target.at, 0)
  })

  it("is moved on by what was put there alone, also where other bytes live in the same memory", () => {
    const pool = new ArrayBuffer(64)
    const target = { buffer: new Uint8Array(pool, 0, 8), at: 0 }
    const inflated = new Uint8Array(pool, 32, 3)
    const direction = openDirection({ compression: { compress: (bytes) => bytes, decompress: () => inflated } })
    assert.deepStrictEqual(opened(target, direction, filled(5, 1)), [{ _tag: "Data", bytes: new Uint8Array(3) }])
    assert.strictEqual(target.at, 0)
  })
})

it("every record and alert is observed, with its sequence number and state", () => {
  const observed: Array<Observation> = []
  const direction = openDirection({ inbound: { observe: (observation) => observed.push(observation) } })
  say(direction, data, filled(3, 1))
  say(direction, alert, noRenegotiation)
  const record = { _tag: "Record", direction: "received", isProtected: true } as const
  assert.deepStrictEqual(observed, [
    { ...record, contentType: data, length: 5 + 24 + 3, contentLength: 3, sequence: 0 },
    { ...record, contentType: alert, length: 5 + 24 + 2, contentLength: 2, sequence: 1 },
    {
      _tag: "Alert",
      direction: "received",
      alert: { level: "warning", description: "no_renegotiation" },
      isProtected: true
    }
  ])
})

it("once the keys are forgotten nothing opens, and nothing is held", () => {
  const direction = openDirection()
  direction.inbound.push(sealRecord(direction, alert, Uint8Array.of(1, 100, 1, 90)))
  assert.strictEqual(direction.inbound.next()?._tag, "Alert")
  direction.inbound.push(Uint8Array.of(23, 3))
  const { protection } = direction.inbound.state.current
  direction.inbound.forget()
  assert.isFalse(direction.inbound.deframer.isMidRecord)
  assert.strictEqual(direction.inbound.next(), undefined)
  const other = openDirection()
  const record = sealRecord(other, data, Uint8Array.of(1))
  assert.strictEqual(protection.open(data, record.subarray(5), 0), undefined)
  assert.strictEqual(protectionOf(gcm).open(data, record.subarray(5), 0)?.length, 1)
  assert.deepStrictEqual(receive(direction.inbound, record), [{ _tag: "BadRecordMac" }])
})
