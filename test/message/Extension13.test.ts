/** The extensions of TLS 1.3 in each message, RFC 8446 section 4.2 and RFC 8449. */
import { assert, describe, it } from "@effect/vitest"
import type { Extension, ExtensionForm } from "../../src/message/Extension.ts"
import { isHelloRetryRequest, makeHelloRetryRandom } from "../../src/message/ServerHello.ts"
import { extensionName } from "../../src/wire/CodePoints.ts"
import { hex } from "../platform/vectors.ts"
import { forms, isWrittenAs, messageOf, read, write } from "./blocks.ts"

const CH = "ClientHello"
const SH = "ServerHello"
const HRR = "HelloRetryRequest"
const EE = "EncryptedExtensions"
const CT = "Certificate"
const CR = "CertificateRequest"
const NST = "NewSessionTicket"

const binder = (byte: string, length = 32): string => byte.repeat(length)

describe("each extension as its RFC writes it, there and back", () => {
  const rows: ReadonlyArray<readonly [name: string, ExtensionForm, block: string, Extension]> = [
    ["supported_versions, 4.2.1", CH, "002b 0005 04 0304 0303", {
      _tag: "SupportedVersions",
      versions: [0x304, 0x303]
    }],
    ["the one that is selected", SH, "002b 0002 0304", { _tag: "SupportedVersions", versions: [0x304] }],
    ["the same before a retry", HRR, "002b 0002 0304", { _tag: "SupportedVersions", versions: [0x304] }],
    ["key_share, 4.2.8", CH, "0033 000d 000b 001d 0002 0102 0017 0001 03", {
      _tag: "KeyShares",
      shares: [{ group: 29, publicKey: Uint8Array.of(1, 2) }, { group: 23, publicKey: Uint8Array.of(3) }]
    }],
    ["no key share at all", CH, "0033 0002 0000", { _tag: "KeyShares", shares: [] }],
    ["the share of a server", SH, "0033 0006 001d 0002 0102", {
      _tag: "KeyShares",
      shares: [{ group: 29, publicKey: Uint8Array.of(1, 2) }]
    }],
    ["the group of a retry", HRR, "0033 0002 0017", {
      _tag: "KeyShares",
      shares: [{ group: 23, publicKey: new Uint8Array() }]
    }],
    ["cookie, 4.2.2", HRR, "002c 0004 0002 0a0b", { _tag: "Cookie", cookie: Uint8Array.of(10, 11) }],
    ["the cookie that comes back", CH, "002c 0004 0002 0a0b", { _tag: "Cookie", cookie: Uint8Array.of(10, 11) }],
    [
      "pre_shared_key, 4.2.11",
      CH,
      `0029 0055 000f 0002 0708 fffffffe 0001 09 00000000 0042 20${binder("aa")} 20${binder("bb")}`,
      {
        _tag: "PreSharedKeys",
        offers: [
          { identity: Uint8Array.of(7, 8), obfuscatedAge: 0xfffffffe, binder: hex(binder("aa")) },
          { identity: Uint8Array.of(9), obfuscatedAge: 0, binder: hex(binder("bb")) }
        ],
        selected: undefined
      }
    ],
    ["the identity that is selected", SH, "0029 0002 0001", { _tag: "PreSharedKeys", offers: [], selected: 1 }],
    ["psk_key_exchange_modes, 4.2.9", CH, "002d 0003 02 01 00", { _tag: "PskKeyExchangeModes", modes: [1, 0] }],
    ["early_data, 4.2.10", CH, "002a 0000", { _tag: "EarlyData", maxSize: undefined }],
    ["the same that is accepted", EE, "002a 0000", { _tag: "EarlyData", maxSize: undefined }],
    ["the same of a ticket", NST, "002a 0004 fffffffe", { _tag: "EarlyData", maxSize: 0xfffffffe }],
    ["signature_algorithms_cert, 4.2.3", CH, "0032 0004 0002 0403", {
      _tag: "SignatureAlgorithmsCert",
      schemes: [0x403]
    }],
    ["the same of a server", CR, "0032 0004 0002 0403", { _tag: "SignatureAlgorithmsCert", schemes: [0x403] }],
    ["signature_algorithms of a server", CR, "000d 0004 0002 0807", { _tag: "SignatureAlgorithms", schemes: [0x807] }],
    ["certificate_authorities, 4.2.4", CR, "002f 0009 0007 0002 3000 0001 31", {
      _tag: "CertificateAuthorities",
      authorities: [Uint8Array.of(0x30, 0), Uint8Array.of(0x31)]
    }],
    ["the same of a client", CH, "002f 0006 0004 0002 3000", {
      _tag: "CertificateAuthorities",
      authorities: [Uint8Array.of(0x30, 0)]
    }],
    ["post_handshake_auth, 4.2.6", CH, "0031 0000", { _tag: "PostHandshakeAuth" }],
    ["record_size_limit, RFC 8449", CH, "001c 0002 0040", { _tag: "RecordSizeLimit", limit: 64 }],
    ["the same of a server", EE, "001c 0002 ffff", { _tag: "RecordSizeLimit", limit: 65535 }],
    ["server_name, acknowledged", EE, "0000 0000", { _tag: "ServerName", name: undefined }],
    ["ALPN, selected", EE, "0010 0005 0003 02 6832", { _tag: "ApplicationProtocols", protocols: ["h2"] }],
    ["supported_groups of a server", EE, "000a 0004 0002 11ec", { _tag: "SupportedGroups", groups: [4588] }],
    ["status_request", CR, "0005 0000", { _tag: "StatusRequest", response: undefined }],
    ["the status of a certificate", CT, "0005 0006 01 000002 3000", {
      _tag: "StatusRequest",
      response: Uint8Array.of(0x30, 0)
    }],
    ["one that is not spoken here, of a certificate", CT, "0012 0001 07", {
      _tag: "UnknownExtension",
      type: 18,
      data: Uint8Array.of(7)
    }]
  ]
  it.each(rows)("%s", (_, form, block, extension) => {
    assert.deepStrictEqual<unknown>(read(form, block), [extension])
    assert.isTrue(isWrittenAs(form, [extension], block))
  })
})

