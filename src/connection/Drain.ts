/**
 * What the peer says when nobody reads any more.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Socket from "effect/socket/Socket"
import { fromText } from "../wire/Bytes.ts"
import type { Core } from "./Core.ts"
import { andThen, isDone } from "./Sequence.ts"
import type { Batch, Perform, Transport } from "./Transport.ts"

/**
 * After our close_notify, and until the peer's: data has no reader, and is dropped, but a fatal alert is judged, and forgets the session
 * (RFC 5246 section 7.2.2). Anything that must not come ends the listening: there is nobody left who would protest.
 *
 * @category combinators
 * @since 0.1.0
 */
export const overhear = (core: Core): void => {
  while (core.closure === "CloseSent") {
    const incoming = core.inbound.next()
    switch (incoming?._tag) {
      case "Alert":
        core.judged(incoming.alert, incoming.verdict)
        break
      case "Data":
        break
      case "Handshake":
        // New keys of the peer, in TLS 1.3.
        if (core.traffic?.take(incoming.type, incoming.body, false) !== undefined) return
        break
      default:
        return
    }
  }
}

/**
 * Reads on, up to `drainBytes`, until the transport ends or is cut off. No fiber: most of them wait for one close_notify, and there are
 * two of them in the life of a pair of connections.
 *
 * @category models
 * @since 0.1.0
 */
export class Drain {
  readonly #core: Core
  readonly #transport: Transport
  readonly #perform: Perform
  readonly #forget: Effect.Effect<void>
  readonly #close: () => Effect.Effect<void>
  #left: number
  #stop: (() => Effect.Effect<void>) | undefined
  #callOff: (() => void) | undefined
  #isOver = false
  #isReading = false
  #isNextDue = false

  /** `perform` runs what cannot be done at once: `forget` where an alert demands it, and what `close`, called in any case, leaves to be done. */
  constructor(core: Core, transport: Transport, { close, forget, perform }: {
    readonly perform: Perform
    readonly forget: Effect.Effect<void>
    readonly close: () => Effect.Effect<void>
  }) {
    this.#core = core
    this.#transport = transport
    this.#perform = perform
    this.#forget = forget
    this.#close = close
    this.#left = core.settings.limits.drainBytes
  }

  /** Begins with what is there already, and then with the read that is under way, where there is one. */
  begin(reading: Fiber.Fiber<Batch, Socket.SocketError> | undefined): void {
    if (reading !== undefined) this.#stop = () => Fiber.interrupt(reading)
    this.#attempt(() =>
      this.#hear(() => {
        if (reading === undefined) this.#next()
        else reading.addObserver(this.#took)
      })
    )
  }

  /** The alarm that `end`s it, to be called off where it ends by itself. */
  endBy(callOff: () => void): void {
    this.#callOff = callOff
    if (this.#isOver) callOff()
  }

  /** Reads no more. */
  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#callOff?.()
    // Whoever has the transport next finds no read under way.
    const closed = andThen(this.#stop?.() ?? Effect.void, this.#close)
    if (!isDone(closed)) this.#perform(closed)
  }

  /** In a loop: the next batch may be there at once, again and again. */
  #next(): void {
    this.#isNextDue = true
    if (this.#isReading) return
    this.#isReading = true
    while (this.#isNextDue && !this.#isOver) {
      this.#isNextDue = false
      this.#stop = this.#transport.take(this.#took, this.#perform)
    }
    this.#isReading = false
  }

  readonly #took = (exit: Exit.Exit<Batch, Socket.SocketError>): void => {
    this.#attempt(() => {
      if (Exit.isSuccess(exit)) this.#take(exit.value)
      else this.end()
    })
  }

  /** What comes from the transport is in nobody's fiber: a defect ends the drain, and nobody is left who could be told. */
  #attempt(step: () => void): void {
    if (this.#isOver) return
    try {
      step()
    } catch {
      this.end()
    }
  }

  #take(batch: Batch): void {
    const isHeard = this.#core.closure === "CloseSent"
    for (const chunk of batch) {
      this.#left -= chunk.length
      if (isHeard) this.#core.inbound.push(typeof chunk === "string" ? fromText(chunk) : chunk)
    }
    const goOn = () => this.#left > 0 ? this.#next() : this.end()
    if (isHeard) this.#hear(goOn)
    else goOn()
  }

  #hear(then: () => void): void {
    overhear(this.#core)
    if (this.#core.due.has("forget session")) this.#perform(this.#forget).addObserver(() => this.#attempt(then))
    else then()
  }
}
