/**
 * One direction of a cable in memory: what one side writes, what becomes of it on the way, and what the other side pulls.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Queue from "effect/Queue"
import * as Socket from "effect/socket/Socket"
import { headerLength, maxCiphertext } from "../record/Deframer.ts"
import { concat, empty } from "../wire/Bytes.ts"
import { contentTypeName } from "../wire/CodePoints.ts"

/**
 * How one direction ended: in order, or torn down.
 *
 * @category models
 * @since 0.1.0
 */
export type EndedBy = "fin" | "reset"

/**
 * What becomes of a record: the pieces that are delivered in its place, each as a chunk of its own.
 *
 * @category models
 * @since 0.1.0
 */
export type Rule = (record: Uint8Array) => ReadonlyArray<Uint8Array>

/**
 * Told of what was delivered, in order.
 *
 * @category models
 * @since 0.1.0
 */
export interface Listener {
  readonly delivered: (bytes: Uint8Array) => void
  readonly ended: (by: EndedBy) => void
}

const failed = (reason: ConstructorParameters<typeof Socket.SocketError>[0]["reason"]) =>
  new Socket.SocketError({ reason })

const readEnd = {
  fin: () => failed(new Socket.SocketCloseError({ code: 1000 })),
  reset: () => failed(new Socket.SocketReadError({ cause: new Error("connection reset by the peer") })),
  // What Effect's sockets say to a pull whose own scope is closed.
  released: () => failed(new Socket.SocketCloseError({ code: 1006 }))
} as const

const writeFailed = (why: string): Effect.Effect<never, Socket.SocketError> =>
  Effect.fail(failed(new Socket.SocketWriteError({ cause: new Error(why) })))

const writeGone = Effect.suspend(() => writeFailed("the peer is gone"))

/**
 * Cuts a byte stream into whole records. What is no TLS record is passed on as it comes, and so is all that follows it.
 *
 * @category models
 * @since 0.1.0
 */
export class Framer {
  #rest: Uint8Array = empty
  #isRecords = true

  push(bytes: Uint8Array): ReadonlyArray<Uint8Array> {
    const records: Array<Uint8Array> = []
    let left = this.#rest.length === 0 ? bytes : concat([this.#rest, bytes])
    while (this.#isRecords && left.length >= headerLength) {
      const length = ((left[3] ?? 0) << 8) | (left[4] ?? 0)
      if (contentTypeName(left[0] ?? 0) === undefined || left[1] !== 3 || length > maxCiphertext) {
        this.#isRecords = false
      } else {
        if (left.length < headerLength + length) break
        records.push(left.slice(0, headerLength + length))
        left = left.subarray(headerLength + length)
      }
    }
    if (!this.#isRecords && left.length > 0) {
      records.push(left.slice())
      left = empty
    }
    this.#rest = left.slice()
    return records
  }

  /** What was pushed and is no whole record. */
  takeRest(): Uint8Array {
    const rest = this.#rest
    this.#rest = empty
    return rest
  }
}

/**
 * What is not told otherwise arrives as it was written: a chunk for each write.
 *
 * @category models
 * @since 0.1.0
 */
export class Direction {
  readonly #listener: Listener
  readonly #framer = new Framer()
  readonly #rules = new Map<number, Rule>()
  readonly #queue = Effect.runSync(Queue.unbounded<Uint8Array, Socket.SocketError>())
  readonly #room = Latch.makeUnsafe(true)
  /** What waits for `release`; `undefined` where the direction flows. */
  #held: Array<Uint8Array> | undefined
  #holding: { readonly record: number; readonly isFull: boolean } | undefined
  #records = 0
  #cut: { readonly by: EndedBy; readonly record: number; bytes: number } | undefined
  #end: EndedBy | undefined
  #isClosed = false
  #isPulling = false
  #isReleased = false

  constructor(listener: Listener) {
    this.#listener = listener
  }

  /** Records that were written so far. */
  get records(): number {
    return this.#records
  }

  setRule(record: number, rule: Rule): void {
    this.#rules.set(record, rule)
  }

  /** Ends the direction before that record, or after that many more bytes, whichever comes first. */
  cutAt(by: EndedBy, record: number, bytes: number): void {
    this.#cut = { by, record, bytes }
    if (bytes === 0) this.#endBy(by)
  }

