/**
 * Sessions in a store that outlives a process, or that several share. `SessionCache.layerPersisted` is the way in.
 *
 * A store can set and remove, and nothing more: a late `store` may come after the removal. So `invalidate` writes a mark of its own,
 * beside the session and longer-lived than it, and nothing that is marked is ever offered.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import * as Option from "effect/Option"
import * as Persistence from "effect/persistence/Persistence"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { empty, toHex } from "../wire/Bytes.ts"
import * as Burials from "./Burials.ts"
import { DenyList } from "./DenyList.ts"
import { seal, unseal } from "./SealedSession.ts"
import type { Session } from "./Session.ts"
import { isClientKey, isSingleUse, maxTickets, type SessionKey } from "./SessionKey.ts"
import { SessionKeys } from "./SessionKeys.ts"
import * as SessionMetrics from "./SessionMetrics.ts"
import * as StoreGuard from "./StoreGuard.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface PersistedOptions {
  /** The name of the store: `tls-sessions` by default. Servers that do not serve the same thing should not share one. */
  readonly storeId?: string
  /**
   * How long a session may be resumed after its full handshake, however often it is. One hour by default; RFC 5246 section F.1.4 wants 24
   * at most.
   */
  readonly timeToLive?: Duration.Input
  /** How long a handshake, or an alert, waits for the store: 250 milliseconds by default. Then it goes on without. */
  readonly timeout?: Duration.Input
  /** How long a store that failed is left alone: one second by default. */
  readonly rest?: Duration.Input
  /** How many dead sessions this process remembers by itself: 10000 by default. Beyond that it refuses what is as old as they. */
  readonly denied?: number
}

/**
 * What `SessionCache` wants.
 *
 * @category models
 * @since 0.1.0
 */
export interface PersistedSessions {
  readonly offer: (key: SessionKey) => Effect.Effect<Option.Option<Session>>
  readonly store: (key: SessionKey, session: Session) => Effect.Effect<void>
  readonly invalidate: (key: SessionKey, session: Session) => Effect.Effect<void>
}

/** A mark outlives every session that another process, with another time to live, may still store. */
const longestLife = Duration.toMillis(Duration.hours(24))

/** Deaths that wait for a store that does not answer. */
const maxPending = 1024

/** What is stored: `at` is when the session was made, so that the oldest can be told without opening it. */
interface Stored {
  readonly sealed: string
  readonly at: number
}

/** A store hands out whatever JSON it finds, its types notwithstanding. */
const isStored = (value: unknown): value is Stored =>
  typeof value === "object" && value !== null && "sealed" in value && typeof value.sealed === "string" &&
  "at" in value && typeof value.at === "number"

/** A session that was read, and where it was. */
interface Found {
  readonly slot: string
  readonly session: Session
}

/** A value that cannot be what we stored: the store is well, the value is not. */
const unreadable = { unreadable: true }

/** The stores of Effect keep JSON, and fail with its error where it is none. */
const isUnreadable = (error: Persistence.PersistenceError): boolean => error.cause instanceof SyntaxError

