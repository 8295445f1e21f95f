import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { connect, createServer, type Socket } from "node:net"
import { type Connection, makeConnection } from "./Connection.ts"
import { HarnessError } from "./HarnessError.ts"
import { listen } from "./Listen.ts"
import { makeWatch } from "./Watch.ts"

/** A TCP server whose every byte, FIN and RST the test decides. It never answers a FIN by itself. */
export interface RawServer {
  readonly port: number
  readonly connections: ReadonlyArray<Connection>
  /** The connections in the order they came, each once; waits for the next. */
  readonly accept: Effect.Effect<Connection, HarnessError>
}

export const rawServer: Effect.Effect<RawServer, HarnessError, Scope.Scope> = Effect.gen(function*() {
  const connections: Array<Connection> = []
  let accepted = 0
  const watch = makeWatch(() => `${connections.length} connections, ${accepted} accepted`)
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    connections.push(makeConnection("raw TCP, server side", socket))
    watch.changed()
  })
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      for (const { socket } of connections) socket.destroy()
    })
  )
  const port = yield* listen(server)
  const accept = watch.until("a connection", () => {
    const next = connections[accepted]
    if (next === undefined) return undefined
    accepted += 1
    return Effect.succeed(next)
  })
  return { port, connections, accept }
})

/** A connected TCP client of the same kind. */
export const rawClient = (port: number): Effect.Effect<Connection, HarnessError, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<Socket, HarnessError>((resume) => {
        const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true })
        const onError = (error: Error) =>
          resume(Effect.fail(new HarnessError({ what: `cannot connect to port ${port}`, details: error.message })))
        socket.once("error", onError)
        socket.once("connect", () => {
          socket.off("error", onError)
          resume(Effect.succeed(socket))
        })
      }),
      (socket) => Effect.sync(() => void socket.destroy())
    ),
    (socket) => makeConnection("raw TCP, client side", socket)
  )
