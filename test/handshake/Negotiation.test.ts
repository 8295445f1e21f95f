/** What the two hellos agree on, and which alert answers those that cannot. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { CipherSuite, Identity, Session, SessionCache, SessionSecret, TlsConfig, TlsTest } from "effect-tls"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import { TestClock } from "effect/testing"
import type { Fault } from "../../src/alert/Fault.ts"
import {
  chooseGroup,
  chooseProtocol,
  commonSchemes,
  commonSuites,
  judgeClientHello,
  judgeClientVersion,
  judgeResumption,
  judgeServerHello,
  judgeServerVersion,
  markDowngrade
} from "../../src/handshake/Negotiation.ts"
import type { Extension } from "../../src/message/Extension.ts"
import type { HandshakeMessage } from "../../src/message/HandshakeMessage.ts"
import { how, recordsOf, test, text, trustIn } from "../connection/conversation.ts"
import { type LeafName, testCredential, testPki } from "../harness/Pki.ts"
import * as Tls12 from "../harness/Tls12.ts"

type ClientHello = Extract<HandshakeMessage, { readonly _tag: "ClientHello" }>
type ServerHello = Extract<HandshakeMessage, { readonly _tag: "ServerHello" }>

const none = new Uint8Array(0)
const renegotiation = (length = 0): Extension => ({
  _tag: "RenegotiationInfo",
  renegotiatedConnection: new Uint8Array(length)
})
const alpn = (...protocols: ReadonlyArray<string>): Extension => ({ _tag: "ApplicationProtocols", protocols })
const formats = (...formats: ReadonlyArray<number>): Extension => ({ _tag: "EcPointFormats", formats })
const groups = (...groups: ReadonlyArray<number>): Extension => ({ _tag: "SupportedGroups", groups })
const named = (name: string | undefined): Extension => ({ _tag: "ServerName", name })
const extended: Extension = { _tag: "ExtendedMasterSecret" }

const settings = TlsConfig.settingsOf({ alpnProtocols: ["a", "b"], versions: ["1.2"] }, NodePrimitives.make)
const clientHello: ClientHello = {
  _tag: "ClientHello",
  version: 0x0303,
  random: new Uint8Array(32),
  sessionId: none,
  cipherSuites: [0xc02b, 0xc030],
  compressionMethods: [0],
  extensions: [named("server.test"), extended, renegotiation(), alpn("a", "b"), formats(0), groups(29, 23)]
}
const serverHello: ServerHello = {
  _tag: "ServerHello",
  version: 0x0303,
  random: new Uint8Array(32),
  sessionId: Uint8Array.of(7),
  cipherSuite: 0xc02b,
  compressionMethod: 0,
  extensions: [renegotiation(), extended]
}
const session = new Session({
  version: "1.2",
  id: Uint8Array.of(7),
  cipherSuite: 0xc02b,
  secret: new SessionSecret(new Uint8Array(48)),
  serverName: "server.test",
  peerCertificates: [],
  authenticatedAt: 0,
  authenticatedUntil: undefined,
  createdAt: 0,
  lifetime: undefined,
  ageAdd: 0
})

/** The tag of a fault, with the field it is about. */
const about = (fault: Fault | undefined): string =>
  fault === undefined ? "fine" : "field" in fault ? `${fault._tag} ${fault.field}` : fault._tag

const both = TlsConfig.settingsOf({}, NodePrimitives.make)
const only13 = TlsConfig.settingsOf({ versions: ["1.3"] }, NodePrimitives.make)
const versions = (...versions: ReadonlyArray<number>): Partial<ClientHello> => ({
  extensions: [{ _tag: "SupportedVersions", versions }]
})
/** GREASE (RFC 8701) */
const grease = 0x0a0a
const [fallback, scsv] = [0x5600, (hello: Partial<ClientHello>) => ({ ...hello, cipherSuites: [0xc02b, fallback] })]

