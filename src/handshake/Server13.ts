/**
 * The server's side of the message flow of RFC 8446 section 2, after the ClientHello.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Fault } from "../alert/Fault.ts"
import type { ClientHello } from "../message/ClientHello.ts"
import { type Extension, findExtension } from "../message/Extension.ts"
import { makeHelloRetryRandom } from "../message/ServerHello.ts"
import type { CipherSuite13 } from "../secret/CipherSuite.ts"
import type { Secret } from "../secret/KeySchedule13.ts"
import { type Credential, schemesFor } from "../service/Identity.ts"
import { currentMillis } from "../service/Now.ts"
import * as SessionMetrics from "../service/SessionMetrics.ts"
import { authenticated, type Authentication, secondsLeft, type Session } from "../service/Session.ts"
import type { SessionCache } from "../service/SessionCache.ts"
import type { ServerOptions, Settings } from "../service/TlsConfig.ts"
import type { VerifiedChain } from "../service/Trust.ts"
import { partOf } from "../wire/Bytes.ts"
import { NamedGroup, ProtocolVersion, SignatureScheme } from "../wire/CodePoints.ts"
import { Reader } from "../wire/Reader.ts"
import type { Channel, HandshakeFailure } from "./Channel.ts"
import type { Established } from "./Established.ts"
import {
  applicationSecrets,
  binderOf,
  chainOf,
  entriesOf,
  expectCertificateVerify,
  expectFinished,
  handshakeSecrets,
  resumptionSecret,
  sendCertificateVerify,
  sendFinished,
  ticketSession
} from "./Handshake13.ts"
import { certificateSchemes, chooseProtocol, commonSchemes, judgeClientVersion } from "./Negotiation.ts"
import {
  chooseGroup13,
  chooseSuite13,
  type GroupChoice,
  illegal,
  judgeClientHello13,
  judgeSecondHello,
  mayResume13,
  pskDheKe
} from "./Negotiation13.ts"
import type { ServerStory } from "./ServerStory.ts"
import { handleLength, issue, redeem, ticketLifetime } from "./ServerTickets.ts"

const fail = (fault: Fault) => Effect.fail(fault)

// RFC 8446 section 4.2.10: what a client may have sent before it learns that nobody reads it.
const earlyDataLimit = 2 ** 14 * 4

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
 *                 <--------  [NewSessionTicket]
 * ```
 *
 * @category stories
 * @since 0.1.0
 */
