/** One bit of each byte of every message of TLS 1.3 turned, in its content and on the wire. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import { makeInsecureSeeded } from "../../src/service/Randomness.ts"
import { headerLength } from "../harness/TlsRecords.ts"
import { type World, world } from "../handshake13/world.ts"
import { type Held, hold, type Move, nothing } from "./conversation.ts"
import { sessionsAt } from "./expected.ts"
import { type Field, fieldAt, recordFieldAt } from "./fields.ts"
import { dueAt, isOpen, isProtected, mainPlaces, nameOf, type Place, places } from "./places.ts"

/** Which bit of each byte is turned. */
const bits = makeInsecureSeeded(NodePrimitives.make, "one bit of every byte").bytes(1024)
const bitAt = (at: number): number => (bits[at] ?? 0) & 7

const turn = (bytes: Uint8Array, at: number, bit: number): Uint8Array => bytes.with(at, (bytes[at] ?? 0) ^ (1 << bit))

/** A turned bit ends the handshake with at most one fatal alert, of one side, and it is a right one for the field. */
const check = (place: Place, field: Field, held: Held): void => {
  const { alive, failure, forgotten, isRefused, sealed } = held
  const [end, code] = failure.split(" ")
  switch (end) {
    case "AlertSent":
      assert.include(field.sent, Number(code), failure)
      assert.deepStrictEqual(sealed, [`2/${code}`])
      break
    case "AlertReceived":
      assert.include(field.else, "received", failure)
      assert.isTrue(isRefused)
      assert.deepStrictEqual(sealed, [])
      break
    case "HandshakeAborted":
      assert.include(field.else, "timeout", failure)
      // RFC 8446 section 6.1: user_canceled, then close_notify; silence where not even one record has come.
      assert.deepStrictEqual(sealed, sealed.length > 0 ? ["1/90", "1/0"] : [])
      assert.strictEqual(forgotten, 0)
      return
    default:
      assert.strictEqual(failure, "clean")
      assert.include(field.else, failure)
      assert.deepStrictEqual(sealed, ["1/0"])
      assert.strictEqual(forgotten, 0)
      return
  }
  // Law 11: a server whose binder did not verify, or that declined the offer, forgets nothing.
  assert.deepStrictEqual({ alive, forgotten }, sessionsAt(place, true))
}

/** Turns a bit of what is due, and says in which field it lies. */
interface Turn {
  readonly name: string
  readonly move: (found: (field: Field) => void) => Move
}

const tryAll = Effect.fnUntraced(function*(all: World, place: Place, turns: ReadonlyArray<Turn>) {
  assert.isAbove(turns.length, 0)
  for (const { move, name } of turns) {
    const fields: Array<Field> = []
    yield* hold(all, place, { move: move((field) => void fields.push(field)), isWild: true }).pipe(
      Effect.map((held) => fields.forEach((field) => check(place, field, held))),
      Effect.catchCause((cause) => Effect.die(new Error(`${name}, ${fields.map((_) => _.name)}`, { cause })))
    )
    assert.lengthOf(fields, 1)
  }
})

const inContent = (place: Place, at: number): Turn => ({
  name: `bit ${bitAt(at)} of byte ${at}`,
  move: (found) => ({
    how: "altered",
    content: (bytes) => {
      // Signatures of one key may differ in length, by a byte or two.
      const index = Math.min(at, bytes.length - 1)
      found(fieldAt(place, bytes, index))
      return turn(bytes, index, bitAt(at))
    }
  })
})

const inRecord = (place: Place, at: number, bit: number): Turn => ({
  name: `bit ${bit} of byte ${at} of the record`,
  move: (found) => ({
    how: "altered",
    record: (bytes) => {
      found(recordFieldAt(place, at))
      return turn(bytes, at, bit)
    }
  })
})

const range = (length: number): ReadonlyArray<number> => Array.from({ length }, (_, at) => at)

const sweep = (
  name: string,
  where: ReadonlyArray<Place>,
  turnsAt: (place: Place, due: Uint8Array) => ReadonlyArray<Turn>
): void => {
  describe(name, () => {
    for (const place of where) {
      it.effect(nameOf(place), () =>
        Effect.gen(function*() {
          const all = yield* world
          const [, due] = (yield* hold(all, place, { move: nothing })).units[place.at] ?? []
          assert.isDefined(due)
          yield* tryAll(all, place, turnsAt(place, due))
        }).pipe(Effect.provide(NodePrimitives.layerPrimitives)))
    }
  })
}

// A second hello with a ticket is the one whose binder covers two hellos.
const isBoundTwice = (place: Place): boolean =>
  place.flow === "resumption after HelloRetryRequest" && dueAt(place) === "SecondHello"

sweep(
  "one bit of each byte of what is due",
  places.filter((place) => !isOpen(place) && (mainPlaces.includes(place) || isBoundTwice(place))),
  (place, due) => range(due.length).map((at) => inContent(place, at))
)

sweep(
  "each bit of the header of its record",
  mainPlaces.filter((place) => !isOpen(place)),
  (place) => range(headerLength * 8).map((bit) => inRecord(place, bit >> 3, bit & 7))
)

sweep(
  "one bit of each byte of its protected record",
  mainPlaces.filter((place) => dueAt(place) === "Finished" || dueAt(place) === "EncryptedExtensions"),
  // The message, its type, and the tag.
  (place, due) => range(due.length + 1 + 16).map((at) => inRecord(place, headerLength + at, bitAt(at)))
)

void isProtected
