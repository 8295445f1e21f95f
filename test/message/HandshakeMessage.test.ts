import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Result from "effect/Result"
import type { Fault } from "../../src/alert/Fault.ts"
import type { Extension } from "../../src/message/Extension.ts"
import {
  decodeHandshake,
  encodeHandshake,
  type HandshakeMessage,
  type HandshakeVersion,
  messageName,
  messageTag
} from "../../src/message/HandshakeMessage.ts"
import { isHelloRetryRequest } from "../../src/message/ServerHello.ts"
import { encodeServerEcdhParams } from "../../src/message/ServerKeyExchange.ts"
import { toHex } from "../platform/vectors.ts"
import { bytesUpTo, concat, int } from "../record/records.ts"
import { grease, messages } from "./messages.ts"

/** RFC 5246 section 7.4 and RFC 8446 section 4. */
const types: { readonly [Tag in HandshakeMessage["_tag"]]: number } = {
  HelloRequest: 0,
  ClientHello: 1,
  ServerHello: 2,
  Certificate: 11,
  ServerKeyExchange: 12,
  CertificateRequest: 13,
  ServerHelloDone: 14,
  CertificateVerify: 15,
  ClientKeyExchange: 16,
  Finished: 20,
  CertificateStatus: 22,
  EncryptedExtensions: 8,
  Certificate13: 11,
  CertificateRequest13: 13,
  NewSessionTicket: 4,
  NewSessionTicket12: 4,
  KeyUpdate: 24
}
const in13: ReadonlyArray<HandshakeMessage["_tag"]> = [
  "ClientHello",
  "ServerHello",
  "NewSessionTicket",
  "EncryptedExtensions",
  "Certificate13",
  "CertificateRequest13",
  "CertificateVerify",
  "Finished",
  "KeyUpdate"
]
const only13: ReadonlyArray<HandshakeMessage["_tag"]> = in13.filter((tag) =>
  !["ClientHello", "ServerHello", "CertificateVerify", "Finished"].includes(tag)
)
const versions: ReadonlyArray<HandshakeVersion> = ["1.2", "1.3", "undecided"]
const has = (version: HandshakeVersion, tag: HandshakeMessage["_tag"]): boolean =>
  version === "1.3" ? in13.includes(tag) : !only13.includes(tag)
const versionOf = (tag: HandshakeMessage["_tag"]): HandshakeVersion => has("1.2", tag) ? "1.2" : "1.3"
// The keys of the literal above are exactly the tags; `Object.entries` widens them.
const typeOfTag = Object.entries(types) as ReadonlyArray<readonly [HandshakeMessage["_tag"], number]>

const decode = (type: number, body: Uint8Array, version: HandshakeVersion = "1.2"): HandshakeMessage | Fault =>
  Result.match(decodeHandshake(type, body, version), { onSuccess: (message) => message, onFailure: (fault) => fault })

/** Where a hello may end: before its extensions (RFC 5246 section 7.4.1.2). */
const shortestLength = (message: HandshakeMessage): number | undefined =>
  message._tag === "ClientHello" || (message._tag === "ServerHello" && !isHelloRetryRequest(message))
    ? encodeHandshake({ ...message, extensions: [] }).length - 4
    : undefined

