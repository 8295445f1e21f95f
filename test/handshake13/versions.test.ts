/** Which version it comes to, and the marks of a downgrade: RFC 8446 sections 4.1.3 and 4.2.1, appendices D.1, D.2 and D.5. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import { SessionCache, TlsTest } from "effect-tls"
import type { ClientHello } from "../../src/message/ClientHello.ts"
import { findExtension } from "../../src/message/Extension.ts"
import type { ServerHello } from "../../src/message/ServerHello.ts"
import { decodeHandshake, encodeHandshake } from "../../src/message/HandshakeMessage.ts"
import { make as primitives } from "../../src/platform/NodePrimitives.ts"
import { fromHex, toHex } from "../../src/wire/Bytes.ts"
import { bytes, how, observed, test, text } from "../connection/conversation.ts"
import { makeRecord } from "../harness/TlsRecords.ts"
import { conversation, converse, refuses, suiteOf } from "./conversation.ts"
import { plus, put, without } from "./edits.ts"
import type { Puppet } from "./puppet.ts"
import { helloOf, type Script } from "./stories.ts"
import type { World } from "./world.ts"

const marks = { "TLS 1.2": "444f574e47524401", "TLS 1.1": "444f574e47524400" } as const

const of12 = (hello: ClientHello): ClientHello =>
  plus({ _tag: "ExtendedMasterSecret" }, { _tag: "RenegotiationInfo", renegotiatedConnection: new Uint8Array(0) })(
    without("KeyShares", "PskKeyExchangeModes")({ ...hello, cipherSuites: [...hello.cipherSuites, 0xc02b] })
  )

/** What a server answers; then the client hangs up. */
const answerTo = (all: World, edit: (hello: ClientHello) => ClientHello, versions: ReadonlyArray<"1.2" | "1.3">) =>
  Effect.gen(function*() {
    let answer: ServerHello | undefined
    const story = (puppet: Puppet) =>
      Effect.gen(function*() {
        puppet.say(edit(helloOf(puppet, [primitives.keyShare("x25519")], undefined)))
        answer = yield* puppet.expect("ServerHello")
        yield* puppet.cut("fin")
      })
    const { failure } = yield* converse(all, { subject: "server", script: { story }, server: { versions } })
    assert.match(failure, /^Truncated fin after 0 handshaking/)
    assert(answer !== undefined)
    return {
      version: answer.version,
      selected: findExtension(answer.extensions, "SupportedVersions")?.versions,
      mark: toHex(answer.random.subarray(24))
    }
  })

describe("R8446-4.2.1-01, R8446-D.2-02: without supported_versions a server answers TLS 1.2, and says that it could do better", () => {
  for (const version of [0x0303, 0x0304, 0x0305, 0x7f1c, 0xffff]) {
    conversation(`legacy_version 0x${version.toString(16)}`, (all) =>
      Effect.gen(function*() {
        const edit = (hello: ClientHello) => without("SupportedVersions")(of12({ ...hello, version }))
        assert.deepStrictEqual(yield* answerTo(all, edit, ["1.3", "1.2"]), {
          version: 0x0303,
          selected: undefined,
          mark: marks["TLS 1.2"]
        })
      }))
  }
  conversation("R8446-4.2.1-04: TLS 1.2 alone in the list is TLS 1.2 with the mark", (all) =>
    Effect.gen(function*() {
      const edit = (hello: ClientHello) => put({ _tag: "SupportedVersions", versions: [0x0303] })(of12(hello))
      const answer = yield* answerTo(all, edit, ["1.3", "1.2"])
      assert.deepStrictEqual(answer, { version: 0x0303, selected: undefined, mark: marks["TLS 1.2"] })
    }))
  conversation("a server that cannot do better has no mark", (all) =>
    Effect.gen(function*() {
      const answer = yield* answerTo(all, (hello) => without("SupportedVersions")(of12(hello)), ["1.2"])
      assert.strictEqual(answer.version, 0x0303)
      assert.notInclude(Object.values(marks), answer.mark)
    }))
  conversation("nor has one that does", (all) =>
    Effect.gen(function*() {
      const answer = yield* answerTo(all, (hello) =>
        put({ _tag: "SupportedVersions", versions: [0x0303, 0x0304] })(hello), ["1.3", "1.2"])
      assert.deepStrictEqual([answer.version, answer.selected], [0x0303, [0x0304]])
      assert.notInclude(Object.values(marks), answer.mark)
    }))
})

const random = (mark: string): Uint8Array => {
  const bytes = new Uint8Array(32).fill(7)
  bytes.set(fromHex(mark), 24)
  return bytes
}

