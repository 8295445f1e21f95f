/**
 * Name constraints, RFC 5280 section 4.2.1.10: what names an authority may certify.
 *
 * @since 0.1.0
 */
import { toHex } from "../wire/Bytes.ts"
import { Malformed } from "../wire/Reader.ts"
import { constructed, type Der, listOf, Tag } from "./Der.ts"
import { type GeneralName, readGeneralName } from "./GeneralName.ts"
import { labelsOf, type Pattern, patternOf } from "./Host.ts"
import { attributeText, comparable, emailAddress, formatName, isBelow, type Name, printable } from "./Name.ts"

interface Mailbox {
  readonly local: string
  readonly host: string
}

/** A mailbox, or the hosts of mailboxes; of a URI only the hosts. */
type HostRule =
  | Mailbox & { readonly _tag: "Mailbox" }
  | { readonly _tag: "Host"; readonly host: string }
  /** Hosts below, and not the domain itself. */
  | { readonly _tag: "Domain"; readonly suffix: string }

/**
 * One subtree, in the form in which names are held against it.
 *
 * @category models
 * @since 0.1.0
 */
export type Subtree =
  | { readonly form: "dns"; readonly labels: ReadonlyArray<string> }
  | { readonly form: "address"; readonly base: Uint8Array; readonly mask: Uint8Array }
  | { readonly form: "email" | "uri"; readonly rule: HostRule }
  /** `undefined` where it holds a value that cannot be compared. */
  | { readonly form: "directory"; readonly parts: ReadonlyArray<string> | undefined }
  | { readonly form: "other"; readonly number: number }

/**
 * What a certificate of an authority says about the names below it.
 *
 * @category models
 * @since 0.1.0
 */
export interface NameConstraints {
  readonly permitted: ReadonlyArray<Subtree>
  readonly excluded: ReadonlyArray<Subtree>
}

const field = "nameConstraints"

const hostOf = (text: string): string => {
  const labels = labelsOf(text)
  if (labels === undefined) throw new Malformed(field, `holds ${JSON.stringify(text)}, which is no host name`)
  return labels.join(".")
}

const hostRule = (text: string): HostRule =>
  text.startsWith(".") ? { _tag: "Domain", suffix: `.${hostOf(text.slice(1))}` } : { _tag: "Host", host: hostOf(text) }

const atom = "[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
const localPart = new RegExp(`^${atom}(?:\\.${atom})*$`, "i")

/** `undefined` for what is no mailbox, and for a quoted local part (RFC 5321 section 4.1.2), which nobody certifies. */
const mailboxOf = (text: string): Mailbox | undefined => {
  const at = text.lastIndexOf("@")
  const labels = labelsOf(text.slice(at + 1))
  const local = text.slice(0, Math.max(0, at))
  return labels !== undefined && localPart.test(local) ? { local, host: labels.join(".") } : undefined
}

const emailRule = (text: string): HostRule => {
  if (!text.includes("@")) return hostRule(text)
  const mailbox = mailboxOf(text)
  if (mailbox === undefined) throw new Malformed(field, `holds ${JSON.stringify(text)}, which is no mailbox`)
  return { _tag: "Mailbox", ...mailbox }
}

/** RFC 5280: an address and a mask in the style of RFC 4632, whose ones are in front of its zeros. */
const addressRule = (bytes: Uint8Array): Subtree => {
  const size = bytes.length / 2
  const mask = bytes.subarray(size)
  const bits = Array.from(mask, (byte) => byte.toString(2).padStart(8, "0")).join("")
  if ((size !== 4 && size !== 16) || !/^1*0*$/.test(bits)) {
    throw new Malformed(field, "holds an address that is no range")
  }
  return { form: "address", base: bytes.subarray(0, size).map((byte, i) => byte & (mask[i] ?? 0)), mask }
}

const subtreeOf = (name: GeneralName): Subtree => {
  switch (name.form) {
    case "dns":
      // The empty name is the root: every name is below it.
      return { form: "dns", labels: name.text === "" ? [] : hostOf(name.text).split(".") }
    case "address":
      return addressRule(name.bytes)
    case "email":
      return { form: "email", rule: emailRule(name.text) }
    case "uri":
      return { form: "uri", rule: hostRule(name.text) }
    case "directory":
      return { form: "directory", parts: comparable(name.name) }
    case "other":
      return name
  }
}

const readSubtree = (list: Der): Subtree =>
  list.within(Tag.sequence, field, (content) => {
    const subtree = subtreeOf(readGeneralName(content, field))
    // RFC 5280: minimum is 0, which DER leaves out, and there is no maximum.
    content.end(field)
    return subtree
  })

/**
 * Reads the value of the extension. Throws `Malformed`.
 *
 * @category decoding
 * @since 0.1.0
 */
export const readNameConstraints = (der: Der): NameConstraints =>
  der.within(Tag.sequence, field, (content) => {
    const subtrees = (tag: number) => {
      const list = content.optional(tag, field)
      return list === undefined ? [] : listOf(list, field, 1, readSubtree)
    }
    const permitted = subtrees(constructed(0))
    const excluded = subtrees(constructed(1))
    if (permitted.length + excluded.length === 0) throw new Malformed(field, "is empty")
    return { permitted, excluded }
  })

/**
 * A name in the form in which it is held against subtrees. What is `undefined` in it cannot be compared, and no constraint of its
 * form is kept.
 *
 * @category models
 * @since 0.1.0
 */
export type Candidate =
  & { readonly name: GeneralName }
  & (
    | { readonly form: "dns"; readonly pattern: Pattern | undefined }
    | { readonly form: "address"; readonly bytes: Uint8Array }
    | { readonly form: "email"; readonly mailbox: Mailbox | undefined }
    | { readonly form: "uri"; readonly host: string | undefined }
    | { readonly form: "directory"; readonly parts: ReadonlyArray<string> | undefined }
    | { readonly form: "other"; readonly number: number }
  )

