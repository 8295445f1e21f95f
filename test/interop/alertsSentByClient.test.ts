import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Trust } from "effect-tls"
import { tamperingProxy } from "../harness/TamperingProxy.ts"
import { type ClientRow, isOf, presented } from "./AlertRows.ts"
import * as Edits from "./Edits.ts"
import { ending, faultIn, ourClient, receiveLine, sendLine } from "./Ours.ts"
import { everyPeer } from "./peers.ts"

const refusing = Trust.Trust.of({
  fingerprint: "refusing",
  verify: () => Effect.fail({ _tag: "CertificateRefused", alert: "access_denied", why: "not on the list" })
})

const rows: ReadonlyArray<ClientRow> = [
  presented("untrusted", 48, "UnknownCa", "CertificateUntrusted"),
  presented("selfSigned", 48, "UnknownCa", "CertificateUntrusted"),
  presented("expired", 45, "CertificateExpired", "CertificateExpired"),
  presented("future", 45, "CertificateExpired", "CertificateNotYetValid"),
  presented("wrongHost", 46, "CertificateUnknown", "CertificateNameMismatch"),
  presented("client", 43, "UnsupportedCertificate", "CertificateUsageWrong"),
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
    edit: ["certificate", Edits.corruptedLeaf],
    of: "1.2"
  },
  {
    why: "a corrupted signature",
    number: 51,
    reason: "DecryptError",
    fault: "SignatureWrong",
    edit: ["serverKeyExchange", Edits.corrupted],
    of: "1.2"
  },
  {
    why: "a corrupted record of the handshake",
    number: 20,
    reason: "BadRecordMac",
    fault: "BadRecordMac",
    edit: ["finished", Edits.corrupted]
  },
  {
    why: "a record of the handshake that is too long",
    number: 22,
    reason: "RecordOverflow",
    fault: "RecordTooLong",
    edit: ["finished", Edits.overlongProtected],
    of: "1.3"
  },
  {
    why: "a malformed ServerHello",
    number: 50,
    reason: "DecodeError",
    fault: "MessageMalformed",
    edit: ["serverHello", Edits.overlongSessionId],
    isEarly: true
  },
  {
    why: "a ServerHello with a suite that was not offered",
    number: 47,
    reason: "IllegalParameter",
    fault: "ParameterIllegal",
    edit: ["serverHello", Edits.otherSuite],
    isEarly: true
  },
  {
    why: "a ServerHello with an extension that was not offered",
    number: 110,
    reason: "UnsupportedExtension",
    fault: "ExtensionUnsolicited",
    edit: ["serverHello", Edits.extensionAs(0x1234)],
    of: "1.2"
  },
  {
    why: "a ServerHello with an extension that was not offered",
    number: 110,
    reason: "UnsupportedExtension",
    fault: "ExtensionUnsolicited",
    edit: ["serverHello", Edits.renumbered(51, 0x1234)],
    of: "1.3",
    isEarly: true
  },
  {
    why: "a ServerHello that selects TLS 1.2 as if it were later",
    number: 47,
    reason: "IllegalParameter",
    fault: "ParameterIllegal",
    edit: ["serverHello", Edits.selecting12],
    of: "1.3",
    isEarly: true
  },
  {
    why: "a ServerHello without a version",
    number: 70,
    reason: "ProtocolVersion",
    fault: "VersionUnsupported",
    edit: ["serverHello", Edits.renumbered(43, 0x1234)],
    of: "1.3",
    isEarly: true
  },
  {
    why: "a ServerHello that does not echo the session identifier",
    number: 47,
    reason: "IllegalParameter",
    fault: "ParameterIllegal",
    edit: ["serverHello", Edits.otherSessionId],
    of: "1.3",
    isEarly: true
  },
  {
    why: "a share of a group that there was none of",
    number: 47,
    reason: "IllegalParameter",
    fault: "ParameterIllegal",
    edit: ["serverHello", Edits.otherShare],
    of: "1.3",
    isEarly: true
  },
  {
    why: "a ServerHello of TLS 1.1",
    number: 70,
    reason: "ProtocolVersion",
    fault: "VersionUnsupported",
    edit: ["serverHello", Edits.asTls11],
    isEarly: true
  },
  {
    why: "a second ServerHello",
    number: 10,
    reason: "UnexpectedMessage",
    fault: "MessageUnexpected",
    edit: ["serverHello", Edits.twice],
    of: "1.2"
  },
  {
    why: "a record that is too long",
    number: 22,
    reason: "RecordOverflow",
    fault: "RecordTooLong",
    edit: ["serverHello", Edits.overlong],
    of: "1.2"
  },
  {
    why: "a group that was not offered",
    number: 47,
    reason: "IllegalParameter",
    fault: "ParameterIllegal",
    // P-256 becomes P-384, before the signature is looked at
    ours: { groups: ["secp256r1"] },
    edit: ["serverKeyExchange", Edits.otherCurve],
    of: "1.2"
  }
]

everyPeer("what our client tells a server", (peer, it, version) => {
  it.live.each(rows.filter(isOf(version)))(
    "$number for $why",
    ({ edit, fault, isEarly, number, ours, reason, theirs }) =>
      Effect.gen(function*() {
        const server = yield* peer.server(theirs)
        const port = edit === undefined
          ? server.port
          : (yield* tamperingProxy({ to: server.port, onRecord: Edits.editing("serverToClient", ...edit) })).port
        const end = yield* server.next
        const exit = yield* Effect.exit(ourClient({ version, ...ours, port }))
        assert.strictEqual(ending(exit), `AlertSent ${reason}`)
        assert.strictEqual(faultIn(exit), fault)
        const isUnread = isEarly === true && version === "1.3" && peer.name === "gnutls"
        if (!isUnread) assert.strictEqual(yield* end.sawAlert, number)
      })
  )
})

everyPeer("what our client tells a server when its application fails", (peer, it, version) => {
  it.live.each(
    [
      ["fails, under the policy that says so", Effect.fail("no more"), { onFailure: "internal_error" }],
      ["dies of a defect", Effect.die(new Error("a defect")), {}]
    ] as const
  )("80 where it %s", ([_why, end, policies]) =>
    Effect.gen(function*() {
      const server = yield* peer.server()
      const foreign = yield* server.next
      yield* ourClient({ version, port: server.port, policies }).pipe(
        Effect.tap((connection) => sendLine(connection, "12321")),
        Effect.tap(receiveLine),
        Effect.andThen(end),
        Effect.scoped,
        Effect.exit
      )
      assert.strictEqual(yield* foreign.sawAlert, 80)
    }))
})
