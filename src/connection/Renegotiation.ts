/**
 * Requests to renegotiate, RFC 5246 sections 7.2.2 and 7.4.1.1: they are not followed, and answered with a warning.
 *
 * @since 0.1.0
 */
import type { Fault } from "../alert/Fault.ts"
import { messageName } from "../message/HandshakeMessage.ts"
import { HandshakeType } from "../wire/CodePoints.ts"

/**
 * A handshake message on an open connection of TLS 1.2: a fault, unless it asks to renegotiate.
 *
 * @category combinators
 * @since 0.1.0
 */
export const judgeRequest = (role: "client" | "server", type: number, body: Uint8Array): Fault | undefined => {
  const asks = type === (role === "client" ? HandshakeType.hello_request : HandshakeType.client_hello)
  if (!asks) return { _tag: "MessageUnexpected", expected: ["application_data"], received: messageName(type) }
  return type === HandshakeType.hello_request && body.length > 0
    ? { _tag: "MessageMalformed", message: "HelloRequest", field: "body", why: "is not empty" }
    : undefined
}
