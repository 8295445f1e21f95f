/**
 * The hello of a client of both versions: RFC 5246 section 7.4.1.2, RFC 8446 section 4.1.2.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { ClientHello } from "../message/ClientHello.ts"
import { type Extension, findExtension } from "../message/Extension.ts"
import { encodeHandshake } from "../message/HandshakeMessage.ts"
import { type CipherSuite13, suite13Of } from "../secret/CipherSuite.ts"
import { hashLength } from "../secret/KeySchedule13.ts"
import type { KeyShare } from "../secret/Primitives.ts"
import { withNow } from "../service/Now.ts"
import type { Session } from "../service/Session.ts"
import type { Settings } from "../service/TlsConfig.ts"
import { empty } from "../wire/Bytes.ts"
import { NamedGroup, ProtocolVersion, SignatureScheme } from "../wire/CodePoints.ts"
import type { Channel } from "./Channel.ts"
import { type ClientStory, serverNameOf } from "./ClientStory.ts"
import { binderOf, longestLifetime } from "./Handshake13.ts"
import { pskDheKe, type Retry } from "./Negotiation13.ts"

/**
 * A hello, and the secrets behind it.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClientHelloOffer {
  readonly hello: ClientHello
  readonly shares: ReadonlyArray<KeyShare>
  /** The session that is offered. */
  readonly session: Session | undefined
}

// One share of a group that withstands quantum computers and one that every server has: a second round trip costs more.
const firstShares = (groups: ReadonlyArray<NamedGroup>): ReadonlyArray<NamedGroup> => {
  const [first] = groups
  const other = first === "x25519mlkem768" ? groups.find((group) => group !== first) : undefined
  return first === undefined ? [] : other === undefined ? [first] : [first, other]
}

const keyShares = (shares: ReadonlyArray<KeyShare>): Extension => ({
  _tag: "KeyShares",
  shares: shares.map(({ group, publicKey }) => ({ group: NamedGroup[group], publicKey }))
})

/** RFC 8446 section 4.2.11: the last extension; its binder is filled in when the rest is settled. */
const preSharedKey = (session: Session, suite: CipherSuite13, now: number): Extension => ({
  _tag: "PreSharedKeys",
  offers: [{
    identity: session.id,
    obfuscatedAge: (Math.max(0, now - session.createdAt) + session.ageAdd) % 2 ** 32,
    binder: new Uint8Array(hashLength[suite.hash])
  }],
  selected: undefined
})

const suiteOfTicket = (session: Session | undefined): CipherSuite13 | undefined =>
  session?.version === "1.3" ? suite13Of(session.cipherSuite) : undefined

/**
 * RFC 5246 section 7.4.1.2: who offers a session offers its suite, too; RFC 8446 section 4.2.11: one with its hash. Section 4.2.11.1: none
 * is offered after its time, and a cache may be kinder than we are.
 */
const isUsable = (session: Session, settings: Settings, now: number): boolean => {
  if (session.livesFor(longestLifetime * 1000, now) <= 0) return false
  if (session.version === "1.2") return settings.cipherSuites.some(({ id }) => id === session.cipherSuite)
  const hash = suite13Of(session.cipherSuite)?.hash
  return settings.cipherSuites13.some((suite) => suite.hash === hash)
}

/**
 * The first hello. A session of TLS 1.2 is offered by its identifier or its ticket, a ticket of TLS 1.3 as a PSK.
 *
 * @category constructors
 * @since 0.1.0
 */
