import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { HarnessError } from "./HarnessError.ts"
import { awaitListening } from "./Listening.ts"
import type { PeerServer } from "./OpenSsl.ts"
import { type PeerProcess, spawnPeer } from "./Process.ts"

const onlyTls12 = "NORMAL:-VERS-ALL:+VERS-TLS1.2"

export interface GnuTlsServerOptions {
  readonly cert: string
  readonly key: string
  /** the roots for client certificates; given, a client must show a valid one, otherwise none is asked for */
  readonly clientCaFile?: string
  /** with `clientCaFile`: `request` takes a client without a certificate as well */
  readonly clientAuth?: "request" | "require"
  /** echo is the default */
  readonly mode?: "echo" | "http"
  readonly priority?: string
  readonly extra?: ReadonlyArray<string>
}

/** `gnutls-serv`, TLS 1.2, on a port of its own. */
export const gnuTlsServer = (
  options: GnuTlsServerOptions
): Effect.Effect<PeerServer, HarnessError, Scope.Scope> =>
  Effect.gen(function*() {
    const process = yield* spawnPeer(
      "gnutls-serv",
      [
        ["--port", "0", "--priority", options.priority ?? onlyTls12, `--${options.mode ?? "echo"}`],
        ["--x509certfile", options.cert, "--x509keyfile", options.key],
        options.clientCaFile === undefined
          ? ["--disable-client-cert"]
          : ["--x509cafile", options.clientCaFile, "--verify-client-cert"],
        options.clientCaFile === undefined || options.clientAuth === "request" ? [] : ["--require-client-cert"],
        options.extra ?? []
      ].flat()
    )
    return { port: yield* awaitListening(process, ["tcp"]), process }
  })

export interface GnuTlsClientOptions {
  readonly port: number
  readonly caFile: string
  /** the SNI and the name to verify; localhost by default */
  readonly serverName?: string
  /** a client certificate */
  readonly cert?: string
  readonly key?: string
  readonly priority?: string
  readonly env?: Readonly<Record<string, string>>
  readonly extra?: ReadonlyArray<string>
}

/** `gnutls-cli`, TLS 1.2. The end of its input sends close_notify. */
export const gnuTlsClient = (
  options: GnuTlsClientOptions
): Effect.Effect<PeerProcess, HarnessError, Scope.Scope> => {
  const serverName = options.serverName ?? "localhost"
  return spawnPeer(
    "gnutls-cli",
    [
      ["--port", String(options.port), "--priority", options.priority ?? onlyTls12],
      ["--x509cafile", options.caFile, "--verify-hostname", serverName, "--sni-hostname", serverName],
      options.cert === undefined ? [] : ["--x509certfile", options.cert],
      options.key === undefined ? [] : ["--x509keyfile", options.key],
      options.extra ?? [],
      ["127.0.0.1"]
    ].flat(),
    options.env === undefined ? {} : { env: options.env }
  )
}
