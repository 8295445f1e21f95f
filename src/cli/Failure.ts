/**
 * How a command ends other than well: one sentence, and an exit code.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Runtime from "effect/Runtime"
import type { TlsError } from "../alert/TlsError.ts"

/**
 * The exit codes beside 0, a clean end, and 130, an interruption.
 *
 * @category constants
 * @since 0.1.0
 */
export const ExitCode = {
  /** A file, a port or a stream cannot be used. */
  unusable: 1,
  usage: 2,
  alertReceived: 10,
  alertSent: 11,
  truncated: 12,
  transportFailed: 13,
  handshakeAborted: 14
} as const

/**
 * @category errors
 * @since 0.1.0
 */
export class CommandFailed extends Data.TaggedError("CommandFailed")<{
  readonly message: string
  readonly exitCode: number
}> {
  override readonly [Runtime.errorExitCode] = this.exitCode
  override readonly [Runtime.errorReported] = false
}

/**
 * Something outside of the command line cannot be used: a file, a port, a stream.
 *
 * @category constructors
 * @since 0.1.0
 */
export const unusable = (message: string): CommandFailed => new CommandFailed({ message, exitCode: ExitCode.unusable })

const exitCodeOf = (error: TlsError): number => {
  switch (error._tag) {
    case "AlertReceived":
      return ExitCode.alertReceived
    case "AlertSent":
      return ExitCode.alertSent
    case "Truncated":
      return ExitCode.truncated
    case "TransportFailed":
      return ExitCode.transportFailed
    case "HandshakeAborted":
      return ExitCode.handshakeAborted
    case "InvalidOption":
      return ExitCode.usage
    case "ConnectionClosed":
      return 0
  }
}

/**
 * How a connection ended, as the end of a command.
 *
 * @category constructors
 * @since 0.1.0
 */
export const tlsFailed = (error: TlsError): CommandFailed =>
  new CommandFailed({ message: error.message, exitCode: exitCodeOf(error) })

const systemErrors: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EADDRINUSE: "the port is in use",
  EADDRNOTAVAIL: "this machine has no such address",
  EAI_AGAIN: "the name cannot be looked up",
  EISDIR: "it is a directory",
  ENOENT: "no such file",
  ENOTDIR: "a part of the path is not a directory",
  ENOTFOUND: "there is no host of that name",
  EPERM: "permission denied",
  EPIPE: "its reader is gone"
}

/**
 * What the system says, as a clause.
 *
 * @category formatting
 * @since 0.1.0
 */
export const systemReason = (cause: unknown): string => {
  const code = typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : ""
  return systemErrors[code] ?? (cause instanceof Error ? cause.message : String(cause))
}
