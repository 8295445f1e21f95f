/**
 * Certificates, as `node:crypto` reads them.
 *
 * @since 0.1.0
 */
import { X509Certificate } from "node:crypto"
import type { KeyObject } from "node:crypto"
import { isIP } from "node:net"
import type { PlatformCertificate, PublicKey } from "../secret/Primitives.ts"
import { plain } from "./NodeBytes.ts"
import { NodePublicKey } from "./NodeKeys.ts"

// RFC 6125, RFC 9525: subject alternative names only, one wildcard, alone in the leftmost label.
const hostRules = {
  subject: "never",
  wildcards: true,
  partialWildcards: false,
  multiLabelWildcards: false,
  singleLabelSubdomains: false
} as const

// OpenSSL prints one part of a name on each line, and escapes control characters of the C0 set only. The separators and
// direction marks of Unicode would let a name pass for something else in a log.
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

const onOneLine = (name: string | undefined): string =>
  (name ?? "").replaceAll("\n", ", ").replace(
    unprintable,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
  )

/**
 * Parsed once; what is not asked for is not computed.
 *
 * @category models
 * @since 0.1.0
 */
export class NodeCertificate implements PlatformCertificate {
  readonly #x509: X509Certificate
  readonly #der: Uint8Array
  readonly notBefore: number
  readonly notAfter: number
  #key: KeyObject | undefined
  #publicKey: PublicKey | undefined
  #publicKeyKnown = false

  private constructor(x509: X509Certificate, der: Uint8Array) {
    this.#x509 = x509
    this.#der = der
    // `validFromDate` and `validToDate` are uninitialised memory where OpenSSL cannot read the time; the text says so.
    this.notBefore = Date.parse(x509.validFrom)
    this.notAfter = Date.parse(x509.validTo)
  }

  /** `undefined` for what is not, from its first to its last byte, the DER of a certificate with readable times. */
  static parse(der: Uint8Array): NodeCertificate | undefined {
    try {
      const x509 = new X509Certificate(der)
      // X509Certificate also takes PEM, trailing bytes, and some BER.
      const raw = x509.raw
      if (!raw.equals(der)) return undefined
      const certificate = new NodeCertificate(x509, plain(raw))
      return Number.isNaN(certificate.notBefore) || Number.isNaN(certificate.notAfter) ? undefined : certificate
    } catch {
      return undefined
    }
  }

  get der(): Uint8Array {
    return this.#der
  }

  get subject(): string {
    return onOneLine(this.#x509.subject)
  }

  get issuer(): string {
    return onOneLine(this.#x509.issuer)
  }

  get isAuthority(): boolean {
    return this.#x509.ca
  }

  get extendedKeyUsage(): ReadonlyArray<string> | undefined {
    // Node calls it `keyUsage`, but it is the extended one, and undefined where the certificate has none.
    return this.#x509.keyUsage
  }

  /** `X509Certificate` makes a new one each time. */
  get #keyObject(): KeyObject {
    return this.#key ??= this.#x509.publicKey
  }

  get publicKey(): PublicKey | undefined {
    if (!this.#publicKeyKnown) {
      try {
        this.#publicKey = NodePublicKey.of(this.#keyObject)
      } catch {
        // An algorithm that OpenSSL does not know.
      }
      this.#publicKeyKnown = true
    }
    return this.#publicKey
  }

  namesAsIssuer(issuer: PlatformCertificate): boolean {
    const other = NodeCertificate.#of(issuer)
    return other !== undefined && this.#x509.checkIssued(other.#x509)
  }

  signedBy(issuer: PlatformCertificate): boolean {
    try {
      const other = NodeCertificate.#of(issuer)
      return other !== undefined && this.#x509.verify(other.#keyObject)
    } catch {
      return false
    }
  }

  isForHost(name: string): boolean {
    // OpenSSL reads a leading dot as "any host below". An address is no name, even where a certificate has it as one.
    if (name.startsWith(".") || name.includes("\0") || isIP(name) !== 0) return false
    return this.#x509.checkHost(name, hostRules) !== undefined
  }

  isForAddress(address: string): boolean {
    return isIP(address) !== 0 && this.#x509.checkIP(address) !== undefined
  }

  static #of(certificate: PlatformCertificate): NodeCertificate | undefined {
    return certificate instanceof NodeCertificate ? certificate : NodeCertificate.parse(certificate.der)
  }
}
