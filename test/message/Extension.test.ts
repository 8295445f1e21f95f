import { assert, describe, it } from "@effect/vitest"
import type { Fault } from "../../src/alert/Fault.ts"
import { type Extension, type ExtensionForm, findExtension } from "../../src/message/Extension.ts"
import { readExtensions } from "../../src/message/ExtensionCodec.ts"
import { Reader } from "../../src/wire/Reader.ts"
import { hex } from "../platform/vectors.ts"
import { isWrittenAs, read, write } from "./blocks.ts"

const { ClientHello, ServerHello } = { ClientHello: "ClientHello", ServerHello: "ServerHello" } as const

describe("each extension as its RFC writes it, there and back", () => {
  it.each<readonly [name: string, ExtensionForm, block: string, Extension]>([
    ["RFC 6066 server_name", ClientHello, "0000000b0009000006612e622e6364", { _tag: "ServerName", name: "a.b.cd" }],
    ["RFC 6066 server_name of a server", ServerHello, "00000000", { _tag: "ServerName", name: undefined }],
    ["RFC 8422 elliptic_curves", ClientHello, "000a00060004001d0017", { _tag: "SupportedGroups", groups: [29, 23] }],
    ["RFC 8422 ec_point_formats", ClientHello, "000b0003020001", { _tag: "EcPointFormats", formats: [0, 1] }],
    ["the same of a server", ServerHello, "000b00020100", { _tag: "EcPointFormats", formats: [0] }],
    ["RFC 5246 signature_algorithms", ClientHello, "000d0006000404030401", {
      _tag: "SignatureAlgorithms",
      schemes: [0x0403, 0x0401]
    }],
    ["RFC 7301 ALPN", ClientHello, "0010000e000c02683208687474702f312e31", {
      _tag: "ApplicationProtocols",
      protocols: ["h2", "http/1.1"]
    }],
    ["RFC 7301 ALPN of a server", ServerHello, "00100005000302ff80", {
      _tag: "ApplicationProtocols",
      protocols: ["\xff\x80"]
    }],
    ["RFC 7627 extended_master_secret", ClientHello, "00170000", { _tag: "ExtendedMasterSecret" }],
    ["RFC 5746 renegotiation_info", ServerHello, "ff01000100", {
      _tag: "RenegotiationInfo",
      renegotiatedConnection: new Uint8Array()
    }],
    ["RFC 5746 renegotiation_info of a renegotiation", ClientHello, "ff0100040301ff02", {
      _tag: "RenegotiationInfo",
      renegotiatedConnection: Uint8Array.of(1, 255, 2)
    }],
    ["RFC 5077 SessionTicket", ClientHello, "00230002aabb", {
      _tag: "SessionTicket",
      ticket: Uint8Array.of(0xaa, 0xbb)
    }],
    ["the same of a server", ServerHello, "00230000", { _tag: "SessionTicket", ticket: new Uint8Array() }],
    ["one that is not spoken here", ClientHello, "00240002aabb", {
      _tag: "UnknownExtension",
      type: 36,
      data: Uint8Array.of(0xaa, 0xbb)
    }],
    ["the highest type, empty", ServerHello, "ffff0000", {
      _tag: "UnknownExtension",
      type: 0xffff,
      data: new Uint8Array()
    }],
    ["server_name with other kinds of name only", ClientHello, "000000080006070003010203", {
      _tag: "UnknownExtension",
      type: 0,
      data: hex("0006070003010203")
    }]
  ])("%s", (_, form, block, extension) => {
    assert.deepStrictEqual<unknown>(read(form, block), [extension])
    assert.isTrue(isWrittenAs(form, [extension], block))
  })

  it("the host is found behind names of other kinds, which are passed over", () => {
    assert.deepStrictEqual<unknown>(read(ClientHello, "0000000a0008 07000101 00000161"), [{
      _tag: "ServerName",
      name: "a"
    }])
  })
})

