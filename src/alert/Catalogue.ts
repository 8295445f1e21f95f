/**
 * What each alert means and what to do about it, as data: the errors, the command `explain` and the documentation read
 * it.
 *
 * @since 0.1.0
 */
import { type AlertDescription, descriptionCode, descriptionOf, descriptions, type KnownDescription } from "./Alert.ts"

/**
 * The level of an alert in TLS 1.2 and before. RFC 5246 section 7.2.2: where none is stated the sender chooses, and it
 * is fatal where the sender closes right after.
 *
 * @category models
 * @since 0.1.0
 */
export type LevelRule12 =
  | "always fatal"
  | "always warning"
  | "generally warning"
  | "not stated, warning in practice"
  | "the sender chooses"
  | "fatal, a warning is not recommended"
  | "fatal where the certificate is needed, else warning"
  | "never sent"
  | "not defined"

/**
 * What an alert is in TLS 1.3, where the level byte is not consulted (RFC 8446 section 6).
 *
 * @category models
 * @since 0.1.0
 */
export type LevelRule13 =
  | "closure alert, sent as warning"
  | "error alert, always fatal"
  | "never sent, an error if received"

/**
 * @category models
 * @since 0.1.0
 */
export type ProtocolName = "SSL 3.0" | "TLS 1.0" | "TLS 1.1" | "TLS 1.2" | "TLS 1.3" | "DTLS 1.3"

/**
 * What is to be known of one alert.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry {
  readonly code: number
  /** The name in the registry, or `unknown_alert`. */
  readonly name: KnownDescription | "unknown_alert"
  readonly status: "assigned" | "reserved" | "unassigned"
  readonly levels: { readonly "1.2": LevelRule12; readonly "1.3": LevelRule13 }
  /** The versions that define it, whether or not they still allow to send it. */
  readonly versions: ReadonlyArray<ProtocolName>
  readonly sender: "either side" | "the client" | "the server"
  /** When the sender sends it: a clause that continues "when", without a full stop. */
  readonly when: string
  /** RFC and section. */
  readonly references: ReadonlyArray<string>
  /** What it means, as one sentence. */
  readonly meaning: string
  /** What can be done, as one sentence that holds for the receiver and for the sender. */
  readonly advice: string
  /** Whether connecting again can help: not without a change, without resuming the session, or after some time. */
  readonly retry: "never" | "with a fresh session" | "later"
}

const sinceSsl3 = ["SSL 3.0", "TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3"] as const
const sinceTls10 = ["TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3"] as const
const until12 = ["TLS 1.0", "TLS 1.1", "TLS 1.2"] as const
const errors = ["RFC 5246 section 7.2.2", "RFC 8446 section 6.2"] as const
const errorsUntil12 = ["RFC 5246 section 7.2.2", "RFC 8446 appendix B.2"] as const

const error = {
  status: "assigned",
  levels: { "1.2": "always fatal", "1.3": "error alert, always fatal" },
  versions: sinceTls10,
  sender: "either side",
  references: errors,
  retry: "never"
} as const

const certificateError = {
  ...error,
  levels: { "1.2": "the sender chooses", "1.3": "error alert, always fatal" },
  versions: sinceSsl3
} as const

const errorOf13 = {
  ...error,
  levels: { "1.2": "not defined", "1.3": "error alert, always fatal" },
  versions: ["TLS 1.3"]
} as const

const withdrawn = {
  ...error,
  status: "reserved",
  levels: { "1.2": "never sent", "1.3": "never sent, an error if received" }
} as const

