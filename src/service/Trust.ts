/**
 * Whom we trust: the judgement of the peer's certificate chain. What is judged, and what is not, is in docs/trust.md.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type * as Stream from "effect/Stream"
import type { CertificateFault, FaultOf } from "../alert/Fault.ts"
import { Primitives } from "../secret/Primitives.ts"
import { parse as parseCertificate } from "../x509/Certificate.ts"
import { judgePinned } from "../x509/Pin.ts"
import type { Peer } from "../x509/Rules.ts"
import { Reader } from "../x509/Signature.ts"
import {
  acceptedKey,
  digestOf,
  type Judgement,
  type JudgementOptions,
  make as makeJudgement,
  readAll,
  TrustError
} from "./Judgement.ts"
import { withNow } from "./Now.ts"
import { decodePem, type PemError } from "./Pem.ts"
import * as Reloading from "./Reloading.ts"
import { verified, type VerifiedChain } from "./VerifiedChain.ts"

export type { CertificateFault } from "../alert/Fault.ts"
export { type JudgementOptions, TrustError } from "./Judgement.ts"
export { verified, type VerifiedChain } from "./VerifiedChain.ts"

/**
 * Whose certificate is judged. A server is named by what the application asked for; a client names itself.
 *
 * @category models
 * @since 0.1.0
 */
export type PeerRole = Peer

/**
 * `verify` takes the chain as the peer sent it, leaf first and never empty; the order of the rest tells nothing.
 *
 * @category services
 * @since 0.1.0
 */
export class Trust extends Context.Service<Trust, {
  readonly verify: (
    chain: ReadonlyArray<Uint8Array>,
    peer: PeerRole
  ) => Effect.Effect<VerifiedChain, CertificateFault>
  /** Differs between trusts that judge differently: a session judged by one is not resumed under another. */
  readonly fingerprint: string
  /** Names in DER that a server gives to the clients that it asks for a certificate: a chain should have one of them as an issuer. */
  readonly authorities?: ReadonlyArray<Uint8Array> | undefined
}>()("effect-tls/Trust") {}

/**
 * The certificates that the operating system trusts. Provided by the platform.
 *
 * @category services
 * @since 0.1.0
 */
export class SystemAnchors extends Context.Service<SystemAnchors, {
  readonly certificates: Effect.Effect<ReadonlyArray<Uint8Array>>
}>()("effect-tls/SystemAnchors") {}

/**
 * Accepts any chain with a readable leaf, for anybody. The peer still proves that it holds the key of the leaf, and anybody can
 * have such a key: this is no protection against an active attacker. For tests and experiments only.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerInsecure: Layer.Layer<Trust, never, Primitives> = Layer.effect(
  Trust,
  Effect.map(Primitives, (primitives) =>
    Trust.of({
      fingerprint: "insecure",
      verify: (chain) => {
        const leaf = chain[0] === undefined ? undefined : primitives.parseCertificate(chain[0])
        return Effect.fromResult(Result.map(acceptedKey(leaf), (publicKey) => verified(chain, publicKey)))
      }
    }))
)

const judging = ({ authorities, fingerprint, judge }: Judgement): Trust["Service"] =>
  Trust.of({
    fingerprint,
    authorities,
    verify: (chain, peer) => withNow((now) => Effect.fromResult(judge(chain, peer, now)))
  })

/**
 * Whom to trust, and how to judge.
 *
 * @category models
 * @since 0.1.0
 */
export interface AnchorOptions extends JudgementOptions {
  /** PEM text with one or more certificates, or certificates in DER: without any, nobody is trusted. */
  readonly anchors: string | ReadonlyArray<Uint8Array>
}

