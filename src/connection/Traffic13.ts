/**
 * What comes after the handshake of TLS 1.3, RFC 8446 section 4.6: tickets and KeyUpdate.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import type { Fault } from "../alert/Fault.ts"
import type { Traffic } from "../handshake/Channel.ts"
import { decodeHandshake, encodeHandshake, messageName } from "../message/HandshakeMessage.ts"
import type { NewSessionTicket } from "../message/NewSessionTicket.ts"
import type { Inbound } from "../record/Inbound.ts"
import type { Outbound } from "../record/Outbound.ts"
import { HandshakeType } from "../wire/CodePoints.ts"

/**
 * What is sealed and not yet handed over.
 *
 * @category models
 * @since 0.1.0
 */
export interface Sending {
  /** Seals a handshake message; the record. */
  readonly seal: (message: Uint8Array) => Uint8Array
  readonly holds: (record: Uint8Array) => boolean
}

// Each one is remembered until the connection ends, to be forgotten with it.
const maxTickets = 32

/**
 * Takes handshake messages on an open connection.
 *
 * @category models
 * @since 0.1.0
 */
export class Traffic13 {
  /** Tickets that are still to be stored. */
  readonly tickets: Array<NewSessionTicket> = []
  readonly sessionOf: Traffic["sessionOf"]
  readonly #traffic: Traffic
  readonly #inbound: Inbound
  readonly #outbound: Outbound
  readonly #sending: Sending
  #hasTicket = false
  #ticketsLeft = maxTickets
  #isUpdateAsked = false
  #answer: Uint8Array | undefined

  constructor(traffic: Traffic, inbound: Inbound, outbound: Outbound, sending: Sending) {
    this.#traffic = traffic
    traffic.read.outlast()
    traffic.write.outlast()
    this.sessionOf = traffic.sessionOf
    this.#inbound = inbound
    this.#outbound = outbound
    this.#sending = sending
  }

  /** Whether the server has sent a ticket, which it does once it has judged the client. */
  get hasTicket(): boolean {
    return this.#hasTicket
  }

  /** One message; the fault where it is not welcome. `mayAnswer`: our side has not said close_notify yet. */
  take(type: number, body: Uint8Array, mayAnswer: boolean): Fault | undefined {
    const isDue = type === HandshakeType.key_update ||
      type === HandshakeType.new_session_ticket && this.sessionOf !== undefined
    // A CertificateRequest among the others: post-handshake authentication was not offered (RFC 8446 section 4.6.2).
    if (!isDue) return { _tag: "MessageUnexpected", expected: ["application_data"], received: messageName(type) }
    const message = decodeHandshake(type, body, "1.3")
    if (Result.isFailure(message)) return message.failure
    if (message.success._tag === "KeyUpdate") return this.#keyUpdate(message.success.isRequested, mayAnswer)
    if (message.success._tag === "NewSessionTicket") this.#ticket(message.success)
    return undefined
  }

  /** RFC 8446 section 4.6.1: to keep none is allowed. */
  #ticket(ticket: NewSessionTicket): void {
    this.#hasTicket = true
    if (this.#ticketsLeft === 0) return
    this.#ticketsLeft--
    this.tickets.push(ticket)
  }

  /** RFC 8446 section 4.6.3. Our answer goes out under the old keys, like whatever was sealed before. */
  #keyUpdate(isRequested: boolean, mayAnswer: boolean): Fault | undefined {
    // One that we asked for is no flood, however little data there is between: the next request of ours waits for it.
    const flood = this.#isUpdateAsked ? undefined : this.#inbound.spendKeyUpdate()
    if (flood !== undefined) return flood
    const fault = this.#inbound.install(this.#traffic.read.next())
    if (fault !== undefined) return fault
    this.#isUpdateAsked = false
    if (isRequested && mayAnswer) this.#answerUpdate()
    return undefined
  }

  /** One answer does for all that was asked before it leaves: a peer that does not read makes nothing grow here. */
  #answerUpdate(): void {
    if (this.#answer !== undefined && this.#sending.holds(this.#answer)) return
    this.#answer = this.updateWrite(false)
  }

  /**
   * New keys for what we send. RFC 9846 section 4.7.3: the peer is not asked for its own while it has not answered an earlier request.
   */
  updateWrite(isRequested: boolean): Uint8Array {
    const isAsking = isRequested && !this.#isUpdateAsked
    if (isAsking) this.#isUpdateAsked = true
    const message = encodeHandshake({ _tag: "KeyUpdate", isRequested: isAsking })
    const record = this.#sending.seal(message)
    this.#outbound.state.install(this.#traffic.write.next())
    return record
  }

  /**
   * RFC 9846 section 5.5: how long a key is good for is the peer's to decide, and whoever goes beyond is read on. It is asked for another
   * one in time, once for each.
   */
  renewRead(): void {
    const { current, sequence } = this.#inbound.state
    if (!this.#isUpdateAsked && sequence > current.protection.recordLimit * 0.75) this.updateWrite(true)
  }

  forget(): void {
    this.#traffic.read.forget()
    this.#traffic.write.forget()
    this.#traffic.resumption?.bytes.fill(0)
    if (this.tickets.length > 0) this.tickets.length = 0
  }
}
