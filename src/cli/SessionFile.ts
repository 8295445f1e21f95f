/**
 * A session cache of one session, in a file.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { randomUUID } from "node:crypto"
import { readFile, rename, rm, unlink, writeFile } from "node:fs/promises"
import { withNow } from "../service/Now.ts"
import { Session, SessionInsecureJson } from "../service/Session.ts"
import { isSingleUse, SessionCache, type SessionKey } from "../service/SessionCache.ts"
import { SessionSecret } from "../service/SessionSecret.ts"
import { toHex } from "../wire/Bytes.ts"
import { systemReason } from "./Failure.ts"

// The session with the key under which it was stored, so that it is offered to no other peer, and under no other trust.
const Stored = Schema.fromJsonString(Schema.Struct({ key: Schema.String, session: SessionInsecureJson }))
type Stored = typeof Stored.Type

const decode = Schema.decodeEffect(Stored)
const encode = Schema.encodeEffect(Stored)

/** RFC 5246 section F.1.4 suggests 24 hours at most. */
const timeToLive = 24 * 60 * 60 * 1000

const storedOf = (key: SessionKey, session: Session): Stored => {
  const { authenticatedUntil, lifetime, serverName, ...rest } = session
  return {
    key,
    session: {
      ...rest,
      secret: session.secret.bytes,
      ...(authenticatedUntil === undefined ? {} : { authenticatedUntil }),
      ...(serverName === undefined ? {} : { serverName }),
      ...(lifetime === undefined ? {} : { lifetime })
    }
  }
}

const sessionOf = ({ session }: Stored): Session =>
  new Session({
    ...session,
    authenticatedAt: session.authenticatedAt ?? session.createdAt,
    authenticatedUntil: session.authenticatedUntil,
    serverName: session.serverName,
    lifetime: session.lifetime,
    secret: new SessionSecret(session.secret)
  })

class FileFailed extends Data.TaggedError("FileFailed")<{ readonly why: string; readonly isAbsent: boolean }> {}

const file = <A>(act: () => Promise<A>): Effect.Effect<A, FileFailed> =>
  Effect.tryPromise({
    try: act,
    catch: (cause) =>
      new FileFailed({
        why: systemReason(cause),
        isAbsent: typeof cause === "object" && cause !== null && "code" in cause && cause.code === "ENOENT"
      })
  })

/**
 * Keeps the latest session in a file that only its owner can read. A ticket of TLS 1.3 is used once (RFC 8446 appendix C.4): the file
 * is removed when it is offered, and the server sends new ones. A file that cannot be read, or that holds something else, is as good
 * as none: `warn` is told why.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (path: string, warn: (sentence: string) => Effect.Effect<void>): Layer.Layer<SessionCache> => {
  const dead = new Set<string>()

  const read: Effect.Effect<Option.Option<Stored>> = file(() => readFile(path, "utf8")).pipe(
    Effect.flatMap((text) =>
      Effect.mapError(decode(text), () => new FileFailed({ why: "it does not hold a session", isAbsent: false }))
    ),
    Effect.asSome,
    Effect.catch(({ isAbsent, why }) =>
      isAbsent ? Effect.succeedNone : Effect.as(warn(`no session is taken from ${path}: ${why}.`), Option.none())
    )
  )

  // Written beside the file and moved into its place: nobody reads half a session, and the mode is ours from the start.
  const write = (text: string): Effect.Effect<void> =>
    file(async () => {
      const draft = `${path}.${randomUUID()}`
      try {
        await writeFile(draft, text, { mode: 0o600, flag: "wx" })
        await rename(draft, path)
      } catch (cause) {
        await rm(draft, { force: true })
        throw cause
      }
    }).pipe(Effect.catch(({ why }) => warn(`the session cannot be stored in ${path}: ${why}.`)))

  const remove: Effect.Effect<void> = file(() => rm(path, { force: true })).pipe(
    Effect.catch(({ why }) => warn(`${path} still holds a session that is not to be used any more: ${why}.`))
  )

  /** Takes the session out of the file; of several processes that want it, for one alone. */
  const take: Effect.Effect<boolean> = file(() => unlink(path)).pipe(
    Effect.as(true),
    Effect.catch(({ isAbsent, why }) =>
      isAbsent ? Effect.succeed(false) : Effect.as(
        warn(`the session of ${path} is not offered: it is good for one time, and cannot be removed: ${why}.`),
        false
      )
    )
  )

  return Layer.succeed(SessionCache, {
    offer: (key) =>
      Effect.gen(function*() {
        const stored = yield* read
        if (Option.isNone(stored)) return Option.none()
        const session = sessionOf(stored.value)
        if (stored.value.key !== key) {
          session.wipe()
          yield* warn(`the session of ${path} is not offered: it was made with another peer, or with other options.`)
          return Option.none()
        }
        const now = yield* Clock.currentTimeMillis
        if (session.livesFor(timeToLive, now) <= 0) {
          session.wipe()
          const why = (session.authenticatedUntil ?? Infinity) <= now
            ? "the judgement of the server's certificate has run out"
            : session.livesFor(Infinity, now) > 0
            ? "it is more than a day old"
            : "it is older than the server wanted"
          yield* warn(`the session of ${path} is not offered: ${why}.`)
          return Option.none()
        }
        if (!isSingleUse(key, session) || (yield* take)) return Option.some(session)
        session.wipe()
        return Option.none()
      }),
    store: (key, session) =>
      withNow((now) =>
        dead.has(toHex(session.id)) || session.livesFor(timeToLive, now) <= 0
          ? Effect.void
          : Effect.flatMap(Effect.orDie(encode(storedOf(key, session))), write)
      ),
    invalidate: (_, session) =>
      Effect.gen(function*() {
        const id = toHex(session.id)
        dead.add(id)
        const stored = yield* read
        if (Option.isNone(stored)) return
        stored.value.session.secret.fill(0)
        if (toHex(stored.value.session.id) === id) yield* remove
      })
  })
}
