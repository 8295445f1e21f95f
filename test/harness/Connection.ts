import * as Effect from "effect/Effect"
import type { Socket } from "node:net"
import { HarnessError } from "./HarnessError.ts"
import { makeReceived } from "./Received.ts"
import { splitRecords } from "./TlsRecords.ts"
import { makeWatch, type Watch } from "./Watch.ts"

/** One end of a TCP or node:tls connection: what came in, in full, and every way to answer. */
export interface Connection<S extends Socket = Socket> {
  readonly socket: S
  readonly received: Uint8Array
  /** `received` as UTF-8 */
  readonly text: string
  /** `received` cut into whole TLS records */
  readonly records: ReadonlyArray<Uint8Array>
  /** the peer's FIN (or, with node:tls, its close_notify) has come */
  readonly ended: boolean
  readonly errors: ReadonlyArray<Error>
  readonly send: (data: string | Uint8Array) => Effect.Effect<void>
  /** FIN, after all that was sent (with node:tls: close_notify first) */
  readonly end: Effect.Effect<void>
  /** RST, at once */
  readonly reset: Effect.Effect<void>
  readonly waitForBytes: (count: number) => Effect.Effect<Uint8Array, HarnessError>
  readonly waitForText: (pattern: RegExp) => Effect.Effect<RegExpMatchArray, HarnessError>
  /** the first `count` records */
  readonly waitForRecords: (count: number) => Effect.Effect<ReadonlyArray<Uint8Array>, HarnessError>
  readonly waitForEnd: Effect.Effect<void, HarnessError>
  readonly waitForError: Effect.Effect<Error, HarnessError>
  /** both directions are over */
  readonly waitForClose: Effect.Effect<{ readonly hadError: boolean }, HarnessError>
  readonly until: Watch["until"]
  /** for what `until` cannot see by itself */
  readonly changed: Watch["changed"]
}

/**
 * Follows a socket from now on; to destroy it is its owner's part. `transport` is the TCP socket below a node:tls one,
 * which alone can be reset.
 */
export const makeConnection = <S extends Socket>(
  title: string,
  socket: S,
  transport: Socket = socket
): Connection<S> => {
  const received = makeReceived()
  const errors: Array<Error> = []
  let ended = false
  let closed: { readonly hadError: boolean } | undefined

  const details = () =>
    [
      `${title}, ${closed !== undefined ? "closed" : ended ? "ended" : "open"}`,
      `received ${received.bytes().length} bytes: ${
        Buffer.from(received.bytes().subarray(0, 2000)).toString("latin1")
      }`,
      ...errors.map((error) => `error: ${error.message}`)
    ].join("\n")
  const watch = makeWatch(details)

  socket.on("data", (chunk) => {
    received.push(chunk)
    watch.changed()
  })
  socket.on("end", () => {
    ended = true
    watch.changed()
  })
  socket.on("error", (error) => {
    errors.push(error)
    watch.changed()
  })
  socket.on("close", (hadError) => {
    closed = { hadError }
    watch.changed()
  })

  const until: Watch["until"] = (what, probe, every) =>
    watch.until(
      what,
      () => {
        const outcome = probe()
        if (outcome !== undefined || closed === undefined) return outcome
        return Effect.fail(new HarnessError({ what: `closed before ${what}`, details: details() }))
      },
      every
    )

  return {
    socket,
    get received() {
      return received.bytes()
    },
    get text() {
      return Buffer.from(received.bytes()).toString("utf8")
    },
    get records() {
      return splitRecords(received.bytes()).records
    },
    get ended() {
      return ended
    },
    errors,
    send: (data) => Effect.sync(() => void socket.write(data)),
    end: Effect.sync(() => void socket.end()),
    reset: Effect.sync(() => void transport.resetAndDestroy()),
    waitForBytes: (count) =>
      until(`${count} bytes`, () => {
        const bytes = received.bytes()
        return bytes.length < count ? undefined : Effect.succeed(bytes)
      }),
    waitForText: (pattern) => {
      const once = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ""))
      return until(`text matching ${pattern}`, () => {
        const match = Buffer.from(received.bytes()).toString("utf8").match(once)
        return match === null ? undefined : Effect.succeed(match)
      })
    },
    waitForRecords: (count) =>
      until(`${count} records`, () => {
        const { records } = splitRecords(received.bytes())
        return records.length < count ? undefined : Effect.succeed(records.slice(0, count))
      }),
    waitForEnd: until("its end", () => ended ? Effect.void : undefined),
    waitForError: until("an error", () => errors[0] === undefined ? undefined : Effect.succeed(errors[0])),
    waitForClose: watch.until("its close", () => closed === undefined ? undefined : Effect.succeed(closed)),
    until,
    changed: watch.changed
  }
}
