/**
 * What the hellos of TLS 1.3 agree on: pure choices, RFC 8446 sections 4.1 to 4.3.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import type { Fault } from "../alert/Fault.ts"
import type { ClientHello } from "../message/ClientHello.ts"
import type { EncryptedExtensions } from "../message/EncryptedExtensions.ts"
import { type Extension, findExtension, type KnownExtension } from "../message/Extension.ts"
import type { ServerHello } from "../message/ServerHello.ts"
import { type CipherSuite13, suite13Of } from "../secret/CipherSuite.ts"
import type { Session } from "../service/Session.ts"
import type { Settings } from "../service/TlsConfig.ts"
import { samePublic } from "../wire/Bytes.ts"
import { NamedGroup, namedGroupName, ProtocolVersion } from "../wire/CodePoints.ts"

/**
 * A value that does not fit, as a fault.
 *
 * @category constructors
 * @since 0.1.0
 */
export const illegal = (message: string, field: string, why: string): Fault => ({
  _tag: "ParameterIllegal",
  message,
  field,
  why
})

const legacyVersionWrong = (version: number): Fault => ({
  _tag: "VersionUnsupported",
  offered: `legacy_version 0x${version.toString(16).padStart(4, "0")}`
})

const missing = (message: string, extension: string): Fault => ({ _tag: "ExtensionMissing", message, extension })

/**
 * RFC 8446 section 4.2.9: psk_dhe_ke, the only mode that is spoken here.
 *
 * @category constants
 * @since 0.1.0
 */
export const pskDheKe = 1

/**
 * The server's judgement of a ClientHello of TLS 1.3, before anything is chosen: RFC 8446 sections 4.1.2 and 9.2.
 *
 * @category server
 * @since 0.1.0
 */
export const judgeClientHello13 = (hello: ClientHello): Fault | undefined => {
  // RFC 9846 section 4.2.2.
  if (hello.version !== ProtocolVersion.tls12) return legacyVersionWrong(hello.version)
  if (hello.compressionMethods.length !== 1 || hello.compressionMethods[0] !== 0) {
    return illegal("ClientHello", "compression_methods", "is not the null method alone")
  }
  const { extensions } = hello
  const psk = findExtension(extensions, "PreSharedKeys")
  const modes = findExtension(extensions, "PskKeyExchangeModes")?.modes
  if (psk !== undefined) {
    if (extensions[extensions.length - 1] !== psk) {
      return illegal("ClientHello", "pre_shared_key", "is not the last extension")
    }
    if (modes === undefined) return missing("ClientHello", "psk_key_exchange_modes")
  }
  const groups = findExtension(extensions, "SupportedGroups")?.groups
  const shares = findExtension(extensions, "KeyShares")?.shares
  // Sections 4.2.9 and 9.2: a PSK on its own needs neither of them. There will be no group in common.
  const isPskAlone = psk !== undefined && modes?.includes(pskDheKe) === false
  if (isPskAlone && groups === undefined && shares === undefined) return undefined
  if (groups === undefined) return missing("ClientHello", "supported_groups")
  if (shares === undefined) return missing("ClientHello", "key_share")
  if (psk === undefined && findExtension(extensions, "SignatureAlgorithms") === undefined) {
    return missing("ClientHello", "signature_algorithms")
  }
  return judgeShares(groups, shares.map(({ group }) => group))
}

/** RFC 8446 section 4.2.8: shares are of groups that are offered, in the same order, and one of each. */
const judgeShares = (groups: ReadonlyArray<number>, shares: ReadonlyArray<number>): Fault | undefined => {
  let from = 0
  for (const group of shares) {
    const at = groups.indexOf(group, from)
    if (at < 0) {
      return illegal("ClientHello", "key_share", `has a share of group ${group} out of the order of supported_groups`)
    }
    from = at + 1
  }
  return undefined
}

/**
 * The server's choice of suite: its own order among what the client has.
 *
 * @category server
 * @since 0.1.0
 */
