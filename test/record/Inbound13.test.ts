/** What a record may hold in TLS 1.3, and what may stand between two: RFC 8446 sections 5.1, 5.2 and 5.4. */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import type { Alert } from "../../src/alert/Alert.ts"
import { answer } from "../../src/alert/Answer.ts"
import type { Fault } from "../../src/alert/Fault.ts"
import { nullCompression } from "../../src/record/Compression.ts"
import { Inbound, type Incoming } from "../../src/record/Inbound.ts"
import type { Observation } from "../../src/record/Observer.ts"
import { suites13 } from "../../src/secret/CipherSuite.ts"
import {
  bytesUpTo,
  concat,
  ContentType,
  countTo,
  cut,
  type Direction,
  filled,
  gcm13,
  int,
  isFault,
  limits,
  makeRecord,
  openDirection,
  openDirection13,
  protectionOf13,
  receive,
  say,
  sealInner,
  sealRecord,
  tags
} from "./records.ts"

const { alert, application_data: data, change_cipher_spec: ccs, handshake } = ContentType

const message = concat([Uint8Array.of(8, 0, 0, 6), filled(6, 1)])
const rawMessage = { _tag: "Handshake", type: 8, body: message.subarray(4), bytes: message } as const
const one = Uint8Array.of(7)
const parameters = (seed: number) => ({ protection: protectionOf13(gcm13, seed), compression: nullCompression })

/** The version is settled, and there are no keys: at a server after its HelloRetryRequest. */
const fresh = () => {
  const inbound = new Inbound({ handshake: limits })
  inbound.settleVersion("1.3")
  return inbound
}
const handshaking = () => openDirection13({ phase: "handshaking" })

const isAnswered = (incoming: ReadonlyArray<Incoming>, fault: Fault, alert: string, why?: string): void => {
  assert.deepStrictEqual(incoming, [fault], why)
  assert.strictEqual(answer(fault, "1.3"), alert, why)
}
const illegal = (received: string): Fault => ({ _tag: "MessageUnexpected", expected: [], received })
const judged = (level: Alert["level"], description: Alert["description"], warnings?: number): Incoming => ({
  _tag: "Alert",
  alert: { level, description },
  verdict: warnings === undefined
    ? { _tag: "Terminate" }
    : { _tag: "Tolerate", budget: { warnings, emptyRecords: 32, renegotiations: 1, keyUpdates: 32 } }
})

