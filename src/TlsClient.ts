/**
 * TLS as a client, over any Effect `Socket`.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import { InvalidOption, type TlsError } from "./alert/TlsError.ts"
import type { Connection } from "./connection/Connection.ts"
import * as Connections from "./connection/Connection.ts"
import * as Transport from "./connection/Transport.ts"
import * as Client from "./handshake/Client.ts"
import type { ClientStory } from "./handshake/ClientStory.ts"
import { Primitives } from "./secret/Primitives.ts"
import type { Randomness } from "./service/Randomness.ts"
import { clientKey, type SessionCache } from "./service/SessionCache.ts"
import { checkSettings, type ClientOptions, settingsOf } from "./service/TlsConfig.ts"
import { Trust } from "./service/Trust.ts"

/**
 * What a client needs beside its transport: whom to trust, where sessions are kept, and what the platform provides.
 *
 * @category models
 * @since 0.1.0
 */
export type Requirements = Trust | SessionCache | Primitives | Randomness | Scope.Scope

/**
 * Opens the transport, runs the handshake, and gives the connection to the scope, whose end says close_notify.
 *
 * A handshake that fails, takes too long or is interrupted has let go of the transport before this returns.
 *
 * @example
 * import * as NodeSocket from "@effect/platform-node/NodeSocket"
 * import { Effect, Layer, Stream } from "effect"
 * import { SessionCache, TlsClient, Trust } from "effect-tls"
 * import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
 *
 * const program = Effect.gen(function*() {
 *   const tls = yield* TlsClient.connect({ serverName: "example.com" })
 *   yield* tls.write(new TextEncoder().encode("GET / HTTP/1.0\r\n\r\n"))
 *   return yield* Stream.runCollect(tls.stream)
 * }).pipe(
 *   Effect.scoped,
 *   Effect.provide([
 *     NodeSocket.layerNet({ host: "example.com", port: 443, allowHalfOpen: true }),
 *     SessionCache.layerMemory(),
 *     Trust.layerSystem.pipe(Layer.provide(NodePrimitives.layer)),
 *     NodePrimitives.layer
 *   ])
 * )
 *
 * @category constructors
 * @since 0.1.0
 */
export const connect = (options: ClientOptions): Effect.Effect<Connection, TlsError, Requirements | Socket.Socket> =>
  Effect.contextWith((services: Context.Context<Requirements | Socket.Socket>) => {
    const socket = Context.get(services, Socket.Socket)
    return opened(services, options, (restore) => Transport.open(socket, restore), 0)
  })

/**
 * Begins TLS on a transport that has carried something in the clear. Fails with unexpected_message where bytes are left unread:
 * nothing that came before the handshake is taken for part of what TLS protects.
 *
 * The transport stays with its owner, who closes it after the connection.
 *
 * @category constructors
 * @since 0.1.0
 */
export const upgrade = (
  halves: Transport.Halves,
  options: ClientOptions
): Effect.Effect<Connection, TlsError, Requirements> =>
  Effect.contextWith((services: Context.Context<Requirements>) =>
    opened(services, options, () => Effect.succeed(Transport.upgraded(halves)), halves.unread.length)
  )

const opened = (
  services: Context.Context<Requirements>,
  options: ClientOptions,
  transport: Connections.Opening["transport"],
  unread: number
): Effect.Effect<Connection, TlsError> => {
  const primitives = Context.get(services, Primitives)
  const trust = Context.get(services, Trust)
  const settings = settingsOf(options, primitives)
  const invalid = checkSettings(settings, primitives)
  if (invalid !== undefined) return Effect.fail(invalid)
  const peer = peerOf(primitives, options.serverName)
  if (peer instanceof InvalidOption) return Effect.fail(peer)
  const verified = "host" in peer ? peer.host : peer.address
  const story: ClientStory = {
    settings,
    peer,
    trust,
    identity: options.identity,
    sessionKey: clientKey({
      verified,
      name: options.sessionName ?? verified,
      alpnProtocols: settings.alpnProtocols,
      trust: trust.fingerprint,
      identity: options.identity?.fingerprint ?? ""
    })
  }
  return Connections.open({
    role: "client",
    settings,
    services,
    transport,
    unread,
    awaitPeerVerdict: options.awaitPeerVerdict,
    handshake: (channel, cache) => Client.handshake(channel, story, cache)
  })
}

const peerOf = (primitives: Primitives["Service"], serverName: string): ClientStory["peer"] | InvalidOption => {
  // A host first, which it mostly is: no address is taken for one.
  const host = primitives.hostToAscii(serverName)
  if (host !== undefined) return { role: "server", host }
  if (primitives.isAddress(serverName)) return { role: "server", address: serverName }
  const why = `${JSON.stringify(serverName)} is neither a host name nor an IP address`
  return new InvalidOption({ option: "serverName", why })
}
