import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { HarnessError } from "./HarnessError.ts"
import { awaitListening } from "./Listening.ts"
import { type PeerProcess, spawnPeer } from "./Process.ts"

/** One version alone, or TLS 1.2 and 1.3. */
export type OpenSslVersion = "-tls1_1" | "-tls1_2" | "-tls1_3" | "both"

const versionFlags = (version: OpenSslVersion = "-tls1_2"): ReadonlyArray<string> =>
  version === "both" ? ["-min_protocol", "TLSv1.2"] : [version]

const environment = (conf: string | undefined) => conf === undefined ? {} : { env: { OPENSSL_CONF: conf } }

/** A foreign server that listens on 127.0.0.1. */
export interface PeerServer {
  readonly port: number
  readonly process: PeerProcess
}

export interface OpenSslServerOptions {
  /** a configuration file in place of the system's: what has no option of its own (`-ExtendedMasterSecret`) is set there */
  readonly conf?: string
  readonly cert: string
  readonly key: string
  /** intermediates to send along (`-cert` itself sends one certificate only) */
  readonly chain?: string
  /**
   * - `rev` echoes lines reversed; a line `CLOSE` makes it send close_notify
   * - `www` answers GET and sends close_notify
   * - `plain` copies standard input and output; a line `Q` ends it without close_notify, `r` sends HelloRequest
   */
  readonly mode?: "rev" | "www" | "plain"
  /** `-tls1_2` by default */
  readonly version?: OpenSslVersion
  /** standard output line by line, by stdbuf of coreutils: `-trace` and `-msg` otherwise keep back the last few kilobytes */
  readonly lineBuffered?: boolean
  readonly extra?: ReadonlyArray<string>
}

/** `openssl s_server`, on a port of its own; alerts both ways are in its output (`-state`). */
export const openSslServer = (
  options: OpenSslServerOptions
): Effect.Effect<PeerServer, HarnessError, Scope.Scope> =>
  Effect.gen(function*() {
    const mode = options.mode ?? "rev"
    const [command, ...first] = options.lineBuffered === true
      ? ["stdbuf", "-oL", "openssl"] as const
      : ["openssl"] as const
    const process = yield* spawnPeer(
      command,
      [
        [...first, "s_server"],
        ["-accept", "127.0.0.1:0", "-state"],
        versionFlags(options.version),
        ["-cert", options.cert, "-key", options.key],
        options.chain === undefined ? [] : ["-cert_chain", options.chain],
        mode === "plain" ? [] : [`-${mode}`],
        options.extra ?? []
      ].flat(),
      environment(options.conf)
    )
    return { port: yield* awaitListening(process), process }
  })

export interface OpenSslClientOptions {
  readonly port: number
  /** a configuration file in place of the system's */
  readonly conf?: string
  /** the SNI, and with `caFile` the name to verify; localhost by default */
  readonly serverName?: string
  /** the roots to trust; given, a certificate that does not verify ends the handshake with an alert */
  readonly caFile?: string
  /** `-tls1_2` by default */
  readonly version?: OpenSslVersion
  readonly extra?: ReadonlyArray<string>
}

/**
 * `openssl s_client`; alerts both ways are in its output (`-state`). The end of its input sends close_notify.
 * A line of input that starts with Q ends it, one with R renegotiates, and in TLS 1.3 one with k or K updates keys: `extra: ["-nocommands"]` turns that off.
 */
export const openSslClient = (
  options: OpenSslClientOptions
): Effect.Effect<PeerProcess, HarnessError, Scope.Scope> => {
  const serverName = options.serverName ?? "localhost"
  return spawnPeer(
    "openssl",
    [
      ["s_client"],
      ["-connect", `127.0.0.1:${options.port}`, "-servername", serverName, "-state"],
      versionFlags(options.version),
      options.caFile === undefined
        ? []
        : ["-CAfile", options.caFile, "-verify_return_error", "-verify_hostname", serverName],
      options.extra ?? []
    ].flat(),
    environment(options.conf)
  )
}
