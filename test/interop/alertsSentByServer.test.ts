import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { CipherSuite, Identity, Trust } from "effect-tls"
import { testCredential } from "../harness/Pki.ts"
import { tamperingProxy } from "../harness/TamperingProxy.ts"
import { isOf, presented, type ServerRow } from "./AlertRows.ts"
import * as Edits from "./Edits.ts"
import { suiteNames, suiteNames13 } from "./Names.ts"
import { ending, faultIn, ourServer } from "./Ours.ts"
import { everyPeer } from "./peers.ts"

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

const auth = { clientAuth: { mode: "require" } } as const

/** The numbers of the extensions that a ClientHello of TLS 1.3 cannot be without. */
const required = { supported_groups: 10, signature_algorithms: 13, key_share: 51 } as const

const rows: ReadonlyArray<ServerRow> = [
  { ...presented("clientOther", 48, "UnknownCa", "CertificateUntrusted"), ours: auth },
  { ...presented("clientExpired", 45, "CertificateExpired", "CertificateExpired"), ours: auth },
  { ...presented("ec", 43, "UnsupportedCertificate", "CertificateUsageWrong"), ours: auth },
  {
    why: "no certificate where one is required",
    number: 40,
    reason: "HandshakeFailure",
    fault: "CertificateMissing",
    ours: auth,
    of: "1.2"
  },
  {
    why: "no certificate where one is required",
    number: 116,
    reason: "CertificateRequired",
    fault: "CertificateMissing",
    ours: auth,
    of: "1.3"
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
    edit: ["certificate", Edits.corruptedLeaf],
    of: "1.2"
  },
  {
    why: "a corrupted CertificateVerify",
    number: 51,
    reason: "DecryptError",
    fault: "SignatureWrong",
    ours: auth,
    theirs: { identity: "client" },
    edit: ["certificateVerify", Edits.corrupted],
    of: "1.2"
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
    theirs: { suites: suiteNames.filter((name) => name.includes("ECDSA")) },
    of: "1.2"
  },
  {
    why: "no suite in common",
    number: 40,
    reason: "HandshakeFailure",
    fault: "NothingInCommon",
    ours: { cipherSuites: CipherSuite.suites13.slice(0, 1) },
    theirs: { suites: suiteNames13.slice(1) },
    of: "1.3"
  },
  {
    why: "no group in common",
    number: 40,
    reason: "HandshakeFailure",
    fault: "NothingInCommon",
    ours: { groups: ["secp521r1"], identity: "rsa" },
    theirs: { groups: ["x25519"] }
  },
  {
    why: "no signature scheme in common",
    number: 40,
    reason: "HandshakeFailure",
    fault: "NothingInCommon",
    ours: { identity: "rsa", signatureSchemes: ["rsa_pss_rsae_sha512"] },
    theirs: { schemes: ["rsa_pss_rsae_sha256"] }
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
  ...Object.entries(required).map(([name, type]): ServerRow => ({
    why: `a ClientHello without ${name}`,
    number: 109,
    reason: "MissingExtension",
    fault: "ExtensionMissing",
    edit: ["clientHello", Edits.renumbered(type, 0x1234)],
    of: "1.3"
  })),
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
    edit: ["clientHello", Edits.twice],
    of: "1.2"
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

everyPeer("what our server tells a client", (peer, it, version) => {
  it.live.each(rows.filter(isOf(version)))(
    "$number for $why",
    ({ edit, fault, number, ours, reason, theirs }) =>
      Effect.gen(function*() {
        const server = yield* ourServer({ version, ...ours })
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
