/** What the tests of the record layer share. */
import { Schema } from "effect"
import * as Arbitrary from "effect/Arbitrary"
import type { Fault } from "../../src/alert/Fault.ts"
import { make as primitives } from "../../src/platform/NodePrimitives.ts"
import { type Compression, nullCompression } from "../../src/record/Compression.ts"
import { Inbound, type InboundOptions, type Incoming, type Target } from "../../src/record/Inbound.ts"
import { Outbound } from "../../src/record/Outbound.ts"
import { protection12, protection13, type RecordProtection } from "../../src/record/Protection.ts"
import { type CipherSuite, type CipherSuite13, suites, suites13 } from "../../src/secret/CipherSuite.ts"
import { ContentType } from "../../src/wire/CodePoints.ts"
import { makeRecord } from "../harness/TlsRecords.ts"

export { concat } from "../../src/wire/Bytes.ts"
export { ContentType, makeRecord }

export const gcm: CipherSuite = suites[0]
export const chacha20: CipherSuite = suites[4]

export const filled = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => (at * 31 + seed * 17 + (at >> 8)) & 255)

/** The same key every time: two of them are the two ends of one direction. */
export const protectionOf = (suite: CipherSuite): RecordProtection =>
  protection12(primitives, suite, filled(suite.keyLength, 1), filled(suite.fixedIvLength, 2))

export const protectionOf13 = (suite: CipherSuite13, seed = 1): RecordProtection =>
  protection13(primitives, suite, filled(suite.keyLength, seed), filled(12, seed + 1))

export const limits = { message: 1000, certificateChain: 3000, total: 5000 }

export interface Direction {
  readonly outbound: Outbound
  readonly inbound: Inbound
}

/** One direction of an open TLS 1.2 connection: both ends past ChangeCipherSpec and Finished. */
export const openDirection = (options: {
  readonly suite?: CipherSuite
  readonly compression?: Compression
  readonly inbound?: Partial<InboundOptions>
} = {}): Direction => {
  const { compression = nullCompression, suite = gcm } = options
  const outbound = new Outbound(primitives, undefined)
  const inbound = new Inbound({ handshake: limits, ...options.inbound })
  for (const { state } of [outbound, inbound]) {
    state.setPending({ protection: protectionOf(suite), compression })
    state.changeCipherSpec()
  }
  inbound.settleVersion("1.2")
  inbound.establish()
  return { outbound, inbound }
}

/** TLS_AES_128_GCM_SHA256. */
export const gcm13: CipherSuite13 = suites13[0] ?? (() => {
  throw new Error("there is no suite of TLS 1.3")
})()

/** One direction of TLS 1.3 with keys: those of the handshake, or of the open connection. */
export const openDirection13 = (options: {
  readonly suite?: CipherSuite13
  readonly phase?: "handshaking" | "established"
  readonly inbound?: Partial<InboundOptions>
} = {}): Direction => {
  const { phase = "established", suite = gcm13 } = options
  const outbound = new Outbound(primitives, undefined)
  const inbound = new Inbound({ handshake: limits, ...options.inbound })
  inbound.settleVersion("1.3")
  for (const { state } of [outbound, inbound]) {
    state.install({ protection: protectionOf13(suite), compression: nullCompression })
  }
  if (phase === "established") inbound.establish()
  return { outbound, inbound }
}

/** One record of TLS 1.3 with this inner plaintext: content, type and padding, or whatever else is not empty. */
export const sealInner = (direction: Direction, inner: Uint8Array): Uint8Array =>
  sealRecord(direction, inner.at(-1) ?? 0, inner.subarray(0, -1))

/** Everything that is to be had now, up to and including the first fault. What is a view is copied. */
export const drain = (inbound: Inbound, target?: Target): ReadonlyArray<Incoming> => {
  const all: Array<Incoming> = []
  for (;;) {
    const incoming = inbound.next(target)
    if (incoming === undefined) return all
    all.push(incoming._tag === "Data" ? { ...incoming, bytes: incoming.bytes.slice() } : incoming)
    if (isFault(incoming)) return all
  }
}

/** `Incoming` that a fault is not. */
const goesOn: ReadonlyArray<string> = ["Data", "Handshake", "ChangeCipherSpec", "Alert"]

export const isFault = (incoming: Incoming | undefined): incoming is Fault =>
  incoming !== undefined && !goesOn.includes(incoming._tag)

export const receive = (inbound: Inbound, ...chunks: ReadonlyArray<Uint8Array>): ReadonlyArray<Incoming> => {
  for (const chunk of chunks) inbound.push(chunk)
  return drain(inbound)
}

/** One record under the current keys, with a content that `Outbound` would not make: empty, too long, or not compressed. */
export const sealRecord = (direction: Direction, type: number, content: Uint8Array): Uint8Array => {
  const { state } = direction.outbound
  const { protection } = state.current
  const outerType = protection.hidesType ? ContentType.application_data : type
  const record = makeRecord(outerType, new Uint8Array(content.length + protection.overhead))
  protection.seal(type, content, state.sequence, record, 5, 0)
  state.advance()
  return record
}

/** Both ends have counted so many records under their keys. */
export const countTo = ({ inbound, outbound }: Direction, sequence: number): void => {
  for (const { state } of [inbound, outbound]) {
    Object.defineProperty(state, "sequence", { value: sequence, configurable: true })
  }
}

/** What is sealed by the one end goes to the other. */
export const say = (
  direction: Direction,
  type: number,
  ...contents: ReadonlyArray<Uint8Array>
): ReadonlyArray<Incoming> =>
  receive(direction.inbound, ...contents.map((content) => sealRecord(direction, type, content)))

export const tags = (incoming: ReadonlyArray<{ readonly _tag: string }>): ReadonlyArray<string> =>
  incoming.map(({ _tag }) => _tag)

export const int = (minimum: number, maximum: number): Arbitrary.Arbitrary<number> =>
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum, maximum })))

export const bytesUpTo = (maxLength: number): Arbitrary.Arbitrary<Uint8Array> =>
  Arbitrary.map(Arbitrary.array(int(0, 255), { maxLength }), (values) => Uint8Array.from(values))

/** Cuts bytes into chunks of these lengths, over and over. */
export const cut = (bytes: Uint8Array, lengths: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const chunks: Array<Uint8Array> = []
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const length = lengths[i % lengths.length] ?? bytes.length
    chunks.push(bytes.subarray(at, at + length))
    at += length
  }
  return chunks
}

/** How many bytes `run` allocates in byte arrays made by length. */
export const allocatedBy = (run: () => void): number => {
  const original = globalThis.Uint8Array
  let allocated = 0
  globalThis.Uint8Array = new Proxy(original, {
    construct: (target, args: Array<unknown>, newTarget) => {
      if (typeof args[0] === "number") allocated += args[0]
      return Reflect.construct(target, args, newTarget === globalThis.Uint8Array ? target : newTarget)
    }
  })
  try {
    run()
  } finally {
    globalThis.Uint8Array = original
  }
  return allocated
}
