/**
 * `effect-tls serve`: a server that says what was negotiated, or echoes.
 *
 * @since 0.1.0
 */
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as Cause from "effect/Cause"
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type { SocketAddress } from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as SocketServer from "effect/socket/SocketServer"
import * as Stream from "effect/Stream"
import type { TlsError } from "../alert/TlsError.ts"
import type { Connection } from "../connection/Connection.ts"
import * as NodePrimitives from "../platform/NodePrimitives.ts"
import { Primitives } from "../secret/Primitives.ts"
import { Identity } from "../service/Identity.ts"
import { checkSettings, type ServerOptions, settingsOf } from "../service/TlsConfig.ts"
import * as TlsServer from "../TlsServer.ts"
import { ending, negotiated } from "./Ending.ts"
import { systemReason, tlsFailed, unusable } from "./Failure.ts"
import { identityOf, keyLogTo, trustOf } from "./Files.ts"
import { alpn, keylog, tls, versionsOf } from "./Flags.ts"
import * as Page from "./Page.ts"
import { printable } from "./Printable.ts"
import { cacheOf, sessionCache } from "./SessionStore.ts"

const flags = {
  port: Flag.Int("port").pipe(
    Flag.filter((port) => port >= 0 && port <= 65535, () => "a port from 0 to 65535"),
    Flag.withMetavar("N"),
    Flag.withDescription("the port to listen on; 0 takes a free one and prints it")
  ),
  cert: Flag.String("cert").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription(
      "PEM: the certificate, then its intermediates; given several times, the name that a client asks for decides"
    ),
    Flag.atLeast(1)
  ),
  key: Flag.String("key").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("PEM: its private key, not encrypted; one for each --cert, in the same order"),
    Flag.atLeast(1)
  ),
  staple: Flag.String("staple").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("an OCSP response in DER, to be stapled; for the --cert in the same place"),
    Flag.atLeast(0)
  ),
  host: Flag.String("host").pipe(
    Flag.withMetavar("H"),
    Flag.withDescription("the address to listen on; all addresses by default"),
    Flag.optional
  ),
  clientCa: Flag.String("client-ca").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription(
      "PEM: the authorities whose clients are trusted, named to those that are asked; needs --client-auth"
    ),
    Flag.optional
  ),
  clientAuth: Flag.Literals("client-auth", ["request", "require"]).pipe(
    Flag.withDescription("ask clients for a certificate, or insist on one; needs --client-ca"),
    Flag.optional
  ),
  alpn,
  tls,
  keylog,
  sessionCache,
  echo: Flag.Boolean("echo").pipe(
    Flag.withoutNegation,
    Flag.withDescription("send back what comes, in place of the page"),
    Flag.withDefault(false)
  )
}

const formatAddress = (address: SocketAddress): string => {
  switch (address._tag) {
    case "InetAddressV4":
      return `${address.address}:${address.port}`
    case "InetAddressV6":
      return `[${address.address}]:${address.port}`
    case "UnixPathAddress":
      return address.path
  }
}

const printFailure = (cause: Cause.Cause<TlsError>): string => {
  if (Cause.hasInterruptsOnly(cause)) return "this server was stopped"
  const error = Cause.findErrorOption(cause)
  return Option.isSome(error) ? ending(error.value) : `this side failed: ${Cause.pretty(cause).split("\n")[0]}`
}

const isClosedByPeer = (cause: Cause.Cause<TlsError>): boolean =>
  Option.exists(Cause.findErrorOption(cause), (error) => error._tag === "ConnectionClosed")

/** One line for a connection that is over. */
const report = ({ closure, connection, exit, remoteAddress }: TlsServer.ConnectionReport<TlsError>): string => {
  const peer = remoteAddress?.replace(/^\[::ffff:([\d.]+)\]/, "$1") ?? "unknown peer"
  if (connection === undefined || closure === undefined) {
    return `${peer}  handshake failed: ${Exit.isFailure(exit) ? printFailure(exit.cause) : "no reason is known"}`
  }
  const how = closure.error !== undefined
    ? ending(closure.error)
    : closure._tag === "CloseSent"
    ? "closed by us, the peer did not answer close_notify in time"
    : closure._tag === "Closed"
    ? "clean"
    : closure._tag
  // A client that closes before it has its answer is no failure of the connection.
  const isOwn = closure.error === undefined && Exit.isFailure(exit) && !isClosedByPeer(exit.cause)
  const why = isOwn ? ` (${printFailure(exit.cause)})` : ""
  return `${peer}  ${negotiated(connection)}: ${how}${why}`
}