// Keyed by name: an alert without an entry does not compile.
const catalogue: { readonly [Name in KnownDescription]: Omit<Entry, "code" | "name"> } = {
  close_notify: {
    ...error,
    levels: { "1.2": "not stated, warning in practice", "1.3": "closure alert, sent as warning" },
    versions: sinceSsl3,
    when: "it has nothing more to send",
    references: ["RFC 5246 section 7.2.1", "RFC 8446 section 6.1", "RFC 9846 section 6.1"],
    meaning: "The sender will send nothing more on this connection, and all that it sent before has arrived.",
    advice: "Nothing is wrong, so just open a new connection when there is more to say.",
    retry: "later"
  },
  unexpected_message: {
    ...error,
    versions: sinceSsl3,
    when: "a message or a record comes that is not allowed at this point",
    meaning: "A message or a record came that is not allowed at this point of the conversation.",
    advice: "Record the conversation and find out which side left the protocol, because one of the two has a bug."
  },
  bad_record_mac: {
    ...error,
    versions: sinceSsl3,
    when: "a record cannot be decrypted and authenticated, for whatever reason",
    references: [...errors, "RFC 5288 section 3"],
    meaning: "A record failed its integrity check, so it was changed on the way or the two sides hold different keys.",
    advice: "Connect again with a fresh session, and suspect a device on the path or a bug if it comes back.",
    retry: "with a fresh session"
  },
  decryption_failed_RESERVED: {
    ...withdrawn,
    versions: ["TLS 1.0"],
    when: "a record of TLS 1.0 cannot be decrypted",
    references: ["RFC 2246 section 7.2.2", ...errorsUntil12],
    meaning: "A record could not be decrypted, which is no longer told apart from a failed integrity check.",
    advice: "Update the side that sent this alert, because it helps attackers and must not be sent any more.",
    retry: "with a fresh session"
  },
  record_overflow: {
    ...error,
    when: "a record is longer than the protocol or the agreed limit allows",
    references: [...errors, "RFC 6066 section 4", "RFC 8449 section 4"],
    meaning: "A record is longer than the protocol or the agreed limit allows.",
    advice: "Check that both sides speak TLS on this port, and connect again with a fresh session.",
    retry: "with a fresh session"
  },
  decompression_failure: {
    ...error,
    levels: { "1.2": "always fatal", "1.3": "never sent, an error if received" },
    versions: ["SSL 3.0", ...until12],
    when: "compressed data is damaged or would grow too large",
    references: errorsUntil12,
    meaning: "Compressed data was damaged, or would have grown too large.",
    advice: "Turn TLS compression off on both sides, because it is not safe anyway."
  },
  handshake_failure: {
    ...error,
    versions: sinceSsl3,
    when: "there is no set of security parameters that both sides accept",
    references: [...errors, "RFC 5746 section 3.4", "RFC 7627 section 5"],
    meaning: "The two sides found no set of security parameters that both accept.",
    advice: "Compare the cipher suites, groups and signature schemes that both sides allow, " +
      "and check whether a client certificate is required."
  },
  no_certificate_RESERVED: {
    ...withdrawn,
    versions: ["SSL 3.0"],
    sender: "the client",
    when: "an SSL 3.0 server asks for a certificate and it has none",
    references: ["RFC 6101 section 5.4.2", ...errorsUntil12],
    meaning: "A client of SSL 3.0 has no certificate to show.",
    advice: "Update the side that sent this alert, because TLS clients send an empty list of certificates instead."
  },
  bad_certificate: {
    ...certificateError,
    when: "a certificate is corrupt or a signature on it does not verify",
    references: [...errors, "RFC 8879 section 4"],
    meaning: "A certificate is corrupt, or a signature on it does not verify.",
    advice: "Check the certificate files for damage and the chain for a wrong issuer, and issue the certificate again."
  },
  unsupported_certificate: {
    ...certificateError,
    when: "a certificate is of a kind that it cannot use",
    references: [...errors, "RFC 7250 section 4.2"],
    meaning: "A certificate is of a kind that the side checking it does not support.",
    advice:
      "Use a certificate with a common type of key, such as ECDSA P-256 or RSA, and with the usages its role needs."
  },
  certificate_revoked: {
    ...certificateError,
    when: "a certificate was revoked by its issuer",
    meaning: "A certificate was revoked by the authority that issued it.",
    advice: "Find out why it was revoked, and replace the certificate and its key."
  },
  certificate_expired: {
    ...certificateError,
    when: "a certificate has expired or is not valid yet",
    meaning: "A certificate has expired or is not valid yet.",
    advice: "Renew the certificate, and check the clocks of both machines."
  },
  certificate_unknown: {
    ...certificateError,
    when: "a certificate is not acceptable for a reason that has no alert of its own",
    meaning: "A certificate was refused for a reason that has no alert of its own.",
    advice: "Check the host name, the length of the chain and the rules of the application, " +
      "and read the log of the side that refused it."
  },
  illegal_parameter: {
    ...error,
    versions: sinceSsl3,
    when: "a field can be read, but its value is out of range or contradicts another",
    meaning: "A field of a message could be read, but its value is out of range or contradicts another.",
    advice: "Record the handshake, compare what both sides sent, and update the side that sent the wrong value."
  },
  unknown_ca: {
    ...error,
    when: "a certificate chain does not lead to an authority that it trusts",
    meaning: "The certificate chain does not lead to an authority that the side checking it trusts.",
    advice:
      "Send the chain with all its intermediates, and add the right authority to those that the checking side trusts."
  },
  access_denied: {
    ...error,
    when: "the credentials are valid, but access control refuses them",
    meaning: "The credentials are valid, but their owner is not allowed to connect.",
    advice: "Ask the operator of the side that refused for access, or connect with other credentials."
  },
  decode_error: {
    ...error,
    when: "a message cannot be decoded, because a field or a length does not fit",
    meaning: "A message could not be decoded, because a field or a length in it does not fit.",
    advice:
      "Check that both sides speak TLS on this port, and report the bytes to the makers of the side that sent them."
  },
  decrypt_error: {
    ...error,
    when: "a signature, a Finished message or a pre-shared key binder does not verify",
    meaning: "A cryptographic check of the handshake failed, such as that of a signature or of the Finished message.",
    advice: "Check that the private key belongs to the certificate, and connect again with a fresh session.",
    retry: "with a fresh session"
  },
  too_many_cids_requested: {
    ...error,
    levels: { "1.2": "not defined", "1.3": "never sent, an error if received" },
    versions: ["DTLS 1.3"],
    when: "its DTLS peer asks for too many connection identifiers",
    references: ["RFC 9147 section 9"],
    meaning: "Too many connection identifiers were asked for, which only DTLS has.",
    advice: "Update the side that sent this alert, because it has no place in TLS."
  },
  export_restriction_RESERVED: {
    ...withdrawn,
    versions: ["TLS 1.0"],
    when: "a negotiation breaks the export rules of the 1990s",
    references: ["RFC 2246 section 7.2.2", ...errorsUntil12],
    meaning: "The negotiation broke export rules that were dropped long ago.",
    advice: "Update the side that sent this alert, because it must not be sent any more."
  },
  protocol_version: {
    ...error,
    when: "the version of the peer is known, but not supported",
    references: [...errors, "RFC 8996 sections 4 and 5"],
    meaning: "The protocol version that was offered or chosen is known, but not supported.",
    advice: "Enable a version that both sides support, TLS 1.2 or later."
  },
  insufficient_security: {
    ...error,
    when: "it demands stronger parameters than its peer supports",
    references: [...errors, "RFC 7465 section 2", "RFC 7919 section 4"],
    meaning: "The negotiation failed, because one side demands stronger cryptography than the other supports.",
    advice: "Enable stronger cipher suites, groups or keys on the weaker side."
  },
  internal_error: {
    ...error,
    when: "it fails for a reason that neither its peer nor the protocol has caused",
    meaning: "One side failed for a reason of its own, which is neither the fault of the other nor of the protocol.",
    advice: "Read the log of the side that failed, and try again later.",
    retry: "later"
  },
  inappropriate_fallback: {
    ...error,
    sender: "the server",
    when: "a client says that it fell back to a version below the best that the server supports",
    references: ["RFC 7507 section 3", "RFC 8446 section 6.2"],
    meaning: "The client fell back to an older version, though the server supports a newer one.",
    advice:
      "Connect again with every version enabled, and suspect an attacker or a broken device on the path if that fails.",
    retry: "with a fresh session"
  },
  user_canceled: {
    ...error,
    levels: { "1.2": "generally warning", "1.3": "closure alert, sent as warning" },
    when: "it gives up the handshake for a reason outside of the protocol, with close_notify to follow",
    references: ["RFC 5246 section 7.2.2", "RFC 8446 section 6.1", "RFC 9846 section 6.1"],
    meaning: "The handshake was given up for a reason outside of the protocol.",
    advice: "Find out who gave it up, such as a user or a time limit, and try again later.",
    retry: "later"
  },
  no_renegotiation: {
    ...error,
    levels: { "1.2": "always warning", "1.3": "never sent, an error if received" },
    versions: until12,
    when: "it is asked to renegotiate and does not want to",
    references: [...errorsUntil12, "RFC 5746 section 4.2"],
    meaning: "A request to renegotiate was turned down.",
    advice: "Go on without it, or open a new connection with the parameters that you need."
  },
  missing_extension: {
    ...errorOf13,
    when: "a handshake message lacks an extension that it must have",
    references: ["RFC 8446 section 6.2"],
    meaning: "A handshake message lacks an extension that it must have.",
    advice: "Update the side that left it out, or configure what it lacks, such as the server name."
  },
  unsupported_extension: {
    ...error,
    when: "a handshake message carries an extension that was not offered",
    references: ["RFC 4366 section 4", ...errors],
    meaning: "A handshake message carries an extension that was not offered.",
    advice: "Update the side that sent the extension, because it answered an offer that was never made."
  },
  certificate_unobtainable_RESERVED: {
    ...withdrawn,
    levels: {
      "1.2": "fatal where the certificate is needed, else warning",
      "1.3": "never sent, an error if received"
    },
    versions: until12,
    sender: "the server",
    when: "it cannot fetch a client certificate from the given URL",
    references: ["RFC 6066 section 5", "RFC 8446 appendix B.2"],
    meaning: "The server could not fetch the client certificate from the URL that the client gave.",
    advice: "Let the client send the certificate itself instead of a URL.",
    retry: "later"
  },
  unrecognized_name: {
    ...error,
    levels: { "1.2": "fatal, a warning is not recommended", "1.3": "error alert, always fatal" },
    sender: "the server",
    when: "it serves no site of the name that the client sent",
    references: ["RFC 6066 section 3", "RFC 8446 section 6.2", "RFC 9325 section 3.7"],
    meaning: "The server serves no site of the name that the client sent.",
    advice: "Check the server name that the client sends, and the names that the server is set up for."
  },
  bad_certificate_status_response: {
    ...error,
    sender: "the client",
    when: "the OCSP response for a certificate of the server is not valid or not acceptable",
    references: ["RFC 6066 section 8", "RFC 6961 section 2.2", "RFC 8446 section 6.2"],
    meaning: "The OCSP response that the server sent for its certificate is not valid or not acceptable.",
    advice: "Let the server fetch a new OCSP response, check the clocks of both machines, and try again later.",
    retry: "later"
  },
  bad_certificate_hash_value_RESERVED: {
    ...withdrawn,
    levels: { "1.2": "always fatal", "1.3": "never sent, an error if received" },
    versions: until12,
    sender: "the server",
    when: "a client certificate that it fetched from a URL has another hash than the client said",
    references: ["RFC 6066 section 5", "RFC 8446 appendix B.2"],
    meaning: "The client certificate that was fetched from a URL has another hash than the client said.",
    advice: "Let the client send the certificate itself instead of a URL."
  },
  unknown_psk_identity: {
    ...error,
    levels: { "1.2": "the sender chooses", "1.3": "error alert, always fatal" },
    sender: "the server",
    when: "it accepts none of the pre-shared keys that the client offered",
    references: ["RFC 4279 section 2", "RFC 8446 section 6.2"],
    meaning: "The server accepts none of the pre-shared keys that the client offered.",
    advice: "Check the name and the value of the key on both sides, and connect again with a fresh session.",
    retry: "with a fresh session"
  },
  certificate_required: {
    ...errorOf13,
    sender: "the server",
    when: "it requires a client certificate and the client sent none",
    references: ["RFC 8446 sections 4.4.2.4 and 6.2"],
    meaning: "The server requires a client certificate, and the client sent none.",
    advice: "Give the client a certificate and its private key, from an authority that the server accepts."
  },
  general_error: {
    ...errorOf13,
    when: "no other alert fits, or it does not want to say which",
    references: ["RFC 9846 section 6.2"],
    meaning: "Something is wrong that no other alert names, or that the sender does not want to name.",
    advice: "Read the log of the side that sent this alert, and try again later.",
    retry: "later"
  },
  no_application_protocol: {
    ...error,
    sender: "the server",
    when: "it speaks none of the application protocols that the client offered",
    references: ["RFC 7301 section 3.2", "RFC 8446 section 6.2", "RFC 8447 section 13"],
    meaning: "The server speaks none of the application protocols that the client offered.",
    advice: "Give both sides an ALPN list with at least one protocol in common."
  },
  ech_required: {
    ...errorOf13,
    sender: "the client",
    when: "it insists on Encrypted Client Hello and the server did not accept it",
    references: ["RFC 9849 section 6.1.6"],
    meaning: "The client insists on Encrypted Client Hello, and the server did not accept it.",
    advice: "Let the client fetch the ECH configuration of the server again, and try again later.",
    retry: "later"
  }
}

