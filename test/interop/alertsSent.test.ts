import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Identity, TlsError, Trust } from "effect-tls"
import { tamperingProxy } from "../harness/TamperingProxy.ts"
import { type LeafName, testCredential } from "../harness/Pki.ts"
import * as Edits from "./Edits.ts"
import type { ForeignClientOptions, ForeignServerOptions } from "./Foreign.ts"
import { suiteNames } from "./Names.ts"
import {
  ending,
  faultIn,
  ourClient,
  type OurClientOptions,
  ourServer,
  type OurServerOptions,
  receiveLine,
  sendLine
} from "./Ours.ts"
import { everyPeer } from "./peers.ts"

/** What the peer is told, and what our side knows of the cause. */
interface Row {
  readonly why: string
  readonly number: number
  readonly reason: TlsError.AlertSent["reason"]["_tag"]
  readonly fault: TlsError.AlertSent["fault"]["_tag"]
  readonly edit?: readonly [Edits.Place, Edits.Edit]
}

interface ClientRow extends Row {
  readonly ours?: Partial<OurClientOptions>
  readonly theirs?: ForeignServerOptions
}

interface ServerRow extends Row {
  readonly ours?: OurServerOptions
  readonly theirs?: Omit<ForeignClientOptions, "port">
}

const refusing = Trust.Trust.of({
  fingerprint: "refusing",
  verify: () => Effect.fail({ _tag: "CertificateRefused", alert: "access_denied", why: "not on the list" })
})

const servingNobody = Identity.Identity.of({
  fingerprint: "nobody",
  select: ({ serverName }) => Effect.fail({ _tag: "ServerNameUnrecognized", name: serverName ?? "" })
})

const withBrokenKey = Identity.Identity.of({
  fingerprint: "broken",
  select: () =>
    Effect.map(testCredential("ec"), ({ chainDer }) =>
      Option.some({
        chain: chainDer,
        keyType: "ec-p256" as const,
        sign: () => Effect.fail(new Identity.IdentityError({ why: "the key is held elsewhere, and does not answer" }))
      }))
})

const presented = (
  identity: LeafName,
  number: number,
  reason: Row["reason"],
  fault: Row["fault"]
): ClientRow & ServerRow => ({
  why: `certificate ${identity}`,
  number,
  reason,
  fault,
  theirs: { identity },
  ours: {}
})

const clientRows: ReadonlyArray<ClientRow> = [
  presented("untrusted", 48, "UnknownCa", "CertificateUntrusted"),
  presented("selfSigned", 48, "UnknownCa", "CertificateUntrusted"),
  presented("expired", 45, "CertificateExpired", "CertificateExpired"),
  presented("future", 45, "CertificateExpired", "CertificateNotYetValid"),
  presented("wrongHost", 46, "CertificateUnknown", "CertificateNameMismatch"),
  presented("client", 43, "UnsupportedCertificate", "CertificateUnsupported"),
  {
    why: "a certificate that the application refuses",
    number: 49,
    reason: "AccessDenied",
    fault: "CertificateRefused",
    ours: { trust: refusing }
  },
  {
    why: "a corrupted certificate",
    number: 42,
    reason: "BadCertificate",
    fault: "CertificateSignatureWrong",
    edit: ["certificate", Edits.corruptedLeaf]
  },
  {
    why: "a corrupted signature",
    number: 51,
    reason: "DecryptError",
    fault: "SignatureWrong",
    edit: ["serverKeyExchange", Edits.corrupted]
  },
  {
    why: "a corrupted Finished",
    number: 20,
    reason: "BadRecordMac",
    fault: "BadRecordMac",
    edit: ["finished", Edits.corrupted]
  },
  {
    why: "a malformed ServerHello",
    number: 50,
    reason: "DecodeError",
    fault: "MessageMalformed",
    edit: ["serverHello", Edits.overlongSessionId]
  },
  {
    why: "a ServerHello with a suite that was not offered",
    number: 47,
    reason: "IllegalParameter",
    fault: "ParameterIllegal",
    edit: ["serverHello", Edits.otherSuite]
  },
  {
    why: "a ServerHello with an extension that was not offered",
    number: 110,
    reason: "UnsupportedExtension",
    fault: "ExtensionUnsolicited",
    edit: ["serverHello", Edits.extensionAs(0x1234)]
  },
  {
    why: "a ServerHello of TLS 1.1",
    number: 70,
    reason: "ProtocolVersion",
    fault: "VersionUnsupported",
    edit: ["serverHello", Edits.asTls11]
  },
  {
    why: "a second ServerHello",
    number: 10,
    reason: "UnexpectedMessage",
    fault: "MessageUnexpected",
    edit: ["serverHello", Edits.twice]
  },
  {
    why: "a record that is too long",
    number: 22,
    reason: "RecordOverflow",
    fault: "RecordTooLong",
    edit: ["serverHello", Edits.overlong]
  },
  {
    why: "a group that was not offered",
    number: 47,
    reason: "IllegalParameter",
    fault: "ParameterIllegal",
    // P-256 becomes P-384, before the signature is looked at
    ours: { groups: ["secp256r1"] },
    edit: ["serverKeyExchange", Edits.otherCurve]
  }
]

