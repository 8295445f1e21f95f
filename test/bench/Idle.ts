import * as Effect from "effect/Effect"
import type { Contender, Line } from "./Line.ts"
import type { Credentials } from "./Peer.ts"
import { type Kind, peerOf } from "./PeerOf.ts"
import { remote } from "./Remote.ts"

const kinds: ReadonlyArray<Kind> = [
  { _tag: "Ours", name: "waiting in pull", mode: {} },
  { _tag: "NodeTls" },
  { _tag: "Plain" }
]

/** What a server process grows by when connections are open and nothing happens on them. */
export const idleLine = (credentials: Credentials): Line => ({
  name: "memory of an idle connection at the server",
  unit: "connection",
  measures: ["bytes"],
  goal: 2,
  open: (scale) =>
    Effect.forEach(kinds, (kind) =>
      Effect.gen(function*() {
        const count = Math.max(2, Math.round(1000 * scale))
        // The clients are none of what is measured: the same for both.
        const client = yield* peerOf(kind._tag === "Plain" ? kind : { _tag: "NodeTls" }, credentials)
        const server = yield* peerOf(kind, credentials)
        const run = Effect.gen(function*() {
          const { ask, port } = yield* remote({ kind, credentials, behaviour: "idle" })
          const open = (connections: number) =>
            Effect.forEach(Array.from({ length: connections }), () => client.dial(port), {
              concurrency: 16,
              discard: true
            })
          // What the first connections leave behind is code, not connections.
          yield* Effect.scoped(open(Math.ceil(count / 5)))
          yield* open(Math.ceil(count / 10))
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
