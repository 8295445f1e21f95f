/**
 * What both roles of a TLS 1.3 handshake do alike: secrets, certificates, CertificateVerify and Finished.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { Fault } from "../alert/Fault.ts"
import type { CertificateEntry } from "../message/Certificate13.ts"
import { TrafficSecret } from "../record/TrafficSecret.ts"
import type { CipherSuite13 } from "../secret/CipherSuite.ts"
import { Exporter } from "../secret/Exporter.ts"
import * as KeySchedule from "../secret/KeySchedule13.ts"
import { type Credential, schemeFits } from "../service/Identity.ts"
import { type Authentication, Session } from "../service/Session.ts"
import { SessionSecret } from "../service/SessionSecret.ts"
import type { VerifiedChain } from "../service/Trust.ts"
import { empty, toHex } from "../wire/Bytes.ts"
import { SignatureScheme, signatureSchemeName } from "../wire/CodePoints.ts"
import type { Channel, HandshakeFailure } from "./Channel.ts"
import { illegal } from "./Negotiation13.ts"

/**
 * Takes lines in the SSLKEYLOGFILE format (draft-ietf-tls-keylogfile).
 *
 * @category models
 * @since 0.1.0
 */
export type KeyLog = ((line: string) => void) | undefined

/**
 * The secrets of a handshake, as far as it has come.
 *
 * @category models
 * @since 0.1.0
 */
export interface Secrets {
  readonly suite: CipherSuite13
  readonly handshake: KeySchedule.Secret
  readonly client: TrafficSecret
  readonly server: TrafficSecret
}

interface SecretContext {
  readonly channel: Channel
  readonly suite: CipherSuite13
  readonly clientRandom: Uint8Array
  readonly keyLog: KeyLog
}

const derive = (
  { channel, clientRandom, keyLog }: Omit<SecretContext, "suite">,
  from: KeySchedule.Secret,
  label: string,
  logged: string | undefined
): KeySchedule.Secret => {
  const secret = KeySchedule.deriveSecret(channel.primitives, from, label, channel.transcript.digest())
  channel.keepSecret(secret.bytes)
  if (logged !== undefined) keyLog?.(`${logged} ${toHex(clientRandom)} ${toHex(secret.bytes)}`)
  return secret
}

/**
 * RFC 8446 section 7.1, from the shared secret to the handshake traffic secrets. The transcript must end with ServerHello. `psk` and
 * `shared` are overwritten.
 *
 * @category key schedule
 * @since 0.1.0
 */
export const handshakeSecrets = (
  context: SecretContext,
  psk: Uint8Array | undefined,
  shared: Uint8Array
): Secrets => {
  const { channel, suite } = context
  const { primitives } = channel
  const early = KeySchedule.earlySecret(primitives, suite.hash, psk)
  const handshake = KeySchedule.handshakeSecret(primitives, early, shared)
  early.bytes.fill(0)
  psk?.fill(0)
  shared.fill(0)
  channel.keepSecret(handshake.bytes)
  const traffic = (label: string, logged: string) =>
    new TrafficSecret(primitives, suite, derive(context, handshake, label, logged))
  return {
    suite,
    handshake,
    client: traffic("c hs traffic", "CLIENT_HANDSHAKE_TRAFFIC_SECRET"),
    server: traffic("s hs traffic", "SERVER_HANDSHAKE_TRAFFIC_SECRET")
  }
}

/**
 * What the master secret gives when the server's Finished is in the transcript.
 *
 * @category models
 * @since 0.1.0
 */
export interface ApplicationSecrets {
  readonly master: KeySchedule.Secret
  readonly client: TrafficSecret
  readonly server: TrafficSecret
  readonly exporter: Exporter
}

/**
 * @category key schedule
 * @since 0.1.0
 */
