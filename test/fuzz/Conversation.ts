/**
 * One side of a conversation against bytes that somebody else said. Nothing is real but TLS: the transport is memory, and the
 * clock stands still, so what waits for time waits for ever and is seen as a hang.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { setImmediate } from "node:timers/promises"
import { descriptionCode } from "../../src/alert/Alert.ts"
import { entryOf } from "../../src/alert/Catalogue.ts"
import { descriptionOfReason, type Reason, reasonCode } from "../../src/alert/Reason.ts"
import type { TlsError } from "../../src/alert/TlsError.ts"
import type { Connection } from "../../src/connection/Connection.ts"
import { Primitives } from "../../src/secret/Primitives.ts"
import * as TlsTest from "../../src/TlsTest.ts"
import { concat, empty } from "../../src/wire/Bytes.ts"
import { ContentType } from "../../src/wire/CodePoints.ts"
import { headerLength } from "../harness/TlsRecords.ts"

export interface Setup {
  readonly role: TlsTest.Side
  readonly primitives: Primitives["Service"]
  readonly options: Effect.Effect<TlsTest.Options>
}

/** How it went: `label` is the same for every input that ended alike, `violations` is what must never be. */
export interface Outcome {
  readonly label: string
  readonly violations: ReadonlyArray<string>
}

/** Of one conversation: `read` is the application data that came. */
export interface Conversed extends Outcome {
  readonly read: Uint8Array
}

/** A clock that stands at that many milliseconds of the epoch. */
export const stoppedAt = (millis: number): Clock.Clock => ({
  currentTimeMillisUnsafe: () => millis,
  currentTimeMillis: Effect.succeed(millis),
  currentTimeNanosUnsafe: () => BigInt(millis) * 1_000_000n,
  currentTimeNanos: Effect.succeed(BigInt(millis) * 1_000_000n),
  monotonicTimeNanosUnsafe: () => 0n,
  monotonicTimeNanos: Effect.succeed(0n),
  sleep: () => Effect.never
})

/** All the input is there from the start, so a connection needs few turns of the event loop, whatever the machine. */
const maxTurns = 5_000

/** Says back what it reads, until there is no more. */
const echo = (connection: Connection, read: (bytes: Uint8Array) => void): Effect.Effect<void, TlsError> =>
  connection.pull.pipe(
    Effect.tap((chunks) => Effect.sync(() => chunks.forEach(read))),
    // Refused where the peer has closed meanwhile; what counts is how the reading ends.
    Effect.flatMap((chunks) => Effect.ignore(connection.writeAll(chunks))),
    Effect.forever,
    Effect.catchTag("Done", () => Effect.void)
  )

const nameOf = (reason: Reason): string => entryOf(descriptionOfReason(reason)).name

const labelOf = (exit: Exit.Exit<void, TlsError>): string => {
  if (Exit.isSuccess(exit)) return "clean"
  const error = exit.cause.reasons.find(Cause.isFailReason)?.error
  if (error === undefined) return Cause.hasDies(exit.cause) ? "defect" : "interrupted"
  switch (error._tag) {
    case "AlertSent":
      return `AlertSent ${nameOf(error.reason)}: ${error.fault._tag}`
    case "AlertReceived":
      return `AlertReceived ${nameOf(error.reason)}`
    case "Truncated":
      return `Truncated ${error.phase}`
    case "HandshakeAborted":
      return `HandshakeAborted ${error.by}`
    default:
      return error._tag
  }
}

interface Seen {
  /** Codes of the fatal alerts that we sealed. */
  readonly fatal: ReadonlyArray<number>
  /** The content type of the last record that we sealed. */
  readonly lastSealed: number | undefined
  readonly passed: ReadonlyArray<TlsTest.Passed>
}

