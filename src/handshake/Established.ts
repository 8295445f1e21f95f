/**
 * What a handshake comes to.
 *
 * @since 0.1.0
 */
import type { AnyCipherSuite } from "../secret/CipherSuite.ts"
import type { Exporter } from "../secret/Exporter.ts"
import type { NamedGroup } from "../wire/CodePoints.ts"

/**
 * The facts of an established connection.
 *
 * @category models
 * @since 0.1.0
 */
export interface Established {
  readonly version: "1.2" | "1.3"
  readonly cipherSuite: AnyCipherSuite
  /** The group of the key exchange; `undefined` in a resumed connection of TLS 1.2, which has none. */
  readonly group: NamedGroup | undefined
  /** The application protocol, where one was negotiated (RFC 7301). */
  readonly alpnProtocol: string | undefined
  /** The host name that the client asked for (RFC 6066 section 3). */
  readonly serverName: string | undefined
  /** The chain that the peer proved to hold, leaf first, in DER; empty where it showed none. In a resumed connection: of the first one. */
  readonly peerCertificates: ReadonlyArray<Uint8Array>
  /** The end-entity certificate that the server showed, in DER; `undefined` for the server of a resumed connection, which showed none. */
  readonly serverCertificate: Uint8Array | undefined
  readonly resumed: boolean
  /** The session identifier of TLS 1.2; empty where the session cannot be resumed, and in TLS 1.3. */
  readonly sessionId: Uint8Array
  /**
   * Keying material for the application, RFC 5705 and RFC 8446 section 7.5. `undefined` where it would not be bound to this
   * connection: in TLS 1.2 without extended master secret (RFC 7627 section 5.4).
   */
  readonly exporter: Exporter | undefined
}
