/** The example handshakes of RFC 8448, gone through step by step: what our own schedule makes of the recorded messages. */
import * as Result from "effect/Result"
import { decodeHandshake } from "../../src/message/HandshakeMessage.ts"
import { isHelloRetryRequest } from "../../src/message/ServerHello.ts"
import { make as primitives } from "../../src/platform/NodePrimitives.ts"
import { type CipherSuite13, suites13 } from "../../src/secret/CipherSuite.ts"
import * as KeySchedule from "../../src/secret/KeySchedule13.ts"
import { Transcript } from "../../src/secret/Transcript.ts"
import { concat, empty } from "../../src/wire/Bytes.ts"
import type { NamedGroup } from "../../src/wire/CodePoints.ts"
import { hex, readVectors, toHex } from "../platform/vectors.ts"

export type Party = "client" | "server"

interface Step {
  readonly party: Party
  readonly action: string
  /** Hexadecimal. */
  readonly fields: { readonly [name: string]: string }
}

export interface Trace {
  readonly section: string
  readonly id: string
  readonly title: string
  readonly steps: ReadonlyArray<Step>
}

/** One recorded value, and ours. */
export interface Check {
  readonly name: string
  readonly recorded: string
  readonly ours: string | undefined
}

/** A record as it was sent, and the secret whose keys protect it. */
export interface SentRecord {
  readonly party: Party
  readonly type: number
  readonly payload: Uint8Array
  readonly record: Uint8Array
  readonly secret: KeySchedule.Secret | undefined
}

export interface Message {
  readonly party: Party
  readonly name: string
  readonly bytes: Uint8Array
}

export interface Replay {
  readonly trace: Trace
  readonly checks: ReadonlyArray<Check>
  readonly records: ReadonlyArray<SentRecord>
  readonly messages: ReadonlyArray<Message>
  /** What a CertificateVerify signs, by who sent it. */
  readonly signed: ReadonlyMap<Party, Uint8Array>
  /** The PSK of the ticket of this trace. */
  readonly psk: Uint8Array | undefined
}

/** The suite of all traces. */
export const suite: CipherSuite13 = suites13.find(({ id }) => id === 0x1301) ?? (() => {
  throw new Error("TLS_AES_128_GCM_SHA256 is missing")
})()

const hash = "sha256"
const types: { readonly [name: string]: number } = {
  change_cipher_spec: 20,
  alert: 21,
  handshake: 22,
  application_data: 23
}
const groups: { readonly [name: string]: NamedGroup } = { x25519: "x25519", "P-256": "secp256r1" }
const peerOf = { client: "server", server: "client" } as const
const stageOf: { readonly [label: string]: string } = {
  "c e traffic": "early",
  "e exp master": "early",
  "c hs traffic": "handshake",
  "s hs traffic": "handshake",
  "c ap traffic": "master",
  "s ap traffic": "master",
  "exp master": "master",
  "res master": "master"
}
const epochs: { readonly [of: string]: string } = {
  "handshake data": "hs",
  "application data": "ap",
  "early application data": "e"
}
/** Private keys are inputs, what is hashed shows in the output, and the records are the subject of another test. */
const passedOver = ["private key", "info", "key info", "iv info", "complete record"]
/** A recorded value that nothing before it determines. */
const input = Symbol("input")

