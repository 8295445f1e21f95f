/** What is fuzzed: each target takes any bytes, and says how that ended. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { isDeepStrictEqual } from "node:util"
import type { Extension } from "../../src/message/Extension.ts"
import { decodeHandshake, encodeHandshake, type HandshakeMessageOf } from "../../src/message/HandshakeMessage.ts"
import { importPrivateKey } from "../../src/platform/NodeKeys.ts"
import { NodeCertificate } from "../../src/platform/NodeCertificate.ts"
import { make as primitives } from "../../src/platform/NodePrimitives.ts"
import { Inbound } from "../../src/record/Inbound.ts"
import { suites, suites13 } from "../../src/secret/CipherSuite.ts"
import { Primitives } from "../../src/secret/Primitives.ts"
import { decodePem } from "../../src/service/Pem.ts"
import { defaultLimits, handshakeLimitsOf } from "../../src/service/TlsConfig.ts"
import * as Trust from "../../src/service/Trust.ts"
import { concat } from "../../src/wire/Bytes.ts"
import { ContentType, HandshakeType } from "../../src/wire/CodePoints.ts"
import { parse } from "../../src/x509/Certificate.ts"
import { headerLength, makeRecord, splitRecords } from "../harness/TlsRecords.ts"
import { converse, type Outcome, type Setup, stoppedAt } from "./Conversation.ts"
import { Dice } from "./Dice.ts"
import { unwrapped13, type Version, versions, wrapped } from "./Permissive.ts"
import { type Flight, type Mode, modes, record, roles, setupOf } from "./Recorded.ts"

export type Target =
  /** What a peer says, from its first byte to its FIN. */
  | {
    readonly _tag: "Stream"
    readonly to: "client" | "server"
    readonly version: Version
    readonly mode: Mode
    readonly clientCertificate?: boolean
  }
  /** The same, with a hello that is accepted in the place of its own: what comes after hellos is in reach. */
  | {
    readonly _tag: "AfterHello"
    readonly to: "client" | "server"
    readonly version: Version
    /** Of that version, by its number. */
    readonly suite: number
  }
  /** What a peer says, to the record layer alone. */
  | { readonly _tag: "Records" }
  /** The body of a handshake message: to its codec, then in its place in a conversation. */
  | { readonly _tag: "Message"; readonly type: number }
  /** The body of an extension, in a hello in its place. */
  | { readonly _tag: "Extension"; readonly type: number; readonly hello: "ClientHello" | "ServerHello" }
  /** All extensions of a ServerHello. */
  | { readonly _tag: "ServerExtensions" }
  /** The content of a ChangeCipherSpec record in its place. */
  | { readonly _tag: "ChangeCipherSpec" }
  | { readonly _tag: "Certificate" }
  | { readonly _tag: "Pem"; readonly label: "CERTIFICATE" | "PRIVATE KEY" }

export const nameOfTarget = (target: Target): string => {
  switch (target._tag) {
    case "Stream":
      return `stream to the ${target.to}, TLS ${target.version}, ${target.mode}`
    case "AfterHello":
      return `stream after a hello of TLS ${target.version} to the ${target.to}`
    case "Message":
      return `handshake message ${target.type}`
    case "Extension":
      return `extension ${target.type} of ${target.hello}`
    case "Pem":
      return `PEM, ${target.label}`
    default:
      return target._tag
  }
}

const none: ReadonlyArray<string> = []

/** Cuts bytes into one to eight chunks, where the dice say. */
const cutBy = (dice: Dice, bytes: Uint8Array): ReadonlyArray<Uint8Array> => {
  const cuts = Array.from({ length: dice.below(8) }, () => dice.below(bytes.length + 1)).sort((a, b) => a - b)
  return [0, ...cuts].map((from, index) => bytes.subarray(from, cuts[index] ?? bytes.length))
}

