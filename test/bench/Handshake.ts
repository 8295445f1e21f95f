import * as Effect from "effect/Effect"
import { floorOfHandshake, floorOfResumption } from "./Floor.ts"
import type { Contender, Line } from "./Line.ts"
import { timed, timedElsewhere } from "./Meter.ts"
import type { Setup } from "./Peer.ts"
import type { Kind } from "./PeerOf.ts"
import { remote } from "./Remote.ts"

const kindsOf = (resume: boolean): ReadonlyArray<Kind> => [
  { _tag: "Ours", name: "ours", mode: { resume } },
  { _tag: "NodeTls", resume }
]

const partOf = (kind: Kind): Contender["part"] =>
  kind._tag === "Ours" ? "ours" : kind._tag === "NodeTls" ? "reference" : "probe"

const nameOf = (kind: Kind): string =>
  kind._tag === "Ours" ? kind.name : kind._tag === "NodeTls" ? "node:tls" : "plain net"

// A handshake is a lot of code that runs once: the compiler is done with the last of it after some thirteen thousand of them, as
// `--trace-opt` shows, and takes a quarter of the processor until then. What is measured is a process that has been at work for a while.
const warmUps = 4

const countOf = (scale: number): number => Math.max(2, Math.round(4000 * scale))

/** Connect, one byte there and back, close: one conversation after another, both sides in one process. */
const inMemory = (resume: boolean, setup: Setup, goal: number): Line => ({
  name: `${setup.profile.label}: ${resume ? "resumed" : "full"} handshakes, Duplex pair in memory`,
  unit: "handshake",
  measures: ["cpu", "wall"],
  goal,
  warmUps,
  open: (scale) =>
    Effect.gen(function*() {
      const count = countOf(scale)
      const rivals = yield* Effect.forEach(kindsOf(resume), (kind) =>
        Effect.map(remote({ kind, setup, behaviour: "no server" }), ({ ask }): Contender => {
          const processors = Effect.map(ask({ ask: "processor" }), (both) => ({ both }))
          return {
            name: nameOf(kind),
            part: partOf(kind),
            run: timedElsewhere(count, processors, ask({ ask: "handshakes", count }))
          }
        }))
      const floor = (resume ? floorOfResumption : floorOfHandshake)(setup)
      return [...rivals, {
        name: "crypto floor",
        part: "probe",
        run: timed(
          count,
          Effect.sync(() => {
            for (let i = 0; i < count; i++) {
              floor()
            }
          })
        )
      }]
    })
})

// The tickets of TLS 1.3 are used once, and a full handshake gives two.
const atOnce = 2

/** The same over TCP, some at a time, with a process for each end. */
const overLoopback = (resume: boolean, setup: Setup): Line => ({
  name: `${setup.profile.label}: ${resume ? "resumed" : "full"} handshakes, loopback, 2 processes`,
  unit: "handshake",
  measures: ["cpu", "client", "server", "wall"],
  goal: undefined,
  // Its rounds are a third as long.
  warmUps: 3 * warmUps,
  open: (scale) =>
    Effect.forEach([...kindsOf(resume), { _tag: "Plain" } as const], (kind) =>
      Effect.gen(function*() {
        const count = countOf(scale / 3)
        const server = yield* remote({ kind, setup, behaviour: "echo" })
        const client = yield* remote({ kind, setup, behaviour: "no server" })
        const visits = { ask: "visits", port: server.port } as const
        // The first ones make the sessions that the others resume.
        yield* client.ask({ ...visits, count: atOnce, atOnce: 1 })
        const processors = Effect.all({
          client: client.ask({ ask: "processor" }),
          server: server.ask({ ask: "processor" })
        })
        return {
          name: nameOf(kind),
          part: partOf(kind),
          run: timedElsewhere(count, processors, client.ask({ ...visits, count, atOnce }))
        }
      }))
})

export const handshakeLines = (
  setup: Setup,
  goals: { readonly full: number; readonly resumed: number }
): ReadonlyArray<Line> => [
  inMemory(false, setup, goals.full),
  inMemory(true, setup, goals.resumed),
  overLoopback(false, setup),
  overLoopback(true, setup)
]
