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
import { decodePem } from "../service/Pem.ts"
import * as Trust from "../service/Trust.ts"
import { type CommandFailed, systemReason, unusable } from "./Failure.ts"

const readText = (option: string, path: string): Effect.Effect<string, CommandFailed> =>
  Effect.tryPromise({
    try: () => readFile(path, "utf8"),
    catch: (cause) => unusable(`--${option} ${path} cannot be read: ${systemReason(cause)}.`)
  })

const readBytes = (option: string, path: string): Effect.Effect<Uint8Array, CommandFailed> =>
  Effect.tryPromise({
    try: () => readFile(path),
    catch: (cause) => unusable(`--${option} ${path} cannot be read: ${systemReason(cause)}.`)
  }).pipe(Effect.map((bytes) => new Uint8Array(bytes)))

/**
 * The files of one certificate chain.
 *
 * @category models
 * @since 0.1.0
 */
export interface ChainFiles {
  readonly cert: string
  readonly key: string
  readonly staple?: string | undefined
}

/**
 * The identity of certificate and key files.
 *
 * @category constructors
 * @since 0.1.0
 */
export const identityOf = (
  chains: ReadonlyArray<ChainFiles>
): Effect.Effect<Identity.Identity["Service"], CommandFailed, Primitives> =>
  Effect.forEach(chains, ({ cert, key, staple }) =>
    Effect.gen(function*() {
      const certificate = yield* readText("cert", cert)
      const privateKey = yield* readText("key", key)
      const response = staple === undefined ? undefined : yield* readBytes("staple", staple)
      return yield* Identity.fromPem({ certificate, privateKey, staple: response }).pipe(
        Effect.mapError(({ message }) => unusable(`--cert ${cert} and --key ${key} cannot be used: ${message}.`))
      )
    })).pipe(Effect.flatMap((credentials) => Identity.fromCredentials(credentials)))

/**
 * Trust in the certificates of a file.
 *
 * @category constructors
 * @since 0.1.0
 */
export const trustOf = (
  option: string,
  path: string,
  judgement: Trust.JudgementOptions = {}
): Effect.Effect<Trust.Trust["Service"], CommandFailed, Primitives> =>
  Effect.flatMap(
    readText(option, path),
    (anchors) =>
      Effect.provide(Trust.Trust, Trust.layerAnchors({ anchors, ...judgement })).pipe(
        Effect.mapError(({ message }) => unusable(`--${option} ${path} cannot be used: ${message}.`))
      )
  )

/**
 * How to judge, by the revocation lists of files and by whether a status is required.
 *
 * @category constructors
 * @since 0.1.0
 */
export const judgementOf = (
  crls: ReadonlyArray<string>,
  isStatusRequired: boolean
): Effect.Effect<Trust.JudgementOptions, CommandFailed> =>
  Effect.map(
    Effect.forEach(crls, (path) =>
      Effect.flatMap(readText("crl", path), (text) =>
        Effect.mapError(
          decodePem(text, "X509 CRL"),
          ({ message }) => unusable(`--crl ${path} cannot be used: ${message}.`)
        ))),
    (lists) => ({
      ...(lists.length === 0 ? {} : { crls: lists.flat() }),
      ...(isStatusRequired ? { revocation: "require" as const } : {})
    })
  )

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
