/**
 * Randomness over `node:crypto`.
 *
 * @since 0.1.0
 */
import { randomFillSync } from "node:crypto"
import type { Primitives } from "../secret/Primitives.ts"
import type { Randomness } from "../service/Randomness.ts"

/**
 * The generator of the operating system, by way of OpenSSL.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (primitives: Pick<Primitives["Service"], "keyShare" | "respond">): Randomness["Service"] => ({
  bytes: (length) => randomFillSync(new Uint8Array(length)),
  keyShare: (group) => primitives.keyShare(group),
  respond: (group, peer) => primitives.respond(group, peer)
})
