/**
 * What both roles of a TLS 1.2 handshake do alike: keys, ChangeCipherSpec and Finished, signatures.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { Fault } from "../alert/Fault.ts"
import { nullCompression } from "../record/Compression.ts"
import { protection12 } from "../record/Protection.ts"
import type { CipherSuite } from "../secret/CipherSuite.ts"
import { Exporter } from "../secret/Exporter.ts"
import * as KeySchedule from "../secret/KeySchedule12.ts"
import * as Prf from "../secret/Prf.ts"
import type { KeyShare } from "../secret/Primitives.ts"
import { type Credential, schemeFits } from "../service/Identity.ts"
import { currentMillis } from "../service/Now.ts"
import { type Authentication, Session } from "../service/Session.ts"
import { SessionSecret } from "../service/SessionSecret.ts"
import type { VerifiedChain } from "../service/Trust.ts"
import { toHex } from "../wire/Bytes.ts"
import { Writer } from "../wire/Writer.ts"
import { SignatureScheme, signatureSchemeName } from "../wire/CodePoints.ts"
import type { Channel, HandshakeFailure } from "./Channel.ts"

/**
 * The two hellos, as far as the secrets depend on them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Randoms {
  readonly client: Uint8Array
  readonly server: Uint8Array
}

/**
 * A master secret in use: its PRF, and the bytes themselves, which the channel overwrites at the end of the handshake.
 *
 * @category models
 * @since 0.1.0
 */
export interface MasterSecret {
  readonly bytes: Uint8Array
  readonly prf: Prf.Prf
}

/**
 * @category constructors
 * @since 0.1.0
 */
export const masterSecretOf = (channel: Channel, suite: CipherSuite, bytes: Uint8Array): MasterSecret => {
  channel.keepSecret(bytes)
  return { bytes, prf: Prf.make(channel.primitives, suite.hash, bytes) }
}

/**
 * RFC 8422 section 5.10 and RFC 5246 section 8.1, or RFC 7627 section 4. The transcript must end with ClientKeyExchange.
 *
 * @category key exchange
 * @since 0.1.0
 */
export const agree = (
  channel: Channel,
  options: {
    readonly suite: CipherSuite
    readonly share: KeyShare
    readonly peer: Uint8Array
    readonly randoms: Randoms
    readonly isExtended: boolean
  }
): Effect.Effect<MasterSecret, Fault> =>
  Effect.suspend(() => {
    const { isExtended, peer, randoms, share, suite } = options
    const preMasterSecret = share.agree(peer)
    if (preMasterSecret === undefined) return Effect.fail<Fault>({ _tag: "KeyShareInvalid", group: share.group })
    const { primitives, transcript } = channel
    const bytes = isExtended
      ? KeySchedule.extendedMasterSecret(primitives, suite.hash, preMasterSecret, transcript.digest())
      : KeySchedule.masterSecret(primitives, suite.hash, preMasterSecret, randoms.client, randoms.server)
    preMasterSecret.fill(0)
    return Effect.succeed(masterSecretOf(channel, suite, bytes))
  })

/**
 * RFC 5246 section 6.3: the keys become the pending states of both directions.
 *
 * @category key exchange
 * @since 0.1.0
 */
export const setPendingKeys = (
  channel: Channel,
  role: "client" | "server",
  suite: CipherSuite,
  master: MasterSecret,
  randoms: Randoms
): void => {
  const keys = KeySchedule.keyBlock(master.prf, suite, randoms.client, randoms.server)
  const state = (of: "client" | "server") => {
    const protection = protection12(channel.primitives, suite, keys[of].key, keys[of].fixedIv)
    keys[of].key.fill(0)
    return { protection, compression: nullCompression }
  }
  const [client, server] = [state("client"), state("server")]
  channel.setPending(role === "client" ? { read: server, write: client } : { read: client, write: server })
}

/**
 * RFC 5246 sections 7.1 and 7.4.9.
 *
 * @category finished
 * @since 0.1.0
 */
export const sendFinished = (channel: Channel, sender: "client" | "server", master: MasterSecret): void => {
  channel.sendChangeCipherSpec()
  const verifyData = KeySchedule.verifyData(master.prf, sender, channel.transcript.digest())
  channel.send({ _tag: "Finished", verifyData })
}

/**
 * RFC 5246 sections 7.1 and 7.4.9.
 *
 * @category finished
 * @since 0.1.0
 */
export const expectFinished = Effect.fnUntracedEager(
  function*(
    channel: Channel,
    sender: "client" | "server",
    master: MasterSecret
  ): Effect.fn.Return<void, HandshakeFailure> {
    yield* channel.expectChangeCipherSpec()
    const verifyData = KeySchedule.verifyData(master.prf, sender, channel.transcript.digest())
    const finished = yield* channel.expect("Finished")
    const malformed = checkLength(finished.verifyData, verifyData.length)
    if (malformed !== undefined) return yield* Effect.fail(malformed)
    if (!channel.primitives.equal(finished.verifyData, verifyData)) {
      return yield* Effect.fail<Fault>({ _tag: "FinishedWrong" })
    }
  }
)

