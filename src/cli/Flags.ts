/**
 * The options that `serve` and `connect` share.
 *
 * @since 0.1.0
 */
import * as Flag from "effect/cli/Flag"

/**
 * @category options
 * @since 0.1.0
 */
export const alpn = Flag.String("alpn").pipe(
  Flag.withMetavar("P"),
  Flag.withDescription(
    "an application protocol, such as http/1.1; may be given several times, the preferred one first"
  ),
  Flag.atLeast(0)
)

/**
 * @category options
 * @since 0.1.0
 */
export const keylog = Flag.String("keylog").pipe(
  Flag.withMetavar("FILE"),
  Flag.withDescription("append the secrets in the SSLKEYLOGFILE format: whoever has them can read the connection"),
  Flag.optional
)
