import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Result from "effect/Result"
import type { Fault } from "../../src/alert/Fault.ts"
import type { Extension } from "../../src/message/Extension.ts"
import {
  decodeHandshake,
  encodeHandshake,
  type HandshakeMessage,
  messageTag
} from "../../src/message/HandshakeMessage.ts"
import { encodeServerEcdhParams } from "../../src/message/ServerKeyExchange.ts"
import { toHex } from "../platform/vectors.ts"
import { bytesUpTo, concat, int } from "../record/records.ts"
import { grease, messages } from "./messages.ts"

/** RFC 5246 section 7.4. */
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
  Finished: 20
}
// The keys of the literal above are exactly the tags; `Object.entries` widens them.
const typeOfTag = Object.entries(types) as ReadonlyArray<readonly [HandshakeMessage["_tag"], number]>

const decode = (type: number, body: Uint8Array): HandshakeMessage | Fault =>
  Result.match(decodeHandshake(type, body), { onSuccess: (message) => message, onFailure: (fault) => fault })

/** Where a hello may end: before its extensions (RFC 5246 section 7.4.1.2). */
const shortestLength = (message: HandshakeMessage): number | undefined =>
  message._tag === "ClientHello" || message._tag === "ServerHello"
    ? encodeHandshake({ ...message, extensions: [] }).length - 4
    : undefined

describe.each(typeOfTag)("%s", (tag, type) => {
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
      assert.deepStrictEqual(decode(type, body), message)
      assert.strictEqual(toHex(encodeHandshake(message)), toHex(bytes))

      const shortest = shortestLength(message)
      for (let length = 0; length < body.length; length++) {
        if (length === shortest) continue
        const fault = decode(type, body.subarray(0, length))
        if (fault._tag !== "MessageMalformed") return assert.fail(`${length} bytes: ${fault._tag}`)
        assert.strictEqual(fault.message, tag)
        assert.isNotEmpty(fault.field)
        assert.isNotEmpty(fault.why)
      }
      const fault = decode(type, concat([body, Uint8Array.of(0)]))
      assert.isTrue(
        fault._tag === "MessageMalformed" && fault.message === tag && fault.field !== "",
        JSON.stringify(fault)
      )
    },
    { arbitrary: { runs: 100 } }
  )

  it("has its number", () => assert.strictEqual(messageTag(type), tag))
})

it("a type that is not used here is unexpected, whatever its body", () => {
  const used = new Set(Object.values(types))
  for (let type = 0; type < 256; type++) {
    if (used.has(type)) continue
    assert.strictEqual(messageTag(type), undefined)
    assert.deepStrictEqual<unknown>(decode(type, new Uint8Array(3)), {
      _tag: "MessageUnexpected",
      expected: [],
      received: `handshake message type ${type}`
    })
  }
})

describe("decoding is total", () => {
  const outcomes = ["MessageMalformed", "ParameterIllegal", "MessageUnexpected"]
  const isTotal = (type: number, body: Uint8Array): void => {
    const decoded = decodeHandshake(type, body)
    if (Result.isFailure(decoded)) assert.include(outcomes, decoded.failure._tag)
    // What decodes is a value that encodes, and means the same again.
    else assert.deepStrictEqual(decode(type, encodeHandshake(decoded.success).subarray(4)), decoded.success)
  }

  it.prop("random bytes under every type", { body: bytesUpTo(120) }, ({ body }) => {
    for (let type = 0; type < 25; type++) isTotal(type, body)
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
    isTotal(type, body)
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

it("GREASE survives everywhere that RFC 8701 puts it, in its place and order", () => {
  const extensions: ReadonlyArray<Extension> = [
    { _tag: "UnknownExtension", type: 0x1a1a, data: new Uint8Array() },
    { _tag: "SupportedGroups", groups: [...grease, 29] },
    { _tag: "SignatureAlgorithms", schemes: [...grease, 0x0403] },
    { _tag: "ApplicationProtocols", protocols: ["\x0a\x0a", "h2", "\xfa\xfa"] },
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
    ["verify data of 11 bytes", 20, new Uint8Array(11), malformed("Finished", "verify_data")],
    ["verify data of 13 bytes", 20, new Uint8Array(13), malformed("Finished", "verify_data")],
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
      { _tag: "CertificateVerify", signatureScheme: 0xffff, signature: new Uint8Array(65535) }
    ]
    for (const message of longest) {
      assert.deepStrictEqual(decode(types[message._tag], encodeHandshake(message).subarray(4)), message)
    }
  })

  it.each<readonly [name: string, message: HandshakeMessage]>([
    ["a public key of 256 bytes", { _tag: "ClientKeyExchange", publicKey: new Uint8Array(256) }],
    ["a signature of 2^16 bytes", { _tag: "CertificateVerify", signatureScheme: 1, signature: new Uint8Array(65536) }],
    ["2^15 suites", { ...clientHello, cipherSuites: Array.from({ length: 32768 }, () => 1) }],
    ["256 compression methods", { ...clientHello, compressionMethods: Array.from({ length: 256 }, () => 0) }],
    ["a certificate of 2^24 bytes", { _tag: "Certificate", chain: [new Uint8Array(2 ** 24)] }]
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
