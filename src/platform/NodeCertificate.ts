/**
 * Certificates, as `node:crypto` reads them.
 *
 * @since 0.1.0
 */
import { constants, type KeyObject, verify, X509Certificate } from "node:crypto"
import type { PlatformCertificate, PublicKey, SignatureAlgorithm } from "../secret/Primitives.ts"
import { plain } from "./NodeBytes.ts"
import { hasRsaLength, NodePublicKey } from "./NodeKeys.ts"

// OpenSSL prints one part of a name on each line, and escapes control characters of the C0 set only. The separators and
// direction marks of Unicode would let a name pass for something else in a log.
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

const onOneLine = (name: string | undefined): string =>
  (name ?? "").replaceAll("\n", ", ").replace(
    unprintable,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
  )

interface Algorithm {
  readonly keyType: "rsa" | "ec" | "ed25519"
  /** Ed25519 hashes by itself. */
  readonly hash: string | undefined
  readonly isPss?: boolean
}

const pss = constants.RSA_PKCS1_PSS_PADDING

const algorithms: { readonly [Name in SignatureAlgorithm]: Algorithm } = {
  "rsa-pkcs1-sha256": { keyType: "rsa", hash: "sha256" },
  "rsa-pkcs1-sha384": { keyType: "rsa", hash: "sha384" },
  "rsa-pkcs1-sha512": { keyType: "rsa", hash: "sha512" },
  "rsa-pss-sha256": { keyType: "rsa", hash: "sha256", isPss: true },
  "rsa-pss-sha384": { keyType: "rsa", hash: "sha384", isPss: true },
  "rsa-pss-sha512": { keyType: "rsa", hash: "sha512", isPss: true },
  "ecdsa-sha256": { keyType: "ec", hash: "sha256" },
  "ecdsa-sha384": { keyType: "ec", hash: "sha384" },
  "ecdsa-sha512": { keyType: "ec", hash: "sha512" },
  ed25519: { keyType: "ed25519", hash: undefined }
}

/**
 * Parsed once; what is not asked for is not computed.
 *
 * @category models
 * @since 0.1.0
 */
export class NodeCertificate implements PlatformCertificate {
  readonly #x509: X509Certificate
  readonly #der: Uint8Array
  #key: KeyObject | undefined
  #publicKey: PublicKey | undefined
  #publicKeyKnown = false

  private constructor(x509: X509Certificate, der: Uint8Array) {
    this.#x509 = x509
    this.#der = der
  }

  /** `undefined` for what is not, from its first to its last byte, the DER of a certificate with readable times. */
  static parse(der: Uint8Array): NodeCertificate | undefined {
    try {
      const x509 = new X509Certificate(der)
      // X509Certificate also takes PEM, trailing bytes, some BER, and times that it cannot read.
      const raw = x509.raw
      const isWhole = raw.equals(der) && [x509.validFrom, x509.validTo].every((time) => !Number.isNaN(Date.parse(time)))
      return isWhole ? new NodeCertificate(x509, plain(raw)) : undefined
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

  verifies(name: SignatureAlgorithm, message: Uint8Array, signature: Uint8Array): boolean {
    const { hash, isPss, keyType } = algorithms[name]
    try {
      const key = this.#keyObject
      if (key.asymmetricKeyType !== keyType) return false
      if (keyType === "rsa" && !hasRsaLength(signature, this.publicKey?.bits ?? 0)) return false
      // PKCS#1 and DER are what node:crypto does without options, which cost it a third of the time of a verification.
      const input = isPss ? { key, padding: pss, saltLength: constants.RSA_PSS_SALTLEN_DIGEST } : key
      return verify(hash, message, input, signature)
    } catch {
      // A key or signature that OpenSSL cannot take has verified nothing.
      return false
    }
  }
}
