/**
 * Where the unpredictable comes from. A service of its own, so that a test can seed it.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type KeyShare, type KeyShareResponse, Primitives } from "../secret/Primitives.ts"
import { fromText } from "../wire/Bytes.ts"
import type { NamedGroup } from "../wire/CodePoints.ts"

/**
 * @category services
 * @since 0.1.0
 */
export class Randomness extends Context.Service<Randomness, {
  /** That many unpredictable bytes. */
  readonly bytes: (length: number) => Uint8Array
  /** A fresh ephemeral key pair. */
  readonly keyShare: (group: NamedGroup) => KeyShare
  /** The answer to a peer's share, with a fresh key pair; `undefined` where the share is not valid. */
  readonly respond: (group: NamedGroup, peer: Uint8Array) => KeyShareResponse | undefined
}>()("effect-tls/Randomness") {}

const scalarLength: Readonly<Record<NamedGroup, number>> = {
  x25519: 32,
  secp256r1: 32,
  secp384r1: 48,
  secp521r1: 66,
  // Seed and scalar; who answers has the scalar alone, and ML-KEM draws its own randomness.
  x25519mlkem768: 96
}

/**
 * The same bytes and key pairs for the same seed: a counter, hashed. For tests only: whoever knows the seed knows every
 * secret.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerInsecureSeeded = (seed: string | number): Layer.Layer<Randomness, never, Primitives> =>
  Layer.effect(Randomness, Effect.map(Primitives, (primitives) => makeInsecureSeeded(primitives, seed)))

/**
 * @category constructors
 * @since 0.1.0
 */
export const makeInsecureSeeded = (primitives: Primitives["Service"], seed: string | number): Randomness["Service"] => {
  let counter = 0
  const bytes = (length: number): Uint8Array => {
    const out = new Uint8Array(length)
    for (let at = 0; at < length; at += 32) {
      out.set(primitives.digest("sha256", fromText(`${seed}/${counter++}`)).subarray(0, length - at), at)
    }
    return out
  }
  const scalar = (length: number): Uint8Array => {
    const value = bytes(length)
    // Below the order of every NIST curve; X25519 clamps by itself.
    value[0] = 0
    return value
  }
  return Randomness.of({
    bytes,
    keyShare: (group) => primitives.keyShare(group, scalar(scalarLength[group])),
    respond: (group, peer) =>
      primitives.respond(group, peer, scalar(group === "x25519mlkem768" ? scalarLength.x25519 : scalarLength[group]))
  })
}