export const chooseSuite13 = (hello: ClientHello, settings: Settings): Result.Result<CipherSuite13, Fault> => {
  const suite = settings.cipherSuites13.find(({ id }) => hello.cipherSuites.includes(id))
  return suite === undefined
    ? Result.fail<Fault>({ _tag: "NothingInCommon", what: "cipher suite" })
    : Result.succeed(suite)
}

/**
 * A group, and the client's share of it; without one the client is to be asked for it.
 *
 * @category models
 * @since 0.1.0
 */
export interface GroupChoice {
  readonly group: NamedGroup
  readonly share: Uint8Array | undefined
}

/**
 * The server's choice of group: its own order among those that the client has a share of, else among those that it supports.
 *
 * @category server
 * @since 0.1.0
 */
export const chooseGroup13 = (hello: ClientHello, settings: Settings): Result.Result<GroupChoice, Fault> => {
  const shares = findExtension(hello.extensions, "KeyShares")?.shares ?? []
  const supported = findExtension(hello.extensions, "SupportedGroups")?.groups ?? []
  for (const group of settings.groups) {
    const share = shares.find((share) => share.group === NamedGroup[group])
    if (share !== undefined) return Result.succeed({ group, share: share.publicKey })
  }
  const group = settings.groups.find((group) => supported.includes(NamedGroup[group]))
  return group === undefined
    ? Result.fail<Fault>({ _tag: "NothingInCommon", what: "group" })
    : Result.succeed({ group, share: undefined })
}

const isSameList = (a: ReadonlyArray<number>, b: ReadonlyArray<number>): boolean =>
  a.length === b.length && a.every((value, index) => value === b[index])

/**
 * RFC 8446 section 4.1.2: what a client may change in a hello that it was asked to repeat.
 *
 * @category server
 * @since 0.1.0
 */
export const judgeSecondHello = (first: ClientHello, second: ClientHello, group: NamedGroup): Fault | undefined => {
  const changed = (field: string) => illegal("ClientHello", field, "is not as in the first hello")
  if (second.version !== first.version) return changed("legacy_version")
  if (!samePublic(second.random, first.random)) return changed("random")
  if (!samePublic(second.sessionId, first.sessionId)) return changed("legacy_session_id")
  if (!isSameList(second.cipherSuites, first.cipherSuites)) return changed("cipher_suites")
  if (!isSameList(second.compressionMethods, first.compressionMethods)) return changed("compression_methods")
  if (findExtension(second.extensions, "EarlyData") !== undefined) {
    return illegal("ClientHello", "early_data", "is not allowed after HelloRetryRequest")
  }
  const shares = findExtension(second.extensions, "KeyShares")?.shares ?? []
  return shares.length === 1 && shares[0]?.group === NamedGroup[group]
    ? undefined
    : illegal("ClientHello", "key_share", `is not the one share of ${group} that was asked for`)
}

/**
 * Whether the server may resume this session for this hello: RFC 8446 sections 4.2.9, 4.2.11 and 4.6.1.
 *
 * @category server
 * @since 0.1.0
 */
export const mayResume13 = (
  hello: ClientHello,
  session: Session,
  suite: CipherSuite13,
  requiresClientCertificate: boolean
): boolean =>
  session.version === "1.3" &&
  findExtension(hello.extensions, "PskKeyExchangeModes")?.modes.includes(pskDheKe) === true &&
  suite13Of(session.cipherSuite)?.hash === suite.hash &&
  findExtension(hello.extensions, "ServerName")?.name === session.serverName &&
  !(requiresClientCertificate && session.peerCertificates.length === 0)

