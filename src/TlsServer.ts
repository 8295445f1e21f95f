/**
 * TLS as a server, over any Effect `SocketServer`.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type * as Socket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"
import type { InvalidOption, TlsError } from "./alert/TlsError.ts"
import * as Connections from "./connection/Connection.ts"
import type { Closure, Connection } from "./connection/Connection.ts"
import * as Transport from "./connection/Transport.ts"
import * as Server from "./handshake/Server.ts"
import { make as makeStory } from "./handshake/ServerStory.ts"
import { Primitives } from "./secret/Primitives.ts"
import { Identity } from "./service/Identity.ts"
import type { Randomness } from "./service/Randomness.ts"
import { RemoteAddress } from "./service/RemoteAddress.ts"
import type { SessionCache } from "./service/SessionCache.ts"
import { checkSettings, type ServerOptions, settingsOf } from "./service/TlsConfig.ts"

/**
 * What one connection of a server needs.
 *
 * @category models
 * @since 0.1.0
 */
export type Requirements = Identity | SessionCache | Primitives | Randomness

/**
 * How one connection went, told when it is over.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConnectionReport<E = unknown> {
  /** The peer's address in printed form, where the platform knows it: see `NodeRemoteAddress`. */
  readonly remoteAddress: string | undefined
  /** The connection; `undefined` where the handshake failed. */
  readonly connection: Connection | undefined
  /** How the closure stood at the end; `undefined` where the handshake failed. */
  readonly closure: Closure | undefined
  /** Success, or the failure of the handshake, of the connection, or of the handler. */
  readonly exit: Exit.Exit<unknown, E | TlsError>
}

/**
 * @category models
 * @since 0.1.0
 */
export interface RunOptions<E = unknown, R = never> extends ServerOptions {
  /**
   * Called at the end of every connection, after its goodbye. By default a failure is logged as a warning, with the address as
   * an annotation: no handshake fails unseen, one that the end of the server cuts off included. What is not logged is an open
   * connection that this end closes in order.
   */
  readonly report?: (report: ConnectionReport<E>) => Effect.Effect<void, never, R>
}

/**
 * Runs the handshake of a server over one socket, and gives the connection to the scope.
 *
 * @category constructors
 * @since 0.1.0
 */
export const accept = (
  socket: Socket.Socket,
  options: ServerOptions = {}
): Effect.Effect<Connection, TlsError, Requirements | Scope.Scope> =>
  opened(options, (restore) => Transport.open(socket, restore), 0)

/**
 * Begins TLS as the server on a transport that has carried something in the clear: see `TlsClient.upgrade`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const upgrade = (
  halves: Transport.Halves,
  options: ServerOptions = {}
): Effect.Effect<Connection, TlsError, Requirements | Scope.Scope> =>
  opened(options, () => Effect.succeed(Transport.upgraded(halves)), halves.unread.length)

const opened = (
  options: ServerOptions,
  transport: Connections.Opening["transport"],
  unread: number
): Effect.Effect<Connection, TlsError, Requirements | Scope.Scope> =>
  Effect.contextWith((services: Context.Context<Requirements | Scope.Scope>) => {
    const primitives = Context.get(services, Primitives)
    const settings = settingsOf(options, primitives)
    const invalid = checkSettings(settings, primitives)
    if (invalid !== undefined) return Effect.fail(invalid)
    const story = makeStory(settings, Context.get(services, Identity), options.clientAuth)
    return Connections.open({
      role: "server",
      settings,
      services,
      transport,
      unread,
      handshake: (channel, cache) => Server.handshake(channel, story, cache)
    })
  })

/**
 * Serves every connection of a `SocketServer`: a fiber and a scope each, so that one that fails touches no other. The end of the
 * handler is the end of the scope of its connection, which says close_notify. Runs until it is interrupted.
 *
 * @example
 * import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
 * import { Effect, Layer, Stream } from "effect"
 * import { Identity, SessionCache, TlsServer } from "effect-tls"
 * import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
 *
 * declare const certificate: string
 * declare const privateKey: string
 * const serve = TlsServer.run((tls) => Stream.run(tls.stream, tls.sink)).pipe(
 *   Effect.provide([
 *     NodeSocketServer.layer({ port: 8443, allowHalfOpen: true }),
 *     Identity.layerPem({ certificate, privateKey }).pipe(Layer.provide(NodePrimitives.layer)),
 *     SessionCache.layerMemory(),
 *     NodePrimitives.layer
 *   ])
 * )
 *
 * @category constructors
 * @since 0.1.0
 */
export const run = <A, E, R, R2 = never>(
  handler: (connection: Connection) => Effect.Effect<A, E, R>,
  options: RunOptions<E, R2> = {}
): Effect.Effect<
  never,
  SocketServer.SocketServerError | InvalidOption,
  SocketServer.SocketServer | Requirements | Exclude<R, Scope.Scope> | R2
> =>
  Effect.gen(function*() {
    const primitives = yield* Primitives
    const invalid = checkSettings(settingsOf(options, primitives), primitives)
    if (invalid !== undefined) return yield* invalid
    const server = yield* SocketServer.SocketServer
    const report = options.report ?? logFailure
    const serve = Effect.fnUntraced(function*(socket: Socket.Socket) {
      const remoteAddress = yield* yield* RemoteAddress
      let connection: Connection | undefined
      // The end of the server interrupts a connection, which is reported all the same.
      yield* Effect.uninterruptibleMask((restore) =>
        accept(socket, options).pipe(
          Effect.tap((opened) => Effect.sync(() => connection = opened)),
          Effect.flatMap(handler),
          Effect.scoped,
          restore,
          Effect.exit,
          Effect.flatMap(reportOf),
          Effect.flatMap(report)
        )
      )

      function reportOf(exit: Exit.Exit<unknown, E | TlsError>): Effect.Effect<ConnectionReport<E>> {
        const closure = connection === undefined ? Effect.undefined : connection.closure
        return Effect.map(closure, (closure) => ({ remoteAddress, connection, closure, exit }))
      }
    })
    return yield* server.run(serve)
  })

const logFailure = ({ connection, exit, remoteAddress }: ConnectionReport): Effect.Effect<void> => {
  if (Exit.isSuccess(exit)) return Effect.void
  const isInterrupted = Cause.hasInterruptsOnly(exit.cause)
  // An open connection has said close_notify then: the server has closed it, which is no failure.
  if (isInterrupted && connection !== undefined) return Effect.void
  const what = connection === undefined ? "TLS handshake failed" : "TLS connection failed"
  const error = isInterrupted ? "It was interrupted, as when the server ends." : Cause.squash(exit.cause)
  return Effect.logWarning(`${what}: ${error instanceof Error ? error.message : String(error)}`).pipe(
    Effect.annotateLogs({ remoteAddress: remoteAddress ?? "unknown" })
  )
}
