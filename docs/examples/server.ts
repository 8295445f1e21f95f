/**
 * A server: a fiber and a scope for each connection, so that one that fails touches no other.
 *
 *     node --conditions=source docs/examples/server.ts certificate.pem key.pem 8443
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import { Effect, Layer, Stream } from "effect"
import { Identity, SessionCache, TlsServer } from "effect-tls"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import { readFileSync } from "node:fs"

/** Sends back whatever comes, until the client says close_notify. Handshakes that fail are logged with their address. */
export const echo = TlsServer.run((tls) => Stream.run(tls.stream, tls.sink))

export const layer = (options: {
  readonly certificate: string
  readonly privateKey: string
  readonly port: number
}) =>
  Layer.mergeAll(
    NodeSocketServer.layer({ host: "127.0.0.1", port: options.port, allowHalfOpen: true }),
    Identity.layerPem(options),
    SessionCache.layerMemory({ timeToLive: "1 hour" })
  ).pipe(Layer.provideMerge(NodePrimitives.layer))

if (import.meta.main) {
  const [certificate = "certificate.pem", privateKey = "key.pem", port = "8443"] = process.argv.slice(2)
  NodeRuntime.runMain(echo.pipe(Effect.provide(layer({
    certificate: readFileSync(certificate, "utf8"),
    privateKey: readFileSync(privateKey, "utf8"),
    port: Number(port)
  }))))
}
