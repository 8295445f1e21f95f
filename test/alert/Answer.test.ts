import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import type { KnownDescription } from "../../src/alert/Alert.ts"
import { answer, type AnswerDescription } from "../../src/alert/Answer.ts"
import { Fault } from "../../src/alert/Fault.ts"
import { descriptionOfReason, type ReasonOf } from "../../src/alert/Reason.ts"
import { AlertSent, alertSent } from "../../src/alert/TlsError.ts"
import { faultOf, faults } from "./faults.ts"

type Row = readonly [alert: KnownDescription, source: string, text: string]

const errorAlerts = "RFC 5246 section 7.2.2"

/** Each fault, its alert, and the words of the standard that ask for it, or for a case next to it. */
const table: { readonly [Tag in Fault["_tag"]]: Row } = {
  RecordTypeUnknown: [
    "unexpected_message",
    "RFC 5246 section 6",
    "receives an unexpected record type, it MUST send an unexpected_message alert"
  ],
  RecordVersionWrong: ["protocol_version", errorAlerts, "is recognized but not supported"],
  RecordTooLong: ["record_overflow", errorAlerts, "was received that had a length more than 2^14+2048 bytes"],
  RecordEmpty: [
    "unexpected_message",
    "RFC 8446 section 5.4",
    "the receiving implementation MUST terminate the connection with an \"unexpected_message\" alert"
  ],
  EmptyRecordFlood: ["unexpected_message", errorAlerts, "An inappropriate message was received"],
  BadRecordMac: [
    "bad_record_mac",
    "RFC 5246 section 6.2.3.3",
    "If the decryption fails, a fatal bad_record_mac alert MUST be generated"
  ],
  DecompressionFailed: ["decompression_failure", errorAlerts, "The decompression function received improper input"],
  RecordInterleaved: [
    "unexpected_message",
    "RFC 8446 section 5.1",
    "Handshake messages MUST NOT be interleaved with other record types"
  ],
  KeyChangeInsideMessage: [
    "unexpected_message",
    "RFC 8446 section 5.1",
    "if not, then they MUST terminate the connection with an \"unexpected_message\" alert"
  ],
  ChangeCipherSpecMalformed: ["decode_error", errorAlerts, "some field was out of the specified range"],
  KeyWornOut: ["internal_error", errorAlerts, "makes it impossible to continue"],
  AlertEmpty: [
    "unexpected_message",
    "RFC 8446 section 5.4",
    "the receiving implementation MUST terminate the connection with an \"unexpected_message\" alert"
  ],
  AlertLevelUnknown: ["illegal_parameter", errorAlerts, "A field in the handshake was out of range"],
  AlertMalformed: ["decode_error", errorAlerts, "the length of the message was incorrect"],
  AlertUnprotected: ["unexpected_message", errorAlerts, "An inappropriate message was received"],
  AlertFlood: [
    "unexpected_message",
    errorAlerts,
    "If the receiving party decides not to proceed with the connection"
  ],
  MessageUnexpected: ["unexpected_message", errorAlerts, "An inappropriate message was received"],
  MessageTooLong: ["illegal_parameter", errorAlerts, "A field in the handshake was out of range"],
  HandshakeTooLong: ["illegal_parameter", errorAlerts, "A field in the handshake was out of range"],
  MessageMalformed: [
    "decode_error",
    errorAlerts,
    "A message could not be decoded because some field was out of the specified range"
  ],
  ParameterIllegal: [
    "illegal_parameter",
    errorAlerts,
    "A field in the handshake was out of range or inconsistent with other fields"
  ],
  ExtensionMissing: [
    "missing_extension",
    "RFC 8446 section 9.2",
    "MUST abort the handshake with a \"missing_extension\" alert"
  ],
  ExtensionUnsolicited: [
    "unsupported_extension",
    errorAlerts,
    "an extension that they did not put in the corresponding client hello"
  ],
  RenegotiationFlood: ["unexpected_message", errorAlerts, "An inappropriate message was received"],
  RenegotiationInfoWrong: [
    "handshake_failure",
    "RFC 5746 section 3.4",
    "abort the handshake (by sending a fatal handshake_failure alert)"
  ],
  VersionUnsupported: [
    "protocol_version",
    "RFC 5246 appendix E.1",
    "it MUST send a \"protocol_version\" alert message and close the connection"
  ],
  FallbackInappropriate: [
    "inappropriate_fallback",
    "RFC 7507 section 3",
    "MUST respond with a fatal inappropriate_fallback alert"
  ],
  NothingInCommon: ["handshake_failure", errorAlerts, "unable to negotiate an acceptable set of security parameters"],
  NoApplicationProtocol: [
    "no_application_protocol",
    "RFC 7301 section 3.2",
    "the server SHALL respond with a fatal \"no_application_protocol\" alert"
  ],
  ServerNameUnrecognized: [
    "unrecognized_name",
    "RFC 6066 section 3",
    "abort the handshake by sending a fatal-level unrecognized_name(112) alert"
  ],
  ExtendedMasterSecretMissing: [
    "handshake_failure",
    "RFC 7627 section 5.2",
    "shorthand for terminating the handshake by sending a fatal \"handshake_failure\" alert"
  ],
  KeyShareInvalid: ["illegal_parameter", errorAlerts, "A field in the handshake was out of range"],
  SignatureWrong: ["decrypt_error", errorAlerts, "unable to correctly verify a signature"],
  FinishedWrong: ["decrypt_error", errorAlerts, "validate a Finished message"],
  BinderWrong: ["decrypt_error", "RFC 8446 section 6.2", "validate a Finished message or a PSK binder"],
  DowngradeDetected: [
    "illegal_parameter",
    "RFC 8446 section 4.1.3",
    "MUST abort the handshake with an \"illegal_parameter\" alert"
  ],
  KeyUpdateFlood: ["unexpected_message", "RFC 8446 section 6.2", "An inappropriate message"],
  PlaintextBuffered: ["unexpected_message", errorAlerts, "An inappropriate message was received"],
  CertificateMissing: [
    "handshake_failure",
    "RFC 5246 section 7.4.6",
    "respond with a fatal handshake_failure alert"
  ],
  CertificateChainTooLong: ["certificate_unknown", errorAlerts, "Some other (unspecified) issue arose"],
  CertificateMalformed: ["bad_certificate", errorAlerts, "A certificate was corrupt"],
  CertificateSignatureWrong: ["bad_certificate", errorAlerts, "contained signatures that did not verify correctly"],
  CertificateSignatureWeak: [
    "bad_certificate",
    "RFC 8446 section 4.4.2.4",
    "any signature algorithm using an MD5 hash MUST abort the handshake with a \"bad_certificate\" alert"
  ],
  CertificateUntrusted: [
    "unknown_ca",
    errorAlerts,
    "the CA certificate could not be located or couldn't be matched with a known, trusted CA"
  ],
  CertificateExpired: ["certificate_expired", errorAlerts, "A certificate has expired"],
  CertificateNotYetValid: ["certificate_expired", errorAlerts, "or is not currently valid"],
  CertificateUnsupported: ["unsupported_certificate", errorAlerts, "A certificate was of an unsupported type"],
  CertificateNameMismatch: ["certificate_unknown", errorAlerts, "rendering it unacceptable"],
  CertificatePathTooLong: [
    "unknown_ca",
    errorAlerts,
    "the certificate was not accepted because the CA certificate could not be located"
  ],
  CertificateIssuerUnfit: ["bad_certificate", errorAlerts, "A certificate was corrupt"],
  CertificateKeyWeak: ["unsupported_certificate", errorAlerts, "A certificate was of an unsupported type"],
  CertificateUsageWrong: ["unsupported_certificate", errorAlerts, "A certificate was of an unsupported type"],
  CertificateExtensionUnknown: ["unsupported_certificate", errorAlerts, "A certificate was of an unsupported type"],
  CertificateNameForbidden: ["certificate_unknown", errorAlerts, "rendering it unacceptable"],
  CertificateRevoked: ["certificate_revoked", errorAlerts, "A certificate was revoked by its signer"],
  CertificateStatusWrong: [
    "bad_certificate_status_response",
    "RFC 6066 section 8",
    "MUST abort the handshake with a bad_certificate_status_response(113) alert"
  ],
  CertificateStatusUnknown: ["certificate_unknown", errorAlerts, "rendering it unacceptable"],
  CertificateTooCostly: ["certificate_unknown", errorAlerts, "Some other (unspecified) issue arose"],
  CertificateNotPinned: ["certificate_unknown", errorAlerts, "rendering it unacceptable"],
  CertificateRefused: ["access_denied", errorAlerts, "when access control was applied, the sender decided not to"],
  InternalFault: ["internal_error", errorAlerts, "An internal error unrelated to the peer"],
  ApplicationFailed: ["internal_error", errorAlerts, "An internal error unrelated to the peer"]
}

