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
 * The alert that a foreign peer says it received: a fatal one before a warning, the first of its kind. Understands
 * openssl (`SSL alert number 48`, `SSL3 alert read:fatal:unknown CA`) and gnutls (`*** Received alert [48]`, and with
 * `--debug 5` also `Alert[2|48] - CA is unknown - was received`, which is all that gnutls-serv says).
 */
export const alertNumber = (output: string): number | undefined => {
  const read = openSslAlerts(output).filter((alert) => alert.direction === "read")
  return numberAt(output, /SSL alert number (\d+)/)
    ?? read.find((alert) => alert.level === "fatal" && alert.number !== undefined)?.number
    ?? numberAt(output, /Alert\[2\|(\d+)\] - .* - was received/)
    ?? numberAt(output, /Received alert \[(\d+)\]/)
    ?? read.find((alert) => alert.number !== undefined)?.number
}

/** The fatal alert that openssl says it sent. */
export const alertNumberSent = (output: string): number | undefined =>
  openSslAlerts(output).find((alert) => alert.direction === "write" && alert.level === "fatal")?.number
