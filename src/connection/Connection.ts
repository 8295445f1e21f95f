/**
 * A TLS connection as a scoped resource.
 *
 * @since 0.1.0
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Sink from "effect/Sink"
import * as Stream from "effect/Stream"
import { type ClosureState, parting, type ScopeEnd } from "../alert/Closure.ts"
import type { Fault } from "../alert/Fault.ts"
import { HandshakeAborted, type TlsError, type TransportFailed } from "../alert/TlsError.ts"
import type { Channel, HandshakeFailure } from "../handshake/Channel.ts"
import type { Established } from "../handshake/Established.ts"
import type { Target } from "../record/Inbound.ts"
import { Primitives } from "../secret/Primitives.ts"
import { Randomness } from "../service/Randomness.ts"
import { SessionCache } from "../service/SessionCache.ts"
import * as SessionMetrics from "../service/SessionMetrics.ts"
import type { Settings } from "../service/TlsConfig.ts"
import { bindingOf, type ChannelBinding } from "./ChannelBinding.ts"
import { Core } from "./Core.ts"
import { maskedWithin, within } from "./Deadline.ts"
import { HandshakeChannel } from "./HandshakeChannel.ts"
import { moveInto, takeAll } from "./Received.ts"
import * as Transport from "./Transport.ts"
import { andThen } from "./Sequence.ts"
import { Wire } from "./Wire.ts"

/**
 * How far a connection is closed; `error` is what ended it, where it did not end cleanly.
 *
 * @category models
 * @since 0.1.0
 */
export interface Closure {
  readonly _tag: ClosureState
  readonly error: TlsError | undefined
}

/**
 * An open connection. It closes with its scope: close_notify is sent however the scope ends.
 *
 * @category models
 * @since 0.1.0
 */
export interface Connection extends Omit<Established, "exporter" | "serverCertificate"> {
  readonly role: "client" | "server"
  /** The next data, as bytes of the caller's own. Ends with `Cause.Done` on close_notify, and on nothing else. */
  readonly pull: Effect.Effect<NonEmptyReadonlyArray<Uint8Array>, TlsError | Cause.Done>
  /**
   * Reads into a buffer of the caller: how many bytes of it were filled, at least one where it has room. The cheapest way to receive in bulk; best
   * with room for several records of 16 KiB.
   */
  readonly pullInto: (buffer: Uint8Array) => Effect.Effect<number, TlsError | Cause.Done>
  /** All data until close_notify. */
  readonly stream: Stream.Stream<Uint8Array, TlsError>
  /** Sends data. Returns once the transport has taken it. */
  readonly write: (data: Uint8Array) => Effect.Effect<void, TlsError>
  /** Sends several pieces in as few records as they fit. */
  readonly writeAll: (data: ReadonlyArray<Uint8Array>) => Effect.Effect<void, TlsError>
  /** Sends what it is given. Its end does not close the connection. */
  readonly sink: Sink.Sink<void, Uint8Array, never, TlsError>
  /** Sends close_notify: we write no more, and may still read what the peer has to say. */
  readonly closeWrite: Effect.Effect<void>
  /** Sends close_notify and lets go of the transport, which is what the end of the scope does. */
  readonly close: Effect.Effect<void>
  readonly closure: Effect.Effect<Closure>
  /**
   * Keying material for the application, `length` bytes, bound to this connection (RFC 5705, RFC 8446 section 7.5). None in TLS 1.2
   * without extended master secret, where it would not be bound, and none after the end. A label of more than 249 bytes and a length of more
   * than 255 hashes are defects, and throw.
   */
  readonly exportKeyingMaterial: (
    label: string,
    length: number,
    context?: Uint8Array
  ) => Option.Option<Redacted.Redacted<Uint8Array>>
  /** What an authentication above TLS binds itself to this connection by. It is no secret, and must not be used as one. */
  readonly channelBinding: (type: ChannelBinding) => Option.Option<Uint8Array>
  /**
   * New keys for what we send (TLS 1.3); with `isPeerAsked` the peer is asked for new ones as well, unless it has not answered an earlier
   * request (RFC 9846 section 4.7.3). Nothing in TLS 1.2. Fails where nothing can be sent any more.
   */
  readonly updateKeys: (isPeerAsked?: boolean) => Effect.Effect<void, TlsError>
}

