/**
 * The whole vocabulary of local causes: everything this side can find wrong, named once. A fault says what happened; which
 * alert it deserves is decided in `Answer.ts`, and nowhere else.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * A fault is a plain value with a `_tag`: the record layer, the codecs, the handshake and the judgement of certificates
 * construct it, and it travels inside `AlertSent`.
 *
 * @category models
 * @since 0.1.0
 */
export const Fault = Schema.TaggedUnion({
  // The record protocol, RFC 5246 section 6
  RecordTypeUnknown: { contentType: Schema.Int },
  RecordVersionWrong: { version: Schema.Int },
  RecordTooLong: { length: Schema.Int, limit: Schema.Int },
  RecordEmpty: { contentType: Schema.Int },
  EmptyRecordFlood: { limit: Schema.Int },
  BadRecordMac: {},
  DecompressionFailed: {},
  /** A record of one type between the parts of a message of another. */
  RecordInterleaved: { pending: Schema.String, received: Schema.String },
  /** Bytes of a message left over when the keys change. */
  KeyChangeInsideMessage: { pending: Schema.String },
  ChangeCipherSpecMalformed: {},
  /** The AEAD has sealed as many records under one key as is safe, or there is no sequence number left for another. */
  KeyWornOut: { limit: Schema.Int },
  // The alert protocol, RFC 5246 section 7.2
  AlertEmpty: {},
  AlertLevelUnknown: { level: Schema.Int, code: Schema.Int },
  AlertMalformed: { length: Schema.Int },
  AlertUnprotected: { code: Schema.Int },
  AlertFlood: { limit: Schema.Int },
  // The handshake protocol, RFC 5246 section 7.4
  MessageUnexpected: { expected: Schema.Array(Schema.String), received: Schema.String },
  MessageTooLong: { message: Schema.String, length: Schema.Int, limit: Schema.Int },
  HandshakeTooLong: { limit: Schema.Int },
  /** The bytes do not fit the definition of the message. */
  MessageMalformed: { message: Schema.String, field: Schema.String, why: Schema.String },
  /** The bytes fit, the value does not: out of range, not offered, or at odds with another. */
  ParameterIllegal: { message: Schema.String, field: Schema.String, why: Schema.String },
  /** RFC 8446 section 9.2: an extension that the message must have. */
  ExtensionMissing: { message: Schema.String, extension: Schema.String },
  ExtensionUnsolicited: { message: Schema.String, extension: Schema.String },
  RenegotiationFlood: { limit: Schema.Int },
  RenegotiationInfoWrong: { why: Schema.String },
  VersionUnsupported: { offered: Schema.String },
  FallbackInappropriate: { offered: Schema.String },
  NothingInCommon: { what: Schema.Literals(["cipher suite", "group", "signature scheme", "certificate"]) },
  NoApplicationProtocol: { offered: Schema.Array(Schema.String) },
  ServerNameUnrecognized: { name: Schema.String },
  ExtendedMasterSecretMissing: { why: Schema.String },
  KeyShareInvalid: { group: Schema.String },
  SignatureWrong: { message: Schema.String },
  FinishedWrong: {},
  /** RFC 8446 section 4.2.11.2: the proof that the client holds the PSK it offers. */
  BinderWrong: {},
  /** RFC 8446 section 4.1.3: the random says that the server could do better than what it answered. */
  DowngradeDetected: { version: Schema.String },
  KeyUpdateFlood: { limit: Schema.Int },
  PlaintextBuffered: { length: Schema.Int },
  // Certificates, RFC 5246 section 7.2.2; `depth` counts from the leaf, 0
  CertificateMissing: {},
  CertificateChainTooLong: { length: Schema.Int, limit: Schema.Int },
  CertificateMalformed: { depth: Schema.Int, why: Schema.String },
  CertificateSignatureWrong: { depth: Schema.Int },
  /** Signed with an algorithm that is broken, RFC 8446 section 4.4.2.4. */
  CertificateSignatureWeak: { depth: Schema.Int, algorithm: Schema.String },
  CertificateUntrusted: { depth: Schema.Int, issuer: Schema.String },
  /** A path to an anchor has more intermediates than we go along with. */
  CertificatePathTooLong: { limit: Schema.Int },
  /** It does not have the right to issue, or not this deep (RFC 5280 sections 4.2.1.3 and 4.2.1.9). */
  CertificateIssuerUnfit: { depth: Schema.Int, why: Schema.String },
  CertificateExpired: { depth: Schema.Int, notAfter: Schema.String },
  CertificateNotYetValid: { depth: Schema.Int, notBefore: Schema.String },
  CertificateUnsupported: { depth: Schema.Int, why: Schema.String },
  CertificateKeyWeak: { depth: Schema.Int, why: Schema.String },
  /** Not for this use, by its key usage or extended key usage. */
  CertificateUsageWrong: { depth: Schema.Int, why: Schema.String },
  /** An extension that is critical and not known here, by its object identifier. */
  CertificateExtensionUnknown: { depth: Schema.Int, extension: Schema.String },
  CertificateNameMismatch: { name: Schema.String },
  /** A name that an authority of the path may not certify (RFC 5280 section 4.2.1.10). */
  CertificateNameForbidden: { depth: Schema.Int, why: Schema.String },
  CertificateRevoked: { depth: Schema.Int, at: Schema.String },
  /** The status that came with the certificate is not good for it, or did not come though it is promised. */
  CertificateStatusWrong: { why: Schema.String },
  /** Whether it is revoked had to be known, and is not. */
  CertificateStatusUnknown: { depth: Schema.Int, why: Schema.String },
  /** The judgement would cost more than it may. */
  CertificateTooCostly: { what: Schema.String, limit: Schema.Int },
  /** None of the keys that were expected. */
  CertificateNotPinned: { spkiSha256: Schema.String },
  /** The judgement of the application, after ours. */
  CertificateRefused: {
    alert: Schema.Literals([
      "access_denied",
      "bad_certificate",
      "certificate_expired",
      "certificate_revoked",
      "certificate_unknown",
      "unknown_ca",
      "unrecognized_name",
      "unsupported_certificate"
    ]),
    why: Schema.String
  },
  // This side itself
  InternalFault: { why: Schema.String },
  /** The application failed in the middle of its data, and its policy is to let the peer know. */
  ApplicationFailed: {}
})

