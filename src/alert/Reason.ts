/**
 * The reasons of `AlertSent` and `AlertReceived`: one class for each registered alert but close_notify, which is no error. They
 * are values, not errors, so that `Effect.catchReason` narrows by alert and the error itself carries the rest.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { type AlertDescription, descriptionCode, type KnownDescription } from "./Alert.ts"

/**
 * @category reasons
 * @since 0.1.0
 */
export class UnexpectedMessage extends Schema.TaggedClass<UnexpectedMessage>()("UnexpectedMessage", {}) {}

/**
 * @category reasons
 * @since 0.1.0
 */
export class BadRecordMac extends Schema.TaggedClass<BadRecordMac>()("BadRecordMac", {}) {}

/**
 * @category reasons
 * @since 0.1.0
 */
export class DecryptionFailedReserved
  extends Schema.TaggedClass<DecryptionFailedReserved>()("DecryptionFailedReserved", {})
{}

/**
 * @category reasons
 * @since 0.1.0
 */
export class RecordOverflow extends Schema.TaggedClass<RecordOverflow>()("RecordOverflow", {}) {}

/**
 * @category reasons
 * @since 0.1.0
 */
export class DecompressionFailure extends Schema.TaggedClass<DecompressionFailure>()("DecompressionFailure", {}) {}

/**
 * @category reasons
 * @since 0.1.0
 */
export class HandshakeFailure extends Schema.TaggedClass<HandshakeFailure>()("HandshakeFailure", {}) {}

/**
 * @category reasons
 * @since 0.1.0
 */
export class NoCertificateReserved extends Schema.TaggedClass<NoCertificateReserved>()("NoCertificateReserved", {}) {}

/**
 * @category reasons
 * @since 0.1.0
 */
export class BadCertificate extends Schema.TaggedClass<BadCertificate>()("BadCertificate", {}) {}

/**
 * @category reasons
 * @since 0.1.0
 */
export class UnsupportedCertificate
  extends Schema.TaggedClass<UnsupportedCertificate>()("UnsupportedCertificate", {})
{}

/**
 * @category reasons
 * @since 0.1.0
 */
export class CertificateRevoked extends Schema.TaggedClass<CertificateRevoked>()("CertificateRevoked", {}) {}

/**
 * @category reasons
 * @since 0.1.0
 */
export class CertificateExpired extends Schema.TaggedClass<CertificateExpired>()("CertificateExpired", {}) {}

/**
 * @category reasons
 * @since 0.1.0
 */
export class CertificateUnknown extends Schema.TaggedClass<CertificateUnknown>()("CertificateUnknown", {}) {}

/**
 * @category reasons
 * @since 0.1.0
 */
export class IllegalParameter extends Schema.TaggedClass<IllegalParameter>()("IllegalParameter", {}) {}

/**
 * @category reasons
 * @since 0.1.0
 */
export class UnknownCa extends Schema.TaggedClass<UnknownCa>()("UnknownCa", {}) {}

/**
 * @category reasons
 * @since 0.1.0
 */
export class AccessDenied extends Schema.TaggedClass<AccessDenied>()("AccessDenied", {}) {}

/**
 * @category reasons
 * @since 0.1.0
 */
export class DecodeError extends Schema.TaggedClass<DecodeError>()("DecodeError", {}) {}

/**
 * @category reasons
 * @since 0.1.0
 */
export class DecryptError extends Schema.TaggedClass<DecryptError>()("DecryptError", {}) {}

/**
 * @category reasons
 * @since 0.1.0
 */
export class TooManyCidsRequested extends Schema.TaggedClass<TooManyCidsRequested>()("TooManyCidsRequested", {}) {}

/**
 * @category reasons
 * @since 0.1.0
 */
export class ExportRestrictionReserved
  extends Schema.TaggedClass<ExportRestrictionReserved>()("ExportRestrictionReserved", {})
{}

/**
 * @category reasons
 * @since 0.1.0
 */
export class ProtocolVersion extends Schema.TaggedClass<ProtocolVersion>()("ProtocolVersion", {}) {}

/**
 * @category reasons
 * @since 0.1.0
 */
