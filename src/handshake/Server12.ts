/**
 * The server's side of the message flow of RFC 5246 section 7.3, after the ClientHello.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Fault } from "../alert/Fault.ts"
import { type Extension, findExtension } from "../message/Extension.ts"
import type { HandshakeMessage } from "../message/HandshakeMessage.ts"
import { encodeServerEcdhParams } from "../message/ServerKeyExchange.ts"
import type { CipherSuite } from "../secret/CipherSuite.ts"
import { authenticationOf, type Credential, schemesFor } from "../service/Identity.ts"
import { authenticated, secondsLeft } from "../service/Session.ts"
import type { SessionCache } from "../service/SessionCache.ts"
import * as SessionMetrics from "../service/SessionMetrics.ts"
import type { ServerOptions, Settings } from "../service/TlsConfig.ts"
import type { VerifiedChain } from "../service/Trust.ts"
import { concat, empty } from "../wire/Bytes.ts"
import { NamedGroup, namedGroupName, ProtocolVersion, SignallingSuite, SignatureScheme } from "../wire/CodePoints.ts"
import type { Channel, HandshakeFailure } from "./Channel.ts"
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
import {
  certificateSchemes,
  chooseGroup,
  chooseProtocol,
  commonSchemes,
  commonSuites,
  judgeClientHello,
  judgeResumption,
  markDowngrade
} from "./Negotiation.ts"
import { type ServerStory, sessionKeyOf } from "./ServerStory.ts"
import { handleLength, issue, type Offered, offered12, ticketLifetime } from "./ServerTickets.ts"

type ClientHello = Extract<HandshakeMessage, { readonly _tag: "ClientHello" }>

const fail = (fault: Fault) => Effect.fail(fault)

const serverHello = (
  settings: Settings,
  hello: ClientHello,
  random: Uint8Array,
  sessionId: Uint8Array,
  suite: CipherSuite,
  alpnProtocol: string | undefined,
  { isResumed, isTicketPromised }: { readonly isResumed: boolean; readonly isTicketPromised: boolean }
): Extract<HandshakeMessage, { readonly _tag: "ServerHello" }> => {
  const extensions: Array<Extension> = []
  const has = (tag: Extension["_tag"]) => hello.extensions.some((extension) => extension._tag === tag)
  if (has("ServerName") && !isResumed) extensions.push({ _tag: "ServerName", name: undefined })
  // RFC 5746 section 3.6: the client indicates its support by extension or by signalling suite.
  if (has("RenegotiationInfo") || hello.cipherSuites.includes(SignallingSuite.emptyRenegotiationInfo)) {
    extensions.push({ _tag: "RenegotiationInfo", renegotiatedConnection: empty })
  }
  if (has("ExtendedMasterSecret")) extensions.push({ _tag: "ExtendedMasterSecret" })
  if (has("EcPointFormats")) extensions.push({ _tag: "EcPointFormats", formats: [0] })
  if (alpnProtocol !== undefined) extensions.push({ _tag: "ApplicationProtocols", protocols: [alpnProtocol] })
  if (isTicketPromised) extensions.push({ _tag: "SessionTicket", ticket: empty })
  if (has("RecordSizeLimit")) extensions.push({ _tag: "RecordSizeLimit", limit: settings.recordSizeLimit })
  return {
    _tag: "ServerHello",
    version: ProtocolVersion.tls12,
    random,
    sessionId,
    cipherSuite: suite.id,
    compressionMethod: 0,
    extensions
  }
}

/**
 * Goes on after a ClientHello of TLS 1.2: with the session that it offers, or with a full handshake.
 *
 * @category stories
 * @since 0.1.0
 */
