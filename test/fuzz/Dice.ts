import { createHash } from "node:crypto"

/** Numbers that follow from a seed alone: the same in every run and on every machine. */
export class Dice {
  readonly #seed: string
  #counter = 0

  constructor(seed: string) {
    this.#seed = seed
  }

  bytes(length: number): Uint8Array {
    const blocks = Array.from(
      { length: Math.ceil(length / 32) },
      () => createHash("sha256").update(`${this.#seed}/${this.#counter++}`).digest()
    )
    return new Uint8Array(Buffer.concat(blocks, length))
  }

  /** From 0 up to, not including, `limit`. */
  below(limit: number): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.bytes(4)
    return limit <= 0 ? 0 : (((a << 24) | (b << 16) | (c << 8) | d) >>> 0) % limit
  }

  pick<A>(values: ReadonlyArray<A>): A {
    const value = values[this.below(values.length)]
    if (value === undefined) throw new RangeError("there is nothing to pick from")
    return value
  }
}
