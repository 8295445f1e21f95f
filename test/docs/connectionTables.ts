/** The tables of docs/alert-protocol.md about connections: how they end, and what they tolerate. */
import * as Duration from "effect/Duration"
import * as Record from "effect/Record"
import { type ClosureEvent, type ClosureState, parting, type ScopeEnd, transition } from "../../src/alert/Closure.ts"
import { defaultLimits, type Limits } from "../../src/service/TlsConfig.ts"
import { faultOf } from "../alert/faults.ts"
import { answered } from "./answers.ts"
import { table } from "./markdown.ts"

const states: ReadonlyArray<ClosureState> = ["Open", "CloseSent", "CloseReceived", "Closed", "Truncated", "Failed"]
const events: ReadonlyArray<readonly [ClosureEvent, string]> = [
  ["close", "we close"],
  ["close_notify", "close_notify comes"],
  ["transport end", "the transport ends"],
  ["fault", "we find a fault"],
  ["fatal alert", "a fatal alert comes"]
]

export const closure = (): string => {
  const cell = (version: "1.2" | "1.3", state: ClosureState, event: ClosureEvent): string => {
    const to = transition(version, state, event)
    if (to.state === state && to.steps.length === 0) return "stays"
    return [to.state === state ? "stays" : `**${to.state}**`, ...to.steps].join(", ")
  }
  return table(
    ["state", ...events.map(([, title]) => title)],
    states.map((state) => [
      `\`${state}\``,
      ...events.map(([event]) => {
        const [in12, in13] = [cell("1.2", state, event), cell("1.3", state, event)]
        return in12 === in13 ? in12 : `1.2: ${in12}; 1.3: ${in13}`
      })
    ])
  )
}

const ends: ReadonlyArray<ScopeEnd> = ["success", "failure", "interruption", "timeout", "defect"]

/** What is said in either phase under each policy, where that makes a difference. */
const said = (phase: "handshaking" | "established", end: ScopeEnd): string => {
  const under = (onFailure: "close_notify" | "internal_error") =>
    parting("Open", phase, end, { anyRecordPassed: true, onFailure })
  const [byDefault, other] = [under("close_notify"), under("internal_error")]
  return byDefault === other ? byDefault : `${byDefault}; ${other} with \`policies.onFailure: "internal_error"\``
}

export const goodbye = (): string =>
  table(
    ["the scope ends by", "in a handshake", "on the open connection"],
    ends.map((end) => [end, said("handshaking", end), said("established", end)])
  )

interface Limit {
  readonly what: string
  readonly isBytes?: true
  readonly beyond: string
}

const limited: { readonly [Option in keyof Limits]: Limit } = {
  warnings: { what: "warning alerts in a row", beyond: answered(faultOf("AlertFlood")) },
  emptyRecords: { what: "empty application data records in a row", beyond: answered(faultOf("EmptyRecordFlood")) },
  renegotiations: {
    what: "requests to renegotiate, with no data in between",
    beyond: answered(faultOf("RenegotiationFlood"))
  },
  keyUpdates: {
    what: "KeyUpdate messages that were not asked for, with no data in between",
    beyond: answered(faultOf("KeyUpdateFlood"))
  },
  handshakeMessage: {
    what: "the length of a handshake message but Certificate",
    isBytes: true,
    beyond: answered(faultOf("MessageTooLong"))
  },
  certificateChain: {
    what: "the length of a Certificate message",
    isBytes: true,
    beyond: answered(faultOf("CertificateChainTooLong"))
  },
  handshake: {
    what: "all handshake messages of the peer together",
    isBytes: true,
    beyond: answered(faultOf("HandshakeTooLong"))
  },
  handshakeTimeout: {
    what: "how long a handshake may take",
    beyond: `${said("handshaking", "timeout")}, and opening fails with \`HandshakeAborted\``
  },
  closeTimeout: {
    what: "how long our last record may take to leave, and `waitForPeer` may wait",
    beyond: "the transport is closed without it"
  },
  drainBytes: {
    what: "what is read and dropped after our last record",
    isBytes: true,
    beyond: "the transport is closed"
  },
  drainTimeout: {
    what: "how long that is waited for, and for what the peer had said before a write failed",
    beyond: "the transport is closed"
  }
}

const shown = (value: number | Duration.Duration, isBytes: boolean): string => {
  if (Duration.isDuration(value)) return Duration.format(value)
  if (!isBytes) return String(value)
  return value < 2 ** 20 ? `${value / 2 ** 10} KiB` : `${value / 2 ** 20} MiB`
}

export const limits = (): string =>
  table(
    ["option of `limits`", "what it limits", "default", "then"],
    Record.toEntries(limited).map(([option, { beyond, isBytes = false, what }]) => [
      `\`${option}\``,
      what,
      shown(defaultLimits[option], isBytes),
      beyond
    ])
  )
