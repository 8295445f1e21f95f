/**
 * The client's side of the message flow of RFC 8446 section 2, after the answer to its hello.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Fault } from "../alert/Fault.ts"
import type { CertificateRequest13 } from "../message/CertificateRequest13.ts"
import { findExtension } from "../message/Extension.ts"
import { isHelloRetryRequest, type ServerHello } from "../message/ServerHello.ts"
import type { CipherSuite13 } from "../secret/CipherSuite.ts"
import { type Credential, schemesFor } from "../service/Identity.ts"
import { authenticated, secondsLeft } from "../service/Session.ts"
import type { VerifiedChain } from "../service/Trust.ts"
import type { SignatureScheme } from "../wire/CodePoints.ts"
import type { Channel, HandshakeFailure } from "./Channel.ts"
import { type ClientHelloOffer, retriedHello, sendHello } from "./ClientHello.ts"
import { type ClientStory, serverNameOf } from "./ClientStory.ts"
import { copyOf } from "../secret/KeySchedule13.ts"
import type { Established } from "./Established.ts"
import {
  applicationSecrets,
  chainOf,
  entriesOf,
  expectCertificateVerify,
  expectFinished,
  handshakeSecrets,
  longestLifetime,
  resumptionSecret,
  sendCertificateVerify,
  sendFinished,
  ticketSession
} from "./Handshake13.ts"
import { certificateSchemes, commonSchemes } from "./Negotiation.ts"
import {
  illegal,
  judgeEncryptedExtensions,
  judgeHelloRetryRequest,
  judgeServerHello13,
  type Offer13
} from "./Negotiation13.ts"

const fail = (fault: Fault) => Effect.fail(fault)

interface Answered {
  readonly offer: ClientHelloOffer
  readonly hello: ServerHello
  readonly retried: CipherSuite13 | undefined
}

const offer13 = (story: ClientStory, { hello, session }: ClientHelloOffer): Offer13 => ({
  hello,
  settings: story.settings,
  session
})

/**
 * ```text
 *       Client                           Server
 *                                  ServerHello
 *                        {EncryptedExtensions}
 *                        {CertificateRequest*}
 *                               {Certificate*}
 *                         {CertificateVerify*}
 *                 <--------         {Finished}
 *       {Certificate*}
 *       {CertificateVerify*}
 *       {Finished} -------->
 * ```
 *
 * @category stories
 * @since 0.1.0
 */
export const handshake = Effect.fnUntracedEager(
  function*(
    channel: Channel,
    story: ClientStory,
    first: ClientHelloOffer,
    answer: ServerHello
  ): Effect.fn.Return<Established, HandshakeFailure> {
    const { settings } = story
    channel.settleVersion("1.3")
    const { hello, offer, retried } = isHelloRetryRequest(answer)
      ? yield* afterRetry(channel, story, first, answer)
      : { hello: answer, offer: first, retried: undefined }
    const choice = yield* Effect.fromResult(judgeServerHello13(hello, offer13(story, offer), retried))
    const { suite } = choice
    const session = choice.isResumed ? offer.session : undefined
    if (session === undefined) {
      offer.session?.wipe()
      channel.useSession(undefined)
    }
    if (retried === undefined) channel.transcript.start(channel.primitives, suite.hash)

    const shared = offer.shares.find(({ group }) => group === choice.group)?.agree(choice.share)
    if (shared === undefined) return yield* fail({ _tag: "KeyShareInvalid", group: choice.group })
    const context = { channel, suite, clientRandom: offer.hello.random, keyLog: settings.insecureKeyLog }
    const secrets = handshakeSecrets(context, session?.secret.bytes.slice(), shared)
    channel.sendCompatibilityChangeCipherSpec()
    channel.installWrite(secrets.client.parameters)
    yield* channel.installRead(secrets.server.parameters)

    const extensions = yield* channel.expect("EncryptedExtensions")
    const agreed = yield* Effect.fromResult(judgeEncryptedExtensions(extensions, offer13(story, offer)))
    if (agreed.recordSizeLimit !== undefined) {
      channel.limitRecords({ read: settings.recordSizeLimit + 1, write: agreed.recordSizeLimit - 1 })
    }
    const proved = session === undefined
      ? yield* expectServerCertificate(channel, story)
      : { certificate: undefined, request: undefined }
    yield* expectFinished(channel, secrets.server)
    const authentication = session ?? (yield* authenticated(proved.certificate))

    const application = applicationSecrets(context, secrets)
    yield* channel.installRead(application.server.parameters)
    if (proved.request !== undefined) yield* answerRequest(channel, story, proved.request)
    sendFinished(channel, secrets.client)
    channel.installWrite(application.client.parameters)
    // The bytes of the handshake are overwritten with it, and tickets come later.
    const resumption = copyOf(channel.primitives, resumptionSecret(channel, application.master))

    const serverName = serverNameOf(story)
    const peerCertificates = proved.certificate?.chain ?? session?.peerCertificates ?? []
    channel.openTraffic({
      read: application.server,
      write: application.client,
      resumption,
      // RFC 8446 section 4.6.1: a lifetime of zero is a ticket to be dropped at once, and a week is the most, of all tickets together.
      sessionOf: (ticket, createdAt) => {
        const lifetime = Math.min(ticket.lifetime, secondsLeft(longestLifetime, authentication, createdAt))
        if (lifetime === 0) return undefined
        const kept = { ticket: ticket.ticket, nonce: ticket.nonce, lifetime, ageAdd: ticket.ageAdd }
        const made = { suite, resumption, ticket: kept, serverName, peerCertificates, authentication, createdAt }
        return { key: story.sessionKey, session: ticketSession(made) }
      }
    })
    return {
      version: "1.3",
      cipherSuite: suite,
      group: choice.group,
      alpnProtocol: agreed.alpnProtocol,
      serverName,
      peerCertificates,
      serverCertificate: peerCertificates[0],
      resumed: session !== undefined,
      sessionId: new Uint8Array(0),
      exporter: application.exporter
    }
  }
)

