/**
 * What an application may choose about its connections. Everything has a safe default.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import type { Masking } from "../alert/Answer.ts"
import type { Budget } from "../alert/Budget.ts"
import { defaultBudget } from "../alert/Budget.ts"
import { InvalidOption } from "../alert/TlsError.ts"
import type { HandshakeLimits } from "../record/HandshakeAssembly.ts"
import type { Observer } from "../record/Observer.ts"
import type { CipherSuite } from "../secret/CipherSuite.ts"
import { type AnyCipherSuite, type CipherSuite13, suites, suites13 } from "../secret/CipherSuite.ts"
import type { Primitives } from "../secret/Primitives.ts"
import type { NamedGroup, SignatureScheme } from "../wire/CodePoints.ts"
import type { Identity } from "./Identity.ts"
import type { Trust } from "./Trust.ts"

/**
 * What a peer can make this side hold, count or wait for. Each limit says which alert answers the peer that exceeds it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Limits {
  /** Warning alerts in a row: 4. Then unexpected_message. */
  readonly warnings: number
  /** Empty application_data records in a row: 32. Then unexpected_message. */
  readonly emptyRecords: number
  /** Requests to renegotiate, between two pieces of progress: 1. Then unexpected_message. */
  readonly renegotiations: number
  /** KeyUpdate messages without data in between, one for each request of ours left out: 32. Then unexpected_message. */
  readonly keyUpdates: number
  /** Bytes of any handshake message but Certificate: 64 KiB. Then illegal_parameter. */
  readonly handshakeMessage: number
  /** Bytes of a Certificate message: 128 KiB. Then certificate_unknown. */
  readonly certificateChain: number
  /** Bytes of all handshake messages of the peer together: 256 KiB. Then illegal_parameter. */
  readonly handshake: number
  /** How long a handshake may take: 10 seconds. Then user_canceled and close_notify. */
  readonly handshakeTimeout: Duration.Duration
  /** How long our last record may take to leave: 1 second. Then the transport is closed without it. */
  readonly closeTimeout: Duration.Duration
  /** Bytes that are read for nobody after our last record, so that the peer can read it: 4 MiB. Then the transport is closed. */
  readonly drainBytes: number
  /** How long those bytes are waited for: 1 second. Then the transport is closed. */
  readonly drainTimeout: Duration.Duration
}

/**
 * @category models
 * @since 0.1.0
 */
export interface LimitOptions extends Partial<Omit<Limits, DurationLimit>> {
  readonly handshakeTimeout?: Duration.Input
  readonly closeTimeout?: Duration.Input
  readonly drainTimeout?: Duration.Input
}

const durationLimits = ["handshakeTimeout", "closeTimeout", "drainTimeout"] as const

type DurationLimit = typeof durationLimits[number]

/**
 * What an application makes of the ends that are not clean.
 *
 * @category models
 * @since 0.1.0
 */
export interface Policies {
  /**
   * What a transport end without close_notify means: `truncated` (the default) fails with `Truncated`, `end` takes a bare FIN on
   * a record boundary, and not after half an alert or half a handshake message, for the end of the data. Only for application
   * protocols that mark their own end, such as HTTP with Content-Length.
   */
  readonly missingCloseNotify: "truncated" | "end"
  /** What the peer is told when the application's scope fails: `close_notify` (the default), or `internal_error`. */
  readonly onFailure: "close_notify" | "internal_error"
  /**
   * What the peer is told when this side refuses its certificate: why (`none` is hidden, the default), or with `certificates` only
   * certificate_unknown. The fault of `AlertSent` has the truth in either case.
   */
  readonly masking: Masking
  /**
   * Which failures forget the session. `strict` (the default): every fatal alert, sent or received, as RFC 5246 section 7.2.2 says.
   * `keep-on-received-alert`: only what this side finds wrong once the handshake is over. An alert that somebody forged, or a
   * session identifier that somebody saw and offered, then costs nobody a session; but a peer that says that a session is not to
   * be trusted is not believed. See docs/sessions.md.
   */
  readonly forgetting: "strict" | "keep-on-received-alert"
  /** Whether the end of the scope waits for the close_notify of the peer, within `closeTimeout`. False by default. */
  readonly waitForPeer: boolean
}

/**
 * Options that both roles have.
 *
 * @category models
 * @since 0.1.0
 */
export interface CommonOptions {
  /** The application protocols, the preferred one first, by their registered names (RFC 7301). */
  readonly alpnProtocols?: ReadonlyArray<string>
  /** The versions that are spoken, `["1.3", "1.2"]` by default; the order says nothing, the highest common one is taken. */
  readonly versions?: ReadonlyArray<ProtocolName>
  /** Suites of both versions, the preferred one first. */
  readonly cipherSuites?: ReadonlyArray<AnyCipherSuite>
  readonly groups?: ReadonlyArray<NamedGroup>
  readonly signatureSchemes?: ReadonlyArray<SignatureScheme>
  readonly limits?: LimitOptions
  readonly policies?: Partial<Policies>
  /** Sees every record, message and alert; for traces. */
  readonly observe?: Observer
  /** Takes lines in the SSLKEYLOGFILE format. Whoever has them can read the connection: off unless given. */
  readonly insecureKeyLog?: (line: string) => void
  /**
   * RFC 8449: the longest content of a record that this side takes, 64 to 16384 bytes; 16384 by default. The peer is told; one that does not
   * speak the extension may send 16384 bytes.
   */
  readonly recordSizeLimit?: number
  /** RFC 8446 section 5.4: what is sent in TLS 1.3 is padded to a multiple of this many bytes. Nothing by default. */
  readonly recordPadding?: number
}

