/**
 * A session: what two parties keep to shorten a later handshake, RFC 5246 sections 7 and F.1.4.
 *
 * @since 0.1.0
 */
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

/**
 * Everything that a resumption needs, and what the facts of the resumed connection are taken from. Only sessions with an
 * extended master secret are kept (RFC 7627 section 5.4).
 *
 * @category models
 * @since 0.1.0
 */
export class Session extends Schema.Class<Session>("effect-tls/Session")({
  version: Schema.Literal("1.2"),
  /** The session identifier that the server chose, 1 to 32 bytes. */
  id: Schema.Uint8Array,
  cipherSuite: Schema.Int,
  /** 48 bytes. */
  masterSecret: Schema.Redacted(Schema.Uint8Array, { disallowJsonEncode: true }),
  serverName: Schema.UndefinedOr(Schema.String),
  /** The chain that the peer proved to hold, leaf first; empty where it had none. */
  peerCertificates: Schema.Array(Schema.Uint8Array),
  /** Milliseconds since the epoch. */
  createdAt: Schema.Finite
}) {
  /** The same session with a secret of its own, which its user may wipe. */
  copy(): Session {
    return new Session({ ...this, masterSecret: Redacted.make(Redacted.value(this.masterSecret).slice()) })
  }

  /** Overwrites the secret. */
  wipe(): void {
    Redacted.value(this.masterSecret).fill(0)
  }
}

/**
 * A session as JSON, with its secret in the clear: for storage that nobody else can read, such as a file with mode 0600.
 *
 * @category schemas
 * @since 0.1.0
 */
export const SessionInsecureJson = Schema.fromJsonString(Schema.Struct({
  version: Schema.Literal("1.2"),
  id: Schema.Uint8ArrayFromHex,
  cipherSuite: Schema.Int,
  masterSecret: Schema.Uint8ArrayFromHex,
  serverName: Schema.optionalKey(Schema.String),
  peerCertificates: Schema.Array(Schema.Uint8ArrayFromBase64),
  createdAt: Schema.Finite
}))