describe.each(typeOfTag)("%s", (tag, type) => {
  const version = versionOf(tag)
  const name = tag.replace(/1[23]$/, "")

  it.prop(
    "round trip, every truncation, and a byte too many",
    [messages[tag] as Arbitrary.Arbitrary<HandshakeMessage>],
    ([message]) => {
      const bytes = encodeHandshake(message)
      const body = bytes.subarray(4)
      assert.deepStrictEqual([...bytes.subarray(0, 4)], [
        type,
        body.length >> 16,
        (body.length >> 8) & 255,
        body.length & 255
      ])
      for (const other of versions) {
        if (has(other, tag)) assert.deepStrictEqual(decode(type, body, other), message)
      }
      assert.strictEqual(toHex(encodeHandshake(message)), toHex(bytes))
      // Its length is a matter of the suite.
      if (tag === "Finished") return

      const shortest = shortestLength(message)
      for (let length = 0; length < body.length; length++) {
        if (length === shortest) continue
        const fault = decode(type, body.subarray(0, length), version)
        if (fault._tag !== "MessageMalformed") return assert.fail(`${length} bytes: ${fault._tag}`)
        assert.strictEqual(fault.message, name)
        assert.isNotEmpty(fault.field)
        assert.isNotEmpty(fault.why)
      }
      const fault = decode(type, concat([body, Uint8Array.of(0)]), version)
      assert.isTrue(
        fault._tag === "MessageMalformed" && fault.message === name && fault.field !== "",
        JSON.stringify(fault)
      )
    },
    { arbitrary: { runs: 100 } }
  )

  it("has its number, in the versions that it is of, and its name", () => {
    for (const version of versions) assert.strictEqual(messageTag(type, version) === tag, has(version, tag), version)
    assert.strictEqual(messageName(type), name)
  })
})

it.each(versions)("a type that version %s does not have is unexpected, whatever its body", (version) => {
  const used = new Set(typeOfTag.flatMap(([tag, type]) => has(version, tag) ? [type] : []))
  assert.strictEqual(used.size, version === "1.3" ? 9 : 12)
  for (let type = 0; type < 256; type++) {
    if (used.has(type)) continue
    assert.strictEqual(messageTag(type, version), undefined)
    assert.deepStrictEqual<unknown>(decode(type, new Uint8Array(3), version), {
      _tag: "MessageUnexpected",
      expected: [],
      received: `handshake message type ${type}`
    })
  }
})

describe("decoding is total", () => {
  const outcomes = ["MessageMalformed", "ParameterIllegal", "MessageUnexpected"]
  const isTotal = (type: number, body: Uint8Array, version: HandshakeVersion): void => {
    const decoded = decodeHandshake(type, body, version)
    if (Result.isFailure(decoded)) return assert.include(outcomes, decoded.failure._tag)
    // What decodes is a value that encodes, and means the same again.
    assert.deepStrictEqual(decode(type, encodeHandshake(decoded.success).subarray(4), version), decoded.success)
  }

  it.prop("random bytes under every type", { body: bytesUpTo(120) }, ({ body }) => {
    for (let type = 0; type < 26; type++) for (const version of versions) isTotal(type, body, version)
  }, { arbitrary: { runs: 300 } })

  it.prop("valid messages with a few bytes changed", {
    tag: int(0, typeOfTag.length - 1),
    all: Arbitrary.all(messages),
    changes: Arbitrary.array(Arbitrary.all({ at: int(0, 1_000_000), to: int(0, 255) }), { minLength: 1, maxLength: 3 })
  }, (_) => {
    const [tag, type] = typeOfTag[_.tag] ?? ["Finished", 20]
    const body = encodeHandshake(_.all[tag]).slice(4)
    if (body.length === 0) return
    for (const { at, to } of _.changes) body[at % body.length] = to
    isTotal(type, body, versionOf(tag))
  }, { arbitrary: { runs: 500 } })
})

const random = new Uint8Array(32).fill(7)
const clientHello = {
  _tag: "ClientHello",
  version: 0x0303,
  random,
  sessionId: new Uint8Array(),
  cipherSuites: [0xc02b],
  compressionMethods: [0],
  extensions: []
} as const satisfies HandshakeMessage
const serverHello = {
  _tag: "ServerHello",
  version: 0x0303,
  random,
  sessionId: new Uint8Array(),
  cipherSuite: 0xc02b,
  compressionMethod: 0,
  extensions: []
} as const satisfies HandshakeMessage

const ticket = {
  _tag: "NewSessionTicket",
  lifetime: 7200,
  ageAdd: 9,
  nonce: Uint8Array.of(0, 1),
  ticket: Uint8Array.of(5),
  extensions: []
} as const satisfies HandshakeMessage
const entryOf = (length: number) => ({ certificate: new Uint8Array(length), extensions: [] })

