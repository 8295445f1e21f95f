/**
 * The remote address of a Node socket.
 *
 * @since 0.1.0
 */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { RemoteAddress } from "../service/RemoteAddress.ts"

/**
 * Looks at the Node socket that `NodeSocketServer` provides to the handler of each connection.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<never> = Layer.succeed(
  RemoteAddress,
  Effect.map(Effect.serviceOption(NodeSocket.NetSocket), (socket) => {
    if (Option.isNone(socket)) return undefined
    const { remoteAddress, remoteFamily, remotePort } = socket.value
    if (remoteAddress === undefined) return undefined
    return remoteFamily === "IPv6" ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`
  })
)