describe("the inner plaintext, RFC 8446 sections 5.2 and 5.4", () => {
  const inner = (content: Uint8Array, type: number, padding: number) =>
    concat([content, Uint8Array.of(type), new Uint8Array(padding)])

  it.each(suites13)("$name: padding of any length is taken off", (suite) => {
    for (const padding of [0, 1, 2, 255, 16384 - message.length]) {
      const direction = openDirection13({ suite })
      const records = [
        sealInner(direction, inner(one, data, padding)),
        sealInner(direction, inner(message, handshake, padding)),
        sealInner(direction, inner(Uint8Array.of(1, 0), alert, padding)),
        // A zero of the content is no padding.
        sealInner(direction, inner(Uint8Array.of(0, 0), data, 3))
      ]
      assert.deepStrictEqual(receive(direction.inbound, ...records), [
        { _tag: "Data", bytes: one },
        rawMessage,
        {
          _tag: "Alert",
          alert: { level: "warning", description: "close_notify" },
          verdict: { _tag: "EndOfData", forgets: false }
        },
        { _tag: "Data", bytes: Uint8Array.of(0, 0) }
      ])
    }
  })

  it("R8446-5.4-02: one with nothing but zeros is unexpected_message", () => {
    for (const length of [1, 2, 100, 16385]) {
      const direction = openDirection13()
      const incoming = receive(direction.inbound, sealInner(direction, new Uint8Array(length)))
      isAnswered(incoming, illegal("a protected record of content type 0"), "unexpected_message", `${length} zeros`)
    }
  })

  it("R8446-5-01: a protected change_cipher_spec is unexpected_message, whatever it holds", () => {
    for (const content of [new Uint8Array(), one, Uint8Array.of(1)]) {
      for (const direction of [handshaking(), openDirection13()]) {
        isAnswered(say(direction, ccs, content), illegal("a protected change_cipher_spec"), "unexpected_message")
      }
    }
  })

  it("any type beside alert, handshake and data is unexpected_message", () => {
    for (let contentType = 1; contentType < 256; contentType++) {
      if (contentType >= 20 && contentType <= 23) continue
      isAnswered(
        say(openDirection13(), contentType, one),
        illegal(`a protected record of content type ${contentType}`),
        "unexpected_message"
      )
    }
  })

  it("R8446-5.4-01: a handshake or alert record without content is unexpected_message, however it is padded", () => {
    for (const padding of [0, 1, 300]) {
      for (const phase of ["handshaking", "established"] as const) {
        const faults: ReadonlyArray<readonly [type: number, Fault]> = [
          [handshake, { _tag: "RecordEmpty", contentType: handshake }],
          [alert, { _tag: "AlertEmpty" }]
        ]
        for (const [type, fault] of faults) {
          const direction = openDirection13({ phase })
          const record = sealInner(direction, inner(new Uint8Array(), type, padding))
          isAnswered(receive(direction.inbound, record), fault, "unexpected_message")
        }
      }
    }
    // R8446-5.1-03: in the clear as well.
    isAnswered(receive(fresh(), makeRecord(handshake, new Uint8Array())), {
      _tag: "RecordEmpty",
      contentType: handshake
    }, "unexpected_message")
  })

  it("data without content is tolerated on budget, once the connection is open", () => {
    const direction = openDirection13()
    const empties = Array.from({ length: 32 }, (_, i) => sealInner(direction, inner(new Uint8Array(), data, i)))
    assert.deepStrictEqual(receive(direction.inbound, ...empties), [])
    isAnswered(say(direction, data, new Uint8Array()), { _tag: "EmptyRecordFlood", limit: 32 }, "unexpected_message")
    isAnswered(
      say(handshaking(), data, new Uint8Array()),
      { _tag: "RecordEmpty", contentType: data },
      "unexpected_message"
    )
    isAnswered(say(handshaking(), data, one), {
      _tag: "MessageUnexpected",
      expected: ["handshake"],
      received: "application_data"
    }, "unexpected_message")
  })

  it("R8446-5.2-04: 2^14 + 1 bytes with the type and the padding, and not one more", () => {
    for (const content of [filled(16384, 1), one]) {
      const direction = openDirection13()
      const longest = inner(content, data, 16384 - content.length)
      assert.deepStrictEqual(tags(receive(direction.inbound, sealInner(direction, longest))), ["Data"])
      const incoming = receive(direction.inbound, sealInner(direction, concat([longest, new Uint8Array(1)])))
      isAnswered(incoming, { _tag: "RecordTooLong", length: 16386, limit: 16385 }, "record_overflow")
    }
  })

  it("R8446-5.2-01: 2^14 + 256 bytes of ciphertext, judged by the header alone", () => {
    for (const suite of suites13) {
      const { inbound } = openDirection13({ suite })
      assert.deepStrictEqual(receive(inbound, Uint8Array.of(23, 3, 3, 0x41, 0)), [])
      isAnswered(receive(inbound, new Uint8Array(16640)), { _tag: "BadRecordMac" }, "bad_record_mac")
      isAnswered(receive(openDirection13({ suite }).inbound, Uint8Array.of(23, 3, 3, 0x41, 1)), {
        _tag: "RecordTooLong",
        length: 16641,
        limit: 16640
      }, "record_overflow")
    }
    // R8446-5.1-05.
    isAnswered(receive(fresh(), Uint8Array.of(22, 3, 3, 0x40, 1)), {
      _tag: "RecordTooLong",
      length: 16385,
      limit: 16384
    }, "record_overflow")
  })

  it("R9846-5.5-01: how long a key is good for is the matter of who seals", () => {
    const direction = openDirection13({ suite: { ...gcm13, recordLimit: 2 } })
    assert.deepStrictEqual(tags(say(direction, data, one, one, one)), ["Data", "Data", "Data"])
  })

  it("R8446-5.3-01: without a next sequence number no record is opened", () => {
    const direction = openDirection13()
    countTo(direction, Number.MAX_SAFE_INTEGER - 1)
    assert.deepStrictEqual(tags(say(direction, data, one)), ["Data"])
    countTo(direction, Number.MAX_SAFE_INTEGER)
    const fault: Fault = { _tag: "KeyWornOut", limit: Number.MAX_SAFE_INTEGER }
    isAnswered(say(direction, data, one), fault, "internal_error")
  })

  it("a record that is replayed, dropped or moved is bad_record_mac", () => {
    for (const order of [[0, 0], [1], [1, 0]]) {
      const direction = openDirection13()
      const records = [1, 2].map((value) => sealRecord(direction, data, Uint8Array.of(value)))
      const sent = order.map((i) => records[i] ?? new Uint8Array())
      assert.deepStrictEqual(receive(direction.inbound, ...sent).at(-1), { _tag: "BadRecordMac" })
    }
  })
})

