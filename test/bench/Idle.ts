import * as Effect from "effect/Effect"
import type { Contender, Line } from "./Line.ts"
import type { Setup } from "./Peer.ts"
import { type Kind, peerOf } from "./PeerOf.ts"
import { remote } from "./Remote.ts"

const kinds: ReadonlyArray<Kind> = [
  { _tag: "Ours", name: "waiting in pull", mode: {} },
  { _tag: "NodeTls" },
  { _tag: "Plain" }
]

// The young generation of the heap grows to 16 MiB and more while connections come in, however few of them stay: it belongs to
// the process, and is kept small to see the connections.
const smallNursery = ["--max-semi-space-size=1"]

/** What a server process grows by when connections are open and nothing happens on them. */
export const idleLine = (setup: Setup): Line => ({
  name: `${setup.profile.label}: memory of an idle connection at the server`,
  unit: "connection",
  measures: ["bytes"],
  goal: 2,
  open: (scale) =>
    Effect.forEach(kinds, (kind) =>
      Effect.gen(function*() {
        const count = Math.max(2, Math.round(2000 * scale))
        // The clients are none of what is measured: the same for both.
        const client = yield* peerOf(kind._tag === "Plain" ? kind : { _tag: "NodeTls" }, setup)
        const server = yield* peerOf(kind, setup)
        const run = Effect.gen(function*() {
          const { ask, port } = yield* remote({ kind, setup, behaviour: "idle" }, smallNursery)
          const open = (connections: number) =>
            Effect.forEach(Array.from({ length: connections }), () => client.dial(port), {
              concurrency: 16,
              discard: true
            })
          // Code and caches come with the first connections, one after the other.
          yield* Effect.replicateEffect(Effect.scoped(client.dial(port)), Math.ceil(count / 2), { discard: true })
          yield* open(Math.ceil(count / 20))
          const before = yield* ask({ ask: "memory" })
          yield* open(count)
          return { bytes: ((yield* ask({ ask: "memory" })) - before) / count }
        }).pipe(Effect.scoped)
        return {
          name: kind._tag === "Ours" ? kind.name : server.name,
          part: kind._tag === "Ours" ? "ours" : kind._tag === "NodeTls" ? "reference" : "probe",
          run
        } satisfies Contender
      }))
})
