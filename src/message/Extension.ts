/**
 * Hello extensions, RFC 5246 section 7.4.1.4. Values are kept as they came: a number without a name here, which another side
 * may well know (RFC 8701), stays in its list. Byte fields are views of the bytes that were decoded.
 *
 * @since 0.1.0
 */
import { fromLatin1, toLatin1 } from "../wire/Bytes.ts"
import { extensionName, ExtensionType } from "../wire/CodePoints.ts"
import { Reader } from "../wire/Reader.ts"
import type { Writer } from "../wire/Writer.ts"
import { Illegal, listOf, readUint16s, writeUint16s } from "./Syntax.ts"

/**
 * The message that carries a block of extensions: the same type may have another form in each.
 *
 * @category models
 * @since 0.1.0
 */
export type ExtensionForm = "ClientHello" | "ServerHello"

/**
 * RFC 6066 section 3: the host that a client wants. `undefined` in a ServerHello, where the extension is empty.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServerName {
  readonly _tag: "ServerName"
  readonly name: string | undefined
}

/**
 * RFC 8422 section 5.1.1, under its later name.
 *
 * @category models
 * @since 0.1.0
 */
export interface SupportedGroups {
  readonly _tag: "SupportedGroups"
  readonly groups: ReadonlyArray<number>
}

/**
 * RFC 8422 section 5.1.2.
 *
 * @category models
 * @since 0.1.0
 */
export interface EcPointFormats {
  readonly _tag: "EcPointFormats"
  readonly formats: ReadonlyArray<number>
}

/**
 * RFC 5246 section 7.4.1.4.1: hash and signature as one number, as TLS 1.3 reads them.
 *
 * @category models
 * @since 0.1.0
 */
export interface SignatureAlgorithms {
  readonly _tag: "SignatureAlgorithms"
  readonly schemes: ReadonlyArray<number>
}

/**
 * RFC 7301 section 3.1. A name is one character (U+0000 to U+00FF) a byte, 1 to 255 of them: any bytes make a name.
 *
 * @category models
 * @since 0.1.0
 */
export interface ApplicationProtocols {
  readonly _tag: "ApplicationProtocols"
  readonly protocols: ReadonlyArray<string>
}

/**
 * RFC 7627 section 5.1.
 *
 * @category models
 * @since 0.1.0
 */
export interface ExtendedMasterSecret {
  readonly _tag: "ExtendedMasterSecret"
}

/**
 * RFC 5746 section 3.2.
 *
 * @category models
 * @since 0.1.0
 */
export interface RenegotiationInfo {
  readonly _tag: "RenegotiationInfo"
  readonly renegotiatedConnection: Uint8Array
}

/**
 * An extension that is not spoken here, or a server_name without any host_name: kept as it came.
 *
 * @category models
 * @since 0.1.0
 */
export interface UnknownExtension {
  readonly _tag: "UnknownExtension"
  readonly type: number
  readonly data: Uint8Array
}

type KnownExtension =
  | ServerName
  | SupportedGroups
  | EcPointFormats
  | SignatureAlgorithms
  | ApplicationProtocols
  | ExtendedMasterSecret
  | RenegotiationInfo

/**
 * @category models
 * @since 0.1.0
 */
export type Extension = KnownExtension | UnknownExtension

/**
 * The extension of one tag.
 *
 * @category models
 * @since 0.1.0
 */
export type ExtensionOf<Tag extends Extension["_tag"]> = Extract<Extension, { readonly _tag: Tag }>

interface ExtensionCodec<E> {
  readonly type: number
  /** `undefined`: the body fits its definition and says nothing that has a value here. */
  readonly decode: (body: Reader, form: ExtensionForm) => E | undefined
  readonly encode: (body: Writer, extension: E, form: ExtensionForm) => void
}

const hostNameType = 0

// RFC 6066 section 3: other name types are passed over, which their length makes possible.
const decodeServerNameList = (body: Reader): ServerName | undefined => {
  const types = new Set<number>()
  let host: Uint8Array | undefined
  const list = new Reader(body.vector16("server_name_list", 1))
  while (list.remaining > 0) {
    const type = list.uint8("name_type")
    const name = type === hostNameType ? list.vector16("host_name", 1) : list.vector16("server_name")
    if (types.has(type)) throw new Illegal("server_name_list", `has more than one name of type ${type}`)
    types.add(type)
    if (type === hostNameType) host = name
  }
  if (host === undefined) return undefined
  // Printable ASCII: no host name has a control character or a space, and what is printed later is not the peer's to break.
  if (host.some((byte) => byte <= 0x20 || byte >= 0x7f)) {
    throw new Illegal("host_name", "has a byte that no host name has")
  }
  return { _tag: "ServerName", name: toLatin1(host) }
}

