import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as Stream from "effect/Stream"
import { type Duplex, duplexPair } from "node:stream"
import type { TlsError } from "../../src/alert/TlsError.ts"
import type { Connection } from "../../src/connection/Connection.ts"
import * as NodePrimitives from "../../src/platform/NodePrimitives.ts"
import * as NodeTransport from "../../src/platform/NodeTransport.ts"
import { suites, suites13 } from "../../src/secret/CipherSuite.ts"
import * as Identity from "../../src/service/Identity.ts"
import * as SessionCache from "../../src/service/SessionCache.ts"
import * as Trust from "../../src/service/Trust.ts"
import * as TlsClient from "../../src/TlsClient.ts"
import * as TlsServer from "../../src/TlsServer.ts"
import type { End, Peer, Setup } from "./Peer.ts"

/** How data is read, and how small pieces are sent. */
export interface Mode {
  readonly read?: "pull" | "pullInto"
  /** `sink`: a stream of chunks of 256 pieces into `tls.sink`. `writes`: 1024 single writes at a time, on a fiber each. */
  readonly pieces?: "sink" | "writes"
  /** Every connection but the first is resumed. */
  readonly resume?: boolean
  /** Over the sockets of Effect as they are, in place of our `NodeTransport`. */
  readonly sockets?: "NodeSocket"
}

/** Reads until `total` bytes came, or the peer has ended. */
const receiveFrom = (total: number, read: Effect.Effect<number, TlsError | Cause.Done>): Effect.Effect<void> =>
  Effect.suspend(() => {
    let left = total
    const more: Effect.Effect<void, TlsError | Cause.Done> = Effect.flatMap(read, (length) => {
      left -= length
      return left > 0 ? more : Effect.void
    })
    return untilDone(more)
  })

const untilDone = (reading: Effect.Effect<void, TlsError | Cause.Done>): Effect.Effect<void> =>
  Effect.orDie(Effect.catchIf(reading, Cause.isDone, () => Effect.void))

const lengthOf = (chunks: ReadonlyArray<Uint8Array>): number => {
  let length = 0
  for (const chunk of chunks) length += chunk.length
  return length
}

const receiveInto = (connection: Connection, total: number): Effect.Effect<void> =>
  Effect.suspend(() => receiveFrom(total, connection.pullInto(new Uint8Array(256 * 1024))))

const repeat = (count: number, effect: Effect.Effect<unknown>): Effect.Effect<void> =>
  Effect.suspend(() => {
    let left = count
    return Effect.whileLoop({ while: () => left-- > 0, body: () => effect, step: () => {} })
  })

const inSink = (connection: Connection, count: number, piece: Uint8Array): Effect.Effect<void> =>
  Effect.suspend(() => {
    const chunk = [piece, ...Array.from({ length: 255 }, () => piece)] as const
    let left = count / chunk.length
    const pull = Effect.suspend(() => left-- > 0 ? Effect.succeed(chunk) : Cause.done())
    return Effect.orDie(Stream.run(Stream.fromPull(Effect.succeed(pull)), connection.sink))
  })

const inWrites = (connection: Connection, count: number, piece: Uint8Array): Effect.Effect<void> => {
  const atOnce = 1024
  const writes = Array.from({ length: atOnce }, () => Effect.orDie(connection.write(piece)))
  return repeat(count / atOnce, Effect.all(writes, { concurrency: "unbounded", discard: true }))
}

const endOf = (connection: Connection, mode: Mode): End => ({
  send: (total, size) => repeat(total / size, Effect.orDie(connection.write(new Uint8Array(size).fill(7)))),
  sendPieces: (count, size) =>
    (mode.pieces === "writes" ? inWrites : inSink)(connection, count, new Uint8Array(size).fill(7)),
  receive: (total) =>
    mode.read === "pullInto"
      ? receiveInto(connection, total)
      : receiveFrom(total, Effect.map(connection.pull, lengthOf)),
  roundTrips: (count) =>
    repeat(count, Effect.orDie(Effect.andThen(connection.write(Uint8Array.of(7)), connection.pull))),
  echo: untilDone(Effect.forever(Effect.flatMap(connection.pull, connection.writeAll), { disableYield: true }))
})