/**
 * @category models
 * @since 0.1.0
 */
export type Fault = typeof Fault.Type

/**
 * The fault of one tag.
 *
 * @category models
 * @since 0.1.0
 */
export type FaultOf<Tag extends Fault["_tag"]> = Extract<Fault, { readonly _tag: Tag }>

/**
 * The faults that a judgement of certificates may end in; each has its alert.
 *
 * @category models
 * @since 0.1.0
 */
export type CertificateFault = FaultOf<Extract<Fault["_tag"], `Certificate${string}`>>

const expected = (tags: ReadonlyArray<string>): string => tags.length === 0 ? "nothing" : tags.join(" or ")

const certificate = (depth: number): string => depth === 0 ? "the certificate" : `certificate ${depth} of the chain`

const sentences: { readonly [Tag in Fault["_tag"]]: (fault: FaultOf<Tag>) => string } = {
  RecordTypeUnknown: (_) =>
    // A letter is how most protocols in the clear begin.
    _.contentType > 0x20 && _.contentType < 0x7f
      ? `what came does not begin like TLS, but with the character ${String.fromCharCode(_.contentType)}`
      : `a record has content type ${_.contentType}, which TLS does not define`,
  RecordVersionWrong: (_) => `a record has version 0x${_.version.toString(16).padStart(4, "0")}`,
  RecordTooLong: (_) => `a record has ${_.length} bytes where ${_.limit} are allowed`,
  RecordEmpty: (_) => `an empty record of content type ${_.contentType} arrived`,
  EmptyRecordFlood: (_) => `more than ${_.limit} empty records arrived in a row`,
  BadRecordMac: () => "a record did not authenticate",
  DecompressionFailed: () => "a record could not be decompressed",
  RecordInterleaved: (_) => `a ${_.received} record arrived inside a ${_.pending} message`,
  KeyChangeInsideMessage: (_) => `the keys changed inside a ${_.pending} message`,
  ChangeCipherSpecMalformed: () => "a change_cipher_spec message was not the single byte 1",
  KeyWornOut: (_) => `${_.limit} records were protected with one key, and no more are safe`,
  AlertEmpty: () => "an empty alert record arrived",
  AlertLevelUnknown: (_) => `an alert (code ${_.code}) had level ${_.level}, which is neither warning nor fatal`,
  AlertMalformed: (_) => `an alert record of ${_.length} bytes arrived where an alert is 2`,
  AlertUnprotected: (_) => `an alert (code ${_.code}) arrived in the clear after protected records`,
  AlertFlood: (_) => `more than ${_.limit} warning alerts arrived in a row`,
  MessageUnexpected: (_) => `${_.received} arrived where ${expected(_.expected)} was expected`,
  MessageTooLong: (_) => `a ${_.message} message announced ${_.length} bytes where ${_.limit} are allowed`,
  HandshakeTooLong: (_) => `the handshake grew beyond ${_.limit} bytes`,
  MessageMalformed: (_) => `${_.message} could not be decoded: ${_.field} ${_.why}`,
  ParameterIllegal: (_) => `${_.message} is not acceptable: ${_.field} ${_.why}`,
  ExtensionMissing: (_) => `${_.message} lacks the extension ${_.extension}`,
  ExtensionUnsolicited: (_) => `${_.message} carries the extension ${_.extension}, which was not offered`,
  RenegotiationFlood: (_) => `renegotiation was asked for more than ${_.limit} times`,
  RenegotiationInfoWrong: (_) => `the renegotiation indication is wrong: ${_.why}`,
  VersionUnsupported: (_) => `the peer speaks ${_.offered}, which is not supported here`,
  FallbackInappropriate: (_) => `the client fell back to ${_.offered} though both sides can do better`,
  NothingInCommon: (_) => `the two sides have no ${_.what} in common`,
  NoApplicationProtocol: (_) => `none of the application protocols ${_.offered.join(", ")} is spoken here`,
  ServerNameUnrecognized: (_) => `the server name ${_.name} is not served here`,
  ExtendedMasterSecretMissing: (_) => `the extended master secret is missing: ${_.why}`,
  KeyShareInvalid: (_) => `the peer's key share is not valid for the group ${_.group}`,
  SignatureWrong: (_) => `the signature of ${_.message} does not verify`,
  FinishedWrong: () => "the Finished message does not verify",
  BinderWrong: () => "the client does not prove that it holds the secret of the session it offers",
  DowngradeDetected: (_) => `the server can do better than ${_.version}, which somebody brought it to answer`,
  KeyUpdateFlood: (_) => `the keys were updated more than ${_.limit} times without any data`,
  PlaintextBuffered: (_) => `${_.length} bytes of plaintext were already read when TLS was to begin`,
  CertificateMissing: () => "a certificate is required and none was sent",
  CertificateChainTooLong: (_) => `the certificate chain has ${_.length} bytes where ${_.limit} are allowed`,
  CertificateMalformed: (_) => `${certificate(_.depth)} is malformed: ${_.why}`,
  CertificateSignatureWrong: (_) => `the signature of ${certificate(_.depth)} does not verify`,
  CertificateSignatureWeak: (_) => `${certificate(_.depth)} is signed by ${_.algorithm}, which proves nothing any more`,
  CertificateUntrusted: (_) => `${certificate(_.depth)} was issued by "${_.issuer}", which is not trusted here`,
  CertificatePathTooLong: (_) => `the path to an anchor has more than ${_.limit} intermediates`,
  CertificateIssuerUnfit: (_) => `${certificate(_.depth)} may not issue here: ${_.why}`,
  CertificateExpired: (_) => `${certificate(_.depth)} expired at ${_.notAfter}`,
  CertificateNotYetValid: (_) => `${certificate(_.depth)} is not valid before ${_.notBefore}`,
  CertificateUnsupported: (_) => `${certificate(_.depth)} cannot be used: ${_.why}`,
  CertificateKeyWeak: (_) => `${certificate(_.depth)} has ${_.why}`,
  CertificateUsageWrong: (_) => `${certificate(_.depth)} is not for this use: ${_.why}`,
  CertificateExtensionUnknown: (_) => `${certificate(_.depth)} has the critical extension ${_.extension}, unknown here`,
  CertificateNameMismatch: (_) => `the certificate is not for ${_.name}`,
  CertificateNameForbidden: (_) => `${certificate(_.depth)} has a name that its authority may not certify: ${_.why}`,
  CertificateRevoked: (_) => `${certificate(_.depth)} was revoked at ${_.at}`,
  CertificateStatusWrong: (_) => `the stapled status of the certificate is not good: ${_.why}`,
  CertificateStatusUnknown: (_) => `whether ${certificate(_.depth)} is revoked cannot be told: ${_.why}`,
  CertificateTooCostly: (_) => `judging the certificates would take more than ${_.limit} ${_.what}`,
  CertificateNotPinned: (_) =>
    `the key of the certificate (SHA-256 ${_.spkiSha256}) is not one of those that are pinned`,
  CertificateRefused: (_) => `the certificate was refused: ${_.why}`,
  InternalFault: (_) => `this side failed: ${_.why}`,
  ApplicationFailed: () => "the application failed"
}

/**
 * What happened, as the main clause of a sentence: no capital, no full stop.
 *
 * @example
 * import { Fault } from "effect-tls"
 *
 * Fault.describe({ _tag: "BadRecordMac" }) // "a record did not authenticate"
 *
 * @category formatting
 * @since 0.1.0
 */
export const describe = (fault: Fault): string => {
  // The table has an entry for each tag, of that tag's own type; TypeScript cannot correlate the two on its own.
  const sentence = sentences[fault._tag] as (fault: Fault) => string
  return sentence(fault)
}
