/** A conversation of a real side with the puppet, which does something else at one place. */
import { assert } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Connection, Primitives, TlsConfig } from "effect-tls"
import { descriptionCode, levelCode } from "../../src/alert/Alert.ts"
import type { HandshakeMessage } from "../../src/message/HandshakeMessage.ts"
import { concat, empty } from "../../src/wire/Bytes.ts"
import { ContentType } from "../../src/wire/CodePoints.ts"
import { makeRecord } from "../harness/TlsRecords.ts"
import { converse, lineOf, readToTheEnd, type Setting } from "../handshake13/conversation.ts"
import { type Puppet, stop } from "../handshake13/puppet.ts"
import { call, type Moves, type Script, serve, type Unit } from "../handshake13/stories.ts"
import type { WatchedCache, World } from "../handshake13/world.ts"
import { awaited, isResumed, isRetried, type Place } from "./places.ts"

/** What the puppet does, given the message that is due with its header, or nothing on the open connection. */
export type Act = (puppet: Puppet, due: Uint8Array) => void

type Alteration = (bytes: Uint8Array) => Uint8Array

/**
 * What becomes of the message that is due: the puppet does something `instead`, and its story is over; it does something `before`
 * it, leaves it out and goes on with a later one (`skip`), says it `twice`, `joined` with more, or `altered`, and its story goes on.
 */
export type Move =
  | { readonly how: "instead"; readonly act: Act }
  | { readonly how: "before"; readonly act: Act }
  | { readonly how: "skip"; readonly to: number }
  | { readonly how: "twice" }
  /** With more in its record. */
  | { readonly how: "joined"; readonly more: ReadonlyArray<number> }
  /** The record as it goes out, or the message: that one is what the puppet means to have said. */
  | { readonly how: "altered"; readonly content?: Alteration; readonly record?: Alteration }

/** The puppet does what its story says. */
export const nothing: Move = { how: "before", act: () => {} }

/** What came of a conversation, in words that can be compared. */
export interface Outcome {
  /** The typed failure of the subject, or `clean`. */
  readonly failure: string
  /** What the subject was given to read. */
  readonly data: string
  /** The alerts that the puppet read, with the keys they came under: `handshake 2/10`. */
  readonly told: ReadonlyArray<string>
  /** How many sessions the subject had forgotten. */
  readonly forgotten: number
  /** How many it may still resume. */
  readonly alive: number
}

export interface Held extends Outcome {
  /** The alerts that the subject sealed, readable or not. */
  readonly sealed: ReadonlyArray<string>
  /** Whether the puppet had something to object to. */
  readonly isRefused: boolean
  /** Every message of the puppet's story, as far as it came. */
  readonly units: ReadonlyArray<readonly [unit: Unit, bytes: Uint8Array]>
}

export interface Options {
  readonly move: Move
  /** The puppet says no ChangeCipherSpec of its own. */
  readonly isBare?: boolean
  /** Nobody knows how it goes: the puppet refuses what it cannot make sense of, and where both sides wait, time passes. */
  readonly isWild?: boolean
}

export const greeting = "hello"
export const farewell = "bye"
const acknowledgement = new TextEncoder().encode("ok")

const sayAltered = (puppet: Puppet, due: Uint8Array, { content, record }: Extract<Move, { how: "altered" }>): void => {
  const bytes = content === undefined ? due : content(due)
  if (record === undefined) return puppet.say(bytes)
  puppet.mean(bytes)
  const { handshake } = ContentType
  puppet.bytes(record(puppet.writing === undefined ? makeRecord(handshake, bytes) : puppet.sealNext(handshake, bytes)))
}

/** The moves of a whole story, all but one of them as they should be. */
const movesOf = (place: Place, move: Move, units: Array<readonly [Unit, Uint8Array]>): Moves => {
  const order = awaited[place.subject][place.flow]
  const at = (unit: Unit) => (puppet: Puppet, message: HandshakeMessage): void => {
    const index = order.indexOf(unit)
    const due = puppet.encode(message)
    units.push([unit, due])
    if (move.how === "skip" && index >= place.at && index < move.to) return
    if (index !== place.at) return puppet.say(due)
    switch (move.how) {
      case "instead":
        move.act(puppet, due)
        return puppet.stop()
      case "before":
        move.act(puppet, due)
        return puppet.say(due)
      case "twice":
        puppet.say(due)
        return puppet.blurt(due)
      case "joined":
        return puppet.record(ContentType.handshake, concat([puppet.mean(due), Uint8Array.from(move.more)]))
      case "altered":
        return sayAltered(puppet, due, move)
      case "skip":
        return puppet.say(due)
    }
  }
  return {
    ClientHello: at("ClientHello"),
    SecondHello: at("SecondHello"),
    HelloRetryRequest: at("HelloRetryRequest"),
    ServerHello: at("ServerHello"),
    EncryptedExtensions: at("EncryptedExtensions"),
    CertificateRequest: at("CertificateRequest"),
    Certificate: at("Certificate"),
    CertificateVerify: at("CertificateVerify"),
    Finished: at("Finished")
  }
}

const ticket: HandshakeMessage = {
  _tag: "NewSessionTicket",
  lifetime: 3600,
  ageAdd: 7,
  nonce: Uint8Array.of(1),
  ticket: new Uint8Array(32).fill(0x71),
  extensions: []
}