describe("each fault has its alert", () => {
  // The keys of the literal are exactly the tags; `Object.entries` widens them.
  for (const [tag, [alert, source, text]] of Object.entries(table) as ReadonlyArray<[Fault["_tag"], Row]>) {
    it(`R5246-7.2.2-04: ${tag} is answered by ${alert} (${source}: "${text}")`, () => {
      for (const version of ["undecided", "1.2"] as const) {
        // R8446-5-01: before the hellos, too.
        const isEarly = tag === "ChangeCipherSpecMalformed" && version === "undecided"
        const expected = isEarly ? "unexpected_message" : alert
        assert.strictEqual(answer(faultOf(tag), version), expected)
        assert.strictEqual(descriptionOfReason(alertSent(faultOf(tag), "handshaking", version).reason), expected)
      }
    })
  }

  it("TLS 1.3 has another answer for two of them, and the same for all others", () => {
    const others: { readonly [Tag in Fault["_tag"]]?: Row } = {
      // R8446-5-01
      ChangeCipherSpecMalformed: [
        "unexpected_message",
        "RFC 8446 section 5",
        "MUST abort the handshake with an \"unexpected_message\" alert"
      ],
      CertificateMissing: [
        "certificate_required",
        "RFC 8446 section 4.4.2.4",
        "abort the handshake with a \"certificate_required\" alert"
      ]
    }
    for (const fault of faults) {
      const expected = others[fault._tag]?.[0] ?? answer(fault, "1.2")
      assert.strictEqual(answer(fault, "1.3"), expected, fault._tag)
      assert.strictEqual(descriptionOfReason(alertSent(fault, "handshaking", "1.3").reason), expected, fault._tag)
    }
  })

  it("the application chooses its alert for a certificate that it refuses", () => {
    const alerts = Fault.cases.CertificateRefused.fields.alert.literals
    assert.includeMembers([...alerts], ["access_denied", "certificate_revoked", "unrecognized_name"])
    for (const alert of alerts) {
      assert.strictEqual(answer({ _tag: "CertificateRefused", alert, why: "of policy" }, "1.2"), alert)
    }
  })
})

