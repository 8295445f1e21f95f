/**
 * Host names and addresses, and whether a certificate is for one: RFC 6125 section 6, RFC 9525, RFC 5280 section 4.2.1.6.
 * Only subject alternative names count; the common name never does.
 *
 * @since 0.1.0
 */
import { samePublic } from "../wire/Bytes.ts"
import type { GeneralName } from "./GeneralName.ts"

// RFC 1034 section 3.5: letters, digits and hyphens.
const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
const maxLength = 253

/** The last label of a name is never a number: that would be an address. */
const isNumber = /^(?:\d+|0x[0-9a-f]*)$/

/**
 * The labels of a host name in A-label form, lower case; `undefined` for what is none. There is no trailing dot.
 *
 * @category decoding
 * @since 0.1.0
 */
export const labelsOf = (name: string): ReadonlyArray<string> | undefined => {
  if (name.length === 0 || name.length > maxLength) return undefined
  const labels = name.toLowerCase().split(".")
  return labels.every((part) => label.test(part)) && !isNumber.test(labels[labels.length - 1] ?? "")
    ? labels
    : undefined
}

/**
 * What a dNSName of a certificate names: a host, or with a wildcard all hosts of one label more.
 *
 * @category models
 * @since 0.1.0
 */
export interface Pattern {
  readonly labels: ReadonlyArray<string>
  /** One more label stands in front, whichever it is. */
  readonly isWildcard: boolean
}

/**
 * `undefined` for what names no host. A wildcard is a whole label, the leftmost, in front of at least two others.
 *
 * @category decoding
 * @since 0.1.0
 */
export const patternOf = (name: string): Pattern | undefined => {
  const isWildcard = name.startsWith("*.")
  const labels = labelsOf(isWildcard ? name.slice(2) : name)
  return labels === undefined || (isWildcard && labels.length < 2) ? undefined : { labels, isWildcard }
}

const ipv4 = (text: string): Uint8Array | undefined => {
  const parts = text.split(".")
  // No leading zeros: some readers take them for octal.
  return parts.length === 4 && parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)
    ? Uint8Array.from(parts, Number)
    : undefined
}

/** RFC 4291 section 2.2, without a zone. */
const ipv6 = (text: string): Uint8Array | undefined => {
  const tail = text.slice(text.lastIndexOf(":") + 1)
  const embedded = tail.includes(".") ? ipv4(tail) : undefined
  if (tail.includes(".") && embedded === undefined) return undefined
  const [a = 0, b = 0, c = 0, d = 0] = embedded ?? []
  const hex = embedded === undefined
    ? text
    : `${text.slice(0, -tail.length)}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
  const halves = hex.split("::")
  if (halves.length > 2) return undefined
  const [head = [], rest = []] = halves.map((half) => half === "" ? [] : half.split(":"))
  const groups = [...head, ...rest]
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined
  if (halves.length === 1 ? groups.length !== 8 : groups.length > 7) return undefined
  const bytes = new Uint8Array(16)
  const set = (group: string, at: number) => bytes.set([parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff], at * 2)
  head.forEach(set)
  rest.forEach((group, i) => set(group, 8 - rest.length + i))
  return bytes
}

/**
 * The 4 or 16 bytes of an IP address as text; `undefined` for what is none. A zone, as in `fe80::1%eth0`, is none.
 *
 * @category decoding
 * @since 0.1.0
 */
export const addressOf = (text: string): Uint8Array | undefined => text.includes(":") ? ipv6(text) : ipv4(text)

/**
 * Whom a server's certificate has to be for: a host name in A-label form (RFC 5890), or an IP address.
 *
 * @category models
 * @since 0.1.0
 */
export type Reference = { readonly host: string } | { readonly address: string }

/**
 * Whether one of the alternative names names the reference (RFC 6125 section 6.4). Addresses are compared as bytes, with addresses
 * only; a wildcard is a whole label, the leftmost, in front of at least two others.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isFor = (names: ReadonlyArray<GeneralName>, reference: Reference): boolean => {
  if ("address" in reference) {
    const address = addressOf(reference.address)
    return address !== undefined &&
      names.some((name) => name.form === "address" && samePublic(name.bytes, address))
  }
  const labels = labelsOf(reference.host)
  if (labels === undefined) return false
  // What equals a host name is one, so the names of the certificate need no check of their own.
  const host = labels.join(".")
  const parent = labels.length > 2 ? labels.slice(1).join(".") : undefined
  const isNamed = (text: string): boolean =>
    text.startsWith("*.")
      ? text.length - 2 === parent?.length && text.slice(2).toLowerCase() === parent
      : text.length === host.length && text.toLowerCase() === host
  return names.some((name) => name.form === "dns" && isNamed(name.text))
}
