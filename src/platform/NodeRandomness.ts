/**
 * Randomness over `node:crypto`.
 *
 * @since 0.1.0
 */
import { randomFillSync } from "node:crypto"
import type { Primitives } from "../secret/Primitives.ts"
import type { Randomness } from "../service/Randomness.ts"

// A draw costs the same for a handful of bytes as for many, and leaves an object to collect; a handshake has four of 32 or so.
const drawn = new Uint8Array(1024)
let used = drawn.length

const draw = (length: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  if (length > drawn.length / 4) return randomFillSync(bytes)
  if (used + length > drawn.length) {
    randomFillSync(drawn)
    used = 0
  }
  for (let i = 0; i < length; i++) {
    bytes[i] = drawn[used] ?? 0
    // Whoever reads this memory later learns nothing of what was given out.
    drawn[used++] = 0
  }
  return bytes
}

/**
 * The generator of the operating system, by way of OpenSSL.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (primitives: Pick<Primitives["Service"], "keyShare" | "respond">): Randomness["Service"] => ({
  bytes: draw,
  keyShare: (group) => primitives.keyShare(group),
  respond: (group, peer) => primitives.respond(group, peer)
})
