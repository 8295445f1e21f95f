/**
 * A client: transport, session cache, trust and primitives are layers, and the alerts are typed failures.
 *
 *     node --conditions=source docs/examples/client.ts localhost 8443 ca.pem
 */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import { Console, Effect, Layer, Stream } from "effect"
import { Fault, SessionCache, TlsClient, Trust } from "effect-tls"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import { readFileSync } from "node:fs"

/** Asks an HTTP/1.0 server for its first page. */
export const fetchPage = (host: string) =>
  Effect.gen(function*() {
    const tls = yield* TlsClient.connect({ serverName: host, alpnProtocols: ["http/1.1"] })
    yield* tls.write(new TextEncoder().encode(`GET / HTTP/1.0\r\nHost: ${host}\r\n\r\n`))
    return yield* Stream.mkString(Stream.decodeText(tls.stream)) // ends only on close_notify
  }).pipe(Effect.scoped) // close_notify is sent here, however the scope ends

/** The same, with an answer to what can happen. */
export const fetchPageOr = (host: string) =>
  fetchPage(host).pipe(
    // What the peer told us:
    Effect.catchReasons("AlertReceived", {
      CertificateExpired: (_, error) => Effect.succeed(`our certificate has expired (${error.phase})`),
      HandshakeFailure: () => Effect.succeed("we have nothing in common")
    }),
    // What we told the peer, and why:
    Effect.catchReason("AlertSent", "UnknownCa", (_, error) => Effect.succeed(Fault.describe(error.fault))),
    // Nobody said anything: the stream was cut.
    Effect.catchTag("Truncated", ({ bytesRead }) => Effect.succeed(`cut after ${bytesRead} bytes`))
  )

export const layer = (options: {
  readonly host: string
  readonly port: number
  /** PEM text; without it the system's own anchors are trusted. */
  readonly anchors?: string
}) =>
  Layer.mergeAll(
    NodeSocket.layerNet({ host: options.host, port: options.port, allowHalfOpen: true }), // swap for TlsTest in a test
    SessionCache.layerMemory(),
    options.anchors === undefined ? Trust.layerSystem : Trust.layerAnchors({ anchors: options.anchors })
  ).pipe(Layer.provideMerge(NodePrimitives.layer)) // primitives, randomness, system anchors

if (import.meta.main) {
  const [host = "localhost", port = "443", anchors] = process.argv.slice(2)
  await Effect.runPromise(
    fetchPageOr(host).pipe(
      Effect.flatMap(Console.log),
      Effect.catch((error) => Console.error(error.message)),
      Effect.provide(layer({
        host,
        port: Number(port),
        ...(anchors === undefined ? {} : { anchors: readFileSync(anchors, "utf8") })
      }))
    )
  )
}