/** The table of RFC 8446 section 4.2 and RFC 8449 section 5, without the two hellos, which TLS 1.2 shares. */
const legal: { readonly [type: number]: ReadonlyArray<ExtensionForm> } = {
  0: [EE],
  5: [CT, CR],
  10: [EE],
  11: [],
  13: [CR],
  16: [EE],
  23: [],
  28: [EE],
  35: [],
  41: [],
  42: [EE, NST],
  43: [HRR],
  44: [HRR],
  45: [],
  47: [CR],
  49: [],
  50: [CR],
  51: [HRR],
  0xff01: []
}

/** A body that is well formed in the message, and bodies that are so in others or nowhere. */
const bodies: ReadonlyArray<string> = [
  "",
  "00",
  "0000",
  "0001",
  "0304",
  "000100",
  "0100",
  "00000001",
  "0002000100",
  "0100000000",
  "0100000130",
  "00020403",
  "0003026832",
  "0003000130",
  "00026832",
  "020304",
  "ffff",
  "00".repeat(40)
]

describe("R8446-4.2-02, R8446-4.3.1-01: an extension that is known, in a message that it is not for, is illegal, whatever its body", () => {
  const types = Object.keys(legal).map(Number)

  it("the table has every extension that is known here", () => {
    for (let type = 0; type < 0x10000; type++) {
      assert.strictEqual(types.includes(type), extensionName(type) !== undefined, `${type}`)
    }
  })

  it.each(forms.filter((form) => form !== CH && form !== SH))("%s", (form) => {
    let found = 0
    for (const type of types) {
      const isLegal = legal[type]?.includes(form) === true
      let decoded = 0
      for (const body of bodies) {
        const length = (body.length / 2).toString(16).padStart(4, "0")
        const result = read(form, `${type.toString(16).padStart(4, "0")}${length}${body}`)
        if (!("_tag" in result)) decoded++
        else if (!isLegal) {
          assert.deepStrictEqual<unknown>(result, {
            _tag: "ParameterIllegal",
            message: messageOf(form),
            field: extensionName(type),
            why: `has no place in ${form}`
          })
        }
      }
      assert.strictEqual(decoded > 0, isLegal, `${extensionName(type)} in ${form}: ${decoded} bodies`)
      if (isLegal) found++
    }
    assert.strictEqual(found, Object.values(legal).filter((places) => places.includes(form)).length)
  })
})