const violationsOf = (exit: Exit.Exit<void, TlsError>, role: TlsTest.Side, seen: Seen): ReadonlyArray<string> => {
  const violations: Array<string> = []
  const ours = seen.passed.filter(({ from }) => from === role)
  const { fatal } = seen
  if (ours.some(({ _tag }) => _tag === "Bytes")) violations.push("something that is no record was sent")
  if (!ours.some(({ _tag }) => _tag === "End")) violations.push("the transport was left open")
  if (fatal.length > 1) violations.push(`${fatal.length} fatal alerts were sent`)
  if (Exit.isSuccess(exit)) {
    if (fatal.length > 0) violations.push("a clean end with a fatal alert")
    return violations
  }
  const error = exit.cause.reasons.find(Cause.isFailReason)?.error
  if (error === undefined || exit.cause.reasons.length !== 1) {
    return [...violations, `ended by a defect: ${Cause.pretty(exit.cause)}`]
  }
  if (error._tag === "AlertSent") {
    const code = reasonCode(error.reason)
    const last = ours.findLast((_) => _._tag === "Record")
    const fragment = last?.bytes.subarray(headerLength)
    if (error.fault._tag === "InternalFault") violations.push(`an internal fault: ${error.fault.why}`)
    if (error.phase === "closing") {
      if (fatal.length > 0) violations.push("an alert after close_notify")
    } else if (fatal.join() !== String(code)) {
      violations.push(`failed with ${code} and sent ${fatal.join() || "nothing"}`)
    } else if (seen.lastSealed !== ContentType.alert) violations.push("the alert is not the last record")
    // In the clear, where its bytes are to be seen.
    else if (fragment?.length === 2 && (fragment[0] !== 2 || fragment[1] !== code)) {
      violations.push(`the alert on the wire is ${fragment.join(",")}`)
    }
  } else if (fatal.length > 0) violations.push(`${error._tag} with a fatal alert sent`)
  if (error._tag === "HandshakeAborted" && error.by === "timeout") violations.push("out of time on a stopped clock")
  if (["TransportFailed", "ConnectionClosed", "InvalidOption"].includes(error._tag)) violations.push(error.message)
  return violations
}

/** Runs an effect that no time passes for, and says so where it does not come to an end. */
export const runStopped = async <A, E>(
  effect: Effect.Effect<A, E>
): Promise<Exit.Exit<A, E> | undefined> => {
  const fiber = Effect.runFork(Effect.provideService(effect, Clock.Clock, stoppedAt(0)))
  for (let turn = 0; turn < maxTurns; turn++) {
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return exit
    await setImmediate()
  }
  fiber.interruptUnsafe()
  return undefined
}

/** Says all of `chunks`, one after the other, then FIN, to a side that is just about to begin. */
export const converse = async (setup: Setup, chunks: ReadonlyArray<Uint8Array>): Promise<Conversed> => {
  const { primitives, role } = setup
  const from = role === "client" ? "server" : "client"
  const read: Array<Uint8Array> = []
  const fatal: Array<number> = []
  let lastSealed: number | undefined
  let wire: TlsTest.Wire | undefined
  const exit = await runStopped(
    Effect.gen(function*() {
      const options = yield* setup.options
      const ends = yield* TlsTest.ends({
        ...options,
        [role]: {
          ...options[role],
          observe: (_) => {
            if (_.direction !== "sent") return
            if (_._tag === "Record") lastSealed = _.contentType
            if (_._tag === "Alert" && _.alert.level === "fatal") fatal.push(descriptionCode(_.alert.description))
          }
        } satisfies NonNullable<TlsTest.Options[typeof role]>
      })
      wire = ends.wire
      for (const bytes of chunks) yield* wire.inject({ from, bytes })
      yield* wire.truncate({ from })
      const handshake = role === "client" ? ends.connect : ends.accept
      return yield* Effect.exit(
        Effect.scoped(Effect.flatMap(handshake, (connection) => echo(connection, (bytes) => read.push(bytes))))
      )
    }).pipe(Effect.provideService(Primitives, primitives))
  )
  if (exit === undefined || wire === undefined) return { label: "hang", violations: ["it hangs"], read: empty }
  if (Exit.isFailure(exit)) return { label: "defect", violations: [Cause.pretty(exit.cause)], read: empty }
  const { passed } = wire
  // The transport may be let go of a little later than the connection ends: see `release` in Wire.ts.
  const released = await runStopped(Effect.gen(function*() {
    for (;;) {
      const now = yield* passed
      if (now.some((_) => _._tag === "End" && _.from === role)) return now
      yield* Effect.yieldNow
    }
  }))
  return {
    label: labelOf(exit.value),
    read: concat(read),
    violations: violationsOf(exit.value, role, {
      fatal,
      lastSealed,
      passed: released !== undefined && Exit.isSuccess(released) ? released.value : await Effect.runPromise(passed)
    })
  }
}