/** At once, and cut into chunks: how the bytes come must not matter. */
export const runStream = async (setup: Setup, bytes: Uint8Array): Promise<Outcome> => {
  const atOnce = await converse(setup, [bytes])
  const dice = new Dice(`chunks of ${bytes.length}`)
  const inChunks = await converse(setup, cutBy(dice, bytes))
  const violations = [...atOnce.violations, ...inChunks.violations]
  if (atOnce.label !== inChunks.label) violations.push(`"${atOnce.label}" at once and "${inChunks.label}" in chunks`)
  if (Buffer.compare(atOnce.read, inChunks.read) !== 0) violations.push("other data at once than in chunks")
  return { label: atOnce.label, violations }
}

/** The tags of what came out, up to and with the first fault. */
const incomingTags = (chunks: ReadonlyArray<Uint8Array>, settled: Version | undefined): ReadonlyArray<string> => {
  const inbound = new Inbound({ handshake: handshakeLimitsOf(defaultLimits) })
  if (settled !== undefined) inbound.settleVersion(settled)
  const tags: Array<string> = []
  for (const chunk of chunks) {
    inbound.push(chunk)
    for (;;) {
      const incoming = inbound.next()
      if (incoming === undefined) break
      tags.push(incoming._tag)
      if (!["Data", "Handshake", "ChangeCipherSpec", "Alert"].includes(incoming._tag)) return tags
    }
  }
  return inbound.deframer.isMidRecord ? [...tags, "mid-record"] : tags
}

const runRecords = (bytes: Uint8Array): Outcome => {
  const violations: Array<string> = []
  const chunks = Array.from(bytes, (byte) => Uint8Array.of(byte))
  const [tags] = [undefined, ...versions].map((settled) => {
    const tags = incomingTags([bytes], settled)
    const byteByByte = incomingTags(chunks, settled)
    if (tags.join() !== byteByByte.join()) violations.push(`${tags.join()} at once, ${byteByByte.join()} byte by byte`)
    if (tags.length > bytes.length + 1) violations.push(`${tags.length} things out of ${bytes.length} bytes`)
    return tags
  })
  return { label: tags?.at(-1) ?? "nothing", violations }
}

const runCodec = (version: Version, type: number, body: Uint8Array): Outcome => {
  const decoded = decodeHandshake(type, body, version)
  if (Result.isFailure(decoded)) return { label: decoded.failure._tag, violations: none }
  const again = decodeHandshake(type, encodeHandshake(decoded.success).subarray(4), version)
  return {
    label: "decoded",
    violations: Result.isSuccess(again) && isDeepStrictEqual(again.success, decoded.success)
      ? none
      : ["what was decoded is not what its encoding decodes to"]
  }
}

/** Conversations with a client certificate, which have every message; those behind the checks are in reach. */
const permissiveFlights = new Map<Version, Promise<ReadonlyArray<Flight>>>()

const flightTo = async (version: Version, role: "client" | "server"): Promise<Flight> => {
  const flights = permissiveFlights.get(version) ?? record(version, "permissive", "client certificate")
  permissiveFlights.set(version, flights)
  const flight = (await flights).find(({ setup }) => setup.role === role)
  if (flight === undefined) throw new Error(`no flight to the ${role}`)
  return flight
}

/** Which sides wait for a message of the type, rightly or not. */
const receiversOf = (version: Version, type: number): ReadonlyArray<"client" | "server"> => {
  const { certificate, certificate_verify, client_hello, client_key_exchange, finished, key_update } = HandshakeType
  if (type === certificate || type === finished) return roles
  if (version === "1.3" && (type === certificate_verify || type === key_update)) return roles
  return [client_hello, client_key_exchange, certificate_verify].some((one) => one === type) ? ["server"] : ["client"]
}

const withHeader = (type: number, body: Uint8Array): Uint8Array =>
  concat([Uint8Array.of(type, body.length >>> 16, body.length >>> 8, body.length), body])

