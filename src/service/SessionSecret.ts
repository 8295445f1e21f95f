/**
 * The secret of a session.
 *
 * @since 0.1.0
 */
import { NodeInspectSymbol } from "effect/Inspectable"

const printed = "<redacted>"

/**
 * Bytes that nothing prints, with one owner, who overwrites them. Effect's `Redacted` keeps what it hides in a WeakMap, which every garbage
 * collection goes through: a resumption makes four of these, and would cost a thirtieth more.
 *
 * @example
 * import { SessionSecret } from "effect-tls"
 *
 * const secret = new SessionSecret(Uint8Array.of(1, 2, 3))
 * console.log(`${secret}`, JSON.stringify({ secret }), secret.bytes.length) // <redacted> {"secret":"<redacted>"} 3
 *
 * @category models
 * @since 0.1.0
 */
export class SessionSecret {
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** The secret itself: what takes it out of here prints it. */
  get bytes(): Uint8Array {
    return this.#bytes
  }

  /** The same secret in bytes of their own. */
  copy(): SessionSecret {
    return new SessionSecret(this.#bytes.slice())
  }

  /** Overwrites the bytes. */
  wipe(): void {
    this.#bytes.fill(0)
  }

  toString(): string {
    return printed
  }

  toJSON(): string {
    return printed
  }

  [NodeInspectSymbol](): string {
    return printed
  }
}
