/**
 * The client's hello and what the server makes of it, RFC 5246 sections 7.4.1.2 and 7.4.1.3, RFC 8446 section 4.2.1. From the answer
 * on the story of its version goes on.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { SessionCache } from "../service/SessionCache.ts"
import type { Channel, HandshakeFailure } from "./Channel.ts"
import { abbreviated, full } from "./Client12.ts"
import * as Client13 from "./Client13.ts"
import { firstHello, sendHello } from "./ClientHello.ts"
import type { ClientStory } from "./ClientStory.ts"
import type { Established } from "./Established.ts"
import { advertisedLimit, judgeServerHello, judgeServerVersion } from "./Negotiation.ts"

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
    const { settings } = story
    const offered = Option.getOrUndefined(yield* cache.offer(story.sessionKey))
    const offer = yield* firstHello(channel, story, offered)
    sendHello(channel, offer)
    const { hello, session } = offer
    // Until the server declines, the offer counts as the session of this connection.
    if (session !== undefined) channel.useSession({ key: story.sessionKey, session })

    const answer = yield* channel.expect("ServerHello")
    const version = yield* Effect.fromResult(judgeServerVersion(answer, settings))
    if (version === "1.3") return yield* Client13.handshake(channel, story, offer, answer)

    const choice = yield* Effect.fromResult(judgeServerHello(answer, { hello, settings, session }))
    channel.settleVersion("1.2")
    channel.transcript.start(channel.primitives, choice.suite.hash)
    if (choice.recordSizeLimit !== undefined) {
      channel.limitRecords({ read: advertisedLimit(hello), write: choice.recordSizeLimit })
    }
    const hellos = {
      choice,
      randoms: { client: hello.random, server: answer.random },
      sessionId: answer.sessionId
    }
    if (session !== undefined && choice.isResumed) return yield* abbreviated(channel, story, hellos, session)
    session?.wipe()
    channel.useSession(undefined)
    return yield* full(channel, story, hellos)
  }
)
