/** SMACK, SKIP, FREAK: a peer that leaves messages out or repeats them, and goes on as if all were well. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import { converse, type Place } from "./conversation.ts"
import { dueAt, isOpen, protested, wentOn } from "./expected.ts"
import { nothing } from "./puppet.ts"
import { places, sweep, type Trial } from "./sweep.ts"
import { awaited, type Unit, world } from "./world.ts"

describe("every unit in its order: the handshake of RFC 5246 section 7.3, data, and a clean end", () => {
  for (const place of places.filter((place) => place.at === 0)) {
    it.effect(`${place.subject}, ${place.flow}`, () =>
      Effect.gen(function*() {
        const { units, ...outcome } = yield* converse(yield* world, place, nothing)
        assert.deepStrictEqual(outcome, wentOn(place))
        assert.deepStrictEqual(units.map(([name]) => name), awaited[place.subject][place.flow])
      }).pipe(Effect.provide(NodePrimitives.layerPrimitives)))
  }
})

/** The units after which the sender waits for the other side: what it leaves out there, nothing stands in for. */
const endsFlight = ["ClientHello", "ServerHelloDone", "Finished"]

const laterInFlight = (place: Place): ReadonlyArray<readonly [at: number, unit: Unit]> => {
  const units = awaited[place.subject][place.flow]
  const last = units.findIndex((unit, at) => at >= place.at && endsFlight.includes(unit))
  return [...units.entries()].slice(place.at + 1, last + 1)
}

const next = (place: Place): Place => ({ ...place, at: place.at + 1 })

const unexpected = (place: Place) => protested(place, 10, "MessageUnexpected")

sweep(
  "messages are left out, up to any later one of the flight: unexpected_message",
  (place): ReadonlyArray<Trial> => [
    ...laterInFlight(place).map(([to, unit]): Trial => ({
      name: `goes on with ${unit}`,
      move: { how: "skip", to },
      expected: unexpected(place)
    })),
    ...(dueAt(place) !== "ChangeCipherSpec" ? [] : [
      {
        // The explicit nonce of a first record reads as two empty HelloRequests, of which a client bears one.
        name: "left out, and the keys are changed nevertheless",
        move: { how: "altered", record: () => new Uint8Array() },
        expected: protested(place, 10, place.subject === "client" ? "RenegotiationFlood" : "MessageUnexpected")
      } satisfies Trial
    ])
  ],
  places.filter((place) => {
    const due = dueAt(place)
    // A server that does not ask for a certificate is in order.
    return due !== undefined && due !== "CertificateRequest" && !endsFlight.includes(due)
  })
)

sweep(
  "a message is said twice: unexpected_message at the second one",
  (place): ReadonlyArray<Trial> => {
    // The open connection has no data yet when the second Finished comes.
    const after = unexpected(next(place))
    return [{ name: "twice", move: { how: "twice" }, expected: isOpen(next(place)) ? { ...after, data: "" } : after }]
  },
  places.filter((place) => !isOpen(place))
)
