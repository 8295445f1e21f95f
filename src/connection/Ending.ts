/**
 * How the reading of a connection ends.
 *
 * @since 0.1.0
 */
import type { TlsError } from "../alert/TlsError.ts"

/**
 * How the reading ends: the peer's clean end, the failure that every later read gets, or because we let go of the transport.
 *
 * @category models
 * @since 0.1.0
 */
export type Ending =
  | { readonly _tag: "Clean" }
  | { readonly _tag: "Failed"; readonly error: TlsError }
  | { readonly _tag: "Released" }

/**
 * @category models
 * @since 0.1.0
 */
export const clean: Ending = { _tag: "Clean" }
