import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { Alert, Identity, SessionCache, TlsTest } from "effect-tls"
import { bytes, how, plainAlertsOf, recordsOf, said, test, text, toldBy, trustIn } from "./connection/conversation.ts"
import { makePki } from "./harness/Pki.ts"

const data = bytes("some data")

describe("pair", () => {
  test("is a verified TLS connection", () =>
    Effect.gen(function*() {
      const { client, server, wire } = yield* TlsTest.pair()
      assert.deepStrictEqual([client.version, client.resumed, client.serverName], ["1.2", false, "server.test"])
      assert.strictEqual(server.serverName, "server.test")
      assert.strictEqual(client.peerCertificates.length, 1)
      yield* client.write(bytes("question"))
      assert.strictEqual(text(yield* server.pull), "question")
      yield* server.write(bytes("answer"))
      assert.strictEqual(text(yield* client.pull), "answer")
      const sealed = (yield* recordsOf(wire, "server")).at(-1)
      assert.strictEqual(sealed?.[0], 23)
      assert.notInclude(text(sealed), "answer")
    }))

  test("takes the options of both sides, and client certificates", () =>
    Effect.gen(function*() {
      const { client, server } = yield* TlsTest.pair({
        client: { serverName: "other.test", alpnProtocols: ["a", "b"] },
        server: { alpnProtocols: ["b"] },
        clientAuth: "require"
      })
      assert.deepStrictEqual([client.alpnProtocol, server.alpnProtocol], ["b", "b"])
      assert.strictEqual(server.serverName, "other.test")
      assert.strictEqual(server.peerCertificates.length, 1)
      assert.notDeepEqual(server.peerCertificates, client.peerCertificates)
    }))

  test("verifies: a throw-away certificate that it did not make is unknown, one for another name does not fit", () =>
    Effect.gen(function*() {
      const stranger = yield* Identity.makePem(yield* TlsTest.identity("server.test", "a stranger"))
      const trust = yield* trustIn(yield* TlsTest.identity("server.test", "a friend"))
      assert.strictEqual(said(yield* Effect.flip(TlsTest.pair({ identity: stranger, trust }))), "AlertSent UnknownCa")
      const identity = yield* TlsTest.identity("elsewhere.test", 1)
      assert.strictEqual(said(yield* Effect.flip(TlsTest.pair({ identity }))), "AlertSent CertificateUnknown")
    }))

  test("resumes where cache and identity are shared", () =>
    Effect.gen(function*() {
      const shared = {
        sessionCache: yield* SessionCache.makeMemory(),
        identity: yield* TlsTest.identity("server.test", 1)
      }
      const first = yield* TlsTest.pair({ ...shared, seed: 1 })
      const second = yield* TlsTest.pair({ ...shared, seed: 2 })
      const alone = yield* TlsTest.pair({ identity: shared.identity, seed: 3 })
      const resumed = [first, second, alone].map(({ client, server }) => [client.resumed, server.resumed])
      assert.deepStrictEqual(resumed, [[false, false], [true, true], [false, false]])
      assert.deepStrictEqual(second.client.sessionId, first.server.sessionId)
    }))

  test("closes both sides with its scope, also what is held", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const { wire } = yield* TlsTest.pair().pipe(Scope.provide(scope))
      yield* wire.stall({ from: "client" })
      yield* wire.hold({ from: "server" })
      yield* Scope.close(scope, Exit.void)
      for (const side of ["client", "server"] as const) {
        assert.deepStrictEqual((yield* toldBy(wire, side)).slice(-2), ["alert", "fin"])
      }
    }))
})

