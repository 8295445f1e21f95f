/** Every message, ChangeCipherSpec and application data at every place of TLS 1.3 where another message is due. */
import { encodeHandshake } from "../../src/message/HandshakeMessage.ts"
import { ContentType } from "../../src/wire/CodePoints.ts"
import type { Unit } from "../handshake13/stories.ts"
import type { Act } from "./conversation.ts"
import { protested, wentOn } from "./expected.ts"
import { dueAt, isOpen, isProtected, isUndecided, type Place, places } from "./places.ts"
import { borne, last, type Message, sweep, type Trial } from "./sweep.ts"

const { application_data, change_cipher_spec, handshake } = ContentType

const message = (type: number, ...body: ReadonlyArray<number>): Uint8Array =>
  Uint8Array.of(type, 0, 0, body.length, ...body)

const helloRequest = message(0)

/** Well-formed messages that no story of TLS 1.3 has, of this version and of others, and of types that nobody has. */
const foreign: ReadonlyArray<readonly [name: string, bytes: Uint8Array]> = [
  ["HelloRequest", helloRequest],
  ["HelloVerifyRequest", message(3, 3, 3, 1, 0)],
  [
    "NewSessionTicket",
    encodeHandshake({
      _tag: "NewSessionTicket",
      lifetime: 60,
      ageAdd: 0,
      nonce: Uint8Array.of(0),
      ticket: Uint8Array.of(1),
      extensions: []
    })
  ],
  ["EndOfEarlyData", message(5)],
  ["RequestConnectionId", message(9, 1)],
  ["Certificate of TLS 1.2", message(11, 0, 0, 0)],
  ["ServerKeyExchange", message(12, 3, 0, 29, 1, 9, 4, 3, 0, 0)],
  ["CertificateRequest of TLS 1.2", message(13, 1, 64, 0, 2, 4, 3, 0, 0)],
  ["ServerHelloDone", message(14)],
  ["ClientKeyExchange", message(16, 1, 9)],
  ["CertificateURL", message(21, 0, 0, 0)],
  ["CertificateStatus", message(22, 1, 0, 0, 1, 0)],
  ["SupplementalData", message(23, 0, 0, 0)],
  ["KeyUpdate", message(24, 0)],
  ["CompressedCertificate", message(25, 0, 1, 0, 0, 1, 0, 0, 1, 0)],
  ["message_hash", message(254, ...new Uint8Array(32))],
  ["type 99", message(99)],
  ["type 255", message(255, 1)]
]

const says = (bytes: Uint8Array): Act => (puppet) => puppet.record(handshake, bytes)

const types: Readonly<Record<Unit, ReadonlyArray<number>>> = {
  ClientHello: [1],
  SecondHello: [1],
  HelloRetryRequest: [2],
  ServerHello: [2],
  EncryptedExtensions: [8],
  CertificateRequest: [13, 11],
  Certificate: [11],
  CertificateVerify: [15],
  Finished: [20]
}

/** The types that are right at a place. A CertificateRequest is up to the server. */
const rightAt = (place: Place): ReadonlyArray<number> => {
  const due = dueAt(place)
  if (due === undefined) return place.subject === "client" ? [4, 24] : [24]
  if (place.subject === "client" && due === "Certificate" && !place.flow.endsWith("certificate")) return [11, 13]
  // A client that may yet speak TLS 1.2 bears a HelloRequest.
  return place.subject === "client" && isUndecided(place) ? [...types[due], 0] : types[due]
}

sweep(
  "R8446-6.2-02, R8446-6.2-05: every handshake message at every place where it is wrong: unexpected_message",
  (place, messages) => {
    const right = rightAt(place)
    const named = messages.map(({ bytes, from, name }) => [`${name} of the ${from}`, bytes] as const)
    const all = [...named, ...foreign].filter(([, bytes]) => !right.includes(bytes[0] ?? 0))
    const retry = messages.find(({ name }) => name === "HelloRetryRequest")
    return [
      ...all.map(([name, bytes]) => last(name, says(bytes), protested(place, 10, "MessageUnexpected"))),
      // RFC 8446 section 4.1.4.
      ...(retry !== undefined && dueAt(place) === "ServerHello" && !isUndecided(place)
        ? [last("a second HelloRetryRequest", says(retry.bytes), protested(place, 10, "MessageUnexpected"))]
        : [])
    ]
  }
)

sweep(
  "a HelloRequest to a client that may yet speak TLS 1.2",
  (place): ReadonlyArray<Trial> => [
    borne("one", says(helloRequest), wentOn(place)),
    last(
      "two",
      (puppet) => [1, 2].forEach(() => puppet.blurt(helloRequest)),
      protested(place, 10, "RenegotiationFlood")
    ),
    last("one with a body", says(message(0, 1)), protested(place, 50, "MessageMalformed"))
  ],
  places.filter((place) => place.subject === "client" && isUndecided(place))
)

const finishedOf = (messages: ReadonlyArray<Message>) => messages.filter(({ name }) => name === "Finished")

