/**
 * `effect-tls connect`: standard input to the peer, the peer to standard output.
 *
 * @since 0.1.0
 */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeStream from "@effect/platform-node/NodeStream"
import * as Argument from "effect/cli/Argument"
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Socket from "effect/socket/Socket"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import type { TlsError } from "../alert/TlsError.ts"
import type { Connection } from "../connection/Connection.ts"
import * as NodePrimitives from "../platform/NodePrimitives.ts"
import * as SessionCache from "../service/SessionCache.ts"
import * as Trust from "../service/Trust.ts"
import * as TlsClient from "../TlsClient.ts"
import { negotiated } from "./Ending.ts"
import { type CommandFailed, systemReason, tlsFailed, unusable } from "./Failure.ts"
import { identityOf, judgementOf, keyLogTo, trustOf } from "./Files.ts"
import { alpn, keylog, tls, versionsOf } from "./Flags.ts"
import { paintFor } from "./Paint.ts"
import { printable } from "./Printable.ts"
import * as SessionFile from "./SessionFile.ts"
import * as Trace from "./Trace.ts"

interface Target {
  readonly host: string
  readonly port: number
}

/** `host:port`, or `[::1]:port`. */
const targetOf = (text: string): Option.Option<Target> => {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? []
  const host = bracketed ?? plain
  const port = Number(digits)
  return host !== undefined && port >= 1 && port <= 65535 ? Option.some({ host, port }) : Option.none()
}

const parameters = {
  target: Argument.String("HOST:PORT").pipe(
    Argument.filterMap(targetOf, () => "HOST:PORT, with a port from 1 to 65535"),
    Argument.withDescription("where to connect; an IPv6 address goes into brackets")
  ),
  ca: Flag.String("ca").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("PEM: the authorities to trust; by default those of the system"),
    Flag.optional
  ),
  pin: Flag.String("pin").pipe(
    Flag.withMetavar("SHA256"),
    Flag.withDescription(
      "trust this key alone: the hash of its SubjectPublicKeyInfo, in hex or Base64; may be repeated"
    ),
    Flag.atLeast(0)
  ),
  crl: Flag.String("crl").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("PEM: a revocation list to judge by; may be given several times"),
    Flag.atLeast(0)
  ),
  requireStaple: Flag.Boolean("require-staple").pipe(
    Flag.withoutNegation,
    Flag.withDescription("refuse a server whose certificate is not shown not to be revoked, by a staple or a list"),
    Flag.withDefault(false)
  ),
  serverName: Flag.String("server-name").pipe(
    Flag.withMetavar("N"),
    Flag.withDescription("the name that the certificate must be for, sent as SNI; HOST by default"),
    Flag.optional
  ),
  alpn,
  tls,
  cert: Flag.String("cert").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("PEM: the certificate to show where the server asks, then its intermediates; needs --key"),
    Flag.optional
  ),
  key: Flag.String("key").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("PEM: its private key, not encrypted; needs --cert"),
    Flag.optional
  ),
  insecure: Flag.Boolean("insecure").pipe(
    Flag.withoutNegation,
    Flag.withDescription("accept any certificate: no protection against an active attacker"),
    Flag.withDefault(false)
  ),
  session: Flag.String("session").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription(
      "keep the session in this file and offer it next time, a ticket of TLS 1.3 once; it is a secret, and gone after " +
        "a fatal alert"
    ),
    Flag.optional
  ),
  keylog,
  trace: Flag.Boolean("trace").pipe(
    Flag.withoutNegation,
    Flag.withDescription("draw the conversation on stderr: records, messages and alerts"),
    Flag.withDefault(false)
  ),
  closeOnEof: Flag.Boolean("close-on-eof").pipe(
    Flag.withoutNegation,
    Flag.withDescription("say close_notify at the end of the input, and give the peer 5 seconds to answer"),
    Flag.withDefault(false)
  ),
  handshakeTimeout: Flag.Finite("handshake-timeout").pipe(
    Flag.filter((seconds) => seconds > 0, () => "more than 0 seconds"),
    Flag.withMetavar("SECONDS"),
    Flag.withDescription("how long the handshake may take; 10 by default"),
    Flag.withDefault(10)
  )
}

const dialTimeout = "10 seconds"
const answerTimeout = "5 seconds"
/** A server of TLS 1.3 judges our certificate when we are open already. Most of them then say something, and some never do. */
const verdictTimeout = "1 second"

/** Sends what comes on standard input. A failure of the connection is told by its reader, who gets the same one. */
const sendInput = (tls: Connection): Effect.Effect<void, CommandFailed> =>
  // Destroyed at the end: a terminal or a pipe that is still open would keep the process alive.
  NodeStream.fromReadable<Uint8Array, CommandFailed>({
    evaluate: () => process.stdin,
    onError: (cause) => unusable(`The input cannot be read: ${systemReason(cause)}.`),
    closeOnDone: true
  }).pipe(
    Stream.runForEachArray((chunks) => tls.writeAll(chunks)),
    Effect.catchIf((error) => error._tag !== "CommandFailed", () => Effect.never)
  )

/** Prints what the peer sends, until its close_notify; how many bytes that were. */
const receive = (tls: Connection): Effect.Effect<number, TlsError | CommandFailed, Stdio.Stdio> =>
  Effect.gen(function*() {
    const stdio = yield* Stdio.Stdio
    let received = 0
    yield* tls.stream.pipe(
      Stream.tap((chunk) => Effect.sync(() => received += chunk.length)),
      Stream.run(stdio.stdout()),
      Effect.catchTag(
        "PlatformError",
        ({ reason }) => Effect.fail(unusable(`The output cannot be written: ${systemReason(reason.cause)}.`))
      )
    )
    return received
  })

