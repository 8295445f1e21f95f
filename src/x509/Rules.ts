/**
 * The rules for one certificate in its place, RFC 5280 sections 4 and 6.1, as the Web uses them.
 *
 * @since 0.1.0
 */
import type { CertificateFault } from "../alert/Fault.ts"
import type { Certificate } from "./Certificate.ts"
import { KeyUsage, Purpose } from "./Extension.ts"
import { isFor, type Reference } from "./Host.ts"
import { formatTime } from "./Time.ts"

/**
 * Whose certificate is judged. A server is named by what the application asked for; a client names itself.
 *
 * @category models
 * @since 0.1.0
 */
export type Peer =
  | Reference & { readonly role: "server"; readonly status?: AskedStatus | undefined }
  | { readonly role: "client" }

/**
 * Present where the server was asked for the status of its certificate (RFC 6066 section 8).
 *
 * @category models
 * @since 0.1.0
 */
export interface AskedStatus {
  /** The OCSP response that it stapled, in DER; `undefined` where it had none. */
  readonly stapled: Uint8Array | undefined
}

const unsupported = (depth: number, why: string): CertificateFault => ({ _tag: "CertificateUnsupported", depth, why })
const unfit = (depth: number, why: string): CertificateFault => ({ _tag: "CertificateIssuerUnfit", depth, why })
const misused = (depth: number, why: string): CertificateFault => ({ _tag: "CertificateUsageWrong", depth, why })
const malformed = (depth: number, why: string): CertificateFault => ({ _tag: "CertificateMalformed", depth, why })

/**
 * RFC 5280 section 4.1.2.5: both ends belong to it. `now` is in whole seconds.
 *
 * @category rules
 * @since 0.1.0
 */
export const judgeTime = (certificate: Certificate, depth: number, now: number): CertificateFault | undefined =>
  now > certificate.notAfter
    ? { _tag: "CertificateExpired", depth, notAfter: formatTime(certificate.notAfter) }
    : now < certificate.notBefore
    ? { _tag: "CertificateNotYetValid", depth, notBefore: formatTime(certificate.notBefore) }
    : undefined

const maxSerialLength = 20

/**
 * What holds for every certificate of a path, anchors included: its key counts, and nothing in it is critical and unknown.
 *
 * @category rules
 * @since 0.1.0
 */
export const judgeAny = (certificate: Certificate, depth: number): CertificateFault | undefined => {
  const { extensions, key } = certificate
  if (extensions.unknownCritical !== undefined) {
    return { _tag: "CertificateExtensionUnknown", depth, extension: extensions.unknownCritical }
  }
  if (extensions.policyConstraints === true) {
    return unsupported(depth, "it has policy constraints, and policies are not processed")
  }
  if (key._tag === "Weak") return { _tag: "CertificateKeyWeak", depth, why: key.why }
  return key._tag === "Unknown"
    ? unsupported(depth, `its key is of a kind that is not used here (${key.oid})`)
    : undefined
}

/** What holds for certificates that a stranger sent. */
const judgeSent = (certificate: Certificate, depth: number): CertificateFault | undefined => {
  const { issuer, serial, version } = certificate
  if (version !== 3) return unsupported(depth, `it is of version ${version}, where extensions need version 3`)
  if (issuer.parts.length === 0) return malformed(depth, "its issuer has no name")
  // RFC 5280 section 4.1.2.2
  const isPositive = (serial[0] ?? 0) < 0x80 && serial.some((byte) => byte > 0)
  if (!isPositive || serial.length > maxSerialLength) {
    return malformed(depth, "its serial number is not from 1 to 2^159 - 1")
  }
  return undefined
}

/**
 * The place of an issuer: `below` counts the intermediates under it that are not self-issued.
 *
 * @category models
 * @since 0.1.0
 */
export interface Place {
  readonly depth: number
  readonly below: number
  readonly isAnchor: boolean
  /** See `Path.Policy`. */
  readonly mayBeUncritical: boolean
}

