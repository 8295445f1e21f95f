/** Every message and extension that this library has, as the property tests make them. */
import { Schema } from "effect"
import * as Arbitrary from "effect/Arbitrary"
import type { Extension, ExtensionForm } from "../../src/message/Extension.ts"
import type { HandshakeMessage, HandshakeMessageOf } from "../../src/message/HandshakeMessage.ts"
import { makeHelloRetryRandom } from "../../src/message/ServerHello.ts"
import { encodeServerEcdhParams } from "../../src/message/ServerKeyExchange.ts"
import { ExtensionType } from "../../src/wire/CodePoints.ts"
import { int } from "../record/records.ts"

type Make<A> = Arbitrary.Arbitrary<A>
const { all, array, flatMap, map } = Arbitrary

export const opaque = (minLength: number, maxLength: number): Make<Uint8Array> =>
  map(array(int(0, 255), { minLength, maxLength }), (values) => Uint8Array.from(values))

const constant = <const A>(value: A): Make<A> => Arbitrary.schema(Schema.Literals([0])).pipe(map(() => value))

export const oneOf = <A>(...alternatives: readonly [Make<A>, ...ReadonlyArray<Make<A>>]): Make<A> =>
  flatMap(int(0, alternatives.length - 1), (i) => alternatives[i] ?? alternatives[0])

/** RFC 8701 section 2, for every registry of two-byte values. */
export const grease: ReadonlyArray<number> = Array.from({ length: 16 }, (_, i) => i * 0x1010 + 0x0a0a)

const uint16 = oneOf(int(0, 0xffff), map(int(0, 15), (i) => grease[i] ?? 0))
const uint16s = array(uint16, { minLength: 1, maxLength: 12 })
const uint32 = map(all({ high: int(0, 0xffff), low: int(0, 0xffff) }), ({ high, low }) => high * 0x1_0000 + low)
const uint8s = array(int(0, 255), { minLength: 1, maxLength: 6 })

const text = (lowest: number, highest: number): Make<string> =>
  map(array(int(lowest, highest), { minLength: 1, maxLength: 20 }), (codes) => String.fromCharCode(...codes))

const known: ReadonlyArray<number> = Object.values(ExtensionType)

const unknownExtension: Make<Extension> = map(all({ type: uint16, data: opaque(0, 12) }), ({ data, type }) => ({
  _tag: "UnknownExtension",
  type: known.includes(type) ? 0x0a0a : type,
  data
}))

const distinguishedNames = array(opaque(1, 20), { minLength: 1, maxLength: 3 })
const shares = (maxLength: number, form: ExtensionForm): Make<Extension> =>
  map(
    array(all({ group: uint16, publicKey: form === "HelloRetryRequest" ? opaque(0, 0) : opaque(1, 40) }), {
      minLength: maxLength > 1 ? 0 : 1,
      maxLength
    }),
    (shares) => ({ _tag: "KeyShares", shares })
  )
const versions = (maxLength: number): Make<Extension> =>
  map(array(uint16, { minLength: 1, maxLength }), (versions) => ({ _tag: "SupportedVersions", versions }))
const cookie: Make<Extension> = map(opaque(1, 40), (cookie) => ({ _tag: "Cookie", cookie }))
const schemes: Make<Extension> = map(uint16s, (schemes) => ({ _tag: "SignatureAlgorithms", schemes }))
const certificateSchemes: Make<Extension> = map(uint16s, (schemes) => ({ _tag: "SignatureAlgorithmsCert", schemes }))
const authorities: Make<Extension> = map(distinguishedNames, (authorities) => ({
  _tag: "CertificateAuthorities",
  authorities
}))
const groups: Make<Extension> = map(uint16s, (groups) => ({ _tag: "SupportedGroups", groups }))
const sizeLimit: Make<Extension> = map(int(64, 0xffff), (limit) => ({ _tag: "RecordSizeLimit", limit }))
const protocols = (maxLength: number): Make<Extension> =>
  map(array(text(0, 255), { minLength: 1, maxLength }), (protocols) => ({ _tag: "ApplicationProtocols", protocols }))
const earlyData: Make<Extension> = constant({ _tag: "EarlyData", maxSize: undefined })
const offeredKeys: Make<Extension> = map(
  array(all({ identity: opaque(1, 30), obfuscatedAge: uint32, binder: opaque(32, 48) }), {
    minLength: 1,
    maxLength: 3
  }),
  (offers) => ({ _tag: "PreSharedKeys", offers, selected: undefined })
)
const inBothHellos: ReadonlyArray<Make<Extension>> = [
  map(uint8s, (formats) => ({ _tag: "EcPointFormats", formats })),
  constant({ _tag: "ExtendedMasterSecret" }),
  constant({ _tag: "SessionTicket", ticket: new Uint8Array() }),
  map(opaque(0, 24), (renegotiatedConnection) => ({ _tag: "RenegotiationInfo", renegotiatedConnection })),
  groups,
  schemes,
  sizeLimit
]

