/**
 * Application data that was opened and not yet read.
 *
 * @since 0.1.0
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import type { Target } from "../record/Inbound.ts"

/**
 * Takes all of it; `undefined` where there is none.
 *
 * @category combinators
 * @since 0.1.0
 */
export const takeAll = (received: Array<Uint8Array>): NonEmptyReadonlyArray<Uint8Array> | undefined => {
  const first = received.shift()
  return first === undefined ? undefined : [first, ...received.splice(0)]
}

/**
 * Moves received data into what is left of a buffer; how much of it is filled now.
 *
 * @category combinators
 * @since 0.1.0
 */
export const moveInto = (received: Array<Uint8Array>, target: Target): number => {
  for (;;) {
    const [first] = received
    const length = Math.min(first?.length ?? 0, target.buffer.length - target.at)
    if (first === undefined || length === 0) return target.at
    target.buffer.set(first.subarray(0, length), target.at)
    target.at += length
    if (length === first.length) received.shift()
    else received[0] = first.subarray(length)
  }
}
