/** A conversation of a real side with a puppet, and what came of it. */
import { assert } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { type Connection, type Primitives, Reason, type SessionCache, type TlsError, TlsTest } from "effect-tls"
import { farewell, type Move, play, type Seen } from "./puppet.ts"
import { awaited, type Flow, other, type Side, ticketsOf, type World } from "./world.ts"
import * as Tls12 from "../harness/Tls12.ts"

/** Where something happens: at a unit that the subject waits for, or after all of them. */
export interface Place {
  readonly subject: Side
  readonly flow: Flow
  /** Index into what the subject waits for; their number: on the open connection. */
  readonly at: number
  /** The subject has said close_notify before. */
  readonly closing: boolean
}

/** What came of a conversation, in words that can be compared. */
export interface Outcome {
  /** The typed failure of the subject, or `clean`. */
  readonly failure: string
  /** What the subject was given to read. */
  readonly data: string
  /** The alerts that the peer of the subject read, as `level/code`. */
  readonly told: ReadonlyArray<string>
  /** How many sessions the subject may still resume. */
  readonly sessions: number
}

/** With the units of the puppet's story, as far as it came. */
export interface Conversation extends Outcome {
  readonly units: Seen["units"]
}

export const lineOf = (error: TlsError.TlsError): string => {
  switch (error._tag) {
    case "AlertSent":
      return `AlertSent ${Reason.reasonCode(error.reason)} ${error.fault._tag} ${error.phase} ${error.version}`
    case "AlertReceived":
      return `AlertReceived ${error.level} ${Reason.reasonCode(error.reason)} ${error.phase} ${error.version}`
    case "Truncated": {
      const where = error.midRecord ? "in a record" : "between records"
      return `Truncated ${error.by} ${where} after ${error.bytesRead} ${error.phase} ${error.version}`
    }
    case "HandshakeAborted":
      return `HandshakeAborted ${error.by} ${error.version}`
    default:
      return error._tag
  }
}

/** Reads until the connection ends. Law 5: whoever reads or writes later gets that end again. */
export const readToTheEnd = Effect.fnUntraced(function*(connection: Connection) {
  const decoder = new TextDecoder()
  let data = ""
  const read = Effect.map(connection.pull, (chunks) => {
    for (const chunk of chunks) data += decoder.decode(chunk, { stream: true })
  })
  const end = yield* Effect.flip(Effect.forever(read))
  const again = yield* Effect.orDie(Effect.flip(connection.pull))
  // In TLS 1.3 the other direction goes on.
  if (Cause.isDone(end) && connection.version === "1.3") yield* connection.closeWrite
  const refused = yield* Effect.orDie(Effect.flip(connection.write(farewell)))
  if (Cause.isDone(end)) {
    assert.isTrue(Cause.isDone(again))
    assert.strictEqual(refused._tag, "ConnectionClosed")
  } else {
    assert.strictEqual(again, end)
    assert.strictEqual(refused, end)
  }
  return { failure: Cause.isDone(end) ? "clean" : lineOf(end), data }
})

/** More turns of the scheduler than any of these conversations takes. */
const manyTurns = 2000

/** Waits for what can go on without the clock; `undefined` where it hangs. */
export const settled = <A, E>(fiber: Fiber.Fiber<A, E>): Effect.Effect<Exit.Exit<A, E> | undefined> =>
  Effect.gen(function*() {
    for (let turn = 0; turn < manyTurns; turn++) {
      const exit = fiber.pollUnsafe()
      if (exit !== undefined) return exit
      yield* Effect.yieldNow
    }
    return undefined
  })

export const endsOf = (world: World, subject: Side, flow: Flow, sessionCache: SessionCache.SessionCache["Service"]) =>
  Tls12.ends({
    seed: "subject",
    identity: world.server,
    trust: world.trust,
    sessionCache,
    ...(subject === "client" && flow === "full, with a client certificate"
      ? { client: { identity: world.client } }
      : {}),
    server: {
      tickets: ticketsOf(flow),
      ...(subject === "server" && flow.includes("client certificate")
        ? { clientAuth: { mode: "request", trust: world.clientTrust } }
        : {})
    }
  })

/** The longest that a handshake may take. */
const patience = "10 seconds"

/**
 * Holds one conversation. Dies where it hangs, and where a transport is left open. Where both sides `mayWait` for each other, the
 * clock is moved on until the subject gives up.
 */
export const converse = Effect.fnUntraced(
  function*(
    world: World,
    place: Place,
    move: Move,
    mayWait = false
  ): Effect.fn.Return<Conversation, never, Primitives> {
    const { at, closing, flow, subject } = place
    const side = other(subject)
    const remembers = flow === "abbreviated" || flow === "full, after a declined offer"
    const cache = yield* world.cacheOf(subject, remembers)
    // A server that declines has forgotten; a client that is declined asks for another suite.
    const puppetCache = yield* world.cacheOf(side, remembers && !(side === "server" && flow !== "abbreviated"))
    const ends = yield* endsOf(world, subject, flow, cache.cache)
    const heardOut = yield* Deferred.make<void>()
    const real = Effect.scoped(Effect.gen(function*() {
      const connection = yield* subject === "client" ? ends.connect : ends.accept
      if (closing) yield* connection.closeWrite
      const end = yield* readToTheEnd(connection)
      // It is the end of the connection that ends the transport: the scope is still open.
      yield* Deferred.await(heardOut)
      return end
    })).pipe(Effect.catch((error) => Effect.succeed({ failure: lineOf(error), data: "" })))
    const puppet = play(
      {
        side,
        flow,
        at,
        move,
        waitsForEnd: closing,
        socket: side === "client" ? ends.clientSocket : ends.serverSocket,
        inject: (bytes) => ends.wire.inject({ from: side, bytes }),
        cut: (by) => ends.wire.truncate({ from: side, by })
      },
      world,
      puppetCache.cache
    ).pipe(Effect.ensuring(Deferred.succeed(heardOut, undefined)))
    const fiber = yield* Effect.forkDetach(Effect.all([real, puppet], { concurrency: 2 }))
    let exit = yield* settled(fiber)
    if (exit === undefined && mayWait) {
      yield* TestClock.adjust(patience)
      exit = yield* settled(fiber)
    }
    if (exit === undefined) return yield* Effect.die(new Error("the conversation hangs"))
    const [{ data, failure }, { told, units }] = yield* exit
    const over = (yield* ends.wire.passed).filter((_) => _._tag === "End").map((_) => _.from)
    assert.sameMembers([...new Set(over)], ["client", "server"], "a transport was left open")
    return { failure, data, told, sessions: yield* cache.alive, units }
  }
)

/** Every place of these handshakes. */
export const placesOf = (subject: Side, flow: Flow): ReadonlyArray<Place> =>
  awaited[subject][flow].map((_, at) => ({ subject, flow, at, closing: false }))

export const openOf = (subject: Side, closing: boolean): Place => ({
  subject,
  flow: "full",
  at: awaited[subject].full.length,
  closing
})