describe("R8446-5.1-06: the version of a record is ignored", () => {
  it.each([0x0300, 0x0301, 0x0302, 0x0303, 0x0304, 0xffff, 0x0000])("%i, in the clear", (version) => {
    for (
      const [record, expected] of [
        [makeRecord(handshake, message), [rawMessage]],
        [makeRecord(ccs, Uint8Array.of(1)), []],
        [makeRecord(alert, Uint8Array.of(2, 40)), [judged("fatal", "handshake_failure")]]
      ] as const
    ) {
      record[1] = version >> 8
      record[2] = version & 255
      assert.deepStrictEqual(receive(fresh(), record), expected)
    }
  })

  it("a protected record always has the same: another is not authentic (section 5.2)", () => {
    const direction = openDirection13()
    const record = sealRecord(direction, data, one)
    const turned = record.slice()
    turned[2] = 1
    isAnswered(receive(openDirection13().inbound, turned), { _tag: "BadRecordMac" }, "bad_record_mac")
    assert.deepStrictEqual(tags(receive(direction.inbound, record)), ["Data"])
  })
})

describe("ChangeCipherSpec for the sake of middleboxes, RFC 8446 section 5", () => {
  const clear = (...content: ReadonlyArray<number>) => makeRecord(ccs, Uint8Array.from(content))
  const places: ReadonlyArray<readonly [name: string, () => Direction]> = [
    ["before keys", () => ({ inbound: fresh(), outbound: handshaking().outbound })],
    ["with keys and nothing opened", handshaking],
    ["after a protected record", () => {
      const direction = handshaking()
      assert.deepStrictEqual(say(direction, handshake, message), [rawMessage])
      return direction
    }]
  ]

  it.each(places)("%s: one byte 1 says nothing, 32 times", (_, make) => {
    const { inbound, outbound } = make()
    const { sequence } = inbound.state
    assert.deepStrictEqual(receive(inbound, ...Array.from({ length: 32 }, () => clear(1))), [])
    assert.strictEqual(inbound.state.sequence, sequence)
    const isProtected = inbound.state.current.protection.isProtected
    const record = isProtected ? sealRecord({ inbound, outbound }, handshake, message) : makeRecord(handshake, message)
    assert.deepStrictEqual(receive(inbound, record), [rawMessage])
    isAnswered(receive(inbound, clear(1)), illegal("change_cipher_spec"), "unexpected_message")
  })

  it.each(places)("R8446-5-01: %s: anything else is unexpected_message", (_, make) => {
    for (const content of [[], [0], [2], [255], [1, 1], [1, 0]]) {
      isAnswered(
        receive(make().inbound, clear(...content)),
        { _tag: "ChangeCipherSpecMalformed" },
        "unexpected_message"
      )
    }
  })

  it("after the handshake it is unexpected_message", () => {
    isAnswered(receive(openDirection13().inbound, clear(1)), illegal("change_cipher_spec"), "unexpected_message")
  })

  it("before the version is settled it is handed on: there the story has none", () => {
    assert.deepStrictEqual(tags(receive(new Inbound({ handshake: limits }), clear(1))), ["ChangeCipherSpec"])
  })
})

