/**
 * The extensions of a certificate that are judged here, RFC 5280 section 4.2, RFC 6960 section 4.2.2.2.1 and RFC 7633.
 *
 * @since 0.1.0
 */
import { Malformed } from "../wire/Reader.ts"
import { type NameConstraints, readNameConstraints } from "./Constraint.ts"
import { checkedInteger, constructed, Der, implicit, listOf, namedBits, smallIntegerOf, Tag, whole } from "./Der.ts"
import { type GeneralName, readGeneralName, readSubjectName } from "./GeneralName.ts"

/**
 * The bits of a key usage, RFC 5280 section 4.2.1.3.
 *
 * @category constants
 * @since 0.1.0
 */
export const KeyUsage = {
  digitalSignature: 1 << 0,
  keyCertSign: 1 << 5,
  cRLSign: 1 << 6
} as const

/**
 * Purposes of an extended key usage, RFC 5280 section 4.2.1.12.
 *
 * @category constants
 * @since 0.1.0
 */
export const Purpose = {
  any: "2.5.29.37.0",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
  ocspSigning: "1.3.6.1.5.5.7.3.9"
} as const

/**
 * What the extensions of a certificate say. What is absent in it is `undefined`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Extensions {
  readonly basicConstraints?: {
    readonly isAuthority: boolean
    readonly pathLength: number | undefined
    readonly isCritical: boolean
  }
  /** Flags of `KeyUsage`. */
  readonly keyUsage?: number
  readonly extendedKeyUsage?: ReadonlyArray<string>
  readonly subjectAltName?: { readonly names: ReadonlyArray<GeneralName>; readonly isCritical: boolean }
  readonly nameConstraints?: NameConstraints
  readonly subjectKeyIdentifier?: Uint8Array
  readonly authorityKeyIdentifier?: Uint8Array
  /** RFC 7633: the server promises a stapled status. */
  readonly mustStaple?: boolean
  /** RFC 6960: the status of this OCSP responder is not to be asked for. */
  readonly noCheck?: boolean
  /** Policies are not processed here, so a path that demands it is refused. */
  readonly policyConstraints?: boolean
  /** The first extension that is critical and not known here. */
  readonly unknownCritical?: string
}

type Mutable = { -readonly [Key in keyof Extensions]: Extensions[Key] }

type Reader = (value: Uint8Array, isCritical: boolean, into: Mutable) => void

const readBasicConstraints: Reader = (value, isCritical, into) => {
  const field = "basicConstraints"
  into.basicConstraints = whole(value, field, (der) =>
    der.within(Tag.sequence, field, (content) => {
      // FALSE is the default and should be left out; certificates in use write it.
      const isAuthority = content.tag === Tag.boolean && content.boolean(field)
      const pathLength = content.tag === Tag.integer ? content.smallInteger("pathLenConstraint") : undefined
      return { isAuthority, pathLength, isCritical }
    }))
}

const readKeyUsage: Reader = (value, _, into) => {
  const flags = namedBits(whole(value, "keyUsage", (der) => der.content(Tag.bitString, "keyUsage")), "keyUsage")
  if (flags === 0) throw new Malformed("keyUsage", "allows nothing")
  into.keyUsage = flags
}

const readExtendedKeyUsage: Reader = (value, _, into) => {
  const field = "extKeyUsage"
  into.extendedKeyUsage = whole(value, field, (der) => der.list(Tag.sequence, field, 1, (list) => list.oid(field)))
}

const readSubjectAltName: Reader = (value, isCritical, into) => {
  const field = "subjectAltName"
  const names = whole(value, field, (der) => der.list(Tag.sequence, field, 1, (list) => readSubjectName(list, field)))
  into.subjectAltName = { names, isCritical }
}

const readAuthorityKeyIdentifier: Reader = (value, _, into) => {
  const field = "authorityKeyIdentifier"
  whole(value, field, (der) =>
    der.within(Tag.sequence, field, (content) => {
      const identifier = content.optional(implicit(0), field)
      if (identifier !== undefined) into.authorityKeyIdentifier = identifier
      const names = content.optional(constructed(1), field)
      if (names !== undefined) listOf(names, field, 1, (list) => readGeneralName(list, field))
      const serial = content.optional(implicit(2), field)
      if (serial !== undefined) checkedInteger(serial, field)
    }))
}

const readAuthorityInfoAccess: Reader = (value) => {
  const field = "authorityInfoAccess"
  whole(
    value,
    field,
    (der) =>
      der.list(Tag.sequence, field, 1, (list) =>
        list.within(Tag.sequence, field, (description) => {
          description.oid(field)
          readGeneralName(description, field)
        }))
  )
}

