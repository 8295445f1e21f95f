/**
 * The stories of both roles in the conversations of RFC 8448: fed what the other side said there, with the randoms, key shares and
 * signatures that were recorded. What a story of ours would say in another way is noted, and said as it was recorded, so that
 * everything after it is still to be compared.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { constants, createPublicKey, verify as verifySignature, X509Certificate } from "node:crypto"
import { Identity, Randomness, SessionCache, TlsConfig, Trust } from "effect-tls"
import type { Fault } from "../../src/alert/Fault.ts"
import type { Channel, HandshakeFailure, Traffic } from "../../src/handshake/Channel.ts"
import * as Client from "../../src/handshake/Client.ts"
import type { Established } from "../../src/handshake/Established.ts"
import * as Server from "../../src/handshake/Server.ts"
import { make as makeStory } from "../../src/handshake/ServerStory.ts"
import {
  decodeHandshake,
  encodeHandshake,
  type HandshakeMessage,
  messageName
} from "../../src/message/HandshakeMessage.ts"
import { isHelloRetryRequest } from "../../src/message/ServerHello.ts"
import { make as primitives } from "../../src/platform/NodePrimitives.ts"
import { Inbound, type Incoming } from "../../src/record/Inbound.ts"
import { Outbound } from "../../src/record/Outbound.ts"
import type { PublicKey } from "../../src/secret/Primitives.ts"
import { Transcript } from "../../src/secret/Transcript.ts"
import { schemesFor } from "../../src/service/Identity.ts"
import { concat, toHex } from "../../src/wire/Bytes.ts"
import { ContentType, type NamedGroup } from "../../src/wire/CodePoints.ts"
import { hex } from "../platform/vectors.ts"
import type { Party, Replay } from "../secret/rfc8448.ts"

/** What came of a replay. */
export interface Replayed {
  readonly established: Established
  /** Messages of ours that are not byte for byte the recorded ones, in order, or that nobody recorded. */
  readonly differs: ReadonlyArray<string>
  /** Records that left, beside the recorded ones. */
  readonly records: ReadonlyArray<readonly [ours: string, recorded: string]>
  /** What was read of the other side after the handshake. */
  readonly heard: ReadonlyArray<string>
  /** The PSK of the recorded ticket, as a client makes it. */
  readonly psk: string | undefined
}

const other = (party: Party): Party => party === "client" ? "server" : "client"

