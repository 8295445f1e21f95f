/**
 * A conversation recorded once, and what its peer said said again to a fresh side. The randomness is seeded and signatures are
 * recorded, so that the fresh side says what the first one said, byte by byte.
 */
import { assert } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import {
  type Connection,
  Identity,
  Primitives,
  Randomness,
  SessionCache,
  TlsClient,
  type TlsError,
  TlsServer,
  Trust
} from "effect-tls"
import { make as primitives } from "../../src/platform/NodePrimitives.ts"
import { concat, toHex } from "../../src/wire/Bytes.ts"
import { splitRecords } from "../harness/TlsRecords.ts"
import { lineOf, readToTheEnd, settled } from "./conversation.ts"
import { other, serverName, type Side, type WatchedCache, type World, world } from "./world.ts"
import * as Tls12 from "../harness/Tls12.ts"

/** What the peer says on the open connection, a record each; then it closes. */
export const speech: ReadonlyArray<string> = ["some words", "!", "and many more words of the peer of this conversation"]
/** What the side in question says, where it says something. */
const answer = "what the recorded side has to say"

type Version = "1.2" | "1.3"

/** The kinds of handshake; all but the first one are of TLS 1.3. */
export type Flow = "full" | "HelloRetryRequest and a client certificate" | "resumption"

type Remembered = WatchedCache["stored"]

/** Who holds a conversation, and how. */
interface Cast {
  readonly version: Version
  readonly flow: Flow
  readonly identities: Readonly<Record<Side, Identity.Identity["Service"]>>
  /** The session that each side has from before. */
  readonly remembered: Readonly<Record<Side, Remembered>>
}

/** A client and a server that agree on that version. The hybrid group, whose shares are long, would only add bytes to be cut. */
const optionsFor = ({ flow, identities, version }: Cast, { clientTrust }: World) => {
  const versions = version === "1.2" ? ["1.2"] as const : ["1.3", "1.2"] as const
  const both = { versions, groups: ["x25519", "secp256r1"] } as const
  return flow === "HelloRetryRequest and a client certificate"
    ? {
      client: { ...both, identity: identities.client },
      server: { versions, groups: ["secp256r1"], clientAuth: { mode: "require", trust: clientTrust } }
    } as const
    : { client: both, server: both }
}

const bytesOf = (text: string) => new TextEncoder().encode(text)

export interface Recording extends Cast {
  readonly subject: Side
  /** Whether the subject says something: the peer closes only then. */
  readonly answers: boolean
  /** The records of the peer, to its close_notify. */
  readonly records: ReadonlyArray<Uint8Array>
  /** What came of it. */
  readonly result: Result
}

/** Everything that can be seen of a conversation from the side in question. */
export interface Result {
  readonly failure: string
  readonly data: string
  readonly facts: string
  /** What it sent, in hexadecimal. */
  readonly sent: string
  /** How many sessions it may resume. */
  readonly sessions: number
}

/** Signs each message once, and gives the same signature for it again. */
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
            const key = toHex(message)
            const signature = signatures.get(key)
            return signature === undefined
              ? Effect.tap(credential.sign(scheme, message), (made) => Effect.sync(() => signatures.set(key, made)))
              : Effect.succeed(signature)
          }
        }))
      )
  }
}

/** A fresh cache, with what that side remembers. */
const cacheOf = Effect.fnUntraced(function*(side: Side, all: World, { remembered }: Cast) {
  const watched = yield* all.cacheOf(side, false)
  for (const [key, session] of remembered[side]) yield* watched.cache.store(key, session)
  return watched
})

