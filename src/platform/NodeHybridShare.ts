/**
 * X25519MLKEM768 (draft-ietf-tls-ecdhe-mlkem) over `node:crypto`, where the runtime has ML-KEM.
 *
 * @since 0.1.0
 */
import * as crypto from "node:crypto"
import type { KeyShare } from "../secret/Primitives.ts"
import { concat, fromHex } from "../wire/Bytes.ts"
import { plain } from "./NodeBytes.ts"
import { withoutStackTraces } from "./NodeKeys.ts"
import { generatePair, NodeKeyShare, publicText } from "./NodeKeyShare.ts"

const group = "x25519mlkem768"
const encapsulationKeyLength = 1184
const ciphertextLength = 1088
const x25519Length = 32

/**
 * Whether this runtime has ML-KEM-768, and keys in the raw form.
 *
 * @category constants
 * @since 0.1.0
 */
export const isAvailable: boolean = (() => {
  // A named import would not even load where the runtime has no such function.
  if (typeof Reflect.get(crypto, "encapsulate") !== "function") return false
  try {
    return crypto.generateKeyPairSync("ml-kem-768").publicKey.export({ format: "raw-public" }).length ===
      encapsulationKeyLength
  } catch {
    return false
  }
})()

// The DER of a SubjectPublicKeyInfo for id-alg-ml-kem-768 (2.16.840.1.101.3.4.4.2) up to the encapsulation key.
const spki = fromHex("308204b2300b0609608648016503040402038204a100")

const exported = (key: crypto.KeyObject | Uint8Array): Uint8Array =>
  key instanceof Uint8Array ? key : key.export({ format: "raw-public" })

// Without a key object for a key that is used once, where the runtime takes it so.
const takesText = isAvailable && ((): boolean => {
  try {
    const { publicKey } = generatePair("ml-kem-768")
    return crypto.encapsulate(publicText(spki, exported(publicKey))).ciphertext.length === ciphertextLength
  } catch {
    return false
  }
})()

/**
 * The client's side: section 3.1, the ML-KEM encapsulation key and then the X25519 key.
 *
 * @category models
 * @since 0.1.0
 */
export class NodeHybridShare implements KeyShare {
  readonly group = group
  readonly publicKey: Uint8Array
  readonly #decapsulationKey: crypto.KeyObject
  readonly #x25519: NodeKeyShare

  /** A fresh pair, or the one of these 96 bytes: the seed of ML-KEM (64), and the scalar of X25519. */
  constructor(privateKey?: Uint8Array) {
    const pair = privateKey === undefined ? generatePair("ml-kem-768") : undefined
    this.#decapsulationKey = pair?.privateKey ?? crypto.createPrivateKey({
      key: Buffer.from(privateKey?.subarray(0, 64) ?? []),
      format: "raw-seed",
      asymmetricKeyType: "ml-kem-768"
    })
    this.#x25519 = new NodeKeyShare("x25519", privateKey?.subarray(64))
    const encapsulationKey = pair?.publicKey ?? crypto.createPublicKey(this.#decapsulationKey)
    this.publicKey = concat([exported(encapsulationKey), this.#x25519.publicKey])
  }

  agree(peer: Uint8Array): Uint8Array | undefined {
    if (peer.length !== ciphertextLength + x25519Length) return undefined
    const classical = this.#x25519.agree(peer.subarray(ciphertextLength))
    if (classical === undefined) return undefined
    // ML-KEM has no wrong ciphertext: one that was tampered with gives another secret.
    const quantum = plain(crypto.decapsulate(this.#decapsulationKey, peer.subarray(0, ciphertextLength)))
    return joined(quantum, classical)
  }
}

/** Section 3.3: the secret of ML-KEM first. */
const joined = (quantum: Uint8Array, classical: Uint8Array): Uint8Array => {
  const secret = concat([quantum, classical])
  quantum.fill(0)
  classical.fill(0)
  return secret
}

/**
 * The server's side: section 3.2, the ML-KEM ciphertext and then the X25519 key. `undefined` where the client's share is not
 * one.
 *
 * @category constructors
 * @since 0.1.0
 */
export const respond = (
  peer: Uint8Array,
  x25519: NodeKeyShare
): { readonly publicKey: Uint8Array; readonly secret: Uint8Array } | undefined => {
  if (peer.length !== encapsulationKeyLength + x25519Length) return undefined
  const classical = x25519.agree(peer.subarray(encapsulationKeyLength))
  if (classical === undefined) return undefined
  let sealed: { readonly sharedKey: Buffer<ArrayBuffer>; readonly ciphertext: Buffer<ArrayBuffer> }
  try {
    const text = publicText(spki, peer.subarray(0, encapsulationKeyLength))
    sealed = crypto.encapsulate(takesText ? text : withoutStackTraces(() => crypto.createPublicKey(text)))
  } catch {
    // FIPS 203 section 7.2: the key failed its check.
    classical.fill(0)
    return undefined
  }
  return {
    publicKey: concat([sealed.ciphertext, x25519.publicKey]),
    secret: joined(plain(sealed.sharedKey), classical)
  }
}
