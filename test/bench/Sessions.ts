/**
 * Handshakes whose sessions are kept for the server: in its memory, and in Redis. Every server has the same client, `node:tls`, in this
 * process and over loopback, so that what differs is the server.
 */
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { constants } from "node:crypto"
import { once } from "node:events"
import { connect, createSecureContext, createServer, type SecureContext } from "node:tls"
import { createClient } from "redis"
import * as NodePrimitives from "../../src/platform/NodePrimitives.ts"
import * as NodeSessionRedis from "../../src/platform/NodeSessionRedis.ts"
import { suites } from "../../src/secret/CipherSuite.ts"
import * as Identity from "../../src/service/Identity.ts"
import * as SessionCache from "../../src/service/SessionCache.ts"
import * as SessionKeys from "../../src/service/SessionKeys.ts"
import * as TlsServer from "../../src/TlsServer.ts"
import { availability } from "../harness/Availability.ts"
import { redisServer } from "../harness/Redis.ts"
import type { Contender, Line } from "./Line.ts"
import { timed } from "./Meter.ts"
import { type Credentials, tls12 } from "./Peer.ts"

/** Where the sessions are: nowhere else than in the process, or at this URL. */
type Store = { readonly _tag: "Memory" } | { readonly _tag: "Redis"; readonly url: string }

// Session identifiers of TLS 1.2: the only kind of session that node:tls gives to, and takes from, the application.
const common = {
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.2",
  ciphers: tls12.suite.openssl,
  ecdhCurve: "P-256",
  secureOptions: constants.SSL_OP_NO_TICKET
} as const

const ours = (credentials: Credentials, store: Store): Effect.Effect<number, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { certificate, privateKey } = credentials
    const cache = store._tag === "Memory"
      ? SessionCache.layerMemory()
      : SessionCache.layerPersisted({ timeout: "1 minute" }).pipe(
        Layer.provide(NodeSessionRedis.layer(Redacted.make(store.url))),
        Layer.provide(SessionKeys.layerRandom().pipe(Layer.provide(NodePrimitives.layer)))
      )
    const context = yield* Effect.orDie(Layer.build(Layer.mergeAll(
      NodePrimitives.layer,
      Identity.layerPem({ certificate, privateKey }).pipe(Layer.provide(NodePrimitives.layer)),
      cache
    )))
    const server = yield* Effect.orDie(
      NodeSocketServer.make({ port: 0, host: "127.0.0.1", noDelay: true, allowHalfOpen: true })
    )
    const options = {
      versions: ["1.2"],
      cipherSuites: suites.filter(({ name }) => name === tls12.suite.name),
      groups: ["secp256r1"],
      tickets: 0
    } as const
    yield* Effect.forkScoped(server.run((socket) =>
      TlsServer.accept(socket, options).pipe(
        Effect.flatMap((connection) => Stream.run(connection.stream, connection.sink)),
        Effect.scoped,
        Effect.provideContext(context),
        Effect.ignore
      )
    ))
    return server.address._tag === "InetAddressV4" ? server.address.port : yield* Effect.die("no port")
  })

