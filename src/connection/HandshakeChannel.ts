/**
 * The channel of a handshake story, over the wire of its connection.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Fault } from "../alert/Fault.ts"
import { ConnectionClosed, type TlsError } from "../alert/TlsError.ts"
import type { Channel, HandshakeFailure, Traffic } from "../handshake/Channel.ts"
import { decodeHandshake, encodeHandshake, type HandshakeMessage, messageTag } from "../message/HandshakeMessage.ts"
import type { SecurityParameters } from "../record/ConnectionState.ts"
import type { Incoming } from "../record/Inbound.ts"
import type { Exporter } from "../secret/Exporter.ts"
import { Transcript } from "../secret/Transcript.ts"
import type { Session } from "../service/Session.ts"
import type { SessionKey } from "../service/SessionCache.ts"
import { ContentType, HandshakeType } from "../wire/CodePoints.ts"
import type { Core } from "./Core.ts"
import { andThen } from "./Sequence.ts"
import type { Wire } from "./Wire.ts"

const unexpected = (expected: ReadonlyArray<string>, received: string): Fault => ({
  _tag: "MessageUnexpected",
  // The tags of TLS 1.3 end in its number where TLS 1.2 has a message of the same name.
  expected: expected.map((tag) => tag.replace(/13$/, "")),
  received: received.replace(/13$/, "")
})

type Awaited = Extract<Incoming, { readonly _tag: "Handshake" | "ChangeCipherSpec" }>

/**
 * A class, and not an object of functions: every connection makes one.
 *
 * @category models
 * @since 0.1.0
 */
export class HandshakeChannel implements Channel {
  readonly primitives: Channel["primitives"]
  readonly randomness: Channel["randomness"]
  readonly transcript = new Transcript()
  readonly #wire: Wire
  readonly #core: Core
  #isDisguised = false

  constructor(wire: Wire, primitives: Channel["primitives"], randomness: Channel["randomness"]) {
    this.primitives = primitives
    this.randomness = randomness
    this.#wire = wire
    this.#core = wire.core
  }

  keepSecret(bytes: Uint8Array): void {
    this.#core.secrets.keep(bytes)
  }

  keepExporter(exporter: Exporter): void {
    this.#core.secrets.keepExporter(exporter)
  }

