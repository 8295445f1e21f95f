/**
 * RFC 5246 section 7.2.2 on the wire: each error that the section names is provoked between a client and a server, and seen from
 * both sides: who finds it sends the one alert, fatal, and ends; who receives it learns which alert it was, and says nothing.
 */
import { assert, describe } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { CipherSuite, Identity, type Primitives, Reason, TlsError, TlsTest, Trust } from "effect-tls"
import { contentTypes, flipBits, headerLength, makeRecord } from "../harness/TlsRecords.ts"
import { type LeafName, testCredential, testPki } from "../harness/Pki.ts"
import { bytes, observed, recordsOf, test, toldBy, trustIn } from "../connection/conversation.ts"
import * as Tls12 from "../harness/Tls12.ts"

type Side = TlsTest.Side

interface Provocation {
  /** Who finds the error. */
  readonly by: Side
  readonly options?: Effect.Effect<TlsTest.Options, unknown, Primitives>
  /** What is done to the wire before anything is said. */
  readonly wire?: (wire: TlsTest.Wire) => Effect.Effect<void>
  /** What is done to the open connection. */
  readonly open?: (wire: TlsTest.Wire) => Effect.Effect<void>
}

const other = (side: Side): Side => side === "client" ? "server" : "client"

// Records of a full handshake, counted for each side.
const clientHello = { from: "client", record: 0 } as const
const clientKeyExchange = { from: "client", record: 1 } as const
const serverHello = { from: "server", record: 0 } as const
const serverCertificate = { from: "server", record: 1 } as const
const serverKeyExchange = { from: "server", record: 2 } as const
const serverHelloDone = { from: "server", record: 3 } as const
// With a client certificate: after Certificate and ClientKeyExchange.
const certificateVerify = { from: "client", record: 2 } as const

/** The same message with another body: the lengths of message and record are right for it. */
const body = (change: (body: Uint8Array) => Uint8Array) => (record: Uint8Array) => {
  const fresh = change(record.subarray(headerLength + 4))
  const header = Uint8Array.of(record[headerLength] ?? 0, fresh.length >> 16, fresh.length >> 8, fresh.length)
  return [makeRecord(contentTypes.handshake, Uint8Array.of(...header, ...fresh))]
}
const shortened = body((bytes) => bytes.subarray(0, -1))
const lengthened = body((bytes) => Uint8Array.of(...bytes, 0))
const message = (type: number, ...content: ReadonlyArray<number>) =>
  makeRecord(contentTypes.handshake, Uint8Array.of(type, 0, 0, content.length, ...content))

/** Without the extension of a type; what follows a hello's `before` bytes is its block of extensions. */
const withoutExtension = (type: number, before: (body: Uint8Array) => number) =>
  body((bytes) => {
    const start = before(bytes)
    const kept: Array<number> = []
    for (let at = start + 2; at < bytes.length;) {
      const end = at + 4 + (bytes[at + 2] ?? 0) * 256 + (bytes[at + 3] ?? 0)
      if ((bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0) !== type) kept.push(...bytes.subarray(at, end))
      at = end
    }
    return Uint8Array.of(...bytes.subarray(0, start), kept.length >> 8, kept.length & 255, ...kept)
  })
/** A block of extensions with one more. */
const withExtension = (extension: ReadonlyArray<number>, before: (body: Uint8Array) => number) =>
  body((bytes) => {
    const start = before(bytes)
    const length = bytes.length - start - 2 + extension.length
    return Uint8Array.of(
      ...bytes.subarray(0, start),
      length >> 8,
      length & 255,
      ...bytes.subarray(start + 2),
      ...extension
    )
  })
/** Version, random, session_id, cipher_suite, compression_method. */
const serverHelloFields = (bytes: Uint8Array) => 35 + (bytes[34] ?? 0) + 3
/** Version, random, session_id, cipher_suites, compression_methods. */
const clientHelloFields = (bytes: Uint8Array) => {
  const suites = 35 + (bytes[34] ?? 0)
  const methods = suites + 2 + (bytes[suites] ?? 0) * 256 + (bytes[suites + 1] ?? 0)
  return methods + 1 + (bytes[methods] ?? 0)
}

const set = (at: (body: Uint8Array) => number, ...values: ReadonlyArray<number>) =>
  body((bytes) => {
    const copy = bytes.slice()
    copy.set(values, at(bytes))
    return copy
  })

