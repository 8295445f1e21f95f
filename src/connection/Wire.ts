/**
 * A connection at work on its transport: takes bytes in, carries out what the core decided, and ends it all in order.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Semaphore from "effect/Semaphore"
import * as Socket from "effect/socket/Socket"
import type { NonEmptyReadonlyArray } from "effect/Array"
import { type TlsError, TransportFailed } from "../alert/TlsError.ts"
import type { Session } from "../service/Session.ts"
import type { SessionCache, SessionKey } from "../service/SessionCache.ts"
import type { Core } from "./Core.ts"
import type { Traffic13 } from "./Traffic13.ts"
import * as Lane from "./Lane.ts"
import type { Transport, TransportEnd } from "./Transport.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Wire {
  readonly core: Core
  readonly lane: Lane.Lane
  /** Waits for more bytes and gives them to the core; the end of the transport is given to it as well. */
  readonly receive: Effect.Effect<void>
  /** Looks at what came while nobody read, without waiting, and looks out for more. */
  readonly lookAhead: () => void
  /** Keeps a session, unless this connection has failed, and remembers it for the forgetting (law 11). */
  readonly storeSession: (key: SessionKey, session: Session) => Effect.Effect<void>
  /** Carries out what the core has decided since: answers, forgetting, then a fatal alert, the end of the transport. */
  readonly settle: Effect.Effect<void>
  /** Seals data and hands it over; a failure of the transport becomes the failure of the connection. */
  readonly send: (parts: ReadonlyArray<Uint8Array>, length: number) => Effect.Effect<void, TlsError>
  /** Hands over what is sealed, in the same way. */
  readonly flush: Effect.Effect<void, TlsError>
  /** Hands over what is left, within `closeTimeout`, and ends the write side of the transport. */
  readonly endWrite: Effect.Effect<void>
  readonly isReceiving: () => boolean
  /** Waits until the reading has ended. */
  readonly ended: Effect.Effect<void>
  /** The transport is released: at once, after what is still to leave, or after a drain. */
  readonly release: (how: "now" | "drain" | "drain later") => Effect.Effect<void>
}

/**
 * @category constructors
 * @since 0.1.0
 */