describe("records in the clear", () => {
  const clear = (...content: ReadonlyArray<number>) => makeRecord(alert, Uint8Array.from(content))
  const opened = () => {
    const direction = handshaking()
    assert.deepStrictEqual(say(direction, handshake, message), [rawMessage])
    return direction
  }

  it("an alert is read as what it says until a protected record was opened (verdict row 4)", () => {
    for (const inbound of [fresh(), handshaking().inbound]) {
      assert.deepStrictEqual(receive(inbound, clear(1, 90), clear(2, 42)), [
        judged("warning", "user_canceled", 3),
        judged("fatal", "bad_certificate")
      ])
    }
    // R8446-6-09: whatever its level.
    for (const [level, name] of [[0, 0], [1, "warning"], [255, 255]] as const) {
      assert.deepStrictEqual(receive(handshaking().inbound, clear(level, 48)), [judged(name, "unknown_ca")])
    }
  })

  it("afterwards one is unexpected_message, whatever it says, also under the next keys", () => {
    for (const code of [0, 10, 48, 90, 200]) {
      isAnswered(receive(opened().inbound, clear(1, code)), { _tag: "AlertUnprotected", code }, "unexpected_message")
      const { inbound } = opened()
      assert.strictEqual(inbound.install(parameters(9)), undefined)
      isAnswered(receive(inbound, clear(2, code)), { _tag: "AlertUnprotected", code }, "unexpected_message")
    }
  })

  it("R8446-5.1-04: it has two bytes, in the clear and protected (verdict row 2)", () => {
    for (const length of [1, 3, 4]) {
      const content = filled(length, 1)
      const fault: Fault = { _tag: "AlertMalformed", length }
      for (const inbound of [fresh(), handshaking().inbound, opened().inbound]) {
        isAnswered(receive(inbound, makeRecord(alert, content)), fault, "decode_error")
      }
      isAnswered(say(openDirection13(), alert, content), fault, "decode_error")
    }
    isAnswered(receive(handshaking().inbound, clear()), { _tag: "AlertEmpty" }, "unexpected_message")
  })

  it("a handshake message is unexpected_message once there are keys", () => {
    for (const { inbound } of [handshaking(), opened(), openDirection13()]) {
      isAnswered(
        receive(inbound, makeRecord(handshake, message)),
        illegal("handshake in the clear"),
        "unexpected_message"
      )
    }
  })

  it("R8446-6.2-08: data is unexpected_message before there are keys, and afterwards it does not authenticate", () => {
    isAnswered(receive(fresh(), makeRecord(data, one)), {
      _tag: "MessageUnexpected",
      expected: ["handshake"],
      received: "application_data"
    }, "unexpected_message")
    isAnswered(receive(opened().inbound, makeRecord(data, one)), { _tag: "BadRecordMac" }, "bad_record_mac")
  })
})

describe("R8446-5.1-01: a handshake message that is split over records", () => {
  const half = (direction: Direction) => {
    assert.deepStrictEqual(say(direction, handshake, message.subarray(0, 5)), [])
    return direction
  }
  const interleaved = (received: string): Fault => ({ _tag: "RecordInterleaved", pending: "handshake", received })

  it("admits no data, of any length, and no ChangeCipherSpec", () => {
    for (const content of [one, new Uint8Array()]) {
      isAnswered(say(half(openDirection13()), data, content), interleaved("application_data"), "unexpected_message")
    }
    const { inbound } = half(handshaking())
    isAnswered(
      receive(inbound, makeRecord(ccs, Uint8Array.of(1))),
      interleaved("change_cipher_spec"),
      "unexpected_message"
    )
    assert.strictEqual(say(half(openDirection()), data, one)[0]?._tag, "Data", "TLS 1.2 does")
  })

  it("admits an alert, which is read as what it says", () => {
    const direction = half(openDirection13())
    assert.deepStrictEqual(say(direction, alert, Uint8Array.of(1, 90)), [judged("warning", "user_canceled", 3)])
    assert.deepStrictEqual(say(direction, handshake, message.subarray(5)), [rawMessage])
    assert.deepStrictEqual(say(half(openDirection13()), alert, Uint8Array.of(2, 80)), [
      judged("fatal", "internal_error")
    ])
  })

  it("may be split at every byte, and several may share a record", () => {
    const direction = openDirection13()
    const parts = cut(concat([message, message]), [1])
    assert.deepStrictEqual(say(direction, handshake, ...parts), [rawMessage, rawMessage])
    assert.deepStrictEqual(say(direction, handshake, concat([message, message])), [rawMessage, rawMessage])
  })

  it("R8446-5.1-02: may not reach over a change of keys, and a whole message left unread may not either", () => {
    for (const rest of [message.subarray(0, 1), message.subarray(0, 9), message]) {
      const direction = handshaking()
      direction.inbound.push(sealRecord(direction, handshake, concat([message, rest])))
      assert.deepStrictEqual(direction.inbound.next(), rawMessage)
      const before = direction.inbound.state.current
      const fault = direction.inbound.install(parameters(9))
      assert.deepStrictEqual(fault, { _tag: "KeyChangeInsideMessage", pending: "handshake" })
      assert.strictEqual(direction.inbound.state.current, before)
      assert.strictEqual(answer({ _tag: "KeyChangeInsideMessage", pending: "handshake" }, "1.3"), "unexpected_message")
    }
  })
})

