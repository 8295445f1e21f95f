/**
 * A key that never comes into this process: it lives in a hardware module, an agent or a key service, and only signs.
 */
import { createHash } from "node:crypto"
import { Effect } from "effect"
import { Identity } from "effect-tls"

/** A service that signs hashes: most of them do, so that the message need not be sent. */
export interface KeyService {
  readonly sign: (algorithm: string, digest: Uint8Array) => Promise<Uint8Array>
}

/** How the service names what TLS names otherwise; what it cannot do is left out. */
const algorithms: { readonly [Scheme in string]?: readonly [algorithm: string, hash: string] } = {
  ecdsa_secp256r1_sha256: ["ECDSA_SHA_256", "sha256"],
  rsa_pss_rsae_sha256: ["RSASSA_PSS_SHA_256", "sha256"],
  rsa_pss_rsae_sha384: ["RSASSA_PSS_SHA_384", "sha384"]
}

/** The certificate is at hand, its key is not. A signature that does not verify is never sent: the handshake fails here. */
export const layer = (certificate: string, keys: KeyService) =>
  Identity.layerSigner({
    certificate,
    sign: (scheme, message) => {
      const [algorithm, hash] = algorithms[scheme] ?? []
      return algorithm === undefined || hash === undefined
        ? Effect.fail(new Identity.IdentityError({ why: `the key service does not sign with ${scheme}` }))
        : Effect.tryPromise({
          try: () => keys.sign(algorithm, createHash(hash).update(message).digest()),
          catch: (cause) => new Identity.IdentityError({ why: `the key service failed: ${String(cause)}` })
        })
    }
  })
