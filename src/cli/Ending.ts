/**
 * How a connection went, in a few words: for one line a connection.
 *
 * @since 0.1.0
 */
import { entryOf } from "../alert/Catalogue.ts"
import { describe } from "../alert/Fault.ts"
import { descriptionOfReason, reasonCode } from "../alert/Reason.ts"
import type { TlsError } from "../alert/TlsError.ts"
import type { Connection } from "../connection/Connection.ts"

/**
 * What was negotiated.
 *
 * @category formatting
 * @since 0.1.0
 */
export const negotiated = ({ alpnProtocol, cipherSuite, resumed, version }: Connection): string =>
  [
    `TLS ${version}`,
    cipherSuite.name,
    resumed ? "resumed" : "full handshake",
    ...(alpnProtocol === undefined ? [] : [`ALPN ${alpnProtocol}`])
  ].join(", ")

/**
 * What ended it, where it did not end cleanly.
 *
 * @category formatting
 * @since 0.1.0
 */
export const ending = (error: TlsError): string => {
  switch (error._tag) {
    case "AlertReceived": {
      const { level, reason } = error
      const name = descriptionOfReason(reason)
      const known = typeof name === "number" ? "unknown_alert" : name
      return `alert received: ${typeof level === "number" ? `level ${level}` : level} ${known} (${reasonCode(reason)})`
    }
    case "AlertSent": {
      const { fault, phase, reason } = error
      const alert = `${descriptionOfReason(reason)} (${reasonCode(reason)})`
      const why = `because ${describe(fault)}`
      return phase === "closing" ? `failed after our close_notify, ${why}` : `alert sent: fatal ${alert}, ${why}`
    }
    case "Truncated":
      return `truncated by a ${error.by === "fin" ? "FIN" : "reset"} after ${error.bytesRead} bytes, no close_notify`
    case "HandshakeAborted":
      return error.by === "timeout"
        ? "handshake timed out"
        : `handshake aborted by ${error.by} (${entryOf(error.by).code})`
    case "TransportFailed":
    case "ConnectionClosed":
    case "InvalidOption":
      return error.message
  }
}
