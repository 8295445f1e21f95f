/**
 * The proof that a chain of certificates was judged and accepted.
 *
 * @since 0.1.0
 */
import type { PublicKey } from "../secret/Primitives.ts"
import type { Certificate } from "../x509/Certificate.ts"

const proof: unique symbol = Symbol("effect-tls/VerifiedChain")

/**
 * The proof that a chain was judged and accepted. Only `verified` makes one.
 *
 * @category models
 * @since 0.1.0
 */
export interface VerifiedChain {
  readonly [proof]: true
  /** As the peer sent it, leaf first. */
  readonly chain: ReadonlyArray<Uint8Array>
  /** The key that the peer still has to prove it holds. */
  readonly publicKey: PublicKey
  /** From the leaf to the anchor, both included; empty where nobody looked for a path. */
  readonly path: ReadonlyArray<Certificate>
  /**
   * When the judgement has run out, in milliseconds since the epoch: with the first certificate, revocation list or response that does.
   * No session goes on after that. `undefined` where nobody says.
   */
  readonly until: number | undefined
}

/**
 * For those who write a `Trust` of their own: says that this chain was judged and accepted. Without `until` a session may outlive its
 * certificates.
 *
 * @category constructors
 * @since 0.1.0
 */
export const verified = (
  chain: ReadonlyArray<Uint8Array>,
  publicKey: PublicKey,
  path: ReadonlyArray<Certificate> = [],
  until?: number
): VerifiedChain => ({ [proof]: true, chain, publicKey, path, until })
