/**
 * Two sides that share a key, and prove it inside TLS: the proof is bound to the connection, so whoever is relayed it, or reads it
 * at the end of another connection, can do nothing with it. SCRAM (RFC 5802) does the same with a password.
 */
import { Data, Effect, Option } from "effect"
import type { Connection } from "effect-tls"
import { createHmac, timingSafeEqual } from "node:crypto"

export class NotProved extends Data.TaggedError("NotProved")<{ readonly why: string }> {}

/** The key is the secret of it; the binding is what is authenticated, and no secret. */
const proofOf = (tls: Connection, key: Uint8Array): Effect.Effect<Uint8Array, NotProved> =>
  Option.match(tls.channelBinding("tls-exporter"), {
    // TLS 1.2 without extended master secret: there an unbound proof would be the only choice.
    onNone: () => Effect.fail(new NotProved({ why: "the connection has nothing that binds to it" })),
    onSome: (binding) => Effect.succeed(createHmac("sha256", key).update(binding).digest())
  })

/** The client's part. */
export const prove = (tls: Connection, key: Uint8Array) => Effect.flatMap(proofOf(tls, key), tls.write)

/** The server's part. */
export const check = (tls: Connection, key: Uint8Array) =>
  Effect.gen(function*() {
    const expected = yield* proofOf(tls, key)
    const received = new Uint8Array(expected.length)
    let length = 0
    while (length < received.length) length += yield* tls.pullInto(received.subarray(length))
    if (!timingSafeEqual(received, expected)) {
      return yield* new NotProved({ why: "the proof is of another key, or of another connection" })
    }
  })
