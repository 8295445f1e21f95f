/**
 * Law 1: an error and the alert it deserves are two things, joined by one total function.
 *
 * @since 0.1.0
 */
import type { KnownDescription } from "./Alert.ts"
import type { Fault, FaultOf } from "./Fault.ts"

/**
 * The protocol version, once the hellos have settled it.
 *
 * @category models
 * @since 0.1.0
 */
export type Version = "1.2" | "1.3" | "undecided"

// No default and no wildcard: a fault that nobody mapped does not compile.
const table = {
  RecordTypeUnknown: "unexpected_message",
  RecordVersionWrong: "protocol_version",
  RecordTooLong: "record_overflow",
  RecordEmpty: "unexpected_message",
  EmptyRecordFlood: "unexpected_message",
  BadRecordMac: "bad_record_mac",
  DecompressionFailed: "decompression_failure",
  RecordInterleaved: "unexpected_message",
  KeyChangeInsideMessage: "unexpected_message",
  // RFC 8446 section 5 has no other answer for it. Before the hellos none is in order, whatever its content.
  ChangeCipherSpecMalformed: (_: FaultOf<"ChangeCipherSpecMalformed">, version: Version) =>
    version === "1.2" ? "decode_error" : "unexpected_message",
  KeyWornOut: "internal_error",
  AlertEmpty: "unexpected_message",
  AlertLevelUnknown: "illegal_parameter",
  AlertMalformed: "decode_error",
  AlertUnprotected: "unexpected_message",
  AlertFlood: "unexpected_message",
  MessageUnexpected: "unexpected_message",
  MessageTooLong: "illegal_parameter",
  HandshakeTooLong: "illegal_parameter",
  MessageMalformed: "decode_error",
  ParameterIllegal: "illegal_parameter",
  ExtensionMissing: "missing_extension",
  ExtensionUnsolicited: "unsupported_extension",
  RenegotiationFlood: "unexpected_message",
  RenegotiationInfoWrong: "handshake_failure",
  VersionUnsupported: "protocol_version",
  FallbackInappropriate: "inappropriate_fallback",
  NothingInCommon: "handshake_failure",
  NoApplicationProtocol: "no_application_protocol",
  ServerNameUnrecognized: "unrecognized_name",
  ExtendedMasterSecretMissing: "handshake_failure",
  KeyShareInvalid: "illegal_parameter",
  SignatureWrong: "decrypt_error",
  FinishedWrong: "decrypt_error",
  BinderWrong: "decrypt_error",
  DowngradeDetected: "illegal_parameter",
  KeyUpdateFlood: "unexpected_message",
  PlaintextBuffered: "unexpected_message",
  // RFC 5246 section 7.4.6, RFC 8446 section 4.4.2.4.
  CertificateMissing: (_: FaultOf<"CertificateMissing">, version: Version) =>
    version === "1.3" ? "certificate_required" : "handshake_failure",
  CertificateChainTooLong: "certificate_unknown",
  CertificateMalformed: "bad_certificate",
  CertificateSignatureWrong: "bad_certificate",
  // RFC 8446 section 4.4.2.4
  CertificateSignatureWeak: "bad_certificate",
  CertificateUntrusted: "unknown_ca",
  CertificatePathTooLong: "unknown_ca",
  CertificateIssuerUnfit: "bad_certificate",
  CertificateExpired: "certificate_expired",
  CertificateNotYetValid: "certificate_expired",
  CertificateUnsupported: "unsupported_certificate",
  CertificateKeyWeak: "unsupported_certificate",
  CertificateUsageWrong: "unsupported_certificate",
  CertificateExtensionUnknown: "unsupported_certificate",
  CertificateNameMismatch: "certificate_unknown",
  CertificateNameForbidden: "certificate_unknown",
  CertificateRevoked: "certificate_revoked",
  // RFC 6066 section 8
  CertificateStatusWrong: "bad_certificate_status_response",
  CertificateStatusUnknown: "certificate_unknown",
  CertificateTooCostly: "certificate_unknown",
  CertificateNotPinned: "certificate_unknown",
  CertificateRefused: (fault: FaultOf<"CertificateRefused">) => fault.alert,
  InternalFault: "internal_error",
  ApplicationFailed: "internal_error"
} as const satisfies {
  readonly [Tag in Fault["_tag"]]: KnownDescription | ((fault: FaultOf<Tag>, version: Version) => KnownDescription)
}

type Answers = typeof table

/**
 * The descriptions that this library can send for a fault of its own: the image of `answer`. An alert outside of it
 * cannot be handled on `AlertSent`, because it never happens.
 *
 * @category models
 * @since 0.1.0
 */
export type AnswerDescription = {
  [Tag in keyof Answers]: Answers[Tag] extends (...args: never) => infer Description ? Description : Answers[Tag]
}[keyof Answers]

/**
 * The alert that a fault deserves, RFC 5246 section 7.2.2.
 *
 * @category combinators
 * @since 0.1.0
 */
export const answer = (fault: Fault, version: Version): AnswerDescription => {
  // The entry under a tag takes the fault of that tag; TypeScript cannot correlate the two on its own.
  const entry = table[fault._tag] as AnswerDescription | ((fault: Fault, version: Version) => AnswerDescription)
  return typeof entry === "function" ? entry(fault, version) : entry
}

/**
 * What a peer is told of what this side finds wrong: everything (`none` is hidden), or of certificates only that one was refused. What
 * really happened stays in the fault.
 *
 * @category models
 * @since 0.1.0
 */
export type Masking = "none" | "certificates"

/**
 * The alert that the peer is told for a fault: the answer, behind the one mask (law 1). That a certificate is missing is no judgement,
 * and is always told.
 *
 * @category combinators
 * @since 0.1.0
 */
export const told = (fault: Fault, version: Version, masking: Masking): AnswerDescription =>
  masking === "certificates" && fault._tag.startsWith("Certificate") && fault._tag !== "CertificateMissing"
    ? "certificate_unknown"
    : answer(fault, version)
