/**
 * A client that shows a certificate over TLS 1.3, where the server judges it when the client is open already. Here opening waits for
 * that verdict: a certificate that is refused is a failure of opening, and no write runs into a connection that is about to end.
 *
 *     node --conditions=source docs/examples/tls13.ts localhost 8443 ca.pem client.pem client.key
 */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import { Console, Data, Effect, Layer } from "effect"
import { Identity, SessionCache, TlsClient, Trust } from "effect-tls"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import { readFileSync } from "node:fs"

/** The server does not take us for who we say we are. */
export class NotAdmitted extends Data.TaggedError("NotAdmitted")<{ readonly why: string }> {}

const notAdmitted = (why: string) => () => Effect.fail(new NotAdmitted({ why }))

const open = (host: string) =>
  Effect.gen(function*() {
    const identity = yield* Identity.Identity
    // A ticket, data or an alert is a sign, and a server that gives none is not waited for any longer.
    return yield* TlsClient.connect({ serverName: host, versions: ["1.3"], identity, awaitPeerVerdict: "2 seconds" })
  }).pipe(
    Effect.catchReasons("AlertReceived", {
      CertificateRequired: notAdmitted("it wants a certificate, and we have none that fits"),
      UnknownCa: notAdmitted("it does not know who issued our certificate"),
      CertificateExpired: notAdmitted("our certificate has expired"),
      AccessDenied: notAdmitted("it knows us, and does not let us in")
    })
  )

/** Says it to a server that echoes, and says it again when both sides have new keys. */
export const sayTwice = (host: string, line: string) =>
  Effect.gen(function*() {
    const tls = yield* open(host)
    const say = Effect.gen(function*() {
      yield* tls.write(new TextEncoder().encode(line))
      const echo = new Uint8Array(line.length)
      let length = 0
      while (length < echo.length) length += yield* tls.pullInto(echo.subarray(length))
      return new TextDecoder().decode(echo)
    })
    const first = yield* say
    // Ours at once, those of the peer with its answer. Both come by themselves before a key is worn out.
    yield* tls.updateKeys(true)
    return [first, yield* say] as const
  }).pipe(Effect.scoped)

export const layer = (options: {
  readonly host: string
  readonly port: number
  readonly anchors: string
  readonly certificate: string
  readonly privateKey: string
}) =>
  Layer.mergeAll(
    NodeSocket.layerNet({ host: options.host, port: options.port, allowHalfOpen: true }),
    Identity.layerPem(options),
    SessionCache.layerMemory(),
    Trust.layerAnchors({ anchors: options.anchors })
  ).pipe(Layer.provideMerge(NodePrimitives.layer))

if (import.meta.main) {
  const [host = "localhost", port = "8443", ...files] = process.argv.slice(2)
  const [anchors = "", certificate = "", privateKey = ""] = files.map((file) => readFileSync(file, "utf8"))
  await Effect.runPromise(
    sayTwice(host, "hello").pipe(
      Effect.flatMap(Console.log),
      Effect.catchTags({
        NotAdmitted: ({ why }) => Console.error(`not admitted: ${why}`),
        Done: () => Console.error("the server closed before it had said all")
      }),
      Effect.catch((error) => Console.error(error.message)),
      Effect.provide(layer({ host, port: Number(port), anchors, certificate, privateKey }))
    )
  )
}
