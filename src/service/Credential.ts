/**
 * A certificate chain with the means to sign for it, and which of several fits a handshake.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { FaultOf } from "../alert/Fault.ts"
import { type KeyType, Primitives, type PublicKey, type SignatureAlgorithm } from "../secret/Primitives.ts"
import { samePublic } from "../wire/Bytes.ts"
import type { LegacyScheme, NamedGroup, SignatureScheme } from "../wire/CodePoints.ts"
import type { Signing } from "../x509/Algorithm.ts"
import { type Certificate, parse } from "../x509/Certificate.ts"
import { isFor } from "../x509/Host.ts"
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
  /** The schemes that the peer can verify in certificates (RFC 8446 section 4.2.3); left out for any. */
  readonly certificateSchemes?: ReadonlyArray<SignatureScheme | LegacyScheme>
  /** The curves that the key of an ECDSA certificate may be on (RFC 8422 section 5.1); `undefined` where the peer named none. */
  readonly curves: ReadonlyArray<NamedGroup> | undefined
  /** The authorities that a server named in its request, as names in DER (RFC 5246 section 7.4.4); none for any. */
  readonly authorities?: ReadonlyArray<Uint8Array>
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
  /** The OCSP response about the leaf, in DER, that a server staples for clients that ask for it (RFC 6066 section 8). */
  readonly staple?: Uint8Array | undefined
  readonly sign: (scheme: SignatureScheme, message: Uint8Array) => Effect.Effect<Uint8Array, IdentityError>
}

/**
 * A credential whose certificates were read, so that it can be chosen by them.
 *
 * @category models
 * @since 0.1.0
 */
export interface ReadCredential extends Credential {
  readonly leaf: Certificate
  /** The names of the issuers of the chain, in DER. */
  readonly issuers: ReadonlyArray<Uint8Array>
  /** How the certificates of the chain are signed: those that are not signed by themselves. */
  readonly signings: ReadonlyArray<Signing>
}

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
 * One certificate chain with its key, as PEM text.
 *
 * @category models
 * @since 0.1.0
 */
export interface PemOptions {
  /** PEM text: the leaf first, then its intermediates. */
  readonly certificate: string
  /** PEM text: PKCS#8, PKCS#1 or SEC 1, not encrypted. */
  readonly privateKey: string | Redacted.Redacted<string>
  /** An OCSP response about the leaf, in DER: a server staples it. It is sent as it stands, and has to be renewed in time. */
  readonly staple?: Uint8Array | undefined
}

/**
 * One certificate chain, and a key that is held elsewhere.
 *
 * @category models
 * @since 0.1.0
 */
export interface SignerOptions {
  /** PEM text: the leaf first, then its intermediates. */
  readonly certificate: string
  /**
   * Signs the message (not its hash) as the scheme says: ECDSA as DER, RSASSA-PSS with a salt as long as the hash. The result is
   * verified before it is sent.
   */
  readonly sign: Credential["sign"]
  readonly staple?: Uint8Array | undefined
}

/** Where an authority certifies its next key under its own name, the key identifiers differ (RFC 5280 section 4.2.1.1). */
const signsItself = ({ extensions, isSelfIssued }: Certificate): boolean => {
  const { authorityKeyIdentifier: theirs, subjectKeyIdentifier: own } = extensions
  return isSelfIssued && (theirs === undefined || own === undefined || samePublic(theirs, own))
}

/** RFC 8446 section 4.4.2.2: nobody verifies what signs itself. */
const signingsOf = (certificate: Result.Result<Certificate, string>): ReadonlyArray<Signing> => {
  if (Result.isFailure(certificate)) return [{ _tag: "Unknown", oid: "" }]
  return signsItself(certificate.success) ? [] : [certificate.success.signing]
}

