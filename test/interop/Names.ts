import { type AnyCipherSuite, suites, suites13 } from "../../src/secret/CipherSuite.ts"
import type { NamedGroup, SignatureScheme } from "../../src/wire/CodePoints.ts"

/** What is ours in the names of the registries, and how each peer spells it. */
interface Spelling {
  readonly openssl: string
  readonly gnutls: string
}

/** A version that both sides can be left with. */
export type Version = "1.2" | "1.3"

export const versions: ReadonlyArray<Version> = ["1.2", "1.3"]

/** The flag of openssl that leaves it with that version. */
export const openSslVersion = (version: Version): "-tls1_2" | "-tls1_3" => version === "1.2" ? "-tls1_2" : "-tls1_3"

export const suiteNames: ReadonlyArray<SuiteName> = suites.map(({ name }) => name)
export const suiteNames13: ReadonlyArray<SuiteName> = suites13.map(({ name }) => name)
export type SuiteName = AnyCipherSuite["name"]

export const isOf13 = (suite: SuiteName): boolean => suiteNames13.includes(suite)

/** By the name of the registry. */
export const suiteNamed = (name: string | undefined): SuiteName | undefined =>
  [...suiteNames, ...suiteNames13].find((suite) => suite === name)

const aeads: Readonly<Record<string, Spelling>> = {
  AES_128_GCM_SHA256: { openssl: "AES128-GCM-SHA256", gnutls: "AES-128-GCM" },
  AES_256_GCM_SHA384: { openssl: "AES256-GCM-SHA384", gnutls: "AES-256-GCM" },
  CHACHA20_POLY1305_SHA256: { openssl: "CHACHA20-POLY1305", gnutls: "CHACHA20-POLY1305" }
}

/** Of our suites: the key of the certificate, which those of TLS 1.3 leave open, and the AEAD as the peers spell it. */
const partsOf = (suite: SuiteName): { readonly key: "ECDSA" | "RSA" | undefined; readonly aead: Spelling } => {
  const aead = aeads[suite.replace(/^TLS_(?:.*WITH_)?/, "")]
  if (aead === undefined) throw new Error(`no spelling for ${suite}`)
  return { key: isOf13(suite) ? undefined : suite.includes("_ECDSA_") ? "ECDSA" : "RSA", aead }
}

/** Suites of TLS 1.3 have the names of the registry. */
export const openSslSuite = (suite: SuiteName): string => {
  const { aead, key } = partsOf(suite)
  return key === undefined ? suite : `ECDHE-${key}-${aead.openssl}`
}

export const suiteOfGnuTls = (key: "ECDSA" | "RSA" | undefined, aead: string | undefined): SuiteName | undefined =>
  [...suiteNames, ...suiteNames13].find((suite) => {
    const parts = partsOf(suite)
    return parts.key === key && parts.aead.gnutls === aead
  })

/** A priority string of gnutls. Nothing is left out of what a certificate may be signed with but where `schemes` says so. */
export const gnuTlsPriority = (options: {
  readonly suites?: ReadonlyArray<SuiteName>
  readonly groups?: ReadonlyArray<NamedGroup>
  readonly schemes?: ReadonlyArray<SignatureScheme>
  readonly version?: "1.1" | Version | "both"
  readonly isExtended?: false
  readonly isFallback?: true
}): string =>
  [
    "NORMAL:-VERS-ALL",
    (options.version === "both" ? ["1.3", "1.2"] : [options.version ?? "1.2"]).map((version) => `+VERS-TLS${version}`),
    options.suites === undefined ? [] : [
      "-KX-ALL",
      "-CIPHER-ALL",
      options.suites.map(partsOf).flatMap(({ aead, key }) => [
        ...(key === undefined ? [] : [`+ECDHE-${key}`]),
        `+${aead.gnutls}`
      ])
    ],
    options.groups === undefined ? [] : ["-GROUP-ALL", options.groups.map((group) => `+GROUP-${groups[group].gnutls}`)],
    options.schemes === undefined
      ? []
      : ["-SIGN-ALL", options.schemes.map((scheme) => `+SIGN-${gnuTlsScheme(scheme, options.version)}`)],
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

/** Those that every peer has, in both versions. */
export const groupNames = ["x25519", "secp256r1", "secp384r1", "secp521r1"] as const satisfies ReadonlyArray<NamedGroup>

export const openSslGroup = (group: NamedGroup): string => groups[group].openssl

export const groupOf = (name: string | undefined): NamedGroup | undefined =>
  groupNames.find((group) => groups[group].openssl === name || groups[group].gnutls === name)

/** X25519MLKEM768 came with OpenSSL 3.5, which node:tls is made of, and GnuTLS 3.8.8. */
export const groupNamesOf = (peer: string, version: Version): ReadonlyArray<NamedGroup> =>
  peer === "node:tls" && version === "1.3" ? [...groupNames, "x25519mlkem768"] : groupNames

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
  ed25519: { openssl: "ed25519", gnutls: "EdDSA-Ed25519" }
}

export const schemeNames = Object.keys(schemes).filter((name): name is SignatureScheme => name in schemes)

/** RFC 8446 section 4.2.3: PKCS#1 signs no handshake of TLS 1.3. */
export const schemeNamesOf = (version: Version): ReadonlyArray<SignatureScheme> =>
  version === "1.2" ? schemeNames : schemeNames.filter((name) => !name.startsWith("rsa_pkcs1"))

// The schemes of TLS 1.3 that name a curve have a name of their own there.
const gnuTlsScheme = (scheme: SignatureScheme, version: string = "1.2"): string =>
  version === "1.3" && scheme.startsWith("ecdsa") ? scheme.toUpperCase().replaceAll("_", "-") : schemes[scheme].gnutls

/** By the name of the registry, or of a peer. */
export const schemeOf = (name: string | undefined): SignatureScheme | undefined =>
  schemeNames.find((scheme) =>
    [scheme, schemes[scheme].openssl, schemes[scheme].gnutls, gnuTlsScheme(scheme, "1.3")].some((_) => _ === name)
  )
