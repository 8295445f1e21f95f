/**
 * A transport in memory: two Effect `Socket`s, and the wire between them, which does what a hostile network does.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import { type Alert, toBytes } from "../alert/Alert.ts"
import { headerLength } from "../record/Deframer.ts"
import { concat, fromText } from "../wire/Bytes.ts"
import { ContentType, contentTypeName } from "../wire/CodePoints.ts"
import { Direction, type EndedBy, Framer, type Rule } from "./Direction.ts"

/**
 * @category models
 * @since 0.1.0
 */
export type Side = "client" | "server"

/**
 * Which record: `record` counts what `from` writes, and 0 is the next one.
 *
 * @category models
 * @since 0.1.0
 */
export interface RecordAt {
  readonly from: Side
  readonly record: number
}

/**
 * What was delivered, in order: a whole record with its header, bytes that are none, or the end of a direction.
 *
 * @category models
 * @since 0.1.0
 */
export type Passed =
  | { readonly _tag: "Record"; readonly from: Side; readonly contentType: number; readonly bytes: Uint8Array }
  | { readonly _tag: "Bytes"; readonly from: Side; readonly bytes: Uint8Array }
  | { readonly _tag: "End"; readonly from: Side; readonly by: EndedBy }

/**
 * The wire between two sockets. Its verbs act at once or on records to come, and take no time.
 *
 * One rule a record: of two verbs for the same record, the later one counts.
 *
 * @category models
 * @since 0.1.0
 */
export interface Cable {
  /** Turns one bit of the fragment, which begins after the header; 0 is its first bit, -1 its last, and so on round it. */
  readonly corrupt: (at: RecordAt & { readonly fragmentBit: number }) => Effect.Effect<void>
  /** The record never arrives. */
  readonly drop: (at: RecordAt) => Effect.Effect<void>
  /** The record arrives in chunks of so many bytes: the last size counts for the rest. One byte at a time by default. */
  readonly split: (at: RecordAt & { readonly sizes?: ReadonlyArray<number> }) => Effect.Effect<void>
  /** Delivers what `by` makes of the record, header included, each piece as a chunk of its own. */
  readonly replace: (at: RecordAt & { readonly by: Rule }) => Effect.Effect<void>
  /**
   * Ends what `from` says: after so many bytes more, or before a record; at once where neither is given. What `from` writes
   * later is lost. A `fin` (the default) ends this direction alone, a `reset` both.
   */
  readonly truncate: (options: {
    readonly from: Side
    readonly by?: EndedBy
    readonly bytes?: number
    readonly record?: number
  }) => Effect.Effect<void>
  /** What `from` writes stays on the way, from now on or from a record on; its writer does not wait. */
  readonly hold: (options: { readonly from: Side; readonly record?: number }) => Effect.Effect<void>
  /** As `hold`, and the writer waits, as on a socket whose peer does not read. */
  readonly stall: (options: { readonly from: Side; readonly record?: number }) => Effect.Effect<void>
  /** What was held arrives, all of it as one chunk, and writers go on. */
  readonly release: (options: { readonly from: Side }) => Effect.Effect<void>
  /** Adds bytes, or an alert in the clear, to what `from` has said. Nobody counts it as a record of `from`. */
  readonly inject: (
    options: { readonly from: Side } & ({ readonly bytes: Uint8Array } | { readonly alert: Alert })
  ) => Effect.Effect<void>
  /** What was delivered so far. */
  readonly passed: Effect.Effect<ReadonlyArray<Passed>>
}

/**
 * @category constructors
 * @since 0.1.0
 */