const codecs: { readonly [Tag in KnownExtension["_tag"]]: ExtensionCodec<ExtensionOf<Tag>> } = {
  ServerName: {
    type: ExtensionType.server_name,
    decode: (body, form) =>
      form === "ServerHello" ? { _tag: "ServerName", name: undefined } : decodeServerNameList(body),
    encode: (body, { name }, form) => {
      if (form === "ServerHello") return
      if (name === undefined) throw new RangeError("a ClientHello has no ServerName without a name")
      const host = fromLatin1(name)
      body.vector16((list) => list.uint8(hostNameType).vector16((item) => item.bytes(host)))
    }
  },
  SupportedGroups: {
    type: ExtensionType.supported_groups,
    decode: (body) => ({ _tag: "SupportedGroups", groups: readUint16s(body, "named_group_list") }),
    encode: (body, { groups }) => writeUint16s(body, groups)
  },
  EcPointFormats: {
    type: ExtensionType.ec_point_formats,
    decode: (body) => ({ _tag: "EcPointFormats", formats: Array.from(body.vector8("ec_point_format_list", 1)) }),
    encode: (body, { formats }) => body.vector8((list) => list.bytes(Uint8Array.from(formats)))
  },
  SignatureAlgorithms: {
    type: ExtensionType.signature_algorithms,
    decode: (body) => ({
      _tag: "SignatureAlgorithms",
      schemes: readUint16s(body, "supported_signature_algorithms")
    }),
    encode: (body, { schemes }) => writeUint16s(body, schemes)
  },
  ApplicationProtocols: {
    type: ExtensionType.application_layer_protocol_negotiation,
    decode: (body, form) => {
      const names = body.vector16("protocol_name_list", 2)
      const protocols = listOf(names, (list) => toLatin1(list.vector8("protocol_name", 1)))
      if (form === "ServerHello" && protocols.length !== 1) {
        throw new Illegal("protocol_name_list", `has ${protocols.length} names where exactly one is required`)
      }
      return { _tag: "ApplicationProtocols", protocols }
    },
    encode: (body, { protocols }) =>
      body.vector16((list) => {
        for (const protocol of protocols) list.vector8((name) => name.bytes(fromLatin1(protocol)))
      })
  },
  ExtendedMasterSecret: {
    type: ExtensionType.extended_master_secret,
    decode: () => ({ _tag: "ExtendedMasterSecret" }),
    encode: () => {}
  },
  RenegotiationInfo: {
    type: ExtensionType.renegotiation_info,
    decode: (body) => ({
      _tag: "RenegotiationInfo",
      renegotiatedConnection: body.vector8("renegotiated_connection")
    }),
    encode: (body, { renegotiatedConnection }) => body.vector8((value) => value.bytes(renegotiatedConnection))
  }
}

const codecOfType = new Map<number, Pick<ExtensionCodec<KnownExtension>, "decode">>(
  Object.values(codecs).map((codec) => [codec.type, codec])
)

/**
 * The extensions at the end of a hello, in their order. RFC 5246 section 7.4.1.2: a hello may end before them. At most one of
 * each type (section 7.4.1.4). Throws `Malformed` and `Illegal`.
 *
 * @category decoding
 * @since 0.1.0
 */
export const readExtensions = (reader: Reader, form: ExtensionForm): ReadonlyArray<Extension> => {
  if (reader.remaining === 0) return []
  const types = new Set<number>()
  return listOf(reader.vector16("extensions"), (block): Extension => {
    const type = block.uint16("extension_type")
    const field = extensionName(type) ?? `extension ${type}`
    const data = block.vector16(field)
    if (types.has(type)) throw new Illegal(field, "appears more than once")
    types.add(type)
    const body = new Reader(data)
    const codec = codecOfType.get(type)
    const known = codec?.decode(body, form)
    if (codec !== undefined) body.end(field)
    return known ?? { _tag: "UnknownExtension", type, data }
  })
}

/**
 * The block of extensions; without extensions, none at all.
 *
 * @category encoding
 * @since 0.1.0
 */
export const writeExtensions = (writer: Writer, extensions: ReadonlyArray<Extension>, form: ExtensionForm): void => {
  if (extensions.length === 0) return
  writer.vector16((block) => {
    for (const extension of extensions) {
      if (extension._tag === "UnknownExtension") {
        block.uint16(extension.type).vector16((body) => body.bytes(extension.data))
        continue
      }
      // The table has a codec for each tag, of that tag's own type; TypeScript cannot correlate the two on its own.
      const codec = codecs[extension._tag] as ExtensionCodec<KnownExtension>
      block.uint16(codec.type).vector16((body) => codec.encode(body, extension, form))
    }
  })
}

/**
 * The extension of one tag, where the message has it.
 *
 * @category combinators
 * @since 0.1.0
 */
export const findExtension = <Tag extends KnownExtension["_tag"]>(
  extensions: ReadonlyArray<Extension>,
  tag: Tag
): ExtensionOf<Tag> | undefined => extensions.find((extension): extension is ExtensionOf<Tag> => extension._tag === tag)
