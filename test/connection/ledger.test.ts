/** The ledger of the design: what went wrong elsewhere, and does not here. One test each, at least. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import {
  Alert,
  Identity,
  Primitives,
  Randomness,
  type Session,
  SessionCache,
  TlsClient,
  TlsServer,
  TlsTest,
  Trust
} from "effect-tls"
import { bytes, how, observed, plainAlertsOf, recordsOf, said, test, text, toldBy, trustIn } from "./conversation.ts"
import * as Tls12 from "../harness/Tls12.ts"

const data = bytes("some data")
const record = (type: number, ...content: ReadonlyArray<number>) =>
  Uint8Array.of(type, 3, 3, content.length >>> 8, content.length, ...content)

/** The first record of a client: its ClientHello. */
const clientHello = Effect.scoped(Effect.gen(function*() {
  const { connect, wire } = yield* Tls12.ends()
  yield* Effect.forkChild(Effect.ignore(connect), { startImmediately: true })
  return (yield* recordsOf(wire, "client"))[0] ?? assert.fail("there is no hello")
}))

/** What a side makes of what is on the wire before it opens, and of the end after it. */
const hears = Effect.fnUntraced(function*(side: TlsTest.Side, ...told: ReadonlyArray<Uint8Array>) {
  const { accept, connect, wire } = yield* Tls12.ends()
  const from = side === "client" ? "server" : "client"
  for (const bytes of told) yield* wire.inject({ from, bytes })
  yield* wire.truncate({ from })
  const exit = yield* Effect.exit(side === "client" ? connect : accept)
  return { how: how(exit), alerts: yield* plainAlertsOf(wire, side) }
}, Effect.scoped)

/** Both handshakes over a wire that was told what to do, and however long they take. */
const shake = Effect.fnUntraced(function*(
  prepare: (wire: TlsTest.Wire) => Effect.Effect<void>,
  options: TlsTest.Options = {}
) {
  const { accept, connect, wire } = yield* Tls12.ends(options)
  yield* prepare(wire)
  const scope = yield* Scope.make("parallel")
  const shaking = yield* Effect.forkChild(
    Effect.all([Effect.exit(connect), Effect.exit(accept)], { concurrency: 2 }).pipe(Scope.provide(scope))
  )
  yield* TestClock.adjust("1 minute")
  const [client, server] = yield* Fiber.join(shaking)
  yield* Scope.close(scope, Exit.void)
  return { client: how(client), server: how(server), wire }
})

describe("CVE-2016-8610: endless warnings in the clear, many in a record", () => {
  const flood = (count: number) => record(21, ...Array.from({ length: count }, () => [1, 90]).flat())
  for (
    const [name, told] of [["many records", Array.from({ length: 10_000 }, () => flood(1))], ["many in each", [
      flood(8000)
    ]]] as const
  ) {
    test(`${name}: the fifth ends the handshake`, () =>
      Effect.gen(function*() {
        const expected = { how: "AlertSent UnexpectedMessage", alerts: ["fatal unexpected_message"] }
        assert.deepStrictEqual(yield* hears("client", ...told), expected)
        assert.deepStrictEqual(yield* hears("server", yield* clientHello, ...told), expected)
      }))
  }
})

describe("RUSTSEC-2024-0336: close_notify after ClientHello spins for ever", () => {
  for (const level of [1, 2]) {
    test(`at level ${level} it ends the handshake, in the chunk of the hello or in the next`, () =>
      Effect.gen(function*() {
        const hello = yield* clientHello
        const closing = record(21, level, 0)
        for (const told of [[hello, closing], [Buffer.concat([hello, closing])]]) {
          assert.deepStrictEqual(yield* hears("server", ...told), {
            how: "HandshakeAborted",
            alerts: ["warning close_notify"]
          })
        }
      }))
  }
})

describe("CVE-2014-0224: an early ChangeCipherSpec", () => {
  test("before every message of the other side, until the keys are there, it is unexpected_message", () =>
    Effect.gen(function*() {
      for (const [from, records] of [["server", [0, 1, 2, 3, 4]], ["client", [0, 1]]] as const) {
        for (const index of records) {
          const shaken = yield* shake((wire) =>
            wire.replace({ from, record: index, by: (message) => [record(20, 1), message] })
          )
          const mine = shaken[from === "server" ? "client" : "server"]
          assert.strictEqual(mine, "AlertSent UnexpectedMessage", `before record ${index} of the ${from}`)
        }
      }
    }))

  test("a second one, after the first, is unexpected_message too", () =>
    Effect.gen(function*() {
      const twice = (message: Uint8Array) => [message, message]
      const { client } = yield* shake((wire) => wire.replace({ from: "server", record: 5, by: twice }))
      // Under the new keys a record in the clear does not even authenticate.
      assert.strictEqual(client, "AlertSent BadRecordMac")
    }))
})

