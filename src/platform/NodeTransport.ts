/**
 * TCP for TLS, as an alternative to `NodeSocket` and `NodeSocketServer`. Sockets half-close, send a flight as soon as it is written,
 * take little memory while they are idle, and give the memory of bulk data back at once.
 *
 * @since 0.1.0
 */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"
import * as Net from "node:net"
import type { Duplex } from "node:stream"
import { type Direct, type Restore, withShortcut } from "../connection/Transport.ts"
import { withoutStackTraces } from "./NodeKeys.ts"

// A bare FIN must not take the answer of the other direction with it (RFC 5246 section 7.2.1), and a flight is one write.
const defaults = { allowHalfOpen: true, noDelay: true }

type Batch = NonEmptyReadonlyArray<Uint8Array>

const failure = (reason: Socket.SocketErrorReason): Socket.SocketError => new Socket.SocketError({ reason })
// That a stream ends is no exception, and where Node says so is no news: one is enough for all of them.
const closed = (code: number): Socket.SocketError =>
  withoutStackTraces(() => failure(new Socket.SocketCloseError({ code })))
const [finished, reset] = [closed(1000), closed(1006)]
const openFailed = (cause: unknown) => failure(new Socket.SocketOpenError({ kind: "Unknown", cause }))
const writeFailed = (cause: unknown) => failure(new Socket.SocketWriteError({ cause }))

// An error that nobody listens to is thrown; but a listener is kept as long as its stream, which V8 may do until a full collection, and with
// the listener all that it refers to.
const ignored = (): void => {}

/**
 * Both directions of an open socket. It stays paused: what Node has read is taken with each pull, and Node reads no more than its
 * high water mark ahead.
 */
class Flow implements Socket.Reader, Socket.Writer, Direct {
  readonly upgrade = Socket.SocketUpgradeError.unsupported
  // A socket of Node gives away each buffer that it reads into, and nothing refers to what the system has taken. Other streams
  // may hand on the very buffers that they are given.
  readonly ownsMemory: boolean
  readonly #socket: Duplex
  #waiting: ((exit: Exit.Exit<Batch, Socket.SocketError>) => void) | undefined
  /** Why there is nothing more to read. */
  #end: (() => Socket.SocketError) | undefined

