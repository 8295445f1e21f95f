/**
 * What a handshake story stands on. The story says what it expects, sends and installs; everything that comes unasked
 * (alerts, the end of the transport, HelloRequest) is dealt with behind this interface.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { Fault } from "../alert/Fault.ts"
import type { TlsError } from "../alert/TlsError.ts"
import type { NewSessionTicket } from "../message/NewSessionTicket.ts"
import type { HandshakeMessage } from "../message/HandshakeMessage.ts"
import type { SecurityParameters } from "../record/ConnectionState.ts"
import type { TrafficSecret } from "../record/TrafficSecret.ts"
import type { Exporter } from "../secret/Exporter.ts"
import type { Secret } from "../secret/KeySchedule13.ts"
import type { Primitives } from "../secret/Primitives.ts"
import type { Transcript } from "../secret/Transcript.ts"
import type { Randomness } from "../service/Randomness.ts"
import type { Session } from "../service/Session.ts"
import type { SessionKey } from "../service/SessionCache.ts"

/**
 * Why a story ended early: a fault of this side's finding, which is still to be answered, or an end that is already dealt with.
 *
 * @category models
 * @since 0.1.0
 */
export type HandshakeFailure = Fault | TlsError

/**
 * @category models
 * @since 0.1.0
 */
export interface Channel {
  readonly primitives: Primitives["Service"]
  readonly randomness: Randomness["Service"]
  /** Every message sent and received, in order; HelloRequest left out (RFC 5246 section 7.4.1.1). */
  readonly transcript: Transcript
  /** Overwrites these bytes when the handshake is over, however it ends. */
  readonly keepSecret: (bytes: Uint8Array) => void
  /** Has it forget its secret with the connection. */
  readonly keepExporter: (exporter: Exporter) => void
  /**
   * The next message, which must be one of these. It is taken by the call where it has come; where it is to be waited for, what
   * was sent goes out first, so a flight is one write.
   */
  readonly expect: <const Tag extends HandshakeMessage["_tag"]>(
    ...tags: ReadonlyArray<Tag>
  ) => Effect.Effect<Extract<HandshakeMessage, { readonly _tag: Tag }>, HandshakeFailure>
  /**
   * The message goes out when the story waits or ends, in one record with its neighbours under the same keys. `encoded` is for who has it
   * already.
   */
  readonly send: (message: HandshakeMessage, encoded?: Uint8Array) => void
  /** The version is settled: records and alerts are judged by it from here on. */
  readonly settleVersion: (version: "1.2" | "1.3") => void
  /** RFC 5246 section 6.1: the pending states, which the ChangeCipherSpec messages make current. */
  readonly setPending: (states: { readonly read: SecurityParameters; readonly write: SecurityParameters }) => void
  readonly sendChangeCipherSpec: () => void
  readonly expectChangeCipherSpec: () => Effect.Effect<void, HandshakeFailure>
  /** RFC 8446 appendix D.4: a ChangeCipherSpec that changes nothing, in the clear. Once. */
  readonly sendCompatibilityChangeCipherSpec: () => void
  /** RFC 8446 section 5.1: the read keys change between two messages; a fault where they would cut one. */
  readonly installRead: (parameters: SecurityParameters) => Effect.Effect<void, Fault>
  readonly installWrite: (parameters: SecurityParameters) => void
  /** RFC 8446 section 4.2.10: passes over early data, up to that many bytes. */
  readonly skipEarlyData: (bytes: number) => void
  /** A hello that was retried: there is no early data behind the second one. */
  readonly endEarlyData: () => void
  /** RFC 8449: how much a record may hold, in bytes of content and, in TLS 1.3, its type. */
  readonly limitRecords: (limits: { readonly read: number; readonly write: number }) => void
  /** What a connection of TLS 1.3 goes on with: secrets for KeyUpdate, and what a client makes of tickets. */
  readonly openTraffic: (traffic: Traffic) => void
  /** The session that a fatal alert forgets (RFC 5246 section 7.2): `undefined` where an offer was declined. */
  readonly useSession: (used: { readonly key: SessionKey; readonly session: Session } | undefined) => void
  /** Keeps a new session, which a fatal alert forgets as well. */
  readonly storeSession: (key: SessionKey, session: Session) => Effect.Effect<void>
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Traffic {
  readonly read: TrafficSecret
  readonly write: TrafficSecret
  /** For clients: what sessions are made of, and the session of a ticket that came at that time, in milliseconds since the epoch. */
  readonly resumption: Secret | undefined
  readonly sessionOf:
    | ((
      ticket: NewSessionTicket,
      createdAt: number
    ) => { readonly key: SessionKey; readonly session: Session } | undefined)
    | undefined
}
