/**
 * The byte stream under a connection: an Effect `Socket`, opened in the order that a goodbye needs.
 *
 * @since 0.1.0
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import { TransportFailed } from "../alert/TlsError.ts"

/**
 * What a read gives.
 *
 * @category models
 * @since 0.1.0
 */
export type Batch = NonEmptyReadonlyArray<Uint8Array | string>

/** Is told what a read gave. */
type Taking = (exit: Exit.Exit<Batch, Socket.SocketError>) => void

/**
 * Runs an effect on a fiber of its own.
 *
 * @category models
 * @since 0.1.0
 */
export type Perform = <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>

/**
 * @category models
 * @since 0.1.0
 */
export interface Transport {
  /** Bytes as they come, text as well from sockets that have it. Every end is a failure: see `endOf`. */
  readonly pull: Effect.Effect<Batch, Socket.SocketError>
  /** The same for who is no fiber, and lends one where it takes one. Gives what calls it off, and ends when that is done. */
  readonly take: (then: Taking, perform: Perform) => () => Effect.Effect<void>
  readonly write: (bytes: Uint8Array) => Effect.Effect<void, Socket.SocketError>
  /**
   * Says that nothing more will be written, once everything written has left. What can be done at once is done by the call, here and by
   * `close`; the rest, which is given back, is to be run in any case.
   */
  readonly endWrite: () => Effect.Effect<void>
  /** Releases everything, after what was written has left. */
  readonly close: () => Effect.Effect<void>
  /** A shorter way, where there is one. */
  readonly direct: Direct | undefined
}

/**
 * An open socket of the platform: with less around it than every Socket of Effect has, and what only these can do.
 *
 * @category models
 * @since 0.1.0
 */
export interface Direct extends Pick<Transport, "pull"> {
  /** The same for who is no fiber. Gives what calls it off. */
  readonly take: (then: Taking) => () => void
  /** Writes at once. False where `drained` is to be waited for, or tells why nothing was written. */
  readonly writeNow: (bytes: Uint8Array) => boolean
  readonly drained: Effect.Effect<void, Socket.SocketError>
  readonly endWrite: () => void
  readonly close: () => void
  /**
   * Whether bytes have one owner at a time: what is read is the reader's alone, and what has left is the writer's again. Their
   * memory, where it is all theirs, can then be freed at once, and the next piece gets it while it is hot. In bulk, the garbage collections
   * that are due otherwise cost more than the cryptography.
   */
  readonly ownsMemory: boolean
  /** Whether all that was written has left. */
  readonly isWrittenOut: boolean
}

/**
 * Opens a socket of the platform, with no scope for either half. Only what it hands to its argument can be interrupted, and leaves
 * nothing open then.
 *
 * @category models
 * @since 0.1.0
 */
export type Shortcut = (restore: Restore) => Effect.Effect<Direct, Socket.SocketError>

const shortcut = Symbol("effect-tls/connection/Transport/shortcut")

interface ShortcutBerth extends Berth {
  readonly of: Socket.Socket
  readonly way: Shortcut
}

/** Not that of another socket which this one was made out of, and which may have another reader. */
const shortcutOf = (
  socket: Socket.Socket & { readonly [shortcut]?: ShortcutBerth }
): ShortcutBerth | undefined => {
  const berth = socket[shortcut]
  return berth?.of === socket ? berth : undefined
}

/**
 * Makes the shorter way to open a socket known to `open`.
 *
 * @category combinators
 * @since 0.1.0
 */
export const withShortcut = (socket: Socket.Socket, way: Shortcut): Socket.Socket =>
  // Not in a WeakMap: one that lives long keeps what it was given until the next full collection.
  Object.assign(socket, { [shortcut]: { of: socket, way, carried: undefined } })

/**
 * How the read side of a transport ended. RFC 9293: a FIN ends in order, anything else tears down. Effect's sockets give a FIN
 * the code 1000.
 *
 * @category decoding
 * @since 0.1.0
 */
export const endOf = ({ reason }: Socket.SocketError): "fin" | "reset" =>
  reason._tag === "SocketCloseError" && reason.code === 1000 ? "fin" : "reset"

/**
 * Makes a part of an uninterruptible effect interruptible again.
 *
 * @category models
 * @since 0.1.0
 */
export type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

const takeBy = (pull: Transport["pull"]): Transport["take"] => (then, perform) => {
  const reading = perform(pull)
  reading.addObserver(then)
  return () => Fiber.interrupt(reading)
}

/**
 * A transport in mid-conversation, such as that of SMTP after STARTTLS: the halves of a socket that is open, and stays with its
 * owner. Whatever was read from it beyond the last line in the clear is to be named in `unread`: TLS does not begin behind
 * bytes that an attacker may have put there.
 *
 * @category models
 * @since 0.1.0
 */
export interface Halves {
  readonly reader: Socket.Reader
  readonly writer: Socket.Writer
  readonly unread: Uint8Array
}

/**
 * The transport of an upgrade. Its owner ends and closes it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const upgraded = ({ reader, writer }: Halves): Transport => {
  // The reader outlives the connection: who still waits for it then has to be let go of by hand.
  const closed = Deferred.makeUnsafe<never, Socket.SocketError>()
  const end = new Socket.SocketError({ reason: new Socket.SocketCloseError({ code: 1006 }) })
  const pull = Effect.raceFirst(reader.pull, Deferred.await(closed))
  return {
    pull,
    take: takeBy(pull),
    write: (bytes) => writer.write(bytes),
    endWrite: () => Effect.void,
    close: () => Effect.asVoid(Deferred.fail(closed, end)),
    direct: undefined
  }
}

/** The connection that a socket carries, until it is let go of. */
interface Carried {
  isEnding: boolean
  readonly released: Deferred.Deferred<void>
}

