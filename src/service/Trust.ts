/**
 * Whom we trust: the judgement of the peer's certificate chain.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Fault, FaultOf } from "../alert/Fault.ts"
import { type PlatformCertificate, Primitives, type PublicKey } from "../secret/Primitives.ts"
import { samePublic, toHex } from "../wire/Bytes.ts"
import { decodePem, type PemError } from "./Pem.ts"

/**
 * Whose certificate is judged. A server is named by what the application asked for; a client names itself.
 *
 * @category models
 * @since 0.1.0
 */
export type PeerRole =
  | { readonly role: "server"; readonly host: string }
  | { readonly role: "server"; readonly address: string }
  | { readonly role: "client" }

/**
 * The faults that a judgement may end in; each has its alert.
 *
 * @category models
 * @since 0.1.0
 */
export type CertificateFault = FaultOf<Extract<Fault["_tag"], `Certificate${string}`>>

const proof: unique symbol = Symbol("effect-tls/VerifiedChain")

/**
 * The proof that a chain was judged and accepted. Only `verified` makes one.
 *
 * @category models
 * @since 0.1.0
 */
export interface VerifiedChain {
  readonly [proof]: true
  /** As the peer sent it, leaf first. */
  readonly chain: ReadonlyArray<Uint8Array>
  /** The key that the peer still has to prove it holds. */
  readonly publicKey: PublicKey
}

/**
 * For those who write a `Trust` of their own: says that this chain was judged and accepted.
 *
 * @category constructors
 * @since 0.1.0
 */
export const verified = (chain: ReadonlyArray<Uint8Array>, publicKey: PublicKey): VerifiedChain => ({
  [proof]: true,
  chain,
  publicKey
})

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

const leafOf = (primitives: Primitives["Service"], chain: ReadonlyArray<Uint8Array>) =>
  Effect.gen(function*() {
    const leaf = chain[0] === undefined ? undefined : primitives.parseCertificate(chain[0])
    if (leaf === undefined) return yield* Effect.fail(malformed(0))
    const { publicKey } = leaf
    if (publicKey === undefined) return yield* Effect.fail(unsupported(0, "its key is of a kind that is not used here"))
    return { leaf, publicKey }
  })

const malformed = (depth: number): CertificateFault => ({
  _tag: "CertificateMalformed",
  depth,
  why: "the platform cannot read it"
})

const unsupported = (depth: number, why: string): CertificateFault => ({ _tag: "CertificateUnsupported", depth, why })

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
      verify: (chain) => Effect.map(leafOf(primitives, chain), ({ publicKey }) => verified(chain, publicKey))
    }))
)

const keyUsage = { server: "1.3.6.1.5.5.7.3.1", client: "1.3.6.1.5.5.7.3.2" } as const
const maxDepth = 8
const maxSignatures = 100

const judgeLeaf = (leaf: PlatformCertificate, peer: PeerRole): CertificateFault | undefined => {
  const usage = leaf.extendedKeyUsage
  if (usage !== undefined && !usage.includes(keyUsage[peer.role])) {
    return unsupported(0, `its extended key usage does not allow a ${peer.role}`)
  }
  if (peer.role === "client") return undefined
  const [isNamed, name] = "host" in peer
    ? [leaf.isForHost(peer.host), peer.host]
    : [leaf.isForAddress(peer.address), peer.address]
  return isNamed ? undefined : { _tag: "CertificateNameMismatch", name }
}

const judgeTime = (certificate: PlatformCertificate, depth: number, now: number): CertificateFault | undefined => {
  if (now > certificate.notAfter) {
    return { _tag: "CertificateExpired", depth, notAfter: formatTime(certificate.notAfter) }
  }
  if (now < certificate.notBefore) {
    return { _tag: "CertificateNotYetValid", depth, notBefore: formatTime(certificate.notBefore) }
  }
  return undefined
}

const formatTime = (millis: number): string => new Date(millis).toISOString()

/**
 * Walks from `leaf` to an anchor, over the certificates that the peer sent. Of several ways that fail, the fault of the one
 * that got furthest is told.
 */
