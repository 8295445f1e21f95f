import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { NamedGroup, SignatureScheme } from "../../src/wire/CodePoints.ts"
import { fatalAlertNumber } from "../harness/AlertText.ts"
import type { HarnessError } from "../harness/HarnessError.ts"
import type { LeafName } from "../harness/Pki.ts"
import { pkiFiles } from "../harness/PkiFiles.ts"
import type { PeerProcess } from "../harness/Process.ts"
import type { SuiteName, Version } from "./Names.ts"

/** What a foreign peer says was negotiated, in the names of the registries; `undefined` where it does not tell. */
export interface Facts {
  readonly suite: SuiteName | undefined
  readonly group: NamedGroup | undefined
  /** of the signature of the server */
  readonly scheme: SignatureScheme | undefined
  /** the extended master secret, of TLS 1.2 */
  readonly isExtended: boolean | undefined
  readonly isResumed: boolean | undefined
  readonly alpnProtocol: string | undefined
  /** of a server: the common name in the certificate of the client */
  readonly clientName: string | undefined
  /** of a server: the name that the client asked for */
  readonly serverName: string | undefined
}

/** What a client needs to resume. */
export type ForeignSession = string | Buffer

/** One end of a connection that a foreign peer holds. */
export interface ForeignEnd {
  /** Waits for the end of the handshake. */
  readonly facts: Effect.Effect<Facts, HarnessError>
  /** Waits for text that it received, or printed. */
  readonly waitForText: (pattern: RegExp) => Effect.Effect<unknown, HarnessError>
  /** Waits until it says that our close_notify came. node:tls says the same of a bare FIN, and has to be `isTapped`. */
  readonly sawClose: Effect.Effect<unknown, HarnessError>
  /** Waits until it says that the transport ended without a close_notify. node:tls has to be `isTapped`. */
  readonly sawTruncation: Effect.Effect<unknown, HarnessError>
  /** Waits until it names this warning, by number; node:tls never does. */
  readonly sawWarning: (number: number) => Effect.Effect<unknown, HarnessError>
  /** Waits until it names the fatal alert that it received, by number. Under keys of TLS 1.3 openssl alone tells the level. */
  readonly sawAlert: Effect.Effect<number, HarnessError>
}

export interface ForeignClient extends ForeignEnd {
  /** what it received so far, between what else it prints */
  readonly received: Effect.Effect<string>
  readonly send: (text: string) => Effect.Effect<void>
  /** sends close_notify */
  readonly close: Effect.Effect<void>
  /** Waits until the process, or the socket, has ended. */
  readonly ended: Effect.Effect<unknown, HarnessError>
  /** the session of this connection, once it is established; gnutls-cli keeps it to itself */
  readonly session: Effect.Effect<ForeignSession | undefined>
}

/** It echoes lines; openssl turns them round. */
export interface ForeignServer {
  readonly port: number
  /** Its end of the connection that our side opens next. */
  readonly next: Effect.Effect<ForeignEnd>
}

/** A client in a process of its own. */
export interface MortalClient extends Pick<ForeignClient, "send" | "waitForText"> {
  /** SIGKILL: the process ends without another word */
  readonly kill: Effect.Effect<void>
}

/** A server in a process of its own, which echoes as `ForeignServer` does. */
export interface MortalServer {
  readonly port: number
  /** SIGKILL: the process ends without another word */
  readonly kill: Effect.Effect<void>
}

export type ForeignVersion = "1.1" | Version | "both"

export interface ForeignOptions {
  readonly suites?: ReadonlyArray<SuiteName>
  readonly groups?: ReadonlyArray<NamedGroup>
  readonly schemes?: ReadonlyArray<SignatureScheme>
  readonly alpnProtocol?: string
  /** the only one that it speaks, 1.2 by default; `both` are 1.2 and 1.3 */
  readonly version?: ForeignVersion
  /** `false`: without the extended master secret */
  readonly isExtended?: false
  /** the leaf to show: ec by default for a server, none for a client */
  readonly identity?: LeafName
  /** prints no more than the data that it receives: for a lot of it; there are no facts and no alerts to be seen then */
  readonly isQuiet?: boolean
  /** the root that it trusts: ca by default */
  readonly trust?: "ca" | "other"
  /** node:tls behind a proxy that looks at how our side ends: the others tell by themselves */
  readonly isTapped?: true
}