  /** From that record on what is written stays on the way; where `isFull`, its writer waits as well. */
  hold(record: number, isFull: boolean): void {
    this.#holding = { record, isFull }
    if (record <= this.#records) this.#startHolding(isFull)
  }

  #startHolding(isFull: boolean): void {
    this.#holding = undefined
    this.#held ??= []
    if (isFull) this.#room.closeUnsafe()
  }

  /** What was held arrives as one chunk. */
  release(): void {
    const held = this.#held
    this.#held = undefined
    this.#holding = undefined
    if (held !== undefined && held.length > 0) this.#arrive(concat(held))
    if (held !== undefined && this.#end !== undefined) this.#finish(this.#end)
    this.#room.openUnsafe()
  }

  /** The writer's side writes no more. */
  close(): void {
    this.#isClosed = true
    this.#deliver(this.#framer.takeRest())
    this.#endBy("fin")
  }

  /** The other direction was reset: what is still on the way is lost. */
  reset(): void {
    if (this.#held !== undefined) this.#held = []
    this.#endBy("reset")
  }

  /** The reader's side is gone: nothing that is written arrives any more. */
  letGo(): void {
    this.#isReleased = true
    this.#held = undefined
    Queue.failCauseUnsafe(this.#queue, Cause.fail(readEnd.released()))
    this.#room.openUnsafe()
  }

  /** Bytes that nobody wrote, past every rule. */
  inject(bytes: Uint8Array): void {
    this.#deliver(bytes.slice())
  }

  /** One at a time: two would steal from each other, and the sockets of Node forget the first of them. */
  readonly pull = Effect.suspend(() => {
    if (this.#isPulling) return Effect.die(new Error("two pulls at the same time"))
    this.#isPulling = true
    const taken = Effect.map(Queue.take(this.#queue), (chunk) => [chunk] as const)
    return Effect.ensuring(taken, Effect.sync(() => this.#isPulling = false))
  })

  readonly write = (bytes: Uint8Array): Effect.Effect<void, Socket.SocketError> =>
    Effect.suspend(() => {
      if (this.#isClosed) return writeFailed("written after the end")
      if (this.#isGone) return writeGone
      this.#accept(bytes)
      // As a socket does: the bytes are taken, and their writer waits until there is room again.
      return Effect.andThen(this.#room.await, Effect.suspend(() => this.#isGone ? writeGone : Effect.void))
    })

  get #isGone(): boolean {
    return this.#end === "reset" || this.#isReleased
  }

  #accept(bytes: Uint8Array): void {
    let unchanged: Array<Uint8Array> = []
    const flush = () => {
      this.#deliver(concat(unchanged))
      unchanged = []
    }
    for (const record of this.#framer.push(bytes)) {
      const index = this.#records++
      if (this.#cut !== undefined && index >= this.#cut.record) {
        flush()
        this.#endBy(this.#cut.by)
        return
      }
      if (this.#holding?.record === index) {
        flush()
        this.#startHolding(this.#holding.isFull)
      }
      const rule = this.#rules.get(index)
      if (rule === undefined) unchanged.push(record)
      else {
        this.#rules.delete(index)
        flush()
        for (const piece of rule(record)) this.#deliver(piece)
      }
    }
    flush()
  }

  #deliver(bytes: Uint8Array): void {
    if (bytes.length === 0 || this.#end !== undefined || this.#isReleased) return
    const passing = bytes.subarray(0, this.#cut?.bytes)
    if (this.#cut !== undefined) this.#cut.bytes -= passing.length
    if (this.#held === undefined) this.#arrive(passing)
    else this.#held.push(passing)
    if (this.#cut?.bytes === 0) this.#endBy(this.#cut.by)
  }

  #arrive(chunk: Uint8Array): void {
    this.#listener.delivered(chunk)
    Queue.offerUnsafe(this.#queue, chunk)
  }

  #endBy(by: EndedBy): void {
    if (this.#end !== undefined) return
    this.#end = by
    // A reset does not wait, and nobody waits for room any more.
    if (by === "reset" && this.#held !== undefined) this.release()
    else if (this.#held === undefined) this.#finish(by)
  }

  /** The queue gives what it has before it gives the error. */
  #finish(by: EndedBy): void {
    this.#listener.ended(by)
    Queue.failCauseUnsafe(this.#queue, Cause.fail(readEnd[by]()))
  }
}