describe("SMACK, SKIP and FREAK: skipped and repeated messages", () => {
  const names = {
    server: ["ServerHello", "Certificate", "ServerKeyExchange", "CertificateRequest", "ServerHelloDone"],
    client: ["Certificate", "ClientKeyExchange", "CertificateVerify"]
  }
  for (const from of ["server", "client"] as const) {
    for (const [index, name] of names[from].entries()) {
      const at = from === "server" ? index : index + 1
      test(`${name} skipped, and repeated`, () =>
        Effect.gen(function*() {
          for (const repeated of [false, true]) {
            const shaken = yield* shake(
              (wire) => wire.replace({ from, record: at, by: (message) => repeated ? [message, message] : [] }),
              { clientAuth: "require" }
            )
            const other = from === "server" ? "client" : "server"
            const { [from]: mine, [other]: theirs } = shaken
            if (name === "CertificateRequest" && !repeated) {
              // To the client it is optional. It sends no certificate then, and the server wants one.
              assert.deepStrictEqual([mine, theirs], ["AlertSent UnexpectedMessage", "AlertReceived UnexpectedMessage"])
              continue
            }
            if (name === "ServerHelloDone" && !repeated) {
              // Each waits for the other.
              assert.deepStrictEqual([mine, theirs], ["HandshakeAborted", "HandshakeAborted"])
              continue
            }
            assert.strictEqual(theirs, "AlertSent UnexpectedMessage")
            // The flight of the client is on its way already when it sees the second ServerHelloDone.
            const isLate = name === "ServerHelloDone" && repeated
            assert.strictEqual(mine, isLate ? "success" : "AlertReceived UnexpectedMessage")
          }
        }))
    }
  }
})

/** A cache of somebody else: a plain Map, told by `invalidate` alone. */
const foreignCache = () => {
  const stored = new Map<string, Session>()
  const forgotten: Array<string> = []
  const cache = SessionCache.SessionCache.of({
    offer: (key) => Effect.sync(() => Option.fromUndefinedOr(stored.get(key)?.copy())),
    store: (key, session) => Effect.sync(() => void stored.set(key, session.copy())),
    invalidate: (key, session) =>
      Effect.sync(() => {
        forgotten.push(key.split(" ", 1)[0] ?? "")
        const kept = stored.get(key)
        if (kept !== undefined && Buffer.from(kept.id).equals(session.id)) stored.delete(key)
      })
  })
  return { cache, forgotten }
}

/** Whether a second connection resumes the session of the first, which ended so. */
const resumesAfter = Effect.fnUntraced(function*(
  sessionCache: SessionCache.SessionCache["Service"],
  end: (pair: TlsTest.Pair) => Effect.Effect<unknown, unknown>
) {
  const identity = yield* TlsTest.identity("server.test", 0)
  yield* Effect.scoped(
    Effect.flatMap(Tls12.pair({ seed: 1, identity, sessionCache }), (pair) => Effect.exit(end(pair)))
  )
  return yield* Effect.scoped(Effect.map(Tls12.pair({ seed: 2, identity, sessionCache }), (_) => _.client.resumed))
})

const tampered = ({ client, server, wire }: TlsTest.Pair) =>
  Effect.gen(function*() {
    yield* wire.corrupt({ from: "server", record: 0, fragmentBit: 0 })
    yield* server.write(data)
    yield* Effect.ignore(client.pull)
    yield* Effect.ignore(server.pull)
  })

