import { alertNumberOfName } from "./AlertNumbers.ts"

// ERR_SSL_TLSV1_ALERT_UNKNOWN_CA, ERR_SSL_SSLV3_ALERT_BAD_RECORD_MAC, ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE,
// ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED, ERR_SSL_TLSV1_UNRECOGNIZED_NAME. The errors node:tls detects by itself
// (ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC) have no such prefix.
const receivedAlert = /^ERR_SSL_(?:SSLV3|TLSV1|TLSV13|SSL\/TLS)_(?:ALERT_)?(.+)$/

const property = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null && key in value ? Reflect.get(value, key) : undefined

/** The alert whose arrival is what this error of node:tls says, `undefined` if it says something else. */
export const alertNumberOfNodeError = (error: unknown): number | undefined => {
  const message = property(error, "message")
  const number = typeof message === "string" ? message.match(/SSL alert number (\d+)/)?.[1] : undefined
  if (number !== undefined) return Number(number)
  const code = property(error, "code")
  const name = typeof code === "string" ? code.match(receivedAlert)?.[1] : undefined
  return name === undefined ? undefined : alertNumberOfName(name)
}
