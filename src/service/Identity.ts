/**
 * Who we are: certificate chains, and keys that sign for them.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { FaultOf } from "../alert/Fault.ts"
import { type KeyType, Primitives } from "../secret/Primitives.ts"
import { toHex } from "../wire/Bytes.ts"
import type { NamedGroup, SignatureScheme } from "../wire/CodePoints.ts"
import { decodePem, type PemError } from "./Pem.ts"

/**
 * Certificate and key do not make an identity.
 *
 * @category errors
 * @since 0.1.0
 */
export class IdentityError extends Schema.TaggedError<IdentityError>()("IdentityError", { why: Schema.String }) {
  override get message(): string {
    return this.why
  }
}

/**
 * What a handshake needs an identity for.
 *
 * @category models
 * @since 0.1.0
 */
export interface IdentityRequest {
  readonly role: "client" | "server"
  readonly version: "1.2" | "1.3"
  /** The name the client asked for, in its own spelling; `undefined` where it named none, and for clients. */
  readonly serverName: string | undefined
  /** The kinds of key that go with the suites of TLS 1.2; in TLS 1.3 the schemes alone decide. */
  readonly authentication: ReadonlyArray<"ecdsa" | "rsa">
  /** The schemes that both sides know, the preferred one first. */
  readonly signatureSchemes: ReadonlyArray<SignatureScheme>
  /** The curves that the key of an ECDSA certificate may be on (RFC 8422 section 5.1); `undefined` where the peer named none. */
  readonly curves: ReadonlyArray<NamedGroup> | undefined
}

/**
 * A chain, leaf first, and the key of its leaf. Signing is an effect: the key may be held elsewhere. What it fails with is told
 * to our side alone; the peer gets internal_error.
 *
 * @category models
 * @since 0.1.0
 */
export interface Credential {
  readonly chain: ReadonlyArray<Uint8Array>
  readonly keyType: KeyType
  readonly sign: (scheme: SignatureScheme, message: Uint8Array) => Effect.Effect<Uint8Array, IdentityError>
}

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

const curveOf: Readonly<Record<KeyType, NamedGroup | undefined>> = {
  "rsa": undefined,
  "ed25519": undefined,
  "ec-p256": "secp256r1",
  "ec-p384": "secp384r1",
  "ec-p521": "secp521r1"
}

/**
 * The kind of suite of TLS 1.2 that goes with a key: RFC 8422 section 5.3 has EdDSA in the ECDSA suites.
 *
 * @category combinators
 * @since 0.1.0
 */
export const authenticationOf = (type: KeyType): "ecdsa" | "rsa" => type === "rsa" ? "rsa" : "ecdsa"

/**
 * Whether signatures of that scheme are made with that kind of key. RFC 8446 section 4.2.3: in TLS 1.3 a scheme of ECDSA names its
 * curve, and PKCS#1 signs certificates only; in TLS 1.2 any curve goes with any hash.
 *
 * @category combinators
 * @since 0.1.0
 */
export const schemeFits = (scheme: SignatureScheme, type: KeyType, version: "1.2" | "1.3"): boolean => {
  switch (type) {
    case "rsa":
      return scheme.startsWith(version === "1.3" ? "rsa_pss" : "rsa")
    case "ed25519":
      return scheme === "ed25519"
    default:
      return scheme.startsWith(version === "1.3" ? `ecdsa_${curveOf[type]}_` : "ecdsa")
  }
}

/**
 * The signature schemes that a kind of key can make, among those asked for.
 *
 * @category combinators
 * @since 0.1.0
 */
export const schemesFor = (
  type: KeyType,
  version: "1.2" | "1.3",
  schemes: ReadonlyArray<SignatureScheme>
): ReadonlyArray<SignatureScheme> => schemes.filter((scheme) => schemeFits(scheme, type, version))

/**
 * @category models
 * @since 0.1.0
 */
export interface PemOptions {
  /** PEM text: the leaf first, then its intermediates. */
  readonly certificate: string
  /** PEM text: PKCS#8, PKCS#1 or SEC 1, not encrypted. */
  readonly privateKey: string | Redacted.Redacted<string>
}

/**
 * One certificate chain with its key, from PEM text.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makePem = Effect.fnUntraced(function*(options: PemOptions) {
  const primitives = yield* Primitives
  const chain = yield* decodePem(options.certificate, "CERTIFICATE")
  const text = typeof options.privateKey === "string" ? options.privateKey : Redacted.value(options.privateKey)
  const keys = yield* decodePem(text, "PRIVATE KEY")
  const leaf = chain[0] === undefined ? undefined : primitives.parseCertificate(chain[0])
  if (leaf === undefined) return yield* new IdentityError({ why: "the certificate cannot be read" })
  const key = keys[0] === undefined ? undefined : primitives.importPrivateKey(keys[0])
  for (const bytes of keys) bytes.fill(0)
  if (key === undefined) {
    return yield* new IdentityError({
      why: "the private key cannot be used: RSA of at least 2048 bits, P-256, P-384, P-521 and Ed25519 are supported"
    })
  }
  if (leaf.publicKey === undefined || !key.matches(leaf.publicKey)) {
    return yield* new IdentityError({ why: `the private key does not belong to the certificate of ${leaf.subject}` })
  }
  const curve = curveOf[key.type]
  const credential: Credential = {
    chain,
    keyType: key.type,
    sign: (scheme, message) =>
      Effect.try({
        try: () => key.sign(scheme, message),
        catch: (cause) => new IdentityError({ why: `signing with ${scheme} failed: ${String(cause)}` })
      })
  }
  return Identity.of({
    fingerprint: toHex(primitives.digest("sha256", leaf.der)),
    select: (request) =>
      Effect.succeed(
        (request.version === "1.3" || request.authentication.includes(authenticationOf(key.type))) &&
          (curve === undefined || request.curves === undefined || request.curves.includes(curve)) &&
          schemesFor(key.type, request.version, request.signatureSchemes).length > 0
          ? Option.some(credential)
          : Option.none()
      )
  })
})

/**
 * One certificate chain with its key, from PEM text. Fails where the text cannot be read, or the key is not that of the
 * certificate.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerPem = (options: PemOptions): Layer.Layer<Identity, IdentityError | PemError, Primitives> =>
  Layer.effect(Identity, makePem(options))
