/**
 * Law 2: a received alert is judged by one pure function. It returns a verdict and does nothing.
 *
 * @since 0.1.0
 */
import type { Alert } from "./Alert.ts"
import { descriptionCode, fromBytes, levelCode } from "./Alert.ts"
import type { Version } from "./Answer.ts"
import { type Budget, spend } from "./Budget.ts"
import type { Fault } from "./Fault.ts"

/**
 * @category models
 * @since 0.1.0
 */
export type Phase = "handshaking" | "established"

/**
 * What a received alert is judged by. `limit` is the size of the whole budget of warnings, for the sentence of the fault.
 *
 * @category models
 * @since 0.1.0
 */
export interface AlertContext {
  readonly version: Version
  readonly phase: Phase
  readonly budget: Budget
  readonly limits: Budget
}

/**
 * - `EndOfData`: close_notify. In a handshake it ends the handshake (law 8). `forgets` where it came at level fatal.
 * - `Tolerate`: go on, with the budget that is left.
 * - `Terminate`: the peer ended the connection.
 * - `Protest`: we end it, because of the alert.
 *
 * @category models
 * @since 0.1.0
 */
export type Verdict =
  | { readonly _tag: "EndOfData"; readonly forgets: boolean }
  | { readonly _tag: "Tolerate"; readonly budget: Budget }
  | { readonly _tag: "Terminate" }
  | { readonly _tag: "Protest"; readonly fault: Fault }

const terminate: Verdict = { _tag: "Terminate" }

const protest = (fault: Fault): Verdict => ({ _tag: "Protest", fault })

const tolerate = (context: AlertContext): Verdict => {
  const budget = spend(context.budget, "warnings")
  return budget === undefined
    ? protest({ _tag: "AlertFlood", limit: context.limits.warnings })
    : { _tag: "Tolerate", budget }
}

/**
 * Rows 5 to 10 of the verdict table (docs/alert-protocol.md): one whole alert, RFC 5246 section 7.2 and RFC 8446 section 6.
 *
 * @category combinators
 * @since 0.1.0
 */
export const judge = (context: AlertContext, alert: Alert): Verdict => {
  const { description, level } = alert
  const isKnownLevel = level === "warning" || level === "fatal"
  if (context.version === "1.3") {
    // RFC 8446 section 6: the level is not consulted, and unknown codes are errors.
    if (description === "close_notify") return { _tag: "EndOfData", forgets: false }
    if (description === "user_canceled") return tolerate(context)
    return terminate
  }
  if (description === "close_notify" && isKnownLevel) return { _tag: "EndOfData", forgets: level === "fatal" }
  if (!isKnownLevel) {
    return protest({ _tag: "AlertLevelUnknown", level: levelCode(level), code: descriptionCode(description) })
  }
  return level === "fatal" ? terminate : tolerate(context)
}

/**
 * What one alert record holds: whole alerts, and in TLS 1.2 perhaps half of one to come.
 *
 * @category models
 * @since 0.1.0
 */
export type AlertRecord =
  | { readonly _tag: "Alerts"; readonly alerts: ReadonlyArray<Alert>; readonly carry: number | undefined }
  | { readonly _tag: "Protest"; readonly fault: Fault }

/**
 * What is known of the place where an alert record arrived.
 *
 * @category models
 * @since 0.1.0
 */
export interface AlertRecordContext {
  readonly version: Version
  /** The level byte of an alert that the record before left half sent. */
  readonly carry: number | undefined
  /** The record came in the clear, after a protected one had been opened. */
  readonly unprotectedAfterProtected: boolean
}

/**
 * Rows 1, 2 and 4 of the verdict table: the record, before the alerts in it are judged. In TLS 1.2 an alert may be split over
 * records and several may share one (RFC 5246 section 6.2.1); in TLS 1.3 neither (RFC 8446 section 5.1).
 *
 * @category combinators
 * @since 0.1.0
 */
export const readAlertRecord = (context: AlertRecordContext, fragment: Uint8Array): AlertRecord => {
  if (fragment.length === 0) return { _tag: "Protest", fault: { _tag: "AlertEmpty" } }
  if (context.version === "1.3") {
    if (fragment.length !== 2) {
      return { _tag: "Protest", fault: { _tag: "AlertMalformed", length: fragment.length } }
    }
    if (context.unprotectedAfterProtected) {
      return { _tag: "Protest", fault: { _tag: "AlertUnprotected", code: fragment[1] ?? 0 } }
    }
  }
  const alerts: Array<Alert> = []
  let level = context.carry
  for (const byte of fragment) {
    if (level === undefined) level = byte
    else {
      alerts.push(fromBytes(level, byte))
      level = undefined
    }
  }
  return { _tag: "Alerts", alerts, carry: level }
}

/**
 * Row 3 of the verdict table: half an alert is pending, and `received` comes instead of its other half.
 *
 * @category combinators
 * @since 0.1.0
 */
export const interruptedAlert = (carry: number | undefined, received: string): Fault | undefined =>
  carry === undefined ? undefined : { _tag: "RecordInterleaved", pending: "alert", received }