export const make = (core: Core, transport: Transport, cache: SessionCache["Service"]): Wire => {
  const { limits } = core.settings
  const lane = Lane.make(core, transport)
  if (transport.memory !== undefined) core.inbound.deframer.onSpent = core.primitives.release
  const released = Deferred.makeUnsafe<void>()
  const ended = Deferred.makeUnsafe<void>()
  const forgetting = Semaphore.makeUnsafe(1)
  let ahead: Fiber.Fiber<NonEmptyReadonlyArray<Uint8Array>, TransportEnd> | undefined
  let isReceiving = false
  let hasWritten = false
  let isReleasing = false
  let isFailing = false

  const take = (exit: Exit.Exit<NonEmptyReadonlyArray<Uint8Array>, TransportEnd>): void => {
    if (Exit.isSuccess(exit)) {
      for (const chunk of exit.value) if (chunk.length > 0) core.inbound.push(chunk)
      return
    }
    const end = exit.cause.reasons.find((reason) => reason._tag === "Fail")?.error
    core.transportEnd(end?.by ?? "reset")
  }

  const receive: Effect.Effect<void> = Effect.suspend(() => {
    // A writer may have looked ahead since the reader found nothing.
    if (core.received.length > 0 || core.ending !== undefined) return Effect.void
    isReceiving = true
    hasWritten = false
    const pulled = ahead === undefined ? Effect.exit(transport.pull) : Fiber.await(ahead)
    return pulled.pipe(
      Effect.map((exit) => {
        ahead = undefined
        take(exit)
      }),
      Effect.ensuring(Effect.sync(() => {
        isReceiving = false
      }))
    )
  })

  const lookAhead = (): void => {
    if (isReceiving || core.isHandshaking || core.ending !== undefined) return
    // What the handshake left unread came before whatever comes now.
    core.process()
    const exit = ahead?.pollUnsafe()
    if (exit !== undefined) {
      ahead = undefined
      take(exit)
      core.process()
    }
    // One batch and no more is read for an application that does not read: who writes one answer after the other reads.
    if (hasWritten && ahead === undefined && core.received.length === 0 && core.ending === undefined) {
      ahead = Effect.runFork(transport.pull)
    }
    hasWritten = true
  }

  /** RFC 5246 section 7.2.1 wants what was written to arrive: read on, within limits, until the peer is done as well. */
  const drain: Effect.Effect<void> = Effect.suspend(() => {
    if (isReceiving) return Effect.asVoid(Effect.timeoutOption(Deferred.await(ended), limits.drainTimeout))
    let left = limits.drainBytes
    const pulled = Effect.suspend(() => {
      const fiber = ahead
      ahead = undefined
      return fiber === undefined ? transport.pull : Fiber.join(fiber)
    })
    const more: Effect.Effect<void, TransportEnd> = Effect.flatMap(pulled, (chunks) => {
      for (const chunk of chunks) left -= chunk.length
      return left > 0 ? more : Effect.void
    })
    return more.pipe(Effect.timeoutOption(limits.drainTimeout), Effect.ignoreCause)
  })

  const close = Effect.suspend(() => {
    core.letGo()
    const reading = ahead
    ahead = undefined
    return transport.close.pipe(
      Effect.andThen(reading === undefined ? Effect.void : Fiber.interrupt(reading)),
      Effect.andThen(Deferred.succeed(released, undefined)),
      Effect.asVoid
    )
  })

  /** Whatever is in the outbox leaves now, or never. */
  const lastFlush = Effect.suspend(() => {
    lane.flushLater()
    // Most of the time it has left at once, and there is nothing to time.
    return lane.isIdle() ? Effect.void : Effect.ignoreCause(Effect.timeoutOption(lane.flush, limits.closeTimeout))
  }).pipe(Effect.andThen(lane.giveUp))

  const release: Wire["release"] = (how) =>
    Effect.uninterruptible(Effect.suspend(() => {
      if (isReleasing) return how === "drain" ? Deferred.await(released) : Effect.void
      isReleasing = true
      // What comes from now on is drained. Only who reads already may still see the end.
      if (!isReceiving) core.letGo()
      const drained = how === "now" ? close : Effect.andThen(transport.endWrite, Effect.ensuring(drain, close))
      return Effect.andThen(
        lastFlush,
        how === "drain later" ? Effect.asVoid(Effect.forkDetach(drained, { startImmediately: true })) : drained
      )
    }))

  const storeSession: Wire["storeSession"] = (key, session) =>
    Effect.suspend(() => {
      if (!core.mayStoreSessions) return Effect.void
      core.sessions.add({ key, session })
      // The cache has a copy; what this connection needs it for is the name of what to forget.
      return Effect.ensuring(cache.store(key, session), Effect.sync(() => session.wipe()))
    })

  const storeTickets = ({ sessionOf, tickets }: Traffic13): Effect.Effect<void> =>
    Effect.forEach(
      tickets.splice(0),
      (ticket) =>
        sessionOf === undefined ? Effect.void : Effect.flatMap(
          sessionOf(ticket),
          (made) => made === undefined ? Effect.void : storeSession(made.key, made.session)
        ),
      { discard: true }
    )

  const settle = Effect.uninterruptible(Effect.suspend(() => {
    if (core.ending !== undefined) Deferred.doneUnsafe(ended, Effect.void)
    const store = core.traffic === undefined || core.traffic.tickets.length === 0
      ? Effect.void
      : storeTickets(core.traffic)
    const forget = Effect.suspend(() =>
      Effect.forEach(core.takeForgotten(), ({ key, session }) => cache.invalidate(key, session), {
        concurrency: "unbounded",
        discard: true
      })
    )
    // One at a time: who comes second, and may be about to let go of the transport, waits until the last word is out.
    const order = forgetting.withPermits(1)(Effect.andThen(
      Effect.andThen(store, forget),
      Effect.sync(() => core.sayLastWord())
    ))
    if (core.takeStep("end transport")) {
      return Effect.andThen(order, release(core.hasLastWord ? "drain later" : "now"))
    }
    lane.flushLater()
    return order
  }))

  /** What came before the transport failed, as far as it is still to be had. The end of the transport is no news here. */
  const receiveRest: Effect.Effect<void> = Effect.suspend(() => {
    if (core.isHandshaking) core.processAlerts()
    else core.process()
    if (core.ending !== undefined) return Effect.void
    const reading = ahead
    ahead = undefined
    return (reading === undefined ? transport.pull : Fiber.join(reading)).pipe(
      Effect.flatMap((chunks) => {
        take(Exit.succeed(chunks))
        return receiveRest
      }),
      Effect.ignoreCause
    )
  })

  /** An alert that was received before outranks the write error that followed it (law 16). */
  const writeFailed = (cause: Socket.SocketError): Effect.Effect<never, TlsError> =>
    Effect.uninterruptible(Effect.gen(function*() {
      // The reader, where there is one, sees the same transport end. Where we let go ourselves, there is no more to be had.
      const rest = isReleasing ? Effect.void : isReceiving || isFailing ? Deferred.await(ended) : receiveRest
      isFailing = true
      if (core.ending === undefined) yield* Effect.timeoutOption(rest, limits.drainTimeout)
      const phase = core.isHandshaking ? "handshaking" : "established"
      const error = core.abandon(new TransportFailed({ operation: "write", cause, phase }))
      yield* settle
      return yield* Effect.fail(error)
    }))

  const carried = (effect: Effect.Effect<void, TlsError | Socket.SocketError>): Effect.Effect<void, TlsError> =>
    effect.pipe(
      Effect.catch((error) =>
        Socket.isSocketError(error) ? writeFailed(error) : Effect.andThen(settle, Effect.fail(error))
      )
    )

  return {
    core,
    lane,
    receive,
    isReceiving: () => isReceiving,
    ended: Deferred.await(ended),
    lookAhead,
    storeSession,
    settle,
    release,
    endWrite: Effect.uninterruptible(lane.flush.pipe(
      Effect.timeoutOption(limits.closeTimeout),
      Effect.ignoreCause,
      Effect.andThen(transport.endWrite)
    )),
    send: (parts, length) => carried(lane.send(parts, length)),
    flush: carried(Effect.suspend(() => core.refusal === undefined ? lane.flush : Effect.fail(core.refusal)))
  }
}
