/**
 * What the judgement of one chain may cost. The chain is what a stranger sent, so every step that its size or shape can multiply
 * is counted.
 *
 * @since 0.1.0
 */

/**
 * @category models
 * @since 0.1.0
 */
export interface Limits {
  /** Certificates in the chain as sent: 16. */
  readonly certificates: number
  /** Bytes of the chain as sent, and of a stapled status: 64 KiB each. */
  readonly bytes: number
  /** Certificates of a path between the leaf and the anchor: 8. */
  readonly intermediates: number
  /** Candidates that are looked at while a path is built: 1,000. */
  readonly candidates: number
  /** Signatures that are verified: 320, one of RSA-4096 or Ed25519 counting for 3, of RSA-8192 for 8, of P-384 for 16, of P-521 for 32. */
  readonly signatures: number
  /** Names that are held against a name constraint: 20,000. */
  readonly comparisons: number
}

/**
 * @category constants
 * @since 0.1.0
 */
export const defaultLimits: Limits = {
  certificates: 16,
  bytes: 64 * 1024,
  intermediates: 8,
  candidates: 1_000,
  signatures: 320,
  comparisons: 20_000
}

/**
 * Thrown where a limit is passed; `Path.judge` turns it into a fault.
 *
 * @category errors
 * @since 0.1.0
 */
export class Spent {
  readonly what: string
  readonly limit: number
  constructor(what: string, limit: number) {
    this.what = what
    this.limit = limit
  }
}

/**
 * The limits of one judgement, counted down. Each method throws `Spent` where there is no more.
 *
 * @category models
 * @since 0.1.0
 */
export class Budget {
  readonly limits: Limits
  readonly #left: { candidates: number; signatures: number; comparisons: number }

  constructor(limits: Limits) {
    this.limits = limits
    this.#left = { candidates: limits.candidates, signatures: limits.signatures, comparisons: limits.comparisons }
  }

  candidate(): void {
    this.#spend("candidates", 1)
  }

  /** `cost` is that of the key (`SubjectKey`). */
  signature(cost: number): void {
    this.#spend("signatures", cost)
  }

  comparisons(count: number): void {
    this.#spend("comparisons", count)
  }

  /** Of the chain as sent: its `certificates` or its `bytes`. */
  size(what: "certificates" | "bytes", size: number): void {
    if (size > this.limits[what]) throw new Spent(what, this.limits[what])
  }

  #spend(what: "candidates" | "signatures" | "comparisons", count: number): void {
    this.#left[what] -= count
    if (this.#left[what] < 0) throw new Spent(what, this.limits[what])
  }
}
