/**
 * What a handshake story stands on. The story says what it expects, sends and installs; everything that comes unasked
 * (alerts, the end of the transport, HelloRequest) is dealt with behind this interface.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { Fault } from "../alert/Fault.ts"
import type { TlsError } from "../alert/TlsError.ts"
import type { HandshakeMessage } from "../message/HandshakeMessage.ts"
import type { SecurityParameters } from "../record/ConnectionState.ts"
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
  /**
   * Waits for the next message, which must be one of these. What was sent before goes out first, so a flight is one write.
   */
  readonly expect: <const Tag extends HandshakeMessage["_tag"]>(
    ...tags: ReadonlyArray<Tag>
  ) => Effect.Effect<Extract<HandshakeMessage, { readonly _tag: Tag }>, HandshakeFailure>
  /** Protects the message now; it goes out when the story waits or ends. */
  readonly send: (message: HandshakeMessage) => void
  /** The version is settled: records and alerts are judged by it from here on. */
  readonly settleVersion: (version: "1.2") => void
  /** RFC 5246 section 6.1: the pending states, which the ChangeCipherSpec messages make current. */
  readonly setPending: (states: { readonly read: SecurityParameters; readonly write: SecurityParameters }) => void
  readonly sendChangeCipherSpec: () => void
  readonly expectChangeCipherSpec: Effect.Effect<void, HandshakeFailure>
  /** The session that a fatal alert forgets (RFC 5246 section 7.2): `undefined` where an offer was declined. */
  readonly useSession: (used: { readonly key: SessionKey; readonly session: Session } | undefined) => void
  /** Keeps a new session, which from now on is the one in use. */
  readonly storeSession: (key: SessionKey, session: Session) => Effect.Effect<void>
}
