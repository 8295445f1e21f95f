/**
 * The options that `serve` and `connect` share.
 *
 * @since 0.1.0
 */
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import type { ProtocolName } from "../service/TlsConfig.ts"

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

/**
 * The one version that is spoken; by default both, TLS 1.3 where the peer has it.
 *
 * @category options
 * @since 0.1.0
 */
export const tls = Flag.Literals("tls", ["1.2", "1.3"]).pipe(
  Flag.withDescription("speak this version of TLS and no other; by default 1.3, and 1.2 where the peer has no more"),
  Flag.optional
)

/**
 * The versions of the flag, as the options of client and server have them.
 *
 * @category options
 * @since 0.1.0
 */
export const versionsOf = (
  pinned: Option.Option<ProtocolName>
): { readonly versions?: ReadonlyArray<ProtocolName> } =>
  Option.match(pinned, { onNone: () => ({}), onSome: (version) => ({ versions: [version] }) })
