/**
 * The channel of a handshake story, over the wire of its connection.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Fault } from "../alert/Fault.ts"
import { ConnectionClosed } from "../alert/TlsError.ts"
import type { Channel, HandshakeFailure } from "../handshake/Channel.ts"
import { decodeHandshake, encodeHandshake, type HandshakeMessage, messageTag } from "../message/HandshakeMessage.ts"
import type { Incoming } from "../record/Inbound.ts"
import type { Primitives } from "../secret/Primitives.ts"
import { Transcript } from "../secret/Transcript.ts"
import type { Randomness } from "../service/Randomness.ts"
import { ContentType, HandshakeType } from "../wire/CodePoints.ts"
import { andThen } from "./Sequence.ts"
import type { Wire } from "./Wire.ts"

const unexpected = (expected: ReadonlyArray<string>, received: string): Fault => ({
  _tag: "MessageUnexpected",
  // The tags of TLS 1.3 end in its number where TLS 1.2 has a message of the same name.
  expected: expected.map((tag) => tag.replace(/13$/, "")),
  received: received.replace(/13$/, "")
})

/**
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  wire: Wire,
  primitives: Primitives["Service"],
  randomness: Randomness["Service"]
): Channel => {
  const { core } = wire
  const { inbound, outbound, settings } = core
  const transcript = new Transcript()
  let isDisguised = false
  const mayBe12 = () => inbound.version !== "1.3" && settings.versions.includes("1.2")

  type Awaited = Extract<Incoming, { readonly _tag: "Handshake" | "ChangeCipherSpec" }>

  /** What has come: the next message or ChangeCipherSpec, or why there will be none. `undefined` where it is to be waited for. */
  const arrived = (expected: ReadonlyArray<string>): Result.Result<Awaited, HandshakeFailure> | undefined => {
    for (;;) {
      // Where the scope has ended around us, there will be nothing to read, and nobody to answer to.
      if (core.ending !== undefined) {
        return Result.fail(core.ending._tag === "Failed" ? core.ending.error : new ConnectionClosed({ by: "local" }))
      }
      const incoming = inbound.next()
      if (incoming === undefined) return undefined
      switch (incoming._tag) {
        case "Alert":
          core.judged(incoming.alert, incoming.verdict)
          break
        case "Data":
          return Result.fail(unexpected(expected, "application_data"))
        case "ChangeCipherSpec":
          return Result.succeed(incoming)
        case "Handshake": {
          const isHelloRequest = incoming.type === HandshakeType.hello_request
          if (!isHelloRequest || core.role === "server" || !mayBe12()) return Result.succeed(incoming)
          // RFC 5246 section 7.4.1.1: ignored by a client that is negotiating already, and never hashed.
          if (incoming.body.length > 0) {
            return Result.fail<Fault>({
              _tag: "MessageMalformed",
              message: "HelloRequest",
              field: "body",
              why: "is not empty"
            })
          }
          const fault = inbound.spendRenegotiation()
          if (fault !== undefined) return Result.fail(fault)
          break
        }
        default:
          return Result.fail(incoming)
      }
    }
  }

  // What was sent goes out before anything is waited for: one flight, one write.
  const arrival = () => core.outbox.isEmpty ? wire.receive() : andThen(wire.flush(), () => wire.receive())

  /** Takes what has come at once, without a detour: most of a flight arrives together. */
  const next = <A>(
    expected: ReadonlyArray<string>,
    judge: (incoming: Awaited) => Result.Result<A, HandshakeFailure>
  ): Effect.Effect<A, HandshakeFailure> => {
    const incoming = arrived(expected)
    return incoming === undefined
      ? Effect.flatMap(arrival(), () => next(expected, judge))
      : Effect.fromResult(Result.flatMap(incoming, judge))
  }

  const expect: Channel["expect"] = (...tags) => {
    // The tag is checked against the ones that were asked for; TypeScript does not narrow a union by a generic list.
    type Expected = Extract<HandshakeMessage, { readonly _tag: typeof tags[number] }>
    const isExpected = (message: HandshakeMessage): message is Expected =>
      (tags as ReadonlyArray<HandshakeMessage["_tag"]>).includes(message._tag)
    return next(tags, (incoming): Result.Result<Expected, HandshakeFailure> => {
      if (incoming._tag === "ChangeCipherSpec") return Result.fail(unexpected(tags, "change_cipher_spec"))
      const tag = messageTag(incoming.type, inbound.version)
      if (tag === undefined || !(tags as ReadonlyArray<string>).includes(tag)) {
        return Result.fail(unexpected(tags, tag ?? `handshake message ${incoming.type}`))
      }
      const message = decodeHandshake(incoming.type, incoming.body, inbound.version)
      if (Result.isFailure(message)) return Result.fail(message.failure)
      if (!isExpected(message.success)) return Result.fail(unexpected(tags, message.success._tag))
      transcript.add(incoming.bytes)
      inbound.progress()
      return Result.succeed(message.success)
    })
  }

  return {
    primitives,
    randomness,
    transcript,
    keepSecret: (bytes) => core.secrets.keep(bytes),
    keepExporter: (exporter) => core.secrets.keepExporter(exporter),
    expect,
    send: (message, bytes = encodeHandshake(message)) => {
      transcript.add(bytes)
      settings.observe?.({ _tag: "Message", direction: "sent", type: bytes[0] ?? 0, length: bytes.length })
      core.outbox.addHandshake(bytes)
    },
    settleVersion: (version) => inbound.settleVersion(version),
    setPending: ({ read, write }) => {
      inbound.state.setPending(read)
      outbound.state.setPending(write)
    },
    sendChangeCipherSpec: () => {
      core.outbox.records.push(outbound.changeCipherSpec())
    },
    expectChangeCipherSpec: () =>
      next(["change_cipher_spec"], (incoming): Result.Result<void, HandshakeFailure> => {
        if (incoming._tag === "Handshake") {
          const received = messageTag(incoming.type, inbound.version) ?? `handshake message ${incoming.type}`
          return Result.fail(unexpected(["change_cipher_spec"], received))
        }
        const fault = inbound.changeCipherSpec()
        return fault === undefined ? Result.succeed(undefined) : Result.fail(fault)
      }),
    sendCompatibilityChangeCipherSpec: () => {
      if (isDisguised) return
      isDisguised = true
      core.send(ContentType.change_cipher_spec, Uint8Array.of(1))
    },
    installRead: (parameters) => {
      const fault = inbound.install(parameters)
      return fault === undefined ? Effect.void : Effect.fail(fault)
    },
    installWrite: (parameters) => {
      core.outbox.sealFlight()
      outbound.state.install(parameters)
    },
    skipEarlyData: (bytes) => inbound.skipEarlyData(bytes),
    endEarlyData: () => inbound.endEarlyData(),
    limitRecords: ({ read, write }) => {
      core.outbox.sealFlight()
      inbound.limitPlaintext(read)
      outbound.limitContent(write)
    },
    openTraffic: (traffic) => core.openTraffic(traffic),
    useSession: (used) => core.sessions.use(used),
    storeSession: (key, session) => wire.storeSession(key, session)
  }
}
