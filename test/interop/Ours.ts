import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"
import * as Stream from "effect/Stream"
import {
  type Connection,
  Identity,
  Primitives,
  Randomness,
  Reason,
  SessionCache,
  TlsClient,
  type TlsConfig,
  TlsError,
  TlsServer,
  Trust
} from "effect-tls"
import { sign } from "node:crypto"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import { type LeafName, testCredential, testPki } from "../harness/Pki.ts"
import { waitLimit } from "../harness/Watch.ts"
import type { NamedGroup, SignatureScheme } from "../../src/wire/CodePoints.ts"
import type { Version } from "./Names.ts"

/** What our side did that no fact of the connection tells: seen at the services it used. */
export interface Witness {
  /** of the key shares we made, in order */
  readonly groups: Array<NamedGroup>
  /** of the signatures we made */
  readonly signed: Array<SignatureScheme>
  /** of the signatures we verified */
  readonly verified: Array<SignatureScheme>
}

export const makeWitness = (): Witness => ({ groups: [], signed: [], verified: [] })

const platform: Effect.Effect<Context.Context<Primitives | Randomness.Randomness>> = Effect.scoped(
  Layer.build(NodePrimitives.layer)
)

const watchedRandomness = (randomness: Randomness.Randomness["Service"], witness: Witness) =>
  Randomness.Randomness.of({
    bytes: randomness.bytes,
    keyShare: (group) => {
      witness.groups.push(group)
      return randomness.keyShare(group)
    },
    respond: (group, peer) => {
      witness.groups.push(group)
      return randomness.respond(group, peer)
    }
  })

/** The identity of one leaf of the test PKI. */
export const identityOf = (name: LeafName, witness?: Witness): Effect.Effect<Identity.Identity["Service"]> =>
  Effect.gen(function*() {
    const { certificatePem, privateKeyPem } = yield* testCredential(name)
    const identity = yield* Identity.makePem({ certificate: certificatePem, privateKey: privateKeyPem }).pipe(
      Effect.provideService(Primitives, NodePrimitives.make),
      Effect.orDie
    )
    if (witness === undefined) return identity
    return Identity.Identity.of({
      ...identity,
      select: (request) =>
        Effect.map(
          identity.select(request),
          Option.map((credential) => ({
            ...credential,
            sign: (scheme: SignatureScheme, message: Uint8Array) => {
              witness.signed.push(scheme)
              return credential.sign(scheme, message)
            }
          }))
        )
    })
  })

/** A leaf of the test PKI on that curve which signs, but not what it is asked to sign. */
export const misSigning = (name: "ec" | "client"): Identity.Identity["Service"] =>
  Identity.Identity.of({
    fingerprint: `mis-signing ${name}`,
    select: () =>
      Effect.map(testCredential(name), ({ chainDer, privateKeyPem }) =>
        Option.some({
          chain: chainDer,
          keyType: "ec-p256" as const,
          sign: () => Effect.sync(() => sign("sha256", Buffer.from("another message"), privateKeyPem))
        }))
  })

/** Trust in one root of the test PKI. */
export const trustIn = (root: "ca" | "other", witness?: Witness): Effect.Effect<Trust.Trust["Service"]> =>
  Effect.gen(function*() {
    const pki = yield* testPki
    const context = yield* Layer.build(Trust.layerAnchors({ anchors: pki[root].certificatePem })).pipe(
      Effect.provideService(Primitives, NodePrimitives.make),
      Effect.scoped,
      Effect.orDie
    )
    const trust = Context.get(context, Trust.Trust)
    if (witness === undefined) return trust
    return Trust.Trust.of({
      ...trust,
      verify: (chain, peer) =>
        Effect.map(trust.verify(chain, peer), ({ publicKey }) =>
          Trust.verified(chain, {
            type: publicKey.type,
            bits: publicKey.bits,
            verify: (scheme, message, signature) => {
              witness.verified.push(scheme)
              return publicKey.verify(scheme, message, signature)
            }
          }))
    })
  })

