import { suites } from "../../src/secret/CipherSuite.ts"
import type { NamedGroup, SignatureScheme } from "../../src/wire/CodePoints.ts"

/** What is ours in the names of the registries, and how each peer spells it. */
interface Spelling {
  readonly openssl: string
  readonly gnutls: string
}

export const suiteNames = suites.map(({ name }) => name)
export type SuiteName = typeof suiteNames[number]

const aeads: Readonly<Record<string, Spelling>> = {
  AES_128_GCM_SHA256: { openssl: "AES128-GCM-SHA256", gnutls: "AES-128-GCM" },
  AES_256_GCM_SHA384: { openssl: "AES256-GCM-SHA384", gnutls: "AES-256-GCM" },
  CHACHA20_POLY1305_SHA256: { openssl: "CHACHA20-POLY1305", gnutls: "CHACHA20-POLY1305" }
}

/** Of our suites: the key of the certificate, and the AEAD in the spellings of the peers. */
const partsOf = (suite: SuiteName): { readonly key: "ECDSA" | "RSA"; readonly aead: Spelling } => {
  const aead = aeads[suite.slice(suite.indexOf("WITH_") + "WITH_".length)]
  if (aead === undefined) throw new Error(`no spelling for ${suite}`)
  return { key: suite.includes("_ECDSA_") ? "ECDSA" : "RSA", aead }
}

export const openSslSuite = (suite: SuiteName): string => {
  const { aead, key } = partsOf(suite)
  return `ECDHE-${key}-${aead.openssl}`
}

export const suiteOfOpenSsl = (name: string): SuiteName | undefined =>
  suiteNames.find((suite) => openSslSuite(suite) === name)

export const suiteOfGnuTls = (key: string, aead: string): SuiteName | undefined =>
  suiteNames.find((suite) => {
    const parts = partsOf(suite)
    return parts.key === key && parts.aead.gnutls === aead
  })

/** A priority string of gnutls. Nothing is left out of what a certificate may be signed with but where `schemes` says so. */
export const gnuTlsPriority = (options: {
  readonly suites?: ReadonlyArray<SuiteName>
  readonly groups?: ReadonlyArray<NamedGroup>
  readonly schemes?: ReadonlyArray<SignatureScheme>
  readonly version?: "1.1" | "1.2" | "1.3"
  readonly isExtended?: false
  readonly isFallback?: true
}): string =>
  [
    `NORMAL:-VERS-ALL:+VERS-TLS${options.version ?? "1.2"}`,
    options.suites === undefined ? [] : [
      "-KX-ALL",
      "-CIPHER-ALL",
      options.suites.map(partsOf).flatMap(({ aead, key }) => [`+ECDHE-${key}`, `+${aead.gnutls}`])
    ],
    options.groups === undefined ? [] : ["-GROUP-ALL", options.groups.map((group) => `+GROUP-${groups[group].gnutls}`)],
    options.schemes === undefined
      ? []
      : ["-SIGN-ALL", options.schemes.map((scheme) => `+SIGN-${schemes[scheme].gnutls}`)],
    options.isExtended === false ? "%NO_SESSION_HASH" : [],
    options.isFallback === true ? "%FALLBACK_SCSV" : []
  ].flat(3).join(":")

const groups: Readonly<Record<NamedGroup, Spelling>> = {
  x25519: { openssl: "X25519", gnutls: "X25519" },
  secp256r1: { openssl: "prime256v1", gnutls: "SECP256R1" },
  secp384r1: { openssl: "secp384r1", gnutls: "SECP384R1" },
  secp521r1: { openssl: "secp521r1", gnutls: "SECP521R1" },
  x25519mlkem768: { openssl: "X25519MLKEM768", gnutls: "X25519-MLKEM768" }
}

export const groupNames = ["x25519", "secp256r1", "secp384r1", "secp521r1"] as const satisfies ReadonlyArray<NamedGroup>

export const openSslGroup = (group: NamedGroup): string => groups[group].openssl

export const groupOf = (name: string | undefined): NamedGroup | undefined =>
  groupNames.find((group) => groups[group].openssl === name || groups[group].gnutls === name)

// In the spelling of openssl: kind of signature, then digest, as s_client prints them apart.
const schemes: Readonly<Record<SignatureScheme, Spelling>> = {
  ecdsa_secp256r1_sha256: { openssl: "ECDSA-SHA256", gnutls: "ECDSA-SHA256" },
  ecdsa_secp384r1_sha384: { openssl: "ECDSA-SHA384", gnutls: "ECDSA-SHA384" },
  ecdsa_secp521r1_sha512: { openssl: "ECDSA-SHA512", gnutls: "ECDSA-SHA512" },
  rsa_pss_rsae_sha256: { openssl: "RSA-PSS-SHA256", gnutls: "RSA-PSS-RSAE-SHA256" },
  rsa_pss_rsae_sha384: { openssl: "RSA-PSS-SHA384", gnutls: "RSA-PSS-RSAE-SHA384" },
  rsa_pss_rsae_sha512: { openssl: "RSA-PSS-SHA512", gnutls: "RSA-PSS-RSAE-SHA512" },
  rsa_pkcs1_sha256: { openssl: "RSA-SHA256", gnutls: "RSA-SHA256" },
  rsa_pkcs1_sha384: { openssl: "RSA-SHA384", gnutls: "RSA-SHA384" },
  rsa_pkcs1_sha512: { openssl: "RSA-SHA512", gnutls: "RSA-SHA512" },
  ed25519: { openssl: "ed25519", gnutls: "EDDSA-ED25519" }
}

export const schemeNames = Object.keys(schemes).filter((name): name is SignatureScheme => name in schemes)

/** By the name of the registry, or of a peer. */
export const schemeOf = (name: string | undefined): SignatureScheme | undefined =>
  schemeNames.find((scheme) => scheme === name || schemes[scheme].openssl === name || schemes[scheme].gnutls === name)
