/**
 * Conversations that go well, recorded: what one side said, and the setup under which the other side takes it again. All
 * randomness is seeded and all signatures are remembered, so that the same bytes lead to the same end.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { Connection } from "../../src/connection/Connection.ts"
import { make as strict } from "../../src/platform/NodePrimitives.ts"
import { Primitives } from "../../src/secret/Primitives.ts"
import * as Identity from "../../src/service/Identity.ts"
import type { Session } from "../../src/service/Session.ts"
import * as SessionCache from "../../src/service/SessionCache.ts"
import type { ServerOptions } from "../../src/service/TlsConfig.ts"
import * as Trust from "../../src/service/Trust.ts"
import * as TlsTest from "../../src/TlsTest.ts"
import { fromText } from "../../src/wire/Bytes.ts"
import type { NamedGroup } from "../../src/wire/CodePoints.ts"
import { runStopped, type Setup } from "./Conversation.ts"
import { identityOf, permissive, type Version, versions } from "./Permissive.ts"

/** `strict` is the real cryptography, `permissive` that of `Permissive.ts`. */
export const modes = ["strict", "permissive"] as const
export type Mode = typeof modes[number]
export const roles = ["client", "server"] as const

const shapes12 = ["full", "client certificate", "resumed"] as const
/** After a HelloRetryRequest, and with a KeyUpdate of either side. */
const shapes13 = [...shapes12, "retried", "rekeyed"] as const
export type Shape = typeof shapes13[number]

/** The kinds of conversation that each version has. */
export const shapes: Readonly<Record<Version, ReadonlyArray<Shape>>> = { "1.2": shapes12, "1.3": shapes13 }

/** What is said to the side of `setup`, up to and with close_notify. */
export interface Flight {
  readonly name: string
  readonly version: Version
  readonly setup: Setup
  readonly records: ReadonlyArray<Uint8Array>
}

interface Stored {
  readonly key: SessionCache.SessionKey
  readonly session: Session
}

/** The same message gets the same signature, so that a conversation can be had again. */
const remembering = (identity: Identity.Identity["Service"]): Identity.Identity["Service"] => {
  const signatures = new Map<string, Uint8Array>()
  return {
    ...identity,
    select: (request) =>
      Effect.map(
        identity.select(request),
        Option.map((credential) => ({
          ...credential,
          sign: (scheme, message) => {
            const key = `${scheme} ${Buffer.from(message).toString("base64")}`
            const known = signatures.get(key)
            if (known !== undefined) return Effect.succeed(known)
            return Effect.tap(credential.sign(scheme, message), (made) => Effect.sync(() => signatures.set(key, made)))
          }
        }))
      )
  }
}

const serverName = "server.test"

interface Parties {
  readonly primitives: Primitives["Service"]
  readonly options: TlsTest.Options
  readonly clientIdentity: Identity.Identity["Service"]
  readonly clientTrust: Trust.Trust["Service"]
}

const trustOf = (layer: Layer.Layer<Trust.Trust, unknown, Primitives>) =>
  Effect.scoped(Effect.map(Effect.orDie(Layer.build(layer)), (context) => Context.get(context, Trust.Trust)))

const common = { alpnProtocols: ["h2", "http/1.1"] }

const makeParties = Effect.fnUntraced(function*(mode: Mode) {
  const primitives = mode === "strict" ? strict : permissive
  const server = yield* TlsTest.identity(serverName, "fuzz")
  const client = yield* TlsTest.identity("client.test", "fuzz")
  const identity = (made: TlsTest.ThrowAwayIdentity) =>
    mode === "strict"
      ? Effect.map(Effect.orDie(Identity.makePem(made)), remembering)
      : Effect.succeed(identityOf(made.der))
  const trust = (made: TlsTest.ThrowAwayIdentity) =>
    trustOf(mode === "strict" ? Trust.layerAnchors({ anchors: [made.der] }) : Trust.layerInsecure).pipe(
      Effect.provideService(Primitives, primitives)
    )
  const parties: Parties = {
    primitives,
    options: {
      client: { ...common, serverName },
      server: common,
      identity: yield* identity(server),
      trust: yield* trust(server)
    },
    clientIdentity: yield* identity(client),
    clientTrust: yield* trust(client)
  }
  return parties
}, Effect.provideService(Primitives, strict))

const made = new Map<Mode, Promise<Parties>>()

const partiesOf = (mode: Mode): Promise<Parties> => {
  const parties = made.get(mode) ?? Effect.runPromise(makeParties(mode))
  made.set(mode, parties)
  return parties
}

interface Told {
  readonly version: Version
  readonly seed: string
  readonly clientCertificate?: boolean
  /** By default all there are. */
  readonly groups?: Readonly<Record<TlsTest.Side, ReadonlyArray<NamedGroup>>>
}

