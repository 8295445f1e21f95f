/** A conversation of a real side with the puppet, what came of it, and tables of those. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { type Connection, type Primitives, Reason, type TlsConfig, type TlsError, TlsTest } from "effect-tls"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import * as Transport from "../../src/connection/Transport.ts"
import { type CipherSuite13, suites13 } from "../../src/secret/CipherSuite.ts"
import { Puppet, type Side, stop } from "./puppet.ts"
import { call, greeting, type Script, serve } from "./stories.ts"
import { serverName, type World, world } from "./world.ts"

export const other = (side: Side): Side => side === "client" ? "server" : "client"

export const suiteOf = (id: number): CipherSuite13 => {
  const suite = suites13.find((suite) => suite.id === id)
  if (suite === undefined) throw new Error(`there is no suite ${id.toString(16)}`)
  return suite
}

export interface Setting {
  readonly subject: Side
  readonly script: Script
  readonly client?: Partial<TlsConfig.ClientOptions>
  readonly server?: TlsConfig.ServerOptions
  /** Of the puppet. */
  readonly suite?: CipherSuite13
  /** The subject, a server, asks for a certificate; the puppet shows one unless it is shy. */
  readonly asks?: "request" | "require"
  /** The subject, a client, has a certificate to show. */
  readonly isKnown?: boolean
  /** The subject has the session that both sides remember. */
  readonly remembers?: boolean
  /** What the application of the subject does; by default it reads to the end. */
  readonly use?: (connection: Connection) => Effect.Effect<{ readonly failure: string; readonly data: string }>
  /** Time passes, where nothing else can happen. */
  readonly waits?: boolean
}

export interface Outcome {
  /** The typed failure of the subject, or `clean`. */
  readonly failure: string
  readonly sentence: string
  /** What the subject was given to read. */
  readonly data: string
  /** The alerts that the puppet read: `application 2/47`. */
  readonly alerts: ReadonlyArray<string>
  readonly ended: "fin" | "reset" | undefined
  /** How many sessions the subject may still resume. */
  readonly sessions: number
  readonly connection: Connection | undefined
  readonly puppet: Puppet
}

export const lineOf = (error: TlsError.TlsError): string => {
  switch (error._tag) {
    case "AlertSent":
      return `AlertSent ${Reason.reasonCode(error.reason)} ${error.fault._tag} ${error.phase} ${error.version}`
    case "AlertReceived":
      return `AlertReceived ${error.level} ${Reason.reasonCode(error.reason)} ${error.phase} ${error.version}`
    case "Truncated":
      return `Truncated ${error.by} after ${error.bytesRead} ${error.phase} ${error.version}`
    case "HandshakeAborted":
      return `HandshakeAborted ${error.by} ${error.version}`
    default:
      return error._tag
  }
}

/** Reads until there is no more to read. Law 5: whoever reads again gets that end again. */
export const readToTheEnd = Effect.fnUntraced(function*(connection: Connection) {
  const decoder = new TextDecoder()
  let data = ""
  const read = Effect.map(connection.pull, (chunks) => {
    for (const chunk of chunks) data += decoder.decode(chunk, { stream: true })
  })
  const end = yield* Effect.flip(Effect.forever(read))
  const again = yield* Effect.orDie(Effect.flip(connection.pull))
  if (Cause.isDone(end)) assert.isTrue(Cause.isDone(again))
  else assert.strictEqual(again, end)
  return { failure: Cause.isDone(end) ? "clean" : lineOf(end), data, sentence: Cause.isDone(end) ? "" : end.message }
})

/** Waits for what can go on without the clock; `undefined` where it hangs. */
export const settled = <A, E>(fiber: Fiber.Fiber<A, E>): Effect.Effect<Exit.Exit<A, E> | undefined> =>
  Effect.gen(function*() {
    for (let turn = 0; turn < 3000; turn++) {
      const exit = fiber.pollUnsafe()
      if (exit !== undefined) return exit
      yield* Effect.yieldNow
    }
    return undefined
  })

const isStop = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.some((reason) => Cause.isDieReason(reason) && reason.defect === stop)

/** Plays the puppet to its end, and lets go of the transport then. */
const play = Effect.fnUntraced(function*(puppet: Puppet, transport: Transport.Transport, script: Script) {
  const story = script.story ?? ((puppet: Puppet) => (puppet.side === "server" ? serve : call)(puppet, script))
  const exit = yield* Effect.exit(story(puppet))
  if (Exit.isFailure(exit) && !isStop(exit.cause)) return yield* Effect.die(Cause.squash(exit.cause))
  yield* puppet.listen
  yield* transport.close()
})

