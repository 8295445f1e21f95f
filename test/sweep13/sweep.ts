/** The frame of every sweep: all places, and at each of them all trials. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import type { Side } from "../handshake13/puppet.ts"
import { other } from "../handshake13/conversation.ts"
import type { Unit } from "../handshake13/stories.ts"
import { type World, world } from "../handshake13/world.ts"
import { type Act, hold, nothing, type Options, type Outcome } from "./conversation.ts"
import { handshakes, nameOf, type Place, places } from "./places.ts"

export interface Trial extends Options {
  readonly name: string
  readonly expected: Outcome
}

/** The last thing that the puppet does. */
export const last = (name: string, act: Act, expected: Outcome): Trial => ({
  name,
  move: { how: "instead", act },
  expected
})

/** Something that the subject bears, before the puppet goes on. */
export const borne = (name: string, act: Act, expected: Outcome): Trial => ({
  name,
  move: { how: "before", act },
  expected
})

const tryAll = Effect.fnUntraced(function*(all: World, place: Place, trials: ReadonlyArray<Trial>) {
  assert.isAbove(trials.length, 0)
  for (const { expected, name, ...options } of trials) {
    const { isRefused: _, sealed, units: __, ...outcome } = yield* hold(all, place, options).pipe(
      Effect.catchCause((cause) => Effect.die(new Error(`${nameOf(place)}: ${name}`, { cause })))
    )
    assert.deepStrictEqual(outcome, expected, name)
    // What was told is all that was said.
    assert.deepStrictEqual(sealed, expected.told.map((line) => line.slice(line.indexOf(" ") + 1)), name)
  }
})

/** One test for each place. */
export const sweep = (
  name: string,
  trialsAt: (place: Place, messages: ReadonlyArray<Message>) => ReadonlyArray<Trial>,
  where: ReadonlyArray<Place> = places
): void => {
  describe(name, () => {
    for (const place of where) {
      it.effect(nameOf(place), () =>
        Effect.gen(function*() {
          yield* tryAll(yield* world, place, trialsAt(place, yield* messages))
        }).pipe(Effect.provide(NodePrimitives.layerPrimitives)))
    }
  })
}

/** A well-formed handshake message, and who sends it. */
export interface Message {
  readonly name: Unit
  readonly from: Side
  readonly bytes: Uint8Array
}

/** Every message of TLS 1.3, as each side sends it. */
const record = Effect.gen(function*() {
  const all = yield* world
  const found = new Map<string, Message>()
  for (const place of handshakes) {
    for (const [name, bytes] of (yield* hold(all, place, { move: nothing })).units) {
      const from = other(place.subject)
      found.set(`${name} of the ${from}`, { name, from, bytes })
    }
  }
  return [...found.values()]
})

let recorded: ReadonlyArray<Message> | undefined

const messages = Effect.suspend(() =>
  recorded === undefined ? Effect.map(record, (found) => recorded = found) : Effect.succeed(recorded)
)
