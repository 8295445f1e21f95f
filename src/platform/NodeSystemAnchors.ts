/**
 * The certificates that the operating system trusts.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { X509Certificate } from "node:crypto"
import { getCACertificates } from "node:tls"
import { SystemAnchors } from "../service/Trust.ts"
import { plain } from "./NodeBytes.ts"

/**
 * Read when first asked for: a system has hundreds.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<SystemAnchors> = Layer.succeed(SystemAnchors, {
  certificates: Effect.sync(() => getCACertificates("system").map((pem) => plain(new X509Certificate(pem).raw)))
})