export const handshake = Effect.fnUntracedEager(
  function*(
    channel: Channel,
    story: ServerStory,
    cache: SessionCache["Service"],
    hello: ClientHello
  ): Effect.fn.Return<Established, HandshakeFailure> {
    const fault = judgeClientHello(hello)
    if (fault !== undefined) return yield* fail(fault)
    const offered = yield* offered12(story, cache, hello)
    if (offered !== undefined) {
      const { key, session } = offered
      const requiresCertificate = story.clientAuth?.mode === "require"
      const judgement = judgeResumption(hello, session, story.settings, requiresCertificate)
      channel.useSession({ key, session })
      const suite = yield* Effect.fromResult(judgement)
      if (suite !== undefined) return yield* abbreviated(channel, story, cache, hello, offered, suite)
      session.wipe()
      channel.useSession(undefined)
      yield* SessionMetrics.refused("unfit")
    }
    return yield* full(channel, story, cache, hello)
  }
)

/** RFC 8446 section 4.1.3: a server that could have done better says so. */
const serverRandom = (channel: Channel, settings: Settings): Uint8Array => {
  const random = channel.randomness.bytes(32)
  return settings.versions.includes("1.3") ? markDowngrade(random) : random
}

/** RFC 8449: both sides have told how much they take. */
const limitRecords = (channel: Channel, settings: Settings, hello: ClientHello): void => {
  const limit = findExtension(hello.extensions, "RecordSizeLimit")?.limit
  if (limit !== undefined) channel.limitRecords({ read: settings.recordSizeLimit, write: limit })
}

