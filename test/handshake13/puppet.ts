/**
 * One side of a TLS 1.3 conversation on strings: built from the kernel alone, it judges nothing, keeps its own transcript and keys, and
 * says what a script has it say. The other side, the subject, is the real thing over a socket in memory.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Transport from "../../src/connection/Transport.ts"
import type { ClientHello } from "../../src/message/ClientHello.ts"
import { findExtension } from "../../src/message/Extension.ts"
import {
  decodeHandshake,
  encodeHandshake,
  type HandshakeMessage,
  type HandshakeMessageOf
} from "../../src/message/HandshakeMessage.ts"
import { make as primitives } from "../../src/platform/NodePrimitives.ts"
import { TrafficSecret } from "../../src/record/TrafficSecret.ts"
import type { CipherSuite13 } from "../../src/secret/CipherSuite.ts"
import * as KeySchedule from "../../src/secret/KeySchedule13.ts"
import { Transcript } from "../../src/secret/Transcript.ts"
import { concat, empty, toHex } from "../../src/wire/Bytes.ts"
import { ContentType } from "../../src/wire/CodePoints.ts"
import { headerLength, makeRecord, splitRecords } from "../harness/TlsRecords.ts"
import {
  binderOf,
  bindersLength,
  type Epoch,
  isUnbound,
  type Keys,
  keysOf,
  lengthOf,
  messagesIn,
  nextOf,
  sealed,
  type Secrets
} from "./keys.ts"

export type { Epoch } from "./keys.ts"
export type Side = "client" | "server"

/** A record of the subject, as the puppet read it. */
export interface Heard {
  readonly epoch: Epoch
  readonly type: number
  readonly content: Uint8Array
  /** Zeros behind the type. */
  readonly padding: number
  readonly record: Uint8Array
}

/** The wire, on the side of the puppet. */
export interface PuppetWire {
  readonly inject: (bytes: Uint8Array) => Effect.Effect<void>
  readonly cut: (by: "fin" | "reset") => Effect.Effect<void>
  /** What the subject writes stays on the way, and its writer waits. */
  readonly stall: Effect.Effect<void>
  readonly release: Effect.Effect<void>
}

/** Thrown out of a script that is over. */
export const stop = Symbol("stop")

export class Puppet {
  readonly side: Side
  readonly heard: Array<Heard> = []
  /** The messages that the script waited for. */
  readonly received: Array<HandshakeMessage> = []
  /** How the transport of the subject ended. */
  ended: "fin" | "reset" | undefined
  suite: CipherSuite13
  transcript = new Transcript()
  secrets: Secrets | undefined
  exporter: KeySchedule.Secret | undefined
  /** The PSK whose binder is filled in where a ClientHello has an empty one. */
  psk: Uint8Array | undefined
  writing: Keys | undefined
  reading: Keys | undefined
  /** What is said at once arrives as one chunk, and not one for each record. */
  isOneChunk = false
  readonly #outbox: Array<Uint8Array> = []
  readonly #messages: Array<Uint8Array> = []
  #fragment: Uint8Array = empty
  #bytes: Uint8Array = empty
  readonly #records: Array<Uint8Array> = []
  #alerts = 0
  #cut: "fin" | "reset" | undefined
  readonly #transport: Transport.Transport
  readonly wire: PuppetWire

  constructor(side: Side, suite: CipherSuite13, transport: Transport.Transport, wire: PuppetWire) {
    this.side = side
    this.suite = suite
    this.#transport = transport
    this.wire = wire
  }

  // ---- records out

  /** Bytes as they are. */
  raw(...bytes: ReadonlyArray<number>): void {
    this.#outbox.push(Uint8Array.from(bytes))
  }

  bytes(bytes: Uint8Array): void {
    this.#outbox.push(bytes)
  }

  clear(type: number, content: Uint8Array | ReadonlyArray<number>): void {
    this.#outbox.push(makeRecord(type, Uint8Array.from(content)))
  }