/**
 * What opening a connection needs, in either role.
 *
 * @category models
 * @since 0.1.0
 */
export interface Opening {
  readonly role: "client" | "server"
  readonly settings: Settings
  readonly services: Context.Context<Primitives | Randomness | SessionCache | Scope.Scope>
  /** Opens the transport; only what it hands to its argument can be interrupted. */
  readonly transport: (restore: Transport.Restore) => Effect.Effect<Transport.Transport, TransportFailed>
  /** How long opening waits for a first sign of a TLS 1.3 peer, after the handshake. */
  readonly awaitPeerVerdict?: Duration.Input | undefined
  /** Bytes that were read in the clear and not used, before TLS was to begin: there must be none. */
  readonly unread: number
  readonly handshake: (
    channel: Channel,
    cache: SessionCache["Service"]
  ) => Effect.Effect<Established, HandshakeFailure>
}

/**
 * Is given the inside of every connection that is opened under it, before the handshake: for the test kit.
 *
 * @category services
 * @since 0.1.0
 */
export const Inside = Context.Reference<(wire: Wire) => void>("effect-tls/connection/Inside", {
  defaultValue: () => () => {}
})

const scopeEnd = (exit: Exit.Exit<unknown, unknown>): ScopeEnd => {
  if (Exit.isSuccess(exit)) return "success"
  if (Cause.hasDies(exit.cause)) return "defect"
  return Cause.hasInterruptsOnly(exit.cause) ? "interruption" : "failure"
}

/** Law 15. Registered once the transport is open, bounded in time, and without an error of its own. To be run uninterruptibly. */
const goodbye = (wire: Wire, exit: Exit.Exit<unknown, unknown>, restore: Transport.Restore): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { core } = wire
    core.secrets.endConnection()
    const { onFailure, waitForPeer } = core.settings.policies
    const phase = core.isHandshaking ? "handshaking" : "established"
    switch (parting(core.closure, phase, scopeEnd(exit), { anyRecordPassed: core.anyRecordPassed, onFailure })) {
      case "silence":
        break
      case "close_notify":
        core.closeNotify()
        break
      case "user_canceled and close_notify":
        core.cancel()
        break
      case "internal_error":
        core.fail({ _tag: "ApplicationFailed" })
    }
    const wait = waitForPeer && core.closure === "CloseSent" ? restore(awaitPeer(wire)) : Effect.void
    return andThen(wait, () => {
      const how = core.alertIsOut ? "drain" : core.closure === "Closed" ? "now" : "drain later"
      return wire.part(how)
    })
  }).pipe(Effect.ignoreCause)

/** A function of its own, so that the connection does not hold on to all that opened it. */
const goodbyeOf = (wire: Wire) => (exit: Exit.Exit<unknown, unknown>) => goodbye(wire, exit, identity)

/** Waits for the close_notify of the peer, within `closeTimeout`; data that comes before it has no reader any more. */
const awaitPeer = (wire: Wire): Effect.Effect<void> => {
  const until: Effect.Effect<void> = Effect.suspend(() => {
    wire.core.process()
    wire.core.received.length = 0
    if (wire.core.ending !== undefined) return Effect.void
    // What still comes is for the reader that waits, where there is one.
    return wire.isReceiving ? wire.ended : Effect.andThen(wire.receive(), until)
  })
  const flushed = Effect.andThen(Effect.ignoreCause(wire.lane.flush()), until)
  return Effect.asVoid(within(flushed, wire.core.settings.limits.closeTimeout))
}

/**
 * Opens the socket, runs the handshake over it and gives the connection to the scope. A handshake that fails, times out or is
 * interrupted has let go of the transport before this returns.
 *
 * @category constructors
 * @since 0.1.0
 */
export const open = (opening: Opening): Effect.Effect<Connection, TlsError> =>
  Effect.uninterruptibleMask((restore) => openMasked(opening, restore))

