import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import { type Conversation, converse, type Place } from "./conversation.ts"
import { dueAt, isOpen, isProtected } from "./expected.ts"
import { type Field, fieldAt, recordFieldAt } from "./fields.ts"
import { type Move, nothing } from "./puppet.ts"
import { mainPlaces, nameOf } from "./sweep.ts"
import { headerLength } from "../harness/TlsRecords.ts"
import { makeInsecureSeeded } from "../../src/service/Randomness.ts"
import { type World, world } from "./world.ts"

/** Says which bit of each byte is turned. */
const seed = "one bit of every byte"

const bitsOf = (length: number): Uint8Array =>
  makeInsecureSeeded(NodePrimitives.make, seed).bytes(length).map((byte) => 1 << (byte & 7))

const turn = (bytes: Uint8Array, at: number, mask: number): Uint8Array => bytes.with(at, (bytes[at] ?? 0) ^ mask)

/** A turned bit ends the handshake with at most one fatal alert, of either side, that is right for its field. */
const check = (place: Place, field: Field, outcome: Conversation): void => {
  const { failure, sessions, told } = outcome
  const [end, ...rest] = failure.split(" ")
  const isForgotten = place.flow === "abbreviated" ? sessions === 0 : undefined
  switch (end) {
    case "AlertSent": {
      const code = Number(rest[0])
      assert.include(field.sent, code)
      assert.deepStrictEqual(told, [`2/${code}`])
      break
    }
    case "AlertReceived":
      assert.isTrue(field.isFoundLater, "the other side found it")
      assert.deepStrictEqual(told, [])
      break
    case "HandshakeAborted":
      assert.isTrue(field.mayWait, "both sides waited")
      assert.include(rest, "timeout")
      // RFC 5246 section 7.2.2; silence where not even one record has come.
      assert.include(["1/90 1/0", "1/90", ""], told.join(" "))
      break
    default:
      assert.fail(`ended with ${failure}`)
  }
  if (isForgotten === undefined) assert.strictEqual(sessions, 0)
  else if (place.at > 0) assert.strictEqual(isForgotten, end !== "HandshakeAborted")
}

const trial = (all: World, place: Place, move: Move, field: Field, at: number) =>
  Effect.gen(function*() {
    const outcome = yield* converse(all, place, move, field.mayWait)
    check(place, field, outcome)
  }).pipe(Effect.catchCause((cause) => Effect.die(new Error(`byte ${at}, ${field.name}`, { cause }))))

const test = (place: Place, body: (all: World, due: Uint8Array) => Effect.Effect<void, never, never>) => {
}
