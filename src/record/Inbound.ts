/**
 * The receiving half of the record protocol, RFC 5246 section 6.2: deframe, open, decompress, and hand each content to the
 * protocol it belongs to.
 *
 * @since 0.1.0
 */
import type { Alert } from "../alert/Alert.ts"
import type { Version } from "../alert/Answer.ts"
import { type Budget, defaultBudget, spend } from "../alert/Budget.ts"
import type { Fault } from "../alert/Fault.ts"
import { interruptedAlert, judge, type Phase, readAlertRecord, type Verdict } from "../alert/Verdict.ts"
import { ContentType, contentTypeName, ProtocolVersion } from "../wire/CodePoints.ts"
import { nullCompression } from "./Compression.ts"
import { ConnectionState } from "./ConnectionState.ts"
import {
  Deframer,
  headerLength,
  type HeaderRules,
  maxCiphertext,
  maxCompressed,
  maxPlaintext,
  type RawRecord
} from "./Deframer.ts"
import { HandshakeAssembly, type HandshakeLimits, type RawMessage } from "./HandshakeAssembly.ts"
import type { Observer } from "./Observer.ts"

/**
 * What the bytes received so far come to, one at a time.
 *
 * @category models
 * @since 0.1.0
 */
export type Incoming =
  | { readonly _tag: "Data"; readonly bytes: Uint8Array }
  | RawMessage
  | { readonly _tag: "ChangeCipherSpec" }
  | { readonly _tag: "Alert"; readonly alert: Alert; readonly verdict: Verdict }
  | Fault

/**
 * Where application data may be put instead of into a buffer of its own.
 *
 * @category models
 * @since 0.1.0
 */
export interface Target {
  readonly buffer: Uint8Array
  /** Where the next data goes; moved on by what was put. */
  at: number
}

/**
 * @category models
 * @since 0.1.0
 */
export interface InboundOptions {
  readonly budget: Budget
  readonly handshake: HandshakeLimits
  readonly observe: Observer | undefined
}

/**
 * An incremental parser with a state: `push` bytes, then take `next` until it is `undefined`. A fault is final; whoever takes
 * one must take no more.
 *
 * @category models
 * @since 0.1.0
 */
export class Inbound {
  readonly state = new ConnectionState()
  readonly deframer = new Deframer()
  readonly #assembly: HandshakeAssembly
  readonly #limits: Budget
  readonly #observe: Observer | undefined
  #budget: Budget
  #phase: Phase = "handshaking"
  #version: Version = "undecided"
  #alertCarry: number | undefined
  readonly #alerts: Array<Alert> = []
  #anyProtected = false
  #recordsReceived = 0

  constructor(options: Partial<InboundOptions> & { readonly handshake: HandshakeLimits }) {
    this.#limits = options.budget ?? defaultBudget
    this.#budget = this.#limits
    this.#observe = options.observe
    this.#assembly = new HandshakeAssembly(options.handshake, options.observe)
  }

  get version(): Version {
    return this.#version
  }

  get phase(): Phase {
    return this.#phase
  }

  /** How many whole records came. */
  get recordsReceived(): number {
    return this.#recordsReceived
  }

  /** From here on every record has the version that the hellos settled. */
  settleVersion(version: "1.2" | "1.3"): void {
    this.#version = version
  }

  /** The handshake is over: application data is welcome. */
  establish(): void {
    this.#phase = "established"
    this.#budget = this.#limits
    this.#assembly.establish()
  }

  push(chunk: Uint8Array): void {
    this.deframer.push(chunk)
  }