it("the keys change between two records of one chunk; R8446-4.6.3-03: what comes under the old ones is refused", () => {
  for (const isOld of [false, true]) {
    const direction = openDirection13()
    const update = sealRecord(direction, handshake, message)
    const old = sealRecord(direction, data, one)
    direction.outbound.state.install(parameters(9))
    direction.inbound.push(concat([update, isOld ? old : sealRecord(direction, data, one)]))
    assert.deepStrictEqual(direction.inbound.next(), rawMessage)
    assert.strictEqual(direction.inbound.state.sequence, 1)
    const { protection } = direction.inbound.state.current
    assert.strictEqual(direction.inbound.install(parameters(9)), undefined)
    assert.strictEqual(direction.inbound.state.sequence, 0)
    assert.strictEqual(protection.open(data, old.subarray(5), 1), undefined, "the keys before are dropped")
    assert.deepStrictEqual(
      receive(direction.inbound),
      isOld ? [{ _tag: "BadRecordMac" }] : [{ _tag: "Data", bytes: one }]
    )
  }
})

it("KeyUpdates have a budget, which data refills, and a handshake message does not (law 9)", () => {
  const direction = openDirection13()
  const { inbound } = direction
  for (let round = 0; round < 2; round++) {
    for (let update = 0; update < 32; update++) {
      assert.strictEqual(inbound.spendKeyUpdate(), undefined)
      inbound.progress()
    }
    assert.deepStrictEqual(inbound.spendKeyUpdate(), { _tag: "KeyUpdateFlood", limit: 32 })
    say(direction, data, new Uint8Array())
    assert.deepStrictEqual(inbound.spendKeyUpdate(), { _tag: "KeyUpdateFlood", limit: 32 })
    say(direction, data, one)
  }
})

it("every record is observed by the type that is inside, and what is in the clear as such", () => {
  const observed: Array<Observation> = []
  const direction = openDirection13({ phase: "handshaking", inbound: { observe: (_) => observed.push(_) } })
  receive(
    direction.inbound,
    makeRecord(ccs, Uint8Array.of(1)),
    makeRecord(alert, Uint8Array.of(1, 90)),
    sealInner(direction, concat([message, Uint8Array.of(handshake, 0, 0)]))
  )
  const record = { _tag: "Record", direction: "received", sequence: 0 } as const
  assert.deepStrictEqual(observed, [
    { ...record, contentType: ccs, length: 6, contentLength: 1, isProtected: false },
    { ...record, contentType: alert, length: 7, contentLength: 2, isProtected: false },
    {
      _tag: "Alert",
      direction: "received",
      alert: { level: "warning", description: "user_canceled" },
      isProtected: false
    },
    { ...record, contentType: handshake, length: 5 + 10 + 3 + 16, contentLength: 10, isProtected: true },
    { _tag: "Message", direction: "received", type: 8, length: 10 }
  ])
  assert.strictEqual(direction.inbound.recordsReceived, 3)
})

const Content = Arbitrary.all({ type: int(21, 23), bytes: bytesUpTo(40), padding: int(0, 30) })
it.prop("any split of a conversation gives the same as all at once, observations included", {
  contents: Arbitrary.array(Content, { minLength: 1, maxLength: 8 }),
  lengths: Arbitrary.array(int(1, 60), { minLength: 1, maxLength: 5 })
}, (_) => {
  const run = (split: ReadonlyArray<number>) => {
    const observed: Array<Observation> = []
    const direction = openDirection13({ inbound: { observe: (observation) => observed.push(observation) } })
    const stream = concat(
      _.contents.map(({ bytes, padding, type }) =>
        sealInner(direction, concat([bytes, Uint8Array.of(type), new Uint8Array(padding)]))
      )
    )
    const all: Array<Incoming> = []
    for (const chunk of cut(stream, split)) {
      all.push(...receive(direction.inbound, chunk))
      if (isFault(all.at(-1))) break
    }
    return { all, observed, received: direction.inbound.recordsReceived }
  }
  assert.deepStrictEqual(run(_.lengths), run([100_000]))
}, { arbitrary: { runs: 300 } })
