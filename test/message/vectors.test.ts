/** Messages that others sent: out of captures, and out of a fuzz corpus. */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import { constants, createVerify, X509Certificate } from "node:crypto"
import { findExtension } from "../../src/message/Extension.ts"
import {
  decodeHandshake,
  encodeHandshake,
  type HandshakeMessageOf,
  messageTag
} from "../../src/message/HandshakeMessage.ts"
import { isHelloRetryRequest } from "../../src/message/ServerHello.ts"
import { hex, readVectors, toHex } from "../platform/vectors.ts"
import { concat } from "../record/records.ts"
import { replays } from "../secret/rfc8448.ts"

interface Captured {
  readonly capture: string
  readonly from: number | string
  readonly type: number
  readonly hex: string
}
const { messages: captured } = readVectors<{ readonly messages: ReadonlyArray<Captured> }>("handshake-messages.json")

const decoded = ({ hex: text, type }: Captured) =>
  Result.getOrThrow(decodeHandshake(type, hex(text).subarray(4), "1.2"))

it.each(captured)("$capture from $from, type $type: decodes, and encodes to the same bytes", (message) => {
  const value = decoded(message)
  assert.strictEqual(value._tag, messageTag(message.type, "1.2"))
  assert.strictEqual(toHex(encodeHandshake(value)), message.hex)
})

it("every message that TLS 1.2 with ECDHE has, but the empty HelloRequest, is among them", () => {
  assert.deepStrictEqual([...new Set(captured.map(({ type }) => type))].toSorted((a, b) => a - b), [
    1,
    2,
    11,
    12,
    13,
    14,
    15,
    16,
    20
  ])
})

const find = <
  Tag extends HandshakeMessageOf<"ClientHello">["_tag"] | "ServerHello" | "Certificate" | "ServerKeyExchange"
>(
  capture: string,
  tag: Tag
): HandshakeMessageOf<Tag> => {
  const message = captured.filter((one) => one.capture === capture).map(decoded).find((one) => one._tag === tag)
  // The tag was compared; TypeScript does not narrow by a generic one.
  return message === undefined ? assert.fail(`${capture} has no ${tag}`) : message as HandshakeMessageOf<Tag>
}

it("a ClientHello says what its sender meant", () => {
  const hello = find("tls12-decryption.pcap", "ClientHello")
  assert.strictEqual(hello.version, 0x0303)
  assert.deepStrictEqual(hello.cipherSuites, [0xc030])
  assert.deepStrictEqual(findExtension(hello.extensions, "ServerName")?.name, "heise.de")
  assert.deepStrictEqual(findExtension(hello.extensions, "ApplicationProtocols")?.protocols, ["h2", "http/1.1"])
  assert.deepStrictEqual(findExtension(hello.extensions, "SupportedGroups")?.groups, [29, 23, 24, 25, 256, 257])
})

it("the GREASE of a browser is kept, and its new groups", () => {
  const hello = find("chrome-1250-tls-x25519-kyber.pcap", "ClientHello")
  const isGrease = (value: number) => (value & 0x0f0f) === 0x0a0a && value >> 8 === (value & 255)
  assert.isTrue(isGrease(hello.cipherSuites[0] ?? 0))
  const groups = findExtension(hello.extensions, "SupportedGroups")?.groups ?? []
  assert.isTrue(isGrease(groups[0] ?? 0))
  // X25519Kyber768Draft00
  assert.include(groups, 0x6399)
  const unknown = hello.extensions.flatMap((one) => one._tag === "UnknownExtension" ? [one.type] : [])
  assert.strictEqual(unknown.filter(isGrease).length, 2)
})

describe("a ServerKeyExchange is signed by the certificate, over both randoms and its params (RFC 8422 section 5.4)", () => {
  it.each(["ecdhe.pcap", "chrome-34-google.pcap", "ecdsa-cert.pcap"])("%s", (capture) => {
    const [client, server] = [find(capture, "ClientHello"), find(capture, "ServerHello")]
    const { params, signature, signatureScheme } = find(capture, "ServerKeyExchange")
    const [leaf, ...issuers] = find(capture, "Certificate").chain.map((der) => new X509Certificate(der))
    if (leaf === undefined) return assert.fail("no certificate")
    const hash = { 2: "sha1", 4: "sha256", 5: "sha384", 6: "sha512" }[signatureScheme >> 8] ?? "none"
    const verified = createVerify(hash).update(concat([client.random, server.random, params]))
      .verify({ key: leaf.publicKey, padding: constants.RSA_PKCS1_PADDING }, signature)
    assert.isTrue(verified)
    // And the chain is in the order of RFC 5246 section 7.4.2.
    let below = leaf
    for (const issuer of issuers) {
      assert.isTrue(below.checkIssued(issuer))
      below = issuer
    }
  })
})

