/**
 * The byte stream under a connection: an Effect `Socket`, opened in the order that a goodbye needs.
 *
 * @since 0.1.0
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
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

/**
 * @category models
 * @since 0.1.0
 */
export interface Transport {
  /** Bytes as they come, text as well from sockets that have it. Every end is a failure: see `endOf`. */
  readonly pull: Effect.Effect<Batch, Socket.SocketError>
  readonly write: (bytes: Uint8Array) => Effect.Effect<void, Socket.SocketError>
  /** Says that nothing more will be written, once everything written has left. */
  readonly endWrite: Effect.Effect<void>
  /** Releases everything, after what was written has left. */
  readonly close: Effect.Effect<void>
  /** A shorter way to write, where there is one. */
  readonly direct: Direct | undefined
}

/**
 * What the platform's own sockets can do beside what every Socket of Effect can.
 *
 * @category models
 * @since 0.1.0
 */
export interface Direct {
  /** Writes at once. False where `drained` is to be waited for, or tells why nothing was written. */
  readonly writeNow: (bytes: Uint8Array) => boolean
  readonly drained: Effect.Effect<void, Socket.SocketError>
  /**
   * Whether bytes have one owner at a time: what is read is the reader's alone, and what has left is the writer's again. Their
   * memory can then be freed at once, and the next piece gets it while it is hot. In bulk, the garbage collections that are due
   * otherwise cost more than the cryptography.
   */
  readonly ownsMemory: boolean
  /** Whether all that was written has left. */
  readonly isWrittenOut: boolean
}

// Not a WeakMap: until the next full collection one that lives long keeps whatever it was given.
const Way = Symbol("effect-tls/connection/Transport/Direct")

interface WithDirect extends Socket.Socket {
  readonly [Way]: () => Direct | undefined
}

/**
 * Makes the shorter way of a socket known, which may be there only once it is open.
 *
 * @category combinators
 * @since 0.1.0
 */
export const withDirect = (socket: Socket.Socket, direct: () => Direct | undefined): Socket.Socket => {
  const made: WithDirect = { ...socket, [Way]: direct }
  return made
}

const hasDirect = (socket: Socket.Socket): socket is WithDirect => Way in socket

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
  return {
    pull: Effect.raceFirst(reader.pull, Deferred.await(closed)),
    write: (bytes) => writer.write(bytes),
    endWrite: Effect.void,
    close: Effect.asVoid(Deferred.fail(closed, end)),
    direct: undefined
  }
}

/** The connection that a socket carries, until it is let go of. */
interface Carried {
  isEnding: boolean
  readonly released: Deferred.Deferred<void>
}

// A Socket has one writer for whatever it carries: a second connection would write into the first, and the late end of the
// first would take the writer of the second with it.
const carried = new WeakMap<Socket.Socket, Carried>()

class OpenSocket implements Transport {
  readonly pull: Transport["pull"]
  readonly direct: Direct | undefined
  readonly #writer: Socket.Writer
  readonly #carried: Carried
  readonly #scope: Scope.Closeable
  /** A part of `scope`. */
  readonly #writing: Scope.Closeable

  constructor(
    socket: Socket.Socket,
    halves: Pick<Halves, "reader" | "writer">,
    scopes: { readonly carried: Carried; readonly scope: Scope.Closeable; readonly writing: Scope.Closeable }
  ) {
    this.pull = halves.reader.pull
    this.direct = hasDirect(socket) ? socket[Way]() : undefined
    this.#writer = halves.writer
    this.#carried = scopes.carried
    this.#scope = scopes.scope
    this.#writing = scopes.writing
  }

  write(bytes: Uint8Array): Effect.Effect<void, Socket.SocketError> {
    return this.#writer.write(bytes)
  }

  get endWrite(): Effect.Effect<void> {
    return this.#end(this.#writing)
  }

  get close(): Effect.Effect<void> {
    return this.#end(this.#scope)
  }

  #end(scope: Scope.Closeable): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#carried.isEnding = true
      return Effect.ignoreCause(Scope.close(scope, Exit.void))
    })
  }
}

const failed = (cause: unknown) => new TransportFailed({ operation: "open", cause, phase: "handshaking" })

/**
 * Opens a socket: the reader first, since a writer without a reader waits for ever. The writer has a scope of its own, whose
 * end half-closes. Where the connection before on this socket is still taking its leave, waits for that; fails where it is in
 * use.
 *
 * To be run uninterruptibly: only what `restore` is given can be interrupted, and then leaves nothing open.
 *
 * @category constructors
 * @since 0.1.0
 */
export const open = (socket: Socket.Socket, restore: Restore): Effect.Effect<Transport, TransportFailed> =>
  Effect.suspend(() => {
    const earlier = carried.get(socket)
    if (earlier !== undefined) {
      return earlier.isEnding
        ? Effect.andThen(restore(Deferred.await(earlier.released)), open(socket, restore))
        : Effect.fail(failed(new Error("this Socket carries another connection already")))
    }
    const mine: Carried = { isEnding: false, released: Deferred.makeUnsafe() }
    carried.set(socket, mine)
    const scope = Scope.makeUnsafe()
    const letGo = Effect.sync(() => {
      carried.delete(socket)
      Deferred.doneUnsafe(mine.released, Exit.void)
    })
    const acquire = Effect.flatMap(Scope.provide(socket.reader, scope), (reader) => {
      const writing = Scope.forkUnsafe(scope)
      return Effect.map(
        Scope.provide(socket.writer, writing),
        (writer): Transport => new OpenSocket(socket, { reader, writer }, { carried: mine, scope, writing })
      )
    })
    return Scope.addFinalizer(scope, letGo).pipe(
      Effect.andThen(restore(acquire)),
      Effect.mapError(failed),
      Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
    )
  })