/** A server with a certificate of the test PKI, and a client that trusts its root. */
const showing = (name: LeafName) =>
  Effect.gen(function*() {
    const pki = yield* testPki
    const { certificatePem, privateKeyPem } = yield* testCredential(name)
    yield* TestClock.setTime(pki.issuedAt.getTime())
    const options: TlsTest.Options = {
      client: { serverName: "localhost" },
      identity: yield* Identity.makePem({ certificate: certificatePem, privateKey: privateKeyPem }),
      trust: yield* trustIn({ der: pki.ca.certificateDer })
    }
    return options
  })

/** A server whose application judges clients so. */
const refusing = (alert: "access_denied" | "bad_certificate" | "certificate_unknown") =>
  Effect.gen(function*() {
    const client = yield* Identity.makePem(yield* TlsTest.identity("client.test", 1))
    const refusal = { _tag: "CertificateRefused", alert, why: "not on the list" } as const
    const trust = Trust.Trust.of({ fingerprint: "a list", verify: () => Effect.fail(refusal) })
    const options: TlsTest.Options = {
      client: { identity: client },
      server: { clientAuth: { mode: "require", trust } }
    }
    return options
  })

/** A server whose key is elsewhere, and cannot be reached. */
const withoutKey = Effect.gen(function*() {
  const made = yield* TlsTest.identity("server.test", 0)
  const credential: Identity.Credential = {
    chain: [made.der],
    keyType: "ec-p256",
    sign: () => Effect.fail(new Identity.IdentityError({ why: "the key store does not answer" }))
  }
  const options: TlsTest.Options = {
    identity: { fingerprint: "elsewhere", select: () => Effect.succeedSome(credential) },
    trust: yield* trustIn(made)
  }
  return options
})

const always = (options: TlsTest.Options) => Effect.succeed(options)

const inTheClear = ([
  ["ClientHello", "server", clientHello],
  ["ClientKeyExchange", "server", clientKeyExchange],
  ["ServerHello", "client", serverHello],
  ["Certificate", "client", serverCertificate],
  ["ServerKeyExchange", "client", serverKeyExchange],
  ["ServerHelloDone", "client", serverHelloDone]
] as const).map(([name, by, at]) => ({ name, by, at }))

type Row = readonly [what: string, provocation: Provocation]

