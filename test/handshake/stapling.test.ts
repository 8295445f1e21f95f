/** The status of the server's certificate in a handshake: RFC 6066 section 8, RFC 8446 section 4.4.2.1, RFC 7633. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { TestClock } from "effect/testing"
import { Identity, type TlsError, TlsTest, Trust } from "effect-tls"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import { findExtension } from "../../src/message/Extension.ts"
import { decodeHandshake, encodeHandshake, type HandshakeMessage } from "../../src/message/HandshakeMessage.ts"
import { suites } from "../../src/secret/CipherSuite.ts"
import { concat } from "../../src/wire/Bytes.ts"
import { how, recordsOf } from "../connection/conversation.ts"
import { conversation, converse as converse13, refuses } from "../handshake13/conversation.ts"
import { plus, says } from "../handshake13/edits.ts"
import { greets } from "../handshake13/stories.ts"
import { headerLength, makeRecord } from "../harness/TlsRecords.ts"
import * as Make from "../x509/Maker.ts"
import { converse } from "./conversation.ts"
import type { Move } from "./puppet.ts"
import { world } from "./world.ts"

const root = Make.authority("root")
const inner = Make.authority("inner", root)
const leaf = Make.leaf(inner)
const promising = Make.leaf(inner, {
  extensions: [Make.subjectAltName([Make.dns("host.example")]), Make.mustStaple]
})
const good = Make.staple(inner, leaf)

const pem = (ders: ReadonlyArray<Pick<Make.Made, "der">>): string =>
  ders.map(({ der }) =>
    `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString("base64")}\n-----END CERTIFICATE-----\n`
  ).join("")

const identityOf = (shown: Make.Made, staple: Uint8Array | undefined) =>
  Identity.makePem({
    certificate: pem([shown, inner]),
    privateKey: shown.keys.privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    staple
  })

const faultOf = (exit: Exit.Exit<unknown, TlsError.TlsError>): string => {
  const error = exit._tag === "Failure" ? exit.cause.reasons.find(Cause.isFailReason)?.error : undefined
  return error?._tag === "AlertSent" ? error.fault._tag : "none"
}

interface Row {
  readonly staple?: Uint8Array
  readonly shown?: Make.Made
  readonly mode?: "off" | "if-present"
  /** The reason and the fault; none where the client is content. */
  readonly refusal?: readonly [reason: string, fault: string]
}

const wrong = ["BadCertificateStatusResponse", "CertificateStatusWrong"] as const
const revoked = ["CertificateRevoked", "CertificateRevoked"] as const

const rows: Readonly<Record<string, Row>> = {
  "good": { staple: good },
  "revoked": { staple: Make.staple(inner, leaf, { status: "revoked" }), refusal: revoked },
  "revoked, where none is required": {
    staple: Make.staple(inner, leaf, { status: "revoked" }),
    mode: "if-present",
    refusal: revoked
  },
  "revoked, where nobody looks": { staple: Make.staple(inner, leaf, { status: "revoked" }), mode: "off" },
  "unknown": { staple: Make.staple(inner, leaf, { status: "unknown" }), refusal: wrong },
  "stale": { staple: Make.staple(inner, leaf, { nextUpdate: "2025-12-31T12:00:00Z" }), refusal: wrong },
  "of another certificate": { staple: Make.staple(inner, Make.leaf(inner)), refusal: wrong },
  "signed by a stranger": {
    staple: Make.staple(inner, leaf, { signer: Make.authority("inner", root) }),
    refusal: wrong
  },
  "no response at all": { staple: Uint8Array.of(0x30, 0), refusal: wrong },
  "none": { refusal: wrong },
  "none, where none is required": { mode: "if-present" },
  "none, where the certificate promises one": { shown: promising, mode: "if-present", refusal: wrong },
  "what the certificate promises": { shown: promising, staple: Make.staple(inner, promising) }
}

for (const version of ["1.2", "1.3"] as const) {
  describe(`RFC 6066 section 8: a client that requires the status, TLS ${version}`, () => {
    for (const [what, { mode, refusal, shown = leaf, staple }] of Object.entries(rows)) {
      it.effect(`${what}: ${refusal?.[0] ?? "accepted"}`, () =>
        Effect.gen(function*() {
          yield* TestClock.setTime(Make.now)
          const { accept, connect } = yield* TlsTest.ends({
            identity: yield* identityOf(shown, staple),
            trust: yield* Effect.provide(
              Trust.Trust,
              Trust.layerAnchors({ anchors: [root.der], revocation: mode ?? "require" })
            ),
            client: { serverName: "host.example", versions: [version] },
            server: { versions: [version] }
          })
          const [client, server] = yield* Effect.all([Effect.exit(connect), Effect.exit(accept)], { concurrency: 2 })
          const [reason, fault] = refusal ?? []
          assert.strictEqual(faultOf(client), fault ?? "none")
          assert.deepStrictEqual(
            [how(client), how(server)],
            reason === undefined ? ["success", "success"] : [`AlertSent ${reason}`, `AlertReceived ${reason}`]
          )
        }).pipe(Effect.scoped, Effect.provide(NodePrimitives.layerPrimitives)))
    }
  })
}

// ---- who asks, and who does not

const asking = { _tag: "StatusRequest", response: undefined } as const

