/**
 * The registries of the protocol: every number that has a name on the wire.
 *
 * @since 0.1.0
 */

/** RFC 5246 section 6.2.1 */
export const ContentType = {
  change_cipher_spec: 20,
  alert: 21,
  handshake: 22,
  application_data: 23
} as const

/** RFC 5246 section 6.2.1: the two bytes of `ProtocolVersion`. */
export const ProtocolVersion = {
  tls10: 0x0301,
  tls11: 0x0302,
  tls12: 0x0303,
  tls13: 0x0304
} as const

/** RFC 5246 section 7.4 and RFC 8446 section 4. */
export const HandshakeType = {
  hello_request: 0,
  client_hello: 1,
  server_hello: 2,
  new_session_ticket: 4,
  end_of_early_data: 5,
  encrypted_extensions: 8,
  certificate: 11,
  server_key_exchange: 12,
  certificate_request: 13,
  server_hello_done: 14,
  certificate_verify: 15,
  client_key_exchange: 16,
  finished: 20,
  certificate_status: 22,
  key_update: 24,
  message_hash: 254
} as const

/** Signalling cipher suite values: they name no suite. RFC 5746 section 3.3, RFC 7507 section 2. */
export const SignallingSuite = {
  emptyRenegotiationInfo: 0x00ff,
  fallback: 0x5600
} as const

/** RFC 8422 section 5.1.1, draft-ietf-tls-ecdhe-mlkem section 4. */
export const NamedGroup = {
  secp256r1: 23,
  secp384r1: 24,
  secp521r1: 25,
  x25519: 29,
  x25519mlkem768: 4588
} as const

/**
 * A key-exchange group that this library can use.
 *
 * @category models
 * @since 0.1.0
 */
export type NamedGroup = keyof typeof NamedGroup

/** RFC 8446 section 4.2.3; in TLS 1.2 the first byte is the hash and the second the signature of RFC 5246 section 7.4.1.4.1. */
export const SignatureScheme = {
  ecdsa_secp256r1_sha256: 0x0403,
  ecdsa_secp384r1_sha384: 0x0503,
  ecdsa_secp521r1_sha512: 0x0603,
  rsa_pss_rsae_sha256: 0x0804,
  rsa_pss_rsae_sha384: 0x0805,
  rsa_pss_rsae_sha512: 0x0806,
  rsa_pkcs1_sha256: 0x0401,
  rsa_pkcs1_sha384: 0x0501,
  rsa_pkcs1_sha512: 0x0601,
  ed25519: 0x0807
} as const

/**
 * A signature scheme that this library can use.
 *
 * @category models
 * @since 0.1.0
 */
export type SignatureScheme = keyof typeof SignatureScheme

/** RFC 8446 section 4.2.3: for certificates alone. Nobody here verifies or makes such signatures, but a peer may say that it does. */
export const LegacyScheme = {
  rsa_pkcs1_sha1: 0x0201,
  ecdsa_sha1: 0x0203
} as const

/**
 * A scheme with SHA-1.
 *
 * @category models
 * @since 0.1.0
 */
export type LegacyScheme = keyof typeof LegacyScheme

/** Extensions that this library speaks. */
export const ExtensionType = {
  server_name: 0,
  status_request: 5,
  supported_groups: 10,
  ec_point_formats: 11,
  signature_algorithms: 13,
  application_layer_protocol_negotiation: 16,
  extended_master_secret: 23,
  record_size_limit: 28,
  session_ticket: 35,
  pre_shared_key: 41,
  early_data: 42,
  supported_versions: 43,
  cookie: 44,
  psk_key_exchange_modes: 45,
  certificate_authorities: 47,
  post_handshake_auth: 49,
  signature_algorithms_cert: 50,
  key_share: 51,
  renegotiation_info: 0xff01
} as const

const namesOf = <A extends Record<string, number>>(registry: A): (code: number) => (keyof A & string) | undefined => {
  const names = new Map<number, keyof A & string>()
  for (const [name, code] of Object.entries(registry)) names.set(code, name)
  return (code) => names.get(code)
}

/**
 * @category decoding
 * @since 0.1.0
 */
export const contentTypeName = namesOf(ContentType)

/**
 * @category decoding
 * @since 0.1.0
 */
export const handshakeTypeName = namesOf(HandshakeType)

/**
 * @category decoding
 * @since 0.1.0
 */
export const namedGroupName = namesOf(NamedGroup)

/**
 * @category decoding
 * @since 0.1.0
 */
export const signatureSchemeName = namesOf(SignatureScheme)

/**
 * @category decoding
 * @since 0.1.0
 */
export const legacySchemeName = namesOf(LegacyScheme)

/**
 * @category decoding
 * @since 0.1.0
 */
export const extensionName = namesOf(ExtensionType)
