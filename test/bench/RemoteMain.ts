/** The other process of `Remote.ts`: takes orders, says its port, then answers one command after another. */
import * as Effect from "effect/Effect"
import { setImmediate } from "node:timers/promises"
import { processorTime } from "./Meter.ts"
import type { End, Peer } from "./Peer.ts"
import { peerOf } from "./PeerOf.ts"
import type { Command, Orders } from "./Remote.ts"

let latest: End | undefined

/** Connect, one byte there and back, close. */
const conversation = (peer: Peer): Effect.Effect<void> =>
  Effect.gen(function*() {
    const [client, server] = yield* peer.pair
    yield* Effect.forkChild(server.echo, { startImmediately: true })
    yield* client.roundTrips(1)
  }).pipe(Effect.scoped)

/** The same with a server. */
const visit = (peer: Peer, port: number): Effect.Effect<void> =>
  Effect.scoped(Effect.flatMap(peer.dial(port), (client) => client.roundTrips(1)))

const residentBytes = Effect.promise(async () => {
  // What a collection frees can hold on to more that the next one frees.
  for (let i = 0; i < 5; i++) {
    globalThis.gc?.()
    await setImmediate()
  }
  return process.memoryUsage.rss()
})

const obey = (peer: Peer, command: Command): Effect.Effect<number> => {
  switch (command.ask) {
    case "processor":
      return Effect.sync(processorTime)
    case "memory":
      return residentBytes
    case "receive":
      return latest === undefined ? Effect.die("no connection") : Effect.as(latest.receive(command.total), 0)
    case "handshakes":
      return Effect.as(Effect.replicateEffect(conversation(peer), command.count, { discard: true }), 0)
    case "visits": {
      const { atOnce, count, port } = command
      const visits = Effect.replicateEffect(visit(peer, port), count, { concurrency: atOnce, discard: true })
      return Effect.as(visits, 0)
    }
  }
}

const onCommand = (peer: Peer) => (command: Command): void => {
  Effect.runFork(Effect.map(obey(peer, command), (answer) => void process.send?.(answer)))
}

const handler = ({ behaviour }: Orders) => (end: End): Effect.Effect<void> => {
  switch (behaviour) {
    case "echo":
      return end.echo
    case "idle":
      return end.receive(Infinity)
    case "commanded":
    case "no server":
      latest = end
      return Effect.never
  }
}

const main = (orders: Orders): Effect.Effect<never> =>
  Effect.gen(function*() {
    const peer = yield* peerOf(orders.kind, orders.setup)
    const port = orders.behaviour === "no server" ? 0 : yield* peer.listen(handler(orders))
    process.on("message", onCommand(peer))
    process.send?.(port)
    return yield* Effect.never
  }).pipe(Effect.scoped)

process.once("message", (orders: Orders) => void Effect.runFork(main(orders)))
process.once("disconnect", () => process.exit())