// One generator function for all connections: one that is made for each is new to V8, whose caches each of its steps misses then.
const openMasked = Effect.fnUntracedEager(
  function*(opening: Opening, restore: Transport.Restore): Effect.fn.Return<Connection, TlsError> {
    const { role, services, settings, unread } = opening
    const primitives = Context.get(services, Primitives)
    const randomness = Context.get(services, Randomness)
    const cache = Context.get(services, SessionCache)
    const core = new Core(role, primitives, settings)
    const transport = yield* opening.transport(restore)
    const wire = new Wire(core, transport, cache)
    Context.get(services, Inside)(wire)
    const scope = Scope.forkUnsafe(Context.get(services, Scope.Scope))
    yield* Scope.addFinalizerExit(scope, goodbyeOf(wire))

    const channel = new HandshakeChannel(wire, primitives, randomness)
    const handshake: Effect.Effect<Established, HandshakeFailure> = unread > 0
      ? Effect.fail<Fault>({ _tag: "PlaintextBuffered", length: unread })
      : opening.handshake(channel, cache)
    const story = Effect.matchEffect(handshake, {
      onFailure: (failure) => settleFailure(wire, failure),
      // The last flight, where the story ends with one of ours.
      onSuccess: (established) =>
        andThen(core.outbox.isEmpty ? Effect.void : wire.flush(), () => Effect.succeed(established))
    })
    const abort = (cause: Cause.Cause<TlsError>) => Scope.close(scope, Exit.failCause(cause))
    const inTime = maskedWithin(restore, story, settings.limits.handshakeTimeout, () => giveUp(wire))
    const established = yield* Effect.onError(inTime, abort)
    channel.transcript.forget()
    core.establish()
    if (established.resumed) yield* SessionMetrics.resumed(role)
    if (opening.awaitPeerVerdict !== undefined && established.version === "1.3") {
      yield* restore(awaitVerdict(wire, opening.awaitPeerVerdict)).pipe(Effect.onError(abort))
    }
    return new OpenConnection(wire, established)
  }
)

/** A refused client certificate is an alert, and whoever accepts one mostly sends a ticket or data. */
const awaitVerdict = (wire: Wire, duration: Duration.Input): Effect.Effect<void, TlsError> => {
  const { core } = wire
  const until: Effect.Effect<void> = Effect.suspend(() => {
    core.process()
    const isOver = core.ending !== undefined || core.received.length > 0 || core.traffic?.hasTicket === true
    const next = () => isOver ? Effect.void : Effect.andThen(wire.receive(), until)
    return core.hasDecided ? Effect.flatMap(wire.settle, next) : next()
  })
  return within(until, duration).pipe(
    Effect.flatMap(() => core.ending?._tag === "Failed" ? Effect.fail(core.ending.error) : Effect.void)
  )
}

const settleFailure = (wire: Wire, failure: HandshakeFailure): Effect.Effect<never, TlsError> =>
  Effect.suspend(() => {
    const error = failure instanceof Error ? failure : wire.core.fail(failure)
    return Effect.andThen(wire.settle, Effect.fail(error))
  })

/** Out of time: user_canceled and close_notify, or silence where nothing has passed yet. */
const giveUp = (wire: Wire): Effect.Effect<never, TlsError> =>
  Effect.suspend(() => {
    const { core } = wire
    const error = new HandshakeAborted({ by: "timeout", version: core.inbound.version })
    if (core.anyRecordPassed && core.ending === undefined) core.cancel()
    const stored = core.abandon(error)
    return Effect.andThen(wire.settle, Effect.fail(stored))
  })

/** A class, and its effects are made when they are asked for: a server may hold many that are idle. */
class OpenConnection implements Connection {
  readonly version: Established["version"]
  readonly cipherSuite: Established["cipherSuite"]
  readonly alpnProtocol: Established["alpnProtocol"]
  readonly serverName: Established["serverName"]
  readonly peerCertificates: Established["peerCertificates"]
  readonly resumed: Established["resumed"]
  readonly sessionId: Established["sessionId"]
  readonly group: Established["group"]
  readonly #exporter: Established["exporter"]
  readonly #serverCertificate: Established["serverCertificate"]
  readonly #wire: Wire
  readonly #core: Core