/** Both parsers have to take our own leaf: what they refuse, a peer may. The rest is sent as it stands. */
const readChain = Effect.fnUntraced(function*(certificate: string) {
  const primitives = yield* Primitives
  const chain = yield* decodePem(certificate, "CERTIFICATE")
  const [first = Result.fail("there is none"), ...rest] = chain.map(parse)
  if (Result.isFailure(first)) {
    return yield* new IdentityError({ why: `the certificate cannot be read: ${first.failure}` })
  }
  const leaf = first.success
  const read = primitives.parseCertificate(leaf.der)
  if (read === undefined) return yield* new IdentityError({ why: "the certificate cannot be read by the platform" })
  const { publicKey, subject } = read
  if (publicKey === undefined) {
    return yield* new IdentityError({
      why: `the key of the certificate of ${subject} is of a kind that is not used here`
    })
  }
  const issuers = [leaf, ...rest.flatMap((one) => Result.isSuccess(one) ? [one.success] : [])].map((one) =>
    one.issuer.der
  )
  const signings = [first, ...rest].flatMap(signingsOf)
  return { chain, leaf, issuers, signings, publicKey, subject }
})

const credentialOf = (
  read: Effect.Success<ReturnType<typeof readChain>>,
  sign: Credential["sign"],
  staple: Uint8Array | undefined
): ReadCredential => {
  const { chain, issuers, leaf, publicKey, signings } = read
  return { chain, issuers, leaf, signings, keyType: publicKey.type, sign, staple }
}

/**
 * Reads a certificate chain and its key. Fails where the text cannot be read, or the key is not that of the certificate.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromPem = Effect.fnUntraced(
  function*(options: PemOptions): Effect.fn.Return<ReadCredential, IdentityError | PemError, Primitives> {
    const primitives = yield* Primitives
    const read = yield* readChain(options.certificate)
    const text = typeof options.privateKey === "string" ? options.privateKey : Redacted.value(options.privateKey)
    const keys = yield* decodePem(text, "PRIVATE KEY")
    const key = keys[0] === undefined ? undefined : primitives.importPrivateKey(keys[0])
    for (const bytes of keys) bytes.fill(0)
    if (key === undefined) {
      return yield* new IdentityError({
        why: "the private key cannot be used: RSA of at least 2048 bits, P-256, P-384, P-521 and Ed25519 are supported"
      })
    }
    if (!key.matches(read.publicKey)) {
      return yield* new IdentityError({ why: `the private key does not belong to the certificate of ${read.subject}` })
    }
    const sign: Credential["sign"] = (scheme, message) =>
      Effect.try({
        try: () => key.sign(scheme, message),
        catch: (cause) => new IdentityError({ why: `signing with ${scheme} failed: ${String(cause)}` })
      })
    return credentialOf(read, sign, options.staple)
  }
)

/** A signature that does not verify tells the peer nothing but about the key, and one that is half right gives it away. */
const verifying = (sign: Credential["sign"], publicKey: PublicKey): Credential["sign"] => (scheme, message) =>
  Effect.filterOrFail(
    sign(scheme, message),
    (signature) => publicKey.verify(scheme, message, signature),
    () => new IdentityError({ why: `what the signer made with ${scheme} is no signature of the certificate's key` })
  )

/**
 * Reads a certificate chain whose key is held elsewhere. Fails where the text cannot be read.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromSigner = (
  options: SignerOptions
): Effect.Effect<ReadCredential, IdentityError | PemError, Primitives> =>
  Effect.map(
    readChain(options.certificate),
    (read) => credentialOf(read, verifying(options.sign, read.publicKey), options.staple)
  )

/**
 * RFC 8446 section 4.4.2.2, and RFC 9846 for clients as well: a chain with SHA-1 is shown only to who says that it takes that. MD5 has no
 * name in TLS 1.3. TLS 1.2 draws no such line.
 */
const isAllowed = ({ signings }: ReadCredential, { certificateSchemes: schemes, version }: IdentityRequest): boolean =>
  version === "1.2" || schemes === undefined ||
  signings.every((signing) =>
    signing._tag !== "Broken" || (signing.scheme !== undefined && schemes.includes(signing.scheme))
  )

