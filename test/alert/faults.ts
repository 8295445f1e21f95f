/** One fault of each tag. A tag without one does not compile. */
import type { Fault, FaultOf } from "../../src/alert/Fault.ts"

const byTag: { readonly [Tag in Fault["_tag"]]: FaultOf<Tag> } = {
  RecordTypeUnknown: { _tag: "RecordTypeUnknown", contentType: 199 },
  RecordVersionWrong: { _tag: "RecordVersionWrong", version: 0x0200 },
  RecordTooLong: { _tag: "RecordTooLong", length: 18_433, limit: 18_432 },
  RecordEmpty: { _tag: "RecordEmpty", contentType: 22 },
  EmptyRecordFlood: { _tag: "EmptyRecordFlood", limit: 32 },
  BadRecordMac: { _tag: "BadRecordMac" },
  DecompressionFailed: { _tag: "DecompressionFailed" },
  RecordInterleaved: { _tag: "RecordInterleaved", pending: "alert", received: "handshake" },
  KeyChangeInsideMessage: { _tag: "KeyChangeInsideMessage", pending: "handshake" },
  ChangeCipherSpecMalformed: { _tag: "ChangeCipherSpecMalformed" },
  KeyWornOut: { _tag: "KeyWornOut", limit: 23_726_566 },
  AlertEmpty: { _tag: "AlertEmpty" },
  AlertLevelUnknown: { _tag: "AlertLevelUnknown", level: 3, code: 20 },
  AlertMalformed: { _tag: "AlertMalformed", length: 3 },
  AlertUnprotected: { _tag: "AlertUnprotected", code: 40 },
  AlertFlood: { _tag: "AlertFlood", limit: 4 },
  MessageUnexpected: { _tag: "MessageUnexpected", expected: ["ServerHelloDone", "alert"], received: "Finished" },
  MessageTooLong: { _tag: "MessageTooLong", message: "ServerKeyExchange", length: 70_000, limit: 65_536 },
  HandshakeTooLong: { _tag: "HandshakeTooLong", limit: 131_072 },
  MessageMalformed: { _tag: "MessageMalformed", message: "ClientHello", field: "session_id", why: "is too long" },
  ParameterIllegal: { _tag: "ParameterIllegal", message: "ServerHello", field: "cipher_suite", why: "was not offered" },
  ExtensionMissing: { _tag: "ExtensionMissing", message: "ClientHello", extension: "supported_groups" },
  ExtensionUnsolicited: { _tag: "ExtensionUnsolicited", message: "ServerHello", extension: "heartbeat" },
  RenegotiationFlood: { _tag: "RenegotiationFlood", limit: 1 },
  RenegotiationInfoWrong: { _tag: "RenegotiationInfoWrong", why: "it is not empty" },
  VersionUnsupported: { _tag: "VersionUnsupported", offered: "TLS 1.0" },
  FallbackInappropriate: { _tag: "FallbackInappropriate", offered: "TLS 1.1" },
  NothingInCommon: { _tag: "NothingInCommon", what: "cipher suite" },
  NoApplicationProtocol: { _tag: "NoApplicationProtocol", offered: ["h2", "http/1.1"] },
  ServerNameUnrecognized: { _tag: "ServerNameUnrecognized", name: "other.example" },
  ExtendedMasterSecretMissing: { _tag: "ExtendedMasterSecretMissing", why: "the session was made with it" },
  KeyShareInvalid: { _tag: "KeyShareInvalid", group: "secp256r1" },
  SignatureWrong: { _tag: "SignatureWrong", message: "ServerKeyExchange" },
  FinishedWrong: { _tag: "FinishedWrong" },
  BinderWrong: { _tag: "BinderWrong" },
  DowngradeDetected: { _tag: "DowngradeDetected", version: "TLS 1.2" },
  KeyUpdateFlood: { _tag: "KeyUpdateFlood", limit: 32 },
  PlaintextBuffered: { _tag: "PlaintextBuffered", length: 17 },
  CertificateMissing: { _tag: "CertificateMissing" },
  CertificateChainTooLong: { _tag: "CertificateChainTooLong", length: 200_000, limit: 102_400 },
  CertificateMalformed: { _tag: "CertificateMalformed", depth: 1, why: "it is no DER" },
  CertificateSignatureWrong: { _tag: "CertificateSignatureWrong", depth: 0 },
  CertificateUntrusted: { _tag: "CertificateUntrusted", depth: 2, issuer: "CN=Nobody" },
  CertificateExpired: { _tag: "CertificateExpired", depth: 0, notAfter: "2001-01-01T00:00:00Z" },
  CertificateNotYetValid: { _tag: "CertificateNotYetValid", depth: 1, notBefore: "2099-01-01T00:00:00Z" },
  CertificateUnsupported: { _tag: "CertificateUnsupported", depth: 0, why: "its key is DSA" },
  CertificateNameMismatch: { _tag: "CertificateNameMismatch", name: "example.com" },
  CertificateRefused: { _tag: "CertificateRefused", alert: "access_denied", why: "the account is closed" },
  InternalFault: { _tag: "InternalFault", why: "the signing key is gone" },
  ApplicationFailed: { _tag: "ApplicationFailed" }
}

export const faultOf = <Tag extends Fault["_tag"]>(tag: Tag): FaultOf<Tag> => byTag[tag]

/** One of each tag, and each judgement that an application can give. */
export const faults: ReadonlyArray<Fault> = [
  ...Object.values(byTag),
  { _tag: "CertificateRefused", alert: "bad_certificate", why: "it is on our list" },
  { _tag: "CertificateRefused", alert: "certificate_unknown", why: "no rule fits it" }
]
