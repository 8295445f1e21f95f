/**
 * Channel bindings: what an authentication above TLS names this connection by, so that it is worth nothing on another
 * (RFC 5056).
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import type { Established } from "../handshake/Established.ts"
import type { Primitives } from "../secret/Primitives.ts"
import { empty } from "../wire/Bytes.ts"
import { endPointHash } from "../x509/EndPoint.ts"

/**
 * - `tls-exporter` (RFC 9266): 32 bytes that no other connection has. None in TLS 1.2 without extended master secret (section 4.2):
 *   there an attacker between the two can make both halves have the same.
 * - `tls-server-end-point` (RFC 5929 section 4): the hash of the certificate that the server showed, the same in all connections
 *   with it. None where the signature of the certificate uses no single hash, as with Ed25519 (section 4.1). In a resumed
 *   connection no certificate is shown: a client has that of the session, a server has none.
 *
 * `tls-unique` (RFC 5929 section 3) is not offered: it is not defined for TLS 1.3, and in TLS 1.2 without extended master secret
 * it is not unique (RFC 9266 section 3, RFC 7627 section 1).
 *
 * A binding is no secret and not to be used as one, and serves one authentication a connection (RFC 9266 section 4).
 *
 * @example
 * import { Option } from "effect"
 * import type { Connection } from "effect-tls"
 *
 * // The cbind-data of SCRAM-SHA-256-PLUS (RFC 5802 section 7).
 * export const boundBy = (tls: Connection): Option.Option<readonly [name: string, data: Uint8Array]> =>
 *   Option.orElse(
 *     Option.map(tls.channelBinding("tls-exporter"), (data) => ["tls-exporter", data] as const),
 *     () => Option.map(tls.channelBinding("tls-server-end-point"), (data) => ["tls-server-end-point", data] as const)
 *   )
 *
 * @category models
 * @since 0.1.0
 */
export type ChannelBinding = "tls-exporter" | "tls-server-end-point"

/**
 * The binding of that type, where the connection has one.
 *
 * @category combinators
 * @since 0.1.0
 */
export const bindingOf = (
  type: ChannelBinding,
  primitives: Primitives["Service"],
  { exporter, serverCertificate }: Pick<Established, "exporter" | "serverCertificate">
): Option.Option<Uint8Array> => {
  if (type === "tls-exporter") {
    return Option.fromUndefinedOr(exporter?.material("EXPORTER-Channel-Binding", empty, 32))
  }
  if (serverCertificate === undefined) return Option.none()
  const hash = endPointHash(serverCertificate)
  return hash === undefined ? Option.none() : Option.some(primitives.digest(hash, serverCertificate))
}