export const handshake = Effect.fnUntracedEager(
  function*(
    channel: Channel,
    story: ServerStory,
    cache: SessionCache["Service"],
    first: ClientHello
  ): Effect.fn.Return<Established, HandshakeFailure> {
    const { clientAuth, settings } = story
    const malformed = judgeClientHello13(first)
    if (malformed !== undefined) return yield* fail(malformed)
    if (findExtension(first.extensions, "EarlyData") !== undefined) channel.skipEarlyData(earlyDataLimit)
    const suite = yield* Effect.fromResult(chooseSuite13(first, settings))
    const { group, hello, share } = yield* agreeOnGroup(channel, settings, first, suite)

    const session = yield* resume(channel, story, cache, hello, suite)
    const alpnProtocol = yield* Effect.fromResult(chooseProtocol(hello, settings))
    const serverName = findExtension(hello.extensions, "ServerName")?.name
    const proof = session === undefined ? yield* chooseCredential(story, hello, serverName) : undefined
    const answer = channel.randomness.respond(group, share)
    if (answer === undefined) return yield* fail({ _tag: "KeyShareInvalid", group })

    if (hello === first) channel.transcript.start(channel.primitives, suite.hash)
    channel.send({
      _tag: "ServerHello",
      version: ProtocolVersion.tls12,
      random: channel.randomness.bytes(32),
      sessionId: hello.sessionId,
      cipherSuite: suite.id,
      compressionMethod: 0,
      extensions: [
        { _tag: "SupportedVersions", versions: [ProtocolVersion.tls13] },
        { _tag: "KeyShares", shares: [{ group: NamedGroup[group], publicKey: answer.publicKey }] },
        ...session === undefined ? [] : [{ _tag: "PreSharedKeys", offers: [], selected: session.index } as const]
      ]
    })
    const context = { channel, suite, clientRandom: hello.random, keyLog: settings.insecureKeyLog }
    const psk = session?.session.secret.bytes.slice()
    const secrets = handshakeSecrets(context, psk, answer.secret)
    if (hello.sessionId.length > 0) channel.sendCompatibilityChangeCipherSpec()
    channel.installWrite(secrets.server.parameters)
    yield* channel.installRead(secrets.client.parameters)

    // RFC 8449 section 4: for every protected record, this one as well.
    const theirLimit = findExtension(hello.extensions, "RecordSizeLimit")?.limit
    if (theirLimit !== undefined) {
      channel.limitRecords({ read: settings.recordSizeLimit + 1, write: theirLimit - 1 })
    }
    channel.send({ _tag: "EncryptedExtensions", extensions: encryptedExtensions(settings, hello, group, alpnProtocol) })
    const isRequested = clientAuth !== undefined && session === undefined
    if (isRequested) {
      channel.send({
        _tag: "CertificateRequest13",
        context: new Uint8Array(0),
        extensions: requestExtensions(settings, clientAuth.trust.authorities ?? [])
      })
    }
    if (proof !== undefined) {
      const { credential, scheme } = proof
      const staple = findExtension(hello.extensions, "StatusRequest") === undefined ? undefined : credential.staple
      channel.send({ _tag: "Certificate13", context: new Uint8Array(0), entries: entriesOf(credential.chain, staple) })
      yield* sendCertificateVerify(channel, "server", credential, scheme)
    }
    sendFinished(channel, secrets.server)
    const application = applicationSecrets(context, secrets)
    channel.installWrite(application.server.parameters)

    const certificate = isRequested ? yield* expectCertificate(channel, settings, clientAuth) : undefined
    yield* expectFinished(channel, secrets.client)
    yield* channel.installRead(application.client.parameters)
    channel.openTraffic({
      read: application.client,
      write: application.server,
      resumption: undefined,
      sessionOf: undefined
    })

    const peerCertificates = certificate?.chain ?? session?.session.peerCertificates ?? []
    const resumption = resumptionSecret(channel, application.master)
    // RFC 8446 section 4.2.9: no ticket that the client could not use.
    const modes = findExtension(hello.extensions, "PskKeyExchangeModes")?.modes
    if (modes?.includes(pskDheKe) === true) {
      // Who resumed has others left, and gets one for the one that is used up.
      const count = session === undefined ? settings.tickets : Math.min(1, settings.tickets)
      const authentication = session?.session ?? (yield* authenticated(certificate))
      yield* sendTickets(channel, story, cache, {
        count,
        suite,
        resumption,
        serverName,
        peerCertificates,
        authentication
      })
    }
    return {
      version: "1.3",
      cipherSuite: suite,
      group,
      alpnProtocol,
      serverName,
      peerCertificates,
      serverCertificate: proof?.credential.chain[0],
      resumed: session !== undefined,
      sessionId: new Uint8Array(0),
      exporter: application.exporter
    }
  }
)

/** RFC 8446 section 4.1.4: a client that brought no share of a common group is asked for one, once. */
const agreeOnGroup = Effect.fnUntracedEager(
  function*(
    channel: Channel,
    settings: Settings,
    first: ClientHello,
    suite: CipherSuite13
  ): Effect.fn.Return<
    { readonly hello: ClientHello; readonly group: NamedGroup; readonly share: Uint8Array },
    HandshakeFailure
  > {
    const { group, share }: GroupChoice = yield* Effect.fromResult(chooseGroup13(first, settings))
    if (share !== undefined) return { hello: first, group, share }
    channel.transcript.collapseFirst(channel.primitives, suite.hash)
    channel.send({
      _tag: "ServerHello",
      version: ProtocolVersion.tls12,
      random: makeHelloRetryRandom(),
      sessionId: first.sessionId,
      cipherSuite: suite.id,
      compressionMethod: 0,
      extensions: [
        { _tag: "SupportedVersions", versions: [ProtocolVersion.tls13] },
        { _tag: "KeyShares", shares: [{ group: NamedGroup[group], publicKey: new Uint8Array(0) }] }
      ]
    })
    if (first.sessionId.length > 0) channel.sendCompatibilityChangeCipherSpec()
    const hello = yield* channel.expect("ClientHello")
    channel.endEarlyData()
    channel.transcript.start(channel.primitives, suite.hash)
    const version = yield* Effect.fromResult(judgeClientVersion(hello, settings))
    if (version !== "1.3") return yield* fail(illegal("ClientHello", "supported_versions", "no longer has TLS 1.3"))
    const fault = judgeClientHello13(hello) ?? judgeSecondHello(first, hello, group)
    if (fault !== undefined) return yield* fail(fault)
    const again = findExtension(hello.extensions, "KeyShares")?.shares[0]
    if (again === undefined) {
      return yield* fail({ _tag: "ExtensionMissing", message: "ClientHello", extension: "key_share" })
    }
    return { hello, group, share: again.publicKey }
  }
)

