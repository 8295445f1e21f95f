/** SMACK, SKIP, FREAK over TLS 1.3: a peer that leaves messages out or repeats them, and goes on as if all were well. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import type { Unit } from "../handshake13/stories.ts"
import { world } from "../handshake13/world.ts"
import { hold, nothing } from "./conversation.ts"
import { protested, sessionsAt, wentOn } from "./expected.ts"
import {
  awaited,
  dueAt,
  handshakes,
  isOpen,
  isRetried,
  isUndecided,
  nameOf,
  next,
  type Place,
  places
} from "./places.ts"
import { sweep, type Trial } from "./sweep.ts"

describe("every message in its order: the handshake of RFC 8446 section 2, data, and a clean end", () => {
  for (const place of handshakes) {
    it.effect(nameOf(place), () =>
      Effect.gen(function*() {
        const { isRefused, sealed, units, ...outcome } = yield* hold(yield* world, place, { move: nothing })
        assert.deepStrictEqual(outcome, wentOn(place))
        assert.deepStrictEqual([isRefused, ...sealed], [false, "1/0"])
        assert.deepStrictEqual(units.map(([name]) => name), awaited[place.subject][place.flow])
      }).pipe(Effect.provide(NodePrimitives.layerPrimitives)))
  }
})

/** The messages after which the sender waits for the other side: what it leaves out there, nothing stands in for. */
const endsFlight: ReadonlyArray<Unit> = ["ClientHello", "SecondHello", "HelloRetryRequest", "Finished"]

const laterInFlight = (place: Place): ReadonlyArray<readonly [at: number, unit: Unit]> => {
  const units = awaited[place.subject][place.flow]
  const end = units.findIndex((unit, at) => at >= place.at && endsFlight.includes(unit))
  // A server that does not ask for a certificate is in order.
  const from = place.at + (dueAt(place) === "CertificateRequest" ? 2 : 1)
  return [...units.entries()].slice(from, end + 1)
}

sweep(
  "R8446-6.2-02, R8446-6.2-05: messages are left out, up to any later one of the flight: unexpected_message",
  (place) =>
    laterInFlight(place).map(([to, unit]): Trial => ({
      name: `goes on with ${unit}`,
      move: { how: "skip", to },
      expected: protested(place, 10, "MessageUnexpected")
    })),
  places.filter((place) => laterInFlight(place).length > 0)
)

/** What the second one comes to, at the place of what is due after the first. */
const twiceAt = (place: Place) => {
  const after = next(place)
  // The keys of the handshake are those of the past; a client has had neither data nor a ticket by then.
  if (isOpen(after)) {
    const wrong = { ...protested(after, 20, "BadRecordMac"), data: "" }
    return place.subject === "client" ? { ...wrong, ...sessionsAt(place, true) } : wrong
  }
  // RFC 8446 section 4.1.2: the second hello of a client has the share that it was asked for.
  if (place.subject === "server" && isRetried(place) && isUndecided(place)) {
    return protested(after, 47, "ParameterIllegal")
  }
  return protested(after, 10, "MessageUnexpected")
}

sweep(
  "a message is said twice: unexpected_message at the second one",
  (place): ReadonlyArray<Trial> => [{ name: "twice", move: { how: "twice" }, expected: twiceAt(place) }],
  places.filter((place) => !isOpen(place))
)
