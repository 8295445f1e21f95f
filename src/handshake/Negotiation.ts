/**
 * What the two hellos agree on: pure choices, RFC 5246 sections 7.4.1.2 to 7.4.1.4 and the extensions' own documents.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import type { Fault } from "../alert/Fault.ts"
import { type Extension, findExtension } from "../message/Extension.ts"
import type { HandshakeMessage } from "../message/HandshakeMessage.ts"
import { isHelloRetryRequest } from "../message/ServerHello.ts"
import { type CipherSuite, suiteOf } from "../secret/CipherSuite.ts"
import type { Session } from "../service/Session.ts"
import type { Settings } from "../service/TlsConfig.ts"
import { fromHex, samePublic } from "../wire/Bytes.ts"
import {
  type LegacyScheme,
  legacySchemeName,
  NamedGroup,
  ProtocolVersion,
  SignallingSuite,
  type SignatureScheme,
  signatureSchemeName
} from "../wire/CodePoints.ts"

type ClientHello = Extract<HandshakeMessage, { readonly _tag: "ClientHello" }>
type ServerHello = Extract<HandshakeMessage, { readonly _tag: "ServerHello" }>

const ssl30 = 0x0300

const versionName = (version: number): string => {
  switch (version) {
    case ssl30:
      return "SSL 3.0"
    case ProtocolVersion.tls10:
      return "TLS 1.0"
    case ProtocolVersion.tls11:
      return "TLS 1.1"
    case ProtocolVersion.tls12:
      return "TLS 1.2"
    case ProtocolVersion.tls13:
      return "TLS 1.3"
    default:
      return `version 0x${version.toString(16).padStart(4, "0")}`
  }
}

const illegal = (message: string, field: string, why: string): Fault => ({
  _tag: "ParameterIllegal",
  message,
  field,
  why
})

const renegotiating: Fault = {
  _tag: "RenegotiationInfoWrong",
  why: "it speaks of an earlier handshake, and this is the first one"
}

/**
 * The version that the server answers a ClientHello with: RFC 8446 section 4.2.1 and appendix D.2, RFC 5246 appendix E.1, RFC 7507
 * section 3.
 *
 * @category server
 * @since 0.1.0
 */
export const judgeClientVersion = (hello: ClientHello, settings: Settings): Result.Result<"1.2" | "1.3", Fault> => {
  const named = findExtension(hello.extensions, "SupportedVersions")?.versions
  const offers = (version: "1.2" | "1.3"): boolean => {
    // A client that names its versions means those, and nothing else.
    if (named !== undefined) return named.includes(version === "1.3" ? ProtocolVersion.tls13 : ProtocolVersion.tls12)
    return version === "1.2" && hello.version >= ProtocolVersion.tls12
  }
  // RFC 8446 appendix D.5: SSL 3.0 and before are refused, whatever else the hello says.
  const isAncient = hello.version <= ssl30
  const version = isAncient ? undefined : settings.versions.find(offers)
  const offered = named === undefined || isAncient ? versionName(hello.version) : named.map(versionName).join(", ")
  if (hello.cipherSuites.includes(SignallingSuite.fallback) && version !== settings.versions[0]) {
    return Result.fail<Fault>({ _tag: "FallbackInappropriate", offered })
  }
  return version === undefined
    ? Result.fail<Fault>({ _tag: "VersionUnsupported", offered })
    : Result.succeed(version)
}

/**
 * The server's judgement of a ClientHello of TLS 1.2, before anything is chosen: RFC 5246 section 7.4.1.2, RFC 5746 section 3.6.
 *
 * @category server
 * @since 0.1.0
 */
export const judgeClientHello = (hello: ClientHello): Fault | undefined => {
  if (!hello.compressionMethods.includes(0)) {
    return illegal("ClientHello", "compression_methods", "lacks the null method, which is required")
  }
  const info = findExtension(hello.extensions, "RenegotiationInfo")
  if (info !== undefined && info.renegotiatedConnection.length > 0) return renegotiating
  const formats = findExtension(hello.extensions, "EcPointFormats")
  if (formats !== undefined && !formats.formats.includes(0)) {
    return illegal("ClientHello", "ec_point_formats", "lacks the uncompressed format, which is required")
  }
  return undefined
}