const openFailed = (host: string | undefined, port: number, error: SocketServer.SocketServerError) =>
  unusable(`${host ?? "*"}:${port} cannot be listened on: ${systemReason(error.reason.cause)}.`)

// The formatter indents the first line alone.
const description = `
  Serves TLS until it is interrupted. Any HTTP/1.x request is answered with a page that says what was
  negotiated, then with close_notify. One line a connection goes to stderr: peer, version, suite, how it ended.

  Ctrl-C or SIGTERM ends it in order: open connections are told close_notify, and the exit code is 130.
  Other exit codes: 1 a file, the port or the session cache cannot be used, 2 usage.
`.trim()

/**
 * @category commands
 * @since 0.1.0
 */
export const serve = Command.make("serve", flags, (flags) =>
  Effect.gen(function*() {
    const primitives = yield* Primitives
    const identity = yield* identityOf(
      flags.cert.map((cert, index) => ({ cert, key: flags.key[index] ?? "", staple: flags.staple[index] }))
    )
    const host = Option.getOrUndefined(flags.host)
    const options: ServerOptions = {
      alpnProtocols: flags.alpn,
      ...versionsOf(flags.tls),
      // A line says how a connection ended: worth the wait for the answer of the peer.
      policies: { waitForPeer: true },
      ...(Option.isSome(flags.keylog) ? { insecureKeyLog: yield* keyLogTo(flags.keylog.value) } : {}),
      ...(Option.isSome(flags.clientCa) && Option.isSome(flags.clientAuth)
        ? { clientAuth: { mode: flags.clientAuth.value, trust: yield* trustOf("client-ca", flags.clientCa.value) } }
        : {})
    }
    const invalid = checkSettings(settingsOf(options, primitives), primitives)
    if (invalid !== undefined) return yield* tlsFailed(invalid)
    const sessions = yield* Layer.build(cacheOf(flags.sessionCache))
    // Half-open: a client may end its sending before it has read all.
    const server = yield* NodeSocketServer.make({
      port: flags.port,
      allowHalfOpen: true,
      ...(host === undefined ? {} : { host })
    }).pipe(Effect.mapError((error) => openFailed(host, flags.port, error)))
    yield* Console.error(`listening on ${formatAddress(server.address)}`)

    const handler = flags.echo
      ? (tls: Connection) => Stream.run(tls.stream, tls.sink)
      : (tls: Connection) => Page.answer(tls, primitives)
    return yield* TlsServer.run(handler, { ...options, report: (told) => Console.error(printable(report(told))) }).pipe(
      Effect.provideService(Identity, identity),
      Effect.provideService(SocketServer.SocketServer, server),
      Effect.provideContext(sessions),
      Effect.mapError((error) =>
        error._tag === "InvalidOption" ? tlsFailed(error) : openFailed(host, flags.port, error)
      )
    )
  }).pipe(
    Effect.scoped,
    Effect.provide(NodePrimitives.layer)
  )).pipe(
    Command.validate(({ cert, clientAuth, clientCa, key, staple }) => {
      const invalid = (message: string) => Effect.fail(new CliError.ValidationError({ message }))
      if (cert.length !== key.length) {
        return invalid(`there are ${cert.length} of --cert and ${key.length} of --key: they go in pairs`)
      }
      if (staple.length > cert.length) return invalid("there are more of --staple than of --cert")
      return Option.isSome(clientAuth) === Option.isSome(clientCa)
        ? Effect.void
        : invalid("--client-ca and --client-auth go together")
    }),
    Command.withDescription(description),
    Command.withShortDescription("A server that says what was negotiated, or echoes"),
    Command.withExamples([
      { command: "effect-tls serve --port 8443 --cert cert.pem --key key.pem" },
      { command: "effect-tls serve --port 0 --cert cert.pem --key key.pem --echo --alpn http/1.1" },
      { command: "effect-tls serve --port 8443 --cert cert.pem --key key.pem --session-cache redis://localhost:6379" }
    ])
  )
