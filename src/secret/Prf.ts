/**
 * The pseudorandom function of TLS 1.2, RFC 5246 section 5.
 *
 * @since 0.1.0
 */
import { copyPart, fromText } from "../wire/Bytes.ts"
import type { HashName, Mac, Primitives } from "./Primitives.ts"

/**
 * The PRF with its secret already set: `PRF(secret, label, seed)`, cut to `length` bytes. The seed may come in parts.
 *
 * @category models
 * @since 0.1.0
 */
export type Prf = (label: string, seed: ReadonlyArray<Uint8Array>, length: number) => Uint8Array

/**
 * `P_hash(secret, seed)` for the secret of `mac`. The seed may come in parts.
 *
 * @category combinators
 * @since 0.1.0
 */
export const expand = (mac: Mac, seed: ReadonlyArray<Uint8Array>, length: number): Uint8Array => {
  const out = new Uint8Array(length)
  // A(0) is the seed, which is public; every A(i) after it and every block goes away as soon as it has been used.
  let chained = mac.sign(...seed)
  for (let at = 0; at < length;) {
    const block = mac.sign(chained, ...seed)
    copyPart(block, out, at)
    at += block.length
    block.fill(0)
    const used = chained
    if (at < length) chained = mac.sign(used)
    used.fill(0)
  }
  chained.fill(0)
  return out
}

const over = (mac: Mac): Prf => (label, seed, length) => expand(mac, [fromText(label), ...seed], length)

/**
 * The PRF of one secret, until it is overwritten.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  primitives: Pick<Primitives["Service"], "passingMac">,
  hash: HashName,
  secret: Uint8Array
): Prf => over(primitives.passingMac(hash, secret))