/** A hello of TLS 1.2. */
const hello = (isAsking: boolean): HandshakeMessage => ({
  _tag: "ClientHello",
  version: 0x0303,
  random: new Uint8Array(32).fill(1),
  sessionId: new Uint8Array(0),
  cipherSuites: suites.map(({ id }) => id),
  compressionMethods: [0],
  extensions: [
    { _tag: "SupportedGroups", groups: [29, 23] },
    { _tag: "SignatureAlgorithms", schemes: [0x0403] },
    { _tag: "ExtendedMasterSecret" },
    ...(isAsking ? [asking] : [])
  ]
})

const messagesOf = (records: ReadonlyArray<Uint8Array>): ReadonlyArray<HandshakeMessage> => {
  let bytes = concat(records.filter(([type]) => type === 22).map((record) => record.subarray(headerLength)))
  const messages: Array<HandshakeMessage> = []
  while (bytes.length > 0) {
    const length = 4 + (((bytes[1] ?? 0) << 16) | ((bytes[2] ?? 0) << 8) | (bytes[3] ?? 0))
    messages.push(Result.getOrThrow(decodeHandshake(bytes[0] ?? 0, bytes.subarray(4, length), "1.2")))
    bytes = bytes.subarray(length)
  }
  return messages
}

describe("RFC 6066 section 8: a server staples for those who ask, TLS 1.2", () => {
  for (const isAsking of [true, false]) {
    it.effect(isAsking ? "it says so in its hello" : "nothing is said to the others", () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(Make.now)
        const { accept, wire } = yield* TlsTest.ends({
          identity: yield* identityOf(leaf, good),
          trust: yield* Effect.provide(Trust.Trust, Trust.layerInsecure),
          server: { versions: ["1.2"] }
        })
        yield* wire.inject({ from: "client", bytes: makeRecord(22, encodeHandshake(hello(isAsking))) })
        yield* wire.truncate({ from: "client", by: "fin" })
        yield* Effect.exit(Effect.scoped(accept))
        const messages = messagesOf(yield* recordsOf(wire, "server"))
        assert.deepStrictEqual(messages.map(({ _tag }) => _tag), [
          "ServerHello",
          "Certificate",
          ...(isAsking ? ["CertificateStatus"] : []),
          "ServerKeyExchange",
          "ServerHelloDone"
        ])
        const [first, , third] = messages
        assert.strictEqual(
          first?._tag === "ServerHello" && findExtension(first.extensions, "StatusRequest") !== undefined,
          isAsking
        )
        if (isAsking) assert.deepStrictEqual(third, { _tag: "CertificateStatus", response: good })
      }).pipe(Effect.scoped, Effect.provide(NodePrimitives.layerPrimitives)))
  }
})

describe("RFC 8446 section 4.4.2.1: a server staples for those who ask, TLS 1.3", () => {
  for (const isAsking of [true, false]) {
    conversation(
      isAsking ? "with its own certificate" : "nothing is said to the others",
      (all) =>
        Effect.gen(function*() {
          const server = Identity.Identity.of({
            ...all.server,
            select: (request) =>
              Effect.map(
                all.server.select(request),
                Option.map((credential) => ({ ...credential, chain: [...credential.chain, inner.der], staple: good }))
              )
          })
          const { failure, puppet } = yield* converse13({ ...all, server }, {
            subject: "server",
            script: { open: greets, ...(isAsking ? { moves: { ClientHello: says(plus(asking)) } } : {}) }
          })
          assert.strictEqual(failure, "clean")
          const shown = puppet.received.find(({ _tag }) => _tag === "Certificate13")
          assert.deepStrictEqual(
            shown?._tag === "Certificate13" ? shown.entries.map(({ extensions }) => extensions) : [],
            [isAsking ? [{ _tag: "StatusRequest", response: good }] : [], []]
          )
        })
    )
  }
})

// ---- where it has no place

const status = encodeHandshake({ _tag: "CertificateStatus", response: good })
const unasked: Move = { how: "before", act: ({ record }) => record(22, status) }
const places = ["ServerHello", "Certificate", "ServerKeyExchange", "ServerHelloDone"] as const

describe("RFC 6066 section 8: a CertificateStatus that no ServerHello has announced, TLS 1.2", () => {
  it.effect.each(places.map((name, at) => [name, at] as const))(
    "before %s: unexpected_message",
    ([, at]) =>
      Effect.gen(function*() {
        const place = { subject: "client", flow: "full", at, closing: false } as const
        const { failure, told } = yield* converse(yield* world, place, unasked)
        assert.match(failure, /^AlertSent 10 MessageUnexpected /)
        assert.deepStrictEqual(told, ["2/10"])
      }).pipe(Effect.provide(NodePrimitives.layerPrimitives))
  )
})

refuses(
  "R8446-4.4.2-01: a client's Certificate with a status that no CertificateRequest has asked for",
  "server",
  "110 ExtensionUnsolicited",
  [
    [
      "of its leaf",
      {
        moves: {
          Certificate: says((message) => ({
            ...message,
            entries: message.entries.map((entry) => ({
              ...entry,
              extensions: [{ _tag: "StatusRequest", response: good }]
            }))
          }))
        }
      },
      { asks: "request" },
      "StatusRequest"
    ]
  ]
)
