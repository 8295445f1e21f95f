/**
 * The alert message, RFC 5246 section 7.2: two bytes, a level and a description. Every pair of bytes is an alert, and encodes
 * back to the same bytes; to judge it is another matter (`Verdict.ts`).
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"
import * as Effect from "effect/Effect"

/**
 * The registry of alert descriptions (RFC 5246 section 7.2, RFC 8446 section 6 and the documents that added to it): name and code.
 *
 * @category constants
 * @since 0.1.0
 */
export const descriptions = {
  close_notify: 0,
  unexpected_message: 10,
  bad_record_mac: 20,
  decryption_failed_RESERVED: 21,
  record_overflow: 22,
  decompression_failure: 30,
  handshake_failure: 40,
  no_certificate_RESERVED: 41,
  bad_certificate: 42,
  unsupported_certificate: 43,
  certificate_revoked: 44,
  certificate_expired: 45,
  certificate_unknown: 46,
  illegal_parameter: 47,
  unknown_ca: 48,
  access_denied: 49,
  decode_error: 50,
  decrypt_error: 51,
  too_many_cids_requested: 52,
  export_restriction_RESERVED: 60,
  protocol_version: 70,
  insufficient_security: 71,
  internal_error: 80,
  inappropriate_fallback: 86,
  user_canceled: 90,
  no_renegotiation: 100,
  missing_extension: 109,
  unsupported_extension: 110,
  certificate_unobtainable_RESERVED: 111,
  unrecognized_name: 112,
  bad_certificate_status_response: 113,
  bad_certificate_hash_value_RESERVED: 114,
  unknown_psk_identity: 115,
  certificate_required: 116,
  general_error: 117,
  no_application_protocol: 120,
  ech_required: 121
} as const

/**
 * A description that the registry names.
 *
 * @category models
 * @since 0.1.0
 */
export type KnownDescription = keyof typeof descriptions

// The keys of the literal above are exactly the names; `Object.entries` widens them.
const entries = Object.entries(descriptions) as ReadonlyArray<readonly [KnownDescription, number]>
const names = new Map<number, KnownDescription>(entries.map(([name, code]) => [code, name]))

const isByte = Schema.isBetween({ minimum: 0, maximum: 255 })

const Byte = Schema.Int.check(isByte)

/**
 * `warning`, `fatal`, or the byte of a level that TLS does not define.
 *
 * @category schemas
 * @since 0.1.0
 */
export const AlertLevel = Schema.Union([
  Schema.Literals(["warning", "fatal"]),
  Schema.Int.check(
    isByte,
    Schema.makeFilter((code: number) => code === 1 || code === 2 ? "this level has a name" : undefined)
  )
])

/**
 * @category models
 * @since 0.1.0
 */
export type AlertLevel = typeof AlertLevel.Type

/**
 * The name of a description, or the code of one that the registry does not name.
 *
 * @category schemas
 * @since 0.1.0
 */
export const AlertDescription = Schema.Union([
  Schema.Literals(entries.map(([name]) => name)),
  Schema.Int.check(
    isByte,
    Schema.makeFilter((code: number) => names.has(code) ? "this description has a name" : undefined)
  )
])

/**
 * @category models
 * @since 0.1.0
 */
export type AlertDescription = typeof AlertDescription.Type

/**
 * The level of a byte.
 *
 * @category decoding
 * @since 0.1.0
 */
export const levelOf = (code: number): AlertLevel => code === 2 ? "fatal" : code === 1 ? "warning" : code

/**
 * The byte of a level.
 *
 * @category encoding
 * @since 0.1.0
 */
export const levelCode = (level: AlertLevel): number => level === "fatal" ? 2 : level === "warning" ? 1 : level

/**
 * The description of a byte.
 *
 * @category decoding
 * @since 0.1.0
 */
export const descriptionOf = (code: number): AlertDescription => names.get(code) ?? code

/**
 * The byte of a description.
 *
 * @category encoding
 * @since 0.1.0
 */
export const descriptionCode = (description: AlertDescription): number =>
  typeof description === "number" ? description : descriptions[description]

/**
 * A level as its byte.
 *
 * @category schemas
 * @since 0.1.0
 */
export const AlertLevelFromByte = Byte.pipe(
  Schema.decodeTo(AlertLevel, SchemaTransformation.transform({ decode: levelOf, encode: levelCode }))
)

/**
 * A description as its byte.
 *
 * @category schemas
 * @since 0.1.0
 */
export const AlertDescriptionFromByte = Byte.pipe(
  Schema.decodeTo(AlertDescription, SchemaTransformation.transform({ decode: descriptionOf, encode: descriptionCode }))
)

/**
 * @category schemas
 * @since 0.1.0
 */
export const Alert = Schema.Struct({ level: AlertLevel, description: AlertDescription })

/**
 * @category models
 * @since 0.1.0
 */
export interface Alert {
  readonly level: AlertLevel
  readonly description: AlertDescription
}

// One frozen object for each alert of a defined level: an alert that is only decoded allocates nothing.
const interned = [1, 2].map((level) =>
  Array.from(
    { length: 256 },
    (_, code): Alert => Object.freeze({ level: levelOf(level), description: descriptionOf(code) })
  )
)

/**
 * The alert of two bytes. Total, and cheap: a table look-up.
 *
 * @category decoding
 * @since 0.1.0
 */
export const fromBytes = (level: number, description: number): Alert =>
  interned[level - 1]?.[description] ?? { level: levelOf(level), description: descriptionOf(description) }

/**
 * The two bytes of an alert.
 *
 * @category encoding
 * @since 0.1.0
 */
export const toBytes = (alert: Alert): Uint8Array =>
  Uint8Array.of(levelCode(alert.level), descriptionCode(alert.description))

/**
 * The alert message as it travels. Every two bytes decode; any other length fails.
 *
 * @example
 * import { Schema } from "effect"
 * import { Alert } from "effect-tls"
 *
 * Schema.decodeSync(Alert.AlertFromBytes)(Uint8Array.of(2, 20)) // { level: "fatal", description: "bad_record_mac" }
 *
 * @category schemas
 * @since 0.1.0
 */
export const AlertFromBytes = Schema.Uint8Array.pipe(
  Schema.decodeTo(
    Alert,
    SchemaTransformation.transformEffect({
      decode: (bytes, options) => {
        const [level, description] = bytes
        return bytes.length === 2 && level !== undefined && description !== undefined
          ? Effect.succeed(fromBytes(level, description))
          : Effect.fail(
            new SchemaIssue.InvalidValue({ message: `an alert is 2 bytes, got ${bytes.length}` }, bytes, options)
          )
      },
      encode: (alert) => Effect.succeed(toBytes(alert))
    })
  )
)

/**
 * @category constructors
 * @since 0.1.0
 */
export const fatal = (description: KnownDescription): Alert => fromBytes(2, descriptions[description])

/**
 * @category constructors
 * @since 0.1.0
 */
export const warning = (description: KnownDescription): Alert => fromBytes(1, descriptions[description])