/** What an extension may look like in each message. */
const extensionsIn: { readonly [Form in ExtensionForm]: ReadonlyArray<Make<Extension>> } = {
  ClientHello: [
    map(text(0x21, 0x7e), (name) => ({ _tag: "ServerName", name })),
    protocols(4),
    versions(5),
    shares(4, "ClientHello"),
    offeredKeys,
    map(uint8s, (modes) => ({ _tag: "PskKeyExchangeModes", modes })),
    cookie,
    map(opaque(1, 40), (ticket) => ({ _tag: "SessionTicket", ticket })),
    earlyData,
    certificateSchemes,
    authorities,
    constant({ _tag: "PostHandshakeAuth" }),
    ...inBothHellos
  ],
  ServerHello: [
    constant({ _tag: "ServerName", name: undefined }),
    protocols(1),
    versions(1),
    shares(1, "ServerHello"),
    map(int(0, 0xffff), (selected) => ({ _tag: "PreSharedKeys", offers: [], selected })),
    ...inBothHellos
  ],
  HelloRetryRequest: [versions(1), shares(1, "HelloRetryRequest"), cookie],
  EncryptedExtensions: [constant({ _tag: "ServerName", name: undefined }), groups, protocols(1), earlyData, sizeLimit],
  Certificate: [],
  CertificateRequest: [schemes, certificateSchemes, authorities],
  NewSessionTicket: [map(uint32, (maxSize) => ({ _tag: "EarlyData", maxSize }))]
}

/** At most one of each type. */
const extensionsOf = (form: ExtensionForm): Make<ReadonlyArray<Extension>> =>
  map(array(oneOf(unknownExtension, ...extensionsIn[form]), { maxLength: 8 }), (extensions) => [
    ...new Map(extensions.map((extension) => [
      extension._tag === "UnknownExtension" ? extension.type : extension._tag,
      extension
    ])).values()
  ])

const answer = { cipherSuite: uint16, compressionMethod: int(0, 255) }
const hello = { version: uint16, random: opaque(32, 32), sessionId: opaque(0, 32) }

export const messages: { readonly [Tag in HandshakeMessage["_tag"]]: Make<HandshakeMessageOf<Tag>> } = {
  HelloRequest: constant({ _tag: "HelloRequest" }),
  ClientHello: all({
    _tag: constant("ClientHello"),
    ...hello,
    cipherSuites: uint16s,
    compressionMethods: uint8s,
    extensions: extensionsOf("ClientHello")
  }),
  ServerHello: oneOf(
    all({ _tag: constant("ServerHello"), ...hello, ...answer, extensions: extensionsOf("ServerHello") }),
    all({
      _tag: constant("ServerHello"),
      ...hello,
      ...answer,
      random: map(constant(0), makeHelloRetryRandom),
      extensions: extensionsOf("HelloRetryRequest")
    })
  ),
  Certificate: all({ _tag: constant("Certificate"), chain: array(opaque(1, 30), { maxLength: 4 }) }),
  ServerKeyExchange: map(
    all({ group: uint16, publicKey: opaque(1, 40), signatureScheme: uint16, signature: opaque(0, 40) }),
    (_) => ({ _tag: "ServerKeyExchange", ..._, params: encodeServerEcdhParams(_.group, _.publicKey) })
  ),
  CertificateRequest: all({
    _tag: constant("CertificateRequest"),
    certificateTypes: uint8s,
    signatureSchemes: uint16s,
    authorities: array(opaque(1, 20), { maxLength: 3 })
  }),
  ServerHelloDone: constant({ _tag: "ServerHelloDone" }),
  CertificateVerify: all({ _tag: constant("CertificateVerify"), signatureScheme: uint16, signature: opaque(0, 40) }),
  ClientKeyExchange: all({ _tag: constant("ClientKeyExchange"), publicKey: opaque(1, 60) }),
  Finished: all({ _tag: constant("Finished"), verifyData: opaque(12, 48) }),
  EncryptedExtensions: all({ _tag: constant("EncryptedExtensions"), extensions: extensionsOf("EncryptedExtensions") }),
  Certificate13: all({
    _tag: constant("Certificate13"),
    context: opaque(0, 10),
    entries: array(all({ certificate: opaque(1, 30), extensions: extensionsOf("Certificate") }), { maxLength: 3 })
  }),
  CertificateRequest13: all({
    _tag: constant("CertificateRequest13"),
    context: opaque(0, 10),
    extensions: extensionsOf("CertificateRequest")
  }),
  CertificateStatus: all({ _tag: constant("CertificateStatus"), response: opaque(1, 40) }),
  NewSessionTicket12: all({ _tag: constant("NewSessionTicket12"), lifetimeHint: uint32, ticket: opaque(0, 40) }),
  NewSessionTicket: all({
    _tag: constant("NewSessionTicket"),
    lifetime: uint32,
    ageAdd: uint32,
    nonce: opaque(0, 12),
    ticket: opaque(1, 40),
    extensions: extensionsOf("NewSessionTicket")
  }),
  KeyUpdate: map(int(0, 1), (request) => ({ _tag: "KeyUpdate", isRequested: request === 1 }))
}