export const firstHello = (
  channel: Channel,
  story: ClientStory,
  offered: Session | undefined
): Effect.Effect<ClientHelloOffer> =>
  withNow((now) => {
    const { settings } = story
    const speaks12 = settings.versions.includes("1.2")
    const speaks13 = settings.versions.includes("1.3")
    const session = offered !== undefined && isUsable(offered, settings, now) ? offered : undefined
    if (session === undefined) offered?.wipe()
    const extensions: Array<Extension> = []
    const host = serverNameOf(story)
    if (host !== undefined) extensions.push({ _tag: "ServerName", name: host })
    if (speaks12) {
      extensions.push(
        { _tag: "ExtendedMasterSecret" },
        { _tag: "RenegotiationInfo", renegotiatedConnection: empty },
        { _tag: "EcPointFormats", formats: [0] },
        // RFC 5077 section 3.2: without a ticket, ready to take one.
        { _tag: "SessionTicket", ticket: session?.version === "1.2" && session.isTicket === true ? session.id : empty }
      )
    }
    extensions.push(
      { _tag: "StatusRequest", response: undefined },
      { _tag: "SupportedGroups", groups: settings.groups.map((group) => NamedGroup[group]) },
      { _tag: "SignatureAlgorithms", schemes: settings.signatureSchemes.map((scheme) => SignatureScheme[scheme]) },
      // RFC 8449 section 4: in TLS 1.3 the type counts. A TLS 1.2 server fills its records no further than the smaller of both.
      { _tag: "RecordSizeLimit", limit: settings.recordSizeLimit + (speaks13 ? 1 : 0) }
    )
    if (settings.alpnProtocols.length > 0) {
      extensions.push({ _tag: "ApplicationProtocols", protocols: settings.alpnProtocols })
    }
    const shares = speaks13 ? firstShares(settings.groups).map(channel.randomness.keyShare) : []
    if (speaks13) {
      extensions.push(
        { _tag: "SupportedVersions", versions: settings.versions.map((version) => versionCode[version]) },
        keyShares(shares),
        { _tag: "PskKeyExchangeModes", modes: [pskDheKe] }
      )
    }
    const suite = suiteOfTicket(session)
    if (session !== undefined && suite !== undefined) extensions.push(preSharedKey(session, suite, now))
    const hello: ClientHello = {
      _tag: "ClientHello",
      version: ProtocolVersion.tls12,
      random: channel.randomness.bytes(32),
      // One that nobody knows makes a hello of TLS 1.3 look like a resumption (RFC 8446 appendix D.4), and its echo tells whether a
      // ticket was accepted (RFC 5077 section 3.4).
      sessionId: session?.version === "1.2" && session.isTicket !== true
        ? session.id
        : speaks13 || session?.isTicket === true
        ? channel.randomness.bytes(32)
        : empty,
      cipherSuites: [...settings.cipherSuites13, ...settings.cipherSuites].map(({ id }) => id),
      compressionMethods: [0],
      extensions
    }
    return Effect.succeed({ hello, shares, session })
  })

const versionCode = { "1.2": ProtocolVersion.tls12, "1.3": ProtocolVersion.tls13 } as const

/**
 * The hello after a HelloRetryRequest: what section 4.1.2 allows to change, and nothing else. A ticket whose hash is not that of the
 * suite is no longer offered.
 *
 * @category constructors
 * @since 0.1.0
 */
export const retriedHello = (
  channel: Channel,
  { hello, session, shares }: ClientHelloOffer,
  retry: Retry
): Effect.Effect<ClientHelloOffer> =>
  withNow((now) => {
    const newShares = retry.group === undefined ? shares : [channel.randomness.keyShare(retry.group)]
    const extensions = hello.extensions.flatMap((extension): ReadonlyArray<Extension> => {
      if (extension._tag === "KeyShares") return [keyShares(newShares)]
      return extension._tag === "PreSharedKeys" ? [] : [extension]
    })
    if (retry.cookie !== undefined) extensions.push({ _tag: "Cookie", cookie: retry.cookie })
    const suite = suiteOfTicket(session)
    const isKept = session !== undefined && suite?.hash === retry.suite.hash
    if (isKept) extensions.push(preSharedKey(session, retry.suite, now))
    if (suite !== undefined && !isKept) {
      session?.wipe()
      channel.useSession(undefined)
    }
    return Effect.succeed({ hello: { ...hello, extensions }, shares: newShares, session: isKept ? session : undefined })
  })

/**
 * Sends the hello, and fills in the binder of the ticket that it offers.
 *
 * @category combinators
 * @since 0.1.0
 */
export const sendHello = (channel: Channel, { hello, session }: ClientHelloOffer): void => {
  const offered = findExtension(hello.extensions, "PreSharedKeys")?.offers[0]
  const suite = suiteOfTicket(session)
  if (session === undefined || suite === undefined || offered === undefined) return channel.send(hello)
  const bytes = encodeHandshake(hello)
  // The binder covers the hello up to the list of binders, which has one of the length of the hash, at its end.
  const binderAt = bytes.length - hashLength[suite.hash]
  const hash = channel.transcript.digestWith(channel.primitives, suite.hash, { after: bytes.subarray(0, binderAt - 3) })
  offered.binder.set(binderOf(channel, suite, session.secret.bytes, hash))
  bytes.set(offered.binder, binderAt)
  channel.send(hello, bytes)
}