export class InsufficientSecurity extends Schema.TaggedClass<InsufficientSecurity>()("InsufficientSecurity", {}) {}

/**
 * @category reasons
 * @since 0.1.0
 */
export class InternalError extends Schema.TaggedClass<InternalError>()("InternalError", {}) {}

/**
 * @category reasons
 * @since 0.1.0
 */
export class InappropriateFallback extends Schema.TaggedClass<InappropriateFallback>()("InappropriateFallback", {}) {}

/**
 * @category reasons
 * @since 0.1.0
 */
export class UserCanceled extends Schema.TaggedClass<UserCanceled>()("UserCanceled", {}) {}

/**
 * @category reasons
 * @since 0.1.0
 */
export class NoRenegotiation extends Schema.TaggedClass<NoRenegotiation>()("NoRenegotiation", {}) {}

/**
 * @category reasons
 * @since 0.1.0
 */
export class MissingExtension extends Schema.TaggedClass<MissingExtension>()("MissingExtension", {}) {}

/**
 * @category reasons
 * @since 0.1.0
 */
export class UnsupportedExtension extends Schema.TaggedClass<UnsupportedExtension>()("UnsupportedExtension", {}) {}

/**
 * @category reasons
 * @since 0.1.0
 */
export class CertificateUnobtainableReserved
  extends Schema.TaggedClass<CertificateUnobtainableReserved>()("CertificateUnobtainableReserved", {})
{}

/**
 * @category reasons
 * @since 0.1.0
 */
export class UnrecognizedName extends Schema.TaggedClass<UnrecognizedName>()("UnrecognizedName", {}) {}

/**
 * @category reasons
 * @since 0.1.0
 */
export class BadCertificateStatusResponse
  extends Schema.TaggedClass<BadCertificateStatusResponse>()("BadCertificateStatusResponse", {})
{}

/**
 * @category reasons
 * @since 0.1.0
 */
export class BadCertificateHashValueReserved
  extends Schema.TaggedClass<BadCertificateHashValueReserved>()("BadCertificateHashValueReserved", {})
{}

/**
 * @category reasons
 * @since 0.1.0
 */
export class UnknownPskIdentity extends Schema.TaggedClass<UnknownPskIdentity>()("UnknownPskIdentity", {}) {}

/**
 * @category reasons
 * @since 0.1.0
 */
export class CertificateRequired extends Schema.TaggedClass<CertificateRequired>()("CertificateRequired", {}) {}

/**
 * @category reasons
 * @since 0.1.0
 */
export class GeneralError extends Schema.TaggedClass<GeneralError>()("GeneralError", {}) {}

/**
 * @category reasons
 * @since 0.1.0
 */
export class NoApplicationProtocol extends Schema.TaggedClass<NoApplicationProtocol>()("NoApplicationProtocol", {}) {}

/**
 * @category reasons
 * @since 0.1.0
 */
export class EchRequired extends Schema.TaggedClass<EchRequired>()("EchRequired", {}) {}

/**
 * An alert that the registry does not name.
 *
 * @category reasons
 * @since 0.1.0
 */
export class UnknownAlert extends Schema.TaggedClass<UnknownAlert>()("UnknownAlert", {
  code: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))
}) {}

/**
 * The class of each description.
 *
 * @category constants
 * @since 0.1.0
 */
