/** What the conversations of these tests share: identities, trust, sessions, and the flights of every handshake. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { Identity, SessionCache, type TlsTest, TlsTest as Test, Trust } from "effect-tls"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import type { Session } from "../../src/service/Session.ts"
import * as Tls12 from "../harness/Tls12.ts"

export type Side = TlsTest.Side

export const other = (side: Side): Side => side === "client" ? "server" : "client"

/** The kinds of TLS 1.2 handshake, RFC 5246 section 7.3. */
export type Flow =
  | "full"
  | "full, with a client certificate"
  | "full, with an empty client certificate"
  | "full, after a declined offer"
  | "full, with a ticket"
  | "abbreviated"

/** RFC 5077: tickets that the server of a handshake issues; without, there are session identifiers. */
export const ticketsOf = (flow: Flow): number => flow === "full, with a ticket" ? 1 : 0

/** What a side may wait for, one at a time: a message by its tag, or ChangeCipherSpec. */
export type Unit = typeof units[number]

const units = [
  "ClientHello",
  "ServerHello",
  "Certificate",
  "ServerKeyExchange",
  "CertificateRequest",
  "ServerHelloDone",
  "ClientKeyExchange",
  "CertificateVerify",
  "NewSessionTicket12",
  "ChangeCipherSpec",
  "Finished"
] as const

export const isUnit = (name: string): name is Unit => units.some((unit) => unit === name)

const done = ["ChangeCipherSpec", "Finished"] as const

/** RFC 5246 section 7.3, figures 1 and 2: what each side waits for, in order. */
export const awaited: Readonly<Record<Side, Readonly<Record<Flow, ReadonlyArray<Unit>>>>> = {
  client: {
    "full": ["ServerHello", "Certificate", "ServerKeyExchange", "ServerHelloDone", ...done],
    "full, with a client certificate": [
      "ServerHello",
      "Certificate",
      "ServerKeyExchange",
      "CertificateRequest",
      "ServerHelloDone",
      ...done
    ],
    "full, with an empty client certificate": [
      "ServerHello",
      "Certificate",
      "ServerKeyExchange",
      "CertificateRequest",
      "ServerHelloDone",
      ...done
    ],
    "full, after a declined offer": ["ServerHello", "Certificate", "ServerKeyExchange", "ServerHelloDone", ...done],
    "full, with a ticket": [
      "ServerHello",
      "Certificate",
      "ServerKeyExchange",
      "ServerHelloDone",
      "NewSessionTicket12",
      ...done
    ],
    "abbreviated": ["ServerHello", ...done]
  },
  server: {
    "full": ["ClientHello", "ClientKeyExchange", ...done],
    "full, with a client certificate": [
      "ClientHello",
      "Certificate",
      "ClientKeyExchange",
      "CertificateVerify",
      ...done
    ],
    "full, with an empty client certificate": ["ClientHello", "Certificate", "ClientKeyExchange", ...done],
    "full, after a declined offer": ["ClientHello", "ClientKeyExchange", ...done],
    "full, with a ticket": ["ClientHello", "ClientKeyExchange", ...done],
    "abbreviated": ["ClientHello", ...done]
  }
}

/** A cache that tells how many of the sessions that passed through it may still be resumed. */
export interface WatchedCache {
  readonly cache: SessionCache.SessionCache["Service"]
  readonly alive: Effect.Effect<number>
  readonly stored: ReadonlyArray<readonly [SessionCache.SessionKey, Session]>
}

const watch = (inner: SessionCache.SessionCache["Service"]): WatchedCache => {
  const keys = new Set<SessionCache.SessionKey>()
  const stored: Array<readonly [SessionCache.SessionKey, Session]> = []
  return {
    cache: {
      ...inner,
      store: (key, session) => {
        keys.add(key)
        stored.push([key, session.copy()])
        return inner.store(key, session)
      }
    },
    alive: Effect.map(
      Effect.forEach(keys, (key) => inner.offer(key)),
      (offers) => offers.filter(Option.isSome).length
    ),
    stored
  }
}

export interface World {
  readonly server: Identity.Identity["Service"]
  readonly client: Identity.Identity["Service"]
  /** Of the server's certificate. */
  readonly trust: Trust.Trust["Service"]
  /** Of the client's certificate. */
  readonly clientTrust: Trust.Trust["Service"]
  /** A fresh cache of one side; with the session that both sides remember, where it `remembers`. */
  readonly cacheOf: (side: Side, remembers: boolean) => Effect.Effect<WatchedCache>
}

export const serverName = "server.test"

const trusting = (der: Uint8Array) =>
  Effect.scoped(
    Effect.map(Layer.build(Trust.layerAnchors({ anchors: [der] })), (context) => Context.get(context, Trust.Trust))
  )

const make = Effect.gen(function*() {
  const [serverPem, clientPem] = [yield* Test.identity(serverName, 1), yield* Test.identity("client.test", 1)]
  const server = yield* Identity.makePem(serverPem)
  const trust = yield* trusting(serverPem.der)
  // One handshake of both sides leaves the session that the abbreviated ones go on with.
  const [client, remembered] = [yield* Identity.makePem(clientPem), watch(yield* SessionCache.makeMemory())]
  yield* Effect.scoped(Tls12.pair({
    seed: "session",
    identity: server,
    trust,
    sessionCache: remembered.cache,
    server: { tickets: 0 }
  }))
  return {
    server,
    client,
    trust,
    clientTrust: yield* trusting(clientPem.der),
    cacheOf: Effect.fnUntraced(function*(side: Side, remembers: boolean) {
      const watched = watch(yield* SessionCache.makeMemory())
      if (remembers) {
        for (const [key, session] of remembered.stored) {
          if (key.startsWith(side)) yield* watched.cache.store(key, session)
        }
      }
      return watched
    })
  } satisfies World
})

let made: Promise<World> | undefined

/** Made once a test file. */
export const world: Effect.Effect<World> = Effect.promise(() =>
  made ??= Effect.runPromise(Effect.provide(make, NodePrimitives.layerPrimitives))
)
