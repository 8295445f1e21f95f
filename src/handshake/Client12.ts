/**
 * The client's side of the message flow of RFC 5246 section 7.3, after the hellos.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Fault } from "../alert/Fault.ts"
import type { HandshakeMessage } from "../message/HandshakeMessage.ts"
import type { CipherSuite } from "../secret/CipherSuite.ts"
import type { Exporter } from "../secret/Exporter.ts"
import type { KeyShare } from "../secret/Primitives.ts"
import { type Credential, schemesFor } from "../service/Identity.ts"
import { authenticated, type Session } from "../service/Session.ts"
import type { VerifiedChain } from "../service/Trust.ts"
import { concat } from "../wire/Bytes.ts"
import { type NamedGroup, namedGroupName, signatureSchemeName } from "../wire/CodePoints.ts"
import type { Channel, HandshakeFailure } from "./Channel.ts"
import { type ClientStory, serverNameOf } from "./ClientStory.ts"
import type { Established } from "./Established.ts"
import {
  agree,
  checkSignature,
  expectFinished,
  exporterOf,
  keyLogLine,
  masterSecretOf,
  newSession,
  type Randoms,
  sendFinished,
  setPendingKeys,
  signWith
} from "./Handshake12.ts"
import { commonSchemes, type ServerChoice } from "./Negotiation.ts"

type Message<Tag extends HandshakeMessage["_tag"]> = Extract<HandshakeMessage, { readonly _tag: Tag }>

/**
 * The hellos, once both are known.
 *
 * @category models
 * @since 0.1.0
 */
export interface Hellos {
  readonly choice: ServerChoice
  readonly randoms: Randoms
  readonly sessionId: Uint8Array
}

const fail = (fault: Fault) => Effect.fail(fault)

const establish = (
  story: ClientStory,
  hellos: Hellos,
  peerCertificates: ReadonlyArray<Uint8Array>,
  sessionId: Uint8Array,
  group: NamedGroup | undefined,
  exporter: Exporter | undefined
): Established => ({
  version: "1.2",
  cipherSuite: hellos.choice.suite,
  group,
  alpnProtocol: hellos.choice.alpnProtocol,
  serverName: serverNameOf(story),
  peerCertificates,
  serverCertificate: peerCertificates[0],
  resumed: hellos.choice.isResumed,
  sessionId,
  exporter
})

/**
 * ```text
 *       Client                           Server
 *                                  Certificate
 *                           CertificateStatus*
 *                            ServerKeyExchange
 *                          CertificateRequest*
 *                 <--------    ServerHelloDone
 *       Certificate*
 *       ClientKeyExchange
 *       CertificateVerify*
 *       [ChangeCipherSpec]
 *       Finished  -------->
 *                            NewSessionTicket*
 *                           [ChangeCipherSpec]
 *                 <--------           Finished
 * ```
 *
 * @category stories
 * @since 0.1.0
 */
export const full = Effect.fnUntracedEager(
  function*(channel: Channel, story: ClientStory, hellos: Hellos): Effect.fn.Return<Established, HandshakeFailure> {
    const { randoms } = hellos
    const { isExtendedMasterSecret, suite } = hellos.choice

    const { chain } = yield* channel.expect("Certificate")
    // RFC 6066 section 8: a server that is willing to tell the status need not do it.
    const answer = hellos.choice.mayStaple ? yield* channel.expect("CertificateStatus", "ServerKeyExchange") : undefined
    const stapled = answer?._tag === "CertificateStatus" ? answer.response : undefined
    const certificate = yield* judgeCertificate(story, suite, chain, stapled)
    const keyExchange = answer?._tag === "ServerKeyExchange" ? answer : yield* channel.expect("ServerKeyExchange")
    const share = yield* judgeKeyExchange(channel, story, certificate, keyExchange, randoms)
    const next = yield* channel.expect("CertificateRequest", "ServerHelloDone")
    const request = next._tag === "CertificateRequest" ? next : undefined
    if (request !== undefined) yield* channel.expect("ServerHelloDone")

    const credential = request === undefined ? Option.none() : yield* selectCredential(story, request)
    if (request !== undefined) {
      // RFC 5246 section 7.4.6: a client without a suitable certificate sends a message without any.
      channel.send({
        _tag: "Certificate",
        chain: Option.match(credential, { onNone: () => [], onSome: (_) => _.chain })
      })
    }
    channel.send({ _tag: "ClientKeyExchange", publicKey: share.publicKey })
    const master = yield* agree(channel, {
      suite,
      share,
      peer: keyExchange.publicKey,
      randoms,
      isExtended: isExtendedMasterSecret
    })
    story.settings.insecureKeyLog?.(keyLogLine(randoms, master))
    if (request !== undefined && Option.isSome(credential)) {
      yield* sendCertificateVerify(channel, story, credential.value, request)
    }
    setPendingKeys(channel, "client", suite, master, randoms)
    sendFinished(channel, "client", master)
    const ticket = yield* expectTicket(channel, hellos)
    yield* expectFinished(channel, "server", master)

    // RFC 5077 section 3.4: beside a ticket the session identifier says nothing.
    const sessionId = isExtendedMasterSecret && ticket === undefined ? hellos.sessionId : new Uint8Array(0)
    const id = isExtendedMasterSecret && ticket !== undefined ? ticket.ticket : sessionId
    if (id.length > 0) {
      yield* channel.storeSession(
        story.sessionKey,
        yield* newSession({
          id,
          suite,
          master,
          serverName: serverNameOf(story),
          peerCertificates: certificate.chain,
          authentication: yield* authenticated(certificate),
          ...(ticket === undefined ? {} : { ticketLifetime: ticket.lifetimeHint })
        })
      )
    }
    const exporter = isExtendedMasterSecret ? exporterOf(channel, suite, master, randoms) : undefined
    return establish(story, hellos, certificate.chain, sessionId, share.group, exporter)
  }
)

