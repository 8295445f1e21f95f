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

const versions = ["1.2", "1.3"] as const

/** Options that leave one version to both sides. */
const of = (version: "1.2" | "1.3"): TlsTest.Options => ({
  client: { versions: [version] },
  server: { versions: [version] }
})

/** How the record of an alert looks from outside. */
const sealedAlert = { "1.2": "alert", "1.3": "application_data" } as const

describe("pair", () => {
  const isConnection = (version: string, options: TlsTest.Options) =>
    Effect.gen(function*() {
      const { client, server, wire } = yield* TlsTest.pair(options)
      assert.deepStrictEqual([client.version, client.resumed, client.serverName], [version, false, "server.test"])
      assert.strictEqual(server.serverName, "server.test")
      assert.strictEqual(client.peerCertificates.length, 1)
      yield* client.write(bytes("question"))
      assert.strictEqual(text(yield* server.pull), "question")
      yield* server.write(bytes("answer"))
      assert.strictEqual(text(yield* client.pull), "answer")
      const sealed = (yield* recordsOf(wire, "server")).at(-1)
      assert.strictEqual(sealed?.[0], 23)
      assert.notInclude(text(sealed), "answer")
    })

  for (const [version, options] of [["1.3", {}], ["1.2", of("1.2")]] as const) {
    test(`is a verified TLS connection, of TLS ${version}`, () => isConnection(version, options))
  }

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
        ...of("1.2"),
        sessionCache: yield* SessionCache.makeMemory(),
        identity: yield* TlsTest.identity("server.test", 1)
      }
      const first = yield* TlsTest.pair({ ...shared, seed: 1 })
      const second = yield* TlsTest.pair({ ...shared, seed: 2 })
      const alone = yield* TlsTest.pair({ ...of("1.2"), identity: shared.identity, seed: 3 })
      const resumed = [first, second, alone].map(({ client, server }) => [client.resumed, server.resumed])
      assert.deepStrictEqual(resumed, [[false, false], [true, true], [false, false]])
      assert.deepStrictEqual(second.client.sessionId, first.server.sessionId)
    }))

  test("resumes in TLS 1.3 once the client has read its ticket, which comes with the first data", () =>
    Effect.gen(function*() {
      const shared = {
        sessionCache: yield* SessionCache.makeMemory(),
        identity: yield* TlsTest.identity("server.test", 1)
      }
      const resumed = yield* Effect.forEach([1, 2, 3], (seed) =>
        Effect.gen(function*() {
          const { client, server } = yield* TlsTest.pair({ ...shared, seed })
          // The first client hears nothing, and so has no ticket.
          if (seed > 1) {
            yield* server.write(data)
            yield* client.pull
          }
          return [client.resumed, server.resumed]
        }))
      assert.deepStrictEqual(resumed, [[false, false], [false, false], [true, true]])
    }))

  for (const version of versions) {
    test(`closes both sides with its scope, also what is held: TLS ${version}`, () =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const { wire } = yield* TlsTest.pair(of(version)).pipe(Scope.provide(scope))
        yield* wire.stall({ from: "client" })
        yield* wire.hold({ from: "server" })
        yield* Scope.close(scope, Exit.void)
        for (const side of ["client", "server"] as const) {
          assert.deepStrictEqual((yield* toldBy(wire, side)).slice(-2), [sealedAlert[version], "fin"])
        }
      }))
  }
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
  const leaf = Effect.fnUntraced(function*(name: "rsa" | "ed25519") {
    const pki = yield* Effect.promise(makePki)
    const made = yield* Effect.promise(pki[name])
    yield* TestClock.setTime(pki.issuedAt.getTime())
    const trust = yield* trustIn({ der: made.leafDer })
    const identity = yield* Identity.makePem({ certificate: made.leafPem, privateKey: made.privateKeyPem })
    return { identity, trust }
  })

  for (
    const [version, name, scheme] of [
      ["1.2", "rsa", "rsa_pkcs1_sha256"],
      ["1.2", "ed25519", "ed25519"],
      ["1.3", "ed25519", "ed25519"]
    ] as const
  ) {
    test(`one seed is one conversation, byte for byte, where the signature is: TLS ${version}, ${scheme}`, () =>
      Effect.gen(function*() {
        const options: TlsTest.Options = {
          ...yield* leaf(name),
          client: { serverName: "localhost", versions: [version], groups: ["x25519"] },
          server: { signatureSchemes: [scheme] }
        }
        const first = yield* conversation({ ...options, seed: 1 })
        const second = yield* conversation({ ...options, seed: 1 })
        const other = yield* conversation({ ...options, seed: 2 })
        assert.isAbove(first.length, 10)
        assert.deepStrictEqual(first, second)
        assert.notDeepEqual(first, other)
      }))
  }

  test("one seed is one key; signatures of ECDSA are all that differs before they count", () =>
    Effect.gen(function*() {
      const identity = yield* TlsTest.identity("server.test", 7)
      assert.strictEqual((yield* TlsTest.identity("server.test", 7)).privateKey, identity.privateKey)
      assert.notStrictEqual((yield* TlsTest.identity("server.test", 8)).privateKey, identity.privateKey)
      const [first = [], second = []] = yield* Effect.forEach([1, 1], (seed) =>
        conversation({ ...of("1.2"), identity, seed }))
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
      for (const [version, fault] of [["1.2", "BadRecordMac"], ["1.3", "UnexpectedMessage"]] as const) {
        const open = yield* TlsTest.pair(of(version))
        yield* open.server.write(data)
        assert.strictEqual(text(yield* open.client.pull), text(data))
        yield* open.wire.inject({ from: "server", alert: Alert.fatal("handshake_failure") })
        assert.strictEqual(said(yield* Effect.flip(open.client.pull)), `AlertSent ${fault}`)
      }
    }))

  for (const version of versions) {
    test(`send is said by the TLS of that side, under its keys: TLS ${version}`, () =>
      Effect.gen(function*() {
        const { client, server, wire } = yield* TlsTest.pair(of(version))
        yield* wire.send({ from: "server", alert: Alert.warning("user_canceled") })
        yield* server.write(data)
        assert.strictEqual(text(yield* client.pull), text(data))
        yield* wire.send({ from: "server", contentType: 23, content: bytes("more") })
        assert.strictEqual(text(yield* client.pull), "more")
        yield* wire.send({ from: "server", alert: Alert.fatal("access_denied") })
        assert.strictEqual(said(yield* Effect.flip(client.pull)), "AlertReceived AccessDenied")
        const alert = sealedAlert[version]
        assert.deepStrictEqual(
          (yield* toldBy(wire, "server")).slice(-4),
          [alert, "application_data", "application_data", alert]
        )
        const { wire: closed } = yield* TlsTest.ends()
        assert.strictEqual(
          how(yield* Effect.exit(closed.send({ from: "client", alert: Alert.warning("close_notify") }))),
          "defect"
        )
      }))
  }

  const flights = {
    // The ticket comes before the server's ChangeCipherSpec (RFC 5077 section 3.3).
    "1.2":
      "client 22|server 22|server 22|server 22|server 22|client 22|client 20|client 22|server 22|server 20|server 22" +
      "|client 23|client 21|client End|server 21|server End",
    // The flight of the server, the Finished of the client, the tickets, data, and one close_notify: the server may go on.
    "1.3": "client 22|server 22|server 20|server 23|client 20|client 23|server 23|client 23|client 23|client End"
  }
  for (const version of versions) {
    test(`passed tells everything that arrived, in order: TLS ${version}`, () =>
      Effect.gen(function*() {
        const { client, server, wire } = yield* TlsTest.pair(of(version))
        yield* client.write(data)
        yield* server.pull
        yield* client.close
        yield* Effect.flip(server.pull)
        assert.strictEqual(
          (yield* wire.passed).map((_) => `${_.from} ${_._tag === "Record" ? _.contentType : _._tag}`).join("|"),
          flights[version]
        )
      }))
  }
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
      // Two pulls at the same time are a defect of who pulls.
      assert.strictEqual(how(yield* Effect.exit(Effect.all([server.pull, server.pull], { concurrency: 2 }))), "defect")
      // The end of a writer's scope half-closes: nothing can be written after it.
      const half = yield* TlsTest.ends()
      const writing = yield* Scope.make()
      yield* half.clientSocket.reader
      const writer = yield* half.clientSocket.writer.pipe(Scope.provide(writing))
      yield* writer.writeAll(["one ", data])
      yield* Scope.close(writing, Exit.void)
      assert.strictEqual((yield* Effect.flip(writer.write("more"))).reason._tag, "SocketWriteError")
      const reading = yield* Socket.readerBytes(half.serverSocket)
      assert.strictEqual(text(yield* reading), `one ${text(data)}`)
      assert.strictEqual((yield* Effect.flip(reading)).reason._tag, "SocketCloseError")
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