/** Holds one conversation. Dies where it hangs, and where a transport is left open. */
export const converse = Effect.fnUntraced(
  function*(all: World, setting: Setting): Effect.fn.Return<Outcome, never, Primitives> {
    const { script, subject } = setting
    const side = other(subject)
    const watched = yield* all.cacheOf(setting.remembers === true ? subject : undefined)
    const ends = yield* TlsTest.ends({
      seed: "subject",
      identity: all.server,
      trust: all.trust,
      sessionCache: watched.cache,
      // The hybrid group takes its time, and has tests of its own.
      client: {
        serverName,
        groups: ["x25519", "secp256r1"],
        ...setting.isKnown === true ? { identity: all.client } : {},
        ...setting.client
      },
      server: {
        groups: ["x25519", "secp256r1"],
        ...setting.asks === undefined ? {} : { clientAuth: { mode: setting.asks, trust: all.clientTrust } },
        ...setting.server
      }
    })
    const socket = side === "client" ? ends.clientSocket : ends.serverSocket
    const transport = yield* Effect.orDie(Transport.open(socket, (effect) => effect))
    const suite = setting.suite ?? suiteOf(0x1301)
    const puppet = new Puppet(side, suite, transport, {
      inject: (bytes) => ends.wire.inject({ from: side, bytes }),
      cut: (by) => ends.wire.truncate({ from: side, by }),
      stall: ends.wire.stall({ from: subject }),
      release: ends.wire.release({ from: subject })
    })
    const known = {
      ...setting.remembers === true ? { session: all.remembered[side][1] } : {},
      ...script.isShy === true ? {} : { credential: all.credentials[side] }
    }
    let opened: Connection | undefined
    const real = Effect.scoped(Effect.gen(function*() {
      const connection = opened = yield* subject === "client" ? ends.connect : ends.accept
      return { sentence: "", ...yield* (setting.use ?? readToTheEnd)(connection) }
    })).pipe(
      Effect.catch((error) => Effect.succeed({ failure: lineOf(error), data: "", sentence: error.message }))
    )
    const playing = play(puppet, transport, { ...known, ...script })
    const fiber = yield* Effect.forkDetach(Effect.all([real, playing], { concurrency: 2 }))
    let exit = yield* settled(fiber)
    if (exit === undefined && setting.waits === true) {
      yield* TestClock.adjust("20 seconds")
      exit = yield* settled(fiber)
    }
    if (exit === undefined) return yield* Effect.die(new Error("the conversation hangs"))
    const [{ data, failure, sentence }] = yield* exit
    const over = (yield* ends.wire.passed).filter((_) => _._tag === "End").map((_) => _.from)
    assert.sameMembers([...new Set(over)], ["client", "server"], "a transport was left open")
    return {
      failure,
      sentence,
      data,
      alerts: puppet.alerts,
      ended: puppet.ended,
      sessions: yield* watched.alive,
      connection: opened,
      puppet
    }
  }
)

/** `[what, script, ...]`, and what is special about the setting. */
export type Row = readonly [name: string, script: Script, setting?: Omit<Setting, "subject" | "script"> | undefined]

const body = (effect: (all: World) => Effect.Effect<void, unknown, Primitives>) => () =>
  Effect.flatMap(world, effect).pipe(Effect.provide(NodePrimitives.layerPrimitives))

/**
 * The subject finds each of these wrong, says so with that alert, at level fatal and as the last thing it says, and its own side
 * learns the fault. `expected`: the number of the alert, the fault, and words of the sentence.
 */
export const refuses = (
  name: string,
  subject: Side,
  expected: string,
  rows: ReadonlyArray<readonly [...Row, words?: string]>
): void => {
  describe(name, () => {
    for (const [what, script, setting, words = ""] of rows) {
      it.effect(
        what,
        body((all) =>
          Effect.gen(function*() {
            const outcome = yield* converse(all, { ...setting, subject, script })
            const [code, fault] = expected.split(" ")
            assert.strictEqual(
              outcome.failure.split(" ").slice(0, 3).join(" "),
              `AlertSent ${code} ${fault}`,
              outcome.sentence
            )
            assert.include(outcome.sentence, words)
            assert.deepStrictEqual(outcome.alerts.map((alert) => alert.split(" ")[1]), [`2/${code}`])
            assert.strictEqual(outcome.puppet.heard.at(-1)?.type, 21)
            assert.strictEqual(outcome.ended, "fin")
          })
        )
      )
    }
  })
}

/** The subject bears each of these, reads the greeting of the puppet, and both close. */
export const accepts = (
  name: string,
  subject: Side,
  rows: ReadonlyArray<readonly [...Row, also?: (outcome: Outcome) => void]>
): void => {
  describe(name, () => {
    for (const [what, script, setting, also] of rows) {
      it.effect(
        what,
        body((all) =>
          Effect.gen(function*() {
            const outcome = yield* converse(all, { ...setting, subject, script })
            assert.deepStrictEqual([outcome.failure, outcome.data, ...outcome.alerts], [
              "clean",
              greeting,
              "application 1/0"
            ])
            also?.(outcome)
          })
        )
      )
    }
  })
}

/** How each of these ends for the subject (`failure`, `data`), and which alerts the puppet reads. */
export const ends = (
  name: string,
  subject: Side,
  rows: ReadonlyArray<readonly [...Row, failure: string, alerts: ReadonlyArray<string>, data?: string]>
): void => {
  describe(name, () => {
    for (const [what, script, setting, failure, alerts, data = ""] of rows) {
      it.effect(
        what,
        body((all) =>
          Effect.gen(function*() {
            const outcome = yield* converse(all, { ...setting, subject, script })
            assert.deepStrictEqual([outcome.failure, outcome.data, ...outcome.alerts], [failure, data, ...alerts])
          })
        )
      )
    }
  })
}

/** A conversation of its own. */
export const conversation = (
  name: string,
  test: (all: World) => Effect.Effect<void, unknown, Primitives>
): void => {
  it.effect(name, body(test))
}
