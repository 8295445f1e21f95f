/**
 * One side of a conversation on strings: it runs our own story of its role, keys and all, up to the place where it does
 * something else. The other side, the subject, is the real thing over a socket in memory.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Socket from "effect/socket/Socket"
import { type Alert, descriptionCode, levelCode } from "../../src/alert/Alert.ts"
import { Core } from "../../src/connection/Core.ts"
import { HandshakeChannel } from "../../src/connection/HandshakeChannel.ts"
import * as Transport from "../../src/connection/Transport.ts"
import * as Wire from "../../src/connection/Wire.ts"
import type { Channel, HandshakeFailure } from "../../src/handshake/Channel.ts"
import * as Client from "../../src/handshake/Client.ts"
import * as Server from "../../src/handshake/Server.ts"
import { make as makeStory } from "../../src/handshake/ServerStory.ts"
import { encodeHandshake, type HandshakeMessage } from "../../src/message/HandshakeMessage.ts"
import { make as primitives } from "../../src/platform/NodePrimitives.ts"
import { suites } from "../../src/secret/CipherSuite.ts"
import { makeInsecureSeeded } from "../../src/service/Randomness.ts"
import { clientKey, type SessionCache } from "../../src/service/SessionCache.ts"
import { settingsOf } from "../../src/service/TlsConfig.ts"
import { empty } from "../../src/wire/Bytes.ts"
import { ContentType } from "../../src/wire/CodePoints.ts"
import { headerLength, makeRecord } from "../harness/TlsRecords.ts"
import { type Flow, isUnit, serverName, type Side, ticketsOf, type Unit, type World } from "./world.ts"

/** What the puppet can do at its place. */
export interface Hands {
  /** A record under the current write state: of any content, an empty one as well. */
  readonly record: (type: number, content: Uint8Array) => void
  /** Bytes as they are, after all records: whole records or not. */
  readonly raw: (bytes: Uint8Array) => void
  /** The message that is due here, header included, or the byte of ChangeCipherSpec; empty on the open connection. */
  readonly due: Uint8Array
  /** Ends what the puppet has to say, after all bytes. */
  readonly end: (by: "fin" | "reset") => void
}

type Alteration = (bytes: Uint8Array) => Uint8Array

/**
 * What the puppet does with the unit that is due: it says something `instead`, and its story is over; it says something `before`
 * the unit, leaves it out (`skip`), says it `twice`, or says it `altered`, and its story goes on.
 */
export type Move =
  | { readonly how: "instead"; readonly act: (hands: Hands) => void }
  | { readonly how: "before"; readonly act: (hands: Hands) => void }
  | { readonly how: "skip"; /** The unit to go on with: the next one by default. */ readonly to?: number }
  | { readonly how: "twice" }
  | {
    readonly how: "altered"
    /** The message or the byte of ChangeCipherSpec, before it is protected. */
    readonly content?: Alteration
    /** The record, as it goes out: empty for none at all. */
    readonly record?: Alteration
  }

/** The puppet does what its story says. */
export const nothing: Move = { how: "before", act: () => {} }

const asIs: Alteration = (bytes) => bytes

export interface Puppet {
  readonly side: Side
  readonly flow: Flow
  /** Which unit, counted in what this side sends; beyond the last one: on the open connection. */
  readonly at: number
  readonly move: Move
  /** The subject has half-closed before the puppet acts on the open connection. */
  readonly waitsForEnd: boolean
  readonly socket: Socket.Socket
  /** The wire, on the side of the puppet. */
  readonly inject: (bytes: Uint8Array) => Effect.Effect<void>
  readonly cut: (by: "fin" | "reset") => Effect.Effect<void>
}

/** What the puppet saw. */
export interface Seen {
  /** The alerts of the subject, as `level/code`, and what could not be read. */
  readonly told: ReadonlyArray<string>
  /** Every unit of the puppet's own story, as far as it came. */
  readonly units: ReadonlyArray<readonly [Unit, Uint8Array]>
}

/** Thrown out of the story of the puppet, where it is over. */
const stop = Symbol("stop")

export const greeting = new TextEncoder().encode("hello")
export const farewell = new TextEncoder().encode("bye")

const alertText = ({ description, level }: Alert) => `${levelCode(level)}/${descriptionCode(description)}`

const storyOf = (puppet: Puppet, world: World, core: Core, cache: SessionCache["Service"]) => {
  const { settings } = core
  return (channel: Channel): Effect.Effect<unknown, HandshakeFailure> => {
    if (puppet.side === "server") {
      const asks = puppet.flow.includes("client certificate")
      const clientAuth = asks ? { mode: "request", trust: world.clientTrust } as const : undefined
      return Server.handshake(channel, makeStory(settings, world.server, clientAuth), cache)
    }
    const sessionKey = clientKey({
      verified: serverName,
      name: serverName,
      alpnProtocols: [],
      trust: world.trust.fingerprint,
      identity: ""
    })
    const identity = puppet.flow === "full, with a client certificate" ? world.client : undefined
    const peer = { role: "server", host: serverName } as const
    return Client.handshake(channel, { settings, peer, trust: world.trust, identity, sessionKey }, cache)
  }
}