/** Under TLS 1.2 the one message behind ChangeCipherSpec is protected, under TLS 1.3 all but the hellos. */
const isProtected = (version: Version, type: number): boolean =>
  version === "1.2"
    ? type === HandshakeType.finished
    : type !== HandshakeType.client_hello && type !== HandshakeType.server_hello

const messageRecords = (version: Version, type: number, body: Uint8Array): ReadonlyArray<Uint8Array> => {
  const message = withHeader(type, body)
  const recordOf = (fragment: Uint8Array) =>
    isProtected(version, type)
      ? wrapped(version, ContentType.handshake, fragment)
      : makeRecord(ContentType.handshake, fragment)
  return Array.from(
    { length: Math.ceil(message.length / 2 ** 14) },
    (_, at) => recordOf(message.subarray(at * 2 ** 14, (at + 1) * 2 ** 14))
  )
}

/** The type of the message that a record of a flight begins with. */
const typeIn = (record: Uint8Array): number | undefined => {
  const { content, type } = unwrapped13(record) ?? { content: record.subarray(headerLength), type: record[0] }
  return type === ContentType.handshake ? content[0] : undefined
}

/** Where in a flight the message of a type is; one that no conversation has comes after the hello, or in the place of data. */
const placeOf = ({ records, version }: Flight, type: number): number => {
  const change = records.findIndex((record) => record[0] === ContentType.change_cipher_spec)
  if (version === "1.2" && type === HandshakeType.finished) return change + 1
  const at = records.findIndex((record) => typeIn(record) === type)
  if (at >= 0) return at
  // A KeyUpdate, or a ticket that a server gets.
  return version === "1.3" && isProtected(version, type) ? records.length - 2 : 1
}

const runInPlace = async (
  version: Version,
  role: "client" | "server",
  place: (flight: Flight) => number,
  replacement: ReadonlyArray<Uint8Array>
): Promise<Outcome> => {
  const flight = await flightTo(version, role)
  const at = place(flight)
  return runStream(
    flight.setup,
    concat([...flight.records.slice(0, at), ...replacement, ...flight.records.slice(at + 1)])
  )
}

const joined = (outcomes: ReadonlyArray<Outcome>): Outcome => ({
  label: outcomes.map(({ label }) => label).join(" | "),
  violations: outcomes.flatMap(({ violations }) => violations)
})

const runMessageIn = async (version: Version, type: number, body: Uint8Array): Promise<Outcome> => {
  const outcomes = [runCodec(version, type, body)]
  for (const role of receiversOf(version, type)) {
    const replacement = messageRecords(version, type, body)
    outcomes.push(await runInPlace(version, role, (flight) => placeOf(flight, type), replacement))
  }
  return joined(outcomes)
}

const inEachVersion = async (run: (version: Version) => Promise<Outcome>): Promise<Outcome> => {
  const outcomes: Array<Outcome> = []
  for (const version of versions) outcomes.push(await run(version))
  return joined(outcomes)
}

const runMessage = (type: number, body: Uint8Array): Promise<Outcome> =>
  inEachVersion((version) => runMessageIn(version, type, body))

const helloOf = async <Tag extends "ClientHello" | "ServerHello">(
  version: Version,
  tag: Tag
): Promise<HandshakeMessageOf<Tag>> => {
  const flight = await flightTo(version, tag === "ClientHello" ? "server" : "client")
  const bytes = flight.records[0]?.subarray(headerLength) ?? new Uint8Array(4)
  const message = Result.getOrThrow(decodeHandshake(bytes[0] ?? 0, bytes.subarray(4), version))
  if (message._tag !== tag) throw new Error(`the flight does not begin with ${tag}`)
  // Checked right above; TypeScript does not narrow a union by a generic tag.
  return message as HandshakeMessageOf<Tag>
}