export interface ForeignClientOptions extends ForeignOptions {
  readonly port: number
  /** localhost by default */
  readonly serverName?: string
  readonly resume?: ForeignSession | undefined
  /** with TLS_FALLBACK_SCSV (RFC 7507); node:tls cannot */
  readonly isFallback?: true
}

export interface ForeignServerOptions extends ForeignOptions {
  /** asks for a certificate; `require` fails without one, and both fail with one that is not good */
  readonly clientAuth?: "request" | "require"
}

export interface ForeignPeer {
  readonly name: "openssl" | "gnutls" | "node:tls"
  readonly client: (options: ForeignClientOptions) => Effect.Effect<ForeignClient, HarnessError, Scope.Scope>
  readonly server: (options?: ForeignServerOptions) => Effect.Effect<ForeignServer, HarnessError, Scope.Scope>
  readonly mortalClient: (options: MortalOptions & { readonly port: number }) => Mortal<MortalClient>
  readonly mortalServer: (options?: MortalOptions) => Mortal<MortalServer>
}

export type MortalOptions = Pick<ForeignOptions, "version">

export type Mortal<A> = Effect.Effect<A, HarnessError, Scope.Scope>

/** A peer that speaks this version and no other, unless it is told to. */
export const pinned = (peer: ForeignPeer, version: Version): ForeignPeer => ({
  name: peer.name,
  client: (options) => peer.client({ version, ...options }),
  server: (options) => peer.server({ version, ...options }),
  mortalClient: (options) => peer.mortalClient({ version, ...options }),
  mortalServer: (options) => peer.mortalServer({ version, ...options })
})

/** A peer of which `sawClose` and `sawTruncation` can be asked. */
export const tapped = (peer: ForeignPeer): ForeignPeer => ({
  ...peer,
  client: (options) => peer.client({ isTapped: true, ...options }),
  server: (options) => peer.server({ isTapped: true, ...options })
})

/** What a process prints, and when. */
interface Says {
  /** all that `facts` looks for has been printed */
  readonly established: (output: string) => boolean
  readonly facts: (output: string) => Facts
  readonly close: RegExp
  readonly truncation: RegExp
  readonly warning: (number: number) => RegExp
}

/** The end of a connection as a process prints it from now on. */
export const printedEnd = (peer: PeerProcess, says: Says): ForeignEnd => {
  const from = { stdout: peer.stdout.length, stderr: peer.stderr.length }
  // One after the other: where both arrive at once, a piece of one may come in the middle of a line of the other.
  const said = () => `${peer.stdout.slice(from.stdout)}\n${peer.stderr.slice(from.stderr)}`
  const saw = (pattern: RegExp) =>
    peer.until(`output matching ${pattern}`, () => pattern.test(said()) ? Effect.void : undefined)
  return {
    facts: peer.until("the end of the handshake", () => {
      const output = said()
      return says.established(output) ? Effect.succeed(says.facts(output)) : undefined
    }),
    waitForText: saw,
    sawClose: saw(says.close),
    sawTruncation: saw(says.truncation),
    sawWarning: (number) => saw(says.warning(number)),
    sawAlert: peer.until("a fatal alert", () => {
      const number = fatalAlertNumber(said())
      return number === undefined ? undefined : Effect.succeed(number)
    })
  }
}

/** A client whose input and output are its data. */
export const printedClient = (peer: PeerProcess, says: Says): Omit<ForeignClient, "session"> & MortalClient => ({
  ...printedEnd(peer, says),
  received: Effect.sync(() => peer.stdout),
  send: peer.send,
  close: peer.endInput,
  ended: peer.exit,
  kill: peer.kill("SIGKILL")
})

/** The first group of the first match. */
export const printed = (output: string, pattern: RegExp): string | undefined => output.match(pattern)?.[1]

/** The files of the identity, where there is one, and of the root to trust. */
export const filesOf = (options: ForeignOptions) =>
  Effect.map(options.identity === undefined ? pkiFiles() : pkiFiles(options.identity), (files) => ({
    files,
    credential: options.identity === undefined ? undefined : files.of(options.identity),
    root: files[options.trust ?? "ca"]
  }))

/** The same for a server, which always has an identity. */
export const serverFilesOf = ({ identity = "ec", ...options }: ForeignOptions) =>
  Effect.map(filesOf({ ...options, identity }), ({ files, root }) => ({ files, credential: files.of(identity), root }))