describe("seeds", () => {
  const conversation = Effect.fnUntraced(function*(options: TlsTest.Options) {
    const { client, server, wire } = yield* TlsTest.pair(options)
    yield* client.write(bytes("question"))
    yield* server.write(data)
    yield* client.close
    yield* Stream.runDrain(server.stream)
    return yield* wire.passed
  }, Effect.scoped)

  /** The same identity for all: a certificate is signed anew each time that it is made. */
  const rsa = Effect.gen(function*() {
    const pki = yield* Effect.promise(makePki)
    const made = yield* Effect.promise(pki.rsa)
    yield* TestClock.setTime(pki.issuedAt.getTime())
    const trust = yield* trustIn({ der: made.leafDer })
    const identity = yield* Identity.makePem({ certificate: made.leafPem, privateKey: made.privateKeyPem })
    return { identity, trust, client: { serverName: "localhost" } }
  })

  test("one seed is one conversation, byte for byte, where the signature is", () =>
    Effect.gen(function*() {
      const options = { ...yield* rsa, server: { signatureSchemes: ["rsa_pkcs1_sha256"] } } as const
      const first = yield* conversation({ ...options, seed: 1 })
      const second = yield* conversation({ ...options, seed: 1 })
      const other = yield* conversation({ ...options, seed: 2 })
      assert.isAbove(first.length, 12)
      assert.deepStrictEqual(first, second)
      assert.notDeepEqual(first, other)
    }))

  test("one seed is one key; signatures of ECDSA are all that differs before they count", () =>
    Effect.gen(function*() {
      const identity = yield* TlsTest.identity("server.test", 7)
      assert.strictEqual((yield* TlsTest.identity("server.test", 7)).privateKey, identity.privateKey)
      assert.notStrictEqual((yield* TlsTest.identity("server.test", 8)).privateKey, identity.privateKey)
      const [first = [], second = []] = yield* Effect.forEach([1, 1], (seed) => conversation({ identity, seed }))
      const kinds = (passed: ReadonlyArray<TlsTest.Passed>) =>
        passed.map((_) => [_.from, _._tag === "Record" ? _.contentType : _._tag])
      assert.deepStrictEqual(kinds(first), kinds(second))
      // ClientHello, ServerHello, Certificate.
      assert.deepStrictEqual(first.slice(0, 3), second.slice(0, 3))
      const publicKeys = [first, second].map((passed) =>
        passed[3]?._tag === "Record" ? passed[3].bytes.slice(9, 46) : []
      )
      assert.deepStrictEqual(publicKeys[0], publicKeys[1])
      assert.notDeepEqual(first[3], second[3])
    }))
})