describe.each(replays)("RFC 8448 section $trace.section: $trace.title", ({ messages, trace }) => {
  it("every message but EndOfEarlyData decodes, and encodes to the same bytes", () => {
    for (const { bytes, name } of messages) {
      const result = decodeHandshake(bytes[0] ?? 0, bytes.subarray(4), "1.3")
      if (Result.isFailure(result)) {
        assert.deepStrictEqual<unknown>(result.failure, {
          _tag: "MessageUnexpected",
          expected: [],
          received: "handshake message type 5"
        })
        continue
      }
      assert.strictEqual(result.success._tag.replace("13", ""), name)
      assert.strictEqual(toHex(encodeHandshake(result.success)), toHex(bytes))
    }
    assert.isAtLeast(messages.length, 6)
  })

  it("says what its text says", () => {
    const hellos = messages.filter(({ name }) => name === "ClientHello" || name === "ServerHello").map(({ bytes }) =>
      Result.getOrThrow(decodeHandshake(bytes[0] ?? 0, bytes.subarray(4), "undecided"))
    )
    const [first, answer, second] = hellos
    if (first?._tag !== "ClientHello" || answer?._tag !== "ServerHello") return assert.fail("no hellos")
    const isRetried = trace.id === "hello-retry-request"
    assert.strictEqual(isHelloRetryRequest(answer), isRetried)
    assert.deepStrictEqual(findExtension(answer.extensions, "SupportedVersions")?.versions, [0x0304])
    assert.strictEqual(findExtension(first.extensions, "ServerName")?.name, "server")
    assert.deepStrictEqual(findExtension(first.extensions, "KeyShares")?.shares.map(({ group }) => group), [29])
    assert.strictEqual(
      findExtension(first.extensions, "RecordSizeLimit")?.limit,
      0x4001
    )
    assert.strictEqual(first.sessionId.length, trace.id === "compatibility-mode" ? 32 : 0)
    const isResumed = trace.id === "resumed-0rtt"
    assert.strictEqual(findExtension(first.extensions, "PreSharedKeys")?.offers.length, isResumed ? 1 : undefined)
    assert.strictEqual(findExtension(answer.extensions, "PreSharedKeys")?.selected, isResumed ? 0 : undefined)
    assert.strictEqual(findExtension(first.extensions, "EarlyData") !== undefined, isResumed)
    if (!isRetried) return
    assert.deepStrictEqual(findExtension(answer.extensions, "KeyShares")?.shares, [{
      group: 23,
      publicKey: new Uint8Array()
    }])
    if (second?._tag !== "ClientHello") return assert.fail("no second hello")
    assert.deepStrictEqual(
      findExtension(second.extensions, "Cookie")?.cookie,
      findExtension(answer.extensions, "Cookie")?.cookie
    )
    assert.deepStrictEqual(findExtension(second.extensions, "KeyShares")?.shares.map(({ group }) => group), [23])
  })
})

interface Sample {
  readonly name: string
  readonly b64: string
}
const { samples } = readVectors<{ readonly samples: ReadonlyArray<Sample> }>("rustls-fuzz-message.json")

it(`${samples.length} records of a fuzz corpus: each is a message or a fault, and what decodes encodes to the same meaning`, () => {
  const versions = [["1.2", { "same bytes": 17, MessageUnexpected: 47, MessageMalformed: 1 }], ["1.3", {
    "same bytes": 9,
    MessageUnexpected: 51,
    MessageMalformed: 5
  }]] as const
  for (const [version, expected] of versions) {
    const outcomes = new Map<string, number>()
    const count = (outcome: string) => outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    for (const { b64, name } of samples) {
      const record = Uint8Array.from(Buffer.from(b64, "base64"))
      const [type = -1, high = 0, middle = 0, low = 0] = record.subarray(5)
      const body = record.subarray(9, 9 + (high << 16 | middle << 8 | low))
      const result = decodeHandshake(type, body, version)
      if (Result.isFailure(result)) {
        assert.include(["MessageMalformed", "ParameterIllegal", "MessageUnexpected"], result.failure._tag, name)
        count(result.failure._tag)
        continue
      }
      const encoded = encodeHandshake(result.success)
      const again = Result.getOrThrow(decodeHandshake(type, encoded.subarray(4), version))
      assert.deepStrictEqual(again, result.success, name)
      count(toHex(encoded) === toHex(record.subarray(5, 9 + body.length)) ? "same bytes" : "same meaning")
    }
    // Most of this corpus is of types that these versions have not, or is encrypted.
    assert.deepStrictEqual(Object.fromEntries(outcomes), expected, version)
  }
})