// The keys of the literal are exactly the names; `Object.keys` widens them.
const names = Object.keys(catalogue) as ReadonlyArray<KnownDescription>

/**
 * The entries of all registered alerts, in order of their codes.
 *
 * @category constants
 * @since 0.1.0
 */
export const entries: ReadonlyArray<Entry> = names
  .map((name): Entry => ({ code: descriptions[name], name, ...catalogue[name] }))
  .sort((a, b) => a.code - b.code)

const entriesByCode = new Map(entries.map((entry) => [entry.code, entry]))

/** What can honestly be said of a code that the registry does not name. */
const unassigned = (code: number): Entry => ({
  code,
  name: "unknown_alert",
  status: "unassigned",
  levels: { "1.2": "not defined", "1.3": "never sent, an error if received" },
  versions: [],
  sender: "either side",
  when: "it uses an alert that the registry does not have",
  references: ["RFC 8446 section 6"],
  meaning: `The registry of alerts has no name for the code ${code}, so only its sender knows what it means.`,
  advice: "Read the log or the documentation of the side that sent it.",
  retry: "never"
})

/**
 * The entry of an alert. A code that the registry does not name gets an entry that says so.
 *
 * @category getters
 * @since 0.1.0
 */
export const entryOf = (description: AlertDescription): Entry => {
  const code = descriptionCode(description)
  return entriesByCode.get(code) ?? unassigned(code)
}

/**
 * The entry of a code, a byte.
 *
 * @category getters
 * @since 0.1.0
 */
export const entryOfCode = (code: number): Entry => entryOf(descriptionOf(code))