describe("the error alerts of RFC 5246 section 7.2.2 that our faults raise", () => {
  const requirements: ReadonlyArray<
    readonly [id: string, alert: KnownDescription, tags: ReadonlyArray<Fault["_tag"]>]
  > = [
    ["R5246-7.2.2-10", "unexpected_message", ["MessageUnexpected", "RecordTypeUnknown"]],
    ["R5246-7.2.2-11", "bad_record_mac", ["BadRecordMac"]],
    ["R5246-7.2.2-14", "record_overflow", ["RecordTooLong"]],
    ["R5246-7.2.2-15", "decompression_failure", ["DecompressionFailed"]],
    ["R5246-7.2.2-16", "handshake_failure", ["NothingInCommon"]],
    ["R5246-7.2.2-18", "bad_certificate", ["CertificateMalformed", "CertificateSignatureWrong"]],
    ["R5246-7.2.2-19", "unsupported_certificate", [
      "CertificateUnsupported",
      "CertificateKeyWeak",
      "CertificateUsageWrong",
      "CertificateExtensionUnknown"
    ]],
    ["R5246-7.2.2-20", "certificate_revoked", ["CertificateRevoked"]],
    ["R5246-7.2.2-21", "certificate_expired", ["CertificateExpired", "CertificateNotYetValid"]],
    ["R5246-7.2.2-22", "certificate_unknown", ["CertificateNameMismatch"]],
    ["R5246-7.2.2-23", "illegal_parameter", ["ParameterIllegal", "KeyShareInvalid"]],
    ["R5246-7.2.2-24", "unknown_ca", ["CertificateUntrusted"]],
    ["R5246-7.2.2-25", "access_denied", ["CertificateRefused"]],
    ["R5246-7.2.2-26", "decode_error", ["MessageMalformed"]],
    ["R5246-7.2.2-27", "decrypt_error", ["SignatureWrong", "FinishedWrong"]],
    ["R5246-7.2.2-29", "protocol_version", ["VersionUnsupported"]],
    ["R5246-7.2.2-31", "internal_error", ["InternalFault", "KeyWornOut"]],
    ["R5246-7.2.2-37", "unsupported_extension", ["ExtensionUnsolicited"]],
    ["R8446-4.4.2.4-04", "bad_certificate", ["CertificateSignatureWeak"]],
    ["R6066-8-01", "bad_certificate_status_response", ["CertificateStatusWrong"]]
  ]
  for (const [id, alert, tags] of requirements) {
    it(`${id}: ${tags.join(" and ")} raise ${alert}`, () => {
      for (const tag of tags) assert.strictEqual(answer(faultOf(tag), "1.2"), alert)
    })
  }
})

