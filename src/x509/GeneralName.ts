/**
 * General names, RFC 5280 section 4.2.1.6: what subject alternative names and name constraints are made of.
 *
 * @since 0.1.0
 */
import { toLatin1 } from "../wire/Bytes.ts"
import { Malformed } from "../wire/Reader.ts"
import { constructed, type Der, type Element, implicit, oidOf } from "./Der.ts"
import { type Name, nameOf } from "./Name.ts"

/**
 * A name of one of the forms that are judged here, or of another, by the number of its form. In a constraint the `address` has
 * a mask behind it.
 *
 * @category models
 * @since 0.1.0
 */
export type GeneralName =
  | { readonly form: "email" | "dns" | "uri"; readonly text: string }
  | { readonly form: "directory"; readonly name: Name }
  | { readonly form: "address"; readonly bytes: Uint8Array }
  | { readonly form: "other"; readonly number: number }

/** An IA5String, which is ASCII. */
const ia5 = (bytes: Uint8Array, field: string): string => {
  if (bytes.some((byte) => byte >= 0x80)) throw new Malformed(field, "holds a name that is not ASCII")
  return toLatin1(bytes)
}

/** otherName, x400Address, ediPartyName: constructed, and not looked into. */
const opaque: ReadonlyArray<number> = [constructed(0), constructed(3), constructed(5)]
const registeredId = implicit(8)

const fromElement = ({ content, tag }: Element, field: string): GeneralName => {
  switch (tag) {
    case implicit(1):
      return { form: "email", text: ia5(content, field) }
    case implicit(2):
      return { form: "dns", text: ia5(content, field) }
    case constructed(4):
      // The choice `Name` makes the tag explicit.
      return { form: "directory", name: nameOf(content, field) }
    case implicit(6):
      return { form: "uri", text: ia5(content, field) }
    case implicit(7):
      return { form: "address", bytes: content }
    default:
      if (tag === registeredId) oidOf(content, field)
      else if (!opaque.includes(tag)) throw new Malformed(field, `holds a name with the tag 0x${tag.toString(16)}`)
      return { form: "other", number: tag & 0x1f }
  }
}

/**
 * Reads the next `GeneralName`. Throws `Malformed`.
 *
 * @category decoding
 * @since 0.1.0
 */
export const readGeneralName = (der: Der, field: string): GeneralName => fromElement(der.any(field), field)

/**
 * Reads the next `GeneralName` where it names somebody, so that an address is one of 4 or 16 bytes. Throws `Malformed`.
 *
 * @category decoding
 * @since 0.1.0
 */
export const readSubjectName = (der: Der, field: string): GeneralName => {
  const name = readGeneralName(der, field)
  if (name.form === "address" && name.bytes.length !== 4 && name.bytes.length !== 16) {
    throw new Malformed(field, `holds an address of ${name.bytes.length} bytes`)
  }
  return name
}
