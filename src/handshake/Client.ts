/**
 * The client's hello and what the server makes of it, RFC 5246 sections 7.4.1.2 and 7.4.1.3. From the ServerHello on the story
 * of the version goes on.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Extension } from "../message/Extension.ts"
import type { HandshakeMessage } from "../message/HandshakeMessage.ts"
import type { Session } from "../service/Session.ts"
import type { SessionCache } from "../service/SessionCache.ts"
import { empty } from "../wire/Bytes.ts"
import { NamedGroup, ProtocolVersion, SignatureScheme } from "../wire/CodePoints.ts"
import type { Channel, HandshakeFailure } from "./Channel.ts"
import { abbreviated, type ClientStory, full } from "./Client12.ts"
import type { Established } from "./Established.ts"
import { judgeServerHello } from "./Negotiation.ts"

/**
 * Runs a whole handshake as the client.
 *
 * @category stories
 * @since 0.1.0
 */
export const handshake = Effect.fnUntraced(
  function*(
    channel: Channel,
    story: ClientStory,
    cache: SessionCache["Service"]
  ): Effect.fn.Return<Established, HandshakeFailure> {
    const session = usable(Option.getOrUndefined(yield* cache.offer(story.sessionKey)), story)
    // Until the server declines, the offer counts as the session of this connection.
    if (session !== undefined) channel.useSession({ key: story.sessionKey, session })
    const hello = clientHello(channel.randomness.bytes(32), story, session)
    channel.send(hello)

    const answer = yield* channel.expect("ServerHello")
    const choice = yield* Effect.fromResult(judgeServerHello(answer, { hello, settings: story.settings, session }))
    channel.settleVersion("1.2")
    channel.transcript.start(channel.primitives, choice.suite.hash)
    const hellos = {
      choice,
      randoms: { client: hello.random, server: answer.random },
      sessionId: answer.sessionId
    }
    if (session !== undefined && choice.isResumed) return yield* abbreviated(channel, story, hellos, session)
    if (session !== undefined) {
      session.wipe()
      channel.useSession(undefined)
    }
    return yield* full(channel, story, hellos)
  }
)

/** RFC 5246 section 7.4.1.2: who offers a session offers its suite, too. */
const usable = (session: Session | undefined, story: ClientStory): Session | undefined => {
  if (session === undefined || story.settings.cipherSuites.some(({ id }) => id === session.cipherSuite)) return session
  session.wipe()
  return undefined
}

const clientHello = (
  random: Uint8Array,
  story: ClientStory,
  session: Session | undefined
): Extract<HandshakeMessage, { readonly _tag: "ClientHello" }> => {
  const { settings } = story
  const extensions: Array<Extension> = [
    { _tag: "ExtendedMasterSecret" },
    { _tag: "RenegotiationInfo", renegotiatedConnection: empty },
    { _tag: "SupportedGroups", groups: settings.groups.map((group) => NamedGroup[group]) },
    { _tag: "EcPointFormats", formats: [0] },
    { _tag: "SignatureAlgorithms", schemes: settings.signatureSchemes.map((scheme) => SignatureScheme[scheme]) }
  ]
  // RFC 6066 section 3: an IP address is not a host name.
  if ("host" in story.peer) extensions.unshift({ _tag: "ServerName", name: story.peer.host })
  if (settings.alpnProtocols.length > 0) {
    extensions.push({ _tag: "ApplicationProtocols", protocols: settings.alpnProtocols })
  }
  return {
    _tag: "ClientHello",
    version: ProtocolVersion.tls12,
    random,
    sessionId: session?.id ?? empty,
    cipherSuites: settings.cipherSuites.map((suite) => suite.id),
    compressionMethods: [0],
    extensions
  }
}
