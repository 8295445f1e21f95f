/** The record protocol at every place of TLS 1.3: RFC 8446 sections 5 and 6.1. */
import { ContentType } from "../../src/wire/CodePoints.ts"
import type { Act } from "./conversation.ts"
import { beginning, protested, terminated, truncated, wentOn } from "./expected.ts"
import { dueAt, isOpen, isProtected, isRetried, isUndecided, next, type Place, places } from "./places.ts"
import { borne, last, sweep, type Trial } from "./sweep.ts"

const { alert, application_data, change_cipher_spec, handshake } = ContentType
const types = [change_cipher_spec, alert, handshake, application_data] as const

const raw = (...bytes: ReadonlyArray<number>): Act => (puppet) => puppet.raw(...bytes)

/** The header of a record. */
const header = (type: number, version: number, length: number): Act =>
  raw(type, version >> 8, version & 255, length >> 8, length & 255)

/** The header of a handshake message, in a record. */
const announced = (type: number, length: number): Act => (puppet) =>
  puppet.record(handshake, [type, length >> 16, (length >> 8) & 255, length & 255])

const begin = (place: Place): Act => (puppet, due) => puppet.record(handshake, beginning(place, due))

const ends = (by: "fin" | "reset"): Act => (puppet) => puppet.cutLater(by)

/** One after the other. */
const all = (...acts: ReadonlyArray<Act>): Act => (puppet, due) => acts.forEach((act) => act(puppet, due))

sweep(
  "the end of the transport, wherever a side waits: Truncated",
  (place) =>
    (["fin", "reset"] as const).flatMap((by) => [
      last(`${by} at once`, ends(by), truncated(place, by)),
      last(`${by} in a header`, all(raw(handshake, 3, 3), ends(by)), truncated(place, by)),
      last(`${by} in a record`, all(raw(application_data, 3, 3, 0, 50, 1, 2), ends(by)), truncated(place, by)),
      last(`${by} in a message`, all(begin(place), ends(by)), truncated(place, by))
    ])
)

sweep("content types that no one sends: unexpected_message", (place) => [
  ...[0, 19, 24, 25, 99, 128, 255].map((type) =>
    last(`${type}`, header(type, 0x0303, 1), protested(place, 10, "RecordTypeUnknown"))
  ),
  ...(isProtected(place)
    ? [
      ...[1, 19, 24, 25, 99, 255].map((type) =>
        last(`${type}, protected`, (puppet) => puppet.record(type, [1]), protested(place, 10, "MessageUnexpected"))
      ),
      // RFC 8446 section 5.4.
      ...[0, 1, 500].map((length) =>
        last(
          `none, in ${length} zeros of padding`,
          (puppet) => puppet.record(0, [], length),
          protested(place, 10, "MessageUnexpected")
        )
      )
    ]
    : [])
])

const versions = [0x0301, 0x0302, 0x0304, 0x03ff]
const wrongMajors = [0x0000, 0x0002, 0x0200, 0x0400, 0x7f12, 0xfefd]

const withVersion = (version: number) => (record: Uint8Array): Uint8Array =>
  record.with(1, version >> 8).with(2, version & 255)

/** The record of what is due, or of data, under another version. */
const versioned = (place: Place, version: number): Trial["move"] =>
  isOpen(place)
    ? { how: "instead", act: (puppet) => puppet.bytes(withVersion(version)(puppet.sealNext(application_data, [1]))) }
    : { how: "altered", record: withVersion(version) }

sweep(
  "legacy_record_version: ignored in the clear, authentic where records are protected",
  (place): ReadonlyArray<Trial> => {
    const trial = (version: number, expected: Trial["expected"]): Trial => ({
      name: version.toString(16).padStart(4, "0"),
      move: versioned(place, version),
      expected
    })
    if (isProtected(place)) {
      return [...versions, ...wrongMajors].map((version) => trial(version, protested(place, 20, "BadRecordMac")))
    }
    return [
      ...versions.map((version) => trial(version, wentOn(place))),
      // What does not begin like TLS at all.
      ...wrongMajors.map((version) =>
        isUndecided(place)
          ? last(version.toString(16), header(handshake, version, 1), protested(place, 70, "RecordVersionWrong"))
          : trial(version, wentOn(place))
      )
    ]
  }
)

sweep("R8446-6.2-02, R8446-6.2-05: oversize: record_overflow, and nothing is waited for beyond the header", (place) => {
  const limit = 2 ** 14 + (isProtected(place) ? 256 : 0)
  return [
    ...types.flatMap((type) =>
      [limit + 1, 65_535].map((length) =>
        last(`type ${type} of ${length} bytes`, header(type, 0x0303, length), protested(place, 22, "RecordTooLong"))
      )
    ),
    ...(isProtected(place)
      ? ([[2 ** 14 + 1, 0], [2 ** 14, 1], [1, 2 ** 14], [0, 2 ** 14 + 1]] as const).map(([length, padding]) =>
        last(
          `${length} bytes and ${padding} of padding, well protected`,
          (puppet) => puppet.record(application_data, new Uint8Array(length).fill(1), padding),
          protested(place, 22, "RecordTooLong")
        )
      )
      : [])
  ]
})