describe("sessions and alerts", () => {
  test("Mbed TLS #4614: a session is not resumed after a fatal alert", () =>
    Effect.gen(function*() {
      const cache = yield* SessionCache.makeMemory()
      assert.isFalse(yield* resumesAfter(cache, tampered))
      assert.isTrue(yield* resumesAfter(yield* SessionCache.makeMemory(), () => Effect.void))
    }))

  test("OpenSSL #1069: a cache of the application is told, by both sides", () =>
    Effect.gen(function*() {
      const { cache, forgotten } = foreignCache()
      assert.isFalse(yield* resumesAfter(cache, tampered))
      assert.deepStrictEqual(forgotten, ["client", "server"])
    }))

  test("OpenSSL #11378: an end without close_notify breaks no resumption", () =>
    Effect.gen(function*() {
      for (const by of ["fin", "reset"] as const) {
        const { cache, forgotten } = foreignCache()
        const cut = ({ client, server, wire }: TlsTest.Pair) =>
          Effect.gen(function*() {
            yield* wire.truncate({ from: "server", by })
            assert.strictEqual(said(yield* Effect.flip(client.pull)), "Truncated")
            yield* Effect.ignore(server.pull)
          })
        assert.isTrue(yield* resumesAfter(cache, cut))
        assert.deepStrictEqual(forgotten, [])
      }
    }))
})

describe("OpenSSL #15159: an alert after shutdown", () => {
  test("after our close_notify nothing leaves, whatever comes", () =>
    Effect.gen(function*() {
      const words: ReadonlyArray<(wire: TlsTest.Wire) => Effect.Effect<void>> = [
        (wire) => wire.inject({ from: "server", bytes: bytes("garbage") }),
        (wire) => wire.inject({ from: "server", bytes: record(23, ...new Uint8Array(40)) }),
        (wire) => wire.send({ from: "server", alert: Alert.fatal("internal_error") }),
        (wire) => wire.send({ from: "server", alert: Alert.fromBytes(7, 7) }),
        (wire) => wire.send({ from: "server", contentType: 22, content: Uint8Array.of(0, 0, 0, 0) }),
        (wire) => wire.send({ from: "server", alert: Alert.warning("close_notify") })
      ]
      for (const say of words) {
        const alerts = observed()
        const { client, wire } = yield* Tls12.pair({ client: { observe: alerts.observe("client") } })
        yield* client.closeWrite
        yield* say(wire)
        yield* wire.truncate({ from: "server" })
        yield* Effect.flip(client.pull)
        yield* client.close
        assert.deepStrictEqual(alerts.sent, ["client warning close_notify"])
        assert.deepStrictEqual((yield* toldBy(wire, "client")).slice(-2), ["alert", "fin"])
      }
    }).pipe(Effect.scoped))

  test("after the close_notify of the peer, and our answer, nothing leaves either", () =>
    Effect.gen(function*() {
      const alerts = observed()
      const { client, server, wire } = yield* Tls12.pair({ client: { observe: alerts.observe("client") } })
      yield* wire.hold({ from: "server" })
      yield* server.close
      yield* wire.inject({ from: "server", bytes: bytes("garbage") })
      yield* wire.release({ from: "server" })
      assert.strictEqual(said(yield* Effect.flip(client.pull)), "Done")
      assert.strictEqual(said(yield* Effect.flip(client.write(data))), "ConnectionClosed")
      yield* client.close
      assert.deepStrictEqual(alerts.sent, ["client warning close_notify"])
    }))
})

describe("a FIN taken for a clean end", () => {
  test("a conversation cut at every byte is Truncated at every byte, until close_notify is whole", () =>
    Effect.gen(function*() {
      const identity = yield* TlsTest.identity("server.test", 0)
      const converse = Effect.fnUntraced(function*(cut: number) {
        const { accept, connect, wire } = yield* Tls12.ends({ identity })
        yield* wire.truncate({ from: "server", bytes: cut })
        const serve = Effect.flatMap(accept, (server) => Effect.andThen(server.write(data), server.close))
        yield* Effect.forkChild(Effect.ignore(serve))
        const exit = yield* Effect.exit(Effect.flatMap(connect, (client) => Stream.runCollect(client.stream)))
        return { how: how(exit), lengths: (yield* recordsOf(wire, "server")).map((bytes) => bytes.length) }
      }, Effect.scoped)
      // The third record holds a signature, and is the only one whose length differs from run to run.
      const whole = yield* converse(2 ** 20)
      const rest = whole.lengths.reduce((sum, length, index) => index === 2 ? sum : sum + length, 0)
      assert.strictEqual(whole.lengths.length, 9)
      let last = ""
      for (let cut = 1; last !== "success"; cut++) {
        const { how, lengths } = yield* converse(cut)
        const signed = lengths[2] ?? Infinity
        assert.strictEqual(how, cut < rest + signed ? "Truncated" : "success", `cut at ${cut}`)
        last = how
      }
    }))
})