const provocations: ReadonlyArray<readonly [error: string, alert: Reason.ErrorDescription, rows: ReadonlyArray<Row>]> =
  [
    ["R5246-7.2.2-10: an inappropriate message", "unexpected_message", [
      ["Finished comes first", {
        by: "server",
        wire: (wire) => wire.replace({ ...clientHello, by: () => [message(20, ...new Uint8Array(12))] })
      }],
      ["ServerHelloDone comes twice, the first before its time", {
        by: "client",
        wire: (wire) => wire.replace({ ...serverKeyExchange, by: () => [message(14), message(14)] })
      }],
      ["application data comes before Finished", {
        by: "server",
        wire: (wire) => wire.replace({ ...clientKeyExchange, by: (record) => [makeRecord(23, bytes("early")), record] })
      }],
      ["ChangeCipherSpec comes before the key exchange (CVE-2014-0224)", {
        by: "client",
        wire: (wire) =>
          wire.replace({ ...serverCertificate, by: (record) => [makeRecord(20, Uint8Array.of(1)), record] })
      }]
    ]],
    [
      "R5246-7.2.2-11: a record that does not open",
      "bad_record_mac",
      (["client", "server"] as const).map((by): Row => [
        `a bit of a record to the ${by} is turned`,
        { by, open: (wire) => wire.corrupt({ from: other(by), record: 0, fragmentBit: -1 }) }
      ])
    ],
    ["R5246-7.2.2-14: a record that is too long", "record_overflow", [
      ["a protected record claims 2^14 + 2049 bytes", {
        by: "server",
        open: (wire) => wire.inject({ from: "client", bytes: Uint8Array.of(23, 3, 3, 0x48, 0x01) })
      }],
      ["a record in the clear claims 2^14 + 1 bytes", {
        by: "client",
        wire: (wire) => wire.replace({ ...serverHello, by: () => [Uint8Array.of(22, 3, 3, 0x40, 0x01)] })
      }]
    ]],
    ["R5246-7.2.2-16: nothing acceptable in common", "handshake_failure", [
      ["no cipher suite in common", {
        by: "server",
        options: always({ client: { cipherSuites: [CipherSuite.suites[1]] } })
      }],
      ["no group in common", {
        by: "server",
        options: always({ client: { groups: ["x25519"] }, server: { groups: ["secp384r1"] } })
      }]
    ]],
    ["R5246-7.2.2-18: a corrupt certificate", "bad_certificate", [
      ["the signature of the certificate is turned by a bit", {
        by: "client",
        wire: (wire) => wire.replace({ ...serverCertificate, by: (record) => [flipBits(record, -1)] })
      }],
      ["the certificate is no DER", {
        by: "client",
        wire: (wire) =>
          wire.replace({ ...serverCertificate, by: (record) => [flipBits(record, headerLength + 10, 0xff)] })
      }]
    ]],
    ["R5246-7.2.2-19: a certificate for something else", "unsupported_certificate", [
      ["the server shows a certificate for clients", { by: "client", options: showing("client") }]
    ]],
    ["R5246-7.2.2-21: a certificate out of its time", "certificate_expired", [
      ["its time is over", { by: "client", options: showing("expired") }],
      ["its time has not come", { by: "client", options: showing("future") }]
    ]],
    ["R5246-7.2.2-22: a certificate that is not acceptable otherwise", "certificate_unknown", [
      ["it is for another host", { by: "client", options: showing("wrongHost") }],
      ["the application refuses it without a reason of the list", {
        by: "server",
        options: refusing("certificate_unknown")
      }]
    ]],
    ["R5246-7.2.2-23: a field out of range or at odds with others", "illegal_parameter", [
      ["a suite that was not offered", {
        by: "client",
        wire: (wire) => wire.replace({ ...serverHello, by: set((bytes) => serverHelloFields(bytes) - 3, 0x00, 0x2f) })
      }],
      ["a compression method that was not offered", {
        by: "client",
        wire: (wire) => wire.replace({ ...serverHello, by: set((bytes) => serverHelloFields(bytes) - 1, 1) })
      }],
      ["a key share that is no point of its group", {
        by: "server",
        options: always({ client: { groups: ["secp256r1"] } }),
        wire: (wire) => wire.replace({ ...clientKeyExchange, by: set((bytes) => bytes.length - 1, 0x55) })
      }]
    ]],
    ["R5246-7.2.2-24: an authority that is not trusted", "unknown_ca", [
      ["an issuer that nobody trusts", { by: "client", options: showing("untrusted") }],
      ["a certificate that signs for itself", { by: "client", options: showing("selfSigned") }]
    ]],
    ["R5246-7.2.2-25: access denied to a valid certificate", "access_denied", [
      ["the application denies a valid certificate", { by: "server", options: refusing("access_denied") }]
    ]],
    ["R5246-7.2.2-26: a message that cannot be decoded", "decode_error", [
      ...inTheClear.filter(({ name }) => name !== "ServerHelloDone").map(({ at, by, name }): Row => [
        `${name} is a byte too short`,
        { by, wire: (wire) => wire.replace({ ...at, by: shortened }) }
      ]),
      ...inTheClear.map(({ at, by, name }): Row => [
        `${name} is a byte too long`,
        { by, wire: (wire) => wire.replace({ ...at, by: lengthened }) }
      ])
    ]],
    ["R5246-7.2.2-27: a signature or a Finished that is wrong", "decrypt_error", [
      ["the signature of ServerKeyExchange", {
        by: "client",
        wire: (wire) => wire.replace({ ...serverKeyExchange, by: (record) => [flipBits(record, -1)] })
      }],
      ["the signature of CertificateVerify", {
        by: "server",
        options: always({ clientAuth: "require" }),
        wire: (wire) => wire.replace({ ...certificateVerify, by: (record) => [flipBits(record, -1)] })
      }],
      ["Finished, where the two saw different messages under the same keys", {
        by: "server",
        wire: (wire) => wire.replace({ ...clientHello, by: withoutExtension(0x17, clientHelloFields) })
      }]
    ]],
    ["R5246-7.2.2-29: a version that is not spoken", "protocol_version", [
      ["the client offers TLS 1.0", {
        by: "server",
        wire: (wire) => wire.replace({ ...clientHello, by: set(() => 0, 3, 1) })
      }],
      ["the server answers with TLS 1.1", {
        by: "client",
        wire: (wire) => wire.replace({ ...serverHello, by: set(() => 0, 3, 2) })
      }]
    ]],
    ["R5246-7.2.2-31: a fault of our own", "internal_error", [
      ["the key store does not answer", { by: "server", options: withoutKey }]
    ]],
    ["R5246-7.2.2-37: an extension that was not asked for", "unsupported_extension", [
      ["the server answers what was not asked", {
        by: "client",
        wire: (wire) => wire.replace({ ...serverHello, by: withExtension([0x00, 0x0f, 0, 1, 1], serverHelloFields) })
      }]
    ]]
  ]

