import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import { makeInsecureSeeded } from "../../src/service/Randomness.ts"
import { headerLength } from "../harness/TlsRecords.ts"
import { type Conversation, converse, type Place } from "./conversation.ts"
import { dueAt, isOpen, isProtected } from "./expected.ts"
import { type Field, fieldAt, recordFieldAt } from "./fields.ts"
import { type Move, nothing } from "./puppet.ts"
import { mainPlaces, nameOf } from "./sweep.ts"
import { type World, world } from "./world.ts"

/** Which bit of each byte is turned. */
const bits = makeInsecureSeeded(NodePrimitives.make, "one bit of every byte").bytes(1024)
const bitAt = (at: number): number => (bits[at] ?? 0) & 7

const turn = (bytes: Uint8Array, at: number, bit: number): Uint8Array => bytes.with(at, (bytes[at] ?? 0) ^ (1 << bit))

/** Whether the session of the subject is beyond doubt: it was offered or accepted, and not declined because of the turned bit. */
const isResuming = (place: Place, field: Field): boolean =>
  place.flow === "abbreviated" && (place.subject === "client" ? field.name !== "session_id" : place.at > 0)

/** A turned bit ends the handshake with at most one fatal alert, of one side, and it is a right one for the field. */
const check = (place: Place, field: Field, { failure, sessions, told }: Conversation): void => {
  const [end, code] = failure.split(" ")
  switch (end) {
    case "AlertSent":
      assert.include(field.sent, Number(code), failure)
      assert.deepStrictEqual(told, [`2/${code}`])
      break
    case "AlertReceived":
      assert.include(field.else, "received", failure)
      assert.deepStrictEqual(told, [])
      break
    case "HandshakeAborted":
      assert.include(field.else, "timeout", failure)
      // RFC 5246 section 7.2.2: user_canceled, then close_notify; silence where not even one record has come.
      assert.deepStrictEqual(told, told.length > 0 ? ["1/90", "1/0"] : [])
      break
    default:
      assert.strictEqual(failure, "clean")
      assert.include(field.else, failure)
      assert.deepStrictEqual(told, ["1/0"])
      assert.isAbove(sessions, 0)
      return
  }
  if (place.flow !== "abbreviated") assert.strictEqual(sessions, 0)
  else if (isResuming(place, field)) assert.strictEqual(sessions, end === "HandshakeAborted" ? 1 : 0)
}

/** Turns a bit of what is due, and says in which field it lies. */
interface Turn {
  readonly name: string
  readonly move: (found: (field: Field) => void) => Move
}

const tryAll = Effect.fnUntraced(function*(all: World, place: Place, turns: ReadonlyArray<Turn>) {
  for (const { move, name } of turns) {
    const fields: Array<Field> = []
    yield* converse(all, place, move((field) => void fields.push(field)), true).pipe(
      Effect.map((outcome) => fields.forEach((field) => check(place, field, outcome))),
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
      const unit = dueAt(place)
      assert.isDefined(unit)
      // Signatures of one key may differ in length, by a byte or two.
      const index = Math.min(at, bytes.length - 1)
      found(fieldAt(unit, bytes, index, place.flow === "abbreviated"))
      return turn(bytes, index, bitAt(at))
    }
  })
})

const inRecord = (place: Place, at: number, bit: number): Turn => ({
  name: `bit ${bit} of byte ${at} of the record`,
  move: (found) => ({
    how: "altered",
    record: (bytes) => {
      found(recordFieldAt(at, isProtected(place), place.at > 0))
      return turn(bytes, at, bit)
    }
  })
})

const range = (length: number): ReadonlyArray<number> => Array.from({ length }, (_, at) => at)

const sweep = (name: string, turnsAt: (place: Place, due: Uint8Array) => ReadonlyArray<Turn>): void => {
  describe(name, () => {
    for (const place of mainPlaces.filter((place) => !isOpen(place))) {
      it.effect(nameOf(place), () =>
        Effect.gen(function*() {
          const all = yield* world
          const [, due] = (yield* converse(all, place, nothing)).units[place.at] ?? []
          assert.isDefined(due)
          yield* tryAll(all, place, turnsAt(place, due))
        }).pipe(Effect.provide(NodePrimitives.layerPrimitives)))
    }
  })
}

sweep("one bit of each byte of what is due", (place, due) => range(due.length).map((at) => inContent(place, at)))

sweep(
  "each bit of the header of its record",
  (place) => range(headerLength * 8).map((bit) => inRecord(place, bit >> 3, bit & 7))
)

describe("Finished on the wire", () => {
  for (const place of mainPlaces.filter((place) => dueAt(place) === "Finished")) {
    it.effect(nameOf(place), () =>
      Effect.gen(function*() {
        // The explicit nonce of 8 bytes, the message of 16, the tag of 16: RFC 5288 section 3.
        const turns = range(8 + 16 + 16).map((at) => inRecord(place, headerLength + at, bitAt(at)))
        yield* tryAll(yield* world, place, turns)
      }).pipe(Effect.provide(NodePrimitives.layerPrimitives)))
  }
})
