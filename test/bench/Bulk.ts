import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { floorOfRecords } from "./Floor.ts"
import type { Contender, Line } from "./Line.ts"
import { timed, timedWithPeer } from "./Meter.ts"
import type { End, Setup } from "./Peer.ts"
import { type Kind, peerOf } from "./PeerOf.ts"
import { remote } from "./Remote.ts"

const megabyte = 1024 * 1024

const partOf = (kind: Kind): Contender["part"] =>
  kind._tag === "Ours" ? "ours" : kind._tag === "NodeTls" ? "reference" : "probe"

const bulkKinds: ReadonlyArray<Kind> = [
  { _tag: "Ours", name: "pullInto", mode: { read: "pullInto" } },
  { _tag: "Ours", name: "pull", mode: { read: "pull" } },
  { _tag: "NodeTls" },
  { _tag: "Plain" }
]

/** Where it makes a difference whose sockets they are. */
const socketKinds: ReadonlyArray<Kind> = [
  ...bulkKinds,
  { _tag: "Ours", name: "pullInto, NodeSocket", mode: { read: "pullInto", sockets: "NodeSocket" } }
]

const whole = (scale: number, bytes: number, size: number): number =>
  Math.max(1, Math.round(scale * bytes / size)) * size

const transfer = (sender: End, receiver: End, total: number, size: number): Effect.Effect<void> =>
  Effect.all([receiver.receive(total), sender.send(total, size)], { concurrency: "unbounded", discard: true })

/** A connection within this process, over TCP: the client sends. */
const overLoopback = (kind: Kind, setup: Setup) =>
  Effect.gen(function*() {
    const peer = yield* peerOf(kind, setup)
    let accepted: ((end: End) => void) | undefined
    const port = yield* peer.listen((end) => {
      accepted?.(end)
      return Effect.never
    })
    const server = Effect.callback<End>((resume) => {
      accepted = (end) => resume(Effect.succeed(end))
    })
    const [receiver, sender] = yield* Effect.all([server, peer.dial(port)], { concurrency: "unbounded" })
    return { peer, sender, receiver }
  })

const inMemory = (kind: Kind, setup: Setup) =>
  Effect.gen(function*() {
    const peer = yield* peerOf(kind, setup)
    const [sender, receiver] = yield* peer.pair
    return { peer, sender, receiver }
  })

const contenders = <K>(
  kinds: ReadonlyArray<K>,
  open: (kind: K) => Effect.Effect<Contender, never, Scope.Scope>
): Effect.Effect<ReadonlyArray<Contender>, never, Scope.Scope> => Effect.forEach(kinds, open)

const bulk = (
  name: string,
  goal: number,
  size: number,
  setup: Setup,
  connected: typeof inMemory,
  kinds: ReadonlyArray<Kind>
): Line => ({
  name,
  unit: "byte",
  measures: ["cpu", "wall"],
  goal,
  open: (scale) =>
    Effect.gen(function*() {
      const total = whole(scale, 256 * megabyte, size)
      const rivals = yield* contenders(kinds, (kind) =>
        Effect.map(connected(kind, setup), ({ peer, receiver, sender }): Contender => ({
          name: peer.name,
          part: partOf(kind),
          run: timed(total, transfer(sender, receiver, total, size))
        })))
      return [...rivals, {
        name: "crypto floor",
        part: "probe",
        run: timed(
          total,
          Effect.sync(() =>
            floorOfRecords(total)
          )
        )
      }]
    })
})

const bulkTwoProcesses = (name: string, goal: number, size: number, setup: Setup): Line => ({
  name,
  unit: "byte",
  measures: ["cpu", "wall", "sender", "receiver"],
  goal,
  open: (scale) =>
    contenders(socketKinds, (kind) =>
      Effect.gen(function*() {
        const total = whole(scale, 256 * megabyte, size)
        const peer = yield* peerOf(kind, setup)
        const { ask, port } = yield* remote({ kind, setup, behaviour: "commanded" })
        const sender = yield* peer.dial(port)
        const work = Effect.gen(function*() {
          const before = yield* ask({ ask: "processor" })
          yield* Effect.all([ask({ ask: "receive", total }), sender.send(total, size)], { concurrency: "unbounded" })
          return (yield* ask({ ask: "processor" })) - before
        })
        return {
          name: peer.name,
          part: partOf(kind),
          run: timedWithPeer(total, { own: "sender", peer: "receiver" }, work)
        }
      }))
})

const pieces = (setup: Setup): Line => ({
  name: `${setup.profile.label}: 64-byte pieces of a stream into sink, in memory`,
  unit: "write",
  measures: ["cpu", "wall"],
  goal: 0.5,
  open: (scale) =>
    Effect.gen(function*() {
      const count = whole(scale, 256 * 1024, 1024)
      const kinds: ReadonlyArray<Kind> = [
        { _tag: "Ours", name: "sink", mode: { read: "pullInto", pieces: "sink" } },
        { _tag: "Ours", name: "1024 concurrent writes", mode: { read: "pullInto", pieces: "writes" } },
        { _tag: "NodeTls" }
      ]
      return yield* contenders(kinds, (kind) =>
        Effect.map(inMemory(kind, setup), ({ peer, receiver, sender }): Contender => ({
          name: peer.name,
          part: partOf(kind),
          run: timed(
            count,
            Effect.all([receiver.receive(count * 64), sender.sendPieces(count, 64)], { concurrency: "unbounded" })
          )
        })))
    })
})

const echo = (setup: Setup): Line => ({
  name: `${setup.profile.label}: echo of 1 byte, 2 processes`,
  unit: "round trip",
  measures: ["wall", "cpu"],
  goal: 0.5,
  open: (scale) =>
    contenders(
      [{ _tag: "Ours", name: "pull", mode: {} }, { _tag: "NodeTls" }, { _tag: "Plain" }] as const,
      (kind) =>
        Effect.gen(function*() {
          const count = Math.max(1, Math.round(5000 * scale))
          const peer = yield* peerOf(kind, setup)
          const { ask, port } = yield* remote({ kind, setup, behaviour: "echo" })
          const client = yield* peer.dial(port)
          const work = Effect.gen(function*() {
            const before = yield* ask({ ask: "processor" })
            yield* client.roundTrips(count)
            return (yield* ask({ ask: "processor" })) - before
          })
          return { name: peer.name, part: partOf(kind), run: timedWithPeer(count, undefined, work) }
        })
    )
})

/** Everything that moves data over connections that are already open. */
export const dataLines = (setup: Setup): ReadonlyArray<Line> => {
  const { label } = setup.profile
  return [
    bulkTwoProcesses(`${label}: bulk, loopback, 2 processes, 64 KiB writes`, 0.65, 64 * 1024, setup),
    bulkTwoProcesses(`${label}: bulk, loopback, 2 processes, 16 KiB writes`, 0.65, 16 * 1024, setup),
    bulk(`${label}: bulk, loopback, 1 process, 64 KiB writes`, 0.65, 64 * 1024, setup, overLoopback, socketKinds),
    bulk(`${label}: bulk, loopback, 1 process, 16 KiB writes`, 0.65, 16 * 1024, setup, overLoopback, socketKinds),
    bulk(`${label}: bulk, Duplex pair in memory, 64 KiB writes`, 0.6, 64 * 1024, setup, inMemory, bulkKinds),
    bulk(`${label}: bulk, Duplex pair in memory, 16 KiB writes`, 0.6, 16 * 1024, setup, inMemory, bulkKinds),
    pieces(setup),
    echo(setup)
  ]
}