describe("plaintext carried over a STARTTLS upgrade", () => {
  const services = Effect.fnUntraced(function*(identity: TlsTest.ThrowAwayIdentity) {
    const primitives = yield* Primitives
    const trust = yield* trustIn(identity)
    const mine = yield* Identity.makePem(identity)
    const cache = yield* SessionCache.makeMemory()
    return <A, E, R>(effect: Effect.Effect<A, E, R>, seed: string) =>
      effect.pipe(
        Effect.provideService(Trust.Trust, trust),
        Effect.provideService(Identity.Identity, mine),
        Effect.provideService(SessionCache.SessionCache, cache),
        Effect.provideService(Randomness.Randomness, Randomness.makeInsecureSeeded(primitives, seed))
      )
  })
  const halvesOf = Effect.fnUntraced(function*(socket: Socket.Socket) {
    return { reader: yield* socket.reader, writer: yield* socket.writer }
  })

  test("an upgrade fails if a byte is buffered, and says so with unexpected_message; without one it goes through", () =>
    Effect.gen(function*() {
      for (const unread of ["", "RCPT TO:<attacker@example.com>\r\n"]) {
        for (const victim of ["client", "server"] as const) {
          const provide = yield* services(yield* TlsTest.identity("server.test", 0))
          const { clientSocket, serverSocket, wire } = yield* Tls12.ends()
          const [mine, theirs] = [yield* halvesOf(clientSocket), yield* halvesOf(serverSocket)]
          yield* mine.writer.write("STARTTLS\r\n")
          yield* theirs.reader.pull
          const left = (side: TlsTest.Side) => ({ unread: bytes(side === victim ? unread : "") })
          const scope = yield* Scope.make("parallel")
          const exits = yield* Effect.all([
            Effect.exit(provide(TlsClient.upgrade({ ...mine, ...left("client") }, { serverName: "server.test" }), "c")),
            Effect.exit(provide(TlsServer.upgrade({ ...theirs, ...left("server") }), "s"))
          ], { concurrency: 2 }).pipe(Scope.provide(scope), Effect.forkChild)
          yield* TestClock.adjust("3 seconds")
          const [client, server] = yield* Fiber.join(exits)
          const outcome = victim === "client" ? [client, server].map(how) : [server, client].map(how)
          assert.deepStrictEqual(
            outcome,
            unread === "" ? ["success", "success"] : ["AlertSent UnexpectedMessage", "AlertReceived UnexpectedMessage"]
          )
          const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
          yield* TestClock.adjust("3 seconds")
          yield* Fiber.join(closing)
          void wire
        }
      }
    }).pipe(Effect.scoped))
})

describe("a peer never sees the alert, or loses data, because of a reset", () => {
  test("R5246-7.2.1-12: who is still writing can go on while we drain, and reads the alert and all that was sent before it", () =>
    Effect.gen(function*() {
      const { client, server, wire } = yield* Tls12.pair()
      yield* wire.hold({ from: "server" })
      yield* server.write(data)
      yield* wire.corrupt({ from: "client", record: 0, fragmentBit: 0 })
      yield* client.write(data)
      assert.strictEqual(said(yield* Effect.flip(server.pull)), "AlertSent BadRecordMac")
      // Half-closed, not closed: none of these writes fails.
      for (let i = 0; i < 50; i++) yield* client.write(new Uint8Array(16_384))
      assert.deepStrictEqual((yield* toldBy(wire, "server")).at(-1), "handshake")
      yield* wire.release({ from: "server" })
      assert.strictEqual(text(yield* client.pull), text(data))
      assert.strictEqual(said(yield* Effect.flip(client.pull)), "AlertReceived BadRecordMac")
      assert.deepStrictEqual((yield* toldBy(wire, "server")).slice(-3), ["application_data", "alert", "fin"])
    }))
})