export const reasonClasses = {
  unexpected_message: UnexpectedMessage,
  bad_record_mac: BadRecordMac,
  decryption_failed_RESERVED: DecryptionFailedReserved,
  record_overflow: RecordOverflow,
  decompression_failure: DecompressionFailure,
  handshake_failure: HandshakeFailure,
  no_certificate_RESERVED: NoCertificateReserved,
  bad_certificate: BadCertificate,
  unsupported_certificate: UnsupportedCertificate,
  certificate_revoked: CertificateRevoked,
  certificate_expired: CertificateExpired,
  certificate_unknown: CertificateUnknown,
  illegal_parameter: IllegalParameter,
  unknown_ca: UnknownCa,
  access_denied: AccessDenied,
  decode_error: DecodeError,
  decrypt_error: DecryptError,
  too_many_cids_requested: TooManyCidsRequested,
  export_restriction_RESERVED: ExportRestrictionReserved,
  protocol_version: ProtocolVersion,
  insufficient_security: InsufficientSecurity,
  internal_error: InternalError,
  inappropriate_fallback: InappropriateFallback,
  user_canceled: UserCanceled,
  no_renegotiation: NoRenegotiation,
  missing_extension: MissingExtension,
  unsupported_extension: UnsupportedExtension,
  certificate_unobtainable_RESERVED: CertificateUnobtainableReserved,
  unrecognized_name: UnrecognizedName,
  bad_certificate_status_response: BadCertificateStatusResponse,
  bad_certificate_hash_value_RESERVED: BadCertificateHashValueReserved,
  unknown_psk_identity: UnknownPskIdentity,
  certificate_required: CertificateRequired,
  general_error: GeneralError,
  no_application_protocol: NoApplicationProtocol,
  ech_required: EchRequired
} as const satisfies Readonly<Record<Exclude<KnownDescription, "close_notify">, unknown>>

/**
 * A description that is a reason to fail.
 *
 * @category models
 * @since 0.1.0
 */
export type ErrorDescription = keyof typeof reasonClasses

/**
 * The reason of a description.
 *
 * @category models
 * @since 0.1.0
 */
export type ReasonOf<Description extends ErrorDescription> = InstanceType<(typeof reasonClasses)[Description]>

/**
 * @category schemas
 * @since 0.1.0
 */
export const Reason = Schema.Union([
  UnexpectedMessage,
  BadRecordMac,
  DecryptionFailedReserved,
  RecordOverflow,
  DecompressionFailure,
  HandshakeFailure,
  NoCertificateReserved,
  BadCertificate,
  UnsupportedCertificate,
  CertificateRevoked,
  CertificateExpired,
  CertificateUnknown,
  IllegalParameter,
  UnknownCa,
  AccessDenied,
  DecodeError,
  DecryptError,
  TooManyCidsRequested,
  ExportRestrictionReserved,
  ProtocolVersion,
  InsufficientSecurity,
  InternalError,
  InappropriateFallback,
  UserCanceled,
  NoRenegotiation,
  MissingExtension,
  UnsupportedExtension,
  CertificateUnobtainableReserved,
  UnrecognizedName,
  BadCertificateStatusResponse,
  BadCertificateHashValueReserved,
  UnknownPskIdentity,
  CertificateRequired,
  GeneralError,
  NoApplicationProtocol,
  EchRequired,
  UnknownAlert
])

/**
 * @category models
 * @since 0.1.0
 */
export type Reason = typeof Reason.Type

// The keys of the table are exactly the descriptions; `Object.entries` widens them.
const entries = Object.entries(reasonClasses) as ReadonlyArray<
  readonly [ErrorDescription, (typeof reasonClasses)[ErrorDescription]]
>
const instances = new Map<AlertDescription, Reason>(entries.map(([description, Class]) => [description, new Class({})]))
const descriptionsByTag = new Map<string, ErrorDescription>(
  entries.map(([description]) => [instances.get(description)?._tag ?? "", description])
)

/**
 * The reason of a description; a code without a name gives `UnknownAlert`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const reasonOf: {
  <const Description extends ErrorDescription>(description: Description): ReasonOf<Description>
  (description: Exclude<AlertDescription, "close_notify">): Reason
} = (description: Exclude<AlertDescription, "close_notify">): never =>
  // The table holds an instance of the class of each description, which is what the overloads promise.
  (instances.get(description) ?? new UnknownAlert({ code: descriptionCode(description) })) as never

/**
 * @category combinators
 * @since 0.1.0
 */
export const descriptionOfReason = (reason: Reason): AlertDescription =>
  reason._tag === "UnknownAlert" ? reason.code : descriptionsByTag.get(reason._tag) ?? "internal_error"

/**
 * The code of the alert.
 *
 * @category combinators
 * @since 0.1.0
 */
export const reasonCode = (reason: Reason): number => descriptionCode(descriptionOfReason(reason))
