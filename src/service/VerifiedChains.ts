/**
 * Chains that were accepted before, so that a server that is talked to again is not judged from scratch. Bounded, and good for
 * as long as the judgement would be the same.
 *
 * @since 0.1.0
 */
import type { Primitives } from "../secret/Primitives.ts"
import { concat, empty, fromText, toHex } from "../wire/Bytes.ts"
import type { Peer } from "../x509/Rules.ts"
import type { VerifiedChain } from "./VerifiedChain.ts"

interface Entry {
  readonly verified: VerifiedChain
  /** Seconds since the epoch, both included. */
  readonly notBefore: number
  readonly notAfter: number
}

/**
 * The verdicts of one trust. What was refused is not kept.
 *
 * @category models
 * @since 0.1.0
 */
export class VerifiedChains {
  readonly #primitives: Primitives["Service"]
  readonly #size: number
  // In the order of their last use.
  readonly #entries = new Map<string, Entry>()

  constructor(primitives: Primitives["Service"], size: number) {
    this.#primitives = primitives
    this.#size = size
  }

  /** Differs wherever a judgement may differ: by the chain, whom it is for, and what was stapled. */
  keyOf(chain: ReadonlyArray<Uint8Array>, peer: Peer): string {
    const status = peer.role === "server" ? peer.status : undefined
    const about = peer.role === "client"
      ? ["client"]
      : ["server", "host" in peer ? ["host", peer.host] : ["address", peer.address]]
    const lengths = chain.map((der) => der.length)
    const head = fromText(JSON.stringify([about, lengths, status !== undefined, status?.stapled?.length]))
    return toHex(this.#primitives.digest("sha256", concat([head, ...chain, status?.stapled ?? empty])))
  }

  /** `seconds` is the time, since the epoch. */
  get(key: string, seconds: number): VerifiedChain | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined || seconds < entry.notBefore || seconds > entry.notAfter) return undefined
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    return entry.verified
  }

  set(key: string, entry: Entry): void {
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#size) break
      this.#entries.delete(oldest)
    }
  }
}
