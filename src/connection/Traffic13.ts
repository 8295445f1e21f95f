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
import { ContentType } from "../wire/CodePoints.ts"

/**
 * Takes handshake messages on an open connection. `seal` puts a record into the outbox.
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
  readonly #seal: (type: number, content: Uint8Array) => void
  #hasTicket = false
  #isUpdateAsked = false

  constructor(
    traffic: Traffic,
    inbound: Inbound,
    outbound: Outbound,
    seal: (type: number, content: Uint8Array) => void
  ) {
    this.#traffic = traffic
    this.sessionOf = traffic.sessionOf
    this.#inbound = inbound
    this.#outbound = outbound
    this.#seal = seal
  }

  /** Whether the server has sent a ticket, which it does once it has judged the client. */
  get hasTicket(): boolean {
    return this.#hasTicket
  }

  /** One message; the fault where it is not welcome. `mayAnswer`: our side has not said close_notify yet. */
  take(type: number, body: Uint8Array, mayAnswer: boolean): Fault | undefined {
    const message = decodeHandshake(type, body, "1.3")
    if (Result.isFailure(message)) return message.failure
    switch (message.success._tag) {
      case "NewSessionTicket":
        if (this.sessionOf === undefined) break
        this.#hasTicket = true
        this.tickets.push(message.success)
        return undefined
      case "KeyUpdate":
        return this.#keyUpdate(message.success.isRequested, mayAnswer)
      default:
        break
    }
    // A CertificateRequest among them: post-handshake authentication was not offered (RFC 8446 section 4.6.2).
    return { _tag: "MessageUnexpected", expected: ["application_data"], received: messageName(type) }
  }

  /** RFC 8446 section 4.6.3. Our answer goes out under the old keys, like whatever was sealed before. */
  #keyUpdate(isRequested: boolean, mayAnswer: boolean): Fault | undefined {
    const flood = this.#inbound.spendKeyUpdate()
    if (flood !== undefined) return flood
    const fault = this.#inbound.install(this.#traffic.read.next())
    if (fault !== undefined) return fault
    this.#isUpdateAsked = false
    if (isRequested && mayAnswer) this.updateWrite(false)
    return undefined
  }

  /**
   * New keys for what we send. RFC 9846 section 4.7.3: the peer is not asked for its own while it has not answered an earlier request.
   */
  updateWrite(isRequested: boolean): void {
    const isAsking = isRequested && !this.#isUpdateAsked
    if (isAsking) this.#isUpdateAsked = true
    this.#seal(ContentType.handshake, encodeHandshake({ _tag: "KeyUpdate", isRequested: isAsking }))
    this.#outbound.state.install(this.#traffic.write.next())
  }

  forget(): void {
    this.#traffic.read.forget()
    this.#traffic.write.forget()
    this.tickets.length = 0
  }
}
