/**
 * What the peer says when nobody reads any more.
 *
 * @since 0.1.0
 */
import type { Core } from "./Core.ts"

/**
 * After our close_notify, and until the peer's: data has no reader, and is dropped, but a fatal alert is judged, and forgets the session
 * (RFC 5246 section 7.2.2). Anything that must not come ends the listening: there is nobody left who would protest.
 *
 * @category combinators
 * @since 0.1.0
 */
export const overhear = (core: Core): void => {
  while (core.closure === "CloseSent") {
    const incoming = core.inbound.next()
    switch (incoming?._tag) {
      case "Alert":
        core.judged(incoming.alert, incoming.verdict)
        break
      case "Data":
        break
      case "Handshake":
        // New keys of the peer, in TLS 1.3.
        if (core.traffic?.take(incoming.type, incoming.body, false) !== undefined) return
        break
      default:
        return
    }
  }
}
