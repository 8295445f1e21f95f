import { alertNumberOfName } from "./AlertNumbers.ts"

/** An alert as a foreign peer printed it. */
export interface PrintedAlert {
  readonly direction: "read" | "write"
  readonly level: "warning" | "fatal"
  /** `undefined` if the peer does not know its name */
  readonly number: number | undefined
}

/** The alerts in the `-state` output of openssl, in order. */
export const openSslAlerts = (output: string): ReadonlyArray<PrintedAlert> =>
  [...output.matchAll(/^SSL3 alert (read|write):(warning|fatal):(.*)$/gm)].map(([, direction, level, name]) => ({
    direction: direction === "write" ? "write" : "read",
    level: level === "warning" ? "warning" : "fatal",
    number: alertNumberOfName(name ?? "")
  }))

const numberAt = (output: string, pattern: RegExp): number | undefined => {
  const digits = output.match(pattern)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/**
 * The fatal alert that a foreign peer says it received, never a warning. Understands openssl (`SSL3 alert read:fatal:unknown CA`, and
 * `SSL alert number 116` beside it where it does not know the name: alone that says nothing of the level in TLS 1.3) and gnutls
 * (`A TLS fatal alert has been received` beside `*** Received alert [48]`, and with `--debug 5` also
 * `Alert[2|48] - CA is unknown - was received`, which is all that gnutls-serv says).
 */
export const fatalAlertNumber = (output: string): number | undefined => {
  const read = openSslAlerts(output).find(({ direction, level }) => direction === "read" && level === "fatal")
  if (read !== undefined) return read.number ?? numberAt(output, /SSL alert number (\d+)/)
  const told = numberAt(output, /Alert\[2\|(\d+)\] - .* - was received/)
  // Level and number come by different streams. The fatal one is the last.
  if (told !== undefined || !output.includes("*** Fatal error: A TLS fatal alert has been received.")) return told
  const last = [...output.matchAll(/\*\*\* Received alert \[(\d+)\]/g)].at(-1)?.[1]
  return last === undefined ? undefined : Number(last)
}

/** The fatal alert that openssl says it sent. */
export const alertNumberSent = (output: string): number | undefined =>
  openSslAlerts(output).find((alert) => alert.direction === "write" && alert.level === "fatal")?.number
