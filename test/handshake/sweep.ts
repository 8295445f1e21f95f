/** The frame of every sweep: all places, and at each of them all trials. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import { converse, openOf, type Outcome, type Place, placesOf } from "./conversation.ts"
import { dueAt } from "./expected.ts"
import { type Move, nothing } from "./puppet.ts"
import { type Flow, other, type Side, type Unit, type World, world } from "./world.ts"

export interface Trial {
  readonly name: string
  readonly move: Move
  readonly expected: Outcome
}

const sides = ["client", "server"] as const

/** The handshakes in which every kind of message is waited for once. */
const mainFlows: ReadonlyArray<Flow> = ["full, with a client certificate", "abbreviated"]

/** Those that wait for the same in another setting; what a client shows is no difference to what it waits for. */
const otherFlows: Readonly<Record<Side, ReadonlyArray<Flow>>> = {
  client: ["full", "full, after a declined offer", "full, with a ticket"],
  server: ["full", "full, after a declined offer", "full, with an empty client certificate", "full, with a ticket"]
}

/** Every message that each side waits for, the open connection, and the connection after our own close_notify. */
export const mainPlaces: ReadonlyArray<Place> = sides.flatMap((subject) => [
  ...mainFlows.flatMap((flow) => placesOf(subject, flow)),
  openOf(subject, false),
  openOf(subject, true)
])

export const otherPlaces: ReadonlyArray<Place> = sides.flatMap((subject) =>
  otherFlows[subject].flatMap((flow) => placesOf(subject, flow))
)

export const places: ReadonlyArray<Place> = [...mainPlaces, ...otherPlaces]

export const nameOf = (place: Place): string => {
  const due = dueAt(place)
  if (due !== undefined) return `${place.subject}, ${place.flow}: waits for ${due}`
  return `${place.subject}, ${place.closing ? "after its own close_notify" : "open connection"}`
}

/** Holds the conversation of every trial at a place, each with a fresh subject, and compares what came of it. */
export const tryAll = Effect.fnUntraced(function*(world: World, place: Place, trials: ReadonlyArray<Trial>) {
  assert.isAbove(trials.length, 0)
  for (const { expected, move, name } of trials) {
    const { units: _, ...outcome } = yield* converse(world, place, move).pipe(
      Effect.catchCause((cause) => Effect.die(new Error(`${nameOf(place)}: ${name}`, { cause })))
    )
    assert.deepStrictEqual(outcome, expected, name)
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
          const all = yield* world
          yield* tryAll(all, place, trialsAt(place, yield* messages))
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

/** Every message of a handshake with a client certificate, and that of a ticket, as each side sends it. */
const record = Effect.gen(function*() {
  const all = yield* world
  const found: Array<Message> = []
  for (const flow of ["full, with a client certificate", "full, with a ticket"] as const) {
    for (const subject of sides) {
      const { units } = yield* converse(all, { subject, flow, at: 0, closing: false }, nothing)
      for (const [name, bytes] of units) {
        const from = other(subject)
        const isNew = !found.some((message) => message.name === name && message.from === from)
        if (name !== "ChangeCipherSpec" && isNew) found.push({ name, from, bytes })
      }
    }
  }
  return found
})

let recorded: ReadonlyArray<Message> | undefined

const messages = Effect.suspend(() =>
  recorded === undefined ? Effect.map(record, (found) => recorded = found) : Effect.succeed(recorded)
)
