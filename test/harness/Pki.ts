import type { JsonGeneralNames } from "@peculiar/x509"
import * as Effect from "effect/Effect"
import {
  certificateDer,
  certificatePem,
  issueAuthority,
  type Issued,
  issueLeaf,
  type KeyType,
  type LeafSubject,
  privateKeyPem,
  type Validity
} from "./Issue.ts"

/** A certificate authority as its relying parties know it. */
export interface Authority {
  readonly certificatePem: string
  readonly certificateDer: Uint8Array
}

/** A certificate chain and the private key of its leaf. */
export interface Credential {
  /** the leaf, then its intermediates; never the root */
  readonly certificatePem: string
  readonly leafPem: string
  /** only the intermediates, empty if there are none */
  readonly intermediatesPem: string
  /** PKCS #8 */
  readonly privateKeyPem: string
  /** the DER of `certificatePem`, leaf first */
  readonly chainDer: ReadonlyArray<Uint8Array>
  readonly leafDer: Uint8Array
}

const serverNames = [
  "ec",
  "ec384",
  "ec521",
  "rsa",
  "ed25519",
  "chain",
  "expired",
  "future",
  "wrongHost",
  "untrusted",
  "selfSigned"
] as const
const clientNames = ["client", "clientRsa", "clientEd25519", "clientOther", "clientExpired"] as const

export const leafNames = [...serverNames, ...clientNames] as const
export type LeafName = typeof leafNames[number]

/** The authorities, and every leaf behind a memoised getter: a key is generated when it is first asked for. */
export interface Pki extends Readonly<Record<LeafName, () => Promise<Credential>>> {
  /** the root that tests trust */
  readonly ca: Authority
  /** a root that nobody trusts */
  readonly other: Authority
  /** an intermediate under `ca` */
  readonly int: Authority
  /** the moment the validities are relative to: for a `TestClock`, which otherwise starts in 1970 */
  readonly issuedAt: Date
}

interface LeafPlan {
  readonly key?: KeyType
  readonly issuer?: "ca" | "other" | "int" | "self"
  readonly validity?: keyof Validities
  readonly host?: string
}

interface Validities {
  readonly good: Validity
  readonly past: Validity
  readonly coming: Validity
}

const plans: Readonly<Record<LeafName, LeafPlan>> = {
  ec: {},
  ec384: { key: "P-384" },
  ec521: { key: "P-521" },
  rsa: { key: "RSA-2048" },
  ed25519: { key: "Ed25519" },
  chain: { issuer: "int" },
  expired: { validity: "past" },
  future: { validity: "coming" },
  wrongHost: { host: "other.example" },
  untrusted: { issuer: "other" },
  selfSigned: { issuer: "self" },
  client: {},
  clientRsa: { key: "RSA-2048" },
  clientEd25519: { key: "Ed25519" },
  clientOther: { issuer: "other" },
  clientExpired: { validity: "past" }
}

const yearsFrom = (start: Date, years: number): Date => {
  const date = new Date(start)
  date.setUTCFullYear(date.getUTCFullYear() + years)
  date.setUTCMilliseconds(0)
  return date
}

const validitiesAt = (now: Date): Validities => ({
  good: { notBefore: yearsFrom(now, -5), notAfter: yearsFrom(now, 5) },
  past: { notBefore: yearsFrom(now, -2), notAfter: yearsFrom(now, -1) },
  coming: { notBefore: yearsFrom(now, 1), notAfter: yearsFrom(now, 2) }
})

const localNames: JsonGeneralNames = [
  { type: "dns", value: "localhost" },
  { type: "dns", value: "test.example" },
  { type: "ip", value: "127.0.0.1" },
  { type: "ip", value: "::1" }
]
const clientAddress: JsonGeneralNames = [{ type: "email", value: "client@test.example" }]

const isClient = (name: LeafName): boolean => clientNames.some((client) => client === name)

const subjectOf = (name: LeafName, plan: LeafPlan, validities: Validities): LeafSubject => ({
  ...validities[plan.validity ?? "good"],
  key: plan.key ?? "P-256",
  commonName: isClient(name) ? name : plan.host ?? "localhost",
  usage: isClient(name) ? "clientAuth" : "serverAuth",
  subjectAltName: isClient(name)
    ? clientAddress
    : plan.host === undefined
    ? localNames
    : [{ type: "dns", value: plan.host }]
})

const authority = (issued: Issued): Authority => ({
  certificatePem: certificatePem(issued),
  certificateDer: certificateDer(issued)
})

const credential = async (leaf: Issued, intermediates: ReadonlyArray<Issued>): Promise<Credential> => {
  const intermediatesPem = intermediates.map(certificatePem).join("")
  return {
    certificatePem: certificatePem(leaf) + intermediatesPem,
    leafPem: certificatePem(leaf),
    intermediatesPem,
    privateKeyPem: await privateKeyPem(leaf),
    chainDer: [leaf, ...intermediates].map(certificateDer),
    leafDer: certificateDer(leaf)
  }
}

const memoised = <A>(make: () => Promise<A>): () => Promise<A> => {
  let made: Promise<A> | undefined
  return () => made ??= make()
}

const issuePki = async (): Promise<Pki> => {
  const issuedAt = new Date()
  const validities = validitiesAt(issuedAt)
  const root = (commonName: string) => issueAuthority({ ...validities.good, commonName, key: "P-256" })
  const [ca, other] = await Promise.all([root("effect-tls test root"), root("effect-tls other root")])
  const int = await issueAuthority({ ...validities.good, commonName: "effect-tls intermediate", key: "P-256" }, ca)
  const issuers = { ca, other, int, self: undefined }

  const leaf = (name: LeafName) =>
    memoised(async () => {
      const plan = plans[name]
      const issuer = plan.issuer ?? "ca"
      const issued = await issueLeaf(subjectOf(name, plan, validities), issuers[issuer])
      return credential(issued, issuer === "int" ? [int] : [])
    })

  return {
    ca: authority(ca),
    other: authority(other),
    int: authority(int),
    issuedAt,
    ec: leaf("ec"),
    ec384: leaf("ec384"),
    ec521: leaf("ec521"),
    rsa: leaf("rsa"),
    ed25519: leaf("ed25519"),
    chain: leaf("chain"),
    expired: leaf("expired"),
    future: leaf("future"),
    wrongHost: leaf("wrongHost"),
    untrusted: leaf("untrusted"),
    selfSigned: leaf("selfSigned"),
    client: leaf("client"),
    clientRsa: leaf("clientRsa"),
    clientEd25519: leaf("clientEd25519"),
    clientOther: leaf("clientOther"),
    clientExpired: leaf("clientExpired")
  }
}

/** The test PKI, made once a process (a vitest file) and never written to the repository. */
export const makePki: () => Promise<Pki> = memoised(issuePki)

/** `makePki` as an effect. */
export const testPki: Effect.Effect<Pki> = Effect.promise(makePki)

/** One leaf of it. */
export const testCredential = (name: LeafName): Effect.Effect<Credential> =>
  Effect.flatMap(testPki, (pki) => Effect.promise(pki[name]))