describe("judgeClientVersion", () => {
  // What a server of both versions, of TLS 1.2 alone and of TLS 1.3 alone takes, or the fault.
  const refused = "VersionUnsupported"
  const fallen = "FallbackInappropriate"
  const rows: ReadonlyArray<
    readonly [name: string, change: Partial<ClientHello>, both: string, only12: string, only13: string]
  > = [
    ["TLS 1.2", {}, "1.2", "1.2", refused],
    ["TLS 1.3 by its number, which is none of a hello", { version: 0x0304 }, "1.2", "1.2", refused],
    ["a version to come", { version: 0x03ff }, "1.2", "1.2", refused],
    ["R5246-7.2.2-29: TLS 1.1", { version: 0x0302 }, refused, refused, refused],
    ["TLS 1.0", { version: 0x0301 }, refused, refused, refused],
    ["SSL 3.0", { version: 0x0300 }, refused, refused, refused],
    ["SSL 3.0, with supported_versions", { version: 0x0300, ...versions(0x0304) }, refused, refused, refused],
    ["SSL 2.0", { version: 0x0002 }, refused, refused, refused],
    ["supported_versions: TLS 1.3", versions(0x0304), "1.3", refused, "1.3"],
    ["supported_versions: TLS 1.2", versions(0x0303), "1.2", "1.2", refused],
    ["supported_versions: both, and others", versions(grease, 0x0303, 0x0304), "1.3", "1.2", "1.3"],
    ["supported_versions: TLS 1.1", versions(0x0302), refused, refused, refused],
    ["supported_versions: nothing but GREASE", versions(grease), refused, refused, refused],
    ["a fallback to TLS 1.1 (RFC 7507)", scsv({ version: 0x0302 }), fallen, fallen, fallen],
    ["a fallback to TLS 1.2", scsv({}), fallen, "1.2", fallen],
    ["a fallback to the best", scsv(versions(0x0304, 0x0303)), "1.3", "1.2", "1.3"]
  ]
  for (const [name, change, ...verdicts] of rows) {
    it(`${name}: ${verdicts.join(", ")}`, () => {
      const got = [both, settings, only13].map((settings) =>
        Result.match(judgeClientVersion({ ...clientHello, ...change }, settings), {
          onSuccess: (version) => version,
          onFailure: about
        })
      )
      assert.deepStrictEqual(got, verdicts)
    })
  }
})

describe("judgeServerVersion", () => {
  const selects = (version: number): Partial<ServerHello> => ({
    extensions: [{ _tag: "SupportedVersions", versions: [version] }]
  })
  const ending = (end: string): Partial<ServerHello> => ({ random: Buffer.from(end.padStart(64, "0"), "hex") })
  const [to12, to11] = ["444f574e47524401", "444f574e47524400"]
  const retry: Partial<ServerHello> = {
    random: Buffer.from("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c", "hex")
  }
  const wrong = "ParameterIllegal supported_versions"
  const [refused, detected] = ["VersionUnsupported", "DowngradeDetected"]
  // What a client of both versions, of TLS 1.2 alone and of TLS 1.3 alone takes, or the fault.
  const rows: ReadonlyArray<
    readonly [name: string, change: Partial<ServerHello>, both: string, only12: string, only13: string]
  > = [
    ["TLS 1.2", {}, "1.2", "1.2", refused],
    ["R5246-7.2.2-29: TLS 1.1", { version: 0x0302 }, refused, refused, refused],
    ["a version to come", { version: 0x0305 }, refused, refused, refused],
    ["supported_versions: TLS 1.3", selects(0x0304), "1.3", "1.2", "1.3"],
    ["supported_versions: TLS 1.2", selects(0x0303), wrong, "1.2", wrong],
    ["supported_versions: a version to come", selects(0x0305), wrong, "1.2", wrong],
    ["TLS 1.2, of a server that could do 1.3 (RFC 8446 section 4.1.3)", ending(to12), detected, "1.2", detected],
    ["TLS 1.2, of a server that could do 1.2 and means 1.1", ending(to11), detected, detected, detected],
    ["TLS 1.1, of a server that could do better", { version: 0x0302, ...ending(to11) }, detected, detected, detected],
    ["a random that is nearly marked", ending("444f574e47524402"), "1.2", "1.2", refused],
    ["a HelloRetryRequest without a version", retry, "ExtensionMissing", "1.2", "ExtensionMissing"],
    ["a HelloRetryRequest", { ...retry, ...selects(0x0304) }, "1.3", "1.2", "1.3"]
  ]
  for (const [name, change, ...verdicts] of rows) {
    it(`${name}: ${verdicts.join(", ")}`, () => {
      const got = [both, settings, only13].map((settings) =>
        Result.match(judgeServerVersion({ ...serverHello, ...change }, settings), {
          onSuccess: (version) => version,
          onFailure: about
        })
      )
      assert.deepStrictEqual(got, verdicts)
    })
  }

  it("the marker of a server of both versions is what such a client detects, and one of TLS 1.2 alone does not", () => {
    const marked = { ...serverHello, random: markDowngrade(new Uint8Array(32).fill(1)) }
    assert.deepStrictEqual([...marked.random.subarray(0, 24)], Array.from({ length: 24 }, () => 1))
    assert.deepStrictEqual(
      judgeServerVersion(marked, both),
      Result.fail<Fault>({ _tag: "DowngradeDetected", version: "TLS 1.2" })
    )
    assert.deepStrictEqual(judgeServerVersion(marked, settings), Result.succeed("1.2" as const))
  })
})