/**
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: PersistedOptions = {}): Effect.Effect<
  PersistedSessions,
  never,
  Persistence.BackingPersistence | SessionKeys | Scope.Scope
> =>
  Effect.gen(function*() {
    const keys = yield* SessionKeys
    const backing = yield* Persistence.BackingPersistence
    const store = yield* backing.make(options.storeId ?? "tls-sessions")
    const timeToLive = Duration.toMillis(Duration.fromInputUnsafe(options.timeToLive ?? "1 hour"))
    const guard = yield* StoreGuard.make({
      timeout: Duration.fromInputUnsafe(options.timeout ?? "250 millis"),
      rest: Duration.toMillis(Duration.fromInputUnsafe(options.rest ?? "1 second"))
    })
    const burials = yield* Burials.make(guard, { capacity: maxPending })
    const markLife = Math.max(longestLife, timeToLive)
    const denied = new DenyList(options.denied ?? 10_000, markLife)

    // No name tells the session or the peer: whoever lists the store learns nothing to offer.
    const slotsOf = (key: SessionKey): ReadonlyArray<string> =>
      Array.from({ length: isClientKey(key) ? maxTickets : 1 }, (_, slot) => `s.${keys.digest(`${slot} ${key}`)}`)
    /** The key of a server names one session, and that of a client whatever came of one peer. */
    const markOf = (key: SessionKey, id: Uint8Array): string =>
      `d.${keys.digest(isClientKey(key) ? `${toHex(id)} ${key}` : key)}`

    const read = (name: string): Effect.Effect<object | undefined, Persistence.PersistenceError> =>
      Effect.catchIf(store.get(name), isUnreadable, () => Effect.succeed(unreadable))
    /** Whatever is there counts as a mark. */
    const isMarked = (mark: string) => Effect.map(read(mark), (value) => value !== undefined)

    /** Removes what is of no use any more; nobody waits for it. */
    const discard = (name: string): Effect.Effect<void> =>
      Effect.asVoid(Effect.forkDetach(guard.run("invalidate", store.remove(name)), { startImmediately: true }))

    /** The session of a stored value; without one, why not. */
    const open = (name: string, value: unknown, now: number) =>
      Effect.gen(function*() {
        const sealed = isStored(value) ? Result.getOrElse(Base64.decode(value.sealed), () => empty) : empty
        const unsealed = yield* unseal(keys, sealed, name)
        if (unsealed._tag === "Refused") return unsealed.why
        if (unsealed.session.livesFor(timeToLive, now) > 0) return unsealed.session
        unsealed.session.wipe()
        return "expired"
      })

    const refused = (reason: SessionMetrics.Refusal) =>
      Effect.as(SessionMetrics.refused(reason), Option.none<Session>())

    /** Adds to `found` what can be read of the slots, the newest first. */
    const openAll = (found: Array<Found>, slots: ReadonlyArray<string>, values: ReadonlyArray<object | undefined>) =>
      Effect.gen(function*() {
        const now = yield* Clock.currentTimeMillis
        let isRefused = false
        for (const [index, slot] of slots.entries()) {
          const value = values[index]
          if (value === undefined) continue
          const session = yield* open(slot, value, now)
          if (typeof session !== "string") {
            found.push({ slot, session })
            continue
          }
          isRefused = true
          yield* SessionMetrics.refused(session)
          // Another process may well have the key.
          if (session !== "unknown-key") yield* discard(slot)
        }
        found.sort((a, b) => b.session.createdAt - a.session.createdAt)
        if (found.length === 0 && !isRefused) yield* SessionMetrics.refused("absent")
      })

    /** Whether it may be resumed, as far as this process and its marks in the store tell; if not, it is counted. */
    const isAlive = ({ session, slot }: Found, mark: string, askMark: Effect.Effect<Option.Option<boolean>>) =>
      Effect.gen(function*() {
        const marked = denied.has(mark) ? Option.some(true) : yield* askMark
        if (Option.isSome(marked) && !marked.value && !denied.refuses(mark, session.createdAt)) return true
        yield* SessionMetrics.refused(Option.isNone(marked) ? "store" : "dead")
        if (Option.isSome(marked) && marked.value) yield* discard(slot)
        return false
      })

    const offer = (key: SessionKey): Effect.Effect<Option.Option<Session>> =>
      Effect.suspend(() => {
        const slots = slotsOf(key)
        // What a server is to look up tells the mark as well; a client has to see the session first.
        const knownMark = isClientKey(key) ? undefined : markOf(key, empty)
        const found: Array<Found> = []
        return Effect.gen(function*() {
          yield* SessionMetrics.offered
          if (knownMark !== undefined && denied.has(knownMark)) return yield* refused("dead")
          const answer = yield* guard.run(
            "offer",
            Effect.all({
              values: Effect.forEach(slots, read, { concurrency: "unbounded" }),
              marked: knownMark === undefined ? Effect.succeedNone : Effect.asSome(isMarked(knownMark))
            }, { concurrency: "unbounded" })
          )
          if (Option.isNone(answer)) return yield* refused("store")
          yield* openAll(found, slots, answer.value.values)
          for (const candidate of found) {
            const mark = knownMark ?? markOf(key, candidate.session.id)
            const askMark = knownMark === undefined
              ? guard.run("offer", isMarked(mark))
              : Effect.succeed(answer.value.marked)
            if (!(yield* isAlive(candidate, mark, askMark))) continue
            if (isSingleUse(key, candidate.session)) yield* guard.run("offer", store.remove(candidate.slot))
            return Option.some(candidate.session.copy())
          }
          return Option.none<Session>()
        }).pipe(
          // What is offered is a copy: all that was opened goes, however this ends.
          Effect.ensuring(Effect.sync(() => {
            for (const { session } of found) session.wipe()
          }))
        )
      })

    /** A free slot, else that of the oldest ticket. */
    const slotFor = (slots: ReadonlyArray<string>) =>
      Effect.map(Effect.forEach(slots, read, { concurrency: "unbounded" }), (values) => {
        const ages = values.map((value) => isStored(value) ? value.at : -Infinity)
        return slots[ages.indexOf(Math.min(...ages))]
      })

    return {
      offer,
      store: (key, session) =>
        Effect.gen(function*() {
          if (denied.refuses(markOf(key, session.id), session.createdAt)) return
          const now = yield* Clock.currentTimeMillis
          const left = session.livesFor(timeToLive, now)
          if (left <= 0) return
          const slots = slotsOf(key)
          const slot = isSingleUse(key, session)
            ? Option.getOrUndefined(yield* guard.run("store", slotFor(slots)))
            : slots[0]
          if (slot === undefined) return
          const value: Stored = { sealed: Base64.encode(yield* seal(keys, session, slot)), at: session.createdAt }
          const stored = yield* guard.run("store", store.set(slot, value, Duration.millis(left)))
          if (Option.isSome(stored)) yield* SessionMetrics.stored
        }),
      invalidate: (key, session) =>
        Effect.gen(function*() {
          const now = yield* Clock.currentTimeMillis
          const { createdAt } = session
          const id = session.id.slice()
          const mark = markOf(key, id)
          denied.add(mark, createdAt, now)
          yield* SessionMetrics.invalidated
          const removeIfIt = (slot: string) =>
            Effect.gen(function*() {
              const value = yield* read(slot)
              if (value === undefined) return
              const kept = yield* open(slot, value, now)
              if (typeof kept === "string") return
              kept.wipe()
              if (toHex(kept.id) === toHex(id)) yield* store.remove(slot)
            })
          yield* burials.bury({
            name: mark,
            until: now + markLife,
            bury: Effect.andThen(
              store.set(mark, { dead: true }, Duration.millis(markLife)),
              // The mark is what counts. What it marks is in nobody's way, but need not lie about.
              Effect.ignore(
                Effect.forEach(slotsOf(key), isClientKey(key) ? removeIfIt : store.remove, { discard: true })
              )
            )
          })
        })
    }
  })
