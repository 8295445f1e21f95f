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

/**
 * @category models
 * @since 0.1.0
 */
export type LaneError = TlsError | Socket.SocketError

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

/** What is not Node's own may keep, transfer, or cut with `slice` what it is given: it gets no part of memory that others have parts of. */
const ownBytes = (bytes: Uint8Array): Uint8Array =>
  bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes)

const givenUp = (): Socket.SocketError =>
  new Socket.SocketError({ reason: new Socket.SocketWriteError({ cause: new Error("given up") }) })

/**
 * @category models
 * @since 0.1.0
 */
export class Lane {
  readonly #core: Core
  readonly #transport: Transport
  readonly #waiting: Array<Turn> = []
  #current: Turn | undefined
  #handOver: Fiber.Fiber<void, Socket.SocketError> | undefined
  #isBusy = false
  #hasGivenUp = false

  constructor(core: Core, transport: Transport) {
    this.#core = core
    this.#transport = transport
  }

  /** Whether everything that was sealed is handed over. */
  get isIdle(): boolean {
    return !this.#isBusy && this.#core.outbox.isEmpty
  }

  /**
   * Seals application data and hands it over with whatever is in the outbox. While the lane is busy, what several writers want
   * to send is gathered, and sealed together. That is done by the call; what is given back is what there is to wait for.
   */
  send(parts: ReadonlyArray<Uint8Array>, length: number): Effect.Effect<void, LaneError> {
    if (this.#isBusy) return this.#gather(parts, length)
    const turn = new Turn()
    turn.add(parts, length)
    const refusal = this.#seal(turn)
    if (refusal !== undefined) return Effect.fail(refusal)
    this.#start(turn)
    return turn.ended
  }

  /** Hands over what is in the outbox. */
  flush(): Effect.Effect<void, LaneError> {
    if (this.#core.outbox.isEmpty) return Effect.void
    if (this.#isBusy) return this.#gather([], 0)
    const turn = new Turn()
    this.#start(turn)
    return turn.ended
  }

  /** The same, without waiting for it: for a reader, who must not wait on the peer's reader. */
  flushLater(): void {
    if (!this.#isBusy && !this.#core.outbox.isEmpty) this.#start(new Turn())
  }

  /** Stops the hand-over where it is: nothing more leaves. */
  giveUp(): Effect.Effect<void> {
    this.#hasGivenUp = true
    this.#core.outbox.take()
    return this.#handOver === undefined ? Effect.void : Fiber.interrupt(this.#handOver)
  }

  // What is to be waited for runs on a fiber of its own, so that an interrupted writer neither cuts it nor waits for it. Most of
  // the time there is nothing.
  #start(turn: Turn): void {
    this.#isBusy = true
    const work = this.#run(turn)
    if (work === undefined) return
    this.#handOver = Effect.runFork(work)
    this.#handOver.addObserver((exit) => {
      if (Exit.isSuccess(exit)) return
      this.#isBusy = false
      this.#handOver = undefined
      const failure = Cause.hasInterruptsOnly(exit.cause) ? Exit.fail(givenUp()) : exit
      this.#current?.end(failure)
      for (const turn of this.#waiting.splice(0)) turn.end(failure)
    })
  }

  /**
   * Hands over the outbox for this turn, then for the next ones; the reader may put answers into it meanwhile. `undefined` where
   * all is done.
   */
  #run(turn: Turn): Effect.Effect<void, Socket.SocketError> | undefined {
    this.#current = turn
    const records = this.#core.outbox.take()
    const [first] = records
    if (first === undefined || this.#hasGivenUp) return this.#runNext()
    const bytes = records.length === 1 ? first : concat(records, this.#core.primitives.allocate)
    const { direct } = this.#transport
    if (direct?.writeNow(bytes) === true) {
      this.#written(bytes)
      return this.#runNext()
    }
    return Effect.flatMap(direct === undefined ? this.#transport.write(ownBytes(bytes)) : direct.drained, () => {
      this.#written(bytes)
      return this.#runNext() ?? Effect.void
    })
  }

  #written(bytes: Uint8Array): void {
    const { direct } = this.#transport
    if (direct !== undefined && direct.ownsMemory && direct.isWrittenOut) this.#core.primitives.release(bytes)
  }

  #runNext(): Effect.Effect<void, Socket.SocketError> | undefined {
    const done = this.#current
    this.#current = undefined
    if (this.#waiting.length === 0 && this.#core.outbox.isEmpty) {
      // Before the writer hears of it, who may go on at once.
      this.#isBusy = false
      this.#handOver = undefined
      done?.end(Exit.void)
      return undefined
    }
    done?.end(Exit.void)
    if (this.#waiting.length === 0) return this.#run(new Turn())
    // Readers come first: what they learn may be that nothing more is to be sent.
    return Effect.flatMap(Effect.yieldNow, () => {
      const turn = this.#waiting.shift() ?? new Turn()
      const refusal = this.#seal(turn)
      if (refusal !== undefined) turn.end(Exit.fail(refusal))
      return this.#run(turn) ?? Effect.void
    })
  }

  #seal(turn: Turn): TlsError | undefined {
    if (turn.length === 0) return undefined
    const { refusal } = this.#core
    if (refusal !== undefined) return refusal
    const parts = turn.writes.splice(0)
    const fault = this.#core.sendData(
      parts.length === 1 && parts[0] !== undefined ? parts[0] : parts.flat(),
      turn.length
    )
    return fault === undefined ? undefined : this.#core.fail(fault)
  }

  #gather(parts: ReadonlyArray<Uint8Array>, length: number): Effect.Effect<void, LaneError> {
    const last = this.#waiting.at(-1)
    const turn = last !== undefined && last.length < mostGathered ? last : new Turn()
    if (turn !== last) this.#waiting.push(turn)
    turn.add(parts, length)
    return Effect.onInterrupt(turn.ended, () => Effect.sync(() => turn.remove(parts, length)))
  }
}