export const applicationSecrets = (context: SecretContext, secrets: Secrets): ApplicationSecrets => {
  const { channel, suite } = context
  const { primitives } = channel
  const master = KeySchedule.masterSecret(primitives, secrets.handshake)
  channel.keepSecret(master.bytes)
  const traffic = (label: string, logged: string) =>
    new TrafficSecret(primitives, suite, derive(context, master, label, logged))
  const exporter = exporterOf(
    primitives,
    KeySchedule.copyOf(primitives, derive(context, master, "exp master", "EXPORTER_SECRET"))
  )
  channel.keepExporter(exporter)
  return {
    master,
    client: traffic("c ap traffic", "CLIENT_TRAFFIC_SECRET_0"),
    server: traffic("s ap traffic", "SERVER_TRAFFIC_SECRET_0"),
    exporter
  }
}

/** RFC 8446 section 7.5: no context is an empty one. A function of its own, which holds on to nothing else of the handshake. */
const exporterOf = (primitives: Channel["primitives"], secret: KeySchedule.Secret): Exporter =>
  new Exporter(
    secret.bytes,
    (label, context, length) => KeySchedule.exportKeyingMaterial(primitives, secret, label, context ?? empty, length)
  )

/**
 * RFC 8446 section 7.1: the transcript must end with the client's Finished.
 *
 * @category key schedule
 * @since 0.1.0
 */
export const resumptionSecret = (channel: Channel, master: KeySchedule.Secret): KeySchedule.Secret => {
  const secret = KeySchedule.deriveSecret(channel.primitives, master, "res master", channel.transcript.digest())
  channel.keepSecret(secret.bytes)
  return secret
}

/**
 * RFC 8446 section 4.2.11.2: the binder of a PSK over a hello whose binders are cut off.
 *
 * @category pre-shared keys
 * @since 0.1.0
 */
export const binderOf = (
  channel: Channel,
  suite: CipherSuite13,
  psk: Uint8Array,
  truncatedHash: Uint8Array
): Uint8Array => {
  const { primitives } = channel
  const early = KeySchedule.earlySecret(primitives, suite.hash, psk)
  const key = KeySchedule.resumptionBinderKey(primitives, early)
  const binder = KeySchedule.verifyData(primitives, key, truncatedHash)
  early.bytes.fill(0)
  key.bytes.fill(0)
  return binder
}

/**
 * RFC 8446 section 4.6.1: seconds for which a client may use a ticket at most, and go on with what came of one full handshake.
 *
 * @category constants
 * @since 0.1.0
 */
export const longestLifetime = 604_800

/**
 * The session of a ticket, on either side.
 *
 * @category sessions
 * @since 0.1.0
 */
export const ticketSession = (options: {
  readonly suite: CipherSuite13
  readonly resumption: KeySchedule.Secret
  readonly ticket: {
    readonly ticket: Uint8Array
    readonly nonce: Uint8Array
    readonly lifetime: number
    readonly ageAdd: number
  }
  readonly serverName: string | undefined
  readonly peerCertificates: ReadonlyArray<Uint8Array>
  readonly authentication: Authentication
  readonly createdAt: number
}): Session =>
  new Session({
    version: "1.3",
    id: options.ticket.ticket.slice(),
    cipherSuite: options.suite.id,
    secret: new SessionSecret(KeySchedule.ticketPsk(options.resumption, options.ticket.nonce)),
    serverName: options.serverName,
    peerCertificates: options.peerCertificates.map((der) => der.slice()),
    authenticatedAt: options.authentication.authenticatedAt,
    authenticatedUntil: options.authentication.authenticatedUntil,
    createdAt: options.createdAt,
    lifetime: options.ticket.lifetime,
    ageAdd: options.ticket.ageAdd
  })

/**
 * RFC 8446 section 4.4.4, with the traffic secret of the sender.
 *
 * @category finished
 * @since 0.1.0
 */
export const sendFinished = (channel: Channel, traffic: TrafficSecret): void => {
  const verifyData = KeySchedule.verifyData(channel.primitives, traffic.secret, channel.transcript.digest())
  channel.send({ _tag: "Finished", verifyData })
}

/**
 * RFC 8446 section 4.4.4.
 *
 * @category finished
 * @since 0.1.0
 */