/** RFC 5077 section 3.3: a promised ticket comes, though it may be empty. Nothing is made of it before the Finished. */
const expectTicket = (
  channel: Channel,
  { choice }: Hellos
): Effect.Effect<Message<"NewSessionTicket12"> | undefined, HandshakeFailure> =>
  choice.isTicketPromised
    ? Effect.map(channel.expect("NewSessionTicket12"), (message) => message.ticket.length > 0 ? message : undefined)
    : Effect.undefined

/**
 * ```text
 *       Client                           Server
 *                            NewSessionTicket*
 *                           [ChangeCipherSpec]
 *                 <--------           Finished
 *       [ChangeCipherSpec]
 *       Finished  -------->
 * ```
 *
 * @category stories
 * @since 0.1.0
 */
export const abbreviated = Effect.fnUntracedEager(
  function*(
    channel: Channel,
    story: ClientStory,
    hellos: Hellos,
    session: Session
  ): Effect.fn.Return<Established, HandshakeFailure> {
    const { suite } = hellos.choice
    const master = masterSecretOf(channel, suite, session.secret.bytes)
    story.settings.insecureKeyLog?.(keyLogLine(hellos.randoms, master))
    setPendingKeys(channel, "client", suite, master, hellos.randoms)
    const ticket = yield* expectTicket(channel, hellos)
    yield* expectFinished(channel, "server", master)
    sendFinished(channel, "client", master)
    if (ticket !== undefined) {
      const { peerCertificates, serverName } = session
      yield* channel.storeSession(
        story.sessionKey,
        yield* newSession({
          id: ticket.ticket,
          suite,
          master,
          serverName,
          peerCertificates,
          authentication: session,
          ticketLifetime: ticket.lifetimeHint
        })
      )
    }
    return establish(
      story,
      hellos,
      session.peerCertificates,
      session.isTicket === true ? new Uint8Array(0) : session.id,
      undefined,
      exporterOf(channel, suite, master, hellos.randoms)
    )
  }
)

/** RFC 5246 section 7.4.2, RFC 8422 section 5.3. */
const judgeCertificate = (
  story: ClientStory,
  suite: CipherSuite,
  chain: ReadonlyArray<Uint8Array>,
  stapled: Uint8Array | undefined
): Effect.Effect<VerifiedChain, Fault> => {
  if (chain.length === 0) {
    return fail({ _tag: "MessageMalformed", message: "Certificate", field: "certificate_list", why: "is empty" })
  }
  return Effect.flatMap(
    story.trust.verify(chain, { ...story.peer, status: { stapled } }),
    (certificate) =>
      (certificate.publicKey.type === "rsa") === (suite.authentication === "rsa")
        ? Effect.succeed(certificate)
        : fail({
          _tag: "CertificateUnsupported",
          depth: 0,
          why: `a key of type ${certificate.publicKey.type} does not fit ${suite.name}`
        })
  )
}

/** RFC 8422 section 5.4: the share must be signed over both randoms. Makes our own share of the same group. */
const judgeKeyExchange = (
  channel: Channel,
  story: ClientStory,
  certificate: VerifiedChain,
  keyExchange: Message<"ServerKeyExchange">,
  randoms: Randoms
): Effect.Effect<KeyShare, Fault> =>
  Effect.suspend(() => {
    const group = namedGroupName(keyExchange.group)
    if (group === undefined || group === "x25519mlkem768" || !story.settings.groups.includes(group)) {
      return fail({
        _tag: "ParameterIllegal",
        message: "ServerKeyExchange",
        field: "named_curve",
        why: `${group ?? keyExchange.group} was not offered`
      })
    }
    const fault = checkSignature(certificate, story.settings.signatureSchemes, {
      by: "ServerKeyExchange",
      scheme: keyExchange.signatureScheme,
      message: concat([randoms.client, randoms.server, keyExchange.params]),
      signature: keyExchange.signature
    })
    return fault === undefined ? Effect.succeed(channel.randomness.keyShare(group)) : fail(fault)
  })

const selectCredential = (
  story: ClientStory,
  request: Message<"CertificateRequest">
): Effect.Effect<Option.Option<Credential>, Fault> => {
  if (story.identity === undefined) return Effect.succeedNone
  return story.identity.select({
    role: "client",
    version: "1.2",
    serverName: undefined,
    // RFC 5246 section 7.4.4 and RFC 8422 section 5.5: rsa_sign(1), ecdsa_sign(64).
    authentication: request.certificateTypes.flatMap((type) => type === 64 ? "ecdsa" : type === 1 ? "rsa" : []),
    signatureSchemes: commonSchemes(request.signatureSchemes, story.settings.signatureSchemes),
    certificateSchemes: request.signatureSchemes.flatMap((code) => signatureSchemeName(code) ?? []),
    curves: undefined,
    authorities: request.authorities
  })
}

/** RFC 5246 section 7.4.8: over all messages so far, with one of the schemes of the request. */
const sendCertificateVerify = Effect.fnUntracedEager(
  function*(
    channel: Channel,
    story: ClientStory,
    credential: Credential,
    request: Message<"CertificateRequest">
  ): Effect.fn.Return<void, Fault> {
    const common = commonSchemes(request.signatureSchemes, story.settings.signatureSchemes)
    const scheme = schemesFor(credential.keyType, "1.2", common)[0]
    if (scheme === undefined) return yield* fail({ _tag: "NothingInCommon", what: "signature scheme" })
    channel.send({
      _tag: "CertificateVerify",
      ...(yield* signWith(credential, scheme, channel.transcript.messages()))
    })
  }
)