/** RFC 5280 sections 4.2.1.9 and 4.2.1.3. An anchor of version 1 cannot say that it is one. */
const judgeAuthority = (issuer: Certificate, place: Place): CertificateFault | undefined => {
  const { below, depth } = place
  const { basicConstraints, keyUsage } = issuer.extensions
  if (issuer.version === 1 && place.isAnchor) return undefined
  if (basicConstraints === undefined || !basicConstraints.isAuthority) {
    return unfit(depth, "it is not the certificate of an authority")
  }
  if (!basicConstraints.isCritical && !place.mayBeUncritical) {
    return unfit(depth, "its basic constraints are not critical")
  }
  if (keyUsage !== undefined && (keyUsage & KeyUsage.keyCertSign) === 0) {
    return unfit(depth, "its key usage does not allow it to sign certificates")
  }
  const { pathLength } = basicConstraints
  return pathLength !== undefined && below > pathLength
    ? unfit(depth, `it allows ${pathLength} intermediates below it, and there are ${below}`)
    : undefined
}

const purposes = { server: Purpose.serverAuth, client: Purpose.clientAuth } as const

/**
 * Whether a certificate that has signed another may do so in its place.
 *
 * @category rules
 * @since 0.1.0
 */
export const judgeIssuer = (
  issuer: Certificate,
  place: Place,
  role: Peer["role"],
  now: number
): CertificateFault | undefined => {
  const { depth } = place
  const fault = (place.isAnchor ? undefined : judgeSent(issuer, depth)) ?? judgeAuthority(issuer, place)
  if (fault !== undefined) return fault
  const usage = issuer.extensions.extendedKeyUsage
  if (usage !== undefined && !usage.includes(purposes[role]) && !usage.includes(Purpose.any)) {
    return misused(depth, `its extended key usage allows it no ${role}s`)
  }
  return judgeTime(issuer, depth, now)
}

/**
 * What can be said about a leaf before anybody vouches for it.
 *
 * @category rules
 * @since 0.1.0
 */
export const judgeLeafForm = (leaf: Certificate, isAnchor: boolean): CertificateFault | undefined => {
  const { basicConstraints, nameConstraints, subjectAltName } = leaf.extensions
  const fault = judgeAny(leaf, 0) ?? judgeSent(leaf, 0)
  if (fault !== undefined) return fault
  // RFC 5280 section 4.1.2.6
  if (leaf.subject.parts.length === 0 && subjectAltName?.isCritical !== true) {
    return malformed(0, "it has neither a subject nor critical alternative names")
  }
  const isAuthority = basicConstraints?.isAuthority === true
  // Whoever trusts an authority as it stands, such as one made for development, may also talk to it.
  if (isAuthority && !isAnchor) return misused(0, "it is the certificate of an authority, not of a peer")
  return nameConstraints !== undefined && !isAuthority
    ? malformed(0, "it has name constraints and is no authority")
    : undefined
}

/**
 * RFC 5246 section 7.4.2, RFC 8446 section 4.4.2.2: the key signs in every handshake of ours.
 *
 * @category rules
 * @since 0.1.0
 */
export const judgeSigning = ({ extensions: { keyUsage } }: Certificate): CertificateFault | undefined =>
  keyUsage !== undefined && (keyUsage & KeyUsage.digitalSignature) === 0
    ? misused(0, "its key usage does not allow it to sign handshakes")
    : undefined

/**
 * Whether a leaf, once it is vouched for, is good for this peer now.
 *
 * @category rules
 * @since 0.1.0
 */
export const judgeLeafUse = (leaf: Certificate, peer: Peer, now: number): CertificateFault | undefined => {
  const { extendedKeyUsage, subjectAltName } = leaf.extensions
  const fault = judgeTime(leaf, 0, now) ?? judgeSigning(leaf)
  if (fault !== undefined) return fault
  if (extendedKeyUsage !== undefined && !extendedKeyUsage.includes(purposes[peer.role])) {
    return misused(0, `its extended key usage does not allow a ${peer.role}`)
  }
  if (peer.role === "client") return undefined
  return isFor(subjectAltName?.names ?? [], peer)
    ? undefined
    : { _tag: "CertificateNameMismatch", name: "host" in peer ? peer.host : peer.address }
}
