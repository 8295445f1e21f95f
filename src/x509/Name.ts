/**
 * Distinguished names: RFC 5280 section 4.1.2.4, and their comparison as section 7.1 has it.
 *
 * @since 0.1.0
 */
import { samePublic, toHex, toLatin1, toText } from "../wire/Bytes.ts"
import { Der, listOf, Tag } from "./Der.ts"

/**
 * One attribute of a relative distinguished name.
 *
 * @category models
 * @since 0.1.0
 */
export interface Attribute {
  /** The object identifier, dotted. */
  readonly type: string
  /** Of the value: what kind of string it is. */
  readonly tag: number
  readonly value: Uint8Array
}

/**
 * A name, as views of what it was read from: most significant part first.
 *
 * @category models
 * @since 0.1.0
 */
export interface Name {
  readonly der: Uint8Array
  readonly parts: ReadonlyArray<ReadonlyArray<Attribute>>
}

/** OIDs that names are told apart and printed by. */
const shortNames: Readonly<Record<string, string>> = {
  "2.5.4.3": "CN",
  "2.5.4.4": "SN",
  "2.5.4.5": "serialNumber",
  "2.5.4.6": "C",
  "2.5.4.7": "L",
  "2.5.4.8": "ST",
  "2.5.4.9": "street",
  "2.5.4.10": "O",
  "2.5.4.11": "OU",
  "2.5.4.12": "title",
  "2.5.4.15": "businessCategory",
  "2.5.4.42": "GN",
  "2.5.4.97": "organizationIdentifier",
  "0.9.2342.19200300.100.1.1": "UID",
  "0.9.2342.19200300.100.1.25": "DC",
  "1.2.840.113549.1.9.1": "emailAddress"
}

/**
 * The attribute that holds an e-mail address, of old.
 *
 * @category constants
 * @since 0.1.0
 */
export const emailAddress = "1.2.840.113549.1.9.1"

/**
 * Reads a `Name` (a SEQUENCE OF RelativeDistinguishedName), which may be empty. Throws `Malformed`.
 *
 * @category decoding
 * @since 0.1.0
 */
export const readName = (der: Der, field: string): Name => {
  const { content, whole } = der.element(Tag.sequence, field)
  const parts = listOf(
    content,
    field,
    0,
    (list) =>
      list.list(Tag.set, field, 1, (set) =>
        set.within(Tag.sequence, field, (attribute) => {
          const type = attribute.oid(field)
          const { content: value, tag } = attribute.any(field)
          return { type, tag, value }
        }))
  )
  return { der: whole, parts }
}

/**
 * A `Name` that is all of `bytes`. Throws `Malformed`.
 *
 * @category decoding
 * @since 0.1.0
 */
export const nameOf = (bytes: Uint8Array, field: string): Name => {
  const der = new Der(bytes)
  const name = readName(der, field)
  der.end(field)
  return name
}

/** Big-endian code units or points of `size` bytes; `undefined` where they are none. */
const wide = (bytes: Uint8Array, size: 2 | 4): string | undefined => {
  if (bytes.length % size !== 0) return undefined
  let text = ""
  for (let at = 0; at < bytes.length; at += size) {
    let point = 0
    for (let i = 0; i < size; i++) point = point * 256 + (bytes[at + i] ?? 0)
    if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return undefined
    text += String.fromCodePoint(point)
  }
  return text
}

const ascii = (bytes: Uint8Array): string | undefined =>
  bytes.every((byte) => byte < 0x80) ? toLatin1(bytes) : undefined

/** The text of a string; `undefined` for what is none, and for T.61, which nobody reads alike. */
const textOf = ({ tag, value }: Attribute): string | undefined => {
  switch (tag) {
    case Tag.utf8String:
      return toText(value)
    case Tag.printableString:
    case Tag.ia5String:
    case Tag.visibleString:
    case Tag.numericString:
      return ascii(value)
    case Tag.bmpString:
      return wide(value, 2)
    case Tag.universalString:
      return wide(value, 4)
    default:
      return undefined
  }
}

/**
 * The characters of an attribute. Those of T.61 are taken for Latin-1, as everybody wrote them.
 *
 * @category formatting
 * @since 0.1.0
 */
export const attributeText = (attribute: Attribute): string | undefined =>
  attribute.tag === Tag.teletexString ? toLatin1(attribute.value) : textOf(attribute)

// Controls, separators and direction marks would let a name pass for something else in a log.
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/**
 * What a peer wrote, fit to be shown on one line.
 *
 * @category formatting
 * @since 0.1.0
 */
export const printable = (text: string): string =>
  text.replace(unprintable, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)

/** Nobody reads more of a name. */
const maxFormatted = 500

const formatAttribute = (attribute: Attribute): string => {
  const text = attribute.value.length > 4 * maxFormatted ? undefined : attributeText(attribute)
  const value = text === undefined
    ? `#${toHex(attribute.value.subarray(0, 64))}`
    : printable(text.slice(0, maxFormatted))
  return `${shortNames[attribute.type] ?? attribute.type}=${value.replaceAll(/[\\,+]/g, "\\$&")}`
}

/**
 * A name on one line, such as `C=CH, O=Example, CN=Example Root`; a comma or backslash of its own is escaped. A long one is cut.
 *
 * @category formatting
 * @since 0.1.0
 */
export const formatName = (name: Name): string => {
  let text = ""
  for (const [i, part] of name.parts.entries()) {
    text += `${i > 0 ? ", " : ""}${part.slice(0, 16).map(formatAttribute).join(" + ")}`
    if (text.length > maxFormatted) return `${text.slice(0, maxFormatted)}...`
  }
  return text
}

/**
 * Whether two names are the same to the byte: how issuers and subjects are chained.
 *
 * @category predicates
 * @since 0.1.0
 */
export const sameName = (a: Name, b: Name): boolean => samePublic(a.der, b.der)

/** RFC 4518, in short: compatibility forms, case and insignificant characters do not tell two strings apart. */
const folded = (text: string): string =>
  text.normalize("NFKC").replaceAll(
    /[\p{Cc}\p{Default_Ignorable_Code_Point}]/gu,
    (character) => /[\t\n\v\f\r\u0085]/.test(character) ? " " : ""
  )
    .toUpperCase().toLowerCase().normalize("NFKC").replaceAll(/\s+/gu, " ").trim()

/**
 * A name in a form in which equal names are equal strings, a string for each of its parts; `undefined` where it holds a value
 * that cannot be compared. Attributes of one part come in any order.
 *
 * @category comparison
 * @since 0.1.0
 */
export const comparable = (name: Name): ReadonlyArray<string> | undefined => {
  const parts: Array<string> = []
  for (const part of name.parts) {
    const attributes: Array<string> = []
    for (const attribute of part) {
      const text = textOf(attribute)
      if (text === undefined) return undefined
      attributes.push(`${attribute.type}=${JSON.stringify(folded(text))}`)
    }
    parts.push(attributes.sort().join("+"))
  }
  return parts
}

/**
 * Whether `name` lies in the subtree under `base` (RFC 5280 section 7.1); both in their comparable form.
 *
 * @category comparison
 * @since 0.1.0
 */
export const isBelow = (name: ReadonlyArray<string>, base: ReadonlyArray<string>): boolean =>
  base.length <= name.length && base.every((part, i) => part === name[i])
