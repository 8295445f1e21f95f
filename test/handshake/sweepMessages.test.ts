import { ContentType } from "../../src/wire/CodePoints.ts"
import type { Place } from "./conversation.ts"
import { dueAt, isOpen, protested, wentOn } from "./expected.ts"
import type { Hands } from "./puppet.ts"
import { type Message, places, sweep, type Trial } from "./sweep.ts"
import { awaited, type Unit } from "./world.ts"

const { application_data, change_cipher_spec, handshake } = ContentType

const message = (type: number, ...body: ReadonlyArray<number>): Uint8Array =>
  Uint8Array.of(type, 0, 0, body.length, ...body)

const helloRequest = message(0)

/** Well-formed messages of types that TLS 1.2 has, and this profile has not, and of types that nobody has. */
const foreign: ReadonlyArray<readonly [name: string, bytes: Uint8Array]> = [
  ["HelloVerifyRequest", message(3, 3, 3, 1, 0)],
  ["EncryptedExtensions", message(8, 0, 0)],
  ["CertificateURL", message(21, 0, 0, 0)],
  ["CertificateStatus", message(22, 1, 0, 0, 1, 0)],
  ["KeyUpdate", message(24, 0)],
  ["type 99", message(99)],
  ["type 255", message(255, 1)]
]

const says = (bytes: Uint8Array) => (hands: Hands) => hands.record(handshake, bytes)

/** RFC 5246 section 7.3: the one or two messages that are right at a place. CertificateRequest is up to the server. */
const rightAt = (place: Place): ReadonlyArray<Unit | undefined> =>
  place.subject === "client" && awaited.client[place.flow][place.at - 1] === "ServerKeyExchange"
    ? ["CertificateRequest", "ServerHelloDone"]
    : [dueAt(place)]

const isAsking = (place: Place, { name }: Message): boolean =>
  place.subject === "server" && isOpen(place) && name === "ClientHello"

/** RFC 5246 section 7.4.1.1 and 7.2.2: who may ask for another handshake, and what comes of it. */
const askingAt = (place: Place, messages: ReadonlyArray<Message>): ReadonlyArray<Trial> => {
  const clientHello = messages.find((_) => _.name === "ClientHello")?.bytes ?? helloRequest
  const asks = place.subject === "client" ? helloRequest : clientHello
  const strange = place.subject === "client" ? clientHello : helloRequest
  const isStrange: Trial = {
    name: "a request for another handshake by the wrong side",
    move: { how: "instead", act: says(strange) },
    expected: protested(place, 10, "MessageUnexpected")
  }
  if (place.subject === "server" && !isOpen(place)) return [isStrange]
  const answer = isOpen(place) && !place.closing ? ["1/100"] : []
  return [
    isStrange,
    {
      name: "a request for another handshake",
      move: { how: "before", act: says(asks) },
      expected: wentOn(place, answer)
    },
    {
      name: "two requests for another handshake",
      move: { how: "instead", act: (hands) => [asks, asks].forEach((bytes) => says(bytes)(hands)) },
      expected: protested(place, 10, "RenegotiationFlood", answer)
    },
    ...(place.subject === "server" ? [] : [
      {
        name: "HelloRequest with a body",
        move: { how: "instead", act: says(message(0, 1)) },
        expected: protested(place, 50, "MessageMalformed")
      } satisfies Trial
    ])
  ]
}

sweep("every handshake message at every place where it is wrong: unexpected_message", (place, messages) => [
  ...messages.filter((_) => !rightAt(place).includes(_.name) && !isAsking(place, _)).map((_): Trial => ({
    name: `${_.name} of the ${_.from}`,
    move: { how: "instead", act: says(_.bytes) },
    expected: protested(place, 10, "MessageUnexpected")
  })),
  ...foreign.map(([name, bytes]): Trial => ({
    name,
    move: { how: "instead", act: says(bytes) },
    expected: protested(place, 10, "MessageUnexpected")
  })),
  ...askingAt(place, messages)
])

sweep(
  "a Finished of another conversation, of either side: decrypt_error",
  (place, messages) =>
    messages.filter((_) => _.name === "Finished").map((_): Trial => ({
      name: `of the ${_.from}`,
      move: { how: "instead", act: says(_.bytes) },
      expected: protested(place, 51, "FinishedWrong")
    })),
  places.filter((place) => dueAt(place) === "Finished")
)

sweep("ChangeCipherSpec and application data at every place where they are wrong", (place) => {
  const isDue = dueAt(place) === "ChangeCipherSpec"
  const trial = (name: string, act: (hands: Hands) => void, code: number, fault: string): Trial => ({
    name,
    move: { how: "instead", act },
    expected: protested(place, code, fault)
  })
  const of = (type: number, ...content: ReadonlyArray<number>) => (hands: Hands) =>
    hands.record(type, Uint8Array.from(content))
  // Before the hellos none is in order, whatever its content.
  const malformed = place.at === 0 ? 10 : 50
  return [
    ...(isDue ? [] : [
      // CVE-2014-0224 where it is early.
      trial("ChangeCipherSpec", of(change_cipher_spec, 1), 10, "MessageUnexpected")
    ]),
    trial("ChangeCipherSpec of another byte", of(change_cipher_spec, 2), malformed, "ChangeCipherSpecMalformed"),
    trial("ChangeCipherSpec of two bytes", of(change_cipher_spec, 1, 1), malformed, "ChangeCipherSpecMalformed"),
    ...(isOpen(place) ? [] : [
      trial("application data", of(application_data, 1), 10, "MessageUnexpected")
    ])
  ]
})

sweep(
  "the message that is due, with a byte too many or too few: decode_error",
  (place) => {
    const due = dueAt(place)
    const resized = (by: number) => (hands: Hands) => {
      const bytes = new Uint8Array(hands.due.length + by)
      bytes.set(hands.due.subarray(0, bytes.length))
      const length = bytes.length - 4
      bytes.set([length >> 16, length >> 8, length], 1)
      hands.record(handshake, bytes)
    }
    const expected = protested(place, 50, "MessageMalformed")
    return [
      { name: "a byte too many", move: { how: "instead", act: resized(1) }, expected },
      ...(due === "ServerHelloDone" ? [] : [
        { name: "a byte too few", move: { how: "instead", act: resized(-1) }, expected } satisfies Trial
      ])
    ]
  },
  places.filter((place) => !isOpen(place) && dueAt(place) !== "ChangeCipherSpec")
)