/** What is left of a stream of records after its first handshake message, in records of TLS 1.2. */
const afterFirstMessage = (stream: Uint8Array): Uint8Array => {
  const { records, rest } = splitRecords(stream)
  const [first, ...others] = records.map((record) => makeRecord(record[0] ?? 0, record.subarray(headerLength)))
  if (first === undefined || first[0] !== ContentType.handshake) return stream
  const fragment = first.subarray(headerLength)
  const length = 4 + ((fragment[1] ?? 0) << 16) + ((fragment[2] ?? 0) << 8) + (fragment[3] ?? 0)
  const left = fragment.subarray(length)
  return concat([...left.length === 0 ? [] : [makeRecord(ContentType.handshake, left)], ...others, rest])
}

const runAfterHello = async (target: Extract<Target, { _tag: "AfterHello" }>, stream: Uint8Array): Promise<Outcome> => {
  const { suite, to, version } = target
  const flight = await flightTo(version, to)
  const hello = to === "server" ? await helloOf(version, "ClientHello") : await helloOf(version, "ServerHello")
  const message = encodeHandshake(
    hello._tag === "ClientHello" ? { ...hello, cipherSuites: [suite] } : { ...hello, cipherSuite: suite }
  )
  const records = [makeRecord(ContentType.handshake, message), afterFirstMessage(stream)]
  return runStream(flight.setup, concat(records))
}

/** The sender's own extension of a type that the corpora have. */
const ownExtensions: Readonly<Record<number, Extension["_tag"]>> = {
  10: "SupportedGroups",
  43: "SupportedVersions",
  51: "KeyShares"
}

const runExtension = async (target: Extract<Target, { _tag: "Extension" }>, data: Uint8Array): Promise<Outcome> => {
  const { hello: tag, type } = target
  return inEachVersion(async (version) => {
    const hello = await helloOf(version, tag)
    // Written as it is, and so one that the codec knows as well; the sender's own of this type makes way.
    const others = hello.extensions.filter(({ _tag }) => _tag !== ownExtensions[type])
    const message = encodeHandshake({ ...hello, extensions: [...others, { _tag: "UnknownExtension", type, data }] })
    return runMessageIn(version, message[0] ?? 0, message.subarray(4))
  })
}

const runServerExtensions = (block: Uint8Array): Promise<Outcome> =>
  inEachVersion(async (version) => {
    const bare = encodeHandshake({ ...await helloOf(version, "ServerHello"), extensions: [] })
    const outcome = await runMessageIn(version, HandshakeType.server_hello, concat([bare.subarray(4), block]))
    // RFC 8446 section 4.3.1: most of them have moved.
    return version === "1.2"
      ? outcome
      : joined([outcome, await runMessageIn(version, HandshakeType.encrypted_extensions, block)])
  })

const runChangeCipherSpec = (content: Uint8Array): Promise<Outcome> =>
  inEachVersion(async (version) => {
    const place = ({ records }: Flight) =>
      records.findIndex((record) => record[0] === ContentType.change_cipher_spec)
    const replacement = [makeRecord(ContentType.change_cipher_spec, content)]
    const outcomes: Array<Outcome> = []
    for (const role of roles) outcomes.push(await runInPlace(version, role, place, replacement))
    return joined(outcomes)
  })

/** The judgement of a certificate that is its own anchor. */
const judge = (der: Uint8Array, now: number) =>
  Effect.gen(function*() {
    const trust = yield* Trust.Trust
    return yield* Effect.result(trust.verify([der], { role: "server", host: "server.test" }))
  }).pipe(
    Effect.provide(Trust.layerAnchors({ anchors: [der] })),
    Effect.provideService(Primitives, primitives),
    Effect.provideService(Clock.Clock, stoppedAt(now)),
    Effect.runPromise
  )

// RFC 5280 section 4.1.2.5: the first and the last moment that a certificate can name.
const firstTime = Date.parse("0000-01-01T00:00:00Z")
const lastTime = Date.parse("9999-12-31T23:59:59Z")