const fits = (credential: ReadCredential, request: IdentityRequest): boolean => {
  const { keyType } = credential
  const curve = curveOf[keyType]
  return isAllowed(credential, request) &&
    (request.version === "1.3" || request.authentication.includes(authenticationOf(keyType))) &&
    (curve === undefined || request.curves === undefined || request.curves.includes(curve)) &&
    schemesFor(keyType, request.version, request.signatureSchemes).length > 0
}

/** The curve, or the kind of RSA key, is up to the certificate of the issuer, which need not be there: it is taken to fit. */
const covers = (scheme: SignatureScheme | LegacyScheme, algorithm: SignatureAlgorithm): boolean => {
  const words = scheme.split("_")
  return algorithm.split("-").every((word) => words.includes(word))
}

/**
 * RFC 8446 section 4.4.2.2, RFC 5246 section 7.4.2: a chain whose signatures the peer can verify (0), before another one (1), before one
 * with a broken hash (2).
 */
const rankBySignatures = (
  { signings }: ReadCredential,
  { certificateSchemes: schemes }: IdentityRequest
): number =>
  schemes === undefined ? 0 : Math.max(
    0,
    ...signings.map((signing) => {
      if (signing._tag === "Broken") return 2
      return signing._tag === "Usable" && schemes.some((scheme) => covers(scheme, signing.algorithm)) ? 0 : 1
    })
  )

/** How well a certificate is for a host: exactly (0), by a wildcard (1), or not at all (2). */
const rankByName = ({ leaf }: ReadCredential, host: string): number => {
  const names = leaf.extensions.subjectAltName?.names ?? []
  const wildcards = names.filter((name) => name.form === "dns" && name.text.startsWith("*."))
  return !isFor(names, { host }) ? 2 : isFor(wildcards, { host }) ? 1 : 0
}

/** RFC 5246 section 7.4.6: one of the chain should be issued by one of the authorities that were named. */
const rankByAuthority = ({ issuers }: ReadCredential, authorities: ReadonlyArray<Uint8Array>): number =>
  authorities.length === 0 || authorities.some((name) => issuers.some((issuer) => samePublic(issuer, name))) ? 0 : 1

/**
 * What a server does with a name that none of its certificates is for: show the first certificate (`first`), or end the handshake
 * with unrecognized_name (`refuse`, RFC 6066 section 3).
 *
 * @category models
 * @since 0.1.0
 */
export type UnknownName = "first" | "refuse"

/**
 * The first of the credentials that fits the handshake: by the signatures of its chain, which are to be such as the peer can verify
 * where there is such a chain, then by name or authority, then in their order. Where one is for the name, only such ones count.
 *
 * @category combinators
 * @since 0.1.0
 */
export const choose = (
  credentials: ReadonlyArray<ReadCredential>,
  request: IdentityRequest,
  unknownName: UnknownName
): Result.Result<Option.Option<Credential>, FaultOf<"ServerNameUnrecognized">> => {
  const { authorities = [], serverName } = request
  const best = (ranked: ReadonlyArray<readonly [ReadCredential, number]>): Option.Option<Credential> =>
    Option.fromUndefinedOr(
      ranked.filter(([credential]) => fits(credential, request))
        .toSorted(([, a], [, b]) => a - b)
        .toSorted(([a], [b]) => rankBySignatures(a, request) - rankBySignatures(b, request))[0]?.[0]
    )
  if (request.role === "client") {
    return Result.succeed(best(credentials.map((one) => [one, rankByAuthority(one, authorities)])))
  }
  const ranked = credentials.map((one) => [one, serverName === undefined ? 2 : rankByName(one, serverName)] as const)
  const named = ranked.filter(([, rank]) => rank < 2)
  if (named.length > 0) return Result.succeed(best(named))
  return serverName !== undefined && unknownName === "refuse"
    ? Result.fail({ _tag: "ServerNameUnrecognized", name: serverName })
    : Result.succeed(best(ranked))
}