it("GREASE survives everywhere that RFC 8701 puts it, in its place and order", () => {
  const extensions: ReadonlyArray<Extension> = [
    { _tag: "UnknownExtension", type: 0x1a1a, data: new Uint8Array() },
    { _tag: "SupportedGroups", groups: [...grease, 29] },
    { _tag: "SignatureAlgorithms", schemes: [...grease, 0x0403] },
    { _tag: "ApplicationProtocols", protocols: ["\x0a\x0a", "h2", "\xfa\xfa"] },
    { _tag: "SupportedVersions", versions: [0x3a3a, 0x0304, 0x0303] },
    { _tag: "KeyShares", shares: [{ group: 0x4a4a, publicKey: Uint8Array.of(0) }, { group: 29, publicKey: random }] },
    { _tag: "PskKeyExchangeModes", modes: [0x0b, 0x2a, 0xe4, 1] },
    { _tag: "UnknownExtension", type: 0xfafa, data: Uint8Array.of(0) }
  ]
  const message: HandshakeMessage = { ...clientHello, cipherSuites: [0x2a2a, 0xc02b, ...grease], extensions }
  const bytes = encodeHandshake(message)
  assert.deepStrictEqual(decode(1, bytes.subarray(4)), message)
  assert.strictEqual(toHex(encodeHandshake(message)), toHex(bytes))
  const request: HandshakeMessage = {
    _tag: "CertificateRequest",
    certificateTypes: [1],
    signatureSchemes: grease,
    authorities: []
  }
  assert.deepStrictEqual(decode(13, encodeHandshake(request).subarray(4)), request)
  const unknown: Extension = { _tag: "UnknownExtension", type: 0x5a5a, data: Uint8Array.of(1) }
  const request13: HandshakeMessage = {
    _tag: "CertificateRequest13",
    context: new Uint8Array(),
    extensions: [unknown, { _tag: "SignatureAlgorithms", schemes: grease }]
  }
  assert.deepStrictEqual(decode(13, encodeHandshake(request13).subarray(4), "1.3"), request13)
  const withUnknown: HandshakeMessage = { ...ticket, extensions: [unknown] }
  assert.deepStrictEqual(decode(4, encodeHandshake(withUnknown).subarray(4), "1.3"), withUnknown)
})

it("a hello that ends before its extensions, or has an empty block of them, has none", () => {
  for (const [message, type] of [[clientHello, 1], [serverHello, 2]] as const) {
    const body = encodeHandshake(message).subarray(4)
    assert.deepStrictEqual(decode(type, body), message)
    assert.deepStrictEqual(decode(type, concat([body, Uint8Array.of(0, 0)])), message)
  }
})

