import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { Deframer, type HeaderRules, maxCiphertext, maxPlaintext } from "../../src/record/Deframer.ts"
import { toHex } from "../platform/vectors.ts"
import { allocatedBy, concat, cut, filled, int, makeRecord } from "./records.ts"

const inTheClear: HeaderRules = { limit: maxPlaintext, version: undefined }
const isProtected: HeaderRules = { limit: maxCiphertext, version: 0x0303 }

const header = (type: number, version: number, length: number): Uint8Array =>
  Uint8Array.of(type, version >> 8, version & 255, length >> 8, length & 255)

/** A record as text, so that a view cannot change before it is compared. */
const printed = (record: ReturnType<Deframer["next"]>): string =>
  record === undefined
    ? "nothing"
    : record._tag === "Record"
    ? `${record.type} ${record.version} ${toHex(record.fragment)}`
    : JSON.stringify(record)

const takeAll = (deframer: Deframer, most = Infinity): ReadonlyArray<string> => {
  const taken: Array<string> = []
  while (taken.length < most) {
    const record = deframer.next(inTheClear)
    if (record === undefined) break
    taken.push(printed(record))
  }
  return taken
}

const Records = Arbitrary.array(Arbitrary.all({ type: int(20, 23), minor: int(0, 255), length: int(0, 40) }), {
  minLength: 1,
  maxLength: 6
})
const streamOf = (records: ReadonlyArray<{ readonly type: number; readonly minor: number; readonly length: number }>) =>
  concat(records.flatMap(({ length, minor, type }, i) => [header(type, 0x0300 + minor, length), filled(length, i)]))

const input = {
  records: Records,
  lengths: Arbitrary.array(int(0, 12), { minLength: 1, maxLength: 5 }),
  takes: Arbitrary.array(int(0, 3), { minLength: 1, maxLength: 5 })
}

/** A length of 0 is an empty chunk; one of 12 goes up to the end of three records or so. */
const chunksOf = (stream: Uint8Array, lengths: ReadonlyArray<number>): ReadonlyArray<Uint8Array> =>
  cut(stream, lengths.every((length) => length === 0) ? [1] : lengths.map((length) => length * length))

it.prop("any split of the stream, with records taken at any time, gives the same records as at once", input, (_) => {
  const stream = streamOf(_.records)
  const whole = new Deframer()
  whole.push(stream)
  const expected = takeAll(whole)
  assert.strictEqual(expected.length, _.records.length)

  const deframer = new Deframer()
  const taken: Array<string> = []
  chunksOf(stream, _.lengths).forEach((chunk, i) => {
    deframer.push(chunk)
    taken.push(...takeAll(deframer, _.takes[i % _.takes.length]))
  })
  taken.push(...takeAll(deframer))
  assert.deepStrictEqual(taken, expected)
  assert.isFalse(deframer.isMidRecord)
}, { arbitrary: { runs: 300 } })

it.prop("what was not taken is given back whole, and then nothing is left", input, (_) => {
  const stream = streamOf(_.records)
  const deframer = new Deframer()
  let length = 0
  let pushed = 0
  // All chunks but the last: the stream may end anywhere.
  chunksOf(stream, _.lengths).slice(0, -1).forEach((chunk, i) => {
    deframer.push(chunk)
    pushed += chunk.length
    for (let take = 0; take < (_.takes[i % _.takes.length] ?? 0); take++) {
      const record = deframer.next(inTheClear)
      if (record?._tag === "Record") length += 5 + record.fragment.length
    }
  })
  assert.strictEqual(deframer.isMidRecord, length < pushed)
  assert.strictEqual(toHex(deframer.takeRest()), toHex(stream.subarray(length, pushed)))
  assert.isFalse(deframer.isMidRecord)
  assert.strictEqual(deframer.next(inTheClear), undefined)
  deframer.push(stream)
  assert.strictEqual(takeAll(deframer).length, _.records.length)
}, { arbitrary: { runs: 300 } })

it("a chunk stays behind those that wait, also when a record was just taken up to the end of the one before them", () => {
  const deframer = new Deframer()
  const records = [1, 2, 3].map((value) => makeRecord(23, Uint8Array.of(value)))
  deframer.push(records[0] ?? new Uint8Array())
  deframer.push(records[1] ?? new Uint8Array())
  assert.deepStrictEqual(takeAll(deframer, 1), ["23 771 01"])
  assert.isTrue(deframer.isMidRecord)
  deframer.push(records[2] ?? new Uint8Array())
  assert.deepStrictEqual(takeAll(deframer), ["23 771 02", "23 771 03"])
})

it("an empty chunk is nothing that is held", () => {
  const deframer = new Deframer()
  deframer.push(makeRecord(23, Uint8Array.of(1)))
  deframer.push(new Uint8Array())
  assert.deepStrictEqual(takeAll(deframer, 1), ["23 771 01"])
  assert.isFalse(deframer.isMidRecord)
})

it("clear drops all that is held", () => {
  const deframer = new Deframer()
  deframer.push(Uint8Array.of(23, 3))
  deframer.next(inTheClear)
  deframer.push(Uint8Array.of(3))
  deframer.push(Uint8Array.of(0))
  deframer.clear()
  assert.isFalse(deframer.isMidRecord)
  deframer.push(makeRecord(22, Uint8Array.of(7)))
  assert.deepStrictEqual(takeAll(deframer), ["22 771 07"])
})