/** How many of the tickets that a client offers are looked up: each one may cost a round trip to a store. */
const maxLookups = 2

/**
 * RFC 8446 section 4.2.11: the first offered ticket that fits and whose binder proves that the client holds its secret. Until then
 * the session is not in use: whoever merely saw a ticket must not be able to have it forgotten.
 */
const resume = Effect.fnUntracedEager(
  function*(
    channel: Channel,
    story: ServerStory,
    cache: SessionCache["Service"],
    hello: ClientHello,
    suite: CipherSuite13
  ): Effect.fn.Return<{ readonly session: Session; readonly index: number } | undefined, HandshakeFailure> {
    const offers = findExtension(hello.extensions, "PreSharedKeys")?.offers ?? []
    const requiresCertificate = story.clientAuth?.mode === "require"
    for (const [index, { binder, identity }] of offers.slice(0, maxLookups).entries()) {
      const redeemed = yield* redeem(story, cache, identity)
      if (redeemed === undefined) continue
      const { key, session } = redeemed
      if (!mayResume13(hello, session, suite, requiresCertificate)) {
        session.wipe()
        yield* SessionMetrics.refused("unfit")
        continue
      }
      const length = offers.reduce((sum, offer) => sum + 1 + offer.binder.length, 2)
      const hash = channel.transcript.digestWith(channel.primitives, suite.hash, { cut: length })
      const expected = binderOf(channel, suite, session.secret.bytes, hash)
      if (!channel.primitives.equal(binder, expected)) {
        session.wipe()
        yield* SessionMetrics.refused("binder")
        return yield* fail({ _tag: "BinderWrong" })
      }
      channel.useSession({ key, session })
      channel.keepSecret(session.secret.bytes)
      return { session, index }
    }
    return undefined
  }
)

/** RFC 8446 section 4.4.2.2: a certificate for the name, and a scheme that the client can verify. */
const chooseCredential = Effect.fnUntracedEager(
  function*(story: ServerStory, hello: ClientHello, serverName: string | undefined): Effect.fn.Return<{
    readonly credential: Credential
    readonly scheme: SignatureScheme
  }, Fault> {
    const theirs = findExtension(hello.extensions, "SignatureAlgorithms")?.schemes
    if (theirs === undefined) {
      return yield* fail({ _tag: "ExtensionMissing", message: "ClientHello", extension: "signature_algorithms" })
    }
    const signatureSchemes = commonSchemes(theirs, story.settings.signatureSchemes)
    if (signatureSchemes.length === 0) return yield* fail({ _tag: "NothingInCommon", what: "signature scheme" })
    const selected = yield* story.identity.select({
      role: "server",
      version: "1.3",
      serverName,
      authentication: ["ecdsa", "rsa"],
      signatureSchemes,
      certificateSchemes: certificateSchemes(hello.extensions),
      // RFC 8446 section 4.2.7: the groups are those of the key exchange alone.
      curves: undefined
    })
    if (Option.isNone(selected)) return yield* fail({ _tag: "NothingInCommon", what: "certificate" })
    const credential = selected.value
    const scheme = schemesFor(credential.keyType, "1.3", signatureSchemes)[0]
    if (scheme === undefined) return yield* fail({ _tag: "NothingInCommon", what: "signature scheme" })
    return { credential, scheme }
  }
)

