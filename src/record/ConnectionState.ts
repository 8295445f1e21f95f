/**
 * The connection states of RFC 5246 section 6.1, one direction at a time: the current state protects records, the pending
 * state waits for the ChangeCipherSpec that makes it current.
 *
 * @since 0.1.0
 */
import { type Compression, nullCompression } from "./Compression.ts"
import { forgottenProtection, nullProtection, type RecordProtection } from "./Protection.ts"

/**
 * The parts of a connection state that the handshake settles.
 *
 * @category models
 * @since 0.1.0
 */
export interface SecurityParameters {
  readonly protection: RecordProtection
  readonly compression: Compression
}

const initial: SecurityParameters = { protection: nullProtection, compression: nullCompression }

// Not the initial state: what is sealed by mistake after the end must not leave in the clear.
const forgotten: SecurityParameters = { protection: forgottenProtection, compression: nullCompression }

/**
 * The current and the pending state of one direction. "When a connection state is made current, its sequence number is set
 * to zero."
 *
 * @category models
 * @since 0.1.0
 */
export class ConnectionState {
  #current: SecurityParameters = initial
  #pending: SecurityParameters | undefined
  #sequence = 0

  get current(): SecurityParameters {
    return this.#current
  }

  get sequence(): number {
    return this.#sequence
  }

  /** Counts the record that was just sealed or opened. */
  advance(): void {
    this.#sequence++
  }

  get hasPending(): boolean {
    return this.#pending !== undefined
  }

  setPending(parameters: SecurityParameters): void {
    this.#pending = parameters
  }

  /** Makes the pending state current. False where there is none: an early ChangeCipherSpec (CVE-2014-0224) changes nothing. */
  changeCipherSpec(): boolean {
    if (this.#pending === undefined) return false
    this.#current = this.#pending
    this.#pending = undefined
    this.#sequence = 0
    return true
  }

  /** RFC 8446 section 7.3: in TLS 1.3 keys change without a message that says so. The keys before are dropped. */
  install(parameters: SecurityParameters): void {
    this.#current.protection.forget()
    this.#current = parameters
    this.#sequence = 0
  }

  /** Drops the keys, for good. */
  forget(): void {
    this.#current.protection.forget()
    this.#pending?.protection.forget()
    this.#current = forgotten
    this.#pending = undefined
  }
}