/**
 * The server's choice of group: its own order among what the client has. RFC 8422 section 4 leaves the choice to the server
 * where the client names none.
 *
 * @category server
 * @since 0.1.0
 */
export const chooseGroup = (hello: ClientHello, settings: Settings): NamedGroup | undefined => {
  const offered = findExtension(hello.extensions, "SupportedGroups")?.groups
  // The hybrid group is for TLS 1.3 (draft-ietf-tls-ecdhe-mlkem section 4).
  const groups = settings.groups.filter((group) => group !== "x25519mlkem768")
  return offered === undefined
    ? groups.find((group) => group === "secp256r1") ?? groups[0]
    : groups.find((group) => offered.includes(NamedGroup[group]))
}

/**
 * The signature schemes that both sides know, in the order of `ours`. RFC 5246 section 7.4.1.4.1 has SHA-1 as the default of a
 * client that names none; it is not used here.
 *
 * @category server
 * @since 0.1.0
 */
export const commonSchemes = (
  theirs: ReadonlyArray<number> | undefined,
  ours: ReadonlyArray<SignatureScheme>
): ReadonlyArray<SignatureScheme> => {
  const names = new Set((theirs ?? []).map(signatureSchemeName))
  return ours.filter((scheme) => names.has(scheme))
}

/**
 * What the peer can verify in certificates, as far as it is known here. RFC 8446 section 4.2.3: without signature_algorithms_cert, in
 * TLS 1.2 as well, that is what it can verify elsewhere.
 *
 * @category combinators
 * @since 0.1.0
 */
export const certificateSchemes = (
  extensions: ReadonlyArray<Extension>
): ReadonlyArray<SignatureScheme | LegacyScheme> => {
  const { schemes = [] } = findExtension(extensions, "SignatureAlgorithmsCert") ??
    findExtension(extensions, "SignatureAlgorithms") ?? {}
  return schemes.flatMap((code) => signatureSchemeName(code) ?? legacySchemeName(code) ?? [])
}

/**
 * The suites that both sides know, in the server's order.
 *
 * @category server
 * @since 0.1.0
 */
export const commonSuites = (hello: ClientHello, settings: Settings): ReadonlyArray<CipherSuite> =>
  settings.cipherSuites.filter((suite) => hello.cipherSuites.includes(suite.id))

/**
 * RFC 7301 section 3.2: the server's preference; no_application_protocol where nothing fits. A server without protocols of its
 * own ignores the extension.
 *
 * @category server
 * @since 0.1.0
 */
export const chooseProtocol = (hello: ClientHello, settings: Settings): Result.Result<string | undefined, Fault> => {
  const offered = findExtension(hello.extensions, "ApplicationProtocols")?.protocols
  if (offered === undefined || settings.alpnProtocols.length === 0) return Result.succeed(undefined)
  const chosen = settings.alpnProtocols.find((protocol) => offered.includes(protocol))
  return chosen === undefined
    ? Result.fail<Fault>({ _tag: "NoApplicationProtocol", offered })
    : Result.succeed(chosen)
}

/**
 * Whether the server may resume this session for this hello: RFC 5246 section 7.4.1.2 (the suite is offered), RFC 6066 section 3
 * (the name is the same), RFC 7627 section 5.3 (a hello without extended master secret is an error).
 *
 * @category server
 * @since 0.1.0
 */