/** RFC 8446 section 5.1: application data of no bytes is good on the open connection, and nothing else of none. */
const emptyAt = (place: Place): ReadonlyArray<Trial> => [
  last("of an alert", (puppet) => puppet.record(alert, []), protested(place, 10, "AlertEmpty")),
  last("of a handshake message", (puppet) => puppet.record(handshake, []), protested(place, 10, "RecordEmpty")),
  ...(isOpen(place)
    ? [
      borne("of data", (puppet) => puppet.record(application_data, []), wentOn(place)),
      borne("of data, padded", (puppet) => puppet.record(application_data, [], 100), wentOn(place)),
      last(
        "of data, one too many",
        (puppet) => {
          for (let time = 0; time < 33; time++) puppet.record(application_data, [], 1)
        },
        protested(place, 10, "EmptyRecordFlood")
      )
    ]
    : [last("of data", (puppet) => puppet.record(application_data, []), protested(place, 10, "RecordEmpty"))])
]

sweep("empty records", emptyAt)

const noise = (length: number): Uint8Array => Uint8Array.from({ length }, (_, at) => at * 7)

sweep(
  "R8446-6.2-02, R8446-6.2-05: what does not authenticate: bad_record_mac",
  (place) => [
    // RFC 8446 section 5.2: nothing is shorter than a type and a tag.
    ...[0, 1, 16, 17, 64, 2 ** 14 + 256].map((length) =>
      last(
        `noise of ${length} bytes`,
        (puppet) => puppet.clear(application_data, noise(length)),
        protested(place, 20, "BadRecordMac")
      )
    ),
    last(
      "a record that was left out before",
      (puppet) => {
        puppet.sealNext(alert, [1, 90])
        puppet.record(alert, [2, 40])
      },
      protested(place, 20, "BadRecordMac")
    ),
    last(
      "a record that comes twice",
      (puppet) => {
        const record = puppet.sealNext(alert, [1, 90])
        puppet.bytes(record)
        puppet.bytes(record)
      },
      protested(place, 20, "BadRecordMac")
    ),
    ...[0, 7, 16].map((from) =>
      last(
        `a record that is cut, ${from} bytes from its end`,
        (puppet) =>
          puppet.clear(application_data, puppet.sealNext(alert, [2, 40]).subarray(5, 5 + 19 - Math.max(from, 1))),
        protested(place, 20, "BadRecordMac")
      )
    )
  ],
  places.filter(isProtected)
)

/** The types of messages; the limits are those of TlsConfig. */
const messageTypes = [0, 1, 2, 4, 5, 8, 13, 15, 20, 24, 99] as const

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

/** A server that has not read a hello may be speaking to a client of TLS 1.2. */
const mayInterleave = (place: Place): boolean => place.subject === "server" && isUndecided(place)

sweep("what comes in the middle of a message: nothing but an alert", (place) => {
  const inside = (name: string, act: Act, expected: Trial["expected"]) => last(name, all(begin(place), act), expected)
  const interleaved = protested(place, 10, mayInterleave(place) ? "MessageUnexpected" : "RecordInterleaved")
  return [
    inside("data", (puppet) => puppet.record(application_data, [1]), interleaved),
    inside(
      "a ChangeCipherSpec",
      (puppet) => puppet.ccs(),
      isOpen(place) ? protested(place, 10, "MessageUnexpected") : interleaved
    ),
    inside("an empty record", (puppet) => puppet.record(handshake, []), protested(place, 10, "RecordEmpty")),
    inside("a fatal alert", (puppet) => puppet.alert(2, 80), terminated(place, 80))
  ]
})

/** RFC 8446 section 5.1: what comes before new keys ends with its record. A KeyUpdate changes them on the open connection. */
const changesKeys = (place: Place): boolean => {
  const due = dueAt(place)
  return due === undefined || due === "Finished" || due === "ServerHello" || due === "SecondHello" ||
    (due === "ClientHello" && !isRetried(place))
}

sweep(
  "the keys change in the middle of a message: unexpected_message",
  (place): ReadonlyArray<Trial> => {
    const due = dueAt(place)
    const isHello = due !== undefined && due !== "Finished"
    // The hello is understood, and the keys of the handshake are those to answer with.
    const wrong = protested(
      isHello ? next(place) : place,
      10,
      "KeyChangeInsideMessage",
      isHello ? { epoch: "handshake" } : {}
    )
    return [[8], [24, 0, 0, 1, 0]].map((more): Trial => ({
      name: more.length === 1 ? "by a byte of the next one" : "by a whole one",
      move: due === undefined
        ? { how: "instead", act: (puppet) => puppet.record(handshake, [24, 0, 0, 1, 0, ...more]) }
        : { how: "joined", more },
      expected: wrong
    }))
  },
  places.filter(changesKeys)
)
