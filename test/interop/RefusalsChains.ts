/** Chains that are refused, each for one reason, and what both sides need to use them. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Identity, Primitives, Trust } from "effect-tls"
import { make as primitives } from "effect-tls/platform/NodePrimitives"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Make from "../x509/Maker.ts"

/** Leaf first. The key is that of the leaf. */
export type Chain = readonly [leaf: Make.Made, ...intermediates: ReadonlyArray<Make.Made>]

/** Long enough for the clock of any machine. */
const lasting = { thisUpdate: "2020-01-01T00:00:00Z", nextUpdate: "2040-01-01T00:00:00Z" }

export const root = Make.authority("root")
export const inner = Make.authority("inner", root)

const usage = Make.keyUsage("digitalSignature")
const names = Make.subjectAltName([Make.dns("localhost"), Make.address(192, 0, 2, 1)])

/** Good for servers and for clients, unless the order says otherwise. */
export const leafOf = (
  issuer: Pick<Make.Made, "keys" | "subject"> | undefined,
  order: Partial<Make.Order> & { readonly more?: ReadonlyArray<Uint8Array> } = {}
): Make.Made => Make.leaf(issuer, { extensions: [usage, names, ...(order.more ?? [])], ...order })

export const good: Chain = [leafOf(inner), inner]

const revoked = leafOf(inner)
const childless = Make.authority("childless", root, { extensions: [Make.basicConstraints(true, 0)] })
const grandchild = Make.authority("grandchild", childless)
const narrow = Make.authority("narrow", root, {
  more: [Make.nameConstraints({ excluded: [Make.dns("localhost")] })]
})
const listing = Make.authority("listing", root, {
  extensions: [Make.basicConstraints(true), Make.keyUsage("cRLSign")]
})
const stranger = Make.authority("stranger")
const dataEncipherment = Make.extension("2.5.29.15", true, Make.tlv(3, Uint8Array.of(4, 0x10)))
const codeSigning = "1.3.6.1.5.5.7.3.3"

/** A list that names the one certificate that was revoked, and one that names none. */
const crls = [Make.crl(root, [], lasting), Make.crl(inner, [revoked.serial], lasting)]

export interface Refusal {
  readonly why: string
  readonly number: number
  readonly fault: string
  readonly chain: Chain
  /** What our client looks for: a client alone does. */
  readonly sought?: string
  /** OpenSSL, which node:tls is made of, finds no suite of TLS 1.2 for a server with such a certificate. */
  readonly isUnusable?: true
}

export const refusals: ReadonlyArray<Refusal> = [
  {
    why: "expired",
    number: 45,
    fault: "CertificateExpired",
    chain: [leafOf(inner, { notAfter: "2021-01-01T00:00:00Z" }), inner]
  },
  {
    why: "not yet valid",
    number: 45,
    fault: "CertificateNotYetValid",
    chain: [leafOf(inner, { notBefore: "2039-01-01T00:00:00Z" }), inner]
  },
  { why: "wrong host", number: 46, fault: "CertificateNameMismatch", chain: good, sought: "other.example" },
  { why: "wrong IP", number: 46, fault: "CertificateNameMismatch", chain: good, sought: "192.0.2.2" },
  { why: "untrusted", number: 48, fault: "CertificateUntrusted", chain: [leafOf(stranger), stranger] },
  { why: "self-signed", number: 48, fault: "CertificateUntrusted", chain: [leafOf(undefined)] },
  {
    why: "bad extended key usage",
    number: 43,
    fault: "CertificateUsageWrong",
    chain: [leafOf(inner, { more: [Make.extendedKeyUsage(codeSigning)] }), inner]
  },
  {
    why: "bad key usage",
    number: 43,
    fault: "CertificateUsageWrong",
    chain: [leafOf(inner, { extensions: [dataEncipherment, names] }), inner],
    isUnusable: true
  },
  {
    why: "bad key usage of an authority",
    number: 42,
    fault: "CertificateIssuerUnfit",
    chain: [leafOf(listing), listing]
  },
  {
    why: "path length exceeded",
    number: 42,
    fault: "CertificateIssuerUnfit",
    chain: [leafOf(grandchild), grandchild, childless]
  },
  {
    why: "outside name constraints",
    number: 46,
    fault: "CertificateNameForbidden",
    chain: [leafOf(narrow), narrow]
  },
  { why: "revoked by a list", number: 44, fault: "CertificateRevoked", chain: [revoked, inner] },
  {
    why: "weak key",
    number: 43,
    fault: "CertificateKeyWeak",
    chain: [leafOf(inner, { keys: Make.rsaKeys(1024) }), inner]
  },
  {
    why: "signed with SHA-1",
    number: 42,
    fault: "CertificateSignatureWeak",
    chain: [leafOf(inner, { way: Make.ecdsaSha1 }), inner]
  },
  {
    why: "unknown critical extension",
    number: 43,
    fault: "CertificateExtensionUnknown",
    chain: [leafOf(inner, { more: [Make.extension("1.2.3.4", true, Make.sequence())] }), inner]
  }
]

export const pem = (ders: ReadonlyArray<Pick<Make.Made, "der">>): string =>
  ders.map(({ der }) =>
    `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString("base64")}\n-----END CERTIFICATE-----\n`
  ).join("")

export const keyPem = ({ keys }: Make.Made): string =>
  keys.privateKey.export({ format: "pem", type: "pkcs8" }).toString()

export const trusting = (options: Omit<Trust.AnchorOptions, "anchors"> = { crls }) =>
  Effect.provide(Trust.Trust, Trust.layerAnchors({ anchors: [root.der], ...options })).pipe(
    Effect.provideService(Primitives, primitives),
    Effect.orDie
  )

export const identityOf = (chain: Chain, staple?: Uint8Array): Effect.Effect<Identity.Identity["Service"]> =>
  Identity.makePem({ certificate: pem(chain), privateKey: keyPem(chain[0]), staple }).pipe(
    Effect.provideService(Primitives, primitives),
    Effect.orDie
  )

/** For peers that read nothing else. */
export interface ChainFiles {
  readonly directory: string
  /** The whole chain. */
  readonly cert: string
  readonly key: string
  /** The intermediates. */
  readonly chain: string | undefined
  /** The root that everybody trusts. */
  readonly root: string
  /** Present where there is one. */
  readonly staple: string | undefined
}

/** In a folder that the scope removes, the key and all. */
export const chainFiles = (
  chain: Chain,
  staple?: Uint8Array
): Effect.Effect<ChainFiles, never, Scope.Scope> =>
  Effect.gen(function*() {
    const directory = yield* Effect.acquireRelease(
      Effect.promise(() => mkdtemp(join(tmpdir(), "effect-tls-chain-"))),
      (directory) => Effect.promise(() => rm(directory, { recursive: true, force: true }))
    )
    const write = (name: string, content: string | Uint8Array) => {
      const path = join(directory, name)
      return Effect.as(Effect.promise(() => writeFile(path, content, { mode: 0o600 })), path)
    }
    const [leaf, ...intermediates] = chain
    return {
      directory,
      cert: yield* write("leaf.pem", pem(chain)),
      key: yield* write("leaf.key", keyPem(leaf)),
      chain: intermediates.length === 0 ? undefined : yield* write("chain.pem", pem(intermediates)),
      root: yield* write("root.pem", pem([root])),
      staple: staple === undefined ? undefined : yield* write("staple.der", staple)
    }
  })