/** A ticket for a client, and data. When the subject has taken both, it is the puppet's turn. */
const openOf = (place: Place, move: Move) => (puppet: Puppet): Effect.Effect<void> =>
  Effect.gen(function*() {
    if (place.subject === "client") puppet.blurt(ticket)
    puppet.data(greeting)
    while (puppet.text === "" && puppet.alerts.length === 0 && puppet.ended === undefined) yield* puppet.hear(1)
    const isMine = place.at === awaited[place.subject][place.flow].length && "act" in move
    if (isMine) move.act(puppet, empty)
    if (isMine && move.how === "instead") return
    puppet.data(farewell)
    puppet.closeNotify()
  })

/** Reads, takes note of the first words, and reads on. */
const use = (place: Place, isOver: Deferred.Deferred<void>) => (connection: Connection) =>
  Effect.gen(function*() {
    let data = ""
    const first = yield* Effect.exit(connection.pull)
    if (Exit.isSuccess(first)) {
      for (const chunk of first.value) data += new TextDecoder().decode(chunk)
      yield* Effect.ignore(place.closing ? connection.closeWrite : connection.write(acknowledgement))
    }
    const end = yield* readToTheEnd(connection)
    if (end.failure !== "clean") {
      // Law 5: the end is that of every call.
      const refused = yield* Effect.orDie(Effect.flip(connection.write(acknowledgement)))
      assert.strictEqual(lineOf(refused), end.failure)
      // It is the end of the connection that ends the transport: the scope is still open.
      yield* Deferred.await(isOver)
    }
    return { ...end, data: data + end.data }
  })

const settingOf = (
  place: Place,
  observe: NonNullable<TlsConfig.ServerOptions["observe"]>
): Omit<Setting, "subject" | "script"> => {
  const { flow, subject } = place
  return subject === "client"
    ? { client: { observe }, isKnown: flow === "client certificate", remembers: isResumed(place) }
    : {
      server: { observe, ...isRetried(place) ? { groups: ["secp256r1"] } : {} },
      remembers: isResumed(place),
      ...flow.endsWith("client certificate") ? { asks: "request" } : {}
    }
}

const scriptOf = (place: Place, options: Options, units: Array<readonly [Unit, Uint8Array]>): Script => {
  const { flow, subject } = place
  return {
    moves: movesOf(place, options.move, units),
    open: openOf(place, options.move),
    retries: subject === "client" && isRetried(place),
    asks: subject === "client" && flow.endsWith("client certificate"),
    isShy: flow === "empty client certificate" && subject === "server",
    isBare: options.isBare === true
  }
}

/** Whether it is the puppet that objects, and not the test that is wrong. */
const isObjection = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.every((reason) => Cause.isDieReason(reason) && Object.getPrototypeOf(reason.defect) === Error.prototype)

/** Holds one conversation. Dies where it hangs, and where a transport is left open. */
export const hold = Effect.fnUntraced(
  function*(all: World, place: Place, options: Options): Effect.fn.Return<Held, never, Primitives> {
    const units: Array<readonly [Unit, Uint8Array]> = []
    const sealed: Array<string> = []
    let cache: WatchedCache | undefined
    let isRefused = false
    const isOver = yield* Deferred.make<void>()
    const script = scriptOf(place, options, units)
    const play = Effect.fnUntraced(function*(puppet: Puppet) {
      const exit = yield* Effect.exit(
        Effect.andThen((puppet.side === "server" ? serve : call)(puppet, { ...script, ...known(puppet) }), puppet.flush)
      )
      const isStopped = Exit.isFailure(exit) &&
        exit.cause.reasons.some((reason) => Cause.isDieReason(reason) && reason.defect === stop)
      if (Exit.isFailure(exit) && !isStopped && !(options.isWild === true && isObjection(exit.cause))) return yield* exit
      isRefused = Exit.isFailure(exit) && !isStopped
      if (isRefused) {
        puppet.alert(2, 40)
        yield* puppet.cut("fin")
        puppet.ended = "fin"
      }
      yield* puppet.flush
      yield* puppet.listen
    })
    const known = (puppet: Puppet): Partial<Script> => ({
      ...isResumed(place) ? { session: all.remembered[puppet.side][1] } : {},
      ...script.isShy === true ? {} : { credential: all.credentials[puppet.side] }
    })
    const watching: World = {
      ...all,
      cacheOf: (remembering) =>
        Effect.tap(all.cacheOf(remembering), (made) => Effect.sync(() => void (cache = made)))
    }
    const { alerts, data, failure, sessions } = yield* converse(watching, {
      ...settingOf(place, (seen) => {
        if (seen._tag !== "Alert" || seen.direction !== "sent") return
        sealed.push(`${levelCode(seen.alert.level)}/${descriptionCode(seen.alert.description)}`)
      }),
      subject: place.subject,
      script: {
        story: (puppet) => Effect.ensuring(play(puppet), Deferred.succeed(isOver, undefined))
      },
      use: use(place, isOver),
      waits: options.isWild === true
    })
    return {
      failure,
      data,
      told: alerts,
      forgotten: cache?.invalidated.length ?? 0,
      alive: sessions,
      sealed,
      isRefused,
      units
    }
  }
)