const nodeTls = (credentials: Credentials, store: Store): Effect.Effect<number, never, Scope.Scope> =>
  Effect.gen(function*() {
    const server = createServer({ ...common, cert: credentials.certificate, key: credentials.privateKey })
    server.on("secureConnection", (socket) => {
      socket.on("data", (chunk) => void socket.write(chunk))
      socket.on("end", () => void socket.end())
    })
    if (store._tag === "Redis") {
      const redis = createClient({ url: store.url })
      yield* Effect.promise(() => redis.connect())
      yield* Effect.addFinalizer(() => Effect.sync(() => redis.destroy()))
      const nameOf = (id: Buffer) => `node:${id.toString("hex")}`
      const take = async (id: Buffer): Promise<Buffer | null> => {
        const kept = await redis.get(nameOf(id))
        return kept === null ? null : Buffer.from(kept, "base64")
      }
      const keep = (id: Buffer, session: Buffer) =>
        redis.set(nameOf(id), session.toString("base64"), { expiration: { type: "PX", value: 3_600_000 } })
      server.on("newSession", async (id: Buffer, session: Buffer, done: () => void) => {
        await keep(id, session)
        done()
      })
      server.on("resumeSession", async (id: Buffer, done: (error: null, session: Buffer | null) => void) => {
        done(null, await take(id))
      })
    } else {
      const sessions = new Map<string, Buffer>()
      server.on("newSession", (id: Buffer, session: Buffer, done: () => void) => {
        sessions.set(id.toString("hex"), session)
        done()
      })
      server.on(
        "resumeSession",
        (id: Buffer, done: (error: null, session: Buffer | null) => void) =>
          done(null, sessions.get(id.toString("hex")) ?? null)
      )
    }
    server.listen(0, "127.0.0.1")
    yield* Effect.promise(() => once(server, "listening"))
    yield* Effect.addFinalizer(() => Effect.sync(() => void server.close()))
    const address = server.address()
    return typeof address === "object" && address !== null ? address.port : yield* Effect.die("no port")
  })

interface Visit {
  readonly port: number
  readonly secureContext: SecureContext
  readonly session: Buffer | undefined
}

/** Connect, one byte there and back, close; the session of the connection. */
const visit = ({ port, secureContext, session }: Visit): Effect.Effect<Buffer> =>
  Effect.callback((resume) => {
    const socket = connect({
      port,
      host: "127.0.0.1",
      servername: "localhost",
      secureContext,
      ...session === undefined ? {} : { session }
    })
    socket.setNoDelay()
    let kept: Buffer | undefined
    socket.once("secureConnect", () => void socket.write("x"))
    socket.once("data", () => {
      if (socket.isSessionReused() === (session !== undefined) && socket.authorized) kept = socket.getSession()
      socket.end()
    })
    socket.once("close", () =>
      resume(
        kept === undefined ? Effect.die(new Error("the handshake is not as it was meant to be")) : Effect.succeed(kept)
      ))
    socket.once("error", (error) => resume(Effect.die(error)))
  })

interface Setting {
  readonly credentials: Credentials
  readonly resumes: boolean
  readonly scale: number
  readonly store: Store
}

const contender = (
  part: "ours" | "reference",
  { credentials, resumes, scale, store }: Setting
): Effect.Effect<Contender, never, Scope.Scope> =>
  Effect.gen(function*() {
    const port = yield* (part === "ours" ? ours : nodeTls)(credentials, store)
    const secureContext = createSecureContext({ ...common, ca: credentials.anchors })
    const first = yield* visit({ port, secureContext, session: undefined })
    const one = visit({ port, secureContext, session: resumes ? first : undefined })
    const count = Math.max(8, Math.round(300 * scale))
    const all = Effect.replicateEffect(one, count, { concurrency: 8, discard: true })
    return { name: part === "ours" ? "ours" : "node:tls", part, run: timed(count, all) }
  })

const line = (credentials: Credentials, resumes: boolean, where: Store["_tag"]): Line => ({
  name: `${resumes ? "resumed" : "full"} handshakes by identifier, sessions in ${
    where === "Redis" ? "Redis" : "memory"
  }`,
  unit: "handshake",
  measures: ["wall", "cpu"],
  goal: undefined,
  open: (scale) =>
    Effect.gen(function*() {
      const store: Store = where === "Memory"
        ? { _tag: "Memory" }
        : { _tag: "Redis", url: (yield* Effect.orDie(redisServer())).url }
      const setting = { credentials, resumes, scale, store }
      return [yield* contender("ours", setting), yield* contender("reference", setting)]
    })
})

/** Without `redis-server` those of memory alone. */
export const sessionLines = (credentials: Credentials): ReadonlyArray<Line> =>
  (availability.has("redis-server") ? ["Memory", "Redis"] as const : ["Memory"] as const)
    .flatMap((where) => [line(credentials, false, where), line(credentials, true, where)])