export const judgeResumption = (
  hello: ClientHello,
  session: Session,
  settings: Settings,
  requiresClientCertificate: boolean
): Result.Result<CipherSuite | undefined, Fault> => {
  if (session.version !== "1.2") return Result.succeed(undefined)
  const suite = settings.cipherSuites.find((suite) => suite.id === session.cipherSuite)
  if (suite === undefined || !hello.cipherSuites.includes(suite.id)) return Result.succeed(undefined)
  if (findExtension(hello.extensions, "ServerName")?.name !== session.serverName) return Result.succeed(undefined)
  if (requiresClientCertificate && session.peerCertificates.length === 0) return Result.succeed(undefined)
  if (findExtension(hello.extensions, "ExtendedMasterSecret") === undefined) {
    return Result.fail<Fault>({
      _tag: "ExtendedMasterSecretMissing",
      why: "the session that the client wants to resume has one"
    })
  }
  return Result.succeed(suite)
}

const only13: ReadonlyArray<Extension["_tag"]> = [
  "SupportedVersions",
  "KeyShares",
  "PreSharedKeys",
  "PskKeyExchangeModes",
  "SignatureAlgorithms",
  "SupportedGroups"
]

const offeredBy = (extension: Extension["_tag"], hello: ClientHello): boolean =>
  // RFC 5746 section 3.4: the signalling suite stands for the empty extension.
  extension === "RenegotiationInfo" || hello.extensions.some((offered) => offered._tag === extension)

// RFC 8446 section 4.1.3: the last bytes of the random of a server that could do better.
const downgradeTo12 = fromHex("444f574e47524401")
const downgradeTo11 = fromHex("444f574e47524400")

/**
 * The random of a server that speaks TLS 1.3 and answers with TLS 1.2: its end says so.
 *
 * @category server
 * @since 0.1.0
 */
export const markDowngrade = (random: Uint8Array): Uint8Array => {
  random.set(downgradeTo12, random.length - downgradeTo12.length)
  return random
}

/**
 * The version that a ServerHello chooses: RFC 5246 section 7.4.1.3, RFC 8446 sections 4.1.3 and 4.2.1.
 *
 * @category client
 * @since 0.1.0
 */
export const judgeServerVersion = (hello: ServerHello, settings: Settings): Result.Result<"1.2" | "1.3", Fault> => {
  const speaks = (version: "1.2" | "1.3") => settings.versions.includes(version)
  const selected = findExtension(hello.extensions, "SupportedVersions")?.versions[0]
  if (selected !== undefined && speaks("1.3")) {
    return selected === ProtocolVersion.tls13
      ? Result.succeed("1.3")
      : Result.fail(illegal("ServerHello", "supported_versions", `selects ${versionName(selected)}, not TLS 1.3`))
  }
  if (isHelloRetryRequest(hello) && speaks("1.3")) {
    return Result.fail<Fault>({
      _tag: "ExtensionMissing",
      message: "HelloRetryRequest",
      extension: "supported_versions"
    })
  }
  const end = hello.random.subarray(24)
  if (samePublic(end, downgradeTo11) || samePublic(end, downgradeTo12) && speaks("1.3")) {
    return Result.fail<Fault>({ _tag: "DowngradeDetected", version: versionName(hello.version) })
  }
  if (hello.version !== ProtocolVersion.tls12 || !speaks("1.2")) {
    return Result.fail<Fault>({ _tag: "VersionUnsupported", offered: versionName(hello.version) })
  }
  return Result.succeed("1.2")
}

/**
 * RFC 8449: the limit that a hello told the other side.
 *
 * @category client
 * @since 0.1.0
 */
export const advertisedLimit = (hello: ClientHello): number =>
  findExtension(hello.extensions, "RecordSizeLimit")?.limit ?? 2 ** 14

/**
 * What the client takes from a ServerHello that it accepts.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServerChoice {
  readonly suite: CipherSuite
  readonly alpnProtocol: string | undefined
  readonly isExtendedMasterSecret: boolean
  readonly isResumed: boolean
  /** RFC 5077 section 3.2: a NewSessionTicket comes before the ChangeCipherSpec of the server. */
  readonly isTicketPromised: boolean
  readonly recordSizeLimit: number | undefined
  /** RFC 6066 section 8: a CertificateStatus may come. */
  readonly mayStaple: boolean
}