/** How an effect of our side ended: `AlertSent UnknownCa`, `Truncated`, `success`. */
export const ending = (exit: Exit.Exit<unknown, unknown> | undefined): string => {
  if (exit === undefined || Exit.isSuccess(exit)) return "success"
  const error = exit.cause.reasons.find(Cause.isFailReason)?.error
  if (!Schema.is(TlsError.TlsError)(error)) return Cause.pretty(exit.cause)
  return "reason" in error ? `${error._tag} ${error.reason._tag}` : error._tag
}

/** The tag of the fault that our side found. */
export const faultIn = (exit: Exit.Exit<unknown, unknown>): string | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  const error = exit.cause.reasons.find(Cause.isFailReason)?.error
  return Schema.is(TlsError.AlertSent)(error) ? error.fault._tag : undefined
}

/** Fails the test, and says what for, when an event of our side does not come. */
export const within = <A, E, R>(what: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.timeoutOrElse(effect, {
    duration: waitLimit,
    orElse: () => Effect.die(new Error(`waited ${waitLimit} ms for ${what}`))
  })

export interface OurClientOptions extends Omit<Partial<TlsConfig.ClientOptions>, "identity"> {
  readonly port: number
  /** the only one that is spoken: 1.2 by default; `versions` can say more */
  readonly version?: Version
  /** the root that is trusted: ca by default */
  readonly trust?: "ca" | "other" | Trust.Trust["Service"]
  readonly identity?: LeafName | Identity.Identity["Service"]
  readonly cache?: SessionCache.SessionCache["Service"]
  readonly witness?: Witness
  /** destroys the TCP socket below, when it is aborted */
  readonly signal?: AbortSignal
}

/** A signal for `ourClient`, and what gives it. */
export const makeDestroyer = (): { readonly signal: AbortSignal; readonly destroy: () => void } => {
  const controller = new AbortController()
  return { signal: controller.signal, destroy: () => controller.abort() }
}

const trustOf = (trust: "ca" | "other" | Trust.Trust["Service"], witness: Witness) =>
  typeof trust === "string" ? trustIn(trust, witness) : Effect.succeed(trust)

/** Our client, to a port of 127.0.0.1, as localhost; it keeps no sessions unless given a cache. */
export const ourClient = (
  { cache, identity, port, signal, trust, version = "1.2", witness = makeWitness(), ...options }: OurClientOptions
): Effect.Effect<Connection, TlsError.TlsError, Scope.Scope> =>
  Effect.gen(function*() {
    const context = yield* platform
    const randomness = Context.get(context, Randomness.Randomness)
    return yield* within(
      "our client's handshake",
      TlsClient.connect({
        serverName: "localhost",
        versions: [version],
        ...options,
        ...(identity === undefined
          ? {}
          : { identity: typeof identity === "object" ? identity : yield* identityOf(identity, witness) })
      })
    ).pipe(
      Effect.provideServiceEffect(
        Socket.Socket,
        NodeSocket.makeNet({
          host: "127.0.0.1",
          port,
          allowHalfOpen: true,
          noDelay: true,
          ...(signal === undefined ? {} : { signal })
        })
      ),
      Effect.provideService(Trust.Trust, yield* trustOf(trust ?? "ca", witness)),
      Effect.provideService(SessionCache.SessionCache, cache ?? noCache),
      Effect.provideService(Randomness.Randomness, watchedRandomness(randomness, witness)),
      Effect.provideContext(context)
    )
  })

const noCache = Effect.runSync(Effect.scoped(Effect.map(
  Layer.build(SessionCache.layerNone),
  (context) => Context.get(context, SessionCache.SessionCache)
)))

export type Report = TlsServer.ConnectionReport

export interface OurServerOptions extends Omit<TlsConfig.ServerOptions, "clientAuth"> {
  /** the only one that is spoken: 1.2 by default; `versions` can say more */
  readonly version?: Version
  /** ec by default */
  readonly identity?: LeafName | Identity.Identity["Service"]
  /** ask for a certificate under this root: ca by default */
  readonly clientAuth?: {
    readonly mode: "request" | "require"
    readonly trust?: "ca" | "other" | Trust.Trust["Service"]
  }
  readonly cache?: SessionCache.SessionCache["Service"]
  readonly witness?: Witness
  /** what is done with each connection: by default it is echoed until the peer closes */
  readonly handler?: (connection: Connection) => Effect.Effect<unknown, unknown, Scope.Scope>
}

export interface OurServer {
  readonly port: number
  /** The next connection that is over, each once, in the order of their ends. */
  readonly report: Effect.Effect<Report>
}

/** Destroys the TCP socket below the connection that is being handled. */
export const destroyTransport = Effect.map(Effect.serviceOption(NodeSocket.NetSocket), (socket) => {
  if (Option.isNone(socket)) throw new Error("no socket of Node here")
  socket.value.destroy()
})

export const echo = (connection: Connection): Effect.Effect<void, TlsError.TlsError> =>
  Stream.run(connection.stream, connection.sink)

/** Our server, on a free port of 127.0.0.1, until the scope ends. */
export const ourServer = (
  { cache, clientAuth, handler = echo, identity, version = "1.2", witness = makeWitness(), ...options }:
    OurServerOptions = {}
): Effect.Effect<OurServer, never, Scope.Scope> =>
  Effect.gen(function*() {
    const context = yield* platform
    const randomness = Context.get(context, Randomness.Randomness)
    const reports = yield* Queue.unbounded<Report>()
    const server = yield* Effect.orDie(
      NodeSocketServer.make({ port: 0, host: "127.0.0.1", allowHalfOpen: true, noDelay: true })
    )
    const auth = clientAuth === undefined
      ? {}
      : { clientAuth: { mode: clientAuth.mode, trust: yield* trustOf(clientAuth.trust ?? "ca", witness) } }
    const shown = typeof identity === "object" ? identity : yield* identityOf(identity ?? "ec", witness)
    yield* TlsServer.run(handler, {
      versions: [version],
      ...options,
      ...auth,
      report: (report) => Queue.offer(reports, report)
    }).pipe(
      Effect.provideService(SocketServer.SocketServer, server),
      Effect.provideService(Identity.Identity, shown),
      Effect.provideService(SessionCache.SessionCache, cache ?? (yield* SessionCache.makeMemory())),
      Effect.provideService(Randomness.Randomness, watchedRandomness(randomness, witness)),
      Effect.provideContext(context),
      Effect.orDie,
      Effect.forkScoped
    )
    if (server.address._tag !== "InetAddressV4") return yield* Effect.die(new Error("not an IPv4 address"))
    return { port: server.address.port, report: within("the end of a connection", Queue.take(reports)) }
  })

export const sendLine = (connection: Connection, line: string): Effect.Effect<void, TlsError.TlsError> =>
  connection.write(new TextEncoder().encode(`${line}\n`))

/** Reads until the end of a line. */
export const receiveLine = (connection: Connection): Effect.Effect<string, TlsError.TlsError | Cause.Done> =>
  within(
    "a line",
    Effect.gen(function*() {
      let text = ""
      while (!text.endsWith("\n")) text += Buffer.concat(yield* connection.pull).toString()
      return text
    })
  )

/** The number of the alert that our side says it received; for any other end, what `ending` says. */
export const receivedAlert = (exit: Exit.Exit<unknown, unknown>): number | string => {
  const error = Exit.isFailure(exit) ? exit.cause.reasons.find(Cause.isFailReason)?.error : undefined
  return Schema.is(TlsError.AlertReceived)(error) ? Reason.reasonCode(error.reason) : ending(exit)
}
