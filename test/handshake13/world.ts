/** What the conversations of TLS 1.3 share: identities, trust, and the session that one handshake left on both sides. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { CipherSuite, Identity, SessionCache, TlsTest, Trust } from "effect-tls"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import type { Credential } from "../../src/service/Identity.ts"
import { Session } from "../../src/service/Session.ts"
import type { Side } from "./puppet.ts"

export const serverName = "server.test"

/** A cache that tells how many of the sessions that passed through it may still be resumed. */
export interface WatchedCache {
  readonly cache: SessionCache.SessionCache["Service"]
  /** How many are left; to ask takes the tickets of a client. */
  readonly alive: Effect.Effect<number>
  readonly stored: ReadonlyArray<readonly [SessionCache.SessionKey, Session]>
  readonly invalidated: ReadonlyArray<SessionCache.SessionKey>
}

export const watch = (inner: SessionCache.SessionCache["Service"]): WatchedCache => {
  const stored: Array<readonly [SessionCache.SessionKey, Session]> = []
  const invalidated: Array<SessionCache.SessionKey> = []
  const count = (key: SessionCache.SessionKey): Effect.Effect<number> =>
    Effect.gen(function*() {
      let found = 0
      while (Option.isSome(yield* inner.offer(key))) {
        found++
        // A server looks its sessions up, and does not take them.
        if (key.startsWith("server")) break
      }
      return found
    })
  return {
    cache: {
      ...inner,
      store: (key, session) => {
        stored.push([key, session.copy()])
        return inner.store(key, session)
      },
      invalidate: (key, session) => {
        invalidated.push(key)
        return inner.invalidate(key, session)
      }
    },
    alive: Effect.suspend(() =>
      Effect.map(
        Effect.forEach(new Set(stored.map(([key]) => key)), count),
        (counts) => counts.reduce((sum, one) => sum + one, 0)
      )
    ),
    stored,
    invalidated
  }
}

export interface World {
  readonly server: Identity.Identity["Service"]
  readonly client: Identity.Identity["Service"]
  readonly credentials: Readonly<Record<Side, Credential>>
  /** Of the server's certificate. */
  readonly trust: Trust.Trust["Service"]
  /** Of the client's certificate. */
  readonly clientTrust: Trust.Trust["Service"]
  /** The session that both sides remember, and under which key. */
  readonly remembered: Readonly<Record<Side, readonly [SessionCache.SessionKey, Session]>>
  /** A fresh cache; with the remembered session of that side, where one is named. */
  readonly cacheOf: (remembering: Side | undefined) => Effect.Effect<WatchedCache>
}

export const trusting = (...anchors: ReadonlyArray<Uint8Array>) =>
  Effect.scoped(
    Effect.map(
      Layer.build(Layer.provide(Trust.layerAnchors({ anchors }), NodePrimitives.layerPrimitives)),
      (context) => Context.get(context, Trust.Trust)
    )
  )

export const credentialOf = (identity: Identity.Identity["Service"], role: Side): Effect.Effect<Credential> =>
  identity.select({
    role,
    version: "1.3",
    serverName: undefined,
    authentication: ["ecdsa", "rsa"],
    signatureSchemes: [
      "ecdsa_secp256r1_sha256",
      "ecdsa_secp384r1_sha384",
      "ecdsa_secp521r1_sha512",
      "ed25519",
      "rsa_pss_rsae_sha256"
    ],
    curves: undefined
  }).pipe(Effect.flatMap(Effect.fromOption), Effect.orDie)

const make = Effect.gen(function*() {
  const [serverPem, clientPem] = [yield* TlsTest.identity(serverName, 13), yield* TlsTest.identity("client.test", 13)]
  const server = yield* Identity.makePem(serverPem)
  const client = yield* Identity.makePem(clientPem)
  const trust = yield* trusting(serverPem.der)
  const clientTrust = yield* trusting(clientPem.der)
  const watched = watch(yield* SessionCache.makeMemory())
  yield* Effect.scoped(Effect.gen(function*() {
    const pair = yield* TlsTest.pair({
      seed: "remembered",
      identity: server,
      trust,
      sessionCache: watched.cache,
      client: { groups: ["x25519"], cipherSuites: [CipherSuite.suites13[0] ?? []].flat() },
      server: { tickets: 1 }
    })
    // The ticket is in front of the data.
    yield* pair.server.write(Uint8Array.of(1))
    yield* pair.client.pull
  }))
  const rememberedBy = (side: Side) => {
    const found = watched.stored.find(([key]) => key.startsWith(side))
    if (found === undefined) throw new Error(`the ${side} has stored no session`)
    // The clock of a test begins at the epoch.
    return [found[0], new Session({ ...found[1], authenticatedAt: 0, createdAt: 0 })] as const
  }
  const remembered = { client: rememberedBy("client"), server: rememberedBy("server") }
  return {
    server,
    client,
    credentials: { server: yield* credentialOf(server, "server"), client: yield* credentialOf(client, "client") },
    trust,
    clientTrust,
    remembered,
    cacheOf: Effect.fnUntraced(function*(remembering: Side | undefined) {
      const fresh = watch(yield* SessionCache.makeMemory())
      if (remembering !== undefined) yield* fresh.cache.store(...remembered[remembering])
      return fresh
    })
  } satisfies World
})

let made: Promise<World> | undefined

/** Made once a test file. */
export const world: Effect.Effect<World> = Effect.promise(() =>
  made ??= Effect.runPromise(Effect.provide(make, NodePrimitives.layerPrimitives))
)
