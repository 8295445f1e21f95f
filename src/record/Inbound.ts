/**
 * The receiving half of the record protocol, RFC 5246 section 6.2: deframe, open, decompress, and hand each content to the
 * protocol it belongs to.
 *
 * @since 0.1.0
 */
import type { Alert } from "../alert/Alert.ts"
import type { Version } from "../alert/Answer.ts"
import { type Budget, compatibilityLimit, defaultBudget, spend } from "../alert/Budget.ts"
import type { Fault } from "../alert/Fault.ts"
import { interruptedAlert, judge, type Phase, readAlertRecord, type Verdict } from "../alert/Verdict.ts"
import { ContentType, contentTypeName, ProtocolVersion } from "../wire/CodePoints.ts"
import { nullCompression } from "./Compression.ts"
import { ConnectionState, type SecurityParameters } from "./ConnectionState.ts"
import {
  Deframer,
  headerLength,
  type HeaderRules,
  maxCiphertext13,
  maxCompressed,
  maxPlaintext,
  type RawRecord
} from "./Deframer.ts"
import { HandshakeAssembly, type HandshakeLimits, type RawMessage } from "./HandshakeAssembly.ts"
import type { Observer } from "./Observer.ts"
import { contentEnd } from "./Protection.ts"

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
  /** A client that speaks TLS 1.3: what comes before the version is settled may be of that. */
  readonly offers13: boolean
  /** TLS 1.3 is all that is spoken. */
  readonly only13: boolean
}

