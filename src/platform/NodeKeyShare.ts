/**
 * Ephemeral key agreement (RFC 8422, RFC 7748) over `node:crypto`.
 *
 * @since 0.1.0
 */
import { createPrivateKey, createPublicKey, diffieHellman, generateKeyPairSync } from "node:crypto"
import type { KeyObject } from "node:crypto"
import type { KeyShare } from "../secret/Primitives.ts"
import { concat, fromHex } from "../wire/Bytes.ts"
import type { NamedGroup } from "../wire/CodePoints.ts"
import { plain } from "./NodeBytes.ts"

interface Group {
  /** Of the public key, in bytes, as it is on the wire. */
  readonly publicLength: number
  readonly privateLength: number
  /** The DER of a SubjectPublicKeyInfo up to the public key. */
  readonly spki: Uint8Array
  /** The DER of a PKCS#8 key up to the private key; the NIST curves leave their public key out, OpenSSL computes it. */
  readonly pkcs8: Uint8Array
  readonly generate: () => Pair
}

/** A fresh pair; the public key raw, where the runtime gives it so. */
interface Pair {
  readonly publicKey: KeyObject | Uint8Array
  readonly privateKey: KeyObject
}

// Newer versions of node:crypto give out the public key raw with the pair, without a key object for it. The types do not know that yet, so
// what comes is looked at once.
const generateRaw = generateKeyPairSync as unknown as (type: RawType, options: typeof rawPublic) => Pair
type RawType = "x25519" | "ml-kem-768"
const rawPublic = { publicKeyEncoding: { format: "raw-public" } }
const givesRaw = ((): boolean => {
  try {
    const { privateKey, publicKey } = generateRaw("x25519", rawPublic)
    return publicKey instanceof Uint8Array && publicKey.length === 32 && privateKey.type === "private"
  } catch {
    return false
  }
})()

/**
 * A fresh pair of a type whose public keys have a raw form.
 *
 * @category constructors
 * @since 0.1.0
 */
export const generatePair = (type: RawType): Pair => {
  if (givesRaw) return generateRaw(type, rawPublic)
  // The two branches differ in their type alone: the overloads of node:crypto do not take the union.
  return type === "x25519" ? generateKeyPairSync(type) : generateKeyPairSync(type)
}

type Curve = Exclude<NamedGroup, "x25519mlkem768">

const groups: { readonly [Name in Curve]: Group } = {
  x25519: {
    publicLength: 32,
    privateLength: 32,
    spki: fromHex("302a300506032b656e032100"),
    pkcs8: fromHex("302e020100300506032b656e04220420"),
    generate: () => generatePair("x25519")
  },
  secp256r1: {
    publicLength: 65,
    privateLength: 32,
    spki: fromHex("3059301306072a8648ce3d020106082a8648ce3d030107034200"),
    pkcs8: fromHex("3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420"),
    generate: () => generateKeyPairSync("ec", { namedCurve: "P-256" })
  },
  secp384r1: {
    publicLength: 97,
    privateLength: 48,
    spki: fromHex("3076301006072a8648ce3d020106052b81040022036200"),
    pkcs8: fromHex("304e020100301006072a8648ce3d020106052b81040022043730350201010430"),
    generate: () => generateKeyPairSync("ec", { namedCurve: "P-384" })
  },
  secp521r1: {
    publicLength: 133,
    privateLength: 66,
    spki: fromHex("30819b301006072a8648ce3d020106052b8104002303818600"),
    pkcs8: fromHex("3060020100301006072a8648ce3d020106052b81040023044930470201010442"),
    generate: () => generateKeyPairSync("ec", { namedCurve: "P-521" })
  }
}

/**
 * A public key behind the DER of its SubjectPublicKeyInfo, as text: every other form has `node:crypto` throw and catch four times to tell
 * what kind of key it is given.
 *
 * @category conversions
 * @since 0.1.0
 */
export const publicText = (spki: Uint8Array, publicKey: Uint8Array): string =>
  `-----BEGIN PUBLIC KEY-----\n${Buffer.concat([spki, publicKey]).toString("base64")}\n-----END PUBLIC KEY-----`

const coordinate = (value: string | undefined): Uint8Array => {
  if (value === undefined) throw new Error("node:crypto exported a public key without its coordinates")
  return Buffer.from(value, "base64url")
}

// JWK is as cheap to export as the raw form, and every Node has it. Coordinates have the full length of the field.
const exportPublic = (group: Curve, key: KeyObject | Uint8Array): Uint8Array => {
  if (key instanceof Uint8Array) return new Uint8Array(key)
  const { x, y } = key.export({ format: "jwk" })
  return group === "x25519" ? concat([coordinate(x)]) : concat([Uint8Array.of(4), coordinate(x), coordinate(y)])
}

const importPrivate = (group: Curve, scalar: Uint8Array): KeyObject => {
  const { pkcs8, privateLength } = groups[group]
  if (scalar.length !== privateLength) {
    throw new RangeError(`a private key of ${group} has ${privateLength} bytes, not ${scalar.length}`)
  }
  const der = Buffer.concat([pkcs8, scalar])
  try {
    return createPrivateKey({ key: der, format: "der", type: "pkcs8" })
  } finally {
    der.fill(0)
  }
}

// Without a key object for a share that is used once. Node 22 wants one.
const takesText = ((): boolean => {
  try {
    const { privateKey, publicKey } = groups.x25519.generate()
    return diffieHellman({ privateKey, publicKey: publicText(groups.x25519.spki, exportPublic("x25519", publicKey)) })
      .length > 0
  } catch {
    return false
  }
})()

// Without a branch on a secret byte.
const isZero = (bytes: Uint8Array): boolean => {
  let any = 0
  for (const byte of bytes) any |= byte
  return any === 0
}

/**
 * One side of an agreement. The private half is a `KeyObject` behind a private name.
 *
 * @category models
 * @since 0.1.0
 */
export class NodeKeyShare implements KeyShare {
  readonly group: Curve
  readonly publicKey: Uint8Array
  readonly #privateKey: KeyObject

  constructor(group: Curve, scalar?: Uint8Array) {
    this.group = group
    if (scalar === undefined) {
      const pair = groups[group].generate()
      this.#privateKey = pair.privateKey
      this.publicKey = exportPublic(group, pair.publicKey)
    } else {
      this.#privateKey = importPrivate(group, scalar)
      this.publicKey = exportPublic(group, createPublicKey(this.#privateKey))
    }
  }

  agree(peer: Uint8Array): Uint8Array | undefined {
    const { publicLength } = groups[this.group]
    if (peer.length !== publicLength) return undefined
    // RFC 8422 section 5.4.1: uncompressed is the only form. OpenSSL would take the hybrid one (6, 7), too.
    if (this.group !== "x25519" && peer[0] !== 4) return undefined
    let shared: Uint8Array
    try {
      const text = publicText(groups[this.group].spki, peer)
      shared = plain(
        diffieHellman({ privateKey: this.#privateKey, publicKey: takesText ? text : createPublicKey(text) })
      )
    } catch {
      // Not on the curve, or of small order.
      return undefined
    }
    // OpenSSL refuses the all-zero value itself; RFC 7748 section 6.1 is not left to it. On a NIST curve zero is an
    // x-coordinate like any other.
    return this.group === "x25519" && isZero(shared) ? undefined : shared
  }
}