const converse = (tls: Connection, closeOnEof: boolean) =>
  Effect.gen(function*() {
    const isTerminal = yield* (yield* Stdio.Stdio).stdinIsTerminal
    const hangUp = Effect.as(Effect.andThen(tls.closeWrite, Effect.sleep(answerTimeout)), undefined)
    const received = yield* Effect.raceFirst(
      receive(tls),
      Effect.andThen(sendInput(tls), closeOnEof || isTerminal ? hangUp : Effect.never)
    )
    return received === undefined
      ? `closed by us, the peer did not answer close_notify within ${answerTimeout}`
      : `closed cleanly with close_notify, ${received} bytes received`
  })

// The formatter indents the first line alone.
const description = `
  Connects, sends standard input to the peer, and prints what the peer sends. Events go to stderr.

  The end of a piped input does not close the connection: a TLS 1.2 peer that is told close_notify drops
  what it was about to say, so its answer is awaited, until it closes. The end of typed input (Ctrl-D), or of
  any input with --close-on-eof, is told as close_notify. What the peer still sends is printed, for 5 seconds.

  Exit codes: 0 clean close_notify, 1 a file or a stream cannot be used, 2 usage, 10 alert received,
  11 alert sent, 12 truncated, 13 transport failed, 14 handshake aborted or timed out, 130 interrupted.
`.trim()

/**
 * @category commands
 * @since 0.1.0
 */
export const connect = Command.make("connect", parameters, (flags) =>
  Effect.gen(function*() {
    const { host, port } = flags.target
    const trace = flags.trace
      ? Trace.make(
        { left: "effect-tls", right: `${host}:${port}`, observer: "left" },
        paintFor(process.stderr),
        (line) => void process.stderr.write(`${line}\n`)
      )
      : undefined
    const tell = (event: string) => Effect.andThen(Effect.sync(() => trace?.flush()), Console.error(event))
    // What ended the connection is drawn before the sentence about it.
    yield* Effect.addFinalizer(() => Effect.sync(() => trace?.flush()))

    if (flags.insecure) yield* tell("warning: the certificate of the peer is not checked.")
    const judgement = yield* judgementOf(flags.crl, flags.requireStaple)
    const trust = flags.insecure
      ? yield* Effect.provide(Trust.Trust, Trust.layerInsecure)
      : flags.pin.length > 0
      ? yield* Effect.provide(Trust.Trust, Trust.layerPinned({ spkiSha256: flags.pin })).pipe(
        Effect.mapError(({ message }) => unusable(`--pin cannot be used: ${message}.`))
      )
      : Option.isSome(flags.ca)
      ? yield* trustOf("ca", flags.ca.value, judgement)
      : yield* Effect.provide(Trust.Trust, Trust.layerSystemWith(judgement)).pipe(
        Effect.mapError(({ message }) => unusable(`--crl cannot be used: ${message}.`))
      )
    const identity = Option.isSome(flags.cert) && Option.isSome(flags.key)
      ? yield* identityOf([{ cert: flags.cert.value, key: flags.key.value }])
      : undefined
    const insecureKeyLog = Option.isSome(flags.keylog) ? yield* keyLogTo(flags.keylog.value) : undefined
    const sessions = Option.isSome(flags.session)
      ? SessionFile.layer(flags.session.value, (sentence) => tell(`warning: ${sentence}`))
      : SessionCache.layerNone

    const tls = yield* TlsClient.connect({
      serverName: Option.getOrElse(flags.serverName, () => host),
      sessionName: `${host}:${port}`,
      alpnProtocols: flags.alpn,
      ...versionsOf(flags.tls),
      limits: { handshakeTimeout: Duration.seconds(flags.handshakeTimeout) },
      ...(identity === undefined ? {} : { identity, awaitPeerVerdict: verdictTimeout }),
      ...(insecureKeyLog === undefined ? {} : { insecureKeyLog }),
      ...(trace === undefined ? {} : { observe: trace.observe })
    }).pipe(
      Effect.provideServiceEffect(
        Socket.Socket,
        NodeSocket.makeNet({ host, port, allowHalfOpen: true, noDelay: true, openTimeout: dialTimeout })
      ),
      Effect.provideService(Trust.Trust, trust),
      Effect.provide(sessions)
    )
    yield* tell(printable(`connected to ${host}:${port}: ${negotiated(tls)}`))
    yield* tell(yield* converse(tls, flags.closeOnEof))
  }).pipe(
    Effect.scoped,
    Effect.mapError((error) => error._tag === "CommandFailed" ? error : tlsFailed(error)),
    Effect.provide(NodePrimitives.layer)
  )).pipe(
    Command.validate(({ ca, cert, crl, insecure, key, pin, requireStaple }) => {
      const invalid = (message: string) => Effect.fail(new CliError.ValidationError({ message }))
      if (Option.isSome(cert) !== Option.isSome(key)) return invalid("--cert and --key go together")
      const isJudging = crl.length > 0 || requireStaple
      if (isJudging && (insecure || pin.length > 0)) {
        return invalid("--crl and --require-staple have no meaning with --pin or --insecure")
      }
      if (insecure && pin.length > 0) return invalid("--pin and --insecure exclude each other")
      if (pin.length > 0 && Option.isSome(ca)) return invalid("--ca and --pin exclude each other")
      return insecure && Option.isSome(ca) ? invalid("--ca and --insecure exclude each other") : Effect.void
    }),
    Command.withDescription(description),
    Command.withShortDescription("A client: standard input to the peer, the peer to standard output"),
    Command.withExamples([
      { command: "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | effect-tls connect example.com:443 --trace" },
      { command: "effect-tls connect localhost:8443 --ca ca.pem --session session.json" }
    ])
  )