/**
 * What the client offered, as far as the answers are judged by it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Offer13 {
  readonly hello: ClientHello
  readonly settings: Settings
  readonly session: Session | undefined
}

/** What both answers to a ClientHello must be like: RFC 8446 sections 4.1.3 and 4.1.4. */
const judgeAnswer = (
  name: string,
  answer: ServerHello,
  { hello, settings }: Offer13
): Result.Result<CipherSuite13, Fault> => {
  const fail = (field: string, why: string) => Result.fail(illegal(name, field, why))
  // RFC 9846 section 4.2.3.
  if (answer.version !== ProtocolVersion.tls12) return Result.fail(legacyVersionWrong(answer.version))
  // A version that was settled by a HelloRetryRequest does not change.
  if (findExtension(answer.extensions, "SupportedVersions")?.versions[0] !== ProtocolVersion.tls13) {
    return fail("supported_versions", "does not select TLS 1.3")
  }
  if (!samePublic(answer.sessionId, hello.sessionId)) return fail("legacy_session_id_echo", "is not that of the hello")
  const suite = settings.cipherSuites13.find(({ id }) => id === answer.cipherSuite)
  if (suite === undefined) {
    return fail("cipher_suite", `0x${answer.cipherSuite.toString(16).padStart(4, "0")} was not offered for TLS 1.3`)
  }
  if (answer.compressionMethod !== 0) {
    return fail("legacy_compression_method", `is ${answer.compressionMethod}, not null`)
  }
  return Result.succeed(suite)
}

/** RFC 8446 section 4.2: an extension that was not asked for, or that has no place in the message. */
const judgeExtensions = (
  message: string,
  extensions: ReadonlyArray<Extension>,
  hello: ClientHello,
  places: ReadonlyArray<KnownExtension["_tag"]>
): Fault | undefined => {
  for (const extension of extensions) {
    if (extension._tag === "UnknownExtension") {
      return { _tag: "ExtensionUnsolicited", message, extension: String(extension.type) }
    }
    const isOffered = hello.extensions.some(({ _tag }) => _tag === extension._tag)
    // A cookie is the one that comes unasked, and then in a HelloRetryRequest only.
    const mayCome = isOffered || extension._tag === "Cookie"
    if (!places.includes(extension._tag) && mayCome) {
      return illegal(message, extension._tag, "has no place in this message")
    }
    if (!mayCome) {
      return { _tag: "ExtensionUnsolicited", message, extension: extension._tag }
    }
  }
  return undefined
}

/**
 * What a HelloRetryRequest asks for.
 *
 * @category models
 * @since 0.1.0
 */
export interface Retry {
  readonly suite: CipherSuite13
  readonly group: NamedGroup | undefined
  readonly cookie: Uint8Array | undefined
}

/**
 * The client's judgement of a HelloRetryRequest, RFC 8446 sections 4.1.4 and 4.2.8.
 *
 * @category client
 * @since 0.1.0
 */
export const judgeHelloRetryRequest = (request: ServerHello, offer: Offer13): Result.Result<Retry, Fault> => {
  const name = "HelloRetryRequest"
  const suite = judgeAnswer(name, request, offer)
  if (Result.isFailure(suite)) return Result.fail(suite.failure)
  const fault = judgeExtensions(name, request.extensions, offer.hello, ["SupportedVersions", "KeyShares", "Cookie"])
  if (fault !== undefined) return Result.fail(fault)
  const wanted = findExtension(request.extensions, "KeyShares")?.shares[0]?.group
  const cookie = findExtension(request.extensions, "Cookie")?.cookie
  if (wanted === undefined) {
    return cookie === undefined
      ? Result.fail(illegal(name, "extensions", "would change nothing in the hello"))
      : Result.succeed({ suite: suite.success, group: undefined, cookie })
  }
  const group = namedGroupName(wanted)
  if (group === undefined || !offer.settings.groups.includes(group)) {
    return Result.fail(illegal(name, "key_share", `names ${group ?? wanted}, which was not offered`))
  }
  const shares = findExtension(offer.hello.extensions, "KeyShares")?.shares ?? []
  if (shares.some((share) => share.group === wanted)) {
    return Result.fail(illegal(name, "key_share", `names ${group}, of which there was a share`))
  }
  return Result.succeed({ suite: suite.success, group, cookie })
}