describe("judgeClientHello", () => {
  const rows: ReadonlyArray<readonly [name: string, change: Partial<ClientHello>, verdict: string]> = [
    ["what is asked for", {}, "fine"],
    ["no null compression", { compressionMethods: [1] }, "ParameterIllegal compression_methods"],
    ["null compression among others", { compressionMethods: [1, 0] }, "fine"],
    ["a renegotiation", { extensions: [renegotiation(12)] }, "RenegotiationInfoWrong"],
    ["no word on renegotiation", { extensions: [] }, "fine"],
    ["no uncompressed points", { extensions: [formats(1, 2)] }, "ParameterIllegal ec_point_formats"],
    ["other points, too", { extensions: [formats(2, 0)] }, "fine"]
  ]
  for (const [name, change, verdict] of rows) {
    it(`${name}: ${verdict}`, () => assert.strictEqual(about(judgeClientHello({ ...clientHello, ...change })), verdict))
  }
})

describe("the choices of a server", () => {
  const hello = (...extensions: ReadonlyArray<Extension>) => ({ ...clientHello, extensions })

  it("the group is the first of its own that the client has; P-256 where the client names none", () => {
    const choose = (offered: ReadonlyArray<Extension>, own: TlsConfig.CommonOptions = {}) =>
      chooseGroup(hello(...offered), TlsConfig.settingsOf({ ...own, versions: ["1.2"] }, NodePrimitives.make))
    assert.strictEqual(choose([groups(23, 29)]), "x25519")
    assert.strictEqual(choose([groups(25, 24)]), "secp384r1")
    assert.strictEqual(choose([groups(23, 29)], { groups: ["secp256r1", "x25519"] }), "secp256r1")
    assert.strictEqual(choose([groups(0x0a0a, 30)]), undefined)
    assert.strictEqual(choose([groups()]), undefined)
    assert.strictEqual(choose([]), "secp256r1")
    assert.strictEqual(choose([], { groups: ["x25519"] }), "x25519")
  })

  it("suites and signature schemes are in its own order; a client that names no scheme has none that is used here", () => {
    assert.deepStrictEqual(
      commonSuites({ ...clientHello, cipherSuites: [0xc030, 0x0a0a, 0xc02b] }, settings).map((_) => _.id),
      [0xc02b, 0xc030]
    )
    assert.deepStrictEqual(commonSuites({ ...clientHello, cipherSuites: [0x002f] }, settings), [])
    const ours = ["rsa_pss_rsae_sha256", "ecdsa_secp256r1_sha256"] as const
    assert.deepStrictEqual(commonSchemes([0x0403, 0x0201, 0x0804], ours), ours)
    assert.deepStrictEqual(commonSchemes([0x0201], ours), [])
    assert.deepStrictEqual(commonSchemes(undefined, ours), [])
  })

  it("the application protocol is the first of its own that the client has, or no_application_protocol", () => {
    const choose = (offered: ReadonlyArray<Extension>, alpnProtocols: ReadonlyArray<string>) =>
      Result.match(
        chooseProtocol(
          hello(...offered),
          TlsConfig.settingsOf({ alpnProtocols, versions: ["1.2"] }, NodePrimitives.make)
        ),
        {
          onSuccess: (protocol) => protocol,
          onFailure: (fault) => fault
        }
      )
    assert.strictEqual(choose([alpn("b", "a")], ["a", "b"]), "a")
    assert.strictEqual(choose([alpn("b")], ["a", "b"]), "b")
    assert.strictEqual(choose([], ["a"]), undefined)
    assert.strictEqual(choose([alpn("b")], []), undefined)
    assert.deepStrictEqual(choose([alpn("b", "c")], ["a"]), { _tag: "NoApplicationProtocol", offered: ["b", "c"] })
  })
})

