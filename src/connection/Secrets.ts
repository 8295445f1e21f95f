/**
 * What is overwritten with the handshake, and what with the connection (law 12).
 *
 * @since 0.1.0
 */
import type { Exporter } from "../secret/Exporter.ts"

/**
 * @category models
 * @since 0.1.0
 */
export class Secrets {
  readonly #ofHandshake: Array<Uint8Array> = []
  #exporter: Exporter | undefined

  /** Bytes that go when the handshake is over, however it ends. */
  keep(bytes: Uint8Array): void {
    this.#ofHandshake.push(bytes)
  }

  /** What the application may use as long as it has the connection. */
  keepExporter(exporter: Exporter): void {
    this.#exporter = exporter
  }

  endHandshake(): void {
    for (const bytes of this.#ofHandshake.splice(0)) bytes.fill(0)
  }

  /** The scope of the connection has ended, or the connection failed. */
  endConnection(): void {
    this.endHandshake()
    this.#exporter?.forget()
  }
}