const auth = { clientAuth: { mode: "require" } } as const

const serverRows: ReadonlyArray<ServerRow> = [
  { ...presented("clientOther", 48, "UnknownCa", "CertificateUntrusted"), ours: auth },
  { ...presented("clientExpired", 45, "CertificateExpired", "CertificateExpired"), ours: auth },
  { ...presented("ec", 43, "UnsupportedCertificate", "CertificateUnsupported"), ours: auth },
  {
    why: "no certificate where one is required",
    number: 40,
    reason: "HandshakeFailure",
    fault: "CertificateMissing",
    ours: auth
  },
  {
    why: "a client certificate that the application refuses",
    number: 49,
    reason: "AccessDenied",
    fault: "CertificateRefused",
    ours: { clientAuth: { mode: "request", trust: refusing } },
    theirs: { identity: "client" }
  },
  {
    why: "a corrupted client certificate",
    number: 42,
    reason: "BadCertificate",
    fault: "CertificateSignatureWrong",
    ours: auth,
    theirs: { identity: "client" },
    edit: ["certificate", Edits.corruptedLeaf]
  },
  {
    why: "a corrupted CertificateVerify",
    number: 51,
    reason: "DecryptError",
    fault: "SignatureWrong",
    ours: auth,
    theirs: { identity: "client" },
    edit: ["certificateVerify", Edits.corrupted]
  },
  {
    why: "a corrupted Finished",
    number: 20,
    reason: "BadRecordMac",
    fault: "BadRecordMac",
    edit: ["finished", Edits.corrupted]
  },
  {
    why: "no suite in common",
    number: 40,
    reason: "HandshakeFailure",
    fault: "NothingInCommon",
    ours: { identity: "rsa" },
    theirs: { suites: suiteNames.filter((name) => name.includes("ECDSA")) }
  },
  {
    why: "no application protocol in common",
    number: 120,
    reason: "NoApplicationProtocol",
    fault: "NoApplicationProtocol",
    ours: { alpnProtocols: ["h2"] },
    theirs: { alpnProtocol: "foo" }
  },
  {
    why: "a name that is not served",
    number: 112,
    reason: "UnrecognizedName",
    fault: "ServerNameUnrecognized",
    ours: { identity: servingNobody }
  },
  {
    why: "a key of ours that fails",
    number: 80,
    reason: "InternalError",
    fault: "InternalFault",
    ours: { identity: withBrokenKey }
  },
  {
    why: "a malformed ClientHello",
    number: 50,
    reason: "DecodeError",
    fault: "MessageMalformed",
    edit: ["clientHello", Edits.overlongSessionId]
  },
  {
    why: "a ClientHello without the null compression",
    number: 47,
    reason: "IllegalParameter",
    fault: "ParameterIllegal",
    edit: ["clientHello", Edits.withoutNullCompression]
  },
  {
    why: "a ClientHello of TLS 1.1",
    number: 70,
    reason: "ProtocolVersion",
    fault: "VersionUnsupported",
    edit: ["clientHello", Edits.asTls11]
  },
  {
    why: "a second ClientHello",
    number: 10,
    reason: "UnexpectedMessage",
    fault: "MessageUnexpected",
    edit: ["clientHello", Edits.twice]
  },
  {
    why: "a record that is too long",
    number: 22,
    reason: "RecordOverflow",
    fault: "RecordTooLong",
    edit: ["clientHello", Edits.overlong]
  },
  {
    why: "a protected record that is too long",
    number: 22,
    reason: "RecordOverflow",
    fault: "RecordTooLong",
    edit: ["data", Edits.overlongProtected]
  },
  {
    why: "corrupted data",
    number: 20,
    reason: "BadRecordMac",
    fault: "BadRecordMac",
    edit: ["data", Edits.corrupted]
  },
  {
    why: "an application that fails, under the policy that says so",
    number: 80,
    reason: "InternalError",
    fault: "ApplicationFailed",
    ours: {
      policies: { onFailure: "internal_error" },
      handler: (connection) => Effect.andThen(connection.pull, Effect.fail("no more"))
    }
  },
  {
    why: "a defect of the application",
    number: 80,
    reason: "InternalError",
    fault: "ApplicationFailed",
    ours: { handler: (connection) => Effect.andThen(connection.pull, Effect.die(new Error("a defect"))) }
  }
]