const runCertificate = async (der: Uint8Array): Promise<Outcome> => {
  const certificate = NodeCertificate.parse(der)
  const parsed = parse(der)
  if (certificate === undefined || Result.isFailure(parsed)) return { label: "refused", violations: none }
  const { issuer, subject } = certificate
  const [notBefore, notAfter] = [parsed.success.notBefore * 1000, parsed.success.notAfter * 1000]
  const violations: Array<string> = []
  const isReadable = [notBefore, notAfter].every((time) => time >= firstTime && time <= lastTime)
  if (!isReadable) violations.push(`valid from ${notBefore} to ${notAfter}`)
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(subject + issuer)) violations.push("a name does not print on one line")
  if (Buffer.compare(certificate.der, der) !== 0) violations.push("its DER is not what was parsed")
  const inTime = await judge(der, notBefore)
  const late = await judge(der, notAfter + 1000)
  if (Result.isSuccess(late)) violations.push("accepted after its time")
  const verdict = Result.isSuccess(inTime) ? "accepted" : inTime.failure._tag
  return { label: `${certificate.publicKey?.type ?? "no key of ours"}, ${verdict}`, violations }
}

const runPem = async (label: "CERTIFICATE" | "PRIVATE KEY", bytes: Uint8Array): Promise<Outcome> => {
  const text = Buffer.from(bytes).toString("latin1")
  const blocks = await Effect.runPromise(Effect.result(decodePem(text, label)))
  if (Result.isFailure(blocks)) return { label: blocks.failure._tag, violations: none }
  if (label === "CERTIFICATE") return joined(await Promise.all(blocks.success.map(runCertificate)))
  return {
    label: `keys: ${blocks.success.map((der) => importPrivateKey(der)?.type ?? "none").join()}`,
    violations: none
  }
}

const run = async (target: Target, bytes: Uint8Array): Promise<Outcome> => {
  switch (target._tag) {
    case "Stream":
      return runStream(await setupOf(target.to, target.mode, target), bytes)
    case "AfterHello":
      return runAfterHello(target, bytes)
    case "Records":
      return runRecords(bytes)
    case "Message":
      return runMessage(target.type, bytes)
    case "Extension":
      return runExtension(target, bytes)
    case "ServerExtensions":
      return runServerExtensions(bytes)
    case "ChangeCipherSpec":
      return runChangeCipherSpec(bytes)
    case "Certificate":
      return runCertificate(bytes)
    case "Pem":
      return runPem(target.label, bytes)
  }
}

/** A target never throws: what does is a violation. */
export const attempt = async (run: () => Promise<Outcome>): Promise<Outcome> => {
  try {
    return await run()
  } catch (thrown) {
    return { label: "defect", violations: [thrown instanceof Error ? thrown.stack ?? thrown.message : String(thrown)] }
  }
}

export const runTarget = (target: Target, bytes: Uint8Array): Promise<Outcome> => attempt(() => run(target, bytes))

/** A stream to these roles, in each version, with the real cryptography and the permissive one. */
export const streamsTo = (
  ...to: ReadonlyArray<"client" | "server">
): ReadonlyArray<Extract<Target, { _tag: "Stream" }>> =>
  to.flatMap((to) =>
    versions.flatMap((version) => modes.map((mode) => ({ _tag: "Stream" as const, to, version, mode })))
  )

/** Of TLS 1.2 for either kind of certificate, of TLS 1.3 with either hash. */
const suitesAfterHello: ReadonlyArray<readonly [version: Version, suite: number]> = [
  ...suites.slice(0, 2).map(({ id }) => ["1.2", id] as const),
  ...suites13.slice(0, 2).map(({ id }) => ["1.3", id] as const)
]

/** A stream to these roles after a hello. */
export const afterHellosTo = (
  ...to: ReadonlyArray<"client" | "server">
): ReadonlyArray<Extract<Target, { _tag: "AfterHello" }>> =>
  to.flatMap((to) =>
    suitesAfterHello.map(([version, suite]) => ({ _tag: "AfterHello" as const, to, version, suite }))
  )