describe("judgeResumption", () => {
  const with_ = (...extensions: ReadonlyArray<Extension>): Partial<ClientHello> => ({ extensions })
  const certified = new Session({ ...session, peerCertificates: [Uint8Array.of(1)] })
  const rows: ReadonlyArray<
    readonly [
      name: string,
      change: Partial<ClientHello>,
      verdict: string,
      options?: { readonly session?: Session; readonly requires?: boolean; readonly suites?: number }
    ]
  > = [
    ["the same again", {}, "resumed"],
    ["its suite is not offered", { cipherSuites: [0xc030] }, "declined"],
    ["its suite is not used here any more", {}, "declined", { suites: 0xc030 }],
    ["another name", with_(named("other.test"), extended), "declined"],
    ["no name any more", with_(extended), "declined"],
    ["a certificate is required, and there was none", {}, "declined", { requires: true }],
    ["a certificate is required, and there was one", {}, "resumed", { requires: true, session: certified }],
    [
      "RFC 7627 section 5.3: without extended master secret",
      with_(named("server.test")),
      "ExtendedMasterSecretMissing"
    ],
    ["without it, and declined anyway", with_(named("other.test")), "declined"]
  ]
  for (const [name, change, verdict, { requires = false, session: kept = session, suites } = {}] of rows) {
    it(`${name}: ${verdict}`, () => {
      const own = suites === undefined
        ? settings
        : { ...settings, cipherSuites: settings.cipherSuites.filter(({ id }) => id === suites) }
      const judged = judgeResumption({ ...clientHello, ...change }, kept, own, requires)
      const got = Result.isFailure(judged) ? judged.failure._tag : judged.success === undefined ? "declined" : "resumed"
      assert.strictEqual(got, verdict)
    })
  }
})

describe("judgeServerHello", () => {
  const only = (...extensions: ReadonlyArray<Extension>): Partial<ServerHello> => ({ extensions })
  const unknown: Extension = { _tag: "UnknownExtension", type: 0x1234, data: none }
  const offering = { session, hello: { ...clientHello, sessionId: session.id } }
  const rows: ReadonlyArray<
    readonly [
      name: string,
      change: Partial<ServerHello>,
      verdict: string,
      offer?: Partial<{ session: Session; hello: ClientHello }>
    ]
  > = [
    ["what was asked for", {}, "full, extended"],
    ["R5246-7.2.2-23: a suite that was not offered", { cipherSuite: 0x002f }, "ParameterIllegal cipher_suite"],
    ["compression", { compressionMethod: 1 }, "ParameterIllegal compression_method"],
    ["R5246-7.2.2-37: an extension that was not offered", only(renegotiation(), unknown), "ExtensionUnsolicited"],
    ["a protocol where none was offered", only(renegotiation(), alpn("a")), "ExtensionUnsolicited", {
      hello: { ...clientHello, extensions: [extended] }
    }],
    ["no secure renegotiation", only(extended), "RenegotiationInfoWrong"],
    ["a renegotiation", only(renegotiation(24)), "RenegotiationInfoWrong"],
    ["renegotiation info for the signalling suite", {}, "full, extended", {
      hello: { ...clientHello, extensions: [extended] }
    }],
    ["no uncompressed points", only(renegotiation(), formats(1)), "ParameterIllegal ec_point_formats"],
    [
      "a protocol that was not offered",
      only(renegotiation(), alpn("c")),
      "ParameterIllegal application_layer_protocol_negotiation"
    ],
    ["a protocol", only(renegotiation(), extended, alpn("b")), "full, extended, b"],
    ["no extended master secret", only(renegotiation()), "full"],
    ["the session that was offered", {}, "resumed, extended", offering],
    ["another session", { sessionId: Uint8Array.of(8) }, "full, extended", offering],
    ["no session", { sessionId: none }, "full, extended", offering],
    ["RFC 8446 section 4.1.3: an identifier that means nothing", {}, "ParameterIllegal session_id", {
      hello: offering.hello
    }],
    ["that of a hello with a session of TLS 1.3", {}, "ParameterIllegal session_id", {
      hello: offering.hello,
      session: new Session({ ...session, version: "1.3" })
    }],
    [
      "RFC 7627 section 5.3: that session, without extended master secret",
      only(renegotiation()),
      "ExtendedMasterSecretMissing",
      offering
    ],
    ["that session, with another suite", { cipherSuite: 0xc030 }, "ParameterIllegal cipher_suite", offering]
  ]
  for (const [name, change, verdict, offer] of rows) {
    it(`${name}: ${verdict}`, () => {
      const judged = judgeServerHello({ ...serverHello, ...change }, {
        hello: clientHello,
        settings,
        session: undefined,
        ...offer
      })
      const got = Result.isFailure(judged) ? about(judged.failure) : [
        judged.success.isResumed ? "resumed" : "full",
        ...(judged.success.isExtendedMasterSecret ? ["extended"] : []),
        ...(judged.success.alpnProtocol === undefined ? [] : [judged.success.alpnProtocol])
      ].join(", ")
      assert.strictEqual(got, verdict)
    })
  }
})