everyPeer("what our client tells a server", (peer, it) => {
  it.live.each(clientRows)(
    "$number for $why",
    ({ edit, fault, number, ours, reason, theirs }) =>
      Effect.gen(function*() {
        const server = yield* peer.server(theirs)
        const port = edit === undefined
          ? server.port
          : (yield* tamperingProxy({ to: server.port, onRecord: Edits.editing("serverToClient", ...edit) })).port
        const end = yield* server.next
        const exit = yield* Effect.exit(ourClient({ ...ours, port }))
        assert.strictEqual(ending(exit), `AlertSent ${reason}`)
        assert.strictEqual(faultIn(exit), fault)
        assert.strictEqual(yield* end.sawAlert, number)
      })
  )
})
everyPeer("what our client tells a server when its application fails", (peer, it) => {
  it.live.each(
    [
      ["fails, under the policy that says so", Effect.fail("no more"), { onFailure: "internal_error" }],
      ["dies of a defect", Effect.die(new Error("a defect")), {}]
    ] as const
  )("80 where it %s", ([_why, end, policies]) =>
    Effect.gen(function*() {
      const server = yield* peer.server()
      const foreign = yield* server.next
      yield* ourClient({ port: server.port, policies }).pipe(
        Effect.tap((connection) => sendLine(connection, "12321")),
        Effect.tap(receiveLine),
        Effect.andThen(end),
        Effect.scoped,
        Effect.exit
      )
      assert.strictEqual(yield* foreign.sawAlert, 80)
    }))
})

everyPeer("what our server tells a client", (peer, it) => {
  it.live.each(serverRows)(
    "$number for $why",
    ({ edit, fault, number, ours, reason, theirs }) =>
      Effect.gen(function*() {
        const server = yield* ourServer(ours)
        const port = edit === undefined
          ? server.port
          : (yield* tamperingProxy({ to: server.port, onRecord: Edits.editing("clientToServer", ...edit) })).port
        const client = yield* peer.client({ ...theirs, port })
        if (edit?.[0] === "data" || fault === "ApplicationFailed") {
          yield* client.facts
          yield* client.send("hello\n")
        }
        assert.strictEqual(yield* client.sawAlert, number)
        const { closure, exit } = yield* server.report
        if (fault === "ApplicationFailed") {
          assert.strictEqual(closure?.error?._tag === "AlertSent" ? closure.error.fault._tag : undefined, fault)
          return
        }
        assert.strictEqual(ending(exit), `AlertSent ${reason}`)
        assert.strictEqual(faultIn(exit), fault)
      })
  )
})
