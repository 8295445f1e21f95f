import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import { freePort } from "./FreePort.ts"
import { HarnessError } from "./HarnessError.ts"
import { awaitListening } from "./Listening.ts"
import type { PeerServer } from "./OpenSsl.ts"
import type { LeafName } from "./Pki.ts"
import type { PkiFiles } from "./PkiFiles.ts"
import { type PeerProcess, spawnPeer } from "./Process.ts"

const run = (command: string, args: ReadonlyArray<string>): Effect.Effect<void, HarnessError, Scope.Scope> =>
  Effect.gen(function*() {
    const process = yield* spawnPeer(command, args)
    const code = yield* process.exit
    if (code !== 0) {
      return yield* Effect.fail(new HarnessError({ what: `${command} ended with ${code}`, details: process.output }))
    }
  })

/** A database of NSS below the folder of `files`: it trusts the roots, and has the identities under their names. */
export const nssDatabase = (
  files: PkiFiles,
  name: string,
  options: { readonly roots?: ReadonlyArray<"ca" | "other">; readonly identities?: ReadonlyArray<LeafName> }
): Effect.Effect<string, HarnessError, Scope.Scope> =>
  Effect.gen(function*() {
    const directory = join(files.directory, name)
    const database = `sql:${directory}`
    yield* Effect.promise(() => mkdir(directory, { recursive: true }))
    yield* run("certutil", ["-N", "-d", database, "--empty-password"])
    for (const root of options.roots ?? []) {
      yield* run("certutil", ["-A", "-d", database, "-n", root, "-t", "CT,C,C", "-i", files[root]])
    }
    for (const identity of options.identities ?? []) {
      const { cert, key } = files.of(identity)
      const bundle = join(directory, `${identity}.p12`)
      const bundling = ["-export", "-in", cert, "-inkey", key, "-name", identity, "-passout", "pass:", "-out", bundle]
      yield* run("openssl", ["pkcs12", ...bundling])
      yield* run("pk12util", ["-d", database, "-i", bundle, "-W", "", "-K", ""])
    }
    return database
  })

/** `tstclnt`, as localhost. It sends the file at once, and prints what it receives until the server closes. */
export const tstclnt = (options: {
  readonly port: number
  readonly database: string
  readonly request: string
  readonly extra: ReadonlyArray<string>
}): Effect.Effect<PeerProcess, HarnessError, Scope.Scope> =>
  spawnPeer(
    "tstclnt",
    [
      ["-h", "localhost", "-4", "-p", String(options.port)],
      ["-d", options.database, "-A", options.request, "-v"],
      options.extra
    ].flat()
  )

/** `selfserv`: it answers each request with a page, and closes. */
export const selfserv = (options: {
  readonly database: string
  /** on a curve, or not */
  readonly identity: "ec" | "rsa"
  readonly extra: ReadonlyArray<string>
}): Effect.Effect<PeerServer, HarnessError, Scope.Scope> =>
  Effect.gen(function*() {
    const process = yield* spawnPeer(
      "selfserv",
      [
        ["-d", options.database, "-w", "", "-p", String(yield* freePort), "-v"],
        [options.identity === "ec" ? "-e" : "-n", options.identity],
        options.extra
      ].flat()
    )
    return { port: yield* awaitListening(process), process }
  })
