/**
 * How a connection can end other than cleanly, as typed failures. The outer tag says who ended it, the `reason` which alert.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import type { Alert } from "./Alert.ts"
import { type AnswerDescription, type Masking, told } from "./Answer.ts"
import type { Version as AnswerVersion } from "./Answer.ts"
import { entryOf } from "./Catalogue.ts"
import { describe, Fault } from "./Fault.ts"
import * as Reason from "./Reason.ts"

/** Where in its life the connection was; `closing` is after our own close_notify. */
const Phase = Schema.Literals(["handshaking", "established", "closing"])

/**
 * Where in its life a connection was when it ended; `closing` is after our own close_notify.
 *
 * @category models
 * @since 0.1.0
 */
export type ErrorPhase = typeof Phase.Type

/** The version, or `undecided` where the hellos had not settled it. */
const Version = Schema.Literals(["1.2", "1.3", "undecided"])

const where: Readonly<Record<ErrorPhase, string>> = {
  handshaking: "during the handshake",
  established: "after the handshake",
  closing: "after our close_notify"
}

const protocol = (version: AnswerVersion): string => version === "undecided" ? "TLS" : `TLS ${version}`

/**
 * The peer ended the connection and said why.
 *
 * @example
 * import { Effect } from "effect"
 * import { type TlsError } from "effect-tls"
 *
 * declare const download: Effect.Effect<string, TlsError.TlsError>
 * const told = download.pipe(
 *   Effect.catchReason("AlertReceived", "UnknownCa", () => Effect.succeed("the peer does not know our CA"))
 * )
 *
 * @category errors
 * @since 0.1.0
 */
export class AlertReceived extends Schema.TaggedError<AlertReceived>()("AlertReceived", {
  reason: Reason.Reason,
  /** 1.3 does not consult it; a level that is neither is kept as its byte. */
  level: Schema.Union([Schema.Literals(["warning", "fatal"]), Schema.Int]),
  phase: Phase,
  version: Version
}) {
  override get message(): string {
    const entry = entryOf(Reason.descriptionOfReason(this.reason))
    return `The peer ended the ${protocol(this.version)} connection ${where[this.phase]} ` +
      `with the ${this.level} alert ${entry.name} (${Reason.reasonCode(this.reason)}): ` +
      `${clause(entry.meaning)}. ${entry.advice}`
  }
}

/** The catalogue's sentences stand on their own; here one continues another. */
const clause = (sentence: string): string =>
  sentence.replace(/\.$/, "").replace(/^[A-Z](?=[a-z ])/, (c) => c.toLowerCase())

/** The reasons that this library can give: exactly the image of the fault map. */
const sentReasons = [
  Reason.UnexpectedMessage,
  Reason.BadRecordMac,
  Reason.RecordOverflow,
  Reason.DecompressionFailure,
  Reason.HandshakeFailure,
  Reason.BadCertificate,
  Reason.UnsupportedCertificate,
  Reason.CertificateRevoked,
  Reason.CertificateExpired,
  Reason.CertificateUnknown,
  Reason.IllegalParameter,
  Reason.UnknownCa,
  Reason.AccessDenied,
  Reason.DecodeError,
  Reason.DecryptError,
  Reason.ProtocolVersion,
  Reason.InternalError,
  Reason.InappropriateFallback,
  Reason.MissingExtension,
  Reason.UnsupportedExtension,
  Reason.UnrecognizedName,
  Reason.CertificateRequired,
  Reason.BadCertificateStatusResponse,
  Reason.NoApplicationProtocol
] as const

type Listed = InstanceType<typeof sentReasons[number]>
type Image = Reason.ReasonOf<AnswerDescription>
type Same<A, B> = [A] extends [B] ? [B] extends [A] ? true : never : never
// Does not compile where the list above and the fault map differ.
const _listIsImage: Same<Listed["_tag"], Image["_tag"]> = true
void _listIsImage

/**
 * We ended the connection: `reason` is what the peer was told, `fault` is what really happened. In the phase `closing` the peer
 * could no longer be told: a close_notify was our last word.
 *
 * @category errors
 * @since 0.1.0
 */
export class AlertSent extends Schema.TaggedError<AlertSent>()("AlertSent", {
  reason: Schema.Union(sentReasons),
  fault: Fault,
  phase: Phase,
  version: Version
}) {
  override get message(): string {
    const entry = entryOf(Reason.descriptionOfReason(this.reason))
    if (this.phase === "closing") {
      return `After our close_notify the ${protocol(this.version)} connection failed, because ${
        describe(this.fault)
      }. ` +
        `The alert ${entry.name} (${Reason.reasonCode(this.reason)}) that this deserves ` +
        `could no longer be sent. ${entry.advice}`
    }
    return `We ended the ${protocol(this.version)} connection ${where[this.phase]} ` +
      `with the fatal alert ${entry.name} (${Reason.reasonCode(this.reason)}), ` +
      `because ${describe(this.fault)}. ${entry.advice}`
  }
}

/**
 * The read side of the transport ended without close_notify: what came before may not be all (RFC 5246 section 7.2.1).
 *
 * @category errors
 * @since 0.1.0
 */