export const make = (): { readonly client: Socket.Socket; readonly server: Socket.Socket; readonly cable: Cable } => {
  const passed: Array<Passed> = []
  const direction = (from: Side): Direction => {
    const framer = new Framer()
    return new Direction({
      delivered: (bytes) => {
        for (const record of framer.push(bytes)) {
          const contentType = record[0] ?? 0
          passed.push(
            contentTypeName(contentType) === undefined || record[1] !== 3
              ? { _tag: "Bytes", from, bytes: record }
              : { _tag: "Record", from, contentType, bytes: record }
          )
        }
      },
      ended: (by) => {
        const rest = framer.takeRest()
        if (rest.length > 0) passed.push({ _tag: "Bytes", from, bytes: rest })
        passed.push({ _tag: "End", from, by })
        if (by === "reset") directions[from === "client" ? "server" : "client"].reset()
      }
    })
  }
  const directions = { client: direction("client"), server: direction("server") }
  const rule = ({ from, record }: RecordAt, by: Rule) =>
    Effect.sync(() => directions[from].setRule(directions[from].records + record, by))
  const hold = ({ from, record = 0 }: { readonly from: Side; readonly record?: number }, isFull: boolean) =>
    Effect.sync(() => directions[from].hold(directions[from].records + record, isFull))

  return {
    client: socketOf(directions.client, directions.server),
    server: socketOf(directions.server, directions.client),
    cable: {
      corrupt: (at) => rule(at, (record) => [turnBit(record, at.fragmentBit)]),
      drop: (at) => rule(at, () => []),
      split: (at) => rule(at, (record) => pieces(record, at.sizes ?? [])),
      replace: (at) => rule(at, at.by),
      truncate: ({ bytes, by = "fin", from, record }) =>
        Effect.sync(() => {
          const at = directions[from]
          const isNow = bytes === undefined && record === undefined
          at.cutAt(by, record === undefined ? Infinity : at.records + record, isNow ? 0 : bytes ?? Infinity)
        }),
      hold: (at) => hold(at, false),
      stall: (at) => hold(at, true),
      release: ({ from }) => Effect.sync(() => directions[from].release()),
      inject: (what) =>
        Effect.sync(() => {
          directions[what.from].inject(
            "bytes" in what
              ? what.bytes
              : concat([Uint8Array.of(ContentType.alert, 3, 3, 0, 2), toBytes(what.alert)])
          )
        }),
      passed: Effect.sync(() => passed.slice())
    }
  }
}

const turnBit = (record: Uint8Array, bit: number): Uint8Array => {
  const bits = (record.length - headerLength) * 8
  if (bits <= 0) return record
  const at = ((bit % bits) + bits) % bits
  const turned = record.slice()
  const byte = headerLength + (at >>> 3)
  turned[byte] = (turned[byte] ?? 0) ^ (0x80 >>> (at & 7))
  return turned
}

const pieces = (record: Uint8Array, sizes: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const out: Array<Uint8Array> = []
  for (let at = 0; at < record.length;) {
    const size = Math.max(1, sizes[out.length] ?? sizes.at(-1) ?? 1)
    out.push(record.subarray(at, at + size))
    at += size
  }
  return out
}

/** The socket of the side that writes `output` and reads `input`. It can be opened once. */
const socketOf = (output: Direction, input: Direction): Socket.Socket => {
  const isOpen = Latch.makeUnsafe(false)
  let wasOpened = false
  const write: Socket.Writer["write"] = (chunk) => {
    // Before the reader is there, and after it is gone, a write waits: so it is with every Effect socket.
    if (!Socket.isCloseEvent(chunk)) {
      return isOpen.whenOpen(output.write(typeof chunk === "string" ? fromText(chunk) : chunk))
    }
    return Effect.sync(() => output.close())
  }
  return Socket.make({
    reader: Effect.gen(function*() {
      if (wasOpened) {
        return yield* new Socket.SocketError({
          reason: new Socket.SocketOpenError({ kind: "Unknown", cause: new Error("this end was opened before") })
        })
      }
      wasOpened = true
      yield* Scope.addFinalizer(
        yield* Effect.scope,
        Effect.sync(() => {
          isOpen.closeUnsafe()
          output.close()
          input.letGo()
        })
      )
      isOpen.openUnsafe()
      return { pull: input.pull, upgrade: Socket.SocketUpgradeError.unsupported }
    }),
    writer: Effect.gen(function*() {
      yield* Scope.addFinalizer(yield* Effect.scope, Effect.sync(() => output.close()))
      return {
        write,
        writeAll: (chunks) => write(concat(chunks.map((chunk) => typeof chunk === "string" ? fromText(chunk) : chunk)))
      }
    })
  })
}