describe("a certificate rejected with no alert sent", () => {
  const refusals: ReadonlyArray<
    readonly [string, (verify: Trust.Trust["Service"]["verify"]) => Trust.Trust["Service"]["verify"], string]
  > = [
    [
      "unknown authority",
      () => () => Effect.fail({ _tag: "CertificateUntrusted", depth: 0, issuer: "x" }),
      "UnknownCa"
    ],
    [
      "expired",
      () => () => Effect.fail({ _tag: "CertificateExpired", depth: 0, notAfter: "then" }),
      "CertificateExpired"
    ],
    [
      "not yet valid",
      () => () => Effect.fail({ _tag: "CertificateNotYetValid", depth: 0, notBefore: "then" }),
      "CertificateExpired"
    ],
    ["malformed", () => () => Effect.fail({ _tag: "CertificateMalformed", depth: 0, why: "x" }), "BadCertificate"],
    ["wrongly signed", () => () => Effect.fail({ _tag: "CertificateSignatureWrong", depth: 0 }), "BadCertificate"],
    [
      "unsupported",
      () => () => Effect.fail({ _tag: "CertificateUnsupported", depth: 0, why: "x" }),
      "UnsupportedCertificate"
    ],
    ["for another name", () => () => Effect.fail({ _tag: "CertificateNameMismatch", name: "x" }), "CertificateUnknown"],
    [
      "refused",
      () => () => Effect.fail({ _tag: "CertificateRefused", alert: "access_denied", why: "x" }),
      "AccessDenied"
    ],
    [
      "after a wait",
      (verify) => (chain, peer) =>
        Effect.andThen(
          Effect.yieldNow,
          Effect.andThen(verify(chain, peer), Effect.fail({ _tag: "CertificateMissing" } as const))
        ),
      "HandshakeFailure"
    ]
  ]
  for (const [name, change, alert] of refusals) {
    test(`${name}: the peer reads ${alert}, whichever side it is`, () =>
      Effect.gen(function*() {
        const identity = yield* TlsTest.identity("server.test", 0)
        const trust = yield* trustIn(identity)
        const refusing = Trust.Trust.of({ fingerprint: "refusing", verify: change(trust.verify) })
        const shown = yield* Identity.makePem(identity)
        const cases: ReadonlyArray<readonly [TlsTest.Options, number]> = [
          [{ identity, trust: refusing }, 0],
          [{ identity, client: { identity: shown }, server: { clientAuth: { mode: "require", trust: refusing } } }, 1]
        ]
        for (const [options, refuser] of cases) {
          const { accept, connect, wire } = yield* Tls12.ends(options)
          const exits = yield* Effect.all([Effect.exit(connect), Effect.exit(accept)], { concurrency: 2 })
          const expected = [`AlertSent ${alert}`, `AlertReceived ${alert}`]
          assert.deepStrictEqual(exits.map(how), refuser === 0 ? expected : expected.toReversed())
          assert.deepStrictEqual((yield* toldBy(wire, refuser === 0 ? "client" : "server")).slice(-2), ["alert", "fin"])
        }
      }).pipe(Effect.scoped))
  }
})

describe("a write interrupted between sealing and sending breaks the sequence", () => {
  test("however often writers are interrupted, what arrives opens, and is whole", () =>
    Effect.gen(function*() {
      const { client, server, wire } = yield* Tls12.pair()
      for (let turn = 0; turn < 20; turn++) {
        if (turn % 2 === 0) yield* wire.stall({ from: "client" })
        const writers = yield* Effect.forEach(
          [1, 2, 3],
          (part) => Effect.forkChild(client.write(bytes(`(${turn}.${part})`)), { startImmediately: part < turn % 4 })
        )
        yield* Effect.forEach(writers, (writer) => Fiber.interrupt(writer), { concurrency: 3 })
        yield* wire.release({ from: "client" })
      }
      yield* client.write(bytes("end"))
      yield* client.close
      const read = text(yield* Stream.runCollect(server.stream))
      assert.match(read, /^(\(\d+\.\d\))+end$/)
      assert.strictEqual((yield* server.closure)._tag, "Closed")
    }))
})

describe("a connection that timed out says goodbye much later, as if all went well", () => {
  test("it says goodbye when it gives up, and its long scope has nothing to add", () =>
    Effect.gen(function*() {
      const long = yield* Scope.make()
      const { connect, wire } = yield* Tls12.ends()
      const connecting = yield* Effect.forkChild(Effect.flip(Scope.provide(connect, long)), { startImmediately: true })
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(said(yield* Fiber.join(connecting)), "HandshakeAborted")
      const told = ["handshake", "alert", "alert", "fin"]
      assert.deepStrictEqual(yield* toldBy(wire, "client"), told)
      yield* TestClock.adjust("1 hour")
      yield* Scope.close(long, Exit.void)
      assert.deepStrictEqual(yield* toldBy(wire, "client"), told)
      assert.deepStrictEqual(yield* plainAlertsOf(wire, "client"), ["warning user_canceled", "warning close_notify"])
    }))
})
