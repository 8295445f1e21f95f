/**
 * `effect-tls explain`: what an alert means and what to do about it.
 *
 * @since 0.1.0
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type { Entry } from "../alert/Catalogue.ts"
import { find, type Found, foundLocally } from "../alert/Lookup.ts"
import { CommandFailed, ExitCode } from "./Failure.ts"

const retries: Readonly<Record<Entry["retry"], string>> = {
  never: "does not help, as long as nothing is changed",
  "with a fresh session": "can help, with a full handshake in place of a resumption",
  later: "can help, some time later"
}

const describeLevel = (level: NonNullable<Found["level"]>): string =>
  typeof level === "number" ? `${level}, which TLS does not define` : level

const print = ({ entry, level }: Found): string =>
  [
    `${entry.name} (${entry.code})${entry.status === "assigned" ? "" : `, ${entry.status} in the registry`}`,
    "",
    ["meaning", entry.meaning],
    ["what to do", entry.advice],
    ["retry", retries[entry.retry]],
    ["sent by", `${entry.sender}, when ${entry.when}`],
    ...(level === undefined ? [] : [["level here", describeLevel(level)]]),
    ["in TLS 1.2", entry.levels["1.2"]],
    ["in TLS 1.3", entry.levels["1.3"]],
    ...(entry.versions.length === 0 ? [] : [["defined in", entry.versions.join(", ")]]),
    ["see", entry.references.join(", ")]
  ].map((line) => typeof line === "string" ? line : `  ${line[0]?.padEnd(12)}${line[1]}`).join("\n")

const text = Argument.String("alert").pipe(
  Argument.withDescription(
    "a name (unknown_ca), a number (48), two hexadecimal bytes (02 30), " +
      "or any text that holds \"SSL alert number N\" or an ERR_SSL_... code of Node"
  ),
  Argument.variadic({ min: 1 })
)

const refusal = (words: string): string => {
  const own = foundLocally(words)
  return own === undefined
    ? `${JSON.stringify(words)} names no alert: give a name such as unknown_ca, a number from 0 to 255, ` +
      "two hexadecimal bytes, or a text with \"SSL alert number N\" or a code such as ERR_SSL_TLSV1_ALERT_UNKNOWN_CA."
    : `${own} is what OpenSSL found wrong by itself on the side that printed it: no alert was received, ` +
      "so there is none to explain. What its peer was told stands in the log of the peer."
}

/**
 * @category commands
 * @since 0.1.0
 */
export const explain = Command.make("explain", { text }, ({ text }) => {
  const words = text.join(" ")
  const found = find(words)
  return found === undefined
    ? Effect.fail(
      new CommandFailed({
        message: refusal(words),
        exitCode: ExitCode.usage
      })
    )
    : Console.log(print(found))
}).pipe(
  Command.withDescription("Prints what an alert means, who sends it and when, and what can be done."),
  Command.withShortDescription("What an alert means, and what to do about it"),
  Command.withExamples([
    { command: "effect-tls explain unknown_ca" },
    { command: "effect-tls explain 48" },
    { command: "effect-tls explain 02 30" },
    { command: "effect-tls explain ERR_SSL_TLSV1_ALERT_UNKNOWN_CA" }
  ])
)
