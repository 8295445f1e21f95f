/**
 * Who we are: certificate chains, and keys that sign for them.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import type { PlatformError } from "effect/PlatformError"
import * as Stream from "effect/Stream"
import type { FaultOf } from "../alert/Fault.ts"
import { Primitives } from "../secret/Primitives.ts"
import { concat, toHex } from "../wire/Bytes.ts"
import {
  choose,
  type Credential,
  fromPem,
  fromSigner,
  type IdentityError,
  type IdentityRequest,
  type PemOptions,
  type ReadCredential,
  type SignerOptions,
  type UnknownName
} from "./Credential.ts"
import type { PemError } from "./Pem.ts"
import * as Reloading from "./Reloading.ts"

export {
  authenticationOf,
  type Credential,
  fromPem,
  fromSigner,
  IdentityError,
  type IdentityRequest,
  type PemOptions,
  type ReadCredential,
  schemeFits,
  schemesFor,
  type SignerOptions,
  type UnknownName
} from "./Credential.ts"

/**
 * `select` gives the credential that fits, or none: a server without one fails with handshake_failure, a client sends an empty
 * certificate list. A server that does not serve the name may say so.
 *
 * @category services
 * @since 0.1.0
 */
export class Identity extends Context.Service<Identity, {
  readonly select: (
    request: IdentityRequest
  ) => Effect.Effect<Option.Option<Credential>, FaultOf<"ServerNameUnrecognized">>
  /** Differs between identities: a session made with one is not resumed under another. */
  readonly fingerprint: string
}>()("effect-tls/Identity") {}

/**
 * What to do where certificates leave a choice.
 *
 * @category models
 * @since 0.1.0
 */
export interface ChoiceOptions {
  /** For a server name that no certificate is for: `first` by default. */
  readonly unknownName?: UnknownName
}

/**
 * One identity of several credentials. A server chooses by the name that the client asked for, a client by the authorities that the
 * server named, both by what the peer can verify; then the first one counts.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromCredentials = (
  credentials: ReadonlyArray<ReadCredential>,
  options: ChoiceOptions = {}
): Effect.Effect<Identity["Service"], never, Primitives> =>
  Effect.map(Primitives, (primitives) =>
    Identity.of({
      fingerprint: toHex(primitives.digest("sha256", concat(credentials.map(({ leaf }) => leaf.der)))),
      select: (request) => Effect.fromResult(choose(credentials, request, options.unknownName ?? "first"))
    }))

// Array.isArray tells an array from what is none, which its type does not say of one that is read-only.
const listOf = <A>(given: A | ReadonlyArray<A>): ReadonlyArray<A> => Array.isArray(given) ? given : [given as A]

/**
 * One or several certificate chains with their keys, from PEM text.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makePem = (
  options: PemOptions | ReadonlyArray<PemOptions>,
  choice: ChoiceOptions = {}
): Effect.Effect<Identity["Service"], IdentityError | PemError, Primitives> =>
  Effect.flatMap(Effect.forEach(listOf(options), fromPem), (credentials) => fromCredentials(credentials, choice))

/**
 * One or several certificate chains with their keys, from PEM text. Fails where the text cannot be read, or a key is not that of
 * its certificate.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerPem = (
  options: PemOptions | ReadonlyArray<PemOptions>,
  choice: ChoiceOptions = {}
): Layer.Layer<Identity, IdentityError | PemError, Primitives> => Layer.effect(Identity, makePem(options, choice))

/**
 * A certificate chain whose key is held elsewhere: in a hardware module, an agent, a key service. Only signatures come from there.
 * See docs/examples/signer.ts.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerSigner = (options: SignerOptions): Layer.Layer<Identity, IdentityError | PemError, Primitives> =>
  Layer.effect(Identity, Effect.flatMap(fromSigner(options), (credential) => fromCredentials([credential])))

/**
 * An identity that is loaded anew by a call of `reload`, without a restart: handshakes that begin afterwards use what was loaded.
 * Where it fails, the identity stays as it was.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeReloading = <E, R>(
  load: Effect.Effect<Identity["Service"], E, R>
): Effect.Effect<{ readonly identity: Identity["Service"]; readonly reload: Effect.Effect<void, E> }, E, R> =>
  Effect.map(Reloading.make(load), (reloading) => ({ identity: following(reloading), reload: reloading.reload }))

const following = <E>({ current }: Reloading.Reloading<Identity["Service"], E>): Identity["Service"] =>
  Identity.of({
    get fingerprint() {
      return current().fingerprint
    },
    select: (request) => Effect.suspend(() => current().select(request))
  })

/**
 * An identity that is loaded anew with every element of `triggers`, such as a schedule or a signal. A failure of it is logged, and
 * the identity stays as it was.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerReloading = <E, R, E2, R2>(
  load: Effect.Effect<Identity["Service"], E, R>,
  triggers: Stream.Stream<unknown, E2, R2>
): Layer.Layer<Identity, E, R | R2> =>
  Layer.effect(
    Identity,
    Effect.gen(function*() {
      const reloading = yield* Reloading.make(load)
      yield* Reloading.on("identity", reloading, triggers)
      return following(reloading)
    })
  )

/**
 * Where a certificate chain and its key are.
 *
 * @category models
 * @since 0.1.0
 */
export interface PemFiles {
  readonly certificate: string
  readonly privateKey: string
  /** An OCSP response about the leaf, in DER, that a server staples. */
  readonly staple?: string | undefined
}

const folderOf = (path: string): string => path.replace(/[^/\\]*$/, "") || "."

/** Files that are renewed are written one after the other, and each write is several events. */
const quiet = "200 millis"

/**
 * One or several certificate chains with their keys, from PEM files. Whenever something changes in their folders they are read again:
 * a certificate that was renewed is used by the handshakes that begin afterwards. What cannot be read, such as a certificate whose new
 * key has not been written yet, leaves the identity as it was.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerPemFiles = (
  files: PemFiles | ReadonlyArray<PemFiles>,
  choice: ChoiceOptions = {}
): Layer.Layer<Identity, IdentityError | PemError | PlatformError, Primitives | FileSystem.FileSystem> =>
  Layer.unwrap(Effect.map(FileSystem.FileSystem, (system) => {
    const all = listOf(files)
    const load = Effect.forEach(
      all,
      ({ certificate, privateKey, staple }) =>
        Effect.all({
          certificate: system.readFileString(certificate),
          privateKey: system.readFileString(privateKey),
          staple: staple === undefined ? Effect.undefined : system.readFile(staple)
        })
    )
    const folders = new Set(
      all.flatMap(({ certificate, privateKey, staple }) =>
        [certificate, privateKey, staple ?? certificate].map(folderOf)
      )
    )
    const watched = [...folders].map((folder) => system.watch(folder))
    // A watch takes a moment to begin: what changed in it is found by one look afterwards.
    const changes = Stream.merge(Stream.succeed("begun"), Stream.mergeAll(watched, { concurrency: "unbounded" }))
    return layerReloading(
      Effect.flatMap(load, (options) => makePem(options, choice)),
      Stream.debounce(changes, quiet)
    )
  }))
