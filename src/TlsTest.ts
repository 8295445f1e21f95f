/**
 * TLS in a test: a client and a server in one process, and a wire between them that can be made to do harm.
 *
 * No port is opened and no time passes. Handshake, keys, records and verification are the real ones. Under one seed the order
 * of events and the randoms are the same in every run. The secrets and the bytes on the wire are, too, but for what the platform
 * makes with fresh randomness, as Node does for signatures of ECDSA and for the server's part of x25519mlkem768, and what is
 * computed from that: Ed25519 and other groups have nothing of the kind.
 *
 * It is not for anything that leaves a test: whoever knows the seed knows every secret. And it tells nothing about a real
 * transport: how a kernel splits and joins segments, resets and buffers, only a socket shows.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import { type Alert, toBytes } from "./alert/Alert.ts"
import type { TlsError } from "./alert/TlsError.ts"
import { type Connection, Inside } from "./connection/Connection.ts"
import type { Wire as Innards } from "./connection/Wire.ts"
import type { ConnectionState } from "./record/ConnectionState.ts"
import { headerLength } from "./record/Deframer.ts"
import { Primitives } from "./secret/Primitives.ts"
import * as Identity from "./service/Identity.ts"
import { makeInsecureSeeded, Randomness } from "./service/Randomness.ts"
import { makeMemory, SessionCache } from "./service/SessionCache.ts"
import type { ClientOptions, ServerOptions } from "./service/TlsConfig.ts"
import * as Trust from "./service/Trust.ts"
import { type Cable, make as makeCable, type Side } from "./testing/Cable.ts"
import * as ThrowAway from "./testing/ThrowAwayIdentity.ts"
import * as TlsClient from "./TlsClient.ts"
import * as TlsServer from "./TlsServer.ts"
import { empty } from "./wire/Bytes.ts"
import { ContentType } from "./wire/CodePoints.ts"

export type { Passed, RecordAt, Side } from "./testing/Cable.ts"
export type { ThrowAwayIdentity } from "./testing/ThrowAwayIdentity.ts"

/**
 * Everything has a default that makes the handshake succeed.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Where all randomness of the pair comes from. 0 by default. */
  readonly seed?: string | number
  /** `serverName` is `server.test` by default. */
  readonly client?: Partial<ClientOptions>
  readonly server?: ServerOptions
  /** Of the server: by default a throw-away one, for the `serverName` of the client. */
  readonly identity?: ThrowAway.ThrowAwayIdentity | Identity.Identity["Service"]
  /**
   * Of the client: by default it trusts the throw-away certificate of the server, and nothing else. Needed where `identity` is a
   * service.
   */
  readonly trust?: Trust.Trust["Service"]
  /**
   * The server asks for a certificate and trusts that of the client, a throw-away one. For anything else use `client.identity`
   * and `server.clientAuth`.
   */
  readonly clientAuth?: "request" | "require"
  /**
   * Of both sides: by default one in memory, for this pair alone. Pairs that share it, and the `identity`, resume each other's
   * sessions. Give each its own seed then: the same seed makes the same session identifier.
   */
  readonly sessionCache?: SessionCache["Service"]
}

/**
 * The wire between the two sides.
 *
 * @category models
 * @since 0.1.0
 */
export interface Wire extends Cable {
  /**
   * Makes the TLS of `from` send a record of its own: protected as its records are at the moment, with the next sequence number.
   * That side knows nothing of it: after an alert that should have ended it, it goes on. Empty content makes an empty record.
   * Dies where `from` is not open, or has no keys any more.
   */
  readonly send: (
    options:
      & { readonly from: Side }
      & (
        | { readonly alert: Alert }
        | { readonly contentType: number; readonly content: Uint8Array }
      )
  ) => Effect.Effect<void>
}

/**
 * Two ends that have not met yet.
 *
 * @category models
 * @since 0.1.0
 */
