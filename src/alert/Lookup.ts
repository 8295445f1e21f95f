/**
 * From what a person has at hand (a name, a number, two bytes of a capture, a line of a log) to the entry of the
 * catalogue.
 *
 * @since 0.1.0
 */
import { type AlertLevel, levelOf } from "./Alert.ts"
import { entries, type Entry, entryOfCode } from "./Catalogue.ts"

/**
 * What was found: the entry, and the level where the text told it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Found {
  readonly entry: Entry
  readonly level: AlertLevel | undefined
}

// bad_record_mac, BAD-RECORD-MAC, "bad record mac" and BadRecordMac are one name, with or without _RESERVED.
const keyOf = (name: string): string => name.toLowerCase().replace(/[-_\s]/g, "").replace(/reserved$/, "")

const byName = new Map(entries.map((entry) => [keyOf(entry.name), entry]))

const named = (name: string): Entry | undefined =>
  // OpenSSL spells this one with two l.
  byName.get(keyOf(name).replace(/^usercancelled$/, "usercanceled"))

const found = (entry: Entry | undefined, level?: AlertLevel): Found | undefined =>
  entry === undefined ? undefined : { entry, level }

const numbered = (digits: string): Found | undefined => {
  const code = Number(digits)
  return code > 255 ? undefined : found(entryOfCode(code))
}

const decimal = /^\d{1,3}$/
const twoBytes = /^(?:0x)?([0-9a-f]{2})[\s:,]*(?:0x)?([0-9a-f]{2})$/i
const openSslNumber = /\bSSL alert number (\d+)/i
// ERR_SSL_TLSV1_ALERT_UNKNOWN_CA, ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE, ERR_SSL_TLSV1_UNRECOGNIZED_NAME. What
// OpenSSL finds by itself (ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC) has no version in it: no alert was received.
const nodeCode = /\bERR_SSL_(?:SSLV3|TLSV1|TLSV13|SSL\/TLS)_(?:ALERT_)?([A-Z0-9_]+)/i
// The one warning that OpenSSL makes an error of: to it the peer's refusal to renegotiate is a failed handshake.
const nodeWarning = /\bERR_SSL_(NO_RENEGOTIATION)\b/i
const anyNodeCode = /\bERR_SSL_[A-Z0-9_/]+/i

/**
 * Finds the alert that a text means: a name in any case (with `_`, `-`, spaces, or as the tag of a reason), a decimal
 * number up to 255, the two bytes of the message in hexadecimal, or any text that holds `SSL alert number N` or a code
 * `ERR_SSL_...` of Node that tells of a received alert. Anything else is `undefined`.
 *
 * @example
 * import { Lookup } from "effect-tls"
 *
 * Lookup.find("02 14") // { entry: { code: 20, name: "bad_record_mac", ... }, level: "fatal" }
 *
 * @category getters
 * @since 0.1.0
 */
export const find = (text: string): Found | undefined => {
  const trimmed = text.trim()
  const entry = named(trimmed)
  if (entry !== undefined) return found(entry)
  if (decimal.test(trimmed)) return numbered(trimmed)
  const [, level, description] = twoBytes.exec(trimmed) ?? []
  if (level !== undefined && description !== undefined) {
    return found(entryOfCode(Number.parseInt(description, 16)), levelOf(Number.parseInt(level, 16)))
  }
  const number = openSslNumber.exec(trimmed)?.[1]
  if (number !== undefined) return numbered(number)
  const name = (nodeCode.exec(trimmed) ?? nodeWarning.exec(trimmed))?.[1]
  return name === undefined ? undefined : found(named(name))
}

/**
 * The code `ERR_SSL_...` of Node in a text where it tells of no received alert: it is what OpenSSL found wrong by itself,
 * on the side that has printed it. `undefined` where there is no such code, or an alert to be found.
 *
 * @example
 * import { Lookup } from "effect-tls"
 *
 * Lookup.foundLocally("write EPROTO, code: 'ERR_SSL_WRONG_VERSION_NUMBER'") // "ERR_SSL_WRONG_VERSION_NUMBER"
 *
 * @category getters
 * @since 0.1.0
 */
export const foundLocally = (text: string): string | undefined =>
  find(text) !== undefined || nodeCode.test(text) ? undefined : anyNodeCode.exec(text)?.[0]
