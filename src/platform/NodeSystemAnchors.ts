/**
 * The certificates that the operating system trusts.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { getCACertificates } from "node:tls"
import { SystemAnchors } from "../service/Trust.ts"

/** Whether they are certificates is for others to judge. */
const derOf = (pem: string): Uint8Array => new Uint8Array(Buffer.from(pem.replaceAll(/-----[^-]+-----/g, ""), "base64"))

/**
 * Read when first asked for: a system has hundreds, many of them twice.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<SystemAnchors> = Layer.succeed(SystemAnchors, {
  certificates: Effect.sync(() => [...new Set(getCACertificates("system"))].map(derOf))
})