export class Truncated extends Schema.TaggedError<Truncated>()("Truncated", {
  /** How the transport ended: in order, or torn down. */
  by: Schema.Literals(["fin", "reset"]),
  /** Bytes of application data that were delivered before. */
  bytesRead: Schema.Int,
  /** Whether the end cut a record in two. */
  midRecord: Schema.Boolean,
  phase: Phase,
  version: Version
}) {
  override get message(): string {
    const how = this.by === "fin" ? "closed the transport" : "reset the transport"
    const cut = this.midRecord ? " in the middle of a record" : ""
    return `The peer ${how}${cut} ${where[this.phase]} without close_notify, after ${this.bytesRead} bytes of data: ` +
      "what was received may be incomplete, and an attacker may have cut it. Ask for it again, or for the rest."
  }
}

/**
 * The transport could not be opened, or did not take what was written.
 *
 * @category errors
 * @since 0.1.0
 */
export class TransportFailed extends Schema.TaggedError<TransportFailed>()("TransportFailed", {
  operation: Schema.Literals(["open", "write"]),
  cause: Schema.Defect(),
  phase: Phase
}) {
  override get message(): string {
    const what = this.operation === "open" ? "could not be opened" : `failed while writing ${where[this.phase]}`
    return `The transport ${what}: ${rootMessage(this.cause)}. Check the address and the network, and try again.`
  }
}

/** What the innermost cause says: Effect's socket errors wrap that of the platform. */
const rootMessage = (cause: unknown): string => {
  let current = cause
  for (let depth = 0; depth < 8; depth++) {
    if (typeof current !== "object" || current === null) break
    // Where a name has several addresses, Node tries them all and tells of each.
    const inner: unknown = current instanceof AggregateError
      ? current.errors[0]
      : "cause" in current && current.cause !== undefined
      ? current.cause
      : "reason" in current && typeof current.reason === "object"
      ? current.reason
      : undefined
    if (inner === undefined || inner === null) break
    current = inner
  }
  return current instanceof Error ? current.message.replace(/\.$/, "") : printed(current)
}

/** An object may have no text, and a sentence about an error must not fail for that. */
const printed = (value: unknown): string => {
  try {
    return String(value)
  } catch {
    return "for a reason that has no text"
  }
}

/**
 * The handshake was given up, without anything being wrong with it: by the peer, which said so, or by this side, out of time.
 *
 * @category errors
 * @since 0.1.0
 */
export class HandshakeAborted extends Schema.TaggedError<HandshakeAborted>()("HandshakeAborted", {
  /**
   * `close_notify`: the peer closed in the handshake. `user_canceled`: it said so before its close_notify (RFC 5246 section 7.2.2).
   * `timeout`: it took longer than the limit allows.
   */
  by: Schema.Literals(["close_notify", "user_canceled", "timeout"]),
  version: Version
}) {
  override get message(): string {
    if (this.by === "timeout") {
      return `This side gave up the ${protocol(this.version)} handshake, because it took longer than allowed. ` +
        "Check that the peer speaks TLS, and try again."
    }
    const { advice, code, meaning, name } = entryOf(this.by)
    const ended = `The peer ended the ${protocol(this.version)} connection ${where.handshaking} with the `
    return this.by === "user_canceled"
      ? `${ended}warning ${name} (${code}) and close_notify: ${clause(meaning)}. ${advice}`
      : `${ended}alert ${name} (${code}), before it was done and without an error. Try again later.`
  }
}

/**
 * The connection is over, and was ended in order: there is nothing more to write to or read from.
 *
 * @category errors
 * @since 0.1.0
 */
export class ConnectionClosed extends Schema.TaggedError<ConnectionClosed>()("ConnectionClosed", {
  /** Whose close_notify came first. */
  by: Schema.Literals(["local", "peer"])
}) {
  override get message(): string {
    return `${this.by === "local" ? "This side" : "The peer"} closed the TLS connection with close_notify before: ` +
      "nothing more can be sent or read on it. Open a new connection."
  }
}

/**
 * An option cannot be used as it is; nothing was sent.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidOption extends Schema.TaggedError<InvalidOption>()("InvalidOption", {
  option: Schema.String,
  why: Schema.String
}) {
  override get message(): string {
    return `The option ${this.option} cannot be used: ${this.why}. Nothing was sent. Give it another value.`
  }
}

/**
 * Every way in which opening or using a connection can fail.
 *
 * @category errors
 * @since 0.1.0
 */
export const TlsError = Schema.Union([
  AlertReceived,
  AlertSent,
  Truncated,
  TransportFailed,
  HandshakeAborted,
  ConnectionClosed,
  InvalidOption
])

/**
 * @category errors
 * @since 0.1.0
 */
export type TlsError = typeof TlsError.Type

/**
 * @category constructors
 * @since 0.1.0
 */
export const alertSent = (
  fault: Fault,
  phase: ErrorPhase,
  version: AnswerVersion,
  masking: Masking = "none"
): AlertSent => new AlertSent({ reason: Reason.reasonOf(told(fault, version, masking)), fault, phase, version })

/**
 * @category constructors
 * @since 0.1.0
 */
export const alertReceived = (
  alert: Alert & { readonly description: Exclude<Alert["description"], "close_notify"> },
  phase: ErrorPhase,
  version: AnswerVersion
): AlertReceived =>
  new AlertReceived({ reason: Reason.reasonOf(alert.description), level: alert.level, phase, version })