describe("a header is judged at its fifth byte, however it is split", () => {
  const cases: ReadonlyArray<readonly [name: string, header: Uint8Array, HeaderRules, fault: object | undefined]> = [
    ...[0, 1, 19, 24, 25, 128, 255].map((type) =>
      [`content type ${type}`, header(type, 0x0303, 1), inTheClear, {
        _tag: "RecordTypeUnknown",
        contentType: type
      }] as const
    ),
    ...[20, 21, 22, 23].map((type) =>
      [`content type ${type}`, header(type, 0x0303, 1), inTheClear, undefined] as const
    ),
    ...[0x0000, 0x0200, 0x02ff, 0x0400, 0xfeff].map((version) =>
      [`version ${version.toString(16)}, undecided`, header(22, version, 1), inTheClear, {
        _tag: "RecordVersionWrong",
        version
      }] as const
    ),
    ...[0x0300, 0x0301, 0x0303, 0x0304, 0x03ff].map((version) =>
      [`version ${version.toString(16)}, undecided`, header(22, version, 1), inTheClear, undefined] as const
    ),
    ...[0x0300, 0x0302, 0x0304, 0x0403].map((version) =>
      [`version ${version.toString(16)} after 1.2`, header(22, version, 1), isProtected, {
        _tag: "RecordVersionWrong",
        version
      }] as const
    ),
    ["2^14 in the clear", header(22, 0x0301, 16384), inTheClear, undefined],
    ["2^14 + 1 in the clear", header(22, 0x0301, 16385), inTheClear, {
      _tag: "RecordTooLong",
      length: 16385,
      limit: 16384
    }],
    ["2^16 - 1 in the clear", header(22, 0x0301, 65535), inTheClear, {
      _tag: "RecordTooLong",
      length: 65535,
      limit: 16384
    }],
    ["2^14 + 2048 protected", header(23, 0x0303, 18432), isProtected, undefined],
    ["2^14 + 2049 protected", header(23, 0x0303, 18433), isProtected, {
      _tag: "RecordTooLong",
      length: 18433,
      limit: 18432
    }]
  ]
  it.each(cases)("%s", (_, bytes, rules, fault) => {
    for (const lengths of [[5], [4, 1], [1], [2, 3]]) {
      const deframer = new Deframer()
      const chunks = cut(bytes, lengths)
      chunks.forEach((chunk, i) => {
        deframer.push(chunk)
        assert.deepStrictEqual<unknown>(deframer.next(rules), i === chunks.length - 1 ? fault : undefined)
      })
    }
  })

  it("also behind another record in the same chunk, which is taken first", () => {
    const deframer = new Deframer()
    deframer.push(concat([makeRecord(22, Uint8Array.of(1)), header(99, 0x0303, 0)]))
    assert.strictEqual(printed(deframer.next(inTheClear)), "22 771 01")
    assert.deepStrictEqual(deframer.next(inTheClear), { _tag: "RecordTypeUnknown", contentType: 99 })
  })
})

it("each record is judged by the rules of the moment when it is taken", () => {
  const deframer = new Deframer()
  deframer.push(concat([header(22, 0x0301, 0), header(23, 0x0303, 17000), new Uint8Array(17000)]))
  assert.strictEqual(printed(deframer.next(inTheClear)), "22 769 ")
  assert.strictEqual(deframer.next(isProtected)?._tag, "Record")
})

it("a whole record is a view of its chunk; only a split one is copied", () => {
  const deframer = new Deframer()
  const chunk = makeRecord(23, filled(100, 1))
  deframer.push(chunk)
  const whole = deframer.next(inTheClear)
  assert.isTrue(whole?._tag === "Record" && whole.fragment.buffer === chunk.buffer)
  deframer.push(chunk.subarray(0, 50))
  deframer.next(inTheClear)
  deframer.push(chunk.subarray(50))
  const split = deframer.next(inTheClear)
  assert.isTrue(split?._tag === "Record" && split.fragment.buffer !== chunk.buffer)
})

it("a record that comes byte by byte is allocated once, and one that is too long never", () => {
  const deframer = new Deframer()
  const record = concat([header(23, 0x0303, maxPlaintext), filled(maxPlaintext, 1)])
  const taken: Array<string> = []
  const chunks = cut(record, [1])
  const allocated = allocatedBy(() => {
    for (const chunk of chunks) {
      deframer.push(chunk)
      const next = deframer.next(inTheClear)
      if (next !== undefined) taken.push(printed(next))
    }
  })
  assert.deepStrictEqual(taken, [`23 771 ${toHex(filled(maxPlaintext, 1))}`])
  assert.isAtMost(allocated, record.length + 5)
  assert.isAtLeast(allocated, record.length)

  const tooLong = cut(header(23, 0x0303, 65535), [1])
  const wasted = allocatedBy(() => {
    for (const chunk of tooLong) {
      deframer.push(chunk)
      deframer.next(inTheClear)
    }
  })
  assert.isAtMost(wasted, 5)
})