describe("what is wrong with an extension, and where", () => {
  const malformed: ReadonlyArray<readonly [name: string, ExtensionForm, block: string, field: string]> = [
    ["no version", CH, "002b 0001 00", "versions"],
    ["half a version", CH, "002b 0004 03 030403", "versions"],
    ["versions beyond the extension", CH, "002b 0003 04 0304", "versions"],
    ["a list from a server", SH, "002b 0003 02 0304", "supported_versions"],
    ["half a version from a server", HRR, "002b 0001 03 fafa 0000", "selected_version"],
    ["a share of no bytes", CH, "0033 0006 0004 001d 0000", "key_exchange"],
    ["a share beyond its list", CH, "0033 0007 0005 001d 0002 01", "key_exchange"],
    ["a list of shares from a server", SH, "0033 0008 0006 001d 0002 0102", "key_exchange"],
    ["two shares from a server", SH, "0033 000a 001d 0001 01 001d 0001 02", "key_share"],
    ["a share in a retry", HRR, "0033 0006 001d 0002 0102", "key_share"],
    ["an empty cookie", HRR, "002c 0002 0000", "cookie"],
    ["a cookie beyond the extension", CH, "002c 0003 0002 01", "cookie"],
    ["no identity", CH, `0029 0025 0000 0021 20${binder("aa")}`, "identities"],
    ["an identity of no bytes", CH, `0029 002c 0007 0000 00000000 01 0021 20${binder("aa")}`, "identity"],
    ["no binder", CH, "0029 000b 0007 0001 09 00000000 0000", "binders"],
    ["a binder of 31 bytes", CH, `0029 002d 0007 0001 09 00000000 0022 1f${binder("aa", 31)} 01 00`, "binder"],
    ["bytes behind the binders", CH, `0029 002d 0007 0001 09 00000000 0021 20${binder("aa")} 00`, "pre_shared_key"],
    ["the offer of a client from a server", SH, "0029 000b 0007 0001 09 00000000 0000", "pre_shared_key"],
    ["no mode", CH, "002d 0001 00", "ke_modes"],
    ["early data with a size", CH, "002a 0004 00000001", "early_data"],
    ["the same where it is accepted", EE, "002a 0004 00000001", "early_data"],
    ["early data of a ticket without one", NST, "002a 0000", "max_early_data_size"],
    ["no scheme", CR, "000d 0002 0000", "supported_signature_algorithms"],
    ["no scheme for certificates", CR, "0032 0002 0000", "supported_signature_algorithms"],
    ["no authority", CR, "002f 0002 0000", "authorities"],
    ["an authority without a name", CR, "002f 0005 0003 0000 00", "distinguished_name"],
    ["post_handshake_auth with a body", CH, "0031 0001 00", "post_handshake_auth"],
    ["half a limit", CH, "001c 0001 ff", "record_size_limit"],
    ["a limit and more", EE, "001c 0003 4000 00", "record_size_limit"],
    ["a server_name that is not empty", EE, "0000 0002 0000", "server_name"]
  ]
  it.each(malformed)("R9846-4.3-01: %s is malformed", (_, form, block, field) => {
    assert.deepInclude<unknown>(read(form, block), { _tag: "MessageMalformed", message: messageOf(form), field })
  })

  const illegal: ReadonlyArray<readonly [name: string, ExtensionForm, block: string, field: string]> = [
    ["R8449-4-05: a limit of 63", CH, "001c 0002 003f", "record_size_limit"],
    ["R8449-4-05: a limit of 0", EE, "001c 0002 0000", "record_size_limit"],
    ["two protocols selected", EE, "0010 0006 0004 0161 0162", "protocol_name_list"],
    ["R8446-4.2-03: one twice", EE, "002a 0000 002a 0000", "early_data"],
    ["R8446-4.2-03: an unknown one twice", NST, "fafa 0000 fafa 0001 00", "extension 64250"],
    [
      "R8446-4.2.11-05: two identities and one binder",
      CH,
      `0029 0033 000e ${"0001 09 00000000".repeat(2)} 0021 20${binder("aa")}`,
      "binders"
    ],
    [
      "one identity and two binders",
      CH,
      `0029 004d 0007 0001 09 00000000 0042 20${binder("aa")} 20${binder("bb")}`,
      "binders"
    ]
  ]
  it.each(illegal)("%s is illegal", (_, form, block, field) => {
    assert.deepInclude<unknown>(read(form, block), { _tag: "ParameterIllegal", message: messageOf(form), field })
  })

  it("a block ends where it says, in every message, and may be empty", () => {
    for (const form of forms) {
      assert.deepInclude<unknown>(read(form, "fafa 0005 00"), { _tag: "MessageMalformed", field: "extension 64250" })
      assert.deepStrictEqual(read(form, ""), [])
    }
  })
})

