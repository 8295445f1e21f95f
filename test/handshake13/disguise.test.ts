/** Looking like TLS 1.2: RFC 8446 appendix D.4. And what a client of ours says first. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { TlsTest } from "effect-tls"
import { findExtension } from "../../src/message/Extension.ts"
import { ContentType } from "../../src/wire/CodePoints.ts"
import { how, recordsOf, test } from "../connection/conversation.ts"
import { accepts, conversation, converse, type Outcome } from "./conversation.ts"
import { says } from "./edits.ts"

const typesOf = (wire: TlsTest.Wire, from: TlsTest.Side, count: number) =>
  Effect.map(recordsOf(wire, from), (records) => records.slice(0, count).map(([type]) => type))

const { application_data, change_cipher_spec, handshake } = ContentType
const both = { client: { groups: ["x25519", "secp256r1"] }, server: { groups: ["x25519", "secp256r1"] } } as const

describe("R8446-D.4-01: one ChangeCipherSpec of each side", () => {
  const rows: ReadonlyArray<
    readonly [what: string, options: TlsTest.Options, client: ReadonlyArray<number>, server: ReadonlyArray<number>]
  > = [
    ["before the second flight of the client, and behind the first message of the server", both, [
      handshake,
      change_cipher_spec,
      application_data
    ], [handshake, change_cipher_spec, application_data]],
    ["with a HelloRetryRequest", { ...both, server: { groups: ["secp256r1"] } }, [
      handshake,
      change_cipher_spec,
      handshake,
      application_data
    ], [handshake, change_cipher_spec, handshake, application_data]],
    ["of a client that has TLS 1.3 alone", { ...both, client: { ...both.client, versions: ["1.3"] } }, [
      handshake,
      change_cipher_spec,
      application_data
    ], [handshake, change_cipher_spec, application_data]]
  ]
  for (const [what, options, client, server] of rows) {
    test(what, () =>
      Effect.gen(function*() {
        const { wire } = yield* TlsTest.pair(options)
        assert.deepStrictEqual(yield* typesOf(wire, "client", client.length), client.slice())
        assert.deepStrictEqual(yield* typesOf(wire, "server", server.length), server.slice())
        for (const from of ["client", "server"] as const) {
          const records = yield* recordsOf(wire, from)
          assert.lengthOf(records.filter(([type]) => type === change_cipher_spec), 1)
          assert.deepStrictEqual(records.find(([type]) => type === change_cipher_spec)?.subarray(5), Uint8Array.of(1))
        }
      }))
  }
})

const helloOf = ({ puppet }: Outcome) => {
  const hello = puppet.received.find((_) => _._tag === "ClientHello")
  assert(hello !== undefined)
  return hello
}

describe("the first hello of a client", () => {
  conversation(
    "has a session id of 32 bytes, another one each time, and the versions that it speaks",
    (all) =>
      Effect.gen(function*() {
        const hello = helloOf(yield* converse(all, { subject: "client", script: {} }))
        assert.lengthOf(hello.sessionId, 32)
        assert.notDeepEqual(hello.sessionId, hello.random)
        assert.strictEqual(hello.version, 0x0303)
        assert.deepStrictEqual(hello.compressionMethods, [0])
        assert.deepStrictEqual(findExtension(hello.extensions, "SupportedVersions")?.versions, [0x0304, 0x0303])
        assert.deepStrictEqual(findExtension(hello.extensions, "PskKeyExchangeModes")?.modes, [1])
        for (const tag of ["EarlyData", "PostHandshakeAuth", "Cookie", "PreSharedKeys"] as const) {
          assert.isUndefined(findExtension(hello.extensions, tag))
        }
      })
  )

  conversation("has what it offers in TLS 1.3 alone", (all) =>
    Effect.gen(function*() {
      const outcome = yield* converse(all, { subject: "client", script: {}, client: { versions: ["1.3"] } })
      const hello = helloOf(outcome)
      assert.deepStrictEqual(hello.cipherSuites, [0x1301, 0x1302, 0x1303])
      assert.deepStrictEqual(findExtension(hello.extensions, "SupportedVersions")?.versions, [0x0304])
      for (const tag of ["ExtendedMasterSecret", "RenegotiationInfo", "EcPointFormats"] as const) {
        assert.isUndefined(findExtension(hello.extensions, tag))
      }
      // R8446-4.2.8-01: shares of groups that it offers, one of each, in their order.
      assert.deepStrictEqual(findExtension(hello.extensions, "KeyShares")?.shares.map(({ group }) => group), [29])
      assert.deepStrictEqual(findExtension(hello.extensions, "SupportedGroups")?.groups, [29, 23])
    }))

  conversation("ends with the session that it offers", (all) =>
    Effect.gen(function*() {
      const hello = helloOf(yield* converse(all, { subject: "client", script: {}, remembers: true }))
      assert.strictEqual(hello.extensions.at(-1)?._tag, "PreSharedKeys")
      assert.lengthOf(hello.sessionId, 32)
    }))
})

describe("R8446-5.1-07: the version of records", () => {
  const long = { alpnProtocols: Array.from({ length: 100 }, (_, index) => `${index} ${"x".repeat(200)}`) }
  const rows: ReadonlyArray<readonly [what: string, options: TlsTest.Options, hellos: number]> = [
    ["is 3.1 for a client's first hello", both, 1],
    ["is 3.3 for the hello after a HelloRetryRequest", { ...both, server: { groups: ["secp256r1"] } }, 1],
    ["is the same in all records of a long hello", { client: long, server: long }, 2],
    ["is no other in TLS 1.2 (RFC 5246 appendix E.1)", { ...both, client: { ...both.client, versions: ["1.2"] } }, 1]
  ]
  const versionsOf = (wire: TlsTest.Wire, from: TlsTest.Side) =>
    Effect.map(recordsOf(wire, from), (records) => records.map(([, major, minor]) => `${major}.${minor}`))

  for (const [what, options, hellos] of rows) {
    test(what, () =>
      Effect.gen(function*() {
        const { wire } = yield* TlsTest.pair(options)
        const versions = yield* versionsOf(wire, "client")
        assert.isAbove(versions.length, hellos + 1)
        assert.deepStrictEqual(versions, versions.map((_, index) => index < hellos ? "3.1" : "3.3"))
        assert.deepStrictEqual([...new Set(yield* versionsOf(wire, "server"))], ["3.3"])
      }))
  }

  test("is 3.3 for an alert behind a hello that is not answered", () =>
    Effect.gen(function*() {
      const { connect, wire } = yield* TlsTest.ends()
      const client = yield* Effect.forkScoped(Effect.exit(connect), { startImmediately: true })
      yield* TestClock.adjust("11 seconds")
      assert.strictEqual(how(yield* Fiber.join(client)), "HandshakeAborted")
      assert.deepStrictEqual(yield* versionsOf(wire, "client"), ["3.1", "3.3", "3.3"])
    }))
})

accepts(
  "a server echoes the session id, of any length",
  "server",
  [0, 1, 16, 31, 32].map((length) =>
    [
      `${length} bytes`,
      { moves: { ClientHello: says((_) => ({ ..._, sessionId: new Uint8Array(length).fill(0x5e) })) }, isBare: true },
      {},
      ({ puppet }: Outcome) => {
        const answer = puppet.received.find((_) => _._tag === "ServerHello")
        assert.deepStrictEqual(answer?.sessionId, new Uint8Array(length).fill(0x5e))
        assert.strictEqual(puppet.heard.some(({ type }) => type === change_cipher_spec), length > 0)
      }
    ] as const
  )
)

accepts("a client bears a server without disguise", "client", [
  ["no ChangeCipherSpec", { isBare: true }],
  ["none after a HelloRetryRequest", { isBare: true, retries: true }]
])
accepts("and a server such a client", "server", [
  ["no ChangeCipherSpec", { isBare: true }],
  ["none after a HelloRetryRequest", { isBare: true }, { server: { groups: ["secp256r1"] } }]
])
