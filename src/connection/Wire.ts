/**
 * A connection at work on its transport: takes bytes in, carries out what the core decided, and ends it all in order.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Semaphore from "effect/Semaphore"
import * as Socket from "effect/socket/Socket"
import { type TlsError, TransportFailed } from "../alert/TlsError.ts"
import { withNow } from "../service/Now.ts"
import type { Session } from "../service/Session.ts"
import type { SessionCache, SessionKey } from "../service/SessionCache.ts"
import { fromText } from "../wire/Bytes.ts"
import type { Core } from "./Core.ts"
import { alarm, within } from "./Deadline.ts"
import { Drain } from "./Drain.ts"
import { Lane, type LaneError } from "./Lane.ts"
import { Reading } from "./Reading.ts"
import { andThen, isDone } from "./Sequence.ts"
import type { Traffic13 } from "./Traffic13.ts"
import { type Batch, endOf, type Perform, type Transport } from "./Transport.ts"

/** How the transport is released: at once, after a drain, or with a drain that nobody waits for. */
type Release = "now" | "drain" | "drain later"

/**
 * A class, and its effects are made when they are asked for: a server may hold many that are idle.
 *
 * @category models
 * @since 0.1.0
 */
export class Wire {
  readonly core: Core
  readonly lane: Lane
  readonly #transport: Transport
  readonly #cache: SessionCache["Service"]
  readonly #ended = Deferred.makeUnsafe<void>()
  #released: Deferred.Deferred<void> | undefined
  /** A read for an application that does not read. */
  #ahead: Fiber.Fiber<Batch, Socket.SocketError> | undefined
  #forgetting: Semaphore.Semaphore | undefined
  /** How many are in `#order`, or wait for it. */
  #ordering = 0
  #reading: Reading | undefined
  #hasWritten = false
  #isFailing = false

  constructor(core: Core, transport: Transport, cache: SessionCache["Service"]) {
    this.core = core
    this.lane = new Lane(core, transport)
    this.#transport = transport
    this.#cache = cache
    if (transport.direct?.ownsMemory === true) core.inbound.deframer.onSpent = core.primitives.release
  }

  get isReceiving(): boolean {
    return this.#reading !== undefined && !this.#reading.isOver
  }

  /** Waits until the reading has ended. */
  get ended(): Effect.Effect<void> {
    return Deferred.await(this.#ended)
  }

  /** Waits for more bytes and gives them to the core; the end of the transport is given to it as well. */
  receive(): Effect.Effect<void> {
    return this.#transport.direct === undefined
      ? Effect.withFiber(({ context }) => this.#receiveOn(Effect.runForkWith(context)))
      // Without need of a fiber.
      : this.#receiveOn(Effect.runFork)
  }

  #receiveOn(perform: Perform): Effect.Effect<void> {
    return Effect.callback((resume) => {
      // A writer may have looked ahead since the reader found nothing.
      if (this.core.received.length > 0 || this.core.ending !== undefined) return resume(Effect.void)
      if (this.#reading !== undefined) return this.#reading.follow(resume)
      this.#hasWritten = false
      const reading = this.#reading = new Reading(resume)
      reading.stop = this.#read((exit) => {
        // Called off: what had come all the same is taken.
        if (reading.isOver && Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)) return
        this.#endReading(reading, exit)
      }, perform)
      return Effect.suspend(() => {
        reading.isOver = true
        return Effect.ensuring(reading.stop(), Effect.sync(() => this.#endReading(reading)))
      })
    })
  }

  #endReading(reading: Reading, exit?: Exit.Exit<Batch, Socket.SocketError>): void {
    reading.isOver = true
    let outcome: Effect.Effect<void> = Effect.void
    try {
      if (exit !== undefined) this.#take(exit)
    } catch (defect) {
      outcome = Effect.die(defect)
    }
    const leave = (): void => {
      if (this.#reading === reading) this.#reading = undefined
    }
    // Where others wait, the reader that comes again at once has to wait behind them.
    if (!reading.isFollowed) leave()
    reading.resumeReader(outcome)
    leave()
    reading.resumeFollowers()
  }

  /** Has a waiting reader look at how things stand, and leaves the transport to another. */
  #yieldRead(): Effect.Effect<void> | undefined {
    const reading = this.#reading
    if (reading === undefined) return undefined
    reading.isOver = true
    const stopped = reading.stop()
    this.#endReading(reading)
    return stopped
  }