/** As in an application, whose layers are built once: a connection adds its scope, and merges nothing. */
const inside = <R>(services: Context.Context<R>) => <A, E>(effect: Effect.Effect<A, E, R | Scope.Scope>) =>
  Effect.updateContext(
    effect,
    (own: Context.Context<Scope.Scope>) => Context.add(services, Scope.Scope, Context.get(own, Scope.Scope))
  )

/** This library, over the sockets of Effect for Node. */
export const ours = (
  { credentials, profile }: Setup,
  name: string,
  mode: Mode = {}
): Effect.Effect<Peer, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { anchors, certificate, privateKey } = credentials
    const base = yield* Layer.build(Layer.mergeAll(
      NodePrimitives.layer,
      Identity.layerPem({ certificate, privateKey }).pipe(Layer.provide(NodePrimitives.layer), Layer.orDie),
      Trust.layerAnchors({ anchors }).pipe(Layer.provide(NodePrimitives.layer), Layer.orDie)
    ))
    // A cache of its usual size would grow with the idle connections, up to its bound, and be taken for a part of them.
    const serverCache = yield* SessionCache.makeMemory({ capacity: 32 })
    const clientCache = mode.resume === true
      ? yield* SessionCache.makeMemory()
      : Context.get(yield* Layer.build(SessionCache.layerNone), SessionCache.SessionCache)
    const options = {
      versions: [profile.version],
      cipherSuites: [...suites, ...suites13].filter(({ name }) => name === profile.suite.name),
      groups: profile.groups
    }
    let dialled = 0
    const net = mode.sockets === "NodeSocket"
      ? {
        dial: NodeSocket.makeNet,
        serve: NodeSocketServer.make,
        over: (duplex: Duplex) => NodeSocket.fromDuplex(Effect.succeed(duplex))
      }
      : {
        dial: NodeTransport.makeNet,
        serve: NodeTransport.makeServer,
        over: (duplex: Duplex) => Effect.succeed(NodeTransport.fromDuplex(duplex))
      }

    const connecting = Context.add(base, SessionCache.SessionCache, clientCache)
    const connect = Effect.fnUntraced(
      function*(socket: Socket.Socket) {
        const connection = yield* TlsClient.connect({ ...options, serverName: "localhost" }).pipe(
          Effect.provideService(Socket.Socket, socket),
          inside(connecting),
          Effect.orDie
        )
        if (connection.version !== profile.version || connection.group === "secp256r1") {
          return yield* Effect.die(`${connection.version} with ${connection.group}`)
        }
        if (connection.resumed !== (mode.resume === true && dialled++ > 0)) {
          return yield* Effect.die("resumption is not as it was meant to be")
        }
        return endOf(connection, mode)
      }
    )
    const serving = Context.add(base, SessionCache.SessionCache, serverCache)

    return {
      name,
      dial: (port) =>
        Effect.flatMap(
          net.dial({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true }),
          connect
        ),
      listen: (handler) =>
        Effect.gen(function*() {
          const server = yield* Effect.orDie(
            net.serve({ port: 0, host: "127.0.0.1", noDelay: true, allowHalfOpen: true })
          )
          yield* server.run((socket) =>
            TlsServer.accept(socket, options).pipe(
              Effect.flatMap((connection) => handler(endOf(connection, mode))),
              inside(serving),
              Effect.scoped
            )
          ).pipe(Effect.forkScoped)
          return server.address._tag === "InetAddressV4" ? server.address.port : yield* Effect.die("no port")
        }),
      pair: Effect.gen(function*() {
        const [a, b] = duplexPair()
        const [near, far] = [yield* net.over(a), yield* net.over(b)]
        const accepting = yield* Effect.forkChild(
          TlsServer.accept(far, options).pipe(inside(serving), Effect.orDie),
          { startImmediately: true }
        )
        const client = yield* connect(near)
        return [client, endOf(yield* Fiber.join(accepting), mode)] as const
      })
    }
  })