export interface Ends {
  /** The handshake of the client. Needs the server to go on, or somebody at its socket. */
  readonly connect: Effect.Effect<Connection, TlsError, Scope.Scope>
  /** The handshake of the server. */
  readonly accept: Effect.Effect<Connection, TlsError, Scope.Scope>
  /** Both handshakes: what `pair` does, after whatever the wire was told before. */
  readonly both: Effect.Effect<Omit<Pair, "wire">, TlsError, Scope.Scope>
  /** What `connect` opens. Each of the two can be opened once: by TLS, or by hand. */
  readonly clientSocket: Socket.Socket
  /** What `accept` opens. */
  readonly serverSocket: Socket.Socket
  readonly wire: Wire
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Pair {
  readonly client: Connection
  readonly server: Connection
  readonly wire: Wire
}

/**
 * A key and a self-signed certificate for the host `name`, made from a seed: for `Identity.layerPem` and `Trust.layerAnchors`,
 * on any transport.
 *
 * @category constructors
 * @since 0.1.0
 */
export const identity: (
  name: string,
  seed: string | number
) => Effect.Effect<ThrowAway.ThrowAwayIdentity, never, Primitives> = ThrowAway.make

// DER that was made here has nothing to fail with.
const trusting = (anchors: ReadonlyArray<Uint8Array>) =>
  Effect.orDie(Effect.provide(Trust.Trust, Trust.layerAnchors({ anchors })))

const clientAuthOf = Effect.fnUntraced(function*(mode: "request" | "require", seed: string | number) {
  const made = yield* ThrowAway.make("client.test", seed)
  const shown = yield* Effect.orDie(Identity.makePem(made))
  return { client: { identity: shown }, server: { clientAuth: { mode, trust: yield* trusting([made.der]) } } }
})

const sendAs = (innards: Innards | undefined, what: Parameters<Wire["send"]>[0]): Effect.Effect<void> => {
  if (innards === undefined) return Effect.die(new Error(`the ${what.from} is not open`))
  const { core, lane } = innards
  const { content, contentType } = "alert" in what
    ? { content: toBytes(what.alert), contentType: ContentType.alert }
    : what
  return Effect.suspend(() => {
    if (content.length > 0) core.send(contentType, content)
    else core.outbox.records.push(emptyRecord(core.outbound.state, contentType))
    return Effect.orDie(lane.flush())
  })
}

/** What TLS itself never sends. */
const emptyRecord = (state: ConnectionState, contentType: number): Uint8Array => {
  const { protection } = state.current
  const out = new Uint8Array(headerLength + protection.overhead)
  out.set([protection.hidesType ? ContentType.application_data : contentType, 3, 3, 0, protection.overhead])
  protection.seal(contentType, empty, state.sequence, out, headerLength, 0)
  state.advance()
  return out
}

/**
 * Two ends, before their handshakes: to see how each of them fails, to give each a scope of its own, to play one of them by hand.
 *
 * A side that has sent a fatal alert waits for its peer to hang up, `drainTimeout` long at most. Where the peer does not, or is
 * to close in the same scope after it, and the clock is a `TestClock`, let that time pass. `both` takes care of it.
 *
 * @example
 * import { Effect } from "effect"
 * import { TlsTest } from "effect-tls"
 *
 * const bothFail = Effect.gen(function*() {
 *   const { accept, connect, wire } = yield* TlsTest.ends({ seed: 1 })
 *   yield* wire.corrupt({ from: "client", record: 0, fragmentBit: 0 })
 *   return yield* Effect.all([Effect.exit(connect), Effect.exit(accept)], { concurrency: 2 })
 * }).pipe(Effect.scoped)
 *
 * @category constructors
 * @since 0.1.0
 */
export const ends = Effect.fnUntraced(function*(options: Options = {}): Effect.fn.Return<Ends, never, Primitives> {
  const primitives = yield* Primitives
  const seed = options.seed ?? 0
  const serverName = options.client?.serverName ?? "server.test"
  const given = options.identity ?? (yield* ThrowAway.make(serverName, seed))
  const shown = "der" in given ? yield* Effect.orDie(Identity.makePem(given)) : given
  const trust = options.trust ?? (yield* trusting("der" in given ? [given.der] : []))
  const auth = options.clientAuth === undefined ? undefined : yield* clientAuthOf(options.clientAuth, seed)
  const cache = options.sessionCache ?? (yield* makeMemory())
  const { cable, client, server } = makeCable()
  const innards = new Map<Side, Innards>()

  const services = (side: Side) =>
    Context.make(Primitives, primitives).pipe(
      Context.add(Randomness, makeInsecureSeeded(primitives, `${seed}/${side}`)),
      Context.add(SessionCache, cache),
      Context.add(Inside, (inside) => innards.set(side, inside))
    )
  const wire: Wire = {
    ...cable,
    send: (what) => Effect.suspend(() => sendAs(innards.get(what.from), what))
  }
  const connect = TlsClient.connect({ ...auth?.client, ...options.client, serverName }).pipe(
    Effect.provideService(Socket.Socket, client),
    Effect.provideService(Trust.Trust, trust),
    Effect.provide(services("client"))
  )
  const accept = TlsServer.accept(server, { ...auth?.server, ...options.server }).pipe(
    Effect.provideService(Identity.Identity, shown),
    Effect.provide(services("server"))
  )
  const both = Effect.gen(function*() {
    // Each may wait for the other's goodbye, so they close at the same time.
    const scope = yield* Scope.fork(yield* Effect.scope, "parallel")
    const [client, server] = yield* Effect.all([connect, accept], { concurrency: 2 }).pipe(Scope.provide(scope))
    yield* Effect.addFinalizer(() => Effect.andThen(wire.release({ from: "client" }), wire.release({ from: "server" })))
    return { client, server }
  })
  return { connect, accept, both, clientSocket: client, serverSocket: server, wire }
})

/**
 * A client and a server that have shaken hands. Both close with the scope; what was held on the wire arrives before that.
 *
 * @example
 * import { Effect } from "effect"
 * import { TlsTest } from "effect-tls"
 *
 * const test = Effect.gen(function*() {
 *   const { client, server, wire } = yield* TlsTest.pair({ seed: 1 })
 *   yield* wire.corrupt({ from: "server", record: 0, fragmentBit: 3 })
 *   yield* server.write(new TextEncoder().encode("hello"))
 *   return yield* Effect.flip(client.pull) // AlertSent, with the reason BadRecordMac
 * }).pipe(Effect.scoped)
 *
 * @category constructors
 * @since 0.1.0
 */
export const pair = (options: Options = {}): Effect.Effect<Pair, TlsError, Primitives | Scope.Scope> =>
  Effect.flatMap(ends(options), ({ both, wire }) => Effect.map(both, (sides) => ({ ...sides, wire })))
