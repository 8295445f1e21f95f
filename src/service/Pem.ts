/**
 * The textual encoding of certificates and keys, RFC 7468.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

/**
 * @category errors
 * @since 0.1.0
 */
export class PemError extends Schema.TaggedError<PemError>()("PemError", { why: Schema.String }) {
  override get message(): string {
    return this.why
  }
}

const block = /-----BEGIN ([A-Z0-9 ]+)-----([\s\S]*?)-----END \1-----/g

/**
 * The blocks of one kind, such as `CERTIFICATE`, or of every kind that ends so, such as `PRIVATE KEY`. Fails where there is
 * none, or where one cannot be read.
 *
 * @category decoding
 * @since 0.1.0
 */
export const decodePem = (text: string, label: string): Effect.Effect<ReadonlyArray<Uint8Array>, PemError> =>
  Effect.suspend(() => {
    const found: Array<Uint8Array> = []
    const others = new Set<string>()
    for (const [, kind = "", body = ""] of text.matchAll(block)) {
      if (kind === `ENCRYPTED ${label}` || body.includes("ENCRYPTED")) {
        return Effect.fail(new PemError({ why: `the ${label} is encrypted, and a passphrase is not supported` }))
      }
      if (kind !== label && !kind.endsWith(` ${label}`)) {
        others.add(kind)
        continue
      }
      const bytes = Base64.decode(body.replaceAll(/\s/g, ""))
      if (Result.isFailure(bytes)) return Effect.fail(new PemError({ why: `a ${kind} block is not Base64` }))
      found.push(bytes.success)
    }
    if (found.length > 0) return Effect.succeed(found)
    const instead = others.size === 0 ? "no PEM block at all" : `only ${[...others].join(", ")}`
    return Effect.fail(new PemError({ why: `there is no ${label} in the PEM text: it holds ${instead}` }))
  })