/**
 * Trusts what chains to one of these certificates, and one of these certificates itself.
 *
 * Fails where a text holds no certificate, and with the number of the first certificate or list that cannot be read.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerAnchors = (options: AnchorOptions): Layer.Layer<Trust, PemError | TrustError, Primitives> =>
  Layer.effect(
    Trust,
    Effect.gen(function*() {
      const ders = typeof options.anchors === "string"
        ? yield* decodePem(options.anchors, "CERTIFICATE")
        : options.anchors
      const anchors = yield* readAll("certificate", ders, parseCertificate)
      return judging(yield* makeJudgement(anchors, { ...options, uncriticalAnchors: false }))
    })
  )

/**
 * Trusts what the operating system trusts, and judges by these options. An anchor of the system that cannot be read is not trusted.
 *
 * Fails with the number of the first revocation list that cannot be read.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerSystemWith = (
  options: JudgementOptions
): Layer.Layer<Trust, PemError | TrustError, Primitives | SystemAnchors> =>
  Layer.effect(
    Trust,
    Effect.gen(function*() {
      const { certificates } = yield* SystemAnchors
      const anchors = (yield* certificates).flatMap((der) => {
        const parsed = parseCertificate(der)
        return Result.isSuccess(parsed) ? [parsed.success] : []
      })
      return judging(yield* makeJudgement(anchors, { ...options, uncriticalAnchors: true }))
    })
  )

/**
 * Trusts what the operating system trusts.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerSystem: Layer.Layer<Trust, never, Primitives | SystemAnchors> =
  // Without revocation lists there is none that could not be read.
  Layer.orDie(layerSystemWith({}))

/**
 * A trust that is loaded anew with every element of `triggers`, such as a schedule: for revocation lists, which grow old. A failure
 * of it is logged, and the trust stays as it was; lists that have run out are not trusted any longer.
 *
 * @example
 * import { Effect, Layer, Schedule, Stream } from "effect"
 * import { type Primitives, Trust } from "effect-tls"
 *
 * declare const readAnchors: Effect.Effect<string>
 * declare const readLists: Effect.Effect<string>
 *
 * const load: Effect.Effect<Trust.Trust["Service"], unknown, Primitives> = Effect.gen(function*() {
 *   const [anchors, crls] = [yield* readAnchors, yield* readLists]
 *   return yield* Effect.provide(Trust.Trust, Trust.layerAnchors({ anchors, crls }))
 * })
 * export const layer = Trust.layerReloading(load, Stream.fromSchedule(Schedule.spaced("1 hour")))
 *
 * @category layers
 * @since 0.1.0
 */
export const layerReloading = <E, R, E2, R2>(
  load: Effect.Effect<Trust["Service"], E, R>,
  triggers: Stream.Stream<unknown, E2, R2>
): Layer.Layer<Trust, E, R | R2> =>
  Layer.effect(
    Trust,
    Effect.gen(function*() {
      const reloading = yield* Reloading.make(load)
      yield* Reloading.on("trust", reloading, triggers)
      return Trust.of({
        get fingerprint() {
          return reloading.current().fingerprint
        },
        get authorities() {
          return reloading.current().authorities
        },
        verify: (chain, peer) => Effect.suspend(() => reloading.current().verify(chain, peer))
      })
    })
  )

const pinLength = 32

const readPin = (pin: string | Uint8Array): Effect.Effect<Uint8Array, TrustError> => {
  const hex = typeof pin === "string" ? pin.replaceAll(":", "") : ""
  const bytes = typeof pin !== "string"
    ? pin
    : /^[0-9a-f]{64}$/i.test(hex)
    ? Uint8Array.from(hex.match(/../g) ?? [], (byte) => parseInt(byte, 16))
    : Result.getOrUndefined(Base64.decode(pin))
  return bytes?.length === pinLength
    ? Effect.succeed(bytes)
    : Effect.fail(
      new TrustError({ why: `${JSON.stringify(pin)} is no SHA-256 hash, neither in hexadecimal nor in Base64` })
    )
}