/** RFC 8446 section 4.1.4: a HelloRetryRequest is answered once. */
const afterRetry = Effect.fnUntracedEager(
  function*(
    channel: Channel,
    story: ClientStory,
    offer: ClientHelloOffer,
    answer: ServerHello
  ): Effect.fn.Return<Answered, HandshakeFailure> {
    const retry = yield* Effect.fromResult(judgeHelloRetryRequest(answer, offer13(story, offer)))
    channel.transcript.collapseFirst(channel.primitives, retry.suite.hash)
    channel.sendCompatibilityChangeCipherSpec()
    const again = yield* retriedHello(channel, offer, retry)
    sendHello(channel, again)
    const hello = yield* channel.expect("ServerHello")
    if (isHelloRetryRequest(hello)) {
      return yield* fail({
        _tag: "MessageUnexpected",
        expected: ["ServerHello"],
        received: "a second HelloRetryRequest"
      })
    }
    channel.transcript.start(channel.primitives, retry.suite.hash)
    return { offer: again, hello, retried: retry.suite }
  }
)

/** RFC 8446 sections 4.3.2, 4.4.2 and 4.4.3. */
const expectServerCertificate = Effect.fnUntracedEager(
  function*(channel: Channel, story: ClientStory): Effect.fn.Return<{
    readonly certificate: VerifiedChain
    readonly request: CertificateRequest13 | undefined
  }, HandshakeFailure> {
    const next = yield* channel.expect("CertificateRequest13", "Certificate13")
    const request = next._tag === "CertificateRequest13" ? next : undefined
    if (request !== undefined && request.context.length > 0) {
      return yield* fail(illegal("CertificateRequest", "certificate_request_context", "is not empty in a handshake"))
    }
    if (request !== undefined && findExtension(request.extensions, "SignatureAlgorithms") === undefined) {
      return yield* fail({ _tag: "ExtensionMissing", message: "CertificateRequest", extension: "signature_algorithms" })
    }
    const { context, entries } = next._tag === "Certificate13" ? next : yield* channel.expect("Certificate13")
    if (context.length > 0) {
      return yield* fail(illegal("Certificate", "certificate_request_context", "is not empty"))
    }
    if (entries.length === 0) {
      return yield* fail({
        _tag: "MessageMalformed",
        message: "Certificate",
        field: "certificate_list",
        why: "is empty"
      })
    }
    const certificate = yield* story.trust.verify(yield* chainOf(entries, "server"), {
      ...story.peer,
      status: { stapled: findExtension(entries[0]?.extensions ?? [], "StatusRequest")?.response }
    })
    yield* expectCertificateVerify(channel, "server", certificate, story.settings.signatureSchemes)
    return { certificate, request }
  }
)

/** RFC 8446 section 4.4.2: a client without a suitable certificate sends an empty list. */
const answerRequest = Effect.fnUntracedEager(
  function*(channel: Channel, story: ClientStory, request: CertificateRequest13): Effect.fn.Return<void, Fault> {
    const theirs = findExtension(request.extensions, "SignatureAlgorithms")?.schemes
    const schemes = commonSchemes(theirs, story.settings.signatureSchemes)
    const credential = Option.getOrUndefined(yield* selectCredential(story, request, schemes))
    channel.send({
      _tag: "Certificate13",
      context: request.context,
      entries: entriesOf(credential?.chain ?? [])
    })
    if (credential === undefined) return
    const scheme = schemesFor(credential.keyType, "1.3", schemes)[0]
    if (scheme === undefined) return yield* fail({ _tag: "NothingInCommon", what: "signature scheme" })
    yield* sendCertificateVerify(channel, "client", credential, scheme)
  }
)

const selectCredential = (
  story: ClientStory,
  request: CertificateRequest13,
  signatureSchemes: ReadonlyArray<SignatureScheme>
): Effect.Effect<Option.Option<Credential>, Fault> =>
  story.identity === undefined
    ? Effect.succeedNone
    : story.identity.select({
      role: "client",
      version: "1.3",
      serverName: undefined,
      authentication: ["ecdsa", "rsa"],
      signatureSchemes,
      certificateSchemes: certificateSchemes(request.extensions),
      curves: undefined,
      authorities: findExtension(request.extensions, "CertificateAuthorities")?.authorities ?? []
    })
