/**
 * Signature keys over `node:crypto`.
 *
 * @since 0.1.0
 */
import { constants, createPrivateKey, createPublicKey, sign, verify } from "node:crypto"
import type { KeyObject } from "node:crypto"
import type { HashName, KeyType, PrivateKey, PublicKey } from "../secret/Primitives.ts"
import type { SignatureScheme } from "../wire/CodePoints.ts"

interface Scheme {
  /** `undefined` for EdDSA, which hashes by itself. */
  readonly hash: HashName | undefined
  readonly padding?: number
}

const pkcs1 = constants.RSA_PKCS1_PADDING
const pss = constants.RSA_PKCS1_PSS_PADDING

// In TLS 1.2 the curve is not part of an ECDSA scheme (RFC 8446 section 4.2.3): any curve goes with any hash. A scheme
// without a padding is for a key on a curve.
const schemes: { readonly [Name in SignatureScheme]: Scheme } = {
  ecdsa_secp256r1_sha256: { hash: "sha256" },
  ecdsa_secp384r1_sha384: { hash: "sha384" },
  ecdsa_secp521r1_sha512: { hash: "sha512" },
  rsa_pss_rsae_sha256: { hash: "sha256", padding: pss },
  rsa_pss_rsae_sha384: { hash: "sha384", padding: pss },
  rsa_pss_rsae_sha512: { hash: "sha512", padding: pss },
  rsa_pkcs1_sha256: { hash: "sha256", padding: pkcs1 },
  rsa_pkcs1_sha384: { hash: "sha384", padding: pkcs1 },
  rsa_pkcs1_sha512: { hash: "sha512", padding: pkcs1 },
  ed25519: { hash: undefined }
}

const fits = (type: KeyType, scheme: Scheme): boolean =>
  type === "ed25519"
    ? scheme.hash === undefined
    : scheme.hash !== undefined && (type === "rsa") === (scheme.padding !== undefined)

/**
 * Runs calls of `node:crypto` that throw and catch inside, each with a stack trace: that is how it tells its kinds of key apart.
 * Without the traces an X25519 key is imported in 5 us, not in 15 to 25.
 *
 * @category combinators
 * @since 0.1.0
 */
export const withoutStackTraces = <A>(run: () => A): A => {
  const limit = Error.stackTraceLimit
  // Where the globals are frozen, it stays as it is.
  if (!Reflect.set(Error, "stackTraceLimit", 0)) return run()
  try {
    return run()
  } finally {
    Error.stackTraceLimit = limit
  }
}

// RFC 8446 section 4.2.3: the salt is as long as the hash, and MGF1 uses the same hash (the default of node:crypto). A key
// alone takes no detour; ECDSA signatures are DER by default.
const inputOf = (key: KeyObject, { padding }: Scheme) =>
  padding === undefined ?
    key :
    padding === pss ?
    { key, padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST } :
    { key, padding }

const curves: { readonly [name: string]: { readonly type: KeyType; readonly bits: number } } = {
  prime256v1: { type: "ec-p256", bits: 256 },
  secp384r1: { type: "ec-p384", bits: 384 },
  secp521r1: { type: "ec-p521", bits: 521 }
}

const kindOf = (key: KeyObject): { readonly type: KeyType; readonly bits: number } | undefined => {
  const details = key.asymmetricKeyDetails
  if (key.asymmetricKeyType === "rsa") return { type: "rsa", bits: details?.modulusLength ?? 0 }
  if (key.asymmetricKeyType === "ed25519") return { type: "ed25519", bits: 256 }
  if (key.asymmetricKeyType === "ec") return curves[details?.namedCurve ?? ""]
  return undefined
}

/**
 * RFC 8017 sections 8.1.2 and 8.2.2: a signature is as long as the modulus. OpenSSL also takes one whose leading zeros are left out.
 *
 * @category predicates
 * @since 0.1.0
 */
export const hasRsaLength = (signature: Uint8Array, bits: number): boolean => signature.length === Math.ceil(bits / 8)

/**
 * @category models
 * @since 0.1.0
 */
export class NodePublicKey implements PublicKey {
  readonly type: KeyType
  readonly bits: number
  readonly #key: KeyObject

  private constructor(type: KeyType, bits: number, key: KeyObject) {
    this.type = type
    this.bits = bits
    this.#key = key
  }

  /** `undefined` for a kind of key that this library does not use. */
  static of(key: KeyObject): NodePublicKey | undefined {
    const kind = kindOf(key)
    return kind === undefined ? undefined : new NodePublicKey(kind.type, kind.bits, key)
  }

  is(key: KeyObject): boolean {
    return this.#key.equals(key)
  }

  verify(name: SignatureScheme, message: Uint8Array, signature: Uint8Array): boolean {
    const scheme = schemes[name]
    if (!fits(this.type, scheme)) return false
    if (this.type === "rsa" && !hasRsaLength(signature, this.bits)) return false
    try {
      return withoutStackTraces(() => verify(scheme.hash, message, inputOf(this.#key, scheme), signature))
    } catch {
      // No key or signature is known to bring node:crypto to throw here. If one does, nothing has been verified.
      return false
    }
  }
}

/**
 * The secret is a `KeyObject` behind a private name: what prints is the type.
 *
 * @category models
 * @since 0.1.0
 */
export class NodePrivateKey implements PrivateKey {
  readonly type: KeyType
  readonly #key: KeyObject
  #publicKey: KeyObject | undefined

  private constructor(type: KeyType, key: KeyObject) {
    this.type = type
    this.#key = key
  }

  /** `undefined` for a kind of key that this library does not use, and for RSA below 2048 bits. */
  static of(key: KeyObject): NodePrivateKey | undefined {
    const kind = kindOf(key)
    if (kind === undefined || (kind.type === "rsa" && kind.bits < 2048)) return undefined
    return new NodePrivateKey(kind.type, key)
  }

  sign(name: SignatureScheme, message: Uint8Array): Uint8Array {
    const scheme = schemes[name]
    if (!fits(this.type, scheme)) throw new TypeError(`a key of type ${this.type} cannot sign with ${name}`)
    return new Uint8Array(withoutStackTraces(() => sign(scheme.hash, message, inputOf(this.#key, scheme))))
  }

  matches(publicKey: PublicKey): boolean {
    this.#publicKey ??= createPublicKey(this.#key)
    return publicKey instanceof NodePublicKey && publicKey.is(this.#publicKey)
  }
}

// To OpenSSL 3 the encoding is a hint: it takes the others, too. Nothing says that it will go on doing so.
const encodings = ["pkcs8", "pkcs1", "sec1"] as const

/**
 * @category constructors
 * @since 0.1.0
 */
export const importPrivateKey = (der: Uint8Array): PrivateKey | undefined => {
  // A view, not a copy: node:crypto types ask for a Buffer.
  const key = Buffer.from(der.buffer, der.byteOffset, der.byteLength)
  for (const type of encodings) {
    try {
      return NodePrivateKey.of(createPrivateKey({ key, format: "der", type }))
    } catch {
      // Not in this encoding, or not readable at all: the last one decides.
    }
  }
  return undefined
}