describe("the error alerts of RFC 8446 section 6.2 that our faults raise in TLS 1.3", () => {
  const requirements: ReadonlyArray<
    readonly [id: string, alert: KnownDescription, tags: ReadonlyArray<Fault["_tag"]>]
  > = [
    ["R8446-6.2-08", "unexpected_message", [
      "MessageUnexpected",
      "RecordTypeUnknown",
      "RecordInterleaved",
      "KeyUpdateFlood"
    ]],
    ["R8446-6.2-09", "bad_record_mac", ["BadRecordMac"]],
    ["R8446-6.2-10", "record_overflow", ["RecordTooLong"]],
    ["R8446-6.2-11", "handshake_failure", ["NothingInCommon"]],
    ["R8446-6.2-12", "bad_certificate", ["CertificateMalformed", "CertificateSignatureWrong"]],
    ["R8446-6.2-13", "unsupported_certificate", ["CertificateUnsupported"]],
    ["R8446-6.2-15", "certificate_expired", ["CertificateExpired", "CertificateNotYetValid"]],
    ["R8446-6.2-16", "certificate_unknown", ["CertificateNameMismatch"]],
    ["R8446-6.2-17", "illegal_parameter", ["ParameterIllegal", "KeyShareInvalid", "DowngradeDetected"]],
    ["R8446-6.2-18", "unknown_ca", ["CertificateUntrusted"]],
    ["R8446-6.2-19", "access_denied", ["CertificateRefused"]],
    ["R8446-6.2-20", "decode_error", ["MessageMalformed", "AlertMalformed"]],
    ["R8446-6.2-21", "decrypt_error", ["SignatureWrong", "FinishedWrong", "BinderWrong"]],
    ["R8446-6.2-22", "protocol_version", ["VersionUnsupported"]],
    ["R8446-6.2-24", "internal_error", ["InternalFault", "KeyWornOut"]],
    ["R8446-6.2-25", "inappropriate_fallback", ["FallbackInappropriate"]],
    ["R8446-6.2-26", "missing_extension", ["ExtensionMissing"]],
    ["R8446-6.2-27", "unsupported_extension", ["ExtensionUnsolicited"]],
    ["R8446-6.2-28", "unrecognized_name", ["ServerNameUnrecognized"]],
    ["R8446-6.2-32", "certificate_required", ["CertificateMissing"]],
    ["R8446-6.2-33", "no_application_protocol", ["NoApplicationProtocol"]]
  ]
  for (const [id, alert, tags] of requirements) {
    it(`${id}: ${tags.join(" and ")} raise ${alert}`, () => {
      for (const tag of tags) assert.strictEqual(answer(faultOf(tag), "1.3"), alert)
    })
  }
})

describe("the image", () => {
  const image = new Set<string>(faults.flatMap((fault) => [answer(fault, "1.2"), answer(fault, "1.3")]))

  it("equals the reasons of AlertSent", () => {
    const reasons = AlertSent.fields.reason.members.map((Class) => descriptionOfReason(new Class({})))
    assert.strictEqual(reasons.length, 24)
    assert.deepStrictEqual(reasons.map(String).sort(), [...image].sort())
    expectTypeOf<AlertSent["reason"]>().toEqualTypeOf<ReasonOf<AnswerDescription>>()
  })

  it("R5246-7.2.2-13, R5246-7.2.2-17, R5246-7.2.2-28: holds no alert that must not be sent", () => {
    const never = ["decryption_failed_RESERVED", "no_certificate_RESERVED", "export_restriction_RESERVED"] as const
    for (const name of never) assert.isFalse(image.has(name), name)
    expectTypeOf<Extract<AnswerDescription, typeof never[number]>>().toBeNever()
  })

  it("holds neither a closure alert nor the one that is always a warning", () => {
    for (const name of ["close_notify", "user_canceled", "no_renegotiation"]) assert.isFalse(image.has(name), name)
    expectTypeOf<Extract<AnswerDescription, "close_notify" | "user_canceled" | "no_renegotiation">>().toBeNever()
  })
})
