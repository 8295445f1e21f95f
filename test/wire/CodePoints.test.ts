import { assert, it } from "@effect/vitest"
import * as CodePoints from "../../src/wire/CodePoints.ts"

// RFC 5246 section 7.4.1.4.1
const hash = { sha256: 4, sha384: 5, sha512: 6 }
const signature = { rsa: 1, ecdsa: 3 }
const pair = (h: keyof typeof hash, s: keyof typeof signature): number => hash[h] * 256 + signature[s]

/** Written from the texts, not from the code. */
const registries: ReadonlyArray<
  readonly [name: string, registry: object, texts: object, nameOf: ((code: number) => string | undefined) | undefined]
> = [
  [
    "ContentType, RFC 5246 section 6.2.1",
    CodePoints.ContentType,
    { change_cipher_spec: 20, alert: 21, handshake: 22, application_data: 23 },
    CodePoints.contentTypeName
  ],
  [
    "ProtocolVersion, RFC 5246 section 6.2.1 and appendix E.1, RFC 8446 section 4.1.2",
    CodePoints.ProtocolVersion,
    { tls10: 3 * 256 + 1, tls11: 3 * 256 + 2, tls12: 3 * 256 + 3, tls13: 3 * 256 + 4 },
    undefined
  ],
  [
    "HandshakeType, RFC 5246 section 7.4, RFC 6066 section 8 and RFC 8446 appendix B.3",
    CodePoints.HandshakeType,
    {
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
    },
    CodePoints.handshakeTypeName
  ],
  [
    "signalling suites, RFC 5746 section 3.3 and RFC 7507 section 2",
    CodePoints.SignallingSuite,
    { emptyRenegotiationInfo: 255, fallback: 86 * 256 },
    undefined
  ],
  [
    "NamedCurve, RFC 8422 section 5.1.1, and NamedGroup, draft-ietf-tls-ecdhe-mlkem",
    CodePoints.NamedGroup,
    { secp256r1: 23, secp384r1: 24, secp521r1: 25, x25519: 29, x25519mlkem768: 0x11 * 256 + 0xec },
    CodePoints.namedGroupName
  ],
  [
    "SignatureAndHashAlgorithm, RFC 5246 section 7.4.1.4.1, and SignatureScheme, RFC 8446 section 4.2.3",
    CodePoints.SignatureScheme,
    {
      ecdsa_secp256r1_sha256: pair("sha256", "ecdsa"),
      ecdsa_secp384r1_sha384: pair("sha384", "ecdsa"),
      ecdsa_secp521r1_sha512: pair("sha512", "ecdsa"),
      rsa_pkcs1_sha256: pair("sha256", "rsa"),
      rsa_pkcs1_sha384: pair("sha384", "rsa"),
      rsa_pkcs1_sha512: pair("sha512", "rsa"),
      rsa_pss_rsae_sha256: 8 * 256 + 4,
      rsa_pss_rsae_sha384: 8 * 256 + 5,
      rsa_pss_rsae_sha512: 8 * 256 + 6,
      ed25519: 8 * 256 + 7
    },
    CodePoints.signatureSchemeName
  ],
  [
    "ExtensionType, RFC 6066, 8422, 5246, 7301, 7627, 5746, 8446 section 4.2 and 8449",
    CodePoints.ExtensionType,
    {
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
      renegotiation_info: 255 * 256 + 1
    },
    CodePoints.extensionName
  ]
]

it.each(registries)("%s: the numbers of the texts and no others, and a name for each", (_, registry, texts, nameOf) => {
  assert.deepStrictEqual(registry, texts)
  if (nameOf === undefined) return
  const named = Array.from({ length: 0x10000 }, (_, code) => [nameOf(code), code]).filter(([name]) =>
    name !== undefined
  )
  assert.deepStrictEqual(Object.fromEntries(named), texts)
})