const unexpected = (received: string): Fault => ({ _tag: "MessageUnexpected", expected: [], received })

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
  /** Where TLS 1.3 alone is spoken, an alert is one of it (RFC 8446 section 6) before the hellos have settled anything. */
  #alertVersion: Version
  #alertCarry: number | undefined
  #alerts: Array<Alert> = []
  #anyProtected = false
  #recordsReceived = 0
  #plaintextLimit: number | undefined
  #earlyDataLeft: number | undefined
  /** RFC 8446 appendix D.4: the ChangeCipherSpec of a client or a server that wants to look like TLS 1.2. */
  #compatibilityLeft = compatibilityLimit
  #mayBeDisguised: boolean

  constructor(options: Partial<InboundOptions> & { readonly handshake: HandshakeLimits }) {
    this.#limits = options.budget ?? defaultBudget
    this.#budget = this.#limits
    this.#observe = options.observe
    this.#mayBeDisguised = options.offers13 ?? false
    this.#alertVersion = options.only13 === true ? "1.3" : "undecided"
    this.#assembly = new HandshakeAssembly(options.handshake, options.observe)
  }

  /** RFC 8449: the most that a protected record may hold, which is what the peer was told. In TLS 1.3 the type counts. */
  limitPlaintext(limit: number): void {
    this.#plaintextLimit = limit
  }

  /**
   * RFC 8446 section 4.2.10: the client sends early data that nobody here can read. Records that cannot be opened are passed over,
   * up to that many bytes with their headers, until one can be.
   */
  skipEarlyData(bytes: number): void {
    this.#earlyDataLeft = bytes
  }

  /** Nothing is passed over any more. */
  endEarlyData(): void {
    this.#earlyDataLeft = undefined
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
    this.#alertVersion = version
    this.#mayBeDisguised = version === "1.3"
  }

  /** The handshake is over: application data is welcome. */
  establish(): void {
    this.#phase = "established"
    this.#budget = this.#limits
    this.#assembly.establish()
  }

  /** Whether something has begun that has not ended: a record, an alert or a handshake message. */
  get isCut(): boolean {
    return this.deframer.isMidRecord || this.#alertCarry !== undefined || this.#assembly.isMidMessage
  }

  push(chunk: Uint8Array): void {
    this.deframer.push(chunk)
  }

  /** Spends one request to renegotiate: a fault where there was one too many. */
  spendRenegotiation(): Fault | undefined {
    return this.#spend("renegotiations", "RenegotiationFlood")
  }

  /** Spends one KeyUpdate: a fault where there was one too many without data in between. */
  spendKeyUpdate(): Fault | undefined {
    return this.#spend("keyUpdates", "KeyUpdateFlood")
  }

  /** A handshake message was taken and made the connection go on. */
  progress(): void {
    const { keyUpdates, renegotiations } = this.#budget
    this.#budget = { ...this.#limits, keyUpdates, renegotiations }
  }

  /** TLS 1.3 changes the read keys; a fault where a message is cut by the change (RFC 8446 section 5.1). */
  install(parameters: SecurityParameters): Fault | undefined {
    if (this.#assembly.isMidMessage) return { _tag: "KeyChangeInsideMessage", pending: "handshake" }
    this.state.install(parameters)
    return undefined
  }

  /** Makes the pending read state current; a fault where nothing is pending, or a message is cut by the change. */
  changeCipherSpec(): Fault | undefined {
    if (this.#assembly.isMidMessage) return { _tag: "KeyChangeInsideMessage", pending: "handshake" }
    return this.state.changeCipherSpec() ? undefined : unexpected("change_cipher_spec")
  }

  forget(): void {
    this.state.forget()
    this.deframer.clear()
    this.#assembly.clear()
    this.#alerts = []
  }

  /** With a `target`, application data that fits goes into it, and `bytes` is a view of that. */
  next(target?: Target): Incoming | undefined {
    for (;;) {
      const alert = this.#alerts.length > 0 ? this.#alerts.shift() : undefined
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

  #spend(kind: keyof Budget, flood: "RenegotiationFlood" | "KeyUpdateFlood" | "EmptyRecordFlood"): Fault | undefined {
    const budget = spend(this.#budget, kind)
    if (budget === undefined) return { _tag: flood, limit: this.#limits[kind] }
    this.#budget = budget
    return undefined
  }

  #rules(): HeaderRules {
    const { fragmentLimit } = this.state.current.protection
    return {
      // Early data is protected, and comes before there are keys where a HelloRetryRequest was sent.
      limit: this.#earlyDataLeft === undefined ? fragmentLimit : Math.max(fragmentLimit, maxCiphertext13),
      version: this.#version === "1.2" ? ProtocolVersion.tls12 : this.#version === "1.3" ? "ignored" : undefined
    }
  }

  /** Opens one record and passes on its content; `undefined` where it came to nothing yet. */
  #record(record: RawRecord, target: Target | undefined): Incoming | undefined {
    const { current, sequence } = this.state
    if (record.type === ContentType.change_cipher_spec && this.#mayBeDisguised) return this.#compatibility(record)
    if (current.protection.hidesType && record.type !== ContentType.application_data) return this.#unprotected(record)
    // After a HelloRetryRequest there are no keys yet.
    if (!current.protection.isProtected && this.#isEarlyData(record)) return undefined
    // The limit of the key is for who seals (RFC 9846 section 5.5); here the number may not wrap (RFC 8446 section 5.3).
    if (sequence >= Number.MAX_SAFE_INTEGER) return { _tag: "KeyWornOut", limit: sequence }
    const opened = this.#open(record, target)
    if (opened === undefined) return this.#isEarlyData(record) ? undefined : { _tag: "BadRecordMac" }
    // Other buffers may share the memory of the target, so the place decides.
    const isInTarget = target !== undefined && opened.buffer === target.buffer.buffer &&
      opened.byteOffset === target.buffer.byteOffset + target.at
    const isCompressed = current.compression !== nullCompression
    const { hidesType, isProtected } = current.protection
    const fullLimit = isCompressed ? maxCompressed : hidesType ? maxPlaintext + 1 : maxPlaintext
    const limit = isProtected ? Math.min(this.#plaintextLimit ?? fullLimit, fullLimit) : fullLimit
    if (opened.length > limit) {
      if (isInTarget) opened.fill(0)
      return { _tag: "RecordTooLong", length: opened.length, limit }
    }
    const end = hidesType ? contentEnd(opened) : opened.length
    const type = hidesType ? opened[end] ?? 0 : record.type
    const content = hidesType ? opened.subarray(0, Math.max(end, 0)) : opened
    const plaintext = isCompressed ? current.compression.decompress(content, maxPlaintext) : content
    // RFC 5246 section 6.2.2: to grow beyond the limit is a failure of decompression, not an overflow.
    if (plaintext === undefined || plaintext.length > maxPlaintext) return { _tag: "DecompressionFailed" }
    this.#passed(record, type, plaintext.length, isProtected)
    this.state.advance()
    if (isProtected) {
      this.#anyProtected = true
      this.#earlyDataLeft = undefined
    }
    const incoming = this.#content(type, plaintext, isProtected)
    if (isInTarget) {
      // Only data goes to the application: what else was opened into its buffer is taken out of it.
      const taken = incoming?._tag === "Data" ? plaintext.length : 0
      target.at += taken
      opened.fill(0, taken)
    }
    return incoming
  }

  #passed({ fragment }: RawRecord, contentType: number, contentLength: number, isProtected: boolean): void {
    this.#recordsReceived++
    this.#observe?.({
      _tag: "Record",
      direction: "received",
      contentType,
      length: headerLength + fragment.length,
      contentLength,
      isProtected,
      sequence: this.state.sequence
    })
  }

  /** Hands the content of one record to its protocol. None keeps the bytes, but that of data. */
  #content(type: number, content: Uint8Array, isProtected: boolean): Incoming | undefined {
    if (type !== ContentType.alert) {
      const fault = interruptedAlert(this.#alertCarry, contentTypeName(type) ?? "unknown") ??
        (type === ContentType.handshake ? undefined : this.#interruptedMessage(type))
      if (fault !== undefined) return fault
    }
    switch (type) {
      case ContentType.application_data:
        return this.#applicationData(content)
      case ContentType.alert:
        return this.#alertRecord(content, isProtected)
      case ContentType.handshake:
        return content.length === 0
          ? { _tag: "RecordEmpty", contentType: type }
          : this.#assembly.push(content)
      case ContentType.change_cipher_spec:
        return this.#version === "1.3" ? unexpected("a protected change_cipher_spec") : this.#changeCipherSpec(content)
      default:
        // The header of a record in the clear was checked: this type was hidden.
        return unexpected(`a protected record of content type ${type}`)
    }
  }

  /** RFC 8446 section 5.1: a message that is split over records admits no other between them; TLS 1.2 has no such rule. */
  #interruptedMessage(type: number): Fault | undefined {
    return this.#mayBeDisguised && this.#assembly.isMidMessage
      ? { _tag: "RecordInterleaved", pending: "handshake", received: contentTypeName(type) ?? "unknown" }
      : undefined
  }

  /** RFC 8446 section 5: during the handshake a ChangeCipherSpec of one byte 1 is dropped, and says nothing. */
  #compatibility(record: RawRecord): Fault | undefined {
    const { fragment, type } = record
    this.#passed(record, type, fragment.length, false)
    if (fragment.length !== 1 || fragment[0] !== 1) return { _tag: "ChangeCipherSpecMalformed" }
    if (this.#phase !== "handshaking" || this.#compatibilityLeft === 0) return unexpected("change_cipher_spec")
    this.#compatibilityLeft--
    return interruptedAlert(this.#alertCarry, "change_cipher_spec") ?? this.#interruptedMessage(type)
  }

  /** A record in the clear where keys are installed. An alert is read as what it says: the peer may not have switched its keys. */
  #unprotected(record: RawRecord): Incoming | undefined {
    const { fragment, type } = record
    this.#passed(record, type, fragment.length, false)
    if (type === ContentType.alert) return this.#alertRecord(fragment, false)
    return unexpected(`${contentTypeName(type) ?? "something"} in the clear`)
  }

  /** Whether a record that nobody here can read is taken for early data, and passed over. */
  #isEarlyData({ fragment, type }: RawRecord): boolean {
    if (this.#earlyDataLeft === undefined || type !== ContentType.application_data) return false
    // An empty record costs something, too.
    this.#earlyDataLeft -= headerLength + fragment.length
    return this.#earlyDataLeft >= 0
  }

  #open(record: RawRecord, target: Target | undefined): Uint8Array | undefined {
    const { compression, protection } = this.state.current
    const { fragment, type, version } = record
    // The version of the header is authentic as well, and always this one: RFC 8446 section 5.2.
    if (protection.hidesType && version !== ProtocolVersion.tls12) return undefined
    const room = target === undefined ? -1 : target.buffer.length - target.at
    const length = fragment.length - protection.overhead
    if (
      target !== undefined && type === ContentType.application_data && protection.isProtected &&
      compression === nullCompression && length <= maxPlaintext &&
      // A hidden type is opened into the buffer, too.
      length + (protection.hidesType ? 1 : 0) <= room
    ) {
      const opened = protection.openInto(type, fragment, this.state.sequence, target.buffer, target.at)
      return opened < 0 ? undefined : target.buffer.subarray(target.at, target.at + opened)
    }
    return protection.open(type, fragment, this.state.sequence)
  }

  #applicationData(bytes: Uint8Array): Incoming | undefined {
    if (this.#phase !== "established") {
      return bytes.length === 0
        ? { _tag: "RecordEmpty", contentType: ContentType.application_data }
        : { _tag: "MessageUnexpected", expected: ["handshake"], received: "application_data" }
    }
    if (bytes.length === 0) return this.#spend("emptyRecords", "EmptyRecordFlood")
    this.#budget = this.#limits
    return { _tag: "Data", bytes }
  }

  #alertRecord(content: Uint8Array, isProtected: boolean): Incoming | undefined {
    const unprotectedAfterProtected = this.#anyProtected && !isProtected
    const context = { version: this.#alertVersion, carry: this.#alertCarry, unprotectedAfterProtected }
    const read = readAlertRecord(context, content)
    if (read._tag === "Protest") return read.fault
    this.#alertCarry = read.carry
    for (const alert of read.alerts) {
      this.#observe?.({ _tag: "Alert", direction: "received", alert, isProtected })
      this.#alerts.push(alert)
    }
    return undefined
  }

  #judge(alert: Alert): Incoming {
    const context = { version: this.#alertVersion, phase: this.#phase, budget: this.#budget, limits: this.#limits }
    const verdict = judge(context, alert)
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
