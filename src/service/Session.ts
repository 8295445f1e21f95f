/**
 * A session: what two parties keep to shorten a later handshake, RFC 5246 sections 7 and F.1.4, RFC 8446 section 4.6.1.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { currentMillis } from "./Now.ts"
import type { SessionSecret } from "./SessionSecret.ts"
import type { VerifiedChain } from "./VerifiedChain.ts"

/**
 * The full handshake that a session comes of, in which certificates were judged. Whatever comes of a resumption has that of the session
 * that was resumed, so that nothing lives on by being resumed (RFC 8446 section 4.6.1). Milliseconds since the epoch.
 *
 * @category models
 * @since 0.1.0
 */
export interface Authentication {
  /** When it was. */
  readonly authenticatedAt: number
  /** When the judgement of the peer's certificates has run out; `undefined` where nobody says, and where there were none. */
  readonly authenticatedUntil: number | undefined
}

/**
 * That of a full handshake which ends now, and in which this chain was judged.
 *
 * @category constructors
 * @since 0.1.0
 */
export const authenticated = (judged: VerifiedChain | undefined): Effect.Effect<Authentication> =>
  Effect.map(currentMillis, (now) => ({
    authenticatedAt: now,
    // What never ends has no place in a store.
    authenticatedUntil: judged?.until === Infinity ? undefined : judged?.until
  }))

/**
 * Everything that a resumption needs, and what the facts of the resumed connection are taken from. Of TLS 1.2 only sessions with an
 * extended master secret are kept (RFC 7627 section 5.4).
 *
 * @category models
 * @since 0.1.0
 */
export interface SessionFields extends Authentication {
  readonly version: "1.2" | "1.3"
  /** What the server knows it by: in TLS 1.2 the session identifier (1 to 32 bytes) or the ticket, in TLS 1.3 the ticket. */
  readonly id: Uint8Array
  /** In TLS 1.2: whether the server knows it by a ticket (RFC 5077). In TLS 1.3 there is nothing else. */
  readonly isTicket?: boolean
  /** The code point of the suite. */
  readonly cipherSuite: number
  /** In TLS 1.2 the master secret (48 bytes), in TLS 1.3 the PSK of the ticket (as long as the hash of the suite). */
  readonly secret: SessionSecret
  readonly serverName: string | undefined
  /** The chain that the peer proved to hold, leaf first; empty where it had none. */
  readonly peerCertificates: ReadonlyArray<Uint8Array>
  /** Milliseconds since the epoch: when the handshake ended, or the ticket came. */
  readonly createdAt: number
  /** Seconds for which the server said it keeps the session (RFC 8446 section 4.6.1); `undefined` where it does not say. */
  readonly lifetime: number | undefined
  /** RFC 8446 section 4.6.1: hides the age of a ticket; 0 in TLS 1.2. */
  readonly ageAdd: number
}

/**
 * The fields, and what is done with their secret.
 *
 * @category models
 * @since 0.1.0
 */
export class Session implements SessionFields {
  readonly version: "1.2" | "1.3"
  readonly id: Uint8Array
  declare readonly isTicket?: boolean
  readonly cipherSuite: number
  readonly secret: SessionSecret
  readonly serverName: string | undefined
  readonly peerCertificates: ReadonlyArray<Uint8Array>
  readonly authenticatedAt: number
  readonly authenticatedUntil: number | undefined
  readonly createdAt: number
  readonly lifetime: number | undefined
  readonly ageAdd: number

  /** With a secret of its own, where one is given. */
  constructor(fields: SessionFields, secret: SessionSecret = fields.secret) {
    this.version = fields.version
    this.id = fields.id
    if (fields.isTicket !== undefined) this.isTicket = fields.isTicket
    this.cipherSuite = fields.cipherSuite
    this.secret = secret
    this.serverName = fields.serverName
    this.peerCertificates = fields.peerCertificates
    this.authenticatedAt = fields.authenticatedAt
    this.authenticatedUntil = fields.authenticatedUntil
    this.createdAt = fields.createdAt
    this.lifetime = fields.lifetime
    this.ageAdd = fields.ageAdd
  }

  /** The same session with a secret of its own, which its user may wipe. */
  copy(): Session {
    return new Session(this, this.secret.copy())
  }

  /**
   * Milliseconds for which it may still be resumed, where `timeToLive` milliseconds are allowed after the full handshake: none at zero
   * and below. RFC 8446 section 4.2.11.1: the server's own limit counts from its ticket.
   */
  livesFor(timeToLive: number, now: number): number {
    const { authenticatedAt, authenticatedUntil = Infinity, createdAt, lifetime = Infinity } = this
    return Math.min(authenticatedAt + timeToLive, authenticatedUntil, createdAt + lifetime * 1000) - now
  }

  /** Overwrites the secret. */
  wipe(): void {
    this.secret.wipe()
  }
}

/**
 * What is left of `most` seconds since a full handshake, for a ticket that is made now. RFC 8446 section 4.6.1: without such an end a
 * session lives on as long as it is resumed, and whatever becomes of the certificates.
 *
 * @category combinators
 * @since 0.1.0
 */
export const secondsLeft = (most: number, authentication: Authentication, now: number): number => {
  const { authenticatedAt, authenticatedUntil = Infinity } = authentication
  // A clock that went back gives nobody more.
  return Math.min(
    most,
    Math.max(0, Math.floor((Math.min(authenticatedAt + most * 1000, authenticatedUntil) - now) / 1000))
  )
}

/**
 * A session as JSON, with its secret in the clear: for storage that nobody else can read, such as a file with mode 0600.
 *
 * @category schemas
 * @since 0.1.0
 */
export const SessionInsecureJson = Schema.fromJsonString(Schema.Struct({
  version: Schema.Literals(["1.2", "1.3"]),
  id: Schema.Uint8ArrayFromHex,
  isTicket: Schema.optionalKey(Schema.Boolean),
  cipherSuite: Schema.Int,
  secret: Schema.Uint8ArrayFromHex,
  serverName: Schema.optionalKey(Schema.String),
  peerCertificates: Schema.Array(Schema.Uint8ArrayFromBase64),
  /** Left out in what was stored before there was such a thing: then it is `createdAt`. */
  authenticatedAt: Schema.optionalKey(Schema.Finite),
  authenticatedUntil: Schema.optionalKey(Schema.Finite),
  createdAt: Schema.Finite,
  lifetime: Schema.optionalKey(Schema.Int),
  ageAdd: Schema.Int
}))