/**
 * A Socket has one writer for whatever it carries: a second connection would write into the first, and the late end of the first would
 * take the writer of the second with it.
 */
interface Berth {
  carried: Carried | undefined
}

const berths = new WeakMap<Socket.Socket, Berth>()

const berthOf = (socket: Socket.Socket): Berth => {
  const known = shortcutOf(socket) ?? berths.get(socket)
  if (known !== undefined) return known
  const berth: Berth = { carried: undefined }
  berths.set(socket, berth)
  return berth
}

const failed = (cause: unknown): TransportFailed =>
  new TransportFailed({ operation: "open", cause, phase: "handshaking" })

/**
 * Opens a socket. Where the connection before on this socket is still taking its leave, waits for that; fails where it is in use.
 *
 * To be called inside of an effect that cannot be interrupted: only what `restore` is given can be, and then leaves nothing open.
 *
 * @category constructors
 * @since 0.1.0
 */
export const open = (socket: Socket.Socket, restore: Restore): Effect.Effect<Transport, TransportFailed> => {
  const berth = berthOf(socket)
  const earlier = berth.carried
  if (earlier !== undefined) {
    return earlier.isEnding
      ? Effect.flatMap(restore(Deferred.await(earlier.released)), () => open(socket, restore))
      : Effect.fail(failed(new Error("this Socket carries another connection already")))
  }
  const mine: Carried = { isEnding: false, released: Deferred.makeUnsafe() }
  berth.carried = mine
  const letGo = () => {
    berth.carried = undefined
    Deferred.doneUnsafe(mine.released, Exit.void)
  }
  const direct = shortcutOf(socket)
  return direct === undefined
    ? inScopes(socket, restore, mine, letGo)
    : directly(() => direct.way(restore), mine, letGo)
}

/** By its shortcut. */
const directly = (
  way: () => Effect.Effect<Direct, Socket.SocketError>,
  carried: Carried,
  letGo: () => void
): Effect.Effect<Transport, TransportFailed> =>
  Effect.matchCauseEffectEager(attempted(way), {
    onFailure: (cause) => {
      letGo()
      return Effect.failCause(Cause.map(cause, failed))
    },
    onSuccess: (direct) => Effect.succeed<Transport>(new DirectTransport(direct, carried, letGo))
  })

/** What the call throws is a defect of the effect. */
const attempted = <A, E>(call: () => Effect.Effect<A, E>): Effect.Effect<A, E> => {
  try {
    return call()
  } catch (defect) {
    return Effect.die(defect)
  }
}

class DirectTransport implements Transport {
  readonly pull: Transport["pull"]
  readonly direct: Direct
  readonly #carried: Carried
  readonly #letGo: () => void

  constructor(direct: Direct, carried: Carried, letGo: () => void) {
    this.pull = direct.pull
    this.direct = direct
    this.#carried = carried
    this.#letGo = letGo
  }

  write(bytes: Uint8Array): Effect.Effect<void, Socket.SocketError> {
    return Effect.suspend(() => this.direct.writeNow(bytes) ? Effect.void : this.direct.drained)
  }

  take(then: Taking): () => Effect.Effect<void> {
    const stop = this.direct.take(then)
    return () => {
      stop()
      return Effect.void
    }
  }

  endWrite(): Effect.Effect<void> {
    this.#carried.isEnding = true
    return atOnce(() => this.direct.endWrite())
  }

  close(): Effect.Effect<void> {
    this.#carried.isEnding = true
    const closed = atOnce(() => this.direct.close())
    this.#letGo()
    return closed
  }
}

/** A defect of the platform when it is told goodbye has nobody to hear of it. */
const atOnce = (farewell: () => void): Effect.Effect<void> => {
  try {
    farewell()
  } catch {
    // The transport is over, one way or the other.
  }
  return Effect.void
}

/**
 * By its reader, which comes first, since a writer without a reader waits for ever. The writer has a scope of its own, whose end
 * half-closes.
 */
const inScopes = (
  socket: Socket.Socket,
  restore: Restore,
  carried: Carried,
  letGo: () => void
): Effect.Effect<Transport, TransportFailed> =>
  Effect.suspend(() => {
    const scope = Scope.makeUnsafe()
    const acquire = Effect.flatMap(Scope.provide(socket.reader, scope), (reader) => {
      const writing = Scope.forkUnsafe(scope)
      return Effect.map(Scope.provide(socket.writer, writing), (writer): Transport => ({
        pull: reader.pull,
        take: takeBy(reader.pull),
        write: (bytes) => writer.write(bytes),
        endWrite: () => end(writing),
        close: () => end(scope),
        direct: undefined
      }))
    })
    const end = (scope: Scope.Closeable): Effect.Effect<void> =>
      Effect.suspend(() => {
        carried.isEnding = true
        return Effect.ignoreCause(Scope.close(scope, Exit.void))
      })
    return Scope.addFinalizer(scope, Effect.sync(letGo)).pipe(
      Effect.andThen(restore(acquire)),
      Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))),
      Effect.mapError(failed)
    )
  })