describe("what is wrong with an extension, and where", () => {
  it.each<readonly [name: string, ExtensionForm, block: string, fault: Fault["_tag"], field: string]>([
    ["half a type", ClientHello, "00", "MessageMalformed", "extension_type"],
    ["no length", ClientHello, "0017", "MessageMalformed", "extended_master_secret"],
    ["a length beyond the block", ClientHello, "00170001", "MessageMalformed", "extended_master_secret"],
    ["the same of an unknown one", ClientHello, "12340001", "MessageMalformed", "extension 4660"],
    ["a body where none belongs", ClientHello, "0017000100", "MessageMalformed", "extended_master_secret"],
    ["bytes behind the value", ClientHello, "ff0100020000", "MessageMalformed", "renegotiation_info"],
    ["an empty server_name", ClientHello, "00000000", "MessageMalformed", "server_name_list"],
    ["an empty list of names", ClientHello, "000000020000", "MessageMalformed", "server_name_list"],
    ["an empty host name", ClientHello, "000000050003000000", "MessageMalformed", "host_name"],
    ["two host names", ClientHello, "0000000a0008 00000161 00000162", "ParameterIllegal", "server_name_list"],
    [
      "two names of another kind",
      ClientHello,
      "0000000a0008 07000161 07000162",
      "ParameterIllegal",
      "server_name_list"
    ],
    ["a space in a host name", ClientHello, "0000000800060000036120 62", "ParameterIllegal", "host_name"],
    ["a newline in a host name", ClientHello, "000000060004000001 0a", "ParameterIllegal", "host_name"],
    ["a NUL in a host name", ClientHello, "000000060004000001 00", "ParameterIllegal", "host_name"],
    ["a byte beyond ASCII in a host name", ClientHello, "000000060004000001 e4", "ParameterIllegal", "host_name"],
    ["a name from a server", ServerHello, "00000006000400000161", "MessageMalformed", "server_name"],
    ["no group", ClientHello, "000a00020000", "MessageMalformed", "named_group_list"],
    ["half a group", ClientHello, "000a00050003001700", "MessageMalformed", "named_group_list"],
    ["no point format", ClientHello, "000b000100", "MessageMalformed", "ec_point_format_list"],
    ["no signature algorithm", ClientHello, "000d00020000", "MessageMalformed", "supported_signature_algorithms"],
    ["no protocol", ClientHello, "001000020000", "MessageMalformed", "protocol_name_list"],
    ["an empty protocol name", ClientHello, "0010000400020000", "MessageMalformed", "protocol_name"],
    ["a protocol name beyond its list", ClientHello, "0010000400020261", "MessageMalformed", "protocol_name"],
    [
      "two protocols from a server",
      ServerHello,
      "001000060004 0161 0162",
      "ParameterIllegal",
      "protocol_name_list"
    ]
  ])("%s", (_, form, block, fault, field) => {
    assert.deepInclude<unknown>(read(form, block), { _tag: fault, message: form, field })
  })

  it.each([
    ["00170000", "extended_master_secret"],
    ["ff01000100", "renegotiation_info"],
    ["0a0a0000", "extension 2570"],
    ["fafa000100", "extension 64250"],
    ["00240000", "extension 36"]
  ])("%s twice, RFC 5246 section 7.4.1.4, also with others between", (block, field) => {
    for (const form of [ClientHello, ServerHello]) {
      const expected = { _tag: "ParameterIllegal", message: form, field, why: "appears more than once" }
      assert.deepStrictEqual<unknown>(read(form, block + block), expected)
      assert.deepStrictEqual<unknown>(read(form, `${block}000b00020100${block}`), expected)
    }
  })
})

it("the order of extensions stays", () => {
  const block = "fafa0000 00170000 0a0a000100 ff01000100"
  const extensions = readExtensions(new Reader(hex(`0012${block.replaceAll(" ", "")}`)), ClientHello)
  assert.strictEqual(extensions.length, 4)
  assert.isTrue(isWrittenAs(ClientHello, extensions, block))
})

it("findExtension finds the one of its tag", () => {
  const extensions = readExtensions(new Reader(hex("000c00170000000a00040002001d")), ClientHello)
  assert.deepStrictEqual(findExtension(extensions, "SupportedGroups"), { _tag: "SupportedGroups", groups: [29] })
  assert.deepStrictEqual(findExtension(extensions, "ExtendedMasterSecret"), { _tag: "ExtendedMasterSecret" })
  assert.strictEqual(findExtension(extensions, "ServerName"), undefined)
})

it.each<readonly [name: string, Extension]>([
  ["a ServerName without a name", { _tag: "ServerName", name: undefined }],
  ["a host name beyond U+00FF", { _tag: "ServerName", name: "\u0100" }],
  ["a protocol name beyond U+00FF", { _tag: "ApplicationProtocols", protocols: ["h2", "\u20ac"] }],
  ["a protocol name of 256 bytes", { _tag: "ApplicationProtocols", protocols: ["a".repeat(256)] }],
  ["256 point formats", { _tag: "EcPointFormats", formats: Array.from({ length: 256 }, () => 0) }],
  ["2^15 groups", { _tag: "SupportedGroups", groups: Array.from({ length: 2 ** 15 }, () => 29) }]
])("to encode %s in a ClientHello is a defect", (_, extension) => {
  assert.throws(() => write(ClientHello, [extension]), RangeError)
})
