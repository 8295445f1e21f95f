/**
 * What the server makes of a ClientHello, RFC 5246 section 7.4.1.2. From there the story of the version goes on.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { SessionCache } from "../service/SessionCache.ts"
import type { Channel, HandshakeFailure } from "./Channel.ts"
import type { Established } from "./Established.ts"
import { judgeClientHello, judgeResumption } from "./Negotiation.ts"
import { abbreviated, full, type ServerStory, sessionKeyOf } from "./Server12.ts"

/**
 * Runs a whole handshake as the server.
 *
 * @category stories
 * @since 0.1.0
 */
export const handshake = Effect.fnUntraced(
  function*(
    channel: Channel,
    story: ServerStory,
    cache: SessionCache["Service"]
  ): Effect.fn.Return<Established, HandshakeFailure> {
    const hello = yield* channel.expect("ClientHello")
    const fault = judgeClientHello(hello)
    if (fault !== undefined) return yield* Effect.fail(fault)
    channel.settleVersion("1.2")

    const key = sessionKeyOf(story, hello.sessionId)
    const offered = hello.sessionId.length === 0 ? Option.none() : yield* cache.offer(key)
    if (Option.isSome(offered)) {
      const session = offered.value
      const requiresCertificate = story.clientAuth?.mode === "require"
      const judgement = judgeResumption(hello, session, story.settings, requiresCertificate)
      channel.useSession({ key, session })
      const suite = yield* Effect.fromResult(judgement)
      if (suite !== undefined) return yield* abbreviated(channel, story, hello, session, suite)
      session.wipe()
      channel.useSession(undefined)
    }
    return yield* full(channel, story, hello)
  }
)