const replayOf = (trace: Trace, offered: Uint8Array | undefined): Replay => {
  const checks: Array<Check> = []
  const records: Array<SentRecord> = []
  const messages: Array<Message> = []
  const signed = new Map<Party, Uint8Array>()
  const transcript = new Transcript()
  const secrets = new Map<string, KeySchedule.Secret>()
  const shares = new Map<Party, { readonly group: NamedGroup; readonly privateKey: Uint8Array }>()
  const writing = new Map<Party, KeySchedule.Secret>()
  let unsent: Array<Uint8Array> = []
  let isSettled = false
  let psk: Uint8Array | undefined

  const secret = (name: string): KeySchedule.Secret => {
    const found = secrets.get(name)
    if (found === undefined) throw new Error(`${trace.id} has no secret ${name} here`)
    return found
  }
  const messagesHash = (): Uint8Array => {
    const whole = transcript.digestWith(primitives, hash, {})
    if (isSettled && toHex(transcript.digest()) !== toHex(whole)) throw new Error("two hashes of one transcript")
    return whole
  }
  const trafficSecret = (party: Party, epoch: string) => secret(`${party === "client" ? "c" : "s"} ${epoch} traffic`)
  const agreed = (party: Party): Uint8Array => {
    const [own, peer] = [shares.get(party), shares.get(peerOf[party])]
    if (own === undefined || peer === undefined) throw new Error("a key share is missing")
    const { publicKey } = primitives.keyShare(peer.group, peer.privateKey)
    return primitives.keyShare(own.group, own.privateKey).agree(publicKey) ?? empty
  }
  const emptyHash = primitives.digest(hash, empty)
  const derived = (stage: string) => KeySchedule.deriveSecret(primitives, secret(stage), "derived", emptyHash)
  /** The whole ClientHello: what is recorded as constructed may end before the binders. */
  const sentAs = (party: Party, constructed: string): Uint8Array =>
    hex(
      trace.steps.find((step) => step.party === party && step.fields["payload"]?.startsWith(constructed))
        ?.fields["payload"] ?? ""
    )

  const construct = (party: Party, name: string, recorded: string): void => {
    const isHello = name === "ClientHello" || name === "ServerHello"
    const bytes = isHello ? sentAs(party, recorded) : hex(recorded)
    if (name === "CertificateVerify") signed.set(party, KeySchedule.signedContent(party, messagesHash()))
    if (name === "ServerHello") {
      if (isHelloRetryRequest({ random: bytes.subarray(6, 38) })) transcript.collapseFirst(primitives, hash)
      else {
        transcript.start(primitives, hash)
        isSettled = true
      }
    }
    transcript.add(bytes)
    messages.push({ party, name, bytes })
    unsent.push(bytes)
  }

  const outcome = ({ action, fields, party }: Step): { readonly [name: string]: Uint8Array | typeof input } => {
    const field = (name: string): Uint8Array => hex(fields[name] ?? "")
    const [what = ""] = action.split(" (same as")
    let match: RegExpExecArray | null
    if ((match = /^derive (write|read) traffic keys for (.*)$/.exec(what)) !== null) {
      const owner = match[1] === "write" ? party : peerOf[party]
      const base = trafficSecret(owner, epochs[match[2] ?? ""] ?? "")
      if (match[1] === "write") writing.set(party, base)
      const { iv, key } = KeySchedule.trafficKeys(base, suite)
      return { "PRK": base.bytes, "key expanded": key, "iv expanded": iv }
    }
    if (what !== action) return {}
    if ((match = /^create an ephemeral (\S+) key pair$/.exec(what)) !== null) {
      const [group, privateKey] = [groups[match[1] ?? ""] ?? "x25519", field("private key")]
      shares.set(party, { group, privateKey })
      return { "public key": primitives.keyShare(group, privateKey).publicKey }
    }
    if ((match = /^construct an? (\w+) handshake message$/.exec(what)) !== null) {
      const name = match[1] ?? ""
      const ours = name === "Finished"
        ? concat([
          Uint8Array.of(20, 0, 0, 32),
          KeySchedule.verifyData(primitives, trafficSecret(party, "hs"), messagesHash())
        ])
        : input
      construct(party, name, fields[name] ?? "")
      return { [name]: ours }
    }
    if ((match = /^extract secret "(\w+)"$/.exec(what)) !== null) {
      const stage = match[1] ?? ""
      if (stage === "early") {
        secrets.set(stage, KeySchedule.earlySecret(primitives, hash, offered))
        return { salt: empty, IKM: offered ?? new Uint8Array(32), secret: secret(stage).bytes }
      }
      const isHandshake = stage === "handshake"
      const material = isHandshake ? agreed(party) : new Uint8Array(32)
      const salt = derived(isHandshake ? "early" : "handshake").bytes
      secrets.set(
        stage,
        isHandshake
          ? KeySchedule.handshakeSecret(primitives, secret("early"), material)
          : KeySchedule.masterSecret(primitives, secret("handshake"))
      )
      return { salt, IKM: material, secret: secret(stage).bytes }
    }
    if ((match = /^derive secret for (\w+) "tls13 derived"$/.exec(what)) !== null) {
      const from = match[1] === "handshake" ? "early" : "handshake"
      return { PRK: secret(from).bytes, hash: emptyHash, expanded: derived(from).bytes }
    }
    if ((match = /^derive secret "tls13 (.*)"$/.exec(what)) !== null) {
      const label = match[1] ?? ""
      const from = secret(stageOf[label] ?? "")
      const transcriptHash = messagesHash()
      const made = KeySchedule.deriveSecret(primitives, from, label, transcriptHash)
      secrets.set(label, made)
      return { PRK: from.bytes, hash: transcriptHash, expanded: made.bytes }
    }
    if (what === "calculate finished \"tls13 finished\"") {
      const base = trafficSecret(party, "hs")
      return {
        PRK: base.bytes,
        hash: empty,
        expanded: KeySchedule.expandLabel(base, "finished", empty, 32),
        finished: KeySchedule.verifyData(primitives, base, messagesHash())
      }
    }
    if (what === "calculate PSK binder") {
      // The list of one binder: two bytes of length, one of the binder's own, and 32.
      const cut = 35
      const whole = messages.at(-1)?.bytes ?? empty
      const before = new Transcript().digestWith(primitives, hash, { after: whole, cut })
      const binderKey = KeySchedule.resumptionBinderKey(primitives, secret("early"))
      const binder = KeySchedule.verifyData(primitives, binderKey, before)
      checks.push({
        name: "the binder in the ClientHello",
        recorded: toHex(whole.subarray(-32)) ?? "",
        ours: toHex(binder)
      })
      return {
        "ClientHello prefix": whole.subarray(0, -cut),
        "binder hash": before,
        "PRK": binderKey.bytes,
        "hash": empty,
        "expanded": KeySchedule.expandLabel(binderKey, "finished", empty, 32),
        "finished": binder
      }
    }
    if (what === "generate resumption secret \"tls13 resumption\"") {
      const recorded = hex(
        trace.steps.find((step) => "NewSessionTicket" in step.fields)?.fields["NewSessionTicket"] ?? ""
      )
      const ticket = Result.getOrThrow(decodeHandshake(4, recorded.subarray(4), "1.3"))
      if (ticket._tag !== "NewSessionTicket") throw new Error(ticket._tag)
      const { nonce } = ticket
      psk = KeySchedule.ticketPsk(secret("res master"), nonce)
      return { PRK: secret("res master").bytes, hash: nonce, expanded: psk }
    }
    if ((match = /^send (\w+) record$/.exec(what)) !== null) {
      const type = types[match[1] ?? ""] ?? 0
      const payload = field("payload")
      records.push({ party, type, payload, record: field("complete record"), secret: writing.get(party) })
      if (type !== types["handshake"]) return { payload: input }
      const said = concat(unsent)
      unsent = []
      return { payload: said }
    }
    throw new Error(`${trace.id}: nothing is known of the step "${action}"`)
  }

  for (const step of trace.steps) {
    const ours = outcome(step)
    for (const [name, recorded] of Object.entries(step.fields)) {
      const value = ours[name]
      if (passedOver.includes(name) || value === input) continue
      checks.push({ name: `${step.party}: ${step.action}: ${name}`, recorded, ours: toHex(value) })
    }
  }
  return { trace, checks, records, messages, signed, psk }
}

const { traces } = readVectors<{ readonly traces: ReadonlyArray<Trace> }>("rfc8448.json")

/** Section 4 resumes the session of section 3; the others begin anew. */
export const replays: ReadonlyArray<Replay> = traces.reduce<ReadonlyArray<Replay>>((before, trace) => {
  const offered = trace.id === "resumed-0rtt" ? before.find((one) => one.trace.id === "simple-1rtt")?.psk : undefined
  return [...before, replayOf(trace, offered)]
}, [])
