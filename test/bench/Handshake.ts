import * as Effect from "effect/Effect"
import { floorOfHandshake, floorOfResumption } from "./Floor.ts"
import type { Contender, Line } from "./Line.ts"
import { timed, timedWithPeer } from "./Meter.ts"
import type { Credentials } from "./Peer.ts"
import { type Kind, peerOf } from "./PeerOf.ts"
import { remote } from "./Remote.ts"

const kindsOf = (resume: boolean): ReadonlyArray<Kind> => [
  { _tag: "Ours", name: "ours", mode: { resume } },
  { _tag: "NodeTls", resume }
]

const partOf = (kind: Kind): Contender["part"] =>
  kind._tag === "Ours" ? "ours" : kind._tag === "NodeTls" ? "reference" : "probe"

// A handshake is a lot of code that runs once: it takes some thousand of them before the compiler is done with it.
const warmUps = 8

const countOf = (scale: number): number => Math.max(2, Math.round(300 * scale))

/** Connect, one byte there and back, close: one conversation after another, both sides in this process. */
const inMemory = (resume: boolean, goal: number, credentials: Credentials): Line => ({
  name: `${resume ? "resumed" : "full"} handshakes, Duplex pair in memory`,
  unit: "handshake",
  measures: ["cpu", "wall"],
  goal,
  warmUps,
  open: (scale) =>
    Effect.gen(function*() {
      const count = countOf(scale)
      const rivals = yield* Effect.forEach(kindsOf(resume), (kind) =>
        Effect.map(peerOf(kind, credentials), (peer): Contender => {
          const conversation = Effect.gen(function*() {
            const [client, server] = yield* peer.pair
            yield* Effect.forkChild(server.echo, { startImmediately: true })
            yield* client.roundTrips(1)
          }).pipe(Effect.scoped)
          return {
            name: peer.name,
            part: partOf(kind),
            run: timed(count, Effect.replicateEffect(conversation, count, { discard: true }))
          }
        }))
      const floor = resume ? floorOfResumption : floorOfHandshake(credentials)
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

/** The same over TCP, 8 at a time, with the server in another process. */
const overLoopback = (resume: boolean, credentials: Credentials): Line => ({
  name: `${resume ? "resumed" : "full"} handshakes, loopback, 2 processes`,
  unit: "handshake",
  measures: ["cpu", "client", "server", "wall"],
  goal: undefined,
  warmUps,
  open: (scale) =>
    Effect.forEach([...kindsOf(resume), { _tag: "Plain" } as const], (kind) =>
      Effect.gen(function*() {
        const count = countOf(scale)
        const peer = yield* peerOf(kind, credentials)
        const { ask, port } = yield* remote({ kind, credentials, behaviour: "echo" })
        const conversation = Effect.scoped(Effect.flatMap(peer.dial(port), (client) => client.roundTrips(1)))
        // The first one makes the session that the others resume.
        yield* conversation
        const work = Effect.gen(function*() {
          const before = yield* ask({ ask: "processor" })
          yield* Effect.all(Array.from({ length: count }, () => conversation), { concurrency: 8, discard: true })
          return (yield* ask({ ask: "processor" })) - before
        })
        return {
          name: peer.name,
          part: partOf(kind),
          run: timedWithPeer(count, { own: "client", peer: "server" }, work)
        }
      }))
})

export const handshakeLines = (credentials: Credentials): ReadonlyArray<Line> => [
  inMemory(false, 1, credentials),
  inMemory(true, 1.5, credentials),
  overLoopback(false, credentials),
  overLoopback(true, credentials)
]
