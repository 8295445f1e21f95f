/**
 * A session as bytes, and those sealed.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { concat, fromText, toText } from "../wire/Bytes.ts"
import { Malformed, Reader } from "../wire/Reader.ts"
import { Writer } from "../wire/Writer.ts"
import { Session } from "./Session.ts"
import { SessionSecret } from "./SessionSecret.ts"
import type { SessionKeys } from "./SessionKeys.ts"

const format = 3
/** Without `authenticated_until`: nobody says when the judgement of certificates runs out. */
const formatWithoutEnd = 2
/** Without `authenticated_at` as well: a session that was stored under it begins to age when its ticket was made. */
const oldestFormat = 1

const writeTime = (body: Writer, milliseconds: number): Writer =>
  body.uint32(Math.floor(milliseconds / 2 ** 32)).uint32(milliseconds % 2 ** 32)

const readTime = (body: Reader, field: string): number => body.uint32(field) * 2 ** 32 + body.uint32(field)

const writeOptional = <A>(body: Writer, value: A | undefined, write: (value: A) => void): void => {
  body.uint8(value === undefined ? 0 : 1)
  if (value !== undefined) write(value)
}

const readOptional = <A>(body: Reader, field: string, read: () => A): A | undefined => {
  const flag = body.uint8(field)
  if (flag > 1) throw new Malformed(field, "is neither there nor not there")
  return flag === 1 ? read() : undefined
}

/**
 * With the secret in the clear: to be overwritten after use.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encodeSession = (session: Session): Uint8Array => {
  const body = new Writer()
  body.uint8(format).uint8(session.version === "1.2" ? 2 : 3).uint8(session.isTicket === true ? 1 : 0)
  body.vector16((id) => id.bytes(session.id)).uint16(session.cipherSuite)
  writeOptional(body, session.serverName, (name) => body.vector16((text) => text.bytes(fromText(name))))
  body.vector24((chain) => {
    for (const der of session.peerCertificates) chain.vector24((certificate) => certificate.bytes(der))
  })
  writeTime(body, session.authenticatedAt)
  writeOptional(body, session.authenticatedUntil, (until) => writeTime(body, until))
  writeTime(body, session.createdAt)
  writeOptional(body, session.lifetime, (seconds) => body.uint32(seconds))
  // The secret goes into the result alone, and into no buffer on the way.
  const head = body.uint32(session.ageAdd).finish()
  return concat([head, session.secret.bytes])
}

const read = (bytes: Uint8Array): Session => {
  const body = new Reader(bytes)
  const written = body.uint8("format")
  if (written < oldestFormat || written > format) throw new Malformed("format", "is another one")
  const version = body.uint8("version")
  if (version !== 2 && version !== 3) throw new Malformed("version", "is none that is spoken")
  const isTicket = body.uint8("is_ticket") === 1
  const id = body.vector16("id", 1).slice()
  const cipherSuite = body.uint16("cipher_suite")
  const serverName = readOptional(body, "server_name", () => toText(body.vector16("server_name")))
  const chain = new Reader(body.vector24("certificates"))
  const peerCertificates: Array<Uint8Array> = []
  while (chain.remaining > 0) peerCertificates.push(chain.vector24("certificate").slice())
  const authenticatedAt = written >= formatWithoutEnd ? readTime(body, "authenticated_at") : undefined
  const authenticatedUntil = written > formatWithoutEnd
    ? readOptional(body, "authenticated_until", () => readTime(body, "authenticated_until"))
    : undefined
  const createdAt = readTime(body, "created_at")
  const lifetime = readOptional(body, "lifetime", () => body.uint32("lifetime"))
  const ageAdd = body.uint32("age_add")
  const secret = body.rest()
  if (secret.length === 0) throw new Malformed("secret", "is missing")
  return new Session({
    version: version === 2 ? "1.2" : "1.3",
    id,
    ...(isTicket ? { isTicket } : {}),
    cipherSuite,
    secret: new SessionSecret(secret.slice()),
    serverName,
    peerCertificates,
    authenticatedAt: authenticatedAt ?? createdAt,
    authenticatedUntil,
    createdAt,
    lifetime,
    ageAdd
  })
}

/**
 * `undefined` for whatever is not exactly what `encodeSession` makes, or made in a format before.
 *
 * @category decoding
 * @since 0.1.0
 */
export const decodeSession = (bytes: Uint8Array): Session | undefined => {
  try {
    return read(bytes)
  } catch (thrown) {
    if (thrown instanceof Malformed) return undefined
    throw thrown
  }
}

/**
 * @category encoding
 * @since 0.1.0
 */
export const seal = (
  keys: SessionKeys["Service"],
  session: Session,
  context: string
): Effect.Effect<Uint8Array> =>
  Effect.suspend(() => {
    const plaintext = encodeSession(session)
    return Effect.ensuring(keys.seal(plaintext, context), Effect.sync(() => plaintext.fill(0)))
  })

/**
 * A session that was opened, or why it was not: `unreadable` where it was not sealed by us, or changed since.
 *
 * @category models
 * @since 0.1.0
 */
export type Unsealed =
  | { readonly _tag: "Session"; readonly session: Session; readonly isNewestKey: boolean }
  | { readonly _tag: "Refused"; readonly why: "unreadable" | "unknown-key" }

/**
 * @category decoding
 * @since 0.1.0
 */
export const unseal = (
  keys: SessionKeys["Service"],
  sealed: Uint8Array,
  context: string
): Effect.Effect<Unsealed> =>
  Effect.map(keys.open(sealed, context), (opened): Unsealed => {
    if (opened._tag === "Refused") {
      return { _tag: "Refused", why: opened.why === "unknown key" ? "unknown-key" : "unreadable" }
    }
    const session = decodeSession(opened.plaintext)
    opened.plaintext.fill(0)
    return session === undefined
      ? { _tag: "Refused", why: "unreadable" }
      : { _tag: "Session", session, isNewestKey: opened.isNewestKey }
  })