  expect<const Tag extends HandshakeMessage["_tag"]>(
    ...tags: ReadonlyArray<Tag>
  ): Effect.Effect<Extract<HandshakeMessage, { readonly _tag: Tag }>, HandshakeFailure> {
    type Expected = Extract<HandshakeMessage, { readonly _tag: Tag }>
    // The tag is checked against the ones that were asked for; TypeScript does not narrow a union by a generic list.
    const isExpected = (message: HandshakeMessage): message is Expected =>
      (tags as ReadonlyArray<HandshakeMessage["_tag"]>).includes(message._tag)
    const { inbound } = this.#core
    return this.#next(tags, (incoming): Result.Result<Expected, HandshakeFailure> => {
      if (incoming._tag === "ChangeCipherSpec") return Result.fail(unexpected(tags, "change_cipher_spec"))
      const tag = messageTag(incoming.type, inbound.version)
      if (tag === undefined || !(tags as ReadonlyArray<string>).includes(tag)) {
        return Result.fail(unexpected(tags, tag ?? `handshake message ${incoming.type}`))
      }
      const message = decodeHandshake(incoming.type, incoming.body, inbound.version)
      if (Result.isFailure(message)) return Result.fail(message.failure)
      if (!isExpected(message.success)) return Result.fail(unexpected(tags, message.success._tag))
      this.transcript.add(incoming.bytes)
      inbound.progress()
      return Result.succeed(message.success)
    })
  }

  send(message: HandshakeMessage, encoded: Uint8Array = encodeHandshake(message)): void {
    this.transcript.add(encoded)
    this.#core.settings.observe?.({
      _tag: "Message",
      direction: "sent",
      type: encoded[0] ?? 0,
      length: encoded.length
    })
    this.#core.outbox.addHandshake(encoded)
  }

  settleVersion(version: "1.2" | "1.3"): void {
    this.#core.inbound.settleVersion(version)
  }

  setPending({ read, write }: Parameters<Channel["setPending"]>[0]): void {
    this.#core.inbound.state.setPending(read)
    this.#core.outbound.state.setPending(write)
  }

  sendChangeCipherSpec(): void {
    this.#core.outbox.records.push(this.#core.outbound.changeCipherSpec())
  }

  expectChangeCipherSpec(): Effect.Effect<void, HandshakeFailure> {
    const { inbound } = this.#core
    return this.#next(["change_cipher_spec"], (incoming): Result.Result<void, HandshakeFailure> => {
      if (incoming._tag === "Handshake") {
        const received = messageTag(incoming.type, inbound.version) ?? `handshake message ${incoming.type}`
        return Result.fail(unexpected(["change_cipher_spec"], received))
      }
      const fault = inbound.changeCipherSpec()
      return fault === undefined ? Result.succeed(undefined) : Result.fail(fault)
    })
  }

  sendCompatibilityChangeCipherSpec(): void {
    if (this.#isDisguised) return
    this.#isDisguised = true
    this.#core.send(ContentType.change_cipher_spec, Uint8Array.of(1))
  }

  installRead(parameters: SecurityParameters): Effect.Effect<void, Fault> {
    const fault = this.#core.inbound.install(parameters)
    return fault === undefined ? Effect.void : Effect.fail(fault)
  }

  installWrite(parameters: SecurityParameters): void {
    this.#core.outbox.sealFlight()
    this.#core.outbound.state.install(parameters)
  }

  skipEarlyData(bytes: number): void {
    this.#core.inbound.skipEarlyData(bytes)
  }

  endEarlyData(): void {
    this.#core.inbound.endEarlyData()
  }

  limitRecords({ read, write }: Parameters<Channel["limitRecords"]>[0]): void {
    this.#core.outbox.sealFlight()
    this.#core.inbound.limitPlaintext(read)
    this.#core.outbound.limitContent(write)
  }

  openTraffic(traffic: Traffic): void {
    this.#core.openTraffic(traffic)
  }

  useSession(used: Parameters<Channel["useSession"]>[0]): void {
    this.#core.sessions.use(used)
  }

  storeSession(key: SessionKey, session: Session): Effect.Effect<void> {
    return this.#wire.storeSession(key, session)
  }

  /** Takes what has come at once, without a detour: most of a flight arrives together. */
  #next<A>(
    expected: ReadonlyArray<string>,
    judge: (incoming: Awaited) => Result.Result<A, HandshakeFailure>
  ): Effect.Effect<A, HandshakeFailure> {
    const incoming = this.#arrived(expected)
    return incoming === undefined
      ? Effect.flatMap(this.#arrival(), () => this.#next(expected, judge))
      : Effect.fromResult(Result.flatMap(incoming, judge))
  }

  /** What was sent goes out before anything is waited for: one flight, one write. */
  #arrival(): Effect.Effect<void, TlsError> {
    const wire = this.#wire
    return this.#core.outbox.isEmpty ? wire.receive() : andThen(wire.flush(), () => wire.receive())
  }

  /** What has come: the next message or ChangeCipherSpec, or why there will be none. `undefined` where it is to be waited for. */
  #arrived(expected: ReadonlyArray<string>): Result.Result<Awaited, HandshakeFailure> | undefined {
    const core = this.#core
    const { inbound } = core
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
          if (!isHelloRequest || core.role === "server" || !this.#mayBe12) return Result.succeed(incoming)
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

  get #mayBe12(): boolean {
    const { inbound, settings } = this.#core
    return inbound.version !== "1.3" && settings.versions.includes("1.2")
  }
}
