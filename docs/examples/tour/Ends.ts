/**
 * How connections of our side end in the tour, and what is said of it.
 */
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import type { Connection, TlsError } from "effect-tls"
import { ScenarioFailed, type Story, within } from "./Story.ts"

const unexpected = (message: string) => Effect.fail(new ScenarioFailed({ message }))

export const textOf = (chunks: ReadonlyArray<Uint8Array>): string =>
  chunks.map((chunk) => new TextDecoder().decode(chunk)).join("")

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

/** What comes next on a connection. */
export const read = (tls: Connection) => Effect.map(within("data from the peer", tls.pull), textOf)

/** How the data ends, where it has to: cleanly, or with a failure. */
export const endOf = (tls: Connection): Effect.Effect<"clean" | TlsError.TlsError, ScenarioFailed> =>
  within(
    "the end of the data",
    tls.pull.pipe(
      Effect.flatMap((chunks) => unexpected(`${JSON.stringify(textOf(chunks))} came in place of the end`)),
      Pull.catchDone(() => Effect.succeed("clean" as const)),
      Effect.catchIf((error) => error._tag !== "ScenarioFailed", (error) => Effect.succeed(error))
    )
  )

/** The failure of what has to fail. */
export const failureOf = <A, R>(
  effect: Effect.Effect<A, TlsError.TlsError, R>
): Effect.Effect<TlsError.TlsError, ScenarioFailed, R> =>
  within("a failure", Effect.flip(effect).pipe(Effect.catch(() => unexpected("it succeeded, and should have failed"))))

/** The type of an end: what a program can tell apart. */
export const typeOf = (end: "clean" | TlsError.TlsError): string => {
  if (end === "clean") return "a clean end"
  const reason = "reason" in end ? ` ${end.reason._tag}` : ""
  const fault = "fault" in end ? `, fault ${end.fault._tag}` : ""
  const rest = end._tag === "Truncated" ? `, by ${end.by}, after ${end.bytesRead} bytes` : ""
  return `${end._tag}${reason}${fault}${rest}`
}

/** Prints the sentence of a failure, as a program would. */
export const tell = (story: Story, end: "clean" | TlsError.TlsError): void => {
  if (end !== "clean") story.quote(end.message)
}

export const handshakeOf = ({ cipherSuite, resumed, version }: Connection): string =>
  `TLS ${version}, ${cipherSuite.name}, ${resumed ? "resumed" : "full handshake"}`