/** How both sides end, once the wire and the connection were treated so. */
const provoke = ({ by, open, options, wire: treat }: Provocation) =>
  Effect.gen(function*() {
    const alerts = observed()
    const given = options === undefined ? {} : yield* options
    const watched: TlsTest.Options = {
      ...given,
      client: { ...given.client, observe: alerts.observe("client") },
      server: { ...given.server, observe: alerts.observe("server") }
    }
    if (open !== undefined) {
      const pair = yield* Tls12.pair(watched)
      yield* open(pair.wire)
      yield* pair[other(by)].write(bytes("data"))
      const finder = yield* Effect.exit(pair[by].pull)
      const peer = yield* Effect.exit(pair[other(by)].pull)
      yield* Effect.all([pair.client.close, pair.server.close], { concurrency: 2 })
      return { finder, peer, alerts, wire: pair.wire }
    }
    const { accept, connect, wire } = yield* Tls12.ends(watched)
    if (treat !== undefined) yield* treat(wire)
    const [client, server] = yield* Effect.forEach(
      [connect, accept],
      (side) => Effect.exit(Effect.scoped(Effect.flatMap(side, (connection) => connection.pull))),
      { concurrency: 2 }
    )
    return { finder: by === "client" ? client : server, peer: by === "client" ? server : client, alerts, wire }
  })

const failureOf = (exit: Exit.Exit<unknown, unknown> | undefined): unknown =>
  exit === undefined || Exit.isSuccess(exit) ? exit : exit.cause.reasons.find(Cause.isFailReason)?.error

describe("R5246-7.2.2-01, R5246-7.2.2-04, R5246-7.2.2-06: the matching alert is sent, at level fatal, and that is the end", () => {
  for (const [error, alert, rows] of provocations) {
    for (const [what, provocation] of rows) {
      test(`${error} is ${alert}: ${what}`, () =>
        Effect.gen(function*() {
          const { by } = provocation
          const { alerts, finder, peer, wire } = yield* provoke(provocation)
          const sent = failureOf(finder)
          const received = failureOf(peer)
          assert(sent instanceof TlsError.AlertSent, String(sent))
          assert(received instanceof TlsError.AlertReceived, String(received))
          assert.strictEqual(Reason.descriptionOfReason(sent.reason), alert, sent.message)
          assert.deepStrictEqual([received.level, Reason.descriptionOfReason(received.reason)], ["fatal", alert])
          // One fatal alert, then the end; the other side has nothing to add but its own end.
          assert.deepStrictEqual(alerts.sent, [`${by} fatal ${alert}`])
          assert.deepStrictEqual((yield* toldBy(wire, by)).slice(-2), ["alert", "fin"])
          assert.notInclude(yield* toldBy(wire, other(by)), "alert")
          assert.strictEqual((yield* toldBy(wire, other(by))).at(-1), "fin")
        }))
    }
  }
})

describe("R5246-7.2.2-17: a client without a certificate that is asked for one", () => {
  const asked = (mode: "request" | "require") =>
    Effect.gen(function*() {
      const alerts = observed()
      const trust = yield* trustIn(yield* TlsTest.identity("client.test", 1))
      const { accept, connect, wire } = yield* Tls12.ends({
        client: { observe: alerts.observe("client") },
        server: { observe: alerts.observe("server"), clientAuth: { mode, trust } }
      })
      const server = yield* Effect.forkScoped(Effect.exit(accept), { startImmediately: true })
      const client = yield* Effect.exit(Effect.flatMap(connect, (connection) => connection.close))
      const [, certificate] = yield* recordsOf(wire, "client")
      return { client, server: yield* Fiber.join(server), certificate, alerts }
    })
  // RFC 5246 section 7.4.6: a certificate_list of length 0.
  const emptyList = [...makeRecord(contentTypes.handshake, Uint8Array.of(11, 0, 0, 3, 0, 0, 0))]

  test("says so with an empty list, and goes on; alert 41 is not used", () =>
    Effect.gen(function*() {
      const { alerts, certificate, client, server } = yield* asked("request")
      assert.isTrue(Exit.isSuccess(client) && Exit.isSuccess(server))
      assert.deepStrictEqual(Array.from(certificate ?? []), emptyList)
      assert.notInclude(alerts.sent.join(), "no_certificate")
    }))

  test("is refused with handshake_failure by a server that requires one", () =>
    Effect.gen(function*() {
      const { alerts, certificate, client } = yield* asked("require")
      assert.deepStrictEqual(Array.from(certificate ?? []), emptyList)
      assert.deepStrictEqual(alerts.sent, ["server fatal handshake_failure"])
      assert.instanceOf(failureOf(client), TlsError.AlertReceived)
    }))
})