const findPath = (
  leaf: PlatformCertificate,
  intermediates: ReadonlyArray<PlatformCertificate>,
  anchors: ReadonlyArray<PlatformCertificate>,
  now: number
): CertificateFault | undefined => {
  let signatures = 0
  let furthest: { readonly depth: number; readonly fault: CertificateFault } = {
    depth: -1,
    fault: { _tag: "CertificateUntrusted", depth: 0, issuer: leaf.issuer }
  }
  const note = (depth: number, fault: CertificateFault) => {
    if (depth > furthest.depth) furthest = { depth, fault }
  }
  const issues = (issuer: PlatformCertificate, subject: PlatformCertificate, depth: number): boolean => {
    if (!subject.namesAsIssuer(issuer) || signatures >= maxSignatures) return false
    signatures++
    if (!subject.signedBy(issuer)) {
      note(depth, { _tag: "CertificateSignatureWrong", depth })
      return false
    }
    const fault = judgeTime(issuer, depth + 1, now)
    if (fault !== undefined) note(depth, fault)
    return fault === undefined
  }
  const climb = (subject: PlatformCertificate, depth: number, path: ReadonlyArray<PlatformCertificate>): boolean => {
    if (anchors.some((anchor) => samePublic(anchor.der, subject.der))) return true
    if (anchors.some((anchor) => issues(anchor, subject, depth))) return true
    if (depth < maxDepth) {
      for (const issuer of intermediates) {
        if (path.includes(issuer) || !issues(issuer, subject, depth)) continue
        if (!issuer.isAuthority) {
          note(depth, {
            _tag: "CertificateMalformed",
            depth: depth + 1,
            why: "it is not the certificate of an authority"
          })
        } else if (climb(issuer, depth + 1, [...path, issuer])) return true
      }
    }
    note(depth, { _tag: "CertificateUntrusted", depth, issuer: subject.issuer })
    return false
  }
  return climb(leaf, 0, [leaf]) ? undefined : furthest.fault
}

const makeAnchors = (primitives: Primitives["Service"], ders: ReadonlyArray<Uint8Array>): Trust["Service"] => {
  const anchors = ders.flatMap((der) => primitives.parseCertificate(der) ?? [])
  const running = primitives.hash("sha256")
  for (const anchor of anchors) running.update(anchor.der)
  return Trust.of({
    fingerprint: `anchors ${toHex(running.digest())}`,
    verify: Effect.fnUntraced(function*(chain, peer) {
      const { leaf, publicKey } = yield* leafOf(primitives, chain)
      const now = yield* Clock.currentTimeMillis
      const intermediates: Array<PlatformCertificate> = []
      for (const [index, der] of chain.slice(1).entries()) {
        const certificate = primitives.parseCertificate(der)
        if (certificate === undefined) return yield* Effect.fail(malformed(index + 1))
        intermediates.push(certificate)
      }
      const fault = findPath(leaf, intermediates, anchors, now) ?? judgeTime(leaf, 0, now) ?? judgeLeaf(leaf, peer)
      return fault === undefined ? verified(chain, publicKey) : yield* Effect.fail(fault)
    })
  })
}

/**
 * Trusts what chains to one of these certificates: by signatures, validity, extended key usage and name. Name constraints and
 * revocation are not looked at.
 *
 * Fails with `PemError` where `anchors` holds no certificate.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerAnchors = (options: {
  /** PEM text with one or more certificates, or certificates in DER. */
  readonly anchors: string | ReadonlyArray<Uint8Array>
}): Layer.Layer<Trust, PemError, Primitives> =>
  Layer.effect(
    Trust,
    Effect.gen(function*() {
      const primitives = yield* Primitives
      const anchors = typeof options.anchors === "string"
        ? yield* decodePem(options.anchors, "CERTIFICATE")
        : options.anchors
      return makeAnchors(primitives, anchors)
    })
  )

/**
 * Trusts what the operating system trusts.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerSystem: Layer.Layer<Trust, never, Primitives | SystemAnchors> = Layer.effect(
  Trust,
  Effect.gen(function*() {
    const primitives = yield* Primitives
    const { certificates } = yield* SystemAnchors
    return makeAnchors(primitives, yield* certificates)
  })
)
