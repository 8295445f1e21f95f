/**
 * Law 18: the one outbound lane. The order of sealing is the order on the wire, and what is sealed is handed over whole: whoever
 * gives up waiting leaves the hand-over to go on without it.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Socket from "effect/socket/Socket"
import type { TlsError } from "../alert/TlsError.ts"
import { concat } from "../wire/Bytes.ts"
import type { Core } from "./Core.ts"
import type { Transport } from "./Transport.ts"

type LaneError = TlsError | Socket.SocketError

/**
 * @category models
 * @since 0.1.0
 */
export interface Lane {
  /**
   * Seals application data and hands it over with whatever is in the outbox. While the lane is busy, what several writers want
   * to send is gathered, and sealed together.
   */
  readonly send: (parts: ReadonlyArray<Uint8Array>, length: number) => Effect.Effect<void, LaneError>
  /** Hands over what is in the outbox. */
  readonly flush: Effect.Effect<void, LaneError>
  /** The same, without waiting for it: for a reader, who must not wait on the peer's reader. */
  readonly flushLater: () => void
  /** Whether everything that was sealed is handed over. */
  readonly isIdle: () => boolean
  /** Stops the hand-over where it is: nothing more leaves. */
  readonly giveUp: Effect.Effect<void>
}

const mostGathered = 2 ** 18

/** What is sealed and handed over at once, for one writer or several. */
class Turn {
  readonly writes: Array<ReadonlyArray<Uint8Array>> = []
  length = 0
  #exit: Exit.Exit<void, LaneError> | undefined
  #done: Deferred.Deferred<void, LaneError> | undefined

  add(parts: ReadonlyArray<Uint8Array>, length: number): void {
    this.writes.push(parts)
    this.length += length
  }

  /** Takes back what was not sealed yet. */
  remove(parts: ReadonlyArray<Uint8Array>, length: number): void {
    const at = this.writes.indexOf(parts)
    if (at < 0) return
    this.writes.splice(at, 1)
    this.length -= length
  }

  /** The first end counts. */
  end(exit: Exit.Exit<void, LaneError>): void {
    this.#exit ??= exit
    if (this.#done !== undefined) Deferred.doneUnsafe(this.#done, this.#exit)
  }

  get ended(): Effect.Effect<void, LaneError> {
    return this.#exit ?? Deferred.await(this.#done ??= Deferred.makeUnsafe())
  }
}

const givenUp = (): Socket.SocketError =>
  new Socket.SocketError({ reason: new Socket.SocketWriteError({ cause: new Error("given up") }) })

/**
 * @category constructors
 * @since 0.1.0
 */
export const make = (core: Core, transport: Transport): Lane => {
  const waiting: Array<Turn> = []
  let current: Turn | undefined
  let handOver: Fiber.Fiber<void, Socket.SocketError> | undefined
  let isBusy = false
  let hasGivenUp = false

  const seal = (turn: Turn): TlsError | undefined => {
    if (turn.length === 0) return undefined
    const { refusal } = core
    if (refusal !== undefined) return refusal
    const parts = turn.writes.splice(0)
    const fault = core.sendData(parts.length === 1 && parts[0] !== undefined ? parts[0] : parts.flat(), turn.length)
    return fault === undefined ? undefined : core.fail(fault)
  }

  /** Hands over the outbox for this turn, then for the next ones. The reader may put answers into it meanwhile. */
  const run = (turn: Turn): Effect.Effect<void, Socket.SocketError> => {
    current = turn
    if (hasGivenUp) core.outbox.length = 0
    if (core.outbox.length === 0) return runNext
    const [first] = core.outbox
    const bytes = core.outbox.length === 1 && first !== undefined ? first : concat(core.outbox)
    core.outbox.length = 0
    return Effect.flatMap(transport.write(bytes), () => {
      if (transport.memory?.isWrittenOut() === true) core.primitives.release(bytes)
      return runNext
    })
  }

  const runNext: Effect.Effect<void, Socket.SocketError> = Effect.suspend(() => {
    current?.end(Exit.void)
    current = undefined
    if (waiting.length === 0) return core.outbox.length === 0 ? Effect.void : run(new Turn())
    // Readers come first: what they learn may be that nothing more is to be sent.
    return Effect.flatMap(Effect.yieldNow, () => {
      const turn = waiting.shift() ?? new Turn()
      const refusal = seal(turn)
      if (refusal !== undefined) turn.end(Exit.fail(refusal))
      return run(turn)
    })
  })

  // Runs on a fiber of its own, so that an interrupted writer neither cuts it nor waits for it. Most of the time it is over at
  // once, and nobody waits at all.
  const start = (turn: Turn): void => {
    isBusy = true
    handOver = Effect.runFork(Effect.suspend(() => run(turn)))
    handOver.addObserver((exit) => {
      isBusy = false
      if (Exit.isSuccess(exit)) return
      const failure = Cause.hasInterruptsOnly(exit.cause) ? Exit.fail(givenUp()) : exit
      current?.end(failure)
      for (const turn of waiting.splice(0)) turn.end(failure)
    })
  }

  const gather = (parts: ReadonlyArray<Uint8Array>, length: number): Effect.Effect<void, LaneError> => {
    const last = waiting.at(-1)
    const turn = last !== undefined && last.length < mostGathered ? last : new Turn()
    if (turn !== last) waiting.push(turn)
    turn.add(parts, length)
    return Effect.onInterrupt(turn.ended, () => Effect.sync(() => turn.remove(parts, length)))
  }

  return {
    send: (parts, length) =>
      Effect.suspend(() => {
        if (isBusy) return gather(parts, length)
        const turn = new Turn()
        turn.add(parts, length)
        const refusal = seal(turn)
        if (refusal !== undefined) return Effect.fail(refusal)
        start(turn)
        return turn.ended
      }),
    flush: Effect.suspend(() => {
      if (core.outbox.length === 0) return Effect.void
      if (isBusy) return gather([], 0)
      const turn = new Turn()
      start(turn)
      return turn.ended
    }),
    flushLater: () => {
      if (!isBusy && core.outbox.length > 0) start(new Turn())
    },
    isIdle: () => !isBusy && core.outbox.length === 0,
    giveUp: Effect.suspend(() => {
      hasGivenUp = true
      core.outbox.length = 0
      return handOver === undefined ? Effect.void : Fiber.interrupt(handOver)
    })
  }
}
