/** Early data that nobody reads, the sizes that both sides agreed on, and the buffer of the caller, in TLS 1.3. */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { make as primitives } from "../../src/platform/NodePrimitives.ts"
import { nullCompression } from "../../src/record/Compression.ts"
import { Inbound, type Incoming } from "../../src/record/Inbound.ts"
import { Outbound } from "../../src/record/Outbound.ts"
import { suites13 } from "../../src/secret/CipherSuite.ts"
import { splitRecords } from "../harness/TlsRecords.ts"
import { toHex } from "../platform/vectors.ts"
import {
  concat,
  ContentType,
  type Direction,
  drain,
  filled,
  gcm13,
  int,
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

const { alert, application_data: data, handshake } = ContentType

const message = concat([Uint8Array.of(20, 0, 0, 6), filled(6, 1)])
const one = Uint8Array.of(7)

describe("R8446-4.2.10-02: early data is passed over, within a limit", () => {
  /** Records of this content each, under keys that the server does not have. */
  const early = (...lengths: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
    const state = new Outbound(primitives, undefined)
    state.state.install({ protection: protectionOf13(gcm13, 50), compression: nullCompression })
    return lengths.map((length) => state.seal(data, filled(length, 3)))
  }
  const total = (records: ReadonlyArray<Uint8Array>) => records.reduce((sum, { length }) => sum + length, 0)

  const places: ReadonlyArray<readonly [name: string, isProtected: boolean, fault: Incoming]> = [
    ["after a ServerHello", true, { _tag: "BadRecordMac" }],
    ["after a HelloRetryRequest", false, {
      _tag: "MessageUnexpected",
      expected: ["handshake"],
      received: "application_data"
    }]
  ]

  describe.each(places)("%s", (_, isProtected, fault) => {
    const place = (limit?: number): Direction => {
      const { inbound: keyed, outbound } = openDirection13({ phase: "handshaking" })
      const inbound = isProtected ? keyed : new Inbound({ handshake: limits })
      inbound.settleVersion("1.3")
      if (limit !== undefined) inbound.skipEarlyData(limit)
      return { inbound, outbound }
    }
    const next = (direction: Direction) =>
      isProtected ? sealRecord(direction, handshake, message) : makeRecord(handshake, message)

    it("up to the last byte, and the handshake goes on", () => {
      const records = early(1, 16384, 100)
      const direction = place(total(records))
      const incoming = receive(direction.inbound, ...records, next(direction), next(direction))
      assert.deepStrictEqual(tags(incoming), ["Handshake", "Handshake"])
    })

    it("and not one byte more", () => {
      const records = early(1, 16384, 100)
      assert.deepStrictEqual(receive(place(total(records) - 1).inbound, ...records), [fault])
    })

    it("empty records use up the limit, too", () => {
      const empty = makeRecord(data, new Uint8Array())
      assert.deepStrictEqual(receive(place(50).inbound, ...Array.from({ length: 10 }, () => empty)), [])
      assert.deepStrictEqual(tags(receive(place(50).inbound, ...Array.from({ length: 11 }, () => empty))).length, 1)
    })

    it("where none was announced it is a fault, and where it was ended again", () => {
      assert.deepStrictEqual(receive(place().inbound, ...early(5)), [fault])
      const { inbound } = place(1000)
      assert.deepStrictEqual(receive(inbound, ...early(5)), [])
      inbound.endEarlyData()
      assert.deepStrictEqual(receive(inbound, ...early(5)), [fault])
    })

    it("other records are what they are", () => {
      const fatal = [{
        _tag: "Alert",
        alert: { level: "fatal", description: "internal_error" },
        verdict: { _tag: "Terminate" }
      }]
      assert.deepStrictEqual<unknown>(receive(place(1000).inbound, makeRecord(alert, Uint8Array.of(2, 80))), fatal)
      assert.deepStrictEqual(
        receive(place(1000).inbound, makeRecord(ContentType.change_cipher_spec, Uint8Array.of(1))),
        []
      )
      assert.deepStrictEqual(
        tags(receive(place(1000).inbound, makeRecord(handshake, new Uint8Array(16500)))),
        [isProtected ? "MessageUnexpected" : "RecordTooLong"]
      )
    })
  })

  it("the first record that opens ends it", () => {
    const direction = openDirection13({ phase: "handshaking" })
    direction.inbound.skipEarlyData(10_000)
    assert.deepStrictEqual(tags(receive(direction.inbound, ...early(9), sealRecord(direction, handshake, message))), [
      "Handshake"
    ])
    assert.deepStrictEqual(receive(direction.inbound, ...early(9)), [{ _tag: "BadRecordMac" }])
  })
})

describe("record_size_limit, RFC 8449", () => {
  it("R8449-4-04: in TLS 1.3 what is received counts with its type and padding", () => {
    for (const [content, padding] of [[511, 0], [1, 510], [256, 255]] as const) {
      const longest = concat([filled(content, 1), Uint8Array.of(data), new Uint8Array(padding)])
      const direction = openDirection13()
      direction.inbound.limitPlaintext(512)
      assert.deepStrictEqual(tags(receive(direction.inbound, sealInner(direction, longest))), ["Data"])
      const target = { buffer: new Uint8Array(2000), at: 0 }
      direction.inbound.push(sealInner(direction, concat([longest, new Uint8Array(1)])))
      assert.deepStrictEqual(drain(direction.inbound, target), [{ _tag: "RecordTooLong", length: 513, limit: 512 }])
      assert.deepStrictEqual(target, { buffer: new Uint8Array(2000), at: 0 })
    }
  })

  it("in TLS 1.2 the content alone", () => {
    const direction = openDirection()
    direction.inbound.limitPlaintext(512)
    assert.deepStrictEqual(tags(say(direction, data, filled(512, 1))), ["Data"])
    assert.deepStrictEqual(say(direction, data, filled(513, 1)), [{ _tag: "RecordTooLong", length: 513, limit: 512 }])
  })

  it("a limit beyond that of the protocol changes nothing", () => {
    const direction = openDirection13()
    direction.inbound.limitPlaintext(65535)
    const tooLong = concat([filled(16385, 1), Uint8Array.of(data)])
    assert.deepStrictEqual(receive(direction.inbound, sealInner(direction, tooLong)), [
      { _tag: "RecordTooLong", length: 16386, limit: 16385 }
    ])
  })

  it("it is not for what comes in the clear", () => {
    const inbound = new Inbound({ handshake: limits })
    inbound.limitPlaintext(64)
    const long = concat([Uint8Array.of(1, 0, 0, 200), filled(200, 1)])
    assert.deepStrictEqual(tags(receive(inbound, makeRecord(handshake, long))), ["Handshake"])
  })

  it.prop("R8449-4-01: what is sent keeps to the limit of the peer, in one part or many, with padding or without", {
    limit: int(63, 300),
    lengths: Arbitrary.array(int(0, 700), { minLength: 1, maxLength: 5 }),
    multiple: int(1, 400)
  }, ({ lengths, limit, multiple }) => {
    for (
      const { direction: { inbound, outbound }, overhead } of [
        { direction: openDirection13(), overhead: 16 },
        { direction: openDirection(), overhead: 24 }
      ]
    ) {
      // Staged under another limit before.
      outbound.sealAll(data, [one, one], 2)
      outbound.limitContent(limit)
      outbound.padTo(multiple)
      const parts = lengths.map((length, i) => filled(length, i))
      const content = concat(parts)
      const isOf13 = overhead === 16
      const { rest, records } = splitRecords(outbound.sealAll(data, parts, content.length))
      assert.strictEqual(rest.length, 0)
      assert.strictEqual(records.length, Math.ceil(content.length / limit))
      for (const record of records) {
        // In TLS 1.3 the type is one of the bytes that are limited.
        const inner = record.length - 5 - overhead
        assert.isAtMost(inner, limit + (isOf13 ? 1 : 0))
        if (isOf13 && inner !== limit + 1) assert.strictEqual(inner % multiple, 0)
      }
      inbound.state.advance()
      inbound.limitPlaintext(limit + (isOf13 ? 1 : 0))
      inbound.push(concat(records))
      const opened = concat(drain(inbound).map((one) => one._tag === "Data" ? one.bytes : assert.fail(one._tag)))
      assert.strictEqual(toHex(opened), toHex(content))
    }
  }, { arbitrary: { runs: 100 } })

  it("padding never makes a record longer than the protocol allows, and none is sent in the clear", () => {
    const { inbound, outbound } = openDirection13()
    outbound.padTo(1000)
    for (const [content, inner] of [[1, 1000], [999, 1000], [1000, 2000], [16384, 16385], [16100, 16385]] as const) {
      const sealed = outbound.seal(data, filled(content, 1))
      assert.strictEqual(sealed.length, 5 + inner + 16)
      assert.deepStrictEqual(receive(inbound, sealed), [{ _tag: "Data", bytes: filled(content, 1) }])
    }
    // R8446-5.4-03: an alert is no shorter than the rest.
    assert.strictEqual(outbound.seal(alert, Uint8Array.of(1, 0)).length, 5 + 1000 + 16)
    const clear = new Outbound(primitives, undefined)
    clear.padTo(1000)
    assert.strictEqual(toHex(clear.seal(handshake, message)), toHex(makeRecord(handshake, message)))
  })
})

describe.each(suites13)("a target of $name", (suite) => {
  const target = (length: number) => ({ buffer: new Uint8Array(length).fill(0xa5), at: 0 })
  const padded = (direction: Direction, content: Uint8Array, type: number, padding: number) =>
    sealInner(direction, concat([content, Uint8Array.of(type), new Uint8Array(padding)]))
  const untouched = (length: number) => toHex(new Uint8Array(length).fill(0xa5)) ?? ""

  it("takes content after content; type and padding leave no trace but zeros", () => {
    const direction = openDirection13({ suite })
    const into = target(40)
    for (const [i, padding] of [0, 3, 10].entries()) {
      direction.inbound.push(padded(direction, filled(5, i), data, padding))
    }
    const all = drain(direction.inbound, into)
    assert.deepStrictEqual(all, [0, 1, 2].map((i) => ({ _tag: "Data", bytes: filled(5, i) })))
    assert.strictEqual(into.at, 15)
    const contents = concat([filled(5, 0), filled(5, 1), filled(5, 2)])
    assert.strictEqual(toHex(into.buffer), `${toHex(contents)}${"00".repeat(11)}${untouched(14)}`)
  })

  it("takes what fits with its type; what fits without it comes as bytes of its own, and nothing is written beside", () => {
    for (const room of [5, 6, 7]) {
      const direction = openDirection13({ suite })
      const around = new Uint8Array(20).fill(0xa5)
      const into = { buffer: around.subarray(4, 4 + room), at: 0 }
      direction.inbound.push(sealRecord(direction, data, filled(5, 1)))
      const incoming = direction.inbound.next(into)
      if (incoming?._tag !== "Data") return assert.fail(incoming?._tag)
      assert.deepStrictEqual(incoming.bytes, filled(5, 1))
      assert.strictEqual(into.at, room > 5 ? 5 : 0)
      assert.strictEqual(incoming.bytes.buffer === around.buffer, room > 5)
      assert.strictEqual(toHex(around.subarray(0, 4)), untouched(4))
      assert.strictEqual(toHex(around.subarray(4 + room)), untouched(16 - room))
    }
  })

  it("keeps nothing of an alert, a ticket, an empty record, or what is refused", () => {
    const ticket = concat([Uint8Array.of(4, 0, 0, 20), filled(20, 3)])
    const cases: ReadonlyArray<
      readonly [name: string, type: number, content: Uint8Array, expected: Incoming["_tag"] | undefined]
    > = [
      ["an alert", alert, Uint8Array.of(2, 80), "Alert"],
      ["a ticket", handshake, ticket, "Handshake"],
      ["half a ticket", handshake, ticket.subarray(0, 15), undefined],
      ["an alert that is too long", alert, filled(9, 1), "AlertMalformed"],
      ["an unknown type", 99, filled(9, 1), "MessageUnexpected"],
      ["a ChangeCipherSpec", ContentType.change_cipher_spec, filled(9, 1), "MessageUnexpected"],
      ["no content", data, new Uint8Array(), undefined]
    ]
    for (const [name, type, content, expected] of cases) {
      const direction = openDirection13({ suite })
      const into = target(60)
      direction.inbound.push(padded(direction, content, type, 4))
      const incoming = direction.inbound.next(into)
      assert.strictEqual(incoming?._tag, expected, name)
      if (incoming?._tag === "Handshake") assert.deepStrictEqual(incoming.bytes, ticket)
      assert.strictEqual(into.at, 0, name)
      const length = content.length + 5
      assert.strictEqual(toHex(into.buffer), `${"00".repeat(length)}${untouched(60 - length)}`, name)
    }
  })

  it("a message that came in parts is whole, though the buffer was wiped in between", () => {
    const direction = openDirection13({ suite })
    const into = target(60)
    for (const part of [message.subarray(0, 3), message.subarray(3)]) {
      direction.inbound.push(padded(direction, part, handshake, 0))
    }
    direction.inbound.push(sealRecord(direction, data, filled(3, 1)))
    assert.deepStrictEqual(drain(direction.inbound, into), [
      { _tag: "Handshake", type: 20, body: message.subarray(4), bytes: message },
      { _tag: "Data", bytes: filled(3, 1) }
    ])
    assert.strictEqual(into.at, 3)
  })

  it("data that is not delivered does not stay either", () => {
    for (const phase of ["handshaking", "established"] as const) {
      const direction = openDirection13({ suite, phase })
      if (phase === "established") say(direction, handshake, message.subarray(0, 3))
      const into = target(30)
      direction.inbound.push(sealRecord(direction, data, filled(9, 1)))
      const tag = phase === "established" ? "RecordInterleaved" : "MessageUnexpected"
      assert.deepStrictEqual(tags(drain(direction.inbound, into)), [tag])
      assert.strictEqual(toHex(into.buffer), `${"00".repeat(10)}${untouched(20)}`)
      assert.strictEqual(into.at, 0)
    }
  })

  it("a full record fits a buffer of one byte more", () => {
    for (const room of [16384, 16385]) {
      const direction = openDirection13({ suite })
      const into = target(room)
      direction.inbound.push(sealRecord(direction, data, filled(16384, 1)))
      assert.deepStrictEqual(tags(drain(direction.inbound, into)), ["Data"])
      assert.strictEqual(into.at, room === 16385 ? 16384 : 0)
    }
  })
})