it("a HelloRetryRequest is known by its random alone, SHA-256 of its name (RFC 8446 section 4.1.3)", () => {
  const random = makeHelloRetryRandom()
  assert.strictEqual(
    Buffer.from(random).toString("hex"),
    "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"
  )
  assert.isTrue(isHelloRetryRequest({ random }))
  for (let at = 0; at < 32; at++) {
    for (const bit of [1, 0x80]) {
      assert.isFalse(isHelloRetryRequest({ random: random.with(at, (random[at] ?? 0) ^ bit) }), `byte ${at}`)
    }
  }
  random.fill(0)
  assert.isTrue(isHelloRetryRequest({ random: makeHelloRetryRandom() }), "each caller gets bytes of its own")
  // The same extension has another form in it.
  assert.deepStrictEqual<unknown>(read(HRR, "0033 0002 001d"), [{
    _tag: "KeyShares",
    shares: [{ group: 29, publicKey: new Uint8Array() }]
  }])
  assert.deepInclude<unknown>(read(SH, "0033 0002 001d"), { _tag: "MessageMalformed", field: "key_exchange" })
})

it("in a ServerHello negotiation judges what has a place: TLS 1.2 has other rules for it", () => {
  for (const block of ["002b 0002 0304", "ff01 0001 00", "0017 0000", "001c 0002 4000", "002a 0000", "0031 0000"]) {
    assert.isTrue(Array.isArray(read(SH, block)), block)
  }
})

it.each<readonly [name: string, ExtensionForm, Extension]>([
  ["an offer in a ServerHello", SH, { _tag: "PreSharedKeys", offers: [], selected: undefined }],
  ["a cookie of 2^16 bytes", CH, { _tag: "Cookie", cookie: new Uint8Array(65536) }],
  ["128 versions", CH, { _tag: "SupportedVersions", versions: Array.from({ length: 128 }, () => 0x0304) }],
  ["a binder of 256 bytes", CH, {
    _tag: "PreSharedKeys",
    offers: [{ identity: Uint8Array.of(1), obfuscatedAge: 0, binder: new Uint8Array(256) }],
    selected: undefined
  }],
  ["256 modes", CH, { _tag: "PskKeyExchangeModes", modes: Array.from({ length: 256 }, () => 1) }]
])("to encode %s is a defect", (_, form, extension) => {
  assert.throws(() => write(form, [extension]), RangeError)
})
