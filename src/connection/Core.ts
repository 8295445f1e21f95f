/**
 * The state of one connection and everything that changes it without waiting: bytes in, decisions and sealed records out.
 * `Lane.ts` carries those to the transport.
 *
 * @since 0.1.0
 */
import { type Alert, fatal, toBytes, warning } from "../alert/Alert.ts"
import { told } from "../alert/Answer.ts"
import { type ClosureEvent, type ClosureState, type ClosureStep, transition } from "../alert/Closure.ts"
import type { Fault } from "../alert/Fault.ts"
import {
  alertReceived,
  alertSent,
  ConnectionClosed,
  type ErrorPhase,
  HandshakeAborted,
  type TlsError,
  Truncated
} from "../alert/TlsError.ts"
import type { Verdict } from "../alert/Verdict.ts"
import type { Traffic } from "../handshake/Channel.ts"
import { Inbound, type Incoming, type Target } from "../record/Inbound.ts"
import { Outbound } from "../record/Outbound.ts"
import type { Primitives } from "../secret/Primitives.ts"
import { budgetOf, handshakeLimitsOf, type Settings } from "../service/TlsConfig.ts"
import { ContentType } from "../wire/CodePoints.ts"
import { clean, type Ending } from "./Ending.ts"
import { Outbox } from "./Outbox.ts"
import { judgeRequest } from "./Renegotiation.ts"
import { Secrets } from "./Secrets.ts"
import { Traffic13 } from "./Traffic13.ts"
import { type FatalAlert, forgets, type UsedSession, UsedSessions } from "./UsedSessions.ts"

/**
 * @category models
 * @since 0.1.0
 */
export class Core {
  readonly role: "client" | "server"
  readonly settings: Settings
  readonly primitives: Primitives["Service"]
  readonly inbound: Inbound
  readonly outbound: Outbound
  readonly outbox: Outbox
  /** Application data that was opened and not yet read. */
  readonly received: Array<Uint8Array> = []
  readonly sessions = new UsedSessions()
  readonly secrets = new Secrets()
  #closure: ClosureState = "Open"
  #ending: Ending | undefined
  /** Closure steps that are still to be carried out, beyond what is in the outbox. Whoever carries one out takes it. */
  readonly due = new Set<ClosureStep>()
  #traffic: Traffic13 | undefined
  #bytesRead = 0
  #alertIsOut = false
  /** Our fatal alert, sealed. It is not said before the session is forgotten: whoever hears it may rely on that. */
  #lastWord: Uint8Array | undefined
  /** The latest answer to a request to renegotiate, sealed. */
  #declined: Uint8Array | undefined
  #isCancelled = false
  #peerCancelled = false
  #closedFirst: "local" | "peer" = "local"

  constructor(role: "client" | "server", primitives: Primitives["Service"], settings: Settings) {
    this.role = role
    this.settings = settings
    this.primitives = primitives
    this.inbound = new Inbound({
      budget: budgetOf(settings.limits),
      handshake: handshakeLimitsOf(settings.limits),
      observe: settings.observe,
      offers13: role === "client" && settings.versions.includes("1.3"),
      only13: !settings.versions.includes("1.2")
    })
    this.outbound = new Outbound(primitives, settings.observe, role === "client")
    this.outbox = new Outbox(this.outbound)
    this.outbound.padTo(settings.recordPadding)
  }

  get closure(): ClosureState {
    return this.#closure
  }

  /** Set once, by the first thing that ended the reading. */
  get ending(): Ending | undefined {
    return this.#ending
  }

  /** Whether a fatal alert of ours was sealed: the peer should get the time to read it. */
  get alertIsOut(): boolean {
    return this.#alertIsOut
  }

  /** Whether we had the last word, and the peer may still be talking: a reset would take it away (law 16). */
  get hasLastWord(): boolean {
    return this.#alertIsOut || this.#isCancelled
  }

  get isHandshaking(): boolean {
    return this.inbound.phase === "handshaking"
  }