const open = (
  side: Side,
  cast: Cast,
  socket: Socket.Socket,
  all: World,
  cache: SessionCache.SessionCache["Service"]
): Effect.Effect<Connection, TlsError.TlsError, Scope.Scope> => {
  const services = Context.make(Primitives, primitives).pipe(
    Context.add(Randomness.Randomness, Randomness.makeInsecureSeeded(primitives, `recorded ${side}, ${cast.flow}`)),
    Context.add(SessionCache.SessionCache, cache)
  )
  const options = optionsFor(cast, all)
  return side === "server"
    ? TlsServer.accept(socket, options.server).pipe(
      Effect.provideService(Identity.Identity, cast.identities.server),
      Effect.provide(services)
    )
    : TlsClient.connect({ serverName, ...options.client }).pipe(
      Effect.provideService(Socket.Socket, socket),
      Effect.provideService(Trust.Trust, all.trust),
      Effect.provide(services)
    )
}

const factsOf = (connection: Connection): string =>
  JSON.stringify({
    suite: connection.cipherSuite.name,
    version: connection.version,
    serverName: connection.serverName,
    resumed: connection.resumed,
    session: toHex(connection.sessionId),
    certificates: connection.peerCertificates.map(toHex)
  })

/** The side in question: it says its words at once, and reads until there is no more to read. */
const play = Effect.fnUntraced(function*(opening: ReturnType<typeof open>, answers: boolean) {
  let facts = ""
  const end = yield* Effect.scoped(Effect.gen(function*() {
    const connection = yield* opening
    facts = factsOf(connection)
    // Where the end has come before, there is something to read all the same.
    if (answers) yield* Effect.ignore(connection.write(bytesOf(answer)))
    return yield* readToTheEnd(connection)
  })).pipe(Effect.catch((error) => Effect.succeed({ failure: lineOf(error), data: "" })))
  return { ...end, facts }
})

/** Both sides of a handshake, data both ways or to the subject alone, and the close of the peer. And what they remember of it. */
const hold = Effect.fnUntraced(function*(subject: Side, answers: boolean, cast: Cast) {
  const all = yield* world
  const ends = yield* Tls12.ends({ identity: cast.identities.server, trust: all.trust })
  const sockets = { client: ends.clientSocket, server: ends.serverSocket }
  const peer = other(subject)
  const caches = { client: yield* cacheOf("client", all, cast), server: yield* cacheOf("server", all, cast) }
  const opening = (side: Side) => open(side, cast, sockets[side], all, caches[side].cache)
  const speaking = Effect.scoped(Effect.gen(function*() {
    const connection = yield* opening(peer)
    for (const words of speech) yield* connection.write(bytesOf(words))
    for (let left = answers ? answer.length : 0; left > 0;) {
      for (const chunk of yield* connection.pull) left -= chunk.length
    }
  }))
  const [result] = yield* Effect.orDie(Effect.all([play(opening(subject), answers), speaking], { concurrency: 2 }))
  const passed = yield* ends.wire.passed
  const said = (side: Side) => passed.flatMap((_) => _._tag === "Record" && _.from === side ? [_.bytes] : [])
  const recording: Recording = {
    ...cast,
    subject,
    answers,
    records: said(peer),
    result: { ...result, sent: toHex(concat(said(subject))), sessions: yield* caches[subject].alive }
  }
  // Of several tickets the first one.
  return { recording, stored: { client: caches.client.stored.slice(0, 1), server: caches.server.stored.slice(0, 1) } }
})

export const record = Effect.fnUntraced(
  function*(
    subject: Side,
    answers = true,
    version: Version = "1.2",
    flow: Flow = "full"
  ): Effect.fn.Return<Recording, never, Primitives> {
    const all = yield* world
    const identities = { client: remembering(all.client), server: remembering(all.server) }
    const first: Cast = { version, flow: "full", identities, remembered: { client: [], server: [] } }
    // A client that reads nothing takes no ticket.
    const remembered = flow === "resumption" ? (yield* hold(subject, true, first)).stored : first.remembered
    return (yield* hold(subject, answers, { ...first, flow, remembered })).recording
  }
)

const socketError = (by: "fin" | "reset") =>
  new Socket.SocketError({
    reason: by === "fin"
      ? new Socket.SocketCloseError({ code: 1000 })
      : new Socket.SocketReadError({ cause: new Error("connection reset") })
  })