  /** Spends one request to renegotiate: a fault where there was one too many. */
  spendRenegotiation(): Fault | undefined {
    const budget = spend(this.#budget, "renegotiations")
    if (budget === undefined) return { _tag: "RenegotiationFlood", limit: this.#limits.renegotiations }
    this.#budget = budget
    return undefined
  }

  /** A handshake message was taken and made the connection go on. */
  progress(): void {
    this.#budget = { ...this.#limits, renegotiations: this.#budget.renegotiations }
  }

  /** Makes the pending read state current; a fault where nothing is pending, or a message is cut by the change. */
  changeCipherSpec(): Fault | undefined {
    if (this.#assembly.isMidMessage) return { _tag: "KeyChangeInsideMessage", pending: "handshake" }
    return this.state.changeCipherSpec()
      ? undefined
      : { _tag: "MessageUnexpected", expected: [], received: "change_cipher_spec" }
  }

  forget(): void {
    this.state.forget()
    this.deframer.clear()
    this.#assembly.clear()
    this.#alerts.length = 0
  }

  /** With a `target`, application data that fits goes into it, and `bytes` is a view of that. */
  next(target?: Target): Incoming | undefined {
    for (;;) {
      const alert = this.#alerts.shift()
      if (alert !== undefined) return this.#judge(alert)
      const message = this.#assembly.next()
      if (message !== undefined) return message
      const record = this.deframer.next(this.#rules())
      if (record === undefined) return undefined
      if (record._tag !== "Record") return record
      const incoming = this.#record(record, target)
      if (incoming !== undefined) return incoming
    }
  }

  #rules(): HeaderRules {
    return {
      limit: this.state.current.protection.isProtected ? maxCiphertext : maxPlaintext,
      // RFC 8446 section 5.1 has every record of TLS 1.3 say 1.2 as well.
      version: this.#version === "undecided" ? undefined : ProtocolVersion.tls12
    }
  }

  /** Opens one record and passes on its content; `undefined` where it came to nothing yet. */
  #record(record: RawRecord, target: Target | undefined): Incoming | undefined {
    const { current, sequence } = this.state
    const { type } = record
    if (this.state.isWornOut) return { _tag: "KeyWornOut", limit: current.protection.recordLimit }
    const content = this.#open(record, target)
    if (content === undefined) return { _tag: "BadRecordMac" }
    const isCompressed = current.compression !== nullCompression
    const limit = isCompressed ? maxCompressed : maxPlaintext
    if (content.length > limit) return { _tag: "RecordTooLong", length: content.length, limit }
    const plaintext = isCompressed ? current.compression.decompress(content, maxPlaintext) : content
    // RFC 5246 section 6.2.2: to grow beyond the limit is a failure of decompression, not an overflow.
    if (plaintext === undefined || plaintext.length > maxPlaintext) return { _tag: "DecompressionFailed" }
    this.state.advance()
    this.#recordsReceived++
    if (current.protection.isProtected) this.#anyProtected = true
    this.#observe?.({
      _tag: "Record",
      direction: "received",
      contentType: type,
      length: headerLength + record.fragment.length,
      contentLength: plaintext.length,
      isProtected: current.protection.isProtected,
      sequence
    })
    if (type !== ContentType.alert) {
      const fault = interruptedAlert(this.#alertCarry, contentTypeName(type) ?? "unknown")
      if (fault !== undefined) return fault
    }
    switch (type) {
      case ContentType.application_data:
        return this.#applicationData(plaintext, target)
      case ContentType.alert:
        return this.#alertRecord(plaintext, current.protection.isProtected)
      case ContentType.handshake:
        return plaintext.length === 0
          ? { _tag: "RecordEmpty", contentType: type }
          : this.#assembly.push(plaintext)
      default:
        return this.#changeCipherSpec(plaintext)
    }
  }

  #open(record: RawRecord, target: Target | undefined): Uint8Array | undefined {
    const { compression, protection } = this.state.current
    const { fragment, type } = record
    const room = target === undefined ? -1 : target.buffer.length - target.at
    if (
      target !== undefined && type === ContentType.application_data && protection.isProtected &&
      compression === nullCompression && fragment.length - protection.overhead <= room &&
      fragment.length - protection.overhead <= maxPlaintext
    ) {
      const length = protection.openInto(type, fragment, this.state.sequence, target.buffer, target.at)
      return length < 0 ? undefined : target.buffer.subarray(target.at, target.at + length)
    }
    return protection.open(type, fragment, this.state.sequence)
  }

  #applicationData(bytes: Uint8Array, target: Target | undefined): Incoming | undefined {
    if (this.#phase !== "established") {
      return bytes.length === 0
        ? { _tag: "RecordEmpty", contentType: ContentType.application_data }
        : { _tag: "MessageUnexpected", expected: ["handshake"], received: "application_data" }
    }
    if (bytes.length === 0) {
      const budget = spend(this.#budget, "emptyRecords")
      if (budget === undefined) return { _tag: "EmptyRecordFlood", limit: this.#limits.emptyRecords }
      this.#budget = budget
      return undefined
    }
    this.#budget = this.#limits
    // Other buffers may share the memory of the target, so the place decides.
    if (
      target !== undefined && bytes.buffer === target.buffer.buffer &&
      bytes.byteOffset === target.buffer.byteOffset + target.at
    ) target.at += bytes.length
    return { _tag: "Data", bytes }
  }

  #alertRecord(content: Uint8Array, isProtected: boolean): Incoming | undefined {
    const read = readAlertRecord({
      version: this.#version,
      carry: this.#alertCarry,
      unprotectedAfterProtected: this.#anyProtected && !isProtected
    }, content)
    if (read._tag === "Protest") return read.fault
    this.#alertCarry = read.carry
    for (const alert of read.alerts) {
      this.#observe?.({ _tag: "Alert", direction: "received", alert, isProtected })
      this.#alerts.push(alert)
    }
    return undefined
  }

  #judge(alert: Alert): Incoming {
    const verdict = judge({
      version: this.#version,
      phase: this.#phase,
      budget: this.#budget,
      limits: this.#limits
    }, alert)
    if (verdict._tag === "Tolerate") this.#budget = verdict.budget
    return { _tag: "Alert", alert, verdict }
  }

  #changeCipherSpec(content: Uint8Array): Incoming {
    if (content.length === 0) return { _tag: "RecordEmpty", contentType: ContentType.change_cipher_spec }
    return content.length === 1 && content[0] === 1
      ? { _tag: "ChangeCipherSpec" }
      : { _tag: "ChangeCipherSpecMalformed" }
  }
}
