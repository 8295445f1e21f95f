/**
 * What the commands read from files: certificates, keys and trust anchors.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { closeSync, openSync, writeSync } from "node:fs"
import { readFile } from "node:fs/promises"
import type { Primitives } from "../secret/Primitives.ts"
import * as Identity from "../service/Identity.ts"
import * as Trust from "../service/Trust.ts"
import { type CommandFailed, systemReason, unusable } from "./Failure.ts"

const readText = (option: string, path: string): Effect.Effect<string, CommandFailed> =>
  Effect.tryPromise({
    try: () => readFile(path, "utf8"),
    catch: (cause) => unusable(`--${option} ${path} cannot be read: ${systemReason(cause)}.`)
  })

/**
 * The identity of a certificate file and a key file.
 *
 * @category constructors
 * @since 0.1.0
 */
export const identityOf = (
  cert: string,
  key: string
): Effect.Effect<Identity.Identity["Service"], CommandFailed, Primitives> =>
  Effect.gen(function*() {
    const certificate = yield* readText("cert", cert)
    const privateKey = yield* readText("key", key)
    return yield* Identity.makePem({ certificate, privateKey }).pipe(
      Effect.mapError(({ message }) => unusable(`--cert ${cert} and --key ${key} cannot be used: ${message}.`))
    )
  })

/**
 * Trust in the certificates of a file.
 *
 * @category constructors
 * @since 0.1.0
 */
export const trustOf = (
  option: string,
  path: string
): Effect.Effect<Trust.Trust["Service"], CommandFailed, Primitives> =>
  Effect.flatMap(readText(option, path), (anchors) =>
    Effect.provide(Trust.Trust, Trust.layerAnchors({ anchors })).pipe(
      Effect.mapError(({ message }) => unusable(`--${option} ${path} cannot be used: ${message}.`))
    ))

/**
 * Appends the secrets of connections to a file in the SSLKEYLOGFILE format, which only its owner can read.
 *
 * @category constructors
 * @since 0.1.0
 */
export const keyLogTo = (path: string): Effect.Effect<(line: string) => void, CommandFailed, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.try({
        try: () => openSync(path, "a", 0o600),
        catch: (cause) => unusable(`--keylog ${path} cannot be written: ${systemReason(cause)}.`)
      }),
      (file) => Effect.sync(() => closeSync(file))
    ),
    (file) => (line) => void writeSync(file, `${line}\n`)
  )