/** A ServerHello of that version, which selects none by an extension. */
const answering = (version: number, mark: string): Script => ({
  story: (puppet) =>
    Effect.gen(function*() {
      yield* puppet.expect("ClientHello")
      puppet.say({
        _tag: "ServerHello",
        version,
        random: random(mark),
        sessionId: new Uint8Array(0),
        cipherSuite: 0xc02b,
        compressionMethod: 0,
        extensions: [
          { _tag: "RenegotiationInfo", renegotiatedConnection: new Uint8Array(0) },
          { _tag: "ExtendedMasterSecret" }
        ]
      })
    })
})

refuses("R8446-4.1.3-04: a server that could do better was brought not to", "client", "47 DowngradeDetected", [
  ["TLS 1.2 with the mark of TLS 1.2", answering(0x0303, marks["TLS 1.2"])],
  ["TLS 1.2 with the mark of TLS 1.1", answering(0x0303, marks["TLS 1.1"])],
  ["TLS 1.1 with the mark of TLS 1.1", answering(0x0302, marks["TLS 1.1"])],
  ["TLS 1.0 with the mark of TLS 1.1", answering(0x0301, marks["TLS 1.1"])],
  ["TLS 1.2 with the mark of TLS 1.2, to a client of TLS 1.3 alone", answering(0x0303, marks["TLS 1.2"]), {
    client: { versions: ["1.3"] }
  }]
])

refuses("R8446-4.1.3-05: a client of TLS 1.2 looks for the second mark", "client", "47 DowngradeDetected", [
  ["TLS 1.1", answering(0x0302, marks["TLS 1.1"]), { client: { versions: ["1.2"] } }],
  ["TLS 1.2", answering(0x0303, marks["TLS 1.1"]), { client: { versions: ["1.2"] } }]
])

conversation("a client of TLS 1.2 alone does not mind a server that could do better", (all) =>
  Effect.gen(function*() {
    const script = answering(0x0303, marks["TLS 1.2"])
    const outcome = yield* converse(all, { subject: "client", script, client: { versions: ["1.2"] }, waits: true })
    // It waits for the Certificate, in vain.
    assert.strictEqual(outcome.failure, "HandshakeAborted timeout 1.2")
    assert.deepStrictEqual(outcome.alerts, ["clear 1/90", "clear 1/0"])
  }))

refuses("R8446-D.1-01, R8446-6.2-22: a version that is not spoken", "client", "70 VersionUnsupported", [
  ["TLS 1.2, to a client of TLS 1.3 alone", answering(0x0303, "00"), { client: { versions: ["1.3"] } }, "TLS 1.2"],
  ["TLS 1.1", answering(0x0302, "00"), {}, "TLS 1.1"],
  ["R8446-D.5-01: SSL 3.0", answering(0x0300, "00"), {}, "SSL 3.0"],
  ["R8446-D.5-01: before", answering(0x0002, "00"), {}]
])

const selecting = (...versions: ReadonlyArray<number>): Script => ({
  moves: { ServerHello: (puppet, _) => puppet.say(put({ _tag: "SupportedVersions", versions })(_)) }
})

refuses("R8446-4.2.1-03: supported_versions of a ServerHello selects TLS 1.3", "client", "47 ParameterIllegal", [
  ...[0x0303, 0x0302, 0x0300, 0x7f1c, 0x0305].map((version) =>
    [`0x${version.toString(16)}`, selecting(version), {}, "supported_versions"] as const
  ),
  ["0x0303, to a client of TLS 1.3 alone", selecting(0x0303), { client: { versions: ["1.3"] } }, "supported_versions"]
])

refuses("R8446-D.5-01, R9846-4.2.2-01: TLS 1.3 with another legacy_version", "client", "70 VersionUnsupported", [
  ...[0x0300, 0x0302, 0x0304, 0x7f1c].map((version) =>
    [
      `0x${version.toString(16)}`,
      { moves: { ServerHello: (puppet, _) => puppet.say({ ..._, version }) } } satisfies Script
    ] as const
  ),
  ["in a HelloRetryRequest", {
    retries: true,
    moves: { HelloRetryRequest: (puppet, _) => puppet.say({ ..._, version: 0x0304 }) }
  }]
])

refuses("R8446-D.5-02: a hello in the form of SSL 2.0 is not taken", "server", "10 RecordTypeUnknown", [
  ["of TLS 1.2", {
    story: (puppet) => Effect.sync(() => puppet.bytes(fromHex(`802e0103030015000000100000c02bc02c${"00".repeat(31)}`)))
  }]
])