  /** Takes over the read that is under way, or begins one. */
  #read(then: (exit: Exit.Exit<Batch, Socket.SocketError>) => void, perform: Perform): () => Effect.Effect<void> {
    const ahead = this.#ahead
    if (ahead === undefined) return this.#transport.take(then, perform)
    const leave = ahead.addObserver((exit) => {
      this.#ahead = undefined
      then(exit)
    })
    return () => Effect.sync(leave)
  }

  #take(exit: Exit.Exit<Batch, Socket.SocketError>): void {
    if (Exit.isSuccess(exit)) {
      for (const chunk of exit.value) this.core.inbound.push(typeof chunk === "string" ? fromText(chunk) : chunk)
      return
    }
    const failure = exit.cause.reasons.find((reason) => reason._tag === "Fail")
    this.core.transportEnd(failure === undefined ? "reset" : endOf(failure.error))
  }

  /** Looks at what came while nobody read, without waiting, and looks out for more. */
  lookAhead(): void {
    const { core } = this
    if (this.#reading !== undefined || core.isHandshaking || core.ending !== undefined) return
    // What the handshake left unread came before whatever comes now.
    core.process()
    const exit = this.#ahead?.pollUnsafe()
    if (exit !== undefined) {
      this.#ahead = undefined
      this.#take(exit)
      core.process()
    }
    // One batch and no more is read for an application that does not read: who writes one answer after the other reads.
    if (
      this.#hasWritten && this.#ahead === undefined && core.received.length === 0 && core.ending === undefined
    ) this.#ahead = Effect.runFork(this.#transport.pull)
    this.#hasWritten = true
  }

  /** Takes over the read that is under way, or begins one. */
  get #nextBatch(): Effect.Effect<Batch, Socket.SocketError> {
    return Effect.suspend(() => {
      const reading = this.#ahead
      this.#ahead = undefined
      return reading === undefined ? this.#transport.pull : Fiber.join(reading)
    })
  }

  /** Seals data and hands it over; a failure of the transport becomes the failure of the connection. What is to be waited for is given back. */
  send(parts: ReadonlyArray<Uint8Array>, length: number): Effect.Effect<void, TlsError> {
    return this.#carried(this.lane.send(parts, length))
  }

  /** Hands over what is sealed, in the same way. */
  flush(): Effect.Effect<void, TlsError> {
    const { refusal } = this.core
    return this.#carried(refusal === undefined ? this.lane.flush() : Effect.fail(refusal))
  }

  #carried(handOver: Effect.Effect<void, LaneError>): Effect.Effect<void, TlsError> {
    if (isDone(handOver)) return Effect.void
    return handOver.pipe(
      Effect.catch((error) =>
        Socket.isSocketError(error) ? this.#writeFailed(error) : Effect.andThen(this.settle, Effect.fail(error))
      )
    )
  }

  /** An alert that was received before outranks the write error that followed it (law 16). */
  #writeFailed(cause: Socket.SocketError): Effect.Effect<never, TlsError> {
    const { core } = this
    return Effect.uninterruptible(Effect.suspend(() => {
      // The reader, where there is one, sees the same transport end. Where we let go ourselves, there is no more to be had.
      const rest = this.#released !== undefined
        ? Effect.void
        : this.isReceiving || this.#isFailing
        ? this.ended
        : this.#receiveRest()
      this.#isFailing = true
      const waiting = core.ending === undefined
        ? within(rest, core.settings.limits.drainTimeout)
        : Effect.void
      return Effect.flatMap(waiting, () => {
        const phase = core.isHandshaking ? "handshaking" : "established"
        const error = core.abandon(new TransportFailed({ operation: "write", cause, phase }))
        return Effect.andThen(this.settle, Effect.fail(error))
      })
    }))
  }

  /** What came before the transport failed, as far as it is still to be had. The end of the transport is no news here. */
  #receiveRest(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.core.isHandshaking) this.core.processAlerts()
      else this.core.process()
      if (this.core.ending !== undefined) return Effect.void
      // A read that is over is still to stop, or to be followed by another.
      if (this.#reading !== undefined) {
        const over = Effect.andThen(this.#reading.stop(), Effect.yieldNow)
        return Effect.flatMap(over, () => this.isReceiving ? this.ended : this.#receiveRest())
      }
      return this.#nextBatch.pipe(
        Effect.flatMap((chunks) => {
          this.#take(Exit.succeed(chunks))
          return this.#receiveRest()
        }),
        Effect.ignoreCause
      )
    })
  }

  /** Keeps a session, unless this connection has failed, and remembers it for the forgetting (law 11). */
  storeSession(key: SessionKey, session: Session): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.core.mayStoreSessions) return Effect.sync(() => session.wipe())
      this.core.sessions.add({ key, session })
      // The cache has a copy; what this connection needs it for is the name of what to forget.
      return Effect.onExitPrimitive(this.#cache.store(key, session), () => {
        session.wipe()
        return undefined
      })
    })
  }

  #storeTickets({ sessionOf, tickets }: Traffic13): Effect.Effect<void> {
    return withNow((now) => {
      // All of them at once: to store one may take longer than the secret lives that they are made of.
      const made = tickets.splice(0).flatMap((ticket) => sessionOf?.(ticket, now) ?? [])
      const [only] = made
      if (only !== undefined && made.length === 1) return this.storeSession(only.key, only.session)
      return Effect.ensuring(
        Effect.forEach(made, ({ key, session }) => this.storeSession(key, session), { discard: true }),
        Effect.sync(() => {
          for (const { session } of made) session.wipe()
        })
      )
    })
  }

  /** Whether there is nothing to be done in order, which is most of the time. */
  get #isSettled(): boolean {
    const { core } = this
    return core.due.size === 0 && !core.hasLastWord && this.#ordering === 0 && (core.traffic?.tickets.length ?? 0) === 0
  }

  /** Stores tickets, forgets sessions, and only then says a fatal alert: whoever hears it may rely on the forgetting. */
  #order(): Effect.Effect<void> {
    if (this.#isSettled) return Effect.void
    const { core } = this
    const { traffic } = core
    return Effect.suspend(() => {
      this.#ordering++
      const store = traffic !== undefined && traffic.tickets.length > 0 ? this.#storeTickets(traffic) : Effect.void
      const forget = (): Effect.Effect<void> | undefined => {
        const forgotten = core.takeForgotten()
        if (forgotten.length === 0) return undefined
        return Effect.forEach(forgotten, ({ key, session }) => this.#cache.invalidate(key, session), {
          concurrency: "unbounded",
          discard: true
        })
      }
      const speak = (): undefined => {
        core.sayLastWord()
      }
      // One at a time: who comes second, and may be about to let go of the transport, waits until the last word is out. A cache that dies of
      // one thing keeps nobody from the next.
      const ordered = (this.#forgetting ??= Semaphore.makeUnsafe(1)).withPermits(1)(
        Effect.onExitPrimitive(Effect.onExitPrimitive(store, forget), speak)
      )
      return Effect.onExitPrimitive(ordered, () => {
        this.#ordering--
        return undefined
      })
    })
  }

  /** Carries out what the core has decided since: answers, forgetting, then a fatal alert, the end of the transport. */
  get settle(): Effect.Effect<void> {
    return Effect.uninterruptible(Effect.suspend(() => this.#settle()))
  }

  #settle(): Effect.Effect<void> {
    const { core } = this
    if (core.ending !== undefined) Deferred.doneUnsafe(this.#ended, Effect.void)
    if (core.due.delete("end transport")) {
      return Effect.ensuring(
        this.#order(),
        Effect.suspend(() => this.#release(core.hasLastWord ? "drain later" : "now"))
      )
    }
    this.lane.flushLater()
    return this.#order()
  }

  /** Hands over what is left, within `closeTimeout`, and ends the write side of the transport. */
  get endWrite(): Effect.Effect<void> {
    return Effect.uninterruptible(
      Effect.suspend(() => andThen(this.#flushInTime(), () => this.#transport.endWrite()))
    )
  }

  /** Whatever is in the outbox leaves now, or never. */
  #flushInTime(): Effect.Effect<void> {
    this.lane.flushLater()
    // Most of the time it has left at once, and there is nothing to time.
    if (this.lane.isIdle) return Effect.void
    return Effect.ignoreCause(within(this.lane.flush(), this.core.settings.limits.closeTimeout))
  }

  /**
   * Carries out what was decided, and then releases the transport, whatever came of that. To be called inside of an effect that cannot be
   * interrupted.
   */
  part(how: Release): Effect.Effect<void> {
    const settled = this.#settle()
    return isDone(settled) ? this.#release(how) : Effect.ensuring(settled, Effect.suspend(() => this.#release(how)))
  }

  /** The transport is released: at once, after what is still to leave, or after a drain. */
  #release(how: Release): Effect.Effect<void> {
    if (this.#released !== undefined) return how === "drain" ? Deferred.await(this.#released) : Effect.void
    const released = this.#released = Deferred.makeUnsafe<void>()
    // What comes from now on is drained. Only who reads already may still see the end.
    if (!this.isReceiving) this.core.stopReading()
    return andThen(this.#flushInTime(), () =>
      andThen(this.lane.giveUp(), () =>
        how === "now"
          ? this.#close(released)
          : andThen(this.#drain(released), () => how === "drain" ? Deferred.await(released) : Effect.void)))
  }

  /**
   * RFC 5246 section 7.2.1 wants what was written to arrive: half-close, and read on, within limits, until the peer is done as well.
   * Nobody has to wait for either: a half-close may never end where the peer does not read.
   */
  #drain(released: Deferred.Deferred<void>): Effect.Effect<void> {
    return Effect.withFiber(({ context }) => {
      const { core } = this
      const perform = Effect.runForkWith(context)
      const ended = this.#transport.endWrite()
      if (ended !== Effect.void) perform(ended)
      const drain = new Drain(core, this.#transport, {
        perform,
        forget: Effect.suspend(() => this.#order()),
        close: () => this.#close(released)
      })
      const end = () => drain.end()
      // There is nothing more to read for who waits, and a peer that still writes should get to our alert (law 16).
      const yielded = core.ending === undefined ? undefined : this.#yieldRead()
      const begin = (): Effect.Effect<void> => {
        if (this.isReceiving) perform(this.ended).addObserver(end)
        else {
          drain.begin(this.#ahead)
          this.#ahead = undefined
        }
        drain.endBy(alarm(context, core.settings.limits.drainTimeout, end))
        return Effect.void
      }
      return yielded === undefined ? begin() : Effect.flatMap(yielded, begin)
    })
  }

  #close(released: Deferred.Deferred<void>): Effect.Effect<void> {
    this.core.stopReading()
    this.core.wipe()
    const reading = this.#ahead
    this.#ahead = undefined
    return andThen(
      this.#transport.close(),
      () =>
        andThen(reading === undefined ? Effect.void : Fiber.interrupt(reading), () => {
          Deferred.doneUnsafe(released, Effect.void)
          return Effect.void
        })
    )
  }
}
