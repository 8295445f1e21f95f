/**
 * Extensions on the wire.
 *
 * @since 0.1.0
 */
import { empty, fromLatin1, toLatin1 } from "../wire/Bytes.ts"
import { extensionName, ExtensionType } from "../wire/CodePoints.ts"
import { Reader } from "../wire/Reader.ts"
import type { Writer } from "../wire/Writer.ts"
import type { Extension, ExtensionForm, ExtensionOf, KnownExtension, ServerName } from "./Extension.ts"
import { ocspStatus, readStatus, writeStatus } from "./CertificateStatus.ts"
import { Illegal, listOf, readUint16s, readUint8s, writeUint16s, writeUint8s } from "./Syntax.ts"

interface ExtensionCodec<E> {
  readonly type: number
  /** `undefined`: the body fits its definition and says nothing that has a value here. */
  readonly decode: (body: Reader, form: ExtensionForm) => E | undefined
  readonly encode: (body: Writer, extension: E, form: ExtensionForm) => void
}

const hostNameType = 0

// RFC 6066 section 3: other name types are passed over, which their length makes possible.
const decodeServerNameList = (body: Reader): ServerName | undefined => {
  const types: Array<number> = []
  let host: Uint8Array | undefined
  const list = new Reader(body.vector16("server_name_list", 1))
  while (list.remaining > 0) {
    const type = list.uint8("name_type")
    const name = type === hostNameType ? list.vector16("host_name", 1) : list.vector16("server_name")
    if (types.includes(type)) throw new Illegal("server_name_list", `has more than one name of type ${type}`)
    types.push(type)
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
      form === "ClientHello" ? decodeServerNameList(body) : { _tag: "ServerName", name: undefined },
    encode: (body, { name }, form) => {
      if (form !== "ClientHello") return
      if (name === undefined) throw new RangeError("a ClientHello has no ServerName without a name")
      const host = fromLatin1(name)
      body.vector16((list) => list.uint8(hostNameType).vector16((item) => item.bytes(host)))
    }
  },
  StatusRequest: {
    type: ExtensionType.status_request,
    decode: (body, form) => {
      if (form === "Certificate") return { _tag: "StatusRequest", response: readStatus(body) }
      // RFC 6066 section 8, and RFC 8446 section 4.4.2.1 for a CertificateRequest: empty.
      if (form === "ServerHello" || form === "CertificateRequest") return { _tag: "StatusRequest", response: undefined }
      // What kinds of status there are beside OCSP is not said, so that others are passed over (RFC 6066 section 8).
      if (body.uint8("status_type") !== ocspStatus) {
        body.rest()
        return undefined
      }
      body.vector16("responder_id_list")
      body.vector16("request_extensions")
      return { _tag: "StatusRequest", response: undefined }
    },
    encode: (body, { response }, form) => {
      if (form === "Certificate" && response !== undefined) writeStatus(body, response)
      else if (form === "ClientHello") body.uint8(ocspStatus).uint16(0).uint16(0)
    }
  },
  SupportedGroups: {
    type: ExtensionType.supported_groups,
    decode: (body) => ({ _tag: "SupportedGroups", groups: readUint16s(body, "named_group_list") }),
    encode: (body, { groups }) => writeUint16s(body, groups)
  },
  EcPointFormats: {
    type: ExtensionType.ec_point_formats,
    decode: (body) => ({ _tag: "EcPointFormats", formats: readUint8s(body, "ec_point_format_list") }),
    encode: (body, { formats }) => writeUint8s(body, formats)
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
      if (form !== "ClientHello" && protocols.length !== 1) {
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
  },
  SessionTicket: {
    type: ExtensionType.session_ticket,
    decode: (body, form) => ({ _tag: "SessionTicket", ticket: form === "ClientHello" ? body.rest() : empty }),
    encode: (body, { ticket }) => body.bytes(ticket)
  },
  SupportedVersions: {
    type: ExtensionType.supported_versions,
    decode: (body, form) => ({
      _tag: "SupportedVersions",
      versions: form === "ClientHello"
        ? body.uint16s("versions", body.vector8("versions", 2))
        : [body.uint16("selected_version")]
    }),
    encode: (body, { versions }, form) => {
      const write = (to: Writer) => {
        for (const version of versions) to.uint16(version)
      }
      if (form === "ClientHello") body.vector8(write)
      else write(body)
    }
  },
  KeyShares: {
    type: ExtensionType.key_share,
    decode: (body, form) => {
      const entry = (from: Reader) => ({ group: from.uint16("group"), publicKey: from.vector16("key_exchange", 1) })
      const shares = form === "ClientHello"
        ? listOf(body.vector16("client_shares"), entry)
        : [form === "HelloRetryRequest" ? { group: body.uint16("selected_group"), publicKey: empty } : entry(body)]
      return { _tag: "KeyShares", shares }
    },
    encode: (body, { shares }, form) => {
      const write = (to: Writer) => {
        for (const { group, publicKey } of shares) {
          to.uint16(group)
          if (form !== "HelloRetryRequest") to.vector16((key) => key.bytes(publicKey))
        }
      }
      if (form === "ClientHello") body.vector16(write)
      else write(body)
    }
  },
  PreSharedKeys: {
    type: ExtensionType.pre_shared_key,
    decode: (body, form) => {
      if (form !== "ClientHello") {
        return { _tag: "PreSharedKeys", offers: [], selected: body.uint16("selected_identity") }
      }
      const identities = listOf(body.vector16("identities", 7), (list) => ({
        identity: list.vector16("identity", 1),
        obfuscatedAge: list.uint32("obfuscated_ticket_age")
      }))
      const binders = listOf(body.vector16("binders", 33), (list) => list.vector8("binder", 32))
      const offers = identities.flatMap(({ identity, obfuscatedAge }, index) => {
        const binder = binders[index]
        return binder === undefined ? [] : [{ identity, obfuscatedAge, binder }]
      })
      if (identities.length !== binders.length) {
        throw new Illegal("binders", `has ${binders.length} items for ${identities.length} identities`)
      }
      return { _tag: "PreSharedKeys", offers, selected: undefined }
    },
    encode: (body, { offers, selected }, form) => {
      if (form !== "ClientHello") {
        if (selected === undefined) throw new RangeError("a ServerHello has no PreSharedKeys without a selected one")
        body.uint16(selected)
        return
      }
      body.vector16((list) => {
        for (const { identity, obfuscatedAge } of offers) {
          list.vector16((value) => value.bytes(identity)).uint32(obfuscatedAge)
        }
      })
      body.vector16((list) => {
        for (const { binder } of offers) list.vector8((value) => value.bytes(binder))
      })
    }
  },
  PskKeyExchangeModes: {
    type: ExtensionType.psk_key_exchange_modes,
    decode: (body) => ({ _tag: "PskKeyExchangeModes", modes: readUint8s(body, "ke_modes") }),
    encode: (body, { modes }) => writeUint8s(body, modes)
  },
  Cookie: {
    type: ExtensionType.cookie,
    decode: (body) => ({ _tag: "Cookie", cookie: body.vector16("cookie", 1) }),
    encode: (body, { cookie }) => body.vector16((value) => value.bytes(cookie))
  },
  EarlyData: {
    type: ExtensionType.early_data,
    decode: (body, form) => ({
      _tag: "EarlyData",
      maxSize: form === "NewSessionTicket" ? body.uint32("max_early_data_size") : undefined
    }),
    encode: (body, { maxSize }) => {
      if (maxSize !== undefined) body.uint32(maxSize)
    }
  },
  SignatureAlgorithmsCert: {
    type: ExtensionType.signature_algorithms_cert,
    decode: (body) => ({
      _tag: "SignatureAlgorithmsCert",
      schemes: readUint16s(body, "supported_signature_algorithms")
    }),
    encode: (body, { schemes }) => writeUint16s(body, schemes)
  },
  CertificateAuthorities: {
    type: ExtensionType.certificate_authorities,
    decode: (body) => ({
      _tag: "CertificateAuthorities",
      authorities: listOf(body.vector16("authorities", 3), (list) => list.vector16("distinguished_name", 1))
    }),
    encode: (body, { authorities }) =>
      body.vector16((list) => {
        for (const name of authorities) list.vector16((item) => item.bytes(name))
      })
  },
  PostHandshakeAuth: {
    type: ExtensionType.post_handshake_auth,
    decode: () => ({ _tag: "PostHandshakeAuth" }),
    encode: () => {}
  },
  RecordSizeLimit: {
    type: ExtensionType.record_size_limit,
    decode: (body) => {
      const limit = body.uint16("record_size_limit")
      // RFC 8449 section 4: a smaller one is refused, a larger one is taken for the largest.
      if (limit < 64) throw new Illegal("record_size_limit", `is ${limit}, at least 64 is required`)
      return { _tag: "RecordSizeLimit", limit }
    },
    encode: (body, { limit }) => body.uint16(limit)
  }
}

// RFC 8446 section 4.2: where an extension that is known here may appear. The two hellos are judged by negotiation, because TLS
// 1.2 has other rules for them.
const placesOf: {
  readonly [Form in Exclude<ExtensionForm, "ClientHello" | "ServerHello">]: ReadonlyArray<KnownExtension["_tag"]>
} = {
  HelloRetryRequest: ["SupportedVersions", "KeyShares", "Cookie"],
  EncryptedExtensions: ["ServerName", "SupportedGroups", "ApplicationProtocols", "EarlyData", "RecordSizeLimit"],
  Certificate: ["StatusRequest"],
  CertificateRequest: ["StatusRequest", "SignatureAlgorithms", "SignatureAlgorithmsCert", "CertificateAuthorities"],
  NewSessionTicket: ["EarlyData"]
}

const checkPlace = (tag: KnownExtension["_tag"], field: string, form: ExtensionForm): void => {
  if (form === "ClientHello" || form === "ServerHello" || placesOf[form].includes(tag)) return
  throw new Illegal(field, `has no place in ${form}`)
}

// The keys of the literal above are exactly the tags; `Object.entries` widens them.
const entries = Object.entries(codecs) as ReadonlyArray<
  readonly [KnownExtension["_tag"], Pick<ExtensionCodec<KnownExtension>, "type" | "decode">]
>
const entryOfType = new Map(entries.map(([tag, codec], index) => [codec.type, { tag, codec, bit: 1 << index }]))

/**
 * The extensions of a message, in their order. RFC 5246 section 7.4.1.2: a hello may end before them. At most one of each type
 * (section 7.4.1.4), and only where it has a place: outside of it, it has no form either. A block may be empty wherever it comes: which
 * extensions must be there is a matter of negotiation. Throws `Malformed` and `Illegal`.
 *
 * @category decoding
 * @since 0.1.0
 */
export const readExtensions = (reader: Reader, form: ExtensionForm): ReadonlyArray<Extension> => {
  if (reader.remaining === 0 && (form === "ClientHello" || form === "ServerHello")) return []
  // Which types there were: the known ones by a bit each, for which a number has 32, and the others, of which there are none most of the time.
  let seen = 0
  let unknown: Set<number> | undefined
  return listOf(reader.vector16("extensions"), (block): Extension => {
    const type = block.uint16("extension_type")
    const field = extensionName(type) ?? `extension ${type}`
    const data = block.vector16(field)
    const entry = entryOfType.get(type)
    if (entry === undefined) {
      unknown ??= new Set()
      if (unknown.has(type)) throw new Illegal(field, "appears more than once")
      unknown.add(type)
      return { _tag: "UnknownExtension", type, data }
    }
    const { bit, codec, tag } = entry
    if ((seen & bit) !== 0) throw new Illegal(field, "appears more than once")
    seen |= bit
    checkPlace(tag, field, form)
    const body = new Reader(data)
    const known = codec.decode(body, form)
    body.end(field)
    return known ?? { _tag: "UnknownExtension", type, data }
  })
}

/**
 * The block of extensions. A hello without extensions has no block at all.
 *
 * @category encoding
 * @since 0.1.0
 */
export const writeExtensions = (writer: Writer, extensions: ReadonlyArray<Extension>, form: ExtensionForm): void => {
  if (extensions.length === 0 && (form === "ClientHello" || form === "ServerHello")) return
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