  constructor(wire: Wire, established: Established) {
    this.version = established.version
    this.cipherSuite = established.cipherSuite
    this.alpnProtocol = established.alpnProtocol
    this.serverName = established.serverName
    this.peerCertificates = established.peerCertificates
    this.resumed = established.resumed
    this.sessionId = established.sessionId
    this.group = established.group
    this.#exporter = established.exporter
    this.#serverCertificate = established.serverCertificate
    this.#wire = wire
    this.#core = wire.core
  }

  get role(): Connection["role"] {
    return this.#core.role
  }

  get pull(): Connection["pull"] {
    return Effect.suspend(() => this.#read(() => takeAll(this.#core.received)))
  }

  readonly pullInto: Connection["pullInto"] = (buffer) =>
    Effect.suspend(() => {
      if (buffer.length === 0) return Effect.succeed(0)
      const target = { buffer, at: 0 }
      return this.#read(() => moveInto(this.#core.received, target) || undefined, target)
    })

  get stream(): Connection["stream"] {
    return Stream.fromPull(Effect.succeed(this.pull))
  }

  readonly write: Connection["write"] = (data) => this.writeAll([data])

  readonly writeAll: Connection["writeAll"] = (parts) =>
    Effect.suspend(() => {
      let length = 0
      for (const part of parts) length += part.length
      this.#wire.lookAhead()
      const { refusal } = this.#core
      if (refusal !== undefined) return Effect.andThen(this.#wire.settle, Effect.fail(refusal))
      return length === 0 ? Effect.void : this.#wire.send(parts, length)
    })

  get sink(): Connection["sink"] {
    return Sink.forEachArray(this.writeAll)
  }

  get closeWrite(): Connection["closeWrite"] {
    return Effect.suspend(() => {
      this.#core.closeNotify()
      return this.#wire.endWrite
    })
  }

  get close(): Connection["close"] {
    return Effect.uninterruptibleMask((restore) => goodbye(this.#wire, Exit.void, restore))
  }

  get closure(): Connection["closure"] {
    return Effect.sync(() => {
      const { closure, ending } = this.#core
      return { _tag: closure, error: ending?._tag === "Failed" ? ending.error : undefined }
    })
  }

  readonly exportKeyingMaterial: Connection["exportKeyingMaterial"] = (label, length, context) => {
    const material = this.#exporter?.material(label, context, length)
    return material === undefined ? Option.none() : Option.some(Redacted.make(material))
  }

  readonly channelBinding: Connection["channelBinding"] = (type) =>
    bindingOf(type, this.#core.primitives, { exporter: this.#exporter, serverCertificate: this.#serverCertificate })

  readonly updateKeys: Connection["updateKeys"] = (isPeerAsked = false) =>
    Effect.suspend(() => {
      const { refusal, traffic } = this.#core
      if (refusal !== undefined) return Effect.fail(refusal)
      if (traffic === undefined) return Effect.void
      traffic.updateWrite(isPeerAsked)
      return this.#wire.flush()
    })

  /** Waits until there is data to take, or the reading has ended; what was decided on the way is carried out. */
  #read<A>(take: () => A | undefined, target?: Target): Effect.Effect<A, TlsError | Cause.Done> {
    const core = this.#core
    const hasData = core.received.length > 0
    if (!hasData) core.process(target)
    const next = (): Effect.Effect<A, TlsError | Cause.Done> => {
      const taken = take()
      if (taken !== undefined) return Effect.succeed(taken)
      return core.ending === undefined
        ? Effect.flatMap(this.#wire.receive(), () => this.#read(take, target))
        : this.#end()
    }
    return !hasData && core.hasDecided ? Effect.flatMap(this.#wire.settle, next) : next()
  }

  #end(): Effect.Effect<never, TlsError | Cause.Done> {
    const failure = this.#core.readFailure
    return failure === undefined ? Cause.done() : Effect.fail(failure)
  }
}