/**
 * Trusts peers by their keys alone: the leaf has to have one of them. Who issued it, for what name and until when does not matter,
 * as with a known host of SSH.
 *
 * Each pin is the SHA-256 hash of a SubjectPublicKeyInfo, as 32 bytes, in hexadecimal or in Base64. Fails where one is not, and
 * where there is none.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerPinned = (options: {
  readonly spkiSha256: ReadonlyArray<string | Uint8Array>
}): Layer.Layer<Trust, TrustError, Primitives> =>
  Layer.effect(
    Trust,
    Effect.gen(function*() {
      const primitives = yield* Primitives
      const pins = yield* Effect.forEach(options.spkiSha256, readPin)
      if (pins.length === 0) return yield* new TrustError({ why: "there is no pin to trust" })
      const reader = new Reader(primitives)
      return Trust.of({
        fingerprint: `pinned ${digestOf(primitives, pins)}`,
        verify: (chain) =>
          Effect.suspend(() => {
            const owned = chain.map((der) => der.slice())
            const judged = Result.flatMap(
              judgePinned(reader, pins, owned),
              (leaf) => Result.map(acceptedKey(reader.of(leaf)), (publicKey) => verified(owned, publicKey, [leaf]))
            )
            return Effect.fromResult(judged)
          })
      })
    })
  )

/**
 * Why an application refuses a peer that was accepted: `alert` is what the peer is told, `why` stays here.
 *
 * @category models
 * @since 0.1.0
 */
export type Refusal = Omit<FaultOf<"CertificateRefused">, "_tag">

/**
 * Adds the judgement of the application to a trust: it is asked about every chain that was accepted, and may refuse it. A session
 * that is resumed was judged when it was made; a trust with another `name` does not resume it, so the name has to change whenever
 * the judgement does.
 *
 * To say unrecognized_name is for servers (RFC 6066 section 3): a client says certificate_unknown in its place.
 *
 * @example
 * import { Effect, Layer } from "effect"
 * import { Name, Trust } from "effect-tls"
 *
 * // A server that lets one department in, and revokes by a list of its own.
 * declare const isRevoked: (serial: Uint8Array) => Effect.Effect<boolean>
 * declare const anchors: string
 *
 * export const trust = Trust.layerAnchors({ anchors }).pipe(Trust.refine({
 *   name: "engineering, 2026",
 *   judge: ({ path: [leaf] }) =>
 *     Effect.gen(function*() {
 *       if (leaf === undefined || !Name.formatName(leaf.subject).includes("OU=Engineering")) {
 *         return yield* Effect.fail({ alert: "access_denied", why: "it is of another department" } as const)
 *       }
 *       if (yield* isRevoked(leaf.serial)) {
 *         return yield* Effect.fail({ alert: "certificate_revoked", why: "it is on our list" } as const)
 *       }
 *     })
 * }))
 *
 * @category combinators
 * @since 0.1.0
 */
export const refine = <R = never>(options: {
  readonly name: string
  readonly judge: (accepted: VerifiedChain, peer: PeerRole) => Effect.Effect<void, Refusal, R>
}) =>
<E, RIn>(layer: Layer.Layer<Trust, E, RIn>): Layer.Layer<Trust, E, R | RIn> =>
  Layer.effect(
    Trust,
    Effect.gen(function*() {
      const inner = yield* Trust
      const context = yield* Effect.context<R>()
      return Trust.of({
        // What is below may be loaded anew.
        get fingerprint() {
          return `${inner.fingerprint} refined by ${options.name}`
        },
        get authorities() {
          return inner.authorities
        },
        verify: (chain, peer) =>
          Effect.tap(inner.verify(chain, peer), (accepted) =>
            options.judge(accepted, peer).pipe(
              Effect.provideContext(context),
              Effect.mapError(({ alert, why }): CertificateFault => ({
                _tag: "CertificateRefused",
                alert: peer.role === "server" && alert === "unrecognized_name" ? "certificate_unknown" : alert,
                why
              }))
            ))
      })
    })
  ).pipe(Layer.provide(layer))