  get anyRecordPassed(): boolean {
    return this.inbound.recordsReceived > 0 || this.outbound.state.sequence > 0 ||
      this.outbound.state.current.protection.isProtected
  }

  /** What a write gets now, where it cannot be carried out. */
  get refusal(): TlsError | undefined {
    if (this.#closure === "Open" || this.#closure === "CloseReceived") return undefined
    if (this.#ending?._tag === "Failed") return this.#ending.error
    return new ConnectionClosed({ by: this.#closedFirst })
  }

  /** What a read gets after the last data; `undefined` for a clean end. */
  get readFailure(): TlsError | undefined {
    if (this.#ending?._tag === "Failed") return this.#ending.error
    return this.#ending?._tag === "Released" ? new ConnectionClosed({ by: "local" }) : undefined
  }

  /** Whether there is something to carry out: bytes to send, or steps to take. */
  get hasDecided(): boolean {
    return !this.outbox.isEmpty || this.due.size > 0 || (this.#traffic?.tickets.length ?? 0) > 0
  }

  /** Takes the sessions that are due to be forgotten. */
  takeForgotten(): ReadonlyArray<UsedSession> {
    return this.due.delete("forget session") ? this.sessions.forget() : []
  }

  /** Whether this connection may still store sessions (law 11). */
  get mayStoreSessions(): boolean {
    return !this.sessions.isForgotten && this.#closure !== "Failed"
  }

  /** What TLS 1.3 goes on with after the handshake. */
  get traffic(): Traffic13 | undefined {
    return this.#traffic
  }

  openTraffic(traffic: Traffic): void {
    this.#traffic = new Traffic13(traffic, this.inbound, this.outbound, {
      seal: (message) => {
        this.settings.observe?.({ _tag: "Message", direction: "sent", type: message[0] ?? 0, length: message.length })
        return this.send(ContentType.handshake, message)
      },
      holds: (record) => this.outbox.holds(record)
    })
  }

  establish(): void {
    this.inbound.establish()
    this.secrets.endHandshake()
  }

  /** Seals one content and puts it into the outbox. */
  send(type: number, content: Uint8Array): Uint8Array {
    return this.outbox.add(type, [content], content.length)
  }

  /** Application data, RFC 5246 section 10. A fault where the key must not protect that much more. */
  sendData(parts: ReadonlyArray<Uint8Array>, length: number): Fault | undefined {
    if (!this.outbound.hasRoomFor(this.outbound.recordsFor(length))) this.#traffic?.updateWrite(false)
    if (!this.outbound.hasRoomFor(this.outbound.recordsFor(length))) {
      return { _tag: "KeyWornOut", limit: this.outbound.state.current.protection.recordLimit }
    }
    this.outbox.add(ContentType.application_data, parts, length)
    return undefined
  }

  sendAlert(alert: Alert): Uint8Array {
    const record = this.#sealAlert(alert)
    this.outbox.records.push(record)
    return record
  }

  #sealAlert(alert: Alert): Uint8Array {
    this.outbox.sealFlight()
    const { isProtected } = this.outbound.state.current.protection
    const record = this.outbound.seal(ContentType.alert, toBytes(alert))
    this.settings.observe?.({ _tag: "Alert", direction: "sent", alert, isProtected })
    return record
  }

  /** Puts the fatal alert of `fail` into the outbox, once. */
  sayLastWord(): void {
    if (this.#lastWord !== undefined) this.outbox.records.push(this.#lastWord)
    this.#lastWord = undefined
  }

  /** The one place where this side fails (laws 1 and 5): the first fault wins, is answered, and is stored. */
  fail(fault: Fault): TlsError {
    if (this.#ending?._tag === "Failed") return this.#ending.error
    const error = alertSent(fault, this.#errorPhase(), this.inbound.version, this.settings.policies.masking)
    const steps = this.#step("fault")
    if (steps === undefined) return this.refusal ?? error
    // The reading may have ended in order before.
    this.secrets.endConnection()
    if (steps.includes("send alert")) {
      this.#alertIsOut = true
      this.#lastWord = this.#sealAlert(fatal(told(fault, this.inbound.version, this.settings.policies.masking)))
    }
    return this.#failureOf(this.#end({ _tag: "Failed", error }))
  }

  /** An end that nobody is told of, and that forgets nothing: the transport failed, or time ran out. */
  abandon(error: TlsError): TlsError {
    if (this.#ending !== undefined) return this.#failureOf(this.#ending)
    this.#closure = "Failed"
    this.due.add("end transport")
    return this.#failureOf(this.#end({ _tag: "Failed", error }))
  }

  /** Our close_notify, once (RFC 5246 section 7.2.1). */
  closeNotify(): void {
    this.#step("close")
  }

  /** RFC 5246 section 7.2.2: user_canceled should be followed by close_notify. */
  cancel(): void {
    if (this.#closure !== "Open") return
    this.#isCancelled = true
    this.sendAlert(warning("user_canceled"))
    this.closeNotify()
  }

  /** The read side of the transport is over. */
  transportEnd(by: "fin" | "reset"): void {
    if (this.#ending !== undefined) return
    const { deframer: { isMidRecord: midRecord }, isCut } = this.inbound
    const phase = this.#errorPhase()
    if (this.#closure === "Open") this.#closedFirst = "peer"
    if (this.#step("transport end") === undefined) return
    const isAllowed = this.settings.policies.missingCloseNotify === "end" && by === "fin" && !isCut &&
      phase !== "handshaking"
    if (this.#closure !== "Truncated" || isAllowed) this.#end(clean)
    else {
      const how = { by, midRecord, phase, bytesRead: this.#bytesRead, version: this.inbound.version }
      this.#end({ _tag: "Failed", error: new Truncated(how) })
    }
  }

  /** A received alert, after its verdict. */
  judged(alert: Alert, verdict: Verdict): void {
    switch (verdict._tag) {
      case "Tolerate":
        if (alert.description === "user_canceled") this.#peerCancelled = true
        return
      case "Protest":
        this.fail(verdict.fault)
        return
      case "EndOfData":
        this.#closeNotifyReceived(verdict.forgets)
        return
      case "Terminate": {
        // close_notify has a verdict of its own, so only an error alert terminates.
        if (alert.description === "close_notify") return
        const phase = this.#errorPhase()
        const steps = this.#step("fatal alert")
        if (steps === undefined || this.#closure !== "Failed") return
        const error = alertReceived({ ...alert, description: alert.description }, phase, this.inbound.version)
        this.#end({ _tag: "Failed", error })
      }
    }
  }

  /** Takes in what was received on the open connection: data to `received`, or into the target as long as it fits. */
  process(target?: Target): void {
    if (this.#ending === undefined && this.#closure === "Open") this.#traffic?.renewRead()
    while (this.#ending === undefined) {
      const at = target?.at
      const incoming = this.inbound.next(target)
      if (incoming === undefined) return
      if (incoming._tag === "Data") {
        this.#bytesRead += incoming.bytes.length
        if (target?.at === at) this.received.push(incoming.bytes)
        // What comes after data that did not fit must not overtake it.
        if (target !== undefined && (target.at === at || target.at === target.buffer.length)) return
      } else this.#established(incoming)
    }
  }

  /** In a handshake that can go on no more: whether the peer had said why. */
  processAlerts(): void {
    while (this.#ending === undefined) {
      const incoming = this.inbound.next()
      if (incoming?._tag === "Alert") this.judged(incoming.alert, incoming.verdict)
      // Behind a ChangeCipherSpec it would take keys that nobody has installed.
      else if (incoming?._tag !== "Handshake") return
    }
  }

  #established(incoming: Exclude<Incoming, { readonly _tag: "Data" }>): void {
    switch (incoming._tag) {
      case "Alert":
        this.judged(incoming.alert, incoming.verdict)
        return
      case "ChangeCipherSpec":
        this.fail({ _tag: "MessageUnexpected", expected: ["application_data"], received: "change_cipher_spec" })
        return
      case "Handshake":
        this.#handshakeMessage(incoming.type, incoming.body)
        return
      default:
        this.fail(incoming)
    }
  }

  #handshakeMessage(type: number, body: Uint8Array): void {
    if (this.#traffic !== undefined) {
      const fault = this.#traffic.take(type, body, this.#closure === "Open" || this.#closure === "CloseReceived")
      if (fault !== undefined) this.fail(fault)
      return
    }
    const fault = judgeRequest(this.role, type, body) ?? this.inbound.spendRenegotiation()
    if (fault !== undefined) this.fail(fault)
    else if (this.#closure === "Open") this.#declineRenegotiation()
  }

  /** One answer does for all that was asked before it leaves: a peer that does not read makes nothing grow here. */
  #declineRenegotiation(): void {
    if (this.#declined !== undefined && this.outbox.holds(this.#declined)) return
    this.#declined = this.sendAlert(warning("no_renegotiation"))
  }

  /** RFC 5246 section 7.2.1; in a handshake it ends the handshake (law 8). */
  #closeNotifyReceived(forgets: boolean): void {
    const handshaking = this.isHandshaking
    const { version } = this.inbound
    const wasOpen = this.#closure === "Open"
    if (wasOpen) this.#closedFirst = "peer"
    if (this.#step("close_notify") === undefined) return
    if (forgets) this.#forget("received")
    if (handshaking && wasOpen) {
      // In TLS 1.3 the other direction could go on, and has nothing to go on with.
      this.#step("close")
      this.due.add("end transport")
      const by = this.#peerCancelled ? "user_canceled" : "close_notify"
      this.#end({ _tag: "Failed", error: new HandshakeAborted({ by, version }) })
    } else this.#end(clean)
  }

  /** Moves the closure on. `undefined` where the state absorbs the event. */
  #step(event: ClosureEvent): ReadonlyArray<ClosureStep> | undefined {
    const from = this.#closure
    const { state, steps } = transition(this.inbound.version, from, event)
    if (state === from && steps.length === 0) return undefined
    this.#closure = state
    for (const step of steps) {
      if (step === "send close_notify") this.sendAlert(warning("close_notify"))
      else if (step === "forget session") this.#forget(event === "fault" ? "sent" : "received")
      else if (step !== "send alert" && step !== "discard writes") this.due.add(step)
    }
    return steps
  }

  #forget(cause: FatalAlert): void {
    if (forgets(this.settings.policies.forgetting, cause, this.isHandshaking)) this.due.add("forget session")
  }

  #end(ending: Ending): Ending {
    this.#ending ??= ending
    // Whatever was to be said is sealed by now, and nothing more will be opened.
    if (this.#ending._tag === "Failed") {
      this.wipe()
      this.secrets.endConnection()
    }
    return this.#ending
  }

  /** What a call on the connection fails with after this end. */
  #failureOf(ending: Ending): TlsError {
    return ending._tag === "Failed" ? ending.error : new ConnectionClosed({ by: this.#closedFirst })
  }

  #errorPhase(): ErrorPhase {
    if (this.isHandshaking) return "handshaking"
    return this.#closure === "CloseSent" ? "closing" : "established"
  }

  /** Who reads on has nothing to read from. Behind our close_notify the peer's alerts still count: see `overhear`. */
  stopReading(): void {
    this.#end({ _tag: "Released" })
    if (this.#closure === "CloseSent") this.outbound.forget()
    else this.wipe()
  }

  /** Law 12: keys and secrets go as soon as nothing more will be sealed or opened. */
  wipe(): void {
    this.outbox.forget()
    this.inbound.forget()
    this.outbound.forget()
    this.secrets.endHandshake()
    this.#traffic?.forget()
    this.sessions.wipe()
  }
}