/**
 * @category models
 * @since 0.1.0
 */
export type ProtocolName = "1.2" | "1.3"

/**
 * @category models
 * @since 0.1.0
 */
export interface ClientOptions extends CommonOptions {
  /** Host name or IP address of the server, as the application knows it: its certificate must be for it. */
  readonly serverName: string
  /** What to show to a server that asks for a certificate. */
  readonly identity?: Identity["Service"]
  /**
   * Tells apart what has the same `serverName`, such as the ports of one host: sessions are kept under both, and never serve another
   * `serverName`. By default that is all.
   */
  readonly sessionName?: string
  /**
   * In TLS 1.3 a client is open before the server has judged its certificate. With this, opening waits that long for a first sign
   * (a ticket, data, an alert or any other end), so that a certificate that is refused in this time is an error of opening and not of the
   * first read, and no write hits a transport that the server has closed already (TransportFailed). The time is not part of
   * `limits.handshakeTimeout`.
   */
  readonly awaitPeerVerdict?: Duration.Input
}

/**
 * @category models
 * @since 0.1.0
 */
export interface ServerOptions extends CommonOptions {
  /** Ask clients for a certificate, and how to judge it. */
  readonly clientAuth?: {
    readonly mode: "request" | "require"
    readonly trust: Trust["Service"]
  }
  /**
   * Tickets that a TLS 1.3 client gets after a full handshake: 2 by default, at most 8. One that resumed gets one, for the one that it
   * used, and one that does not offer psk_dhe_ke none. A TLS 1.2 client gets one, if it wants one. With 0 nobody gets any, and TLS
   * 1.2 clients resume by session identifier.
   */
  readonly tickets?: number
}

/**
 * Options with every default filled in.
 *
 * @category models
 * @since 0.1.0
 */
export interface Settings {
  readonly alpnProtocols: ReadonlyArray<string>
  readonly versions: ReadonlyArray<ProtocolName>
  readonly cipherSuites: ReadonlyArray<CipherSuite>
  readonly cipherSuites13: ReadonlyArray<CipherSuite13>
  readonly groups: ReadonlyArray<NamedGroup>
  readonly signatureSchemes: ReadonlyArray<SignatureScheme>
  readonly limits: Limits
  readonly policies: Policies
  readonly observe: Observer | undefined
  readonly insecureKeyLog: ((line: string) => void) | undefined
  readonly recordSizeLimit: number
  readonly recordPadding: number
  readonly tickets: number
}

/**
 * @category constants
 * @since 0.1.0
 */
export const defaultLimits: Limits = {
  ...defaultBudget,
  handshakeMessage: 64 * 1024,
  certificateChain: 128 * 1024,
  handshake: 256 * 1024,
  handshakeTimeout: Duration.seconds(10),
  closeTimeout: Duration.seconds(1),
  drainBytes: 4 * 1024 * 1024,
  drainTimeout: Duration.seconds(1)
}

/**
 * @category constants
 * @since 0.1.0
 */
export const defaultPolicies: Policies = {
  missingCloseNotify: "truncated",
  onFailure: "close_notify",
  masking: "none",
  forgetting: "strict",
  waitForPeer: false
}

const defaultGroups: ReadonlyArray<NamedGroup> = [
  "x25519mlkem768",
  "x25519",
  "secp256r1",
  "secp384r1",
  "secp521r1"
]

const defaultSchemes: ReadonlyArray<SignatureScheme> = [
  "ecdsa_secp256r1_sha256",
  "ecdsa_secp384r1_sha384",
  "ecdsa_secp521r1_sha512",
  "ed25519",
  "rsa_pss_rsae_sha256",
  "rsa_pss_rsae_sha384",
  "rsa_pss_rsae_sha512",
  "rsa_pkcs1_sha256",
  "rsa_pkcs1_sha384",
  "rsa_pkcs1_sha512"
]

const limitsOf = (options: LimitOptions | undefined): Limits => {
  // Shared by all connections, of which a server may hold many.
  if (options === undefined) return defaultLimits
  const duration = (name: DurationLimit): Duration.Duration => {
    const given = options[name]
    if (given === undefined) return defaultLimits[name]
    // What is no length of time is refused by `checkSettings`, like a negative one.
    return Number.isNaN(given) ? Duration.negativeInfinity : Option.getOrElse(
      Duration.fromInput(given),
      () => Duration.negativeInfinity
    )
  }
  return {
    ...defaultLimits,
    ...options,
    handshakeTimeout: duration("handshakeTimeout"),
    closeTimeout: duration("closeTimeout"),
    drainTimeout: duration("drainTimeout")
  }
}