export const expectFinished = Effect.fnUntracedEager(
  function*(channel: Channel, traffic: TrafficSecret): Effect.fn.Return<void, HandshakeFailure> {
    const verifyData = KeySchedule.verifyData(channel.primitives, traffic.secret, channel.transcript.digest())
    const finished = yield* channel.expect("Finished")
    if (finished.verifyData.length !== verifyData.length) {
      return yield* Effect.fail<Fault>({
        _tag: "MessageMalformed",
        message: "Finished",
        field: "verify_data",
        why: `has ${finished.verifyData.length} bytes where ${verifyData.length} are required`
      })
    }
    if (!channel.primitives.equal(finished.verifyData, verifyData)) {
      return yield* Effect.fail<Fault>({ _tag: "FinishedWrong" })
    }
  }
)

/**
 * RFC 8446 section 4.4.2: our own chain, with the status of the leaf where there is one to tell.
 *
 * @category certificates
 * @since 0.1.0
 */
export const entriesOf = (
  chain: ReadonlyArray<Uint8Array>,
  staple?: Uint8Array
): ReadonlyArray<CertificateEntry> =>
  chain.map((certificate, depth) => ({
    certificate,
    extensions: depth === 0 && staple !== undefined ? [{ _tag: "StatusRequest", response: staple }] : []
  }))

/**
 * The chain of a peer; a fault for an extension that nobody asked for (RFC 8446 section 4.4.2), which the status is for a client.
 *
 * @category certificates
 * @since 0.1.0
 */
export const chainOf = (
  entries: ReadonlyArray<CertificateEntry>,
  of: "client" | "server"
): Effect.Effect<ReadonlyArray<Uint8Array>, Fault> => {
  for (const { extensions } of entries) {
    const extension = extensions.find(({ _tag }) => of === "client" || _tag !== "StatusRequest")
    if (extension !== undefined) {
      return Effect.fail<Fault>({
        _tag: "ExtensionUnsolicited",
        message: "Certificate",
        extension: extension._tag === "UnknownExtension" ? String(extension.type) : extension._tag
      })
    }
  }
  return Effect.succeed(entries.map(({ certificate }) => certificate))
}

/**
 * RFC 8446 section 4.4.3: signs the transcript. A failure of the key is our own fault, and the peer learns no more than that.
 *
 * @category signatures
 * @since 0.1.0
 */
export const sendCertificateVerify = (
  channel: Channel,
  signer: "client" | "server",
  credential: Credential,
  scheme: SignatureScheme
): Effect.Effect<void, Fault> =>
  credential.sign(scheme, KeySchedule.signedContent(signer, channel.transcript.digest())).pipe(
    Effect.map((signature) =>
      channel.send({ _tag: "CertificateVerify", signatureScheme: SignatureScheme[scheme], signature })
    ),
    Effect.mapError((error): Fault => ({ _tag: "InternalFault", why: error.why }))
  )

/**
 * RFC 8446 section 4.4.3: the peer proves that it holds the key of its certificate.
 *
 * @category signatures
 * @since 0.1.0
 */
export const expectCertificateVerify = Effect.fnUntracedEager(
  function*(
    channel: Channel,
    signer: "client" | "server",
    certificate: VerifiedChain,
    offered: ReadonlyArray<SignatureScheme>
  ): Effect.fn.Return<void, HandshakeFailure> {
    const content = KeySchedule.signedContent(signer, channel.transcript.digest())
    const { signature, signatureScheme } = yield* channel.expect("CertificateVerify")
    const scheme = signatureSchemeName(signatureScheme)
    const name = scheme ?? `0x${signatureScheme.toString(16).padStart(4, "0")}`
    if (scheme === undefined || !offered.includes(scheme)) {
      return yield* Effect.fail(illegal("CertificateVerify", "algorithm", `${name} was not offered`))
    }
    const { publicKey } = certificate
    if (!schemeFits(scheme, publicKey.type, "1.3")) {
      return yield* Effect.fail(
        illegal("CertificateVerify", "algorithm", `${name} does not fit a key of type ${publicKey.type}`)
      )
    }
    if (!publicKey.verify(scheme, content, signature)) {
      return yield* Effect.fail<Fault>({ _tag: "SignatureWrong", message: "CertificateVerify" })
    }
  }
)