sweep(
  "R8446-6.2-02, R8446-6.2-05: a Finished of another conversation, of either side: decrypt_error",
  (place, messages) =>
    finishedOf(messages).map(({ bytes, from }) =>
      last(`of the ${from}`, says(bytes), protested(place, 51, "FinishedWrong"))
    ),
  places.filter((place) => dueAt(place) === "Finished")
)

sweep("application data in a handshake: unexpected_message, or what cannot be opened", (place) => [
  last(
    "under the keys of the moment",
    (puppet) => puppet.record(application_data, [1, 2, 3]),
    protested(place, 10, "MessageUnexpected")
  ),
  ...(isProtected(place)
    ? [
      last("in the clear", (puppet) => puppet.clear(application_data, [1, 2, 3]), protested(place, 20, "BadRecordMac"))
    ]
    : [])
], places.filter((place) => !isOpen(place)))

sweep(
  "handshake messages in the clear where they must be protected: unexpected_message",
  (place, messages) => [
    last("what is due", (puppet, due) => puppet.clear(handshake, due), protested(place, 10, "MessageUnexpected")),
    ...finishedOf(messages).map(({ bytes, from }) =>
      last(
        `Finished of the ${from}`,
        (puppet) => puppet.clear(handshake, bytes),
        protested(place, 10, "MessageUnexpected")
      )
    )
  ],
  places.filter(isProtected)
)

/** RFC 8446 section 5: whether a ChangeCipherSpec may come, and is dropped. */
const isDisguised = (place: Place): boolean => !isOpen(place) && (place.subject === "client" || place.at > 0)

const ccs = (content: ReadonlyArray<number>): Act => (puppet) => puppet.clear(change_cipher_spec, content)

const times = (count: number, act: Act): Act => (puppet, due) => {
  for (let time = 0; time < count; time++) act(puppet, due)
}

/** RFC 5246 knows a ChangeCipherSpec that is wrong in itself; where it is wrong in any case, both have one answer. */
const malformedAt = (place: Place, content: ReadonlyArray<number>) => {
  if (content.length === 0 && !isDisguised(place) && isUndecided(place)) return "RecordEmpty"
  return "ChangeCipherSpecMalformed"
}

sweep(
  "ChangeCipherSpec in the clear: dropped within a budget, in a handshake after the first hello; else unexpected_message",
  (place) => [
    ...(isDisguised(place)
      ? [
        ...[1, 32].map((count): Trial => ({
          ...borne(`${count}`, times(count, ccs([1])), wentOn(place)),
          isBare: true
        })),
        { ...last("33", times(33, ccs([1])), protested(place, 10, "MessageUnexpected")), isBare: true }
      ]
      : [last("1", ccs([1]), protested(place, 10, "MessageUnexpected"))]),
    ...[[2], [0], [1, 1], []].map((content) =>
      last(`of ${content.join()}`, ccs(content), protested(place, 10, malformedAt(place, content)))
    )
  ]
)

sweep(
  "ChangeCipherSpec under the protection of records: unexpected_message",
  (place) =>
    [[1], [2], [1, 1], []].map((content) =>
      last(
        `of ${content.join()}`,
        (puppet) => puppet.record(change_cipher_spec, content),
        protested(place, 10, "MessageUnexpected")
      )
    ),
  places.filter(isProtected)
)

const resized = (by: number): Act => (puppet, due) => {
  const bytes = new Uint8Array(due.length + by)
  bytes.set(due.subarray(0, bytes.length))
  const length = bytes.length - 4
  bytes.set([length >> 16, length >> 8, length], 1)
  puppet.record(handshake, bytes)
}

sweep(
  "R8446-6.2-02, R8446-6.2-05: the message that is due, with a byte too many or too few: decode_error",
  (place) =>
    ([["a byte too many", 1], ["a byte too few", -1]] as const).map(([name, by]) =>
      last(name, resized(by), protested(place, 50, "MessageMalformed"))
    ),
  places.filter((place) => !isOpen(place))
)

/** RFC 8446 section 4.6: messages of the open connection that are wrong in themselves. */
sweep(
  "malformed KeyUpdate and NewSessionTicket on the open connection",
  (place) => [
    last("KeyUpdate without a body", says(message(24)), protested(place, 50, "MessageMalformed")),
    last("KeyUpdate of two bytes", says(message(24, 0, 0)), protested(place, 50, "MessageMalformed")),
    last("KeyUpdate that requests 2", says(message(24, 2)), protested(place, 47, "ParameterIllegal")),
    ...(place.subject === "client"
      ? [
        last(
          "NewSessionTicket of TLS 1.2",
          says(message(4, 0, 0, 0, 9, 0, 1, 0)),
          protested(place, 50, "MessageMalformed")
        ),
        last(
          "NewSessionTicket with an empty ticket",
          says(message(4, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0)),
          protested(place, 50, "MessageMalformed")
        )
      ]
      : [])
  ],
  places.filter(isOpen)
)
