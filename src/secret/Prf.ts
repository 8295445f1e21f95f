/**
 * The pseudorandom function of TLS 1.2, RFC 5246 section 5.
 *
 * @since 0.1.0
 */
import { concat, copyPart, fromText } from "../wire/Bytes.ts"
import type { HashName, Mac, Primitives } from "./Primitives.ts"

/**
 * The PRF with its secret already set: `PRF(secret, label, seed)`, cut to `length` bytes. The seed may come in parts.
 *
 * @category models
 * @since 0.1.0
 */
export type Prf = (label: string, seed: ReadonlyArray<Uint8Array>, length: number) => Uint8Array

/**
 * `P_hash(secret, seed)` for the secret of `mac`.
 *
 * @category combinators
 * @since 0.1.0
 */
export const expand = (mac: Mac, seed: Uint8Array, length: number): Uint8Array => {
  const out = new Uint8Array(length)
  // A(0) is the seed, which is public; every later A(i) and every block goes away as soon as it has been used.
  let chained = seed
  for (let at = 0; at < length;) {
    const next = mac.sign(chained)
    if (chained !== seed) chained.fill(0)
    chained = next
    const block = mac.sign(chained, seed)
    copyPart(block, out, at)
    at += block.length
    block.fill(0)
  }
  if (chained !== seed) chained.fill(0)
  return out
}

const over = (mac: Mac): Prf => (label, seed, length) => expand(mac, concat([fromText(label), ...seed]), length)

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