/**
 * A socket that has these chunks to read and then ends, and takes whatever is written. What lies beyond `gate` comes only after
 * so many bytes were written, `due`.
 */
const replaying = (
  chunks: ReadonlyArray<Uint8Array>,
  end: "fin" | "reset",
  gate: { readonly at: number; readonly due: number },
  sent: Array<Uint8Array>
): Socket.Socket => {
  const left = [...chunks]
  const isOpen = Latch.makeUnsafe(false)
  let [read, written] = [0, 0]
  const next = (): Uint8Array | undefined => {
    const chunk = left.shift()
    if (chunk === undefined) return undefined
    // The reader may overwrite what it was given.
    const now = chunk.slice(0, read < gate.at ? gate.at - read : undefined)
    if (now.length < chunk.length) left.unshift(chunk.subarray(now.length))
    read += now.length
    return now
  }
  const write: Socket.Writer["write"] = (chunk) =>
    Effect.sync(() => {
      if (!(chunk instanceof Uint8Array)) return
      sent.push(chunk.slice())
      written += chunk.length
      if (written >= gate.due) isOpen.openUnsafe()
    })
  return Socket.make({
    reader: Effect.succeed({
      pull: Effect.suspend(() => {
        const isHeld = read >= gate.at && left.length > 0
        const chunk = isHeld ? Effect.map(isOpen.await, next) : Effect.sync(next)
        return Effect.flatMap(
          chunk,
          (chunk) => chunk === undefined ? Effect.fail(socketError(end)) : Effect.succeed([chunk] as const)
        )
      }),
      upgrade: Socket.SocketUpgradeError.unsupported
    }),
    writer: Effect.succeed({ write, writeAll: (chunks) => Effect.forEach(chunks, write, { discard: true }) })
  })
}

/** A protected close_notify: header, alert and tag; in TLS 1.2 an explicit nonce, in TLS 1.3 the type. */
const closeNotifyLengths: Readonly<Record<Version, number>> = { "1.2": 5 + 8 + 2 + 16, "1.3": 5 + 2 + 1 + 16 }

/** Says these chunks to a fresh side. Dies where it hangs. */
export const replay = Effect.fnUntraced(
  function*(
    recording: Recording,
    chunks: ReadonlyArray<Uint8Array>,
    end: "fin" | "reset"
  ): Effect.fn.Return<Result> {
    const { answers, records, result, subject, version } = recording
    const closeNotifyLength = closeNotifyLengths[version]
    const all = yield* world
    const sent: Array<Uint8Array> = []
    const cache = yield* cacheOf(subject, all, recording)
    // The peer closed because it had its answer.
    const gate = answers
      ? { at: concat(records).length - closeNotifyLength, due: result.sent.length / 2 - closeNotifyLength }
      : { at: Infinity, due: 0 }
    const socket = replaying(chunks, end, gate, sent)
    const fiber = yield* Effect.forkDetach(play(open(subject, recording, socket, all, cache.cache), answers))
    const exit = yield* settled(fiber)
    if (exit === undefined) return yield* Effect.die(new Error("the replay hangs"))
    return { ...(yield* exit), sent: toHex(concat(sent)), sessions: yield* cache.alive }
  }
)

/** Where in the recorded bytes of TLS 1.2 something ends: the hello, the handshake, and each record. */
export const landmarks = ({ records }: Recording) => {
  assert.lengthOf(splitRecords(concat(records)).rest, 0)
  const ends: Array<number> = []
  for (const record of records) ends.push((ends.at(-1) ?? 0) + record.length)
  // The first protected record is the Finished.
  const finished = records.findIndex((record) => record[0] === 20) + 1
  return { ends, finished, hello: ends[0] ?? 0, handshake: ends[finished] ?? 0, total: ends.at(-1) ?? 0 }
}