describe("wire", () => {
  test("corrupt turns one bit of the record that it names, counted from here on", () =>
    Effect.gen(function*() {
      const { client, server, wire } = yield* TlsTest.pair({ seed: 1 })
      yield* wire.corrupt({ from: "server", record: 0, fragmentBit: 3 })
      yield* server.write(data)
      const sent = yield* Effect.flip(client.pull)
      assert.strictEqual(said(sent), "AlertSent BadRecordMac")
      assert.strictEqual(said(yield* Effect.flip(server.pull)), "AlertReceived BadRecordMac")
    }))

  for (const fragmentBit of [0, 3, 8, -1]) {
    test(`corrupt: bit ${fragmentBit} of the second record`, () =>
      Effect.gen(function*() {
        const { clientSocket, serverSocket, wire } = yield* TlsTest.ends()
        yield* wire.corrupt({ from: "client", record: 1, fragmentBit })
        const { pull } = yield* serverSocket.reader
        yield* clientSocket.reader
        const { write } = yield* clientSocket.writer
        const record = Uint8Array.of(23, 3, 3, 0, 2, 0, 0)
        yield* write(record)
        assert.deepStrictEqual(yield* pull, [record])
        yield* write(record)
        const expected = record.slice()
        new DataView(expected.buffer).setUint16(5, 0x8000 >>> (fragmentBit < 0 ? 15 : fragmentBit))
        assert.deepStrictEqual(yield* pull, [expected])
        yield* write(record)
        assert.deepStrictEqual(yield* pull, [record])
      }))
  }

  test("drop loses one record, and the next one does not authenticate", () =>
    Effect.gen(function*() {
      const { client, server, wire } = yield* TlsTest.pair()
      yield* wire.drop({ from: "client", record: 1 })
      for (const word of ["one", "two", "three"]) yield* client.write(bytes(word))
      assert.strictEqual(text(yield* server.pull), "one")
      assert.strictEqual(said(yield* Effect.flip(server.pull)), "AlertSent BadRecordMac")
    }))

  test("split delivers a record in pieces, and nothing is lost", () =>
    Effect.gen(function*() {
      const { clientSocket, serverSocket, wire } = yield* TlsTest.ends()
      const pull = yield* Socket.readerBytes(serverSocket)
      yield* clientSocket.reader
      const { write } = yield* clientSocket.writer
      yield* wire.split({ from: "client", record: 0 })
      yield* wire.split({ from: "client", record: 2, sizes: [1, 4] })
      const record = Uint8Array.of(23, 3, 3, 0, 4, 1, 2, 3, 4)
      yield* write(Buffer.concat([record, record, record]))
      const pieces = yield* Effect.replicateEffect(pull, 9 + 1 + 3)
      assert.deepStrictEqual(pieces.map(([piece]) => piece.length), [1, 1, 1, 1, 1, 1, 1, 1, 1, 9, 1, 4, 4])
      assert.deepStrictEqual(Buffer.concat(pieces.flat()), Buffer.concat([record, record, record]))
    }))

  test("split: a whole handshake, one byte at a time", () =>
    Effect.gen(function*() {
      const { both, wire } = yield* TlsTest.ends()
      for (let record = 0; record < 8; record++) {
        yield* wire.split({ from: "client", record })
        yield* wire.split({ from: "server", record })
      }
      const { client, server } = yield* both
      yield* client.write(data)
      assert.strictEqual(text(yield* server.pull), text(data))
    }))

  test("replace delivers what it is told, here the record twice", () =>
    Effect.gen(function*() {
      const { client, server, wire } = yield* TlsTest.pair()
      yield* wire.replace({ from: "client", record: 0, by: (record) => [record, record] })
      yield* client.write(data)
      assert.strictEqual(text(yield* server.pull), text(data))
      assert.strictEqual(said(yield* Effect.flip(server.pull)), "AlertSent BadRecordMac")
    }))

  for (
    const [name, where, read] of [
      ["at once", {}, ""],
      ["before a record", { record: 1 }, "some data"],
      ["in the middle of a record", { bytes: 50 }, "some data"],
      ["whichever comes first", { bytes: 50, record: 1 }, "some data"]
    ] as const
  ) {
    for (const by of ["fin", "reset"] as const) {
      test(`truncate: ${name}, by ${by}`, () =>
        Effect.gen(function*() {
          const { client, server, wire } = yield* TlsTest.pair()
          yield* wire.truncate({ from: "server", by, ...where })
          const writes = yield* Effect.exit(Effect.replicateEffect(server.write(data), 3))
          // What is written into a cut cable is lost in silence, and a reset is felt.
          assert.strictEqual(how(writes), by === "fin" ? "success" : "TransportFailed")
          if (read !== "") assert.strictEqual(text(yield* client.pull), read)
          const error = yield* Effect.flip(client.pull)
          assert.strictEqual(error._tag, "Truncated")
          if (error._tag !== "Truncated") return
          assert.deepStrictEqual(
            [error.by, error.bytesRead, error.midRecord],
            [by, read.length, "bytes" in where && !("record" in where)]
          )
        }))
    }
  }

  test("hold keeps what was written on the way, and release joins it", () =>
    Effect.gen(function*() {
      const { client, server, wire } = yield* TlsTest.pair()
      yield* wire.hold({ from: "client" })
      for (const word of ["one ", "two ", "three"]) yield* client.write(bytes(word))
      const pulled = yield* Effect.forkChild(server.pull, { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      assert.isUndefined(pulled.pollUnsafe())
      yield* wire.release({ from: "client" })
      assert.strictEqual(text(yield* Fiber.join(pulled)), "one two three")
    }))

  test("hold can begin with a record to come", () =>
    Effect.gen(function*() {
      const { client, server, wire } = yield* TlsTest.pair()
      yield* wire.hold({ from: "client", record: 1 })
      yield* client.write(bytes("one"))
      yield* client.writeAll([bytes("two"), new Uint8Array(20_000)])
      assert.strictEqual(text(yield* server.pull), "one")
      const pulled = yield* Effect.forkChild(server.pull, { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      assert.isUndefined(pulled.pollUnsafe())
      yield* wire.release({ from: "client" })
      assert.strictEqual(Buffer.concat(yield* Fiber.join(pulled)).length, 20_003)
    }))

  test("stall makes the writer wait until release", () =>
    Effect.gen(function*() {
      const { client, server, wire } = yield* TlsTest.pair()
      yield* wire.stall({ from: "client" })
      const writing = yield* Effect.forkChild(client.write(data), { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      assert.isUndefined(writing.pollUnsafe())
      yield* wire.release({ from: "client" })
      yield* Fiber.join(writing)
      assert.strictEqual(text(yield* server.pull), text(data))
    }))

  test("inject adds an alert in the clear, or any bytes", () =>
    Effect.gen(function*() {
      const { connect, wire } = yield* TlsTest.ends()
      yield* wire.inject({ from: "server", alert: Alert.fatal("handshake_failure") })
      assert.strictEqual(said(yield* Effect.flip(connect)), "AlertReceived HandshakeFailure")
      assert.deepStrictEqual(yield* plainAlertsOf(wire, "server"), ["fatal handshake_failure"])

      const web = yield* TlsTest.ends()
      yield* web.wire.inject({ from: "server", bytes: bytes("HTTP/1.1 400 Bad Request\r\n\r\n") })
      // Nobody is at the other end to read the alert and hang up.
      const connecting = yield* Effect.forkChild(Effect.flip(web.connect))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(said(yield* Fiber.join(connecting)), "AlertSent UnexpectedMessage")
      assert.deepStrictEqual(yield* toldBy(web.wire, "server"), ["bytes"])
      // A protected connection takes no alert in the clear.
      const open = yield* TlsTest.pair()
      yield* open.wire.inject({ from: "server", alert: Alert.fatal("handshake_failure") })
      assert.strictEqual(said(yield* Effect.flip(open.client.pull)), "AlertSent BadRecordMac")
    }))

  test("send is said by the TLS of that side, under its keys", () =>
    Effect.gen(function*() {
      const { client, server, wire } = yield* TlsTest.pair()
      yield* wire.send({ from: "server", alert: Alert.warning("user_canceled") })
      yield* server.write(data)
      assert.strictEqual(text(yield* client.pull), text(data))
      yield* wire.send({ from: "server", contentType: 23, content: bytes("more") })
      assert.strictEqual(text(yield* client.pull), "more")
      yield* wire.send({ from: "server", alert: Alert.fatal("access_denied") })
      assert.strictEqual(said(yield* Effect.flip(client.pull)), "AlertReceived AccessDenied")
      assert.deepStrictEqual((yield* toldBy(wire, "server")).slice(-4), [
        "alert",
        "application_data",
        "application_data",
        "alert"
      ])
      const { wire: closed } = yield* TlsTest.ends()
      assert.strictEqual(
        how(yield* Effect.exit(closed.send({ from: "client", alert: Alert.warning("close_notify") }))),
        "defect"
      )
    }))

  test("passed tells everything that arrived, in order", () =>
    Effect.gen(function*() {
      const { client, server, wire } = yield* TlsTest.pair()
      yield* client.write(data)
      yield* server.pull
      yield* client.close
      yield* Effect.flip(server.pull)
      assert.deepStrictEqual(
        (yield* wire.passed).map((_) => `${_.from} ${_._tag === "Record" ? _.contentType : _._tag}`),
        [
          ..."client 22|server 22|server 22|server 22|server 22|client 22|client 20|client 22|server 20|server 22"
            .split("|"),
          ..."client 23|client 21|client End|server 21|server End".split("|")
        ]
      )
    }))
})

describe("ends", () => {
  test("both handshakes fail, each in its own way", () =>
    Effect.gen(function*() {
      const { accept, connect, wire } = yield* TlsTest.ends({ seed: 1 })
      // The first bit of the handshake type.
      yield* wire.corrupt({ from: "client", record: 0, fragmentBit: 0 })
      const exits = yield* Effect.all([Effect.exit(connect), Effect.exit(accept)], { concurrency: 2 })
      assert.deepStrictEqual(exits.map(how), ["AlertReceived UnexpectedMessage", "AlertSent UnexpectedMessage"])
      assert.deepStrictEqual(yield* plainAlertsOf(wire, "server"), ["fatal unexpected_message"])
    }))

  test("a test that fails is over at once, whatever the clock says", () =>
    Effect.gen(function*() {
      const failing = Effect.gen(function*() {
        const { both } = yield* TlsTest.ends()
        yield* both
        return yield* Effect.die("an assertion")
      })
      assert.strictEqual(how(yield* Effect.exit(Effect.scoped(failing))), "defect")
    }))

  test("one end can be played by hand", () =>
    Effect.gen(function*() {
      const { accept, clientSocket } = yield* TlsTest.ends()
      const accepting = yield* Effect.forkChild(Effect.flip(accept))
      const pull = yield* Socket.readerBytes(clientSocket)
      const { write } = yield* clientSocket.writer
      yield* write(bytes("GET / HTTP/1.0\r\n\r\n"))
      assert.deepStrictEqual(Array.from((yield* pull)[0]), [21, 3, 3, 0, 2, 2, 10])
      const end = yield* Effect.flip(pull)
      assert.deepStrictEqual([end.reason._tag, "code" in end.reason && end.reason.code], ["SocketCloseError", 1000])
      yield* write(new Socket.CloseEvent())
      assert.strictEqual(said(yield* Fiber.join(accepting)), "AlertSent UnexpectedMessage")
    }))

  test("a socket of it obeys the contract of Effect's sockets", () =>
    Effect.gen(function*() {
      const { clientSocket, serverSocket } = yield* TlsTest.ends()
      const scope = yield* Scope.make()
      // A write before the connection waits for it.
      const { write } = yield* clientSocket.writer
      const early = yield* Effect.forkChild(write("early"), { startImmediately: true })
      assert.isUndefined(early.pollUnsafe())
      const { pull } = yield* clientSocket.reader.pipe(Scope.provide(scope))
      yield* Fiber.join(early)
      const server = yield* serverSocket.reader
      assert.strictEqual(
        text(yield* Effect.map(server.pull, ([chunk]) => chunk instanceof Uint8Array ? chunk : undefined)),
        "early"
      )
      assert.strictEqual((yield* Effect.flip(Effect.scoped(clientSocket.reader))).reason._tag, "SocketOpenError")
      assert.strictEqual((yield* Effect.flip(server.upgrade())).reason._tag, "SocketUpgradeError")
      // The end of the scope fails a pull that waits, and ends what this side writes.
      const pulled = yield* Effect.forkChild(Effect.flip(pull), { startImmediately: true })
      yield* Scope.close(scope, Exit.void)
      const [mine, theirs] = [yield* Fiber.join(pulled), yield* Effect.flip(server.pull)]
      const codes = [mine, theirs].map(({ reason }) => reason._tag === "SocketCloseError" ? reason.code : reason._tag)
      assert.deepStrictEqual(codes, [1006, 1000])
      const { write: answer } = yield* serverSocket.writer
      assert.strictEqual((yield* Effect.flip(answer(data))).reason._tag, "SocketWriteError")
    }))
})