/**
 * Fills in the defaults; of the groups those that the platform has.
 *
 * @category constructors
 * @since 0.1.0
 */
export const settingsOf = (
  options: CommonOptions & Pick<ServerOptions, "tickets">,
  primitives: Pick<Primitives["Service"], "groups">
): Settings => {
  const { cipherSuites = [...suites13, ...suites], versions = ["1.3", "1.2"] } = options
  const of12 = versions.includes("1.2") ? cipherSuites.filter((suite) => suite.version === "1.2") : []
  const of13 = versions.includes("1.3") ? cipherSuites.filter((suite) => suite.version === "1.3") : []
  return {
    alpnProtocols: options.alpnProtocols ?? [],
    // A version without a suite is not spoken.
    versions: [...of13.length > 0 ? ["1.3"] as const : [], ...of12.length > 0 ? ["1.2"] as const : []],
    cipherSuites: of12,
    cipherSuites13: of13,
    groups: options.groups ?? defaultGroups.filter((group) => primitives.groups.includes(group)),
    signatureSchemes: options.signatureSchemes ?? defaultSchemes,
    limits: limitsOf(options.limits),
    policies: options.policies === undefined ? defaultPolicies : { ...defaultPolicies, ...options.policies },
    observe: options.observe,
    insecureKeyLog: options.insecureKeyLog,
    recordSizeLimit: options.recordSizeLimit ?? 2 ** 14,
    recordPadding: options.recordPadding ?? 1,
    tickets: options.tickets ?? 2
  }
}

/**
 * What is wrong with settings that no connection could be opened with, to be looked at before anything is sent.
 *
 * @category combinators
 * @since 0.1.0
 */
export const checkSettings = (
  settings: Settings,
  primitives: Pick<Primitives["Service"], "groups">
): InvalidOption | undefined => {
  const invalid = (option: string, why: string) => new InvalidOption({ option, why })
  if (settings.versions.length === 0) return invalid("cipherSuites", "there is none for the versions that are spoken")
  for (const group of settings.groups) {
    if (!primitives.groups.includes(group)) return invalid("groups", `this platform does not have ${group}`)
  }
  if (settings.versions.includes("1.2") && settings.groups.every((group) => group === "x25519mlkem768")) {
    return invalid("groups", "TLS 1.2 has no use for x25519mlkem768 alone")
  }
  if (!isWithin(settings.recordSizeLimit, 64, 2 ** 14)) return invalid("recordSizeLimit", "it is not 64 to 16384")
  if (!isWithin(settings.recordPadding, 1, 2 ** 14)) return invalid("recordPadding", "it is not 1 to 16384")
  if (!isWithin(settings.tickets, 0, 8)) return invalid("tickets", "it is not 0 to 8")
  for (const option of ["groups", "signatureSchemes"] as const) {
    if (settings[option].length === 0) return invalid(option, "it is empty")
  }
  let protocols = 0
  for (const protocol of settings.alpnProtocols) {
    protocols += 1 + protocol.length
    // RFC 7301 section 3.1: a name has 1 to 255 bytes. Here a character is a byte.
    if (protocol.length < 1 || protocol.length > 255 || !/^[\x00-\xff]*$/.test(protocol)) {
      return invalid("alpnProtocols", `${JSON.stringify(protocol)} is not a name of 1 to 255 bytes`)
    }
  }
  if (protocols > maxProtocols) return invalid("alpnProtocols", `they take more than ${maxProtocols} bytes`)
  const { limits } = settings
  if (limits === defaultLimits) return undefined
  for (const option of countLimits) {
    const value = limits[option]
    if (!Number.isSafeInteger(value) || value < 0) {
      return invalid(`limits.${option}`, `${value} is not a whole number of at least 0`)
    }
  }
  for (const option of durationLimits) {
    if (Duration.isNegative(limits[option])) return invalid(`limits.${option}`, "it is not a length of time")
  }
  return undefined
}

const isWithin = (value: number, least: number, most: number): boolean =>
  Number.isInteger(value) && value >= least && value <= most
/** The extensions of a hello are 64 KiB at most, and the others want their room. */
const maxProtocols = 60_000

const countLimits = [
  "warnings",
  "emptyRecords",
  "renegotiations",
  "keyUpdates",
  "handshakeMessage",
  "certificateChain",
  "handshake",
  "drainBytes"
] as const satisfies ReadonlyArray<keyof Limits>

/**
 * @category combinators
 * @since 0.1.0
 */
export const budgetOf = (limits: Limits): Budget => ({
  warnings: limits.warnings,
  emptyRecords: limits.emptyRecords,
  renegotiations: limits.renegotiations,
  keyUpdates: limits.keyUpdates
})

/**
 * @category combinators
 * @since 0.1.0
 */
export const handshakeLimitsOf = (limits: Limits): HandshakeLimits => ({
  message: limits.handshakeMessage,
  certificateChain: limits.certificateChain,
  total: limits.handshake
})
