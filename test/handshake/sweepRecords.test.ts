import { makeRecord } from "../harness/TlsRecords.ts"
import { ContentType } from "../../src/wire/CodePoints.ts"
import type { Outcome, Place } from "./conversation.ts"
import { dueAt, isOpen, isProtected, protested, terminated, truncated, wentOn } from "./expected.ts"
import type { Hands } from "./puppet.ts"
import { places, sweep, type Trial } from "./sweep.ts"

const { alert, application_data, change_cipher_spec, handshake } = ContentType
const types = [change_cipher_spec, alert, handshake, application_data] as const

const empty = new Uint8Array(0)

const last = (name: string, act: (hands: Hands) => void, expected: Outcome): Trial => ({
  name,
  move: { how: "instead", act },
  expected
})

const raw = (...bytes: ReadonlyArray<number>) => (hands: Hands) => hands.raw(Uint8Array.from(bytes))

/** The header of a record. */
const header = (type: number, version: number, length: number) =>
  raw(type, version >> 8, version & 255, length >> 8, length & 255)

/** The header of a handshake message, in a record. */
const announced = (type: number, length: number) => (hands: Hands) =>
  hands.record(handshake, Uint8Array.of(type, length >> 16, length >> 8, length))

/** Of the message that is due, so many bytes in a record of their own; of ChangeCipherSpec, of the message after it. */
const begin = (hands: Hands) =>
  hands.record(handshake, hands.due.length > 1 ? hands.due.subarray(0, 3) : Uint8Array.of(20, 0))

sweep(
  "the end of the transport, wherever a side waits: Truncated",
  (place) =>
    (["fin", "reset"] as const).flatMap((by) => [
      last(`${by} at once`, (hands) => hands.end(by), truncated(place, by, "between records")),
      ...[[handshake, 3, 3], [handshake, 3, 3, 0, 50, 1, 2]].map((rest) =>
        last(
          `${by} after ${rest.length} bytes of a record`,
          (hands) => {
            raw(...rest)(hands)
            hands.end(by)
          },
          truncated(place, by, "in a record")
        )
      ),
      last(`${by} in a message`, (hands) => {
        begin(hands)
        hands.end(by)
      }, truncated(place, by, "between records"))
    ])
)

sweep("records that no one sends, wherever a side waits", (place) => [
  ...[0, 19, 24, 25, 99, 128, 255].map((type) =>
    last(`content type ${type}`, header(type, 0x0303, 1), protested(place, 10, "RecordTypeUnknown"))
  ),
  ...[0x0000, 0x0002, 0x0200, 0x0400, 0x7f12, 0xfefd].map((version) =>
    last(`version ${version.toString(16)}`, header(handshake, version, 1), protested(place, 70, "RecordVersionWrong"))
  ),
  // Appendix E.1: before the hellos have settled the version, any 3.x may be in the record of one.
  ...(place.at === 0
    ? [0x01, 0x02, 0x04, 0xff].map((minor): Trial => ({
      name: `version 3.${minor}`,
      move: { how: "altered", record: (bytes) => bytes.with(2, minor) },
      expected: wentOn(place)
    }))
    : [0x0300, 0x0301, 0x0302, 0x0304].map((version) =>
      last(`version ${version.toString(16)}`, header(handshake, version, 1), protested(place, 70, "RecordVersionWrong"))
    )),
  // RFC 5246 sections 6.2.1 and 6.2.3: nothing is waited for beyond the header.
  ...types.flatMap((type) => {
    const limit = 2 ** 14 + (isProtected(place) ? 2048 : 0)
    return [limit + 1, 65_535].map((length) =>
      last(`type ${type} of ${length} bytes`, header(type, 0x0303, length), protested(place, 22, "RecordTooLong"))
    )
  })
])

sweep("empty records, wherever a side waits", (place) =>
  types.map((type): Trial => {
    const act = (hands: Hands) => hands.record(type, empty)
    const name = `type ${type}`
    if (type === alert) return last(name, act, protested(place, 10, "AlertEmpty"))
    if (type !== application_data || !isOpen(place)) return last(name, act, protested(place, 10, "RecordEmpty"))
    return { name, move: { how: "before", act }, expected: wentOn(place) }
  }))

sweep(
  "what is not protected as it should be, after ChangeCipherSpec: bad_record_mac",
  (place) => {
    const expected = protested(place, 20, "BadRecordMac")
    const contents: ReadonlyArray<readonly [type: number, content: Uint8Array]> = [
      [change_cipher_spec, Uint8Array.of(1)],
      [alert, Uint8Array.of(2, 40)],
      [alert, Uint8Array.of(1, 0)],
      [handshake, Uint8Array.of(0, 0, 0, 0)],
      [application_data, Uint8Array.of(1, 2, 3)]
    ]
    return [
      ...contents.map(([type, content]) =>
        last(`type ${type} in the clear`, (hands) => hands.raw(makeRecord(type, content)), expected)
      ),
      ...types.map((type) =>
        last(`an empty record of type ${type} in the clear`, (hands) => hands.raw(makeRecord(type, empty)), expected)
      ),
      ...types.map((type) =>
        last(
          `noise of type ${type}`,
          (hands) => hands.raw(makeRecord(type, Uint8Array.from({ length: 64 }, (_, at) => at * 7))),
          expected
        )
      ),
      // RFC 5246 section 6.2.1: the limit of what was protected is that of any fragment.
      last(
        "2^14 + 1 bytes, well protected",
        (hands) => hands.record(application_data, new Uint8Array(2 ** 14 + 1)),
        protested(place, 22, "RecordTooLong")
      )
    ]
  },
  places.filter(isProtected)
)

/** RFC 5246 section 7.4: types of messages; the limits are those of TlsConfig. */
const messageTypes = [0, 1, 2, 4, 12, 13, 14, 15, 16, 20, 99] as const

sweep("messages that announce more than is allowed, of the type that is due and of any other", (place) => [
  ...messageTypes.flatMap((type) =>
    [64 * 1024 + 1, 2 ** 24 - 1].map((length) =>
      last(`type ${type} of ${length} bytes`, announced(type, length), protested(place, 47, "MessageTooLong"))
    )
  ),
  ...[128 * 1024 + 1, 2 ** 24 - 1].map((length) =>
    last(`Certificate of ${length} bytes`, announced(11, length), protested(place, 46, "CertificateChainTooLong"))
  )
])

sweep("what comes in the middle of a message", (place) => {
  const after = (act: (hands: Hands) => void) => (hands: Hands) => {
    begin(hands)
    act(hands)
  }
  const says = (type: number, ...content: ReadonlyArray<number>) =>
    after((hands) => hands.record(type, Uint8Array.from(content)))
  const data = says(application_data, 1)
  return [
    last(
      "ChangeCipherSpec",
      says(change_cipher_spec, 1),
      protested(place, 10, dueAt(place) === "ChangeCipherSpec" ? "KeyChangeInsideMessage" : "MessageUnexpected")
    ),
    last("a fatal alert", says(alert, 2, 80), terminated(place, 80)),
    // RFC 5246 section 6.2.1: on the open connection data may come between the records of a message.
    isOpen(place)
      ? { name: "application data", move: { how: "before", act: data }, expected: dataInside(place) }
      : last("application data", data, protested(place, 10, "MessageUnexpected"))
  ]
})

const dataInside = (place: Place): Outcome => ({ ...wentOn(place), data: "hello\u0001bye" })
