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
  /** A story may go on when the scope has ended around it: what comes then goes at once. */
  #isOver = false

  /** Bytes that go when the handshake is over, however it ends. */
  keep(bytes: Uint8Array): void {
    if (this.#isOver) bytes.fill(0)
    else this.#ofHandshake.push(bytes)
  }

  /** What the application may use as long as it has the connection. */
  keepExporter(exporter: Exporter): void {
    if (this.#isOver) exporter.forget()
    else this.#exporter = exporter
  }

  endHandshake(): void {
    for (const bytes of this.#ofHandshake.splice(0)) bytes.fill(0)
  }

  /** The connection was closed, or it failed. */
  endConnection(): void {
    this.#isOver = true
    this.endHandshake()
    this.#exporter?.forget()
  }
}
