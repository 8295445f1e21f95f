import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { connect as connectTcp, type Socket } from "node:net"
import { connect, type ConnectionOptions, createServer, type TlsOptions, type TLSSocket } from "node:tls"
import { type Connection, makeConnection } from "./Connection.ts"
import type { HarnessError } from "./HarnessError.ts"
import { listen } from "./Listen.ts"
import { makeWatch } from "./Watch.ts"

export interface NodeTlsServer {
  readonly port: number
  /** connections whose handshake is done */
  readonly connections: ReadonlyArray<Connection<TLSSocket>>
  /** handshakes that failed (`tlsClientError`) */
  readonly clientErrors: ReadonlyArray<Error>
  /** The connections in the order they came, each once; waits for the next. */
  readonly accept: Effect.Effect<Connection<TLSSocket>, HarnessError>
  /** The connection with this number, counted from 0. */
  readonly connection: (index: number) => Effect.Effect<Connection<TLSSocket>, HarnessError>
  /** the first failed handshake */
  readonly waitForClientError: Effect.Effect<Error, HarnessError>
}

export interface NodeTlsServerOptions extends TlsOptions {
  /** send back what arrives */
  readonly echo?: boolean
  /** resume sessions by their identifiers; node:tls keeps none by itself */
  readonly keepSessions?: boolean
  /** sees each connection right after its handshake: a socket that has closed meanwhile tells no facts any more */
  readonly onSecure?: (socket: TLSSocket) => void
  /** the lines of its key log */
  readonly onKeyLog?: (line: string) => void
}

const onlyTls12 = { minVersion: "TLSv1.2", maxVersion: "TLSv1.2" } as const

/** A node:tls server on a free port of 127.0.0.1, TLS 1.2 unless the options say otherwise. */
export const nodeTlsServer = (
  { echo = false, keepSessions = false, onKeyLog, onSecure, ...options }: NodeTlsServerOptions
): Effect.Effect<NodeTlsServer, HarnessError, Scope.Scope> =>
  Effect.gen(function*() {
    const connections: Array<Connection<TLSSocket>> = []
    const clientErrors: Array<Error> = []
    const transports = new Map<number | undefined, Socket>() // by the client's port
    let accepted = 0
    const watch = makeWatch(() =>
      `node:tls server: ${connections.length} connections\nclient errors: ${
        clientErrors.map((error) => error.message).join("\n")
      }`
    )
    const server = createServer({ ...onlyTls12, ...options }, (socket) => {
      onSecure?.(socket)
      const transport = transports.get(socket.remotePort)
      connections.push(makeConnection("node:tls, server side", socket, transport))
      if (echo) socket.on("data", (chunk) => void socket.write(chunk))
      watch.changed()
    })
    server.on("keylog", (line) => onKeyLog?.(line.toString()))
    if (keepSessions) {
      const sessions = new Map<string, Buffer>()
      server.on("newSession", (id: Buffer, session: Buffer, done: () => void) => {
        sessions.set(id.toString("hex"), session)
        done()
      })
      server.on("resumeSession", (id: Buffer, done: (error: null, session: Buffer | null) => void) =>
        done(null, sessions.get(id.toString("hex")) ?? null))
    }
    server.on("connection", (socket: Socket) =>
      void transports.set(socket.remotePort, socket))
    server.on("tlsClientError", (error) => {
      clientErrors.push(error)
      watch.changed()
    })
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        for (const { socket } of connections) {
          socket.destroy()
        }
        for (const socket of transports.values()) {
          socket.destroy()
        }
      })
    )
    const port = yield* listen(server)
    return {
      port,
      connections,
      clientErrors,
      accept: watch.until("a secure connection", () => {
        const next = connections[accepted]
        if (next === undefined) {
          return undefined
        }
        accepted += 1
        return Effect.succeed(next)
      }),
      connection: (index) =>
        watch.until(`secure connection ${index}`, () => {
          const connection = connections[index]
          return connection === undefined ? undefined : Effect.succeed(connection)
        }),
      waitForClientError: watch.until(
        "a failed handshake",
        () =>
          clientErrors[0] === undefined ? undefined : Effect.succeed(clientErrors[0])
      )
    }
  })

export interface NodeTlsClient extends Connection<TLSSocket> {
  /** Waits for the end of the handshake; fails with the harness's error if there is none (see `waitForError`). */
  readonly secured: Effect.Effect<void, HarnessError>
}

/** A node:tls client to 127.0.0.1 as localhost, TLS 1.2 unless the options say otherwise; it starts at once. */
export const nodeTlsClient = (
  { port, ...options }: ConnectionOptions & { readonly port: number }
): Effect.Effect<NodeTlsClient, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const transport = connectTcp({ port, host: "127.0.0.1", noDelay: true })
      const socket = connect({ servername: "localhost", ...onlyTls12, ...options, socket: transport })
      const connection = makeConnection("node:tls, client side", socket, transport)
      let secure = false
      socket.once("secureConnect", () => {
        secure = true
        connection.changed()
      })
      const secured = connection.until("the end of the handshake", () => secure ? Effect.void : undefined)
      return Object.assign(connection, { secured })
    }),
    ({ socket }) => Effect.sync(() => void socket.destroy())
  )
