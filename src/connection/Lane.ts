/**
 * Law 18: the one outbound lane. The order of sealing is the order on the wire, and what is sealed is handed over whole: whoever
 * gives up waiting leaves the hand-over to go on without it.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Semaphore from "effect/Semaphore"
import * as Socket from "effect/socket/Socket"
import { concat } from "../wire/Bytes.ts"
import type { Core } from "./Core.ts"
import type { Transport } from "./Transport.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Lane {
  /** Runs `seal` as the only one who seals, then hands over everything that is in the outbox. */
  readonly send: <E>(seal: Effect.Effect<void, E>) => Effect.Effect<void, E | Socket.SocketError>
  /** Hands over what is in the outbox. */
  readonly flush: Effect.Effect<void, Socket.SocketError>
  /** The same, by whoever has the lane, without waiting for it: for a reader, who must not wait on the peer's reader. */
  readonly flushLater: () => void
  /** Whether everything that was sealed is handed over. */
  readonly isIdle: () => boolean
  /** Stops the hand-over where it is: nothing more leaves. */
  readonly giveUp: Effect.Effect<void>
}

/** A hand-over that was given up is interrupted; those who waited for it get a failure, and go on. */
const outcome = (exit: Exit.Exit<void, Socket.SocketError>): Effect.Effect<void, Socket.SocketError> =>
  Exit.isSuccess(exit)
    ? Effect.void
    : Cause.hasInterruptsOnly(exit.cause)
    ? Effect.fail(new Socket.SocketError({ reason: new Socket.SocketWriteError({ cause: new Error("given up") }) }))
    : Effect.failCause(exit.cause)

/**
 * @category constructors
 * @since 0.1.0
 */
export const make = (core: Core, transport: Transport): Lane => {
  const lane = Semaphore.makeUnsafe(1)
  let handOver: Fiber.Fiber<void, Socket.SocketError> | undefined
  let hasGivenUp = false

  const writeOutbox: Effect.Effect<void, Socket.SocketError> = Effect.suspend(() => {
    if (hasGivenUp || core.outbox.length === 0) return Effect.void
    const [first] = core.outbox
    const bytes = core.outbox.length === 1 && first !== undefined ? first : concat(core.outbox)
    core.outbox.length = 0
    // The reader may have put an answer into the outbox meanwhile.
    return Effect.flatMap(transport.write(bytes), () => core.outbox.length === 0 ? Effect.void : writeOutbox)
  })

  // Runs on a fiber of its own, so that an interrupted writer neither cuts it nor waits for it. Most of the time it is over at
  // once, and nobody waits at all.
  const startHandOver = (): Fiber.Fiber<void, Socket.SocketError> => {
    handOver = Effect.runFork(Effect.ensuring(writeOutbox, lane.release(1)))
    return handOver
  }

  const send: Lane["send"] = (seal) =>
    Effect.uninterruptibleMask((restore) =>
      restore(lane.take(1)).pipe(
        Effect.andThen(Effect.onError(seal, () => lane.release(1))),
        Effect.flatMap(() => {
          const fiber = startHandOver()
          const exit = fiber.pollUnsafe()
          return exit === undefined ? Effect.flatMap(restore(Fiber.await(fiber)), outcome) : outcome(exit)
        })
      )
    )

  const flush = Effect.suspend(() => core.outbox.length === 0 ? Effect.void : send(Effect.void))

  // One fiber is enough, however often it is asked for while the lane is busy.
  let willFlush = false
  const flushLater = (): void => {
    if (willFlush || hasGivenUp || core.outbox.length === 0) return
    willFlush = true
    Effect.runFork(Effect.ensuring(
      Effect.ignoreCause(flush),
      Effect.sync(() => {
        willFlush = false
        flushLater()
      })
    ))
  }

  return {
    send,
    flush,
    flushLater,
    isIdle: () => core.outbox.length === 0 && handOver?.pollUnsafe() !== undefined,
    giveUp: Effect.suspend(() => {
      hasGivenUp = true
      core.outbox.length = 0
      return handOver === undefined ? Effect.void : Fiber.interrupt(handOver)
    })
  }
}
