/**
 * How a connection ends, RFC 5246 section 7.2.1: the closure table of docs/alert-protocol.md as one total function.
 *
 * @since 0.1.0
 */
import type { Version } from "./Answer.ts"
import type { Phase } from "./Verdict.ts"

/**
 * - `Open`: both directions carry data.
 * - `CloseSent`: our close_notify is out; we write no more, and may still read.
 * - `CloseReceived`: the peer's close_notify came; only TLS 1.3 lets us go on writing.
 * - `Closed`: both sides said close_notify. The only clean end.
 * - `Truncated`: the transport ended without close_notify.
 * - `Failed`: a fatal alert was sent or received, or the transport failed.
 *
 * @category models
 * @since 0.1.0
 */
export type ClosureState = "Open" | "CloseSent" | "CloseReceived" | "Closed" | "Truncated" | "Failed"

/**
 * @category models
 * @since 0.1.0
 */
export type ClosureEvent = "close" | "close_notify" | "transport end" | "fault" | "fatal alert"

/**
 * What has to be done on the way to the new state, in this order.
 *
 * @category models
 * @since 0.1.0
 */
export type ClosureStep = "discard writes" | "send close_notify" | "send alert" | "forget session" | "end transport"

/**
 * @category models
 * @since 0.1.0
 */
export interface Transition {
  readonly state: ClosureState
  readonly steps: ReadonlyArray<ClosureStep>
}

const to = (state: ClosureState, ...steps: ReadonlyArray<ClosureStep>): Transition => ({ state, steps })

const open = (version: Version): Record<ClosureEvent, Transition> => ({
  close: to("CloseSent", "send close_notify"),
  // RFC 5246 section 7.2.1: respond with a close_notify of its own, discarding any pending writes. RFC 8446 section 6.1: the
  // other direction goes on.
  close_notify: version === "1.3"
    ? to("CloseReceived")
    : to("Closed", "discard writes", "send close_notify", "end transport"),
  "transport end": to("Truncated", "end transport"),
  fault: to("Failed", "send alert", "forget session", "end transport"),
  "fatal alert": to("Failed", "forget session", "end transport")
})

const closeSent: Record<ClosureEvent, Transition> = {
  close: to("CloseSent"),
  close_notify: to("Closed", "end transport"),
  "transport end": to("Truncated", "end transport"),
  // We promised to send nothing more, so nobody was told, and nothing is forgotten.
  fault: to("Failed", "end transport"),
  "fatal alert": to("Failed", "forget session", "end transport")
}

const closeReceived: Record<ClosureEvent, Transition> = {
  close: to("Closed", "send close_notify", "end transport"),
  close_notify: to("CloseReceived"),
  "transport end": to("CloseReceived"),
  fault: to("Failed", "send alert", "forget session", "end transport"),
  "fatal alert": to("CloseReceived")
}

const openUntil12 = open("1.2")
const open13 = open("1.3")

/**
 * @category combinators
 * @since 0.1.0
 */
export const transition = (version: Version, state: ClosureState, event: ClosureEvent): Transition => {
  switch (state) {
    case "Open":
      return (version === "1.3" ? open13 : openUntil12)[event]
    case "CloseSent":
      return closeSent[event]
    case "CloseReceived":
      return closeReceived[event]
    case "Closed":
    case "Truncated":
    case "Failed":
      return to(state)
  }
}

/**
 * How the scope of a connection ended.
 *
 * @category models
 * @since 0.1.0
 */
export type ScopeEnd = "success" | "failure" | "interruption" | "timeout" | "defect"

/**
 * What is said at the end of the scope: nothing, a goodbye, or a fatal alert.
 *
 * @category models
 * @since 0.1.0
 */
export type Parting = "silence" | "close_notify" | "user_canceled and close_notify" | "internal_error"

/**
 * Law 15: the goodbye depends on how the scope ended. `onFailure` is the policy for a typed failure of the application.
 *
 * @category combinators
 * @since 0.1.0
 */
export const parting = (
  state: ClosureState,
  phase: Phase,
  end: ScopeEnd,
  options: { readonly anyRecordPassed: boolean; readonly onFailure: "close_notify" | "internal_error" }
): Parting => {
  if (state !== "Open" && state !== "CloseReceived") return "silence"
  if (!options.anyRecordPassed) return "silence"
  if (end === "defect") return "internal_error"
  if (phase === "handshaking") {
    // RFC 5246 section 7.2.2: this alert should be followed by a close_notify.
    return end === "success" || end === "failure" ? "close_notify" : "user_canceled and close_notify"
  }
  return end === "failure" ? options.onFailure : "close_notify"
}