/**
 * ```text
 *       Client                           Server
 *                                  ServerHello
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
const full = Effect.fnUntracedEager(
  function*(
    channel: Channel,
    story: ServerStory,
    cache: SessionCache["Service"],
    hello: ClientHello
  ): Effect.fn.Return<Established, HandshakeFailure> {
    const { clientAuth, settings } = story
    const serverName = findExtension(hello.extensions, "ServerName")?.name
    const { credential, group, scheme, suite } = yield* choose(story, hello, serverName)
    const alpnProtocol = yield* Effect.fromResult(chooseProtocol(hello, settings))
    const isExtended = findExtension(hello.extensions, "ExtendedMasterSecret") !== undefined
    const randoms: Randoms = { client: hello.random, server: serverRandom(channel, story.settings) }
    // RFC 7627 section 5.4: a session without extended master secret is not worth keeping.
    const handle = isExtended ? channel.randomness.bytes(handleLength) : empty
    const takesTicket = findExtension(hello.extensions, "SessionTicket") !== undefined
    const isTicketPromised = isExtended && takesTicket && settings.tickets > 0
    // RFC 5077 section 3.4: a session that gets a ticket gets no identifier; one that is in its ticket can have none.
    const sessionId = isTicketPromised || cache.selfContained !== undefined ? empty : handle

    channel.transcript.start(channel.primitives, suite.hash)
    const staple = findExtension(hello.extensions, "StatusRequest") === undefined ? undefined : credential.staple
    const answer = serverHello(settings, hello, randoms.server, sessionId, suite, alpnProtocol, {
      isResumed: false,
      isTicketPromised
    })
    const stapling: ReadonlyArray<Extension> = staple === undefined
      ? []
      : [{ _tag: "StatusRequest", response: undefined }]
    channel.send({ ...answer, extensions: [...answer.extensions, ...stapling] })
    channel.send({ _tag: "Certificate", chain: credential.chain })
    if (staple !== undefined) channel.send({ _tag: "CertificateStatus", response: staple })
    const share = channel.randomness.keyShare(group)
    const params = encodeServerEcdhParams(NamedGroup[group], share.publicKey)
    channel.send({
      _tag: "ServerKeyExchange",
      group: NamedGroup[group],
      publicKey: share.publicKey,
      params,
      ...(yield* signWith(credential, scheme, concat([randoms.client, randoms.server, params])))
    })
    if (clientAuth !== undefined) {
      channel.send({
        _tag: "CertificateRequest",
        // RFC 8422 section 5.5: ecdsa_sign(64); RFC 5246 section 7.4.4: rsa_sign(1).
        certificateTypes: [64, 1],
        signatureSchemes: settings.signatureSchemes.map((scheme) => SignatureScheme[scheme]),
        authorities: clientAuth.trust.authorities ?? []
      })
    }
    channel.send({ _tag: "ServerHelloDone" })

    const certificate = clientAuth === undefined ? undefined : yield* expectCertificate(channel, clientAuth)
    const { publicKey } = yield* channel.expect("ClientKeyExchange")
    const master = yield* agree(channel, { suite, share, peer: publicKey, randoms, isExtended })
    settings.insecureKeyLog?.(keyLogLine(randoms, master))
    setPendingKeys(channel, "server", suite, master, randoms)
    limitRecords(channel, story.settings, hello)
    if (certificate !== undefined) yield* expectCertificateVerify(channel, settings, certificate)
    yield* expectFinished(channel, "client", master)
    const peerCertificates = certificate?.chain ?? []
    const authentication = yield* authenticated(certificate)
    const made = { suite, master, serverName, peerCertificates, authentication }
    if (isTicketPromised) {
      const lifetime = secondsLeft(ticketLifetime, authentication, authentication.authenticatedAt)
      yield* sendTicket(channel, story, cache, { ...made, id: handle, ticketLifetime: lifetime })
    }
    sendFinished(channel, "server", master)

    if (sessionId.length > 0) {
      yield* channel.storeSession(
        sessionKeyOf(story, sessionId),
        yield* newSession({ ...made, id: sessionId })
      )
    }
    return {
      version: "1.2",
      cipherSuite: suite,
      group,
      alpnProtocol,
      serverName,
      peerCertificates,
      serverCertificate: credential.chain[0],
      resumed: false,
      sessionId,
      exporter: isExtended ? exporterOf(channel, suite, master, randoms) : undefined
    }
  }
)

/**
 * ```text
 *       Client                           Server
 *                                  ServerHello
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
const abbreviated = Effect.fnUntracedEager(
  function*(
    channel: Channel,
    story: ServerStory,
    cache: SessionCache["Service"],
    hello: ClientHello,
    { isRenewalDue, offeredAt, session }: Offered,
    suite: CipherSuite
  ): Effect.fn.Return<Established, HandshakeFailure> {
    const alpnProtocol = yield* Effect.fromResult(chooseProtocol(hello, story.settings))
    const randoms: Randoms = { client: hello.random, server: serverRandom(channel, story.settings) }
    channel.transcript.start(channel.primitives, suite.hash)
    // RFC 5077 section 3.4: an accepted ticket is answered with the identifier that came along.
    const lifetime = secondsLeft(ticketLifetime, session, offeredAt)
    const answer = { isResumed: true, isTicketPromised: isRenewalDue && story.settings.tickets > 0 && lifetime > 0 }
    channel.send(serverHello(story.settings, hello, randoms.server, hello.sessionId, suite, alpnProtocol, answer))
    const master = masterSecretOf(channel, suite, session.secret.bytes)
    story.settings.insecureKeyLog?.(keyLogLine(randoms, master))
    setPendingKeys(channel, "server", suite, master, randoms)
    limitRecords(channel, story.settings, hello)
    if (answer.isTicketPromised) {
      const { peerCertificates, serverName } = session
      const id = channel.randomness.bytes(handleLength)
      const renewed = { id, suite, master, serverName, peerCertificates, authentication: session }
      yield* sendTicket(channel, story, cache, { ...renewed, ticketLifetime: lifetime })
    }
    sendFinished(channel, "server", master)
    yield* expectFinished(channel, "client", master)
    return {
      version: "1.2",
      cipherSuite: suite,
      group: undefined,
      alpnProtocol,
      serverName: session.serverName,
      peerCertificates: session.peerCertificates,
      serverCertificate: undefined,
      resumed: true,
      sessionId: session.isTicket === true ? empty : session.id,
      exporter: exporterOf(channel, suite, master, randoms)
    }
  }
)

/** RFC 5077 section 3.3. Sessions are stored before the client can offer them. */
const sendTicket = Effect.fnUntracedEager(
  function*(
    channel: Channel,
    story: ServerStory,
    cache: SessionCache["Service"],
    options: Parameters<typeof newSession>[0] & { readonly ticketLifetime: number }
  ): Effect.fn.Return<void> {
    // RFC 5077 section 3.3: empty where none is given after all. A lifetime of 0 would be one that is not told.
    const ticket = options.ticketLifetime === 0
      ? empty
      : yield* issue(channel, story, cache, yield* newSession(options))
    channel.send({ _tag: "NewSessionTicket12", lifetimeHint: options.ticketLifetime, ticket })
  }
)

