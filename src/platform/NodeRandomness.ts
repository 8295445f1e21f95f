/**
 * Randomness over `node:crypto`.
 *
 * @since 0.1.0
 */
import { randomFillSync } from "node:crypto"
import type { Primitives } from "../secret/Primitives.ts"
import type { Randomness } from "../service/Randomness.ts"

// A call costs a microsecond whatever its length, and a handshake wants a dozen short pieces.
const poolLength = 1024
const mostFromPool = 64

/**
 * The generator of the operating system, by way of OpenSSL. Short pieces come out of a pool, each byte once.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (primitives: Pick<Primitives["Service"], "keyShare" | "respond">): Randomness["Service"] => {
  const pool = new Uint8Array(poolLength)
  let at = poolLength
  return {
    bytes: (length) => {
      if (length > mostFromPool) return randomFillSync(new Uint8Array(length))
      if (at + length > poolLength) {
        randomFillSync(pool)
        at = 0
      }
      const bytes = pool.slice(at, at + length)
      pool.fill(0, at, at + length)
      at += length
      return bytes
    },
    keyShare: (group) => primitives.keyShare(group),
    respond: (group, peer) => primitives.respond(group, peer)
  }
}