const encryptedExtensions = (
  settings: Settings,
  hello: ClientHello,
  group: NamedGroup,
  alpnProtocol: string | undefined
): ReadonlyArray<Extension> => {
  const extensions: Array<Extension> = []
  const has = (tag: Extension["_tag"]) => hello.extensions.some((extension) => extension._tag === tag)
  if (has("ServerName")) extensions.push({ _tag: "ServerName", name: undefined })
  // RFC 8446 section 4.2.7: a client whose shares are not of the group that is liked best hears of all groups, for the next time.
  if (group !== settings.groups[0]) {
    extensions.push({ _tag: "SupportedGroups", groups: settings.groups.map((group) => NamedGroup[group]) })
  }
  if (alpnProtocol !== undefined) extensions.push({ _tag: "ApplicationProtocols", protocols: [alpnProtocol] })
  if (has("RecordSizeLimit")) extensions.push({ _tag: "RecordSizeLimit", limit: settings.recordSizeLimit + 1 })
  return extensions
}

/** RFC 8446 section 4.3.2. */
const requestExtensions = (settings: Settings, authorities: ReadonlyArray<Uint8Array>): ReadonlyArray<Extension> => [
  { _tag: "SignatureAlgorithms", schemes: settings.signatureSchemes.map((scheme) => SignatureScheme[scheme]) },
  ...authorities.length === 0 ? [] : [{ _tag: "CertificateAuthorities", authorities } as const]
]

/** RFC 8446 sections 4.4.2.4 and 4.4.3. */
const expectCertificate = Effect.fnUntracedEager(
  function*(
    channel: Channel,
    settings: Settings,
    clientAuth: NonNullable<ServerOptions["clientAuth"]>
  ): Effect.fn.Return<VerifiedChain | undefined, HandshakeFailure> {
    const { context, entries } = yield* channel.expect("Certificate13")
    if (context.length > 0) {
      return yield* fail(illegal("Certificate", "certificate_request_context", "is not that of the request"))
    }
    const chain = yield* chainOf(entries, "client")
    if (chain.length === 0) {
      return clientAuth.mode === "require" ? yield* fail({ _tag: "CertificateMissing" }) : undefined
    }
    const certificate = yield* clientAuth.trust.verify(chain, { role: "client" })
    yield* expectCertificateVerify(channel, "client", certificate, settings.signatureSchemes)
    return certificate
  }
)

/** RFC 8446 section 4.6.1: none, where nothing is left of the time after the full handshake. */
const sendTickets = Effect.fnUntracedEager(
  function*(channel: Channel, story: ServerStory, cache: SessionCache["Service"], options: {
    readonly count: number
    readonly suite: CipherSuite13
    readonly resumption: Secret
    readonly serverName: string | undefined
    readonly peerCertificates: ReadonlyArray<Uint8Array>
    readonly authentication: Authentication
  }): Effect.fn.Return<void> {
    const { authentication, count, peerCertificates, resumption, serverName, suite } = options
    const createdAt = yield* currentMillis
    const lifetime = secondsLeft(ticketLifetime, authentication, createdAt)
    if (lifetime === 0) return
    // All of them at once: to store one may take longer than the secret lives that they are made of.
    const made = Array.from({ length: count }, (_, index) => {
      const random = channel.randomness.bytes(handleLength + 4)
      const handle = random.slice(0, handleLength)
      const ageAdd = new Reader(partOf(random, handleLength)).uint32("ticket_age_add")
      const nonce = Uint8Array.of(index)
      const ticket = { ticket: handle, nonce, lifetime, ageAdd }
      const session = ticketSession({
        suite,
        resumption,
        ticket,
        serverName,
        peerCertificates,
        authentication,
        createdAt
      })
      return { nonce, ageAdd, session }
    })
    for (const { ageAdd, nonce, session } of made) {
      const ticket = yield* issue(channel, story, cache, session)
      if (ticket.length > 0) {
        channel.send({ _tag: "NewSessionTicket", lifetime, ageAdd, nonce, ticket, extensions: [] })
      }
    }
  }
)