/** Everything that a full handshake needs both sides to have in common. */
const choose = Effect.fnUntracedEager(
  function*(story: ServerStory, hello: ClientHello, serverName: string | undefined): Effect.fn.Return<{
    readonly suite: CipherSuite
    readonly group: NamedGroup
    readonly scheme: SignatureScheme
    readonly credential: Credential
  }, Fault> {
    const { settings } = story
    const suites = commonSuites(hello, settings)
    if (suites.length === 0) return yield* fail({ _tag: "NothingInCommon", what: "cipher suite" })
    const group = chooseGroup(hello, settings)
    if (group === undefined) return yield* fail({ _tag: "NothingInCommon", what: "group" })
    const theirs = findExtension(hello.extensions, "SignatureAlgorithms")?.schemes
    const signatureSchemes = commonSchemes(theirs, settings.signatureSchemes)
    if (signatureSchemes.length === 0) return yield* fail({ _tag: "NothingInCommon", what: "signature scheme" })
    const selected = yield* story.identity.select({
      role: "server",
      version: "1.2",
      serverName,
      authentication: [...new Set(suites.map((suite) => suite.authentication))],
      signatureSchemes,
      certificateSchemes: certificateSchemes(hello.extensions),
      curves: findExtension(hello.extensions, "SupportedGroups")?.groups.flatMap((code) => namedGroupName(code) ?? [])
    })
    if (Option.isNone(selected)) return yield* fail({ _tag: "NothingInCommon", what: "certificate" })
    const credential = selected.value
    const suite = suites.find((suite) => suite.authentication === authenticationOf(credential.keyType))
    if (suite === undefined) return yield* fail({ _tag: "NothingInCommon", what: "cipher suite" })
    const scheme = schemesFor(credential.keyType, "1.2", signatureSchemes)[0]
    if (scheme === undefined) return yield* fail({ _tag: "NothingInCommon", what: "signature scheme" })
    return { suite, group, scheme, credential }
  }
)

/** RFC 5246 section 7.4.6. */
const expectCertificate = Effect.fnUntracedEager(
  function*(
    channel: Channel,
    clientAuth: NonNullable<ServerOptions["clientAuth"]>
  ): Effect.fn.Return<VerifiedChain | undefined, HandshakeFailure> {
    const { chain } = yield* channel.expect("Certificate")
    if (chain.length > 0) return yield* clientAuth.trust.verify(chain, { role: "client" })
    if (clientAuth.mode === "require") return yield* fail({ _tag: "CertificateMissing" })
    return undefined
  }
)

/** RFC 5246 section 7.4.8: the signature covers all messages before this one. */
const expectCertificateVerify = Effect.fnUntracedEager(
  function*(
    channel: Channel,
    settings: Settings,
    certificate: VerifiedChain
  ): Effect.fn.Return<void, HandshakeFailure> {
    const message = channel.transcript.messages()
    const verify = yield* channel.expect("CertificateVerify")
    const fault = checkSignature(certificate, settings.signatureSchemes, {
      by: "CertificateVerify",
      scheme: verify.signatureScheme,
      message,
      signature: verify.signature
    })
    if (fault !== undefined) return yield* fail(fault)
  }
)