describe("limits of the messages", () => {
  const malformed = (message: string, field: string) => ({ _tag: "MessageMalformed", message, field })
  const illegal = (message: string, field: string) => ({ _tag: "ParameterIllegal", message, field })
  const hello = (...rest: ReadonlyArray<number>): Uint8Array =>
    concat([Uint8Array.of(3, 3), random, Uint8Array.from(rest)])

  it.each<readonly [name: string, type: number, body: Uint8Array, expected: object]>([
    ["a HelloRequest with a body", 0, Uint8Array.of(0), malformed("HelloRequest", "message")],
    ["a ServerHelloDone with a body", 14, Uint8Array.of(1, 2), malformed("ServerHelloDone", "message")],
    ["a session id of 33 bytes", 1, hello(33, ...random, 0, 0, 2, 0, 1, 1, 0), malformed("ClientHello", "session_id")],
    ["the same from a server", 2, hello(33, ...random, 0, 0, 1, 0), malformed("ServerHello", "session_id")],
    ["no cipher suite", 1, hello(0, 0, 0, 1, 0), malformed("ClientHello", "cipher_suites")],
    ["a suite and a half", 1, hello(0, 0, 3, 0, 1, 2, 1, 0), malformed("ClientHello", "cipher_suites")],
    ["no compression method", 1, hello(0, 0, 2, 0, 1, 0), malformed("ClientHello", "compression_methods")],
    ["a byte behind the extensions", 1, hello(0, 0, 2, 0, 1, 1, 0, 0, 0, 9), malformed("ClientHello", "message")],
    ["a certificate of no bytes", 11, Uint8Array.of(0, 0, 3, 0, 0, 0), malformed("Certificate", "certificate")],
    [
      "a list shorter than its certificate",
      11,
      Uint8Array.of(0, 0, 4, 0, 0, 2, 1),
      malformed("Certificate", "certificate")
    ],
    ["a key of no bytes", 16, Uint8Array.of(0), malformed("ClientKeyExchange", "ecdh_Yc")],
    [
      "an explicit prime curve",
      12,
      Uint8Array.of(1, 0, 23, 1, 4, 4, 3, 0, 0),
      illegal("ServerKeyExchange", "curve_type")
    ],
    ["an explicit char2 curve", 12, Uint8Array.of(2), illegal("ServerKeyExchange", "curve_type")],
    ["a point of no bytes", 12, Uint8Array.of(3, 0, 23, 0, 4, 3, 0, 0), malformed("ServerKeyExchange", "public")],
    [
      "no certificate type",
      13,
      Uint8Array.of(0, 0, 2, 4, 3, 0, 0),
      malformed("CertificateRequest", "certificate_types")
    ],
    [
      "no algorithm",
      13,
      Uint8Array.of(1, 1, 0, 0, 0, 0),
      malformed("CertificateRequest", "supported_signature_algorithms")
    ],
    [
      "half an algorithm",
      13,
      Uint8Array.of(1, 1, 0, 3, 4, 3, 5, 0, 0),
      malformed("CertificateRequest", "supported_signature_algorithms")
    ],
    [
      "a name of no bytes",
      13,
      Uint8Array.of(1, 1, 0, 2, 4, 3, 0, 2, 0, 0),
      malformed("CertificateRequest", "distinguished_name")
    ]
  ])("%s", (_, type, body, expected) => {
    const fault = decode(type, body)
    assert.deepInclude(fault, expected)
    assert.isTrue("why" in fault && fault.why.length > 0)
  })

  it.each<readonly [name: string, type: number, body: ReadonlyArray<number>, expected: object]>([
    ["R8446-4.6.3-02: a KeyUpdate of no bytes", 24, [], malformed("KeyUpdate", "request_update")],
    ["R8446-4.6.3-02: a KeyUpdate of two bytes", 24, [0, 0], malformed("KeyUpdate", "message")],
    ["R8446-4.6.3-02: request_update of 2", 24, [2], illegal("KeyUpdate", "request_update")],
    ["R8446-4.6.3-02: request_update of 255", 24, [255], illegal("KeyUpdate", "request_update")],
    ["a certificate of no bytes", 11, [0, 0, 0, 5, 0, 0, 0, 0, 0], malformed("Certificate", "cert_data")],
    ["a certificate without its extensions", 11, [0, 0, 0, 4, 0, 0, 1, 9], malformed("Certificate", "extensions")],
    ["a list beyond the message", 11, [0, 0, 0, 7, 0, 0, 1, 9, 0, 0], malformed("Certificate", "certificate_list")],
    ["a request that ends before them", 13, [0], malformed("CertificateRequest", "extensions")],
    ["a context beyond the message", 13, [2, 1], malformed("CertificateRequest", "certificate_request_context")],
    ["a ticket of no bytes", 4, [0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0], malformed("NewSessionTicket", "ticket")],
    ["EncryptedExtensions of no bytes", 8, [], malformed("EncryptedExtensions", "extensions")],
    ["half an extension", 8, [0, 1, 0], malformed("EncryptedExtensions", "extension_type")]
  ])("TLS 1.3: %s", (_, type, body, expected) => {
    const fault = decode(type, Uint8Array.from(body), "1.3")
    assert.deepInclude(fault, expected)
    assert.isTrue("why" in fault && fault.why.length > 0)
  })

  it("empty lists where the RFC allows them", () => {
    const empties: ReadonlyArray<HandshakeMessage> = [
      { _tag: "Certificate13", context: new Uint8Array(), entries: [] },
      { _tag: "EncryptedExtensions", extensions: [] },
      { ...ticket, nonce: new Uint8Array() }
    ]
    for (const message of empties) {
      assert.deepStrictEqual(decode(types[message._tag], encodeHandshake(message).subarray(4), "1.3"), message)
    }
  })

  it("the longest of everything decodes", () => {
    const longest: ReadonlyArray<HandshakeMessage> = [
      {
        ...clientHello,
        sessionId: new Uint8Array(32),
        cipherSuites: Array.from({ length: 32767 }, (_, i) => i),
        compressionMethods: Array.from({ length: 255 }, (_, i) => i)
      },
      { _tag: "Certificate", chain: Array.from({ length: 3 }, () => new Uint8Array(70_000)) },
      { _tag: "ClientKeyExchange", publicKey: new Uint8Array(255) },
      { _tag: "CertificateVerify", signatureScheme: 0xffff, signature: new Uint8Array(65535) },
      { _tag: "Certificate13", context: new Uint8Array(255), entries: [entryOf(70_000), entryOf(1), entryOf(70_000)] },
      {
        _tag: "NewSessionTicket",
        lifetime: 2 ** 32 - 1,
        ageAdd: 2 ** 32 - 1,
        nonce: new Uint8Array(255),
        ticket: new Uint8Array(65535),
        extensions: [{ _tag: "EarlyData", maxSize: 2 ** 32 - 1 }]
      },
      { _tag: "Finished", verifyData: new Uint8Array(64) }
    ]
    for (const message of longest) {
      const decoded = decode(types[message._tag], encodeHandshake(message).subarray(4), versionOf(message._tag))
      assert.deepStrictEqual(decoded, message)
    }
  })

  it.each<readonly [name: string, message: HandshakeMessage]>([
    ["a public key of 256 bytes", { _tag: "ClientKeyExchange", publicKey: new Uint8Array(256) }],
    ["a signature of 2^16 bytes", { _tag: "CertificateVerify", signatureScheme: 1, signature: new Uint8Array(65536) }],
    ["2^15 suites", { ...clientHello, cipherSuites: Array.from({ length: 32768 }, () => 1) }],
    ["256 compression methods", { ...clientHello, compressionMethods: Array.from({ length: 256 }, () => 0) }],
    ["a certificate of 2^24 bytes", { _tag: "Certificate", chain: [new Uint8Array(2 ** 24)] }],
    ["a context of 256 bytes", { _tag: "Certificate13", context: new Uint8Array(256), entries: [] }],
    ["another context of 256 bytes", { _tag: "CertificateRequest13", context: new Uint8Array(256), extensions: [] }],
    ["a nonce of 256 bytes", { ...ticket, nonce: new Uint8Array(256) }],
    ["a ticket of 2^16 bytes", { ...ticket, ticket: new Uint8Array(65536) }]
  ])("to encode %s is a defect", (_, message) => {
    assert.throws(() => encodeHandshake(message), RangeError)
  })
})

it("the params of a ServerKeyExchange are exactly the bytes that its signature covers", () => {
  const point = new Uint8Array(32).fill(5)
  const params = encodeServerEcdhParams(29, point)
  assert.strictEqual(toHex(params), `03001d20${toHex(point)}`)
  const body = concat([params, Uint8Array.of(8, 4, 0, 1, 9)])
  assert.deepStrictEqual<unknown>(decode(12, body), {
    _tag: "ServerKeyExchange",
    group: 29,
    publicKey: point,
    params,
    signatureScheme: 0x0804,
    signature: Uint8Array.of(9)
  })
})