test("R8446-4.1.2-02: TLS 1.2 is not renegotiated, to whatever version: a warning, and it goes on", () =>
  Effect.gen(function*() {
    const alerts = observed()
    const { client, server, wire } = yield* TlsTest.pair({
      client: { ...alerts.options.client, versions: ["1.2"] },
      server: alerts.options.server
    })
    const puppet = { suite: suiteOf(0x1301) }
    const hello = encodeHandshake(helloOf(puppet, [primitives.keyShare("x25519")], undefined))
    yield* wire.send({ from: "client", contentType: 22, content: hello })
    yield* client.write(bytes("on we go"))
    assert.strictEqual(text(yield* server.pull), "on we go")
    yield* server.write(bytes("indeed"))
    assert.strictEqual(text(yield* client.pull), "indeed")
    assert.deepStrictEqual(alerts.sent, ["server warning no_renegotiation"])
    assert.deepStrictEqual([client.version, server.version], ["1.2", "1.2"])
  }))

describe("between two of us", () => {
  type Versions = ReadonlyArray<"1.2" | "1.3">
  const cases: ReadonlyArray<readonly [client: Versions, server: Versions, agreed: string]> = [
    [["1.3", "1.2"], ["1.3", "1.2"], "1.3 1.3"],
    [["1.2", "1.3"], ["1.2", "1.3"], "1.3 1.3"],
    [["1.3"], ["1.3", "1.2"], "1.3 1.3"],
    [["1.3", "1.2"], ["1.3"], "1.3 1.3"],
    [["1.2"], ["1.3", "1.2"], "1.2 1.2"],
    [["1.3", "1.2"], ["1.2"], "1.2 1.2"],
    [["1.3"], ["1.2"], "AlertReceived ProtocolVersion AlertSent ProtocolVersion"],
    [["1.2"], ["1.3"], "AlertReceived ProtocolVersion AlertSent ProtocolVersion"]
  ]
  for (const [client, server, agreed] of cases) {
    test(`R8446-D.1-01, R8446-D.2-01: a client of ${client.join(" and ")}, a server of ${server.join(" and ")}`, () =>
      Effect.gen(function*() {
        const { accept, connect } = yield* TlsTest.ends({ client: { versions: client }, server: { versions: server } })
        const found = yield* Effect.all([Effect.exit(connect), Effect.exit(accept)], { concurrency: 2 })
        assert.strictEqual(found.map((exit) => Exit.isSuccess(exit) ? exit.value.version : how(exit)).join(" "), agreed)
      }))
  }

  test("R8446-4.1.3-04: somebody takes TLS 1.3 out of the hello, and the client sees it", () =>
    Effect.gen(function*() {
      const { accept, connect, wire } = yield* TlsTest.ends()
      const strip = (record: Uint8Array) => {
        const hello = Result.getOrThrow(decodeHandshake(1, record.subarray(9), "1.2"))
        assert(hello._tag === "ClientHello")
        return [
          makeRecord(22, encodeHandshake(without("SupportedVersions", "KeyShares", "PskKeyExchangeModes")(hello)))
        ]
      }
      yield* wire.replace({ from: "client", record: 0, by: strip })
      const [client, server] = yield* Effect.all([Effect.exit(connect), Effect.exit(accept)], { concurrency: 2 })
      assert.deepStrictEqual([how(client), how(server)], [
        "AlertSent IllegalParameter",
        "AlertReceived IllegalParameter"
      ])
    }))

  const pairOf = (seed: number, shared: Pick<TlsTest.Options, "identity" | "sessionCache">, version: Versions) =>
    Effect.scoped(Effect.gen(function*() {
      const { client, server } = yield* TlsTest.pair({ ...shared, seed, server: { versions: version } })
      yield* server.write(bytes("x"))
      yield* client.pull
      assert.strictEqual(client.resumed, server.resumed)
      return `${client.version} ${client.resumed ? "resumed" : "full"}`
    }))

  test("a session of one version is offered, and the server chooses the other: a full handshake, and the session lives on", () =>
    Effect.gen(function*() {
      const shared = {
        identity: yield* TlsTest.identity("server.test", 4),
        sessionCache: yield* SessionCache.makeMemory()
      }
      assert.strictEqual(yield* pairOf(1, shared, ["1.2"]), "1.2 full")
      assert.strictEqual(yield* pairOf(2, shared, ["1.2"]), "1.2 resumed")
      assert.strictEqual(yield* pairOf(3, shared, ["1.3"]), "1.3 full")
      assert.strictEqual(yield* pairOf(4, shared, ["1.3"]), "1.3 resumed")
      assert.strictEqual(yield* pairOf(5, shared, ["1.2"]), "1.2 full")
    }))
})
