/** Every message and extension that this library has, as the property tests make them. */
import { Schema } from "effect"
import * as Arbitrary from "effect/Arbitrary"
import type { Extension, ExtensionForm } from "../../src/message/Extension.ts"
import type { HandshakeMessage, HandshakeMessageOf } from "../../src/message/HandshakeMessage.ts"
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
const uint8s = array(int(0, 255), { minLength: 1, maxLength: 6 })

const text = (lowest: number, highest: number): Make<string> =>
  map(array(int(lowest, highest), { minLength: 1, maxLength: 20 }), (codes) => String.fromCharCode(...codes))

const known: ReadonlyArray<number> = Object.values(ExtensionType)

const unknownExtension: Make<Extension> = map(all({ type: uint16, data: opaque(0, 12) }), ({ data, type }) => ({
  _tag: "UnknownExtension",
  type: known.includes(type) ? 0x0a0a : type,
  data
}))

const extensionOf = (form: ExtensionForm): Make<Extension> =>
  oneOf<Extension>(
    map(text(0x21, 0x7e), (name) => ({ _tag: "ServerName", name: form === "ClientHello" ? name : undefined })),
    map(uint16s, (groups) => ({ _tag: "SupportedGroups", groups })),
    map(uint8s, (formats) => ({ _tag: "EcPointFormats", formats })),
    map(uint16s, (schemes) => ({ _tag: "SignatureAlgorithms", schemes })),
    map(array(text(0, 255), { minLength: 1, maxLength: form === "ClientHello" ? 4 : 1 }), (protocols) => ({
      _tag: "ApplicationProtocols",
      protocols
    })),
    constant({ _tag: "ExtendedMasterSecret" }),
    map(opaque(0, 24), (renegotiatedConnection) => ({ _tag: "RenegotiationInfo", renegotiatedConnection })),
    unknownExtension
  )

/** At most one of each type. */
const extensionsOf = (form: ExtensionForm): Make<ReadonlyArray<Extension>> =>
  map(array(extensionOf(form), { maxLength: 8 }), (extensions) => [
    ...new Map(extensions.map((extension) => [
      extension._tag === "UnknownExtension" ? extension.type : extension._tag,
      extension
    ])).values()
  ])

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
  ServerHello: all({
    _tag: constant("ServerHello"),
    ...hello,
    cipherSuite: uint16,
    compressionMethod: int(0, 255),
    extensions: extensionsOf("ServerHello")
  }),
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
  Finished: all({ _tag: constant("Finished"), verifyData: opaque(12, 12) })
}
