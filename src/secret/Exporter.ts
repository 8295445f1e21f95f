/**
 * Exporters, RFC 5705 and RFC 8446 section 7.5.
 *
 * @since 0.1.0
 */

/**
 * That many bytes for a label and a context. In TLS 1.2 no context and an empty one differ.
 *
 * @category models
 * @since 0.1.0
 */
export type Material = (label: string, context: Uint8Array | undefined, length: number) => Uint8Array

/**
 * Makes keying material for the application, until it is told to forget.
 *
 * @category models
 * @since 0.1.0
 */
export class Exporter {
  readonly #secret: Uint8Array
  readonly #make: Material
  #isForgotten = false

  /** It owns `secret` from here on; `make` works on those very bytes. */
  constructor(secret: Uint8Array, make: Material) {
    this.#secret = secret
    this.#make = make
  }

  /** `undefined` where the secret is gone. */
  material(...asked: Parameters<Material>): Uint8Array | undefined {
    return this.#isForgotten ? undefined : this.#make(...asked)
  }

  /** Overwrites the secret. */
  forget(): void {
    this.#isForgotten = true
    this.#secret.fill(0)
  }
}