const readCertificatePolicies: Reader = (value) => {
  const field = "certificatePolicies"
  const policies = whole(
    value,
    field,
    (der) =>
      der.list(Tag.sequence, field, 1, (list) =>
        list.within(Tag.sequence, field, (policy) => {
          const oid = policy.oid(field)
          // What the qualifiers say is for people.
          policy.optional(Tag.sequence, "policyQualifiers")
          return oid
        }))
  )
  if (new Set(policies).size !== policies.length) throw new Malformed(field, "holds a policy twice")
}

const readPolicyMappings: Reader = (value) => {
  const field = "policyMappings"
  const mapped = whole(
    value,
    field,
    (der) =>
      der.list(
        Tag.sequence,
        field,
        1,
        (list) => list.within(Tag.sequence, field, (mapping) => [mapping.oid(field), mapping.oid(field)])
      )
  )
  if (mapped.flat().includes("2.5.29.32.0")) throw new Malformed(field, "maps anyPolicy")
}

const statusRequest = 5

/** What is read and may be critical. A reader throws `Malformed`. */
const known: Readonly<Record<string, Reader>> = {
  "2.5.29.15": readKeyUsage,
  "2.5.29.17": readSubjectAltName,
  "2.5.29.19": readBasicConstraints,
  "2.5.29.30": (value, _, into) => {
    into.nameConstraints = whole(value, "nameConstraints", readNameConstraints)
  },
  "2.5.29.32": readCertificatePolicies,
  // Without policy constraints neither has an effect on whether a path is valid (RFC 5280 section 6.1).
  "2.5.29.33": readPolicyMappings,
  "2.5.29.54": (value) => {
    whole(value, "inhibitAnyPolicy", (der) => der.smallInteger("inhibitAnyPolicy"))
  },
  "2.5.29.36": (_, __, into) => {
    into.policyConstraints = true
  },
  "2.5.29.37": readExtendedKeyUsage,
  "1.3.6.1.5.5.7.1.24": (value, _, into) => {
    const field = "tlsFeature"
    into.mustStaple = whole(
      value,
      field,
      (der) => der.list(Tag.sequence, field, 1, (list) => smallIntegerOf(list.content(Tag.integer, field), field))
    )
      .includes(statusRequest)
  },
  "1.3.6.1.5.5.7.48.1.5": (value, _, into) => {
    whole(value, "ocsp-nocheck", (der) => der.content(Tag.null, "ocsp-nocheck"))
    into.noCheck = true
  }
}

/** What is read and must not be critical (RFC 5280 sections 4.2.1.1, 4.2.1.2, 4.2.2.1): there it counts as unknown. */
const knownUncritical: Readonly<Record<string, Reader>> = {
  "2.5.29.14": (value, _, into) => {
    into.subjectKeyIdentifier = whole(
      value,
      "subjectKeyIdentifier",
      (der) => der.content(Tag.octetString, "subjectKeyIdentifier")
    )
  },
  "2.5.29.35": readAuthorityKeyIdentifier,
  "1.3.6.1.5.5.7.1.1": readAuthorityInfoAccess
}

/**
 * One `Extension`, in certificates, revocation lists and responses alike.
 *
 * @category models
 * @since 0.1.0
 */
export interface Extension {
  readonly oid: string
  readonly isCritical: boolean
  readonly value: Uint8Array
}

/**
 * Reads `Extensions`: at least one, and none twice (RFC 5280 section 4.2). Throws `Malformed`.
 *
 * @category decoding
 * @since 0.1.0
 */
export const readExtensionList = (der: Der): ReadonlyArray<Extension> => {
  const field = "extensions"
  const seen = new Set<string>()
  return der.list(Tag.sequence, field, 1, (list) =>
    list.within(Tag.sequence, field, (content) => {
      const oid = content.oid(field)
      if (seen.has(oid)) throw new Malformed(field, `holds ${oid} twice`)
      seen.add(oid)
      // FALSE is the default and should be left out; certificates in use write it.
      const isCritical = content.tag === Tag.boolean && content.boolean(field)
      return { oid, isCritical, value: content.content(Tag.octetString, field) }
    }))
}

/**
 * Reads the extensions of a certificate. Throws `Malformed`.
 *
 * @category decoding
 * @since 0.1.0
 */
export const readExtensions = (der: Der): Extensions => {
  const into: Mutable = {}
  for (const { isCritical, oid, value } of readExtensionList(der)) {
    const read = known[oid] ?? knownUncritical[oid]
    if (isCritical && known[oid] === undefined && into.unknownCritical === undefined) into.unknownCritical = oid
    read?.(value, isCritical, into)
  }
  return into
}