/** Runs the puppet to the end of the conversation, and lets go of the transport then. */
export const play = Effect.fnUntraced(function*(puppet: Puppet, world: World, cache: SessionCache["Service"]) {
  const told: Array<string> = []
  const units: Array<readonly [Unit, Uint8Array]> = []
  const { at, flow, move, side } = puppet
  const settings = settingsOf({
    // A session of another suite is declined by the server that has it.
    cipherSuites: side === "client" && flow === "full, after a declined offer" ? [suites[2]] : suites,
    observe: (seen) => {
      if (seen._tag === "Alert" && seen.direction === "received") told.push(alertText(seen.alert))
    },
    versions: ["1.2"],
    tickets: ticketsOf(flow)
  }, primitives)
  const core = new Core(side, primitives, settings)
  const transport = yield* Effect.orDie(Transport.open(puppet.socket, (effect) => effect))
  const wire = new Wire.Wire(core, transport, cache)
  const rest: Array<Uint8Array> = []
  let end: "fin" | "reset" | undefined

  const seal = (type: number, content: Uint8Array): Uint8Array => {
    const { state } = core.outbound
    const { protection } = state.current
    const sealed = makeRecord(type, new Uint8Array(content.length + protection.overhead))
    protection.seal(type, content, state.sequence, sealed, headerLength, 0)
    state.advance()
    return sealed
  }
  const hands = (due: Uint8Array): Hands => ({
    record: (type, content) => void core.outbox.records.push(seal(type, content)),
    raw: (bytes) => void rest.push(bytes),
    due,
    end: (by) => {
      end = by
    }
  })
  /** One unit of the story; `isSent` does what the story has to do about it, its record aside. */
  const unit = (name: Unit, type: number, due: Uint8Array, isSent: () => void) => {
    const index = units.push([name, due]) - 1
    const mine = index === at ? move : nothing
    if ("act" in mine) mine.act(hands(due))
    if (mine.how === "instead") throw stop
    if (move.how === "skip" && index >= at && index < (move.to ?? at + 1)) return
    const { content = asIs, record = asIs } = mine.how === "altered" ? mine : {}
    core.outbox.records.push(record(seal(type, content(due))))
    isSent()
    if (mine.how === "twice") core.outbox.records.push(seal(type, due))
  }
  class PuppetChannel extends HandshakeChannel {
    override send(message: HandshakeMessage): void {
      const due = encodeHandshake(message)
      if (!isUnit(message._tag)) throw new Error(`no story of TLS 1.2 sends a ${message._tag}`)
      unit(message._tag, ContentType.handshake, due, () => this.transcript.add(due))
    }
    override sendChangeCipherSpec(): void {
      unit("ChangeCipherSpec", ContentType.change_cipher_spec, Uint8Array.of(1), () => {
        core.outbound.state.changeCipherSpec()
      })
    }
  }
  const channel = new PuppetChannel(wire, primitives, makeInsecureSeeded(primitives, `puppet ${side}`))

  /** Reads what the subject says until it says no more. */
  const listen: Effect.Effect<void> = Effect.suspend(() => {
    for (let incoming = core.inbound.next(); incoming !== undefined; incoming = core.inbound.next()) {
      if (!["Data", "Alert", "Handshake", "ChangeCipherSpec"].includes(incoming._tag)) {
        told.push(incoming._tag)
        break
      }
    }
    return transport.pull.pipe(
      Effect.flatMap((chunks) => {
        for (const chunk of chunks) if (typeof chunk !== "string") core.inbound.push(chunk)
        return listen
      }),
      // What the subject has to say is over.
      Effect.ignore
    )
  })

  const story = storyOf(puppet, world, core, cache)(channel).pipe(
    Effect.andThen(Effect.suspend(() => wire.lane.flush()))
  )
  const exit = yield* Effect.exit(story)
  if (Exit.isSuccess(exit)) {
    core.establish()
    if (puppet.waitsForEnd) yield* listen
    core.sendData([greeting], greeting.length)
    const isMine = at >= units.length && "act" in move
    if (isMine) move.act(hands(empty))
    if (!isMine || move.how === "before") {
      core.sendData([farewell], farewell.length)
      core.closeNotify()
    }
  } else if (!exit.cause.reasons.some((reason) => Cause.isDieReason(reason) && reason.defect === stop)) {
    const failure = exit.cause.reasons.find(Cause.isFailReason)?.error
    if (failure === undefined) return yield* Effect.die(Cause.squash(exit.cause))
    if (!(failure instanceof Error)) core.fail(failure)
    core.sayLastWord()
  }
  yield* Effect.ignore(wire.lane.flush())
  yield* Effect.forEach(rest, puppet.inject)
  if (end !== undefined) yield* puppet.cut(end)
  yield* listen
  yield* transport.close()
  return { told, units } satisfies Seen
})
