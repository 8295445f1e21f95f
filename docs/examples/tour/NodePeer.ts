/**
 * `node:tls`, that is OpenSSL, as the other side. Everything it is asked about comes from its own events.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { constants } from "node:crypto"
import { once } from "node:events"
import { connect as connectTcp, type Socket } from "node:net"
import { connect, createServer, type TLSSocket } from "node:tls"
import { alertNumberOfNodeError } from "../../../test/harness/NodeTlsAlert.ts"
import { type ScenarioFailed, within } from "./Story.ts"

export type PeerEvent =
  | { readonly _tag: "Secure"; readonly cipher: string; readonly reused: boolean }
  | { readonly _tag: "Data"; readonly text: string }
  | { readonly _tag: "End" }
  /** `alert` is the number of the alert that this error says was received. */
  | { readonly _tag: "Error"; readonly code: string; readonly alert: number | undefined }
  | { readonly _tag: "Close" }

export type EventOf<Tag extends PeerEvent["_tag"]> = Extract<PeerEvent, { readonly _tag: Tag }>

/** The next event of a kind; those before it are passed over. */
export type NextEvent = <Tag extends PeerEvent["_tag"]>(tag: Tag) => Effect.Effect<EventOf<Tag>, ScenarioFailed>

const makeEvents = Effect.map(Queue.unbounded<PeerEvent>(), (queue) => {
  const next: NextEvent = <Tag extends PeerEvent["_tag"]>(tag: Tag) => {
    const is = (event: PeerEvent): event is EventOf<Tag> => event._tag === tag
    const look: Effect.Effect<EventOf<Tag>> = Effect.filterOrElse(Queue.take(queue), is, () => look)
    return within(`the ${tag} event of node:tls`, look)
  }
  return { next, tell: (event: PeerEvent) => void Queue.offerUnsafe(queue, event) }
})

const failed = (error: Error): PeerEvent => ({
  _tag: "Error",
  code: "code" in error ? String(error.code) : error.message,
  alert: alertNumberOfNodeError(error)
})

const follow = (socket: TLSSocket, tell: (event: PeerEvent) => void): void => {
  socket.on("data", (chunk) => tell({ _tag: "Data", text: chunk.toString() }))
  socket.on("end", () => tell({ _tag: "End" }))
  socket.on("error", (error) => tell(failed(error)))
  socket.on("close", () => tell({ _tag: "Close" }))
}

const secured = (socket: TLSSocket): PeerEvent => ({
  _tag: "Secure",
  cipher: socket.getCipher().standardName,
  reused: socket.isSessionReused()
})

export type Version = "1.2" | "1.3"

const only = (version: Version) => ({ minVersion: `TLSv${version}`, maxVersion: `TLSv${version}` } as const)

export interface NodeServer {
  readonly port: number
  readonly next: NextEvent
  /** How often a client offered a session that the server has. */
  readonly offers: () => number
}

/** Says `pong` to `ping`, and close_notify to `bye`. Resumes sessions by their identifier, in TLS 1.3 by tickets. */
export const nodeServer = (version: Version, options: {
  readonly cert: string
  readonly key: string
  /** only clients whose certificate this authority has signed */
  readonly clientCa?: string
}): Effect.Effect<NodeServer, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { next, tell } = yield* makeEvents
    const sessions = new Map<string, Buffer>()
    const transports = new Set<Socket>()
    let offers = 0
    const { cert, clientCa, key } = options
    const auth = clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true }
    // By their identifiers, so that it can be told what is offered; TLS 1.3 has tickets alone.
    const secureOptions = version === "1.2" ? constants.SSL_OP_NO_TICKET : 0
    const server = createServer({ cert, key, secureOptions, ...auth, ...only(version) }, (socket) => {
      tell(secured(socket))
      follow(socket, tell)
      socket.on("data", (chunk) => {
        if (chunk.toString() === "ping") socket.write("pong")
        else socket.end()
      })
    })
    server.on("newSession", (id: Buffer, session: Buffer, done: () => void) => {
      sessions.set(id.toString("hex"), session)
      done()
    })
    server.on("resumeSession", (id: Buffer, done: (error: null, session: Buffer | null) => void) => {
      // A client that speaks TLS 1.3 as well has an identifier in every hello, of nothing.
      const session = sessions.get(id.toString("hex"))
      if (session !== undefined) offers++
      done(null, session ?? null)
    })
    server.on("tlsClientError", (error) => tell(failed(error)))
    server.on("connection", (transport: Socket) => transports.add(transport))
    yield* Effect.acquireRelease(
      Effect.promise(() => once(server.listen(0, "127.0.0.1"), "listening")),
      () =>
        Effect.sync(() => {
          server.close()
          for (const transport of transports) transport.destroy()
        })
    )
    const address = server.address()
    if (address === null || typeof address === "string") return yield* Effect.die(new Error("not a TCP server"))
    return { port: address.port, next, offers: () => offers }
  })

export interface NodeClient {
  readonly next: NextEvent
  readonly write: (text: string) => Effect.Effect<void>
  readonly end: Effect.Effect<void>
  /** What it would resume with. */
  readonly session: () => Buffer | undefined
}

export const nodeClient = (version: Version, options: {
  readonly port: number
  readonly ca: string
  readonly session?: Buffer | undefined
}): Effect.Effect<NodeClient, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { next, tell } = yield* makeEvents
    const { ca, port, session } = options
    const socket = yield* Effect.acquireRelease(
      Effect.sync(() =>
        connect({
          socket: connectTcp({ port, host: "127.0.0.1", noDelay: true }),
          servername: "localhost",
          ca,
          ...only(version),
          ...(session === undefined ? {} : { session })
        })
      ),
      (socket) => Effect.sync(() => void socket.destroy())
    )
    socket.once("secureConnect", () => tell(secured(socket)))
    follow(socket, tell)
    return {
      next,
      write: (text) => Effect.sync(() => void socket.write(text)),
      end: Effect.sync(() => void socket.end()),
      session: () => socket.getSession()
    }
  })