const optionsOf = (parties: Parties, { clientCertificate, groups, seed, version }: Told): TlsTest.Options => {
  const { clientIdentity, clientTrust, options } = parties
  const spoken: Pick<ServerOptions, "versions"> = { versions: version === "1.2" ? ["1.2"] : ["1.3", "1.2"] }
  const of = (role: TlsTest.Side) => groups === undefined ? spoken : { ...spoken, groups: groups[role] }
  return {
    ...options,
    seed,
    // A client is ready to be asked in any case.
    client: { ...options.client, ...of("client"), identity: clientIdentity },
    server: {
      ...options.server,
      ...of("server"),
      ...clientCertificate === true ? { clientAuth: { mode: "request", trust: clientTrust } } : {}
    }
  }
}

/** Short shares, so that more than those is damaged; a server that has another group asks again. */
const groupsOf = (shape: Shape): NonNullable<Told["groups"]> => ({
  client: ["x25519", "secp256r1"],
  server: shape === "retried" ? ["secp256r1"] : ["x25519", "secp256r1"]
})

const cacheWith = Effect.fnUntraced(function*(stored: ReadonlyArray<Stored>) {
  const cache = yield* SessionCache.makeMemory()
  for (const { key, session } of stored) yield* cache.store(key, session)
  return cache
})

/** A side on its own: what it is told decides how it goes. */
export const setupOf = async (
  role: TlsTest.Side,
  mode: Mode,
  told: Partial<Told> & Pick<Told, "version"> & { readonly stored?: ReadonlyArray<Stored> }
): Promise<Setup> => {
  const parties = await partiesOf(mode)
  const { stored = [], ...rest } = told
  return {
    role,
    primitives: parties.primitives,
    options: Effect.map(cacheWith(stored), (sessionCache) => ({
      ...optionsOf(parties, { seed: "fuzz", ...rest }),
      sessionCache
    }))
  }
}

const talk = (shape: Shape, client: Connection, server: Connection) =>
  Effect.gen(function*() {
    if (shape === "rekeyed") yield* client.updateKeys(true)
    yield* client.write(fromText("question"))
    yield* server.pull
    if (shape === "rekeyed") yield* server.updateKeys(true)
    yield* server.write(fromText("an answer of some length"))
    yield* client.pull
    yield* client.close
    yield* server.close
  })

/** Has one conversation under these options. */
const recordOne = async (primitives: Primitives["Service"], shape: Shape, options: TlsTest.Options) => {
  const exit = await runStopped(
    Effect.gen(function*() {
      const { client, server, wire } = yield* TlsTest.pair(options)
      yield* talk(shape, client, server)
      const passed = yield* wire.passed
      const said = (from: TlsTest.Side) =>
        passed.flatMap((_) => _._tag === "Record" && _.from === from ? [_.bytes] : [])
      return { version: client.version, resumed: client.resumed, client: said("client"), server: said("server") }
    }).pipe(Effect.scoped, Effect.provideService(Primitives, primitives))
  )
  if (exit === undefined) throw new Error("the conversation to be recorded hangs")
  if (Exit.isFailure(exit)) throw new Error("the conversation to be recorded failed", { cause: exit.cause })
  return exit.value
}

/** Both halves of one conversation. */
export const record = async (version: Version, mode: Mode, shape: Shape): Promise<ReadonlyArray<Flight>> => {
  const parties = await partiesOf(mode)
  const told = { version, clientCertificate: shape === "client certificate", groups: groupsOf(shape) }
  const memory = await Effect.runPromise(SessionCache.makeMemory())
  const stored: Array<Stored> = []
  const sessionCache: SessionCache.SessionCache["Service"] = {
    ...memory,
    store: (key, session) => {
      stored.push({ key, session: session.copy() })
      return memory.store(key, session)
    }
  }
  const recordWith = (seed: string) =>
    recordOne(parties.primitives, shape, { ...optionsOf(parties, { ...told, seed }), sessionCache })
  if (shape === "resumed") await recordWith("before")
  // What was known before the conversation is what a repetition begins with.
  const known = [...stored]
  const seed = shape === "resumed" ? "after" : "fuzz"
  const said = await recordWith(seed)
  if (said.version !== version || said.resumed !== (shape === "resumed")) {
    throw new Error(`the ${shape} conversation took another course`)
  }
  return Promise.all(roles.map(async (role) => ({
    name: `TLS ${version}, ${mode}, ${shape}, to the ${role}`,
    version,
    setup: await setupOf(role, mode, { ...told, seed, stored: known }),
    records: said[role === "client" ? "server" : "client"]
  })))
}

/** Every shape of both versions in every mode, to either side. */
export const recordAll = async (): Promise<ReadonlyArray<Flight>> => {
  const flights: Array<Flight> = []
  for (const version of versions) {
    for (const mode of modes) {
      for (const shape of shapes[version]) flights.push(...await record(version, mode, shape))
    }
  }
  return flights
}
