/**
 * What a handshake comes to.
 *
 * @since 0.1.0
 */
import type { CipherSuite } from "../secret/CipherSuite.ts"

/**
 * The facts of an established connection.
 *
 * @category models
 * @since 0.1.0
 */
export interface Established {
  readonly version: "1.2"
  readonly cipherSuite: CipherSuite
  /** The application protocol, where one was negotiated (RFC 7301). */
  readonly alpnProtocol: string | undefined
  /** The host name that the client asked for (RFC 6066 section 3). */
  readonly serverName: string | undefined
  /** The chain that the peer proved to hold, leaf first, in DER; empty where it showed none. In a resumed connection: of the first one. */
  readonly peerCertificates: ReadonlyArray<Uint8Array>
  readonly resumed: boolean
  /** The session identifier; empty where the session cannot be resumed. */
  readonly sessionId: Uint8Array
}