/** A key of 1024 bits is none for `Primitives`; here the signature is what matters. */
const keyOf = (der: Uint8Array): PublicKey => {
  const key = new X509Certificate(der).publicKey
  const isRsa = key.asymmetricKeyType === "rsa"
  return {
    type: isRsa ? "rsa" : "ec-p256",
    bits: 0,
    verify: (_, message, signature) =>
      verifySignature(
        "sha256",
        message,
        isRsa
          ? { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
          : createPublicKey(key.export({ format: "pem", type: "spki" })),
        signature
      )
  }
}

const trust = Trust.Trust.of({
  fingerprint: "RFC 8448",
  verify: (chain) => {
    const [leaf] = chain
    if (leaf === undefined) throw new Error("an empty chain is nothing to judge")
    return Effect.succeed(Trust.verified(chain, keyOf(leaf)))
  }
})

const decode = (bytes: Uint8Array): HandshakeMessage =>
  Result.getOrThrow(decodeHandshake(bytes[0] ?? 0, bytes.subarray(4), "1.3"))

/** What a party said, by its kind. */
const saidBy = <Tag extends HandshakeMessage["_tag"]>({ messages }: Replay, party: Party, tag: Tag) =>
  messages.filter((one) => one.party === party).map((one) => decode(one.bytes))
    .filter((one): one is Extract<HandshakeMessage, { readonly _tag: Tag }> => one._tag === tag)

const randomnessOf = (replay: Replay, party: Party): Randomness.Randomness["Service"] => {
  const hello = party === "client"
    ? saidBy(replay, party, "ClientHello")[0]
    : saidBy(replay, party, "ServerHello").find((hello) => !isHelloRetryRequest(hello))
  if (hello === undefined) throw new Error("no hello is recorded")
  // A client draws its random and its session identifier, a server its random.
  const drawn = party === "client" ? [hello.random, hello.sessionId] : [hello.random]
  const keys = replay.trace.steps.filter((step) => step.party === party && step.fields["private key"] !== undefined)
    .map((step) => hex(step.fields["private key"] ?? ""))
  const nextKey = (): Uint8Array => {
    const key = keys.shift()
    if (key === undefined) throw new Error("no further key pair is recorded")
    return key
  }
  return {
    // Tickets are beyond what can be compared.
    bytes: (length) => drawn.shift()?.slice() ?? new Uint8Array(length),
    keyShare: (group) => primitives.keyShare(group, nextKey()),
    respond: (group, peer) => primitives.respond(group, peer, nextKey())
  }
}

const identityOf = (replay: Replay, party: Party): Identity.Identity["Service"] | undefined => {
  const certificate = saidBy(replay, party, "Certificate13")[0]
  const verify = saidBy(replay, party, "CertificateVerify")[0]
  const leaf = certificate?.entries[0]?.certificate
  if (certificate === undefined || verify === undefined || leaf === undefined) return undefined
  const credential: Identity.Credential = {
    chain: certificate.entries.map((entry) => entry.certificate),
    keyType: keyOf(leaf).type,
    sign: (_, message) => {
      const due = toHex(replay.signed.get(party) ?? new Uint8Array(0))
      return toHex(message) === due
        ? Effect.succeed(verify.signature)
        : Effect.fail(new Identity.IdentityError({ why: "something else is to be signed than was recorded" }))
    }
  }
  return Identity.Identity.of({
    fingerprint: "RFC 8448",
    select: ({ signatureSchemes }) =>
      schemesFor(credential.keyType, "1.3", signatureSchemes).length > 0
        ? Effect.succeedSome(credential)
        : Effect.succeedNone
  })
}

/** Plays one party of a conversation. */
export const play = (
  replay: Replay,
  party: Party,
  groups: ReadonlyArray<NamedGroup>
): Effect.Effect<Replayed, HandshakeFailure> =>
  Effect.gen(function*() {
    const settings = TlsConfig.settingsOf({ groups, versions: ["1.3"] }, primitives)
    const inbound = new Inbound({ handshake: { message: 2 ** 16, certificateChain: 2 ** 17, total: 2 ** 18 } })
    const outbound = new Outbound(primitives, undefined, party === "client")
    const transcript = new Transcript()
    const differs: Array<string> = []
    const records: Array<readonly [string, string]> = []
    const heard: Array<string> = []
    const mine = replay.messages.filter((one) => one.party === party)
    const sent = replay.records.filter((one) => one.party === party)
    const theirs = replay.records.filter((one) => one.party === other(party))
    let flight: Array<Uint8Array> = []
    let isDisguised = false
    let traffic: Traffic | undefined

    const seal = (type: number, content: Uint8Array): void => {
      records.push([toHex(outbound.seal(type, content)), toHex(sent.shift()?.record ?? new Uint8Array(0))])
    }
    /** A flight was recorded in one record. */
    const flush = (): void => {
      const content = concat(flight)
      flight = []
      if (content.length > 0) seal(ContentType.handshake, content)
    }
    const next = (): Exclude<Incoming, { readonly _tag: "Alert" }> => {
      for (;;) {
        const incoming = inbound.next()
        if (incoming !== undefined && incoming._tag !== "Alert") return incoming
        const record = theirs.shift()
        if (record === undefined) throw new Error("nothing more is recorded")
        inbound.push(record.record)
      }
    }

    const channel: Channel = {
      primitives,
      randomness: randomnessOf(replay, party),
      transcript,
      keepSecret: () => {},
      keepExporter: () => {},
      expect: (...tags) => {
        type Expected = Extract<HandshakeMessage, { readonly _tag: typeof tags[number] }>
        const isDue = (message: HandshakeMessage): message is Expected =>
          (tags as ReadonlyArray<string>).includes(message._tag)
        return Effect.suspend((): Effect.Effect<Expected, Fault> => {
          flush()
          const incoming = next()
          if (incoming._tag === "Data" || incoming._tag === "ChangeCipherSpec") throw new Error(incoming._tag)
          if (incoming._tag !== "Handshake") return Effect.fail(incoming)
          transcript.add(incoming.bytes)
          const message = decode(incoming.bytes)
          if (!isDue(message)) throw new Error(`${message._tag} where ${tags.join()} is due`)
          return Effect.succeed(message)
        })
      },
      send: (message) => {
        const ours = encodeHandshake(message)
        const recorded = message._tag === "NewSessionTicket" ? undefined : mine.shift()
        if (recorded === undefined || toHex(recorded.bytes) !== toHex(ours)) differs.push(messageName(ours[0] ?? 0))
        if (recorded === undefined) return
        transcript.add(recorded.bytes)
        flight.push(recorded.bytes)
      },
      settleVersion: (version) => inbound.settleVersion(version),
      setPending: () => {
        throw new Error("TLS 1.3 has no pending states")
      },
      sendChangeCipherSpec: () => {
        throw new Error("TLS 1.3 has no ChangeCipherSpec")
      },
      expectChangeCipherSpec: () => Effect.die(new Error("TLS 1.3 has no ChangeCipherSpec")),
      sendCompatibilityChangeCipherSpec: () => {
        flush()
        if (isDisguised) return
        isDisguised = true
        if (sent[0]?.type === ContentType.change_cipher_spec) seal(ContentType.change_cipher_spec, Uint8Array.of(1))
        else differs.push("ChangeCipherSpec")
      },
      installRead: (parameters) => {
        const fault = inbound.install(parameters)
        return fault === undefined ? Effect.void : Effect.fail(fault)
      },
      installWrite: (parameters) => {
        flush()
        outbound.state.install(parameters)
      },
      skipEarlyData: (bytes) => inbound.skipEarlyData(bytes),
      endEarlyData: () => inbound.endEarlyData(),
      limitRecords: () => {},
      openTraffic: (opened) => {
        traffic = opened
      },
      useSession: () => {},
      storeSession: () => Effect.void
    }

    const cache = yield* SessionCache.makeMemory()
    const identity = identityOf(replay, party)
    const asks = saidBy(replay, "server", "CertificateRequest13").length > 0
    const peer = { role: "server", host: "server" } as const
    if (party === "server" && identity === undefined) throw new Error("no certificate of the server is recorded")
    const story = identity !== undefined && party === "server"
      ? Server.handshake(
        channel,
        makeStory(settings, identity, asks ? { mode: "require", trust } : undefined),
        cache
      )
      : Client.handshake(channel, { settings, peer, trust, identity, sessionKey: "RFC 8448" }, cache)
    const established = yield* story
    flush()
    inbound.establish()

    let psk: string | undefined
    // Data, alerts, and the ticket as it was recorded.
    for (const { payload, type } of sent.slice()) seal(type, payload)
    while (theirs.length > 0) {
      for (const { record } of theirs.splice(0, 1)) inbound.push(record)
      for (let incoming = inbound.next(); incoming !== undefined; incoming = inbound.next()) {
        heard.push(incoming._tag === "Alert" ? `${incoming.alert.level} ${incoming.alert.description}` : incoming._tag)
        if (incoming._tag !== "Handshake") continue
        const ticket = decode(incoming.bytes)
        if (ticket._tag !== "NewSessionTicket" || traffic?.sessionOf === undefined) continue
        const made = traffic.sessionOf(ticket, 0)
        psk = made === undefined ? undefined : toHex(made.session.secret.bytes)
      }
    }
    return { established, differs, records, heard, psk }
  })
