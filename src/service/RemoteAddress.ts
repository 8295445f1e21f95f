/**
 * Where a connection comes from, as far as the platform can tell.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/**
 * Asked in the fiber of a connection that a server accepted: an address in printed form, such as `192.0.2.1:54321`, or
 * `undefined` where the transport has none. `NodeRemoteAddress.layer` answers for the sockets of Node.
 *
 * @category services
 * @since 0.1.0
 */
export const RemoteAddress = Context.Reference<Effect.Effect<string | undefined>>(
  "effect-tls/RemoteAddress",
  { defaultValue: () => Effect.undefined }
)