/**
 * The client's judgement of a ServerHello, RFC 5246 sections 7.4.1.3 and 7.4.1.4, RFC 5746 section 3.4, RFC 7301 section 3.1,
 * RFC 7627 sections 5.2 and 5.3.
 *
 * @category client
 * @since 0.1.0
 */
export const judgeServerHello = (
  hello: ServerHello,
  offer: { readonly hello: ClientHello; readonly settings: Settings; readonly session: Session | undefined }
): Result.Result<ServerChoice, Fault> => {
  const name = "ServerHello"
  const suite = suiteOf(hello.cipherSuite)
  if (suite === undefined || !offer.settings.cipherSuites.some(({ id }) => id === suite.id)) {
    const id = hello.cipherSuite.toString(16).padStart(4, "0")
    return Result.fail(illegal(name, "cipher_suite", `0x${id} was not offered`))
  }
  if (hello.compressionMethod !== 0) {
    return Result.fail(illegal(name, "compression_method", `${hello.compressionMethod} was not offered`))
  }
  for (const extension of hello.extensions) {
    if (!offeredBy(extension._tag, offer.hello)) {
      const which = extension._tag === "UnknownExtension" ? String(extension.type) : extension._tag
      return Result.fail<Fault>({ _tag: "ExtensionUnsolicited", message: name, extension: which })
    }
    if (only13.includes(extension._tag)) {
      return Result.fail(illegal(name, extension._tag, "has no place in TLS 1.2"))
    }
  }
  const info = findExtension(hello.extensions, "RenegotiationInfo")
  if (info === undefined) {
    return Result.fail<Fault>({
      _tag: "RenegotiationInfoWrong",
      why: "the server does not protect its renegotiations (RFC 5746)"
    })
  }
  if (info.renegotiatedConnection.length > 0) return Result.fail(renegotiating)
  const formats = findExtension(hello.extensions, "EcPointFormats")
  if (formats !== undefined && !formats.formats.includes(0)) {
    return Result.fail(illegal(name, "ec_point_formats", "lacks the uncompressed format, which is required"))
  }
  const alpnProtocol = findExtension(hello.extensions, "ApplicationProtocols")?.protocols[0]
  if (alpnProtocol !== undefined && !offer.settings.alpnProtocols.includes(alpnProtocol)) {
    return Result.fail(illegal(name, "application_layer_protocol_negotiation", `${alpnProtocol} was not offered`))
  }
  const isExtendedMasterSecret = findExtension(hello.extensions, "ExtendedMasterSecret") !== undefined
  const isEcho = hello.sessionId.length > 0 && samePublic(hello.sessionId, offer.hello.sessionId)
  const isResumed = isEcho && offer.session?.version === "1.2"
  // RFC 8446 section 4.1.3: nobody can resume an identifier that means nothing.
  if (isEcho && !isResumed) return Result.fail(illegal(name, "session_id", "resumes a session that does not exist"))
  if (isResumed) {
    if (!isExtendedMasterSecret) {
      return Result.fail<Fault>({
        _tag: "ExtendedMasterSecretMissing",
        why: "the server resumes a session that has one"
      })
    }
    if (offer.session?.cipherSuite !== suite.id) {
      return Result.fail(illegal(name, "cipher_suite", "is not that of the resumed session"))
    }
  }
  const recordSizeLimit = findExtension(hello.extensions, "RecordSizeLimit")?.limit
  if (recordSizeLimit !== undefined && recordSizeLimit > 2 ** 14) {
    return Result.fail(illegal(name, "record_size_limit", `is ${recordSizeLimit}, more than the protocol allows`))
  }
  const mayStaple = findExtension(hello.extensions, "StatusRequest") !== undefined
  const isTicketPromised = findExtension(hello.extensions, "SessionTicket") !== undefined
  return Result.succeed({
    suite,
    alpnProtocol,
    isExtendedMasterSecret,
    isResumed,
    isTicketPromised,
    recordSizeLimit,
    mayStaple
  })
}