  /** Under the current keys, or in the clear where there are none. Any type, any length, any padding. */
  record(type: number, content: Uint8Array | ReadonlyArray<number>, padding = 0, keys = this.writing): void {
    this.#outbox.push(
      keys === undefined ? makeRecord(type, Uint8Array.from(content)) : sealed(keys, type, content, padding)
    )
  }

  /** The record that would come next, for those who turn a bit in it. */
  sealNext(type: number, content: Uint8Array | ReadonlyArray<number>): Uint8Array {
    if (this.writing === undefined) throw new Error("the puppet has no keys yet")
    return sealed(this.writing, type, content, 0)
  }

  ccs(): void {
    this.clear(ContentType.change_cipher_spec, [1])
  }

  alert(level: number, code: number): void {
    this.record(ContentType.alert, [level, code])
  }

  data(text: string): void {
    this.record(ContentType.application_data, new TextEncoder().encode(text))
  }

  closeNotify(): void {
    this.alert(1, 0)
  }

  /** What the message is on the wire; the binders of a ClientHello that are all zeros are filled in. */
  encode(message: HandshakeMessage): Uint8Array {
    if (message._tag !== "ClientHello") return encodeHandshake(message)
    const last = message.extensions.at(-1)
    const { psk } = this
    if (psk === undefined || last?._tag !== "PreSharedKeys" || !last.offers.some(isUnbound)) {
      return encodeHandshake(message)
    }
    const bytes = encodeHandshake(message)
    const after = bytes.subarray(0, bytes.length - bindersLength(last))
    const binder = binderOf(this.suite, psk, this.transcript.digestWith(primitives, this.suite.hash, { after }))
    const offers = last.offers.map((offer) => isUnbound(offer) ? { ...offer, binder } : offer)
    return encodeHandshake({ ...message, extensions: [...message.extensions.slice(0, -1), { ...last, offers }] })
  }

  /** RFC 8446 section 4.2.11.2: the binder of the subject's last hello. */
  checkBinder(psk: Uint8Array, { extensions }: ClientHello): void {
    const offered = findExtension(extensions, "PreSharedKeys")
    if (offered === undefined) throw new Error("the subject offers no session")
    const hash = this.transcript.digestWith(primitives, this.suite.hash, { cut: bindersLength(offered) })
    if (toHex(offered.offers[0]?.binder ?? empty) !== toHex(binderOf(this.suite, psk, hash))) {
      throw new Error("the binder of the subject does not verify")
    }
  }

  /** A handshake message, in the transcript as it is said, in a record of its own. */
  say(...messages: ReadonlyArray<HandshakeMessage | Uint8Array>): void {
    this.record(ContentType.handshake, this.mean(...messages))
  }

  /** In the transcript, and not sent. */
  mean(...messages: ReadonlyArray<HandshakeMessage | Uint8Array>): Uint8Array {
    return concat(messages.map((message) => {
      const bytes = message instanceof Uint8Array ? message : this.encode(message)
      this.transcript.add(bytes)
      return bytes
    }))
  }

  /** Sent, and not in the transcript. */
  blurt(message: HandshakeMessage | Uint8Array): void {
    this.record(ContentType.handshake, message instanceof Uint8Array ? message : encodeHandshake(message))
  }

  keyUpdate(isRequested: boolean): void {
    this.blurt({ _tag: "KeyUpdate", isRequested })
    this.rekey()
  }

  /** New keys for what the puppet sends, without a word. */
  rekey(): Keys {
    const keys = this.writing
    if (keys === undefined) throw new Error("the puppet has no keys yet")
    this.writing = keysOf(keys.epoch, nextOf(this.suite, keys.traffic))
    return keys
  }

  stop(): never {
    throw stop
  }

  readonly flush: Effect.Effect<void> = Effect.suspend(() => {
    // Not through the writer: what the subject no longer takes is no failure of the puppet.
    const bytes = this.#outbox.splice(0)
    const chunks = this.isOneChunk && bytes.length > 0 ? [concat(bytes)] : bytes
    const all = Effect.forEach(chunks, this.wire.inject, { discard: true })
    const cut = this.#cut
    this.#cut = undefined
    return cut === undefined ? all : Effect.andThen(all, this.wire.cut(cut))
  })

  /** Ends what the puppet has to say. */
  cut(by: "fin" | "reset"): Effect.Effect<void> {
    return Effect.andThen(this.flush, this.wire.cut(by))
  }

  /** The same, when what was said is out. */
  cutLater(by: "fin" | "reset"): void {
    this.#cut = by
  }

  // ---- keys

  /** RFC 8446 section 4.4.1, where the HelloRetryRequest is in the transcript already. */
  collapseFirst(): void {
    const [first, ...rest] = messagesIn(this.transcript.messages())
    this.transcript = new Transcript()
    this.transcript.add(first ?? empty)
    this.transcript.collapseFirst(primitives, this.suite.hash)
    for (const message of rest) this.transcript.add(message)
  }

  /** After ServerHello. */
  agree(shared: Uint8Array, psk: Uint8Array | undefined): Secrets {
    const { hash } = this.suite
    const early = KeySchedule.earlySecret(primitives, hash, psk)
    const handshake = KeySchedule.handshakeSecret(primitives, early, shared)
    this.secrets = {
      client: this.#traffic(handshake, "c hs traffic"),
      server: this.#traffic(handshake, "s hs traffic"),
      master: KeySchedule.masterSecret(primitives, handshake)
    }
    return this.secrets
  }

  /** After the server's Finished: the secrets of the application, of client and server. */
  application(): { readonly client: TrafficSecret; readonly server: TrafficSecret } {
    const { master } = this.#agreed()
    this.exporter = KeySchedule.deriveSecret(primitives, master, "exp master", this.transcript.digest())
    return { client: this.#traffic(master, "c ap traffic"), server: this.#traffic(master, "s ap traffic") }
  }

  finished(by: Side): HandshakeMessageOf<"Finished"> {
    const { secret } = this.#agreed()[by]
    return { _tag: "Finished", verifyData: KeySchedule.verifyData(primitives, secret, this.transcript.digest()) }
  }

  write(epoch: Epoch, traffic: TrafficSecret): void {
    this.writing = keysOf(epoch, traffic)
  }

  read(epoch: Epoch, traffic: TrafficSecret): void {
    this.reading = keysOf(epoch, traffic)
  }

  #agreed(): Secrets {
    if (this.secrets === undefined) throw new Error("the puppet has no secrets yet")
    return this.secrets
  }

  #traffic(from: KeySchedule.Secret, label: string): TrafficSecret {
    const secret = KeySchedule.deriveSecret(primitives, from, label, this.transcript.digest())
    return new TrafficSecret(primitives, this.suite, secret)
  }

  // ---- records in

  /** The next message of the subject; the script is over where an alert or the end comes instead. */
  expect<const Tag extends HandshakeMessage["_tag"]>(
    ...tags: ReadonlyArray<Tag>
  ): Effect.Effect<HandshakeMessageOf<Tag>> {
    return Effect.gen({ self: this }, function*() {
      yield* this.flush
      const bytes = yield* this.#message
      this.transcript.add(bytes)
      const message = Result.getOrThrow(decodeHandshake(bytes[0] ?? 0, bytes.subarray(4), "1.3"))
      const isDue = (message: HandshakeMessage): message is HandshakeMessageOf<Tag> =>
        (tags as ReadonlyArray<string>).includes(message._tag)
      this.received.push(message)
      if (!isDue(message)) throw new Error(`the subject said ${message._tag} where ${tags.join(" or ")} was due`)
      return message
    })
  }

  /** The subject's Finished, which must verify. */
  expectFinished(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const due = toHex(this.finished(this.side === "server" ? "client" : "server").verifyData)
      return Effect.map(this.expect("Finished"), ({ verifyData }) => {
        if (toHex(verifyData) !== due) throw new Error("the Finished of the subject does not verify")
      })
    })
  }

  readonly #message: Effect.Effect<Uint8Array> = Effect.suspend(() => {
    const message = this.#messages.shift()
    if (message !== undefined) return Effect.succeed(message)
    if (this.ended !== undefined || this.#alerts > 0) throw stop
    return Effect.andThen(this.#next, this.#message)
  })

  /** Reads so many records more, or to the end. */
  hear(records: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      yield* this.flush
      const due = this.heard.length + records
      while (this.heard.length < due && this.ended === undefined) yield* this.#next
    })
  }

  /** Reads until the subject says no more. */
  readonly listen: Effect.Effect<void> = Effect.suspend(() =>
    this.ended === undefined ? Effect.andThen(this.flush, Effect.andThen(this.#next, this.listen)) : Effect.void
  )

  /** One record more, under the keys of now. */
  readonly #next: Effect.Effect<void> = Effect.suspend(() => {
    const record = this.#records.shift()
    if (record !== undefined) return Effect.sync(() => this.#take(record))
    return this.#transport.pull.pipe(
      Effect.map((chunks) => {
        const { records, rest } = splitRecords(concat([this.#bytes, ...chunks]))
        this.#bytes = rest
        this.#records.push(...records)
      }),
      Effect.catch((end) =>
        Effect.sync(() => {
          this.ended = end.by
        })
      )
    )
  })

  #take(record: Uint8Array): void {
    const heard = this.#open(record)
    this.heard.push(heard)
    if (heard.type === ContentType.alert) this.#alerts++
    if (heard.type !== ContentType.handshake) return
    let bytes = concat([this.#fragment, heard.content])
    while (bytes.length >= 4 && bytes.length >= lengthOf(bytes)) {
      const message = bytes.slice(0, lengthOf(bytes))
      bytes = bytes.slice(message.length)
      this.#messages.push(message)
      if (message[0] === 24 && this.reading !== undefined) {
        this.reading = keysOf(this.reading.epoch, nextOf(this.suite, this.reading.traffic))
      }
    }
    this.#fragment = bytes
  }

  #open(record: Uint8Array): Heard {
    const [type = 0] = record
    const fragment = record.subarray(headerLength)
    const keys = this.reading
    if (keys === undefined || type !== ContentType.application_data) {
      return { epoch: "clear", type, content: fragment, padding: 0, record }
    }
    const inner = keys.protection.open(type, fragment, keys.sequence++)
    if (inner === undefined) {
      throw new Error(`the puppet cannot open a record of the subject under its ${keys.epoch} keys`)
    }
    const end = inner.findLastIndex((byte) => byte !== 0)
    const content = inner.subarray(0, end)
    return { epoch: keys.epoch, type: inner[end] ?? 0, content, padding: inner.length - end - 1, record }
  }

  // ---- what was heard

  /** Every alert of the subject: `application 2/47`. */
  get alerts(): ReadonlyArray<string> {
    return this.heard.flatMap(({ content, epoch, type }) =>
      type === ContentType.alert ? [`${epoch} ${content[0]}/${content[1]}`] : []
    )
  }

  get text(): string {
    const data = this.heard.filter(({ type }) => type === ContentType.application_data).map(({ content }) => content)
    return new TextDecoder().decode(concat(data))
  }

  /** Messages that the script has not asked for: type and body. */
  get unasked(): ReadonlyArray<Uint8Array> {
    return this.#messages
  }
}
