/**
 * Randomness over `node:crypto`.
 *
 * @since 0.1.0
 */
import * as Layer from "effect/Layer"
import { randomFillSync } from "node:crypto"
import { Randomness } from "../service/Randomness.ts"
import { NodeKeyShare } from "./NodeKeyShare.ts"

/**
 * The generator of the operating system, by way of OpenSSL.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<Randomness> = Layer.succeed(Randomness, {
  bytes: (length) => randomFillSync(new Uint8Array(length)),
  keyShare: (group) => new NodeKeyShare(group)
})
