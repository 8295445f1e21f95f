/**
 * What is sealed and waits for the transport.
 *
 * @since 0.1.0
 */
import type { Outbound } from "../record/Outbound.ts"
import { concat } from "../wire/Bytes.ts"
import { ContentType } from "../wire/CodePoints.ts"

/**
 * Records in the order of sealing. Protected handshake messages wait for their neighbours: RFC 8446 section 5.1 lets them share a
 * record, as long as the keys stay the same, and one is cheaper to protect and to open than four.
 *
 * @category models
 * @since 0.1.0
 */
export class Outbox {
  readonly #outbound: Outbound
  #records: Array<Uint8Array> = []
  #flight: Array<Uint8Array> = []

  constructor(outbound: Outbound) {
    this.#outbound = outbound
  }

  /** What waits, for who adds to it what it seals itself. */
  get records(): Array<Uint8Array> {
    this.sealFlight()
    return this.#records
  }

  /** All that is to be handed over, which is no longer in here. */
  take(): ReadonlyArray<Uint8Array> {
    this.sealFlight()
    const records = this.#records
    if (records.length > 0) this.#records = []
    return records
  }

  get isEmpty(): boolean {
    return this.#flight.length === 0 && this.#records.length === 0
  }

  addHandshake(message: Uint8Array): void {
    this.#flight.push(message)
    if (!this.#outbound.state.current.protection.isProtected) this.sealFlight()
  }

  /** To be called before the keys, or the limits, for what we send change. */
  sealFlight(): void {
    const flight = this.#flight
    const [first] = flight
    if (first === undefined) return
    this.#flight = []
    const content = flight.length === 1 ? first : concat(flight)
    this.#records.push(this.#outbound.seal(ContentType.handshake, content))
  }

  /** Seals one content of `length` bytes, which may come in parts. */
  add(type: number, parts: ReadonlyArray<Uint8Array>, length: number): Uint8Array {
    this.sealFlight()
    const record = this.#outbound.sealAll(type, parts, length)
    this.#records.push(record)
    return record
  }

  /** Whether a record has not been handed over yet. */
  holds(record: Uint8Array): boolean {
    return this.#records.includes(record)
  }

  /** Drops what is not sealed: nothing more will be. */
  forget(): void {
    this.#flight = []
  }
}