/**
 * What the client takes from a ServerHello that it accepts.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServerChoice13 {
  readonly suite: CipherSuite13
  readonly group: NamedGroup
  readonly share: Uint8Array
  readonly isResumed: boolean
}

/**
 * The client's judgement of a ServerHello of TLS 1.3, RFC 8446 section 4.1.3. After a HelloRetryRequest the suite is settled.
 *
 * @category client
 * @since 0.1.0
 */
export const judgeServerHello13 = (
  answer: ServerHello,
  offer: Offer13,
  retried: CipherSuite13 | undefined
): Result.Result<ServerChoice13, Fault> => {
  const name = "ServerHello"
  const judged = judgeAnswer(name, answer, offer)
  if (Result.isFailure(judged)) return Result.fail(judged.failure)
  const suite = judged.success
  if (retried !== undefined && suite !== retried) {
    return Result.fail(illegal(name, "cipher_suite", "is not that of the HelloRetryRequest"))
  }
  const fault = judgeExtensions(name, answer.extensions, offer.hello, [
    "SupportedVersions",
    "KeyShares",
    "PreSharedKeys"
  ])
  if (fault !== undefined) return Result.fail(fault)
  const share = findExtension(answer.extensions, "KeyShares")?.shares[0]
  const psk = findExtension(answer.extensions, "PreSharedKeys")
  if (share === undefined) {
    // RFC 8446 section 4.2.11: psk_dhe_ke is the only mode that was offered.
    return Result.fail(psk === undefined ? missing(name, "key_share") : illegal(name, "key_share", "is missing"))
  }
  const group = namedGroupName(share.group)
  const offered = findExtension(offer.hello.extensions, "KeyShares")?.shares ?? []
  if (group === undefined || !offered.some(({ group }) => group === share.group)) {
    return Result.fail(illegal(name, "key_share", `is of ${group ?? share.group}, of which there was no share`))
  }
  if (psk !== undefined) {
    if (psk.selected !== 0) {
      return Result.fail(illegal(name, "pre_shared_key", `selects ${psk.selected}, which was not offered`))
    }
    if (offer.session === undefined || suite13Of(offer.session.cipherSuite)?.hash !== suite.hash) {
      return Result.fail(illegal(name, "cipher_suite", "has another hash than the session that is resumed"))
    }
  }
  return Result.succeed({ suite, group, share: share.publicKey, isResumed: psk !== undefined })
}

/**
 * The client's judgement of EncryptedExtensions: the application protocol, and the size of records that the server takes.
 *
 * @category client
 * @since 0.1.0
 */
export const judgeEncryptedExtensions = (
  { extensions }: EncryptedExtensions,
  { hello, settings }: Offer13
): Result.Result<
  { readonly alpnProtocol: string | undefined; readonly recordSizeLimit: number | undefined },
  Fault
> => {
  const name = "EncryptedExtensions"
  const places = ["ServerName", "SupportedGroups", "ApplicationProtocols", "RecordSizeLimit"] as const
  const fault = judgeExtensions(name, extensions, hello, places)
  if (fault !== undefined) return Result.fail(fault)
  const alpnProtocol = findExtension(extensions, "ApplicationProtocols")?.protocols[0]
  if (alpnProtocol !== undefined && !settings.alpnProtocols.includes(alpnProtocol)) {
    return Result.fail(illegal(name, "application_layer_protocol_negotiation", `${alpnProtocol} was not offered`))
  }
  const recordSizeLimit = findExtension(extensions, "RecordSizeLimit")?.limit
  // RFC 8449 section 4: in TLS 1.3 the type counts.
  if (recordSizeLimit !== undefined && recordSizeLimit > 2 ** 14 + 1) {
    return Result.fail(illegal(name, "record_size_limit", `is ${recordSizeLimit}, more than the protocol allows`))
  }
  return Result.succeed({ alpnProtocol, recordSizeLimit })
}