/** Both versions: a Finished of another length than its hash gives cannot be decoded. */
const checkLength = (verifyData: Uint8Array, required: number): Fault | undefined =>
  verifyData.length === required ? undefined : {
    _tag: "MessageMalformed",
    message: "Finished",
    field: "verify_data",
    why: `has ${verifyData.length} bytes where ${required} are required`
  }

/**
 * RFC 5246 section 4.7: the signature must be of a scheme that was offered, fit the key, and verify.
 *
 * @category signatures
 * @since 0.1.0
 */
export const checkSignature = (
  certificate: VerifiedChain,
  offered: ReadonlyArray<SignatureScheme>,
  signed: {
    readonly by: "ServerKeyExchange" | "CertificateVerify"
    readonly scheme: number
    readonly message: Uint8Array
    readonly signature: Uint8Array
  }
): Fault | undefined => {
  const scheme = signatureSchemeName(signed.scheme)
  if (scheme === undefined || !offered.includes(scheme) || !schemeFits(scheme, certificate.publicKey.type, "1.2")) {
    return {
      _tag: "ParameterIllegal",
      message: signed.by,
      field: "signature algorithm",
      why: scheme === undefined || !offered.includes(scheme)
        ? `0x${signed.scheme.toString(16).padStart(4, "0")} was not offered`
        : `${scheme} does not fit a key of type ${certificate.publicKey.type}`
    }
  }
  return certificate.publicKey.verify(scheme, signed.message, signed.signature)
    ? undefined
    : { _tag: "SignatureWrong", message: signed.by }
}

/**
 * Signs with the key of the credential. A failure of the key is our own fault, and the peer learns no more than that.
 *
 * @category signatures
 * @since 0.1.0
 */
export const signWith = (
  credential: Credential,
  scheme: SignatureScheme,
  message: Uint8Array
): Effect.Effect<{ readonly signatureScheme: number; readonly signature: Uint8Array }, Fault> =>
  credential.sign(scheme, message).pipe(
    Effect.map((signature) => ({ signatureScheme: SignatureScheme[scheme], signature })),
    Effect.mapError((error): Fault => ({ _tag: "InternalFault", why: error.why }))
  )

/**
 * A session; `authentication` is that of its full handshake, also where an earlier one gets a new ticket: it lives no longer for that.
 * `ticketLifetime` is for a session that is known by a ticket, in seconds; 0 is for a server that does not say.
 *
 * @category sessions
 * @since 0.1.0
 */
export const newSession = (options: {
  readonly id: Uint8Array
  readonly suite: CipherSuite
  readonly master: MasterSecret
  readonly serverName: string | undefined
  readonly peerCertificates: ReadonlyArray<Uint8Array>
  readonly authentication: Authentication
  readonly ticketLifetime?: number
}): Effect.Effect<Session> =>
  Effect.map(currentMillis, (now) =>
    new Session({
      version: "1.2",
      id: options.id.slice(),
      ...(options.ticketLifetime === undefined ? {} : { isTicket: true }),
      cipherSuite: options.suite.id,
      secret: new SessionSecret(options.master.bytes.slice()),
      serverName: options.serverName,
      peerCertificates: options.peerCertificates.map((der) => der.slice()),
      authenticatedAt: options.authentication.authenticatedAt,
      authenticatedUntil: options.authentication.authenticatedUntil,
      createdAt: now,
      lifetime: options.ticketLifetime === 0 ? undefined : options.ticketLifetime,
      ageAdd: 0
    }))

/**
 * RFC 5705 section 4. Only for a master secret that is bound to its handshake (RFC 7627 section 5.4).
 *
 * @category exporters
 * @since 0.1.0
 */
export const exporterOf = (
  channel: Channel,
  suite: CipherSuite,
  master: MasterSecret,
  randoms: Randoms
): Exporter => {
  const secret = master.bytes.slice()
  const prf = Prf.make(channel.primitives, suite.hash, secret)
  const exporter = new Exporter(secret, (label, context, length) =>
    prf(
      label,
      [
        randoms.client,
        randoms.server,
        ...context === undefined ? [] : [new Writer().vector16((_) => _.bytes(context)).finish()]
      ],
      length
    ))
  channel.keepExporter(exporter)
  return exporter
}

/**
 * A line of the SSLKEYLOGFILE format (draft-ietf-tls-keylogfile).
 *
 * @category formatting
 * @since 0.1.0
 */
export const keyLogLine = (randoms: Randoms, master: MasterSecret): string =>
  `CLIENT_RANDOM ${toHex(randoms.client)} ${toHex(master.bytes)}`