  constructor(socket: Duplex) {
    this.#socket = socket
    this.ownsMemory = socket instanceof Net.Socket
    socket.pause()
    socket.on("readable", this.#serve)
    socket.on("end", this.#ended)
    socket.on("error", this.#failed)
    socket.on("close", this.#closed)
  }

  readonly pull = Effect.callback<Batch, Socket.SocketError>((resume) => Effect.sync(this.take(resume)))

  readonly take = (then: (exit: Exit.Exit<Batch, Socket.SocketError>) => void): () => void => {
    this.#waiting = then
    this.#serve()
    return () => {
      if (this.#waiting === then) this.#waiting = undefined
    }
  }

  readonly write: Socket.Writer["write"] = (chunk) =>
    Effect.suspend(() => {
      if (!Socket.isCloseEvent(chunk)) return this.#writeAll([chunk])
      this.#socket.destroy(chunk.code > 1000 ? new Error(`closed with code ${chunk.code}`) : undefined)
      return Effect.void
    })

  readonly writeAll: Socket.Writer["writeAll"] = (chunks) => Effect.suspend(() => this.#writeAll(chunks))

  get isWrittenOut(): boolean {
    return this.#socket.writableLength === 0
  }

  /** Says FIN after all that was written. */
  endWrite(): void {
    if (!this.#socket.writableEnded) this.#socket.end()
  }

  /** Lets what was written leave, and then destroys a socket of our own. Any other is left to whoever destroys it. */
  close(): void {
    this.#over(() => reset)
    this.#socket.off("readable", this.#serve)
    this.#socket.off("end", this.#ended)
    this.#socket.off("close", this.#closed)
    this.#socket.on("error", ignored)
    this.#socket.off("error", this.#failed)
    if (this.#socket instanceof Net.Socket) this.#socket.destroySoon()
    else this.endWrite()
  }

  readonly #serve = (): void => {
    const [then, end] = [this.#waiting, this.#end]
    if (then === undefined) return
    const first: Uint8Array | null = this.#socket.read()
    if (first === null && end === undefined) return
    this.#waiting = undefined
    if (first !== null) {
      const batch: [Uint8Array, ...Array<Uint8Array>] = [first]
      for (let next = this.#socket.read(); next !== null; next = this.#socket.read()) batch.push(next)
      then(Exit.succeed(batch))
    } else if (end !== undefined) then(Exit.fail(end()))
  }

  #over(end: () => Socket.SocketError): void {
    this.#end ??= end
    this.#serve()
  }

  readonly #ended = (): void => this.#over(() => finished)

  readonly #failed = (cause: Error): void => this.#over(() => failure(new Socket.SocketReadError({ cause })))

  readonly #closed = (hadError: boolean): void => this.#over(() => hadError ? reset : finished)

  #writeAll(chunks: ReadonlyArray<Uint8Array | string>): Effect.Effect<void, Socket.SocketError> {
    if (chunks.length > 1) this.#socket.cork()
    let isTaken = true
    for (const chunk of chunks) isTaken = this.writeNow(chunk)
    if (chunks.length > 1) this.#socket.uncork()
    return isTaken ? Effect.void : this.drained
  }

  writeNow(chunk: Uint8Array | string): boolean {
    // In a closed one Node would drop it, and not say a word.
    return !this.#isClosed && (this.#socket.write(chunk) || this.isWrittenOut)
  }

  get drained(): Effect.Effect<void, Socket.SocketError> {
    return Effect.suspend(() =>
      this.#isClosed
        ? Effect.fail(writeFailed(new Error("the socket is closed")))
        : this.isWrittenOut
        ? Effect.void
        : drained(this.#socket)
    )
  }

  get #isClosed(): boolean {
    return this.#socket.destroyed || this.#socket.writableEnded
  }
}

const drained = (socket: Duplex): Effect.Effect<void, Socket.SocketError> =>
  Effect.callback((resume) => {
    const onDrain = (): void => done(Effect.void)
    const onError = (cause: Error): void => done(Effect.fail(writeFailed(cause)))
    const onClose = (): void => done(Effect.fail(writeFailed(new Error("the socket was closed"))))
    const leave = (): void => {
      socket.off("drain", onDrain).off("error", onError).off("close", onClose)
    }
    const done = (outcome: Effect.Effect<void, Socket.SocketError>): void => {
      leave()
      resume(outcome)
    }
    socket.on("drain", onDrain).on("error", onError).on("close", onClose)
    return Effect.sync(leave)
  })

/** Its reader opens, and so does its shortcut; the writer waits for the reader. `open` leaves nothing behind where it is interrupted. */
const socketOf = (open: Effect.Effect<Duplex, Socket.SocketError>): Socket.Socket => {
  const flowed = (restore: Restore): Effect.Effect<Flow, Socket.SocketError> =>
    Effect.mapEager(Exit.isExit(open) ? open : restore(open), (duplex) => new Flow(duplex))
  let flow: Flow | undefined
  let opened: Deferred.Deferred<Flow> | undefined
  const attach = (attached: Flow, scope: Scope.Scope): Effect.Effect<Flow> => {
    flow = attached
    if (opened !== undefined) Deferred.doneUnsafe(opened, Exit.succeed(attached))
    const close = Effect.sync(() => {
      attached.close()
      flow = undefined
      opened = undefined
    })
    return Effect.as(Scope.addFinalizer(scope, close), attached)
  }
  const waiting: Effect.Effect<Flow> = Effect.suspend(() => Deferred.await(opened ??= Deferred.makeUnsafe()))
  const later: Socket.Writer = {
    write: (chunk) => Effect.flatMap(waiting, (flow) => flow.write(chunk)),
    writeAll: (chunks) => Effect.flatMap(waiting, (flow) => flow.writeAll(chunks))
  }
  const socket = Socket.make({
    reader: Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(flowed(restore), (flow) => Effect.flatMap(Effect.scope, (scope) => attach(flow, scope)))
    ),
    writer: Effect.flatMap(Effect.scope, (scope) =>
      Effect.as(
        Scope.addFinalizer(scope, Effect.sync(() => flow?.endWrite())),
        flow ?? later
      ))
  })
  return withShortcut(socket, flowed)
}

const dial = (options: Net.NetConnectOpts): Effect.Effect<Net.Socket, Socket.SocketError> =>
  Effect.callback((resume) => {
    const socket = Net.createConnection({ ...defaults, ...options })
    socket.once("connect", () => resume(Effect.succeed(socket)))
    // Stays for good: an error that nobody listens to is thrown.
    socket.on("error", (cause) => resume(Effect.fail(openFailed(cause))))
    return Effect.sync(() => socket.destroy())
  })

/**
 * A client's socket. It dials when it is opened.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeNet = (options: Net.NetConnectOpts): Effect.Effect<Socket.Socket> =>
  Effect.sync(() => socketOf(dial(options)))

/**
 * A client's socket. It dials when it is opened.
 *
 * @example
 * import { SessionCache, TlsClient } from "effect-tls"
 * import * as NodeTransport from "effect-tls/platform/NodeTransport"
 *
 * const transport = NodeTransport.layerNet({ host: "example.com", port: 443 })
 *
 * @category layers
 * @since 0.1.0
 */
export const layerNet = (options: Net.NetConnectOpts): Layer.Layer<Socket.Socket> =>
  Layer.effect(Socket.Socket, makeNet(options))

/**
 * Any other stream of Node in both directions, such as one end of a `duplexPair`. Who made it destroys it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromDuplex = (duplex: Duplex): Socket.Socket => socketOf(Effect.succeed(duplex))

const accepted = (socket: Net.Socket): Effect.Effect<Net.Socket, Socket.SocketError> =>
  Effect.suspend(() => socket.destroyed ? Effect.fail(finished) : Effect.succeed(socket))

/**
 * A server that listens.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeServer = (
  options: Net.ServerOpts & Net.ListenOptions
): Effect.Effect<SocketServer.SocketServer["Service"], SocketServer.SocketServerError, Scope.Scope> =>
  Effect.map(NodeSocketServer.make({ ...defaults, ...options }), (server) =>
    SocketServer.SocketServer.of({
      ...server,
      run: (handler) =>
        server.run((socket) =>
          Effect.flatMap(
            Effect.serviceOption(NodeSocket.NetSocket),
            (net) => handler(Option.isNone(net) ? socket : socketOf(accepted(net.value)))
          )
        )
    }))

/**
 * A server that listens.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerServer = (
  options: Net.ServerOpts & Net.ListenOptions
): Layer.Layer<SocketServer.SocketServer, SocketServer.SocketServerError> =>
  Layer.effect(SocketServer.SocketServer, makeServer(options))