/** A pair over a certificate of the test PKI. */
const pairOf = Effect.fnUntraced(function*(name: LeafName, options: TlsTest.Options) {
  const { issuedAt } = yield* testPki
  yield* TestClock.setTime(issuedAt.getTime())
  const { certificatePem, leafDer, privateKeyPem } = yield* testCredential(name)
  const identity = yield* Identity.makePem({ certificate: certificatePem, privateKey: privateKeyPem })
  const trust = yield* trustIn({ der: leafDer })
  return yield* Tls12.ends({ ...options, identity, trust, client: { serverName: "localhost", ...options.client } })
})

describe("two ends agree", () => {
  for (const suite of CipherSuite.suites) {
    test(`on ${suite.name}`, () =>
      Effect.gen(function*() {
        const name = suite.authentication === "rsa" ? "rsa" : "ec"
        const { both } = yield* pairOf(name, { client: { cipherSuites: [suite] } })
        const { client, server } = yield* both
        assert.deepStrictEqual([client.cipherSuite.name, server.cipherSuite.name], [suite.name, suite.name])
        yield* client.write(new Uint8Array(20_000).fill(1))
        assert.strictEqual(Buffer.concat(yield* server.pull).length, 20_000)
        yield* server.write(new Uint8Array(20_000).fill(1))
        assert.strictEqual(Buffer.concat(yield* client.pull).length, 20_000)
      }))
  }

  for (const group of ["x25519", "secp256r1", "secp384r1", "secp521r1"] as const) {
    test(`on ${group}, and on every certificate that fits`, () =>
      Effect.gen(function*() {
        for (const name of ["rsa", "ec", "ec384", "ec521"] as const) {
          const { both, wire } = yield* pairOf(name, { server: { groups: [group] } })
          yield* both
          const keyExchange = (yield* recordsOf(wire, "server"))[2]
          // Handshake type, named_curve, and the code of the group.
          assert.deepStrictEqual(
            [keyExchange?.[5], keyExchange?.[9], keyExchange?.[11]],
            [12, 3, { x25519: 29, secp256r1: 23, secp384r1: 24, secp521r1: 25 }[group]]
          )
        }
      }))
  }

  for (
    const scheme of [
      "rsa_pss_rsae_sha256",
      "rsa_pss_rsae_sha384",
      "rsa_pss_rsae_sha512",
      "rsa_pkcs1_sha256",
      "rsa_pkcs1_sha384",
      "rsa_pkcs1_sha512"
    ] as const
  ) {
    test(`on ${scheme}`, () =>
      Effect.gen(function*() {
        const { both } = yield* pairOf("rsa", { client: { signatureSchemes: [scheme] } })
        assert.match((yield* both).client.cipherSuite.name, /^TLS_ECDHE_RSA_/)
      }))
  }

  test("R5246-7.2.2-16: on nothing, and then the server says handshake_failure", () =>
    Effect.gen(function*() {
      const [aes, chacha] = [[CipherSuite.suites[0]], [CipherSuite.suites[4]]]
      const rows: ReadonlyArray<readonly [string, TlsTest.Options]> = [
        ["cipher suite", { client: { cipherSuites: aes }, server: { cipherSuites: chacha } }],
        ["group", { client: { groups: ["x25519"] }, server: { groups: ["secp256r1"] } }],
        ["signature scheme", {
          client: { signatureSchemes: ["rsa_pkcs1_sha256"] },
          server: { signatureSchemes: ["rsa_pkcs1_sha384"] }
        }],
        ["certificate", { client: { signatureSchemes: ["rsa_pkcs1_sha256"] } }],
        ["certificate", { client: { cipherSuites: [CipherSuite.suites[1]] } }],
        ["certificate", { client: { groups: ["x25519", "secp384r1"] } }]
      ]
      for (const [what, options] of rows) {
        const { accept, connect } = yield* Tls12.ends(options)
        const [client, server] = yield* Effect.all([Effect.exit(connect), Effect.flip(accept)], { concurrency: 2 })
        assert.strictEqual(how(client), "AlertReceived HandshakeFailure", what)
        assert.include(server.message, `no ${what} in common`)
      }
    }))

  test("on an application protocol, on none, or on no connection", () =>
    Effect.gen(function*() {
      const rows: ReadonlyArray<readonly [ReadonlyArray<string>, ReadonlyArray<string>, string]> = [
        [["a", "b"], ["b", "a"], "b"],
        [["a"], [], "none"],
        [[], ["a"], "none"],
        [["a"], ["b"], "AlertSent NoApplicationProtocol"]
      ]
      for (const [ours, theirs, expected] of rows) {
        const exit = yield* Effect.exit(
          Tls12.pair({ client: { alpnProtocols: ours }, server: { alpnProtocols: theirs } })
        )
        const got = exit._tag === "Success"
          ? [exit.value.client.alpnProtocol ?? "none", exit.value.server.alpnProtocol ?? "none"]
          : [how(exit), how(exit)]
        assert.deepStrictEqual(got, [expected, expected])
      }
    }))

  test("on the client: an address is not sent as a name, a certificate is shown where it is asked for", () =>
    Effect.gen(function*() {
      const { both, wire } = yield* pairOf("ec", { client: { serverName: "127.0.0.1" }, clientAuth: "request" })
      const { client, server } = yield* both
      assert.deepStrictEqual([client.serverName, server.serverName], [undefined, undefined])
      assert.notInclude(text((yield* recordsOf(wire, "client"))[0]), "127.0.0.1")
      assert.strictEqual(server.peerCertificates.length, 1)
      assert.deepStrictEqual(client.peerCertificates, [(yield* testCredential("ec")).leafDer])
    }))

  test("on a certificate of the client, which a server may require", () =>
    Effect.gen(function*() {
      const trust = yield* trustIn(yield* TlsTest.identity("client.test", 1))
      for (const [mode, expected] of [["request", "success"], ["require", "AlertSent HandshakeFailure"]] as const) {
        const { accept, connect } = yield* Tls12.ends({ server: { clientAuth: { mode, trust } } })
        const [client, server] = yield* Effect.all([Effect.exit(connect), Effect.exit(accept)], { concurrency: 2 })
        assert.strictEqual(how(server), expected)
        assert.strictEqual(how(client), mode === "request" ? "success" : "AlertReceived HandshakeFailure")
      }
    }))

  test("on a session only where its suite is offered (RFC 5246 section 7.4.1.2)", () =>
    Effect.gen(function*() {
      const shared = {
        sessionCache: yield* SessionCache.makeMemory(),
        identity: yield* TlsTest.identity("server.test", 0)
      }
      yield* Effect.scoped(Tls12.pair({ ...shared, seed: 1, client: { cipherSuites: [CipherSuite.suites[0]] } }))
      const { client, wire } = yield* Tls12.pair({
        ...shared,
        seed: 2,
        client: { cipherSuites: [CipherSuite.suites[4]] }
      })
      assert.isFalse(client.resumed)
      assert.strictEqual((yield* recordsOf(wire, "client"))[0]?.[5 + 4 + 2 + 32], 0)
    }))
})
