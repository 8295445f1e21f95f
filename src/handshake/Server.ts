/**
 * What the server makes of a ClientHello: RFC 5246 section 7.4.1.2, RFC 8446 section 4.2.1. From there the story of the version goes
 * on.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { SessionCache } from "../service/SessionCache.ts"
import type { Channel, HandshakeFailure } from "./Channel.ts"
import type { Established } from "./Established.ts"
import { judgeClientVersion } from "./Negotiation.ts"
import * as Server12 from "./Server12.ts"
import * as Server13 from "./Server13.ts"
import type { ServerStory } from "./ServerStory.ts"

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
    const version = yield* Effect.fromResult(judgeClientVersion(hello, story.settings))
    channel.settleVersion(version)
    return version === "1.3"
      ? yield* Server13.handshake(channel, story, cache, hello)
      : yield* Server12.handshake(channel, story, cache, hello)
  }
)