const authority = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i

/** RFC 5280: the host part of a URI is looked at, and must be a host name. */
const hostOfUri = (uri: string): string | undefined => {
  const host = authority.exec(uri)?.[1]?.replace(/^.*@/, "").replace(/:\d*$/, "")
  return host === undefined ? undefined : labelsOf(host)?.join(".")
}

const candidateOf = (name: GeneralName): Candidate => {
  switch (name.form) {
    case "dns":
      return { name, form: "dns", pattern: patternOf(name.text) }
    case "email":
      return { name, form: "email", mailbox: mailboxOf(name.text) }
    case "uri":
      return { name, form: "uri", host: hostOfUri(name.text) }
    case "address":
      return { name, form: "address", bytes: name.bytes }
    case "directory":
      return { name, form: "directory", parts: comparable(name.name) }
    case "other":
      return { name, form: "other", number: name.number }
  }
}

/**
 * The names of a certificate that constraints apply to: the alternative ones, the subject where it is not empty, and the e-mail
 * addresses inside it.
 *
 * @category combinators
 * @since 0.1.0
 */
export const candidatesOf = (subject: Name, alternatives: ReadonlyArray<GeneralName>): ReadonlyArray<Candidate> => {
  const inSubject = subject.parts.flat().filter(({ type }) => type === emailAddress)
  const names: ReadonlyArray<GeneralName> = [
    ...alternatives,
    ...(subject.parts.length === 0 ? [] : [{ form: "directory" as const, name: subject }]),
    // What is no text is no mailbox either.
    ...inSubject.map((attribute) => ({ form: "email" as const, text: attributeText(attribute) ?? "" }))
  ]
  return names.map(candidateOf)
}

/** Whether a name is in a subtree; `undefined` where that cannot be said. */
type Inside = boolean | undefined

const isUnder = (labels: ReadonlyArray<string>, base: ReadonlyArray<string>): boolean =>
  base.length <= labels.length && base.every((label, i) => label === labels[labels.length - base.length + i])

/**
 * A wildcard stands for names of one label more. All of them are permitted where what is behind it is; one of them is excluded
 * also where the excluded name is that one label in front of it.
 */
const isDnsInside = ({ isWildcard, labels }: Pattern, base: ReadonlyArray<string>, isExcluded: boolean): boolean =>
  isUnder(labels, base) ||
  (isExcluded && isWildcard && base.length === labels.length + 1 && isUnder(base, labels))

const isHostInside = (host: string, rule: HostRule): boolean =>
  rule._tag === "Host" ? host === rule.host : rule._tag === "Domain" && host.endsWith(rule.suffix)

const isMailboxInside = (mailbox: Mailbox, rule: HostRule): boolean =>
  rule._tag === "Mailbox"
    // RFC 5321 section 2.4: the case of the local part counts.
    ? mailbox.local === rule.local && mailbox.host === rule.host
    : isHostInside(mailbox.host, rule)

const inside = (name: Candidate, subtree: Subtree, isExcluded: boolean): Inside => {
  switch (name.form) {
    case "dns":
      return subtree.form === "dns" && name.pattern !== undefined
        ? isDnsInside(name.pattern, subtree.labels, isExcluded)
        : undefined
    case "email":
      return subtree.form === "email" && name.mailbox !== undefined
        ? isMailboxInside(name.mailbox, subtree.rule)
        : undefined
    case "uri":
      return subtree.form === "uri" && name.host !== undefined ? isHostInside(name.host, subtree.rule) : undefined
    case "address":
      return subtree.form === "address"
        ? name.bytes.length === subtree.base.length &&
          subtree.base.every((byte, i) => ((name.bytes[i] ?? 0) & (subtree.mask[i] ?? 0)) === byte)
        : undefined
    case "directory":
      return subtree.form === "directory" && name.parts !== undefined && subtree.parts !== undefined
        ? isBelow(name.parts, subtree.parts)
        : undefined
    case "other":
      return undefined
  }
}

const isAbout = (subtree: Subtree, name: Candidate): boolean =>
  subtree.form === "other" && name.form === "other" ? subtree.number === name.number : subtree.form === name.form

const shown = ({ name }: Candidate): string =>
  "text" in name
    ? printable(JSON.stringify(name.text.slice(0, 255)))
    : name.form === "directory"
    ? `"${formatName(name.name)}"`
    : name.form === "address"
    ? `the address ${toHex(name.bytes)}`
    : `a name of the form ${name.number}`

/**
 * What stands against a name, in words; `undefined` where it may be certified. `spend` is called before each comparison.
 *
 * @category predicates
 * @since 0.1.0
 */
export const objection = (
  name: Candidate,
  constraints: NameConstraints,
  spend: () => void
): string | undefined => {
  const compare = (subtree: Subtree, isExcluded: boolean): Inside => {
    spend()
    return inside(name, subtree, isExcluded)
  }
  let isPermitted = true
  for (const subtree of constraints.permitted) {
    if (!isAbout(subtree, name)) continue
    const verdict = compare(subtree, false)
    if (verdict === undefined) return `${shown(name)} cannot be held against a name constraint`
    isPermitted = verdict
    if (isPermitted) break
  }
  if (!isPermitted) return `${shown(name)} is outside the permitted names`
  for (const subtree of constraints.excluded) {
    if (!isAbout(subtree, name)) continue
    const verdict = compare(subtree, true)
    if (verdict === undefined) return `${shown(name)} cannot be held against a name constraint`
    if (verdict) return `${shown(name)} is one of the excluded names`
  }
  return undefined
}
