/** Every option of `Limits`, with the alert it raises at its peer, and options that cannot be used. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Socket from "effect/socket/Socket"
import { TestClock } from "effect/testing"
import { Alert, TlsConfig, TlsTest } from "effect-tls"
import { bytes, how, plainAlertsOf, said, test, toldBy } from "./conversation.ts"
import * as Tls12 from "../harness/Tls12.ts"

const data = bytes("some data")

/** The handshakes of both ends. */
const shake = Effect.fnUntraced(
  function*(options: TlsTest.Options, prepare?: (wire: TlsTest.Wire) => Effect.Effect<void>) {
    const { accept, connect, wire } = yield* Tls12.ends(options)
    if (prepare !== undefined) yield* prepare(wire)
    const [client, server] = yield* Effect.all([Effect.exit(connect), Effect.exit(accept)], { concurrency: 2 })
    return { client, server, wire }
  }
)

/** A handshake message of that type, of which nothing is there yet but its length. */
const announced = (type: number, length: number) =>
  Uint8Array.of(22, 3, 3, 0, 4, type, length >>> 16, length >>> 8, length)

describe("limits of the handshake", () => {
  const rows: ReadonlyArray<readonly [name: string, limits: TlsConfig.LimitOptions, alert: string, fault: string]> = [
    ["handshakeMessage", { handshakeMessage: 90 }, "IllegalParameter", "MessageTooLong"],
    ["certificateChain", { certificateChain: 300 }, "CertificateUnknown", "CertificateChainTooLong"],
    ["handshake", { handshake: 400 }, "IllegalParameter", "HandshakeTooLong"]
  ]
  for (const [name, limits, alert, fault] of rows) {
    test(`limits.${name} of the client raises ${alert}`, () =>
      Effect.gen(function*() {
        const { client, server } = yield* shake({ client: { limits } })
        assert.deepStrictEqual([how(client), how(server)], [`AlertSent ${alert}`, `AlertReceived ${alert}`])
        const error = yield* Effect.flip(client)
        assert.strictEqual(error._tag === "AlertSent" ? error.fault._tag : "", fault)
      }))

    test(`limits.${name} of the server raises ${alert}`, () =>
      Effect.gen(function*() {
        const { client, server } = yield* shake({ server: { limits }, clientAuth: "require" })
        assert.deepStrictEqual([how(client), how(server)], [`AlertReceived ${alert}`, `AlertSent ${alert}`])
      }))
  }

  test("by default: what is announced is enough, and one byte less is waited for", () =>
    Effect.gen(function*() {
      const { certificateChain, handshakeMessage } = TlsConfig.defaultLimits
      for (
        const [type, limit, alert] of [
          [2, handshakeMessage, "fatal illegal_parameter"],
          [11, certificateChain, "fatal certificate_unknown"]
        ] as const
      ) {
        for (const excess of [0, 1]) {
          const { connect, wire } = yield* Tls12.ends()
          yield* wire.inject({ from: "server", bytes: announced(type, limit + excess) })
          yield* wire.truncate({ from: "server" })
          const error = yield* Effect.flip(connect)
          assert.strictEqual(error._tag, excess === 0 ? "Truncated" : "AlertSent")
          assert.deepStrictEqual(yield* plainAlertsOf(wire, "client"), excess === 0 ? [] : [alert])
        }
      }
    }).pipe(Effect.scoped))

  test("by default: 256 KiB of messages are enough", () =>
    Effect.gen(function*() {
      const record = new Uint8Array(5 + 16384)
      record.set([22, 3, 3, 0x40, 0])
      // A certificate message that never comes to its end.
      const first = record.slice()
      first.set([11, 0x0f, 0xff, 0xff], 5)
      for (const records of [16, 17]) {
        const { connect, wire } = yield* Tls12.ends({ client: { limits: { certificateChain: 2 ** 24 } } })
        yield* wire.inject({ from: "server", bytes: first })
        for (let i = 1; i < records; i++) yield* wire.inject({ from: "server", bytes: record })
        yield* wire.truncate({ from: "server" })
        assert.strictEqual(
          said(yield* Effect.flip(connect)),
          records === 16 ? "Truncated" : "AlertSent IllegalParameter"
        )
      }
    }).pipe(Effect.scoped))
})

describe("limits of what is tolerated", () => {
  const send = {
    warnings: { alert: Alert.warning("user_canceled") },
    emptyRecords: { contentType: 23, content: new Uint8Array(0) },
    renegotiations: { contentType: 22, content: Uint8Array.of(0, 0, 0, 0) }
  } as const
  for (const name of ["warnings", "emptyRecords", "renegotiations"] as const) {
    for (const limit of [0, 1, 7]) {
      test(`limits.${name}: ${limit} in a row, and one more raises UnexpectedMessage`, () =>
        Effect.gen(function*() {
          const { client, server, wire } = yield* Tls12.pair({ client: { limits: { [name]: limit } } })
          for (let i = 0; i < limit; i++) yield* wire.send({ from: "server", ...send[name] })
          yield* server.write(data)
          yield* client.pull
          for (let i = 0; i <= limit; i++) yield* wire.send({ from: "server", ...send[name] })
          const error = yield* Effect.flip(client.pull)
          assert.strictEqual(said(error), "AlertSent UnexpectedMessage")
          assert.strictEqual(error._tag === "AlertSent" && "limit" in error.fault && error.fault.limit, limit)
        }))
    }
  }
})

describe("limits of the goodbye", () => {
  test("limits.closeTimeout: how long the last record may take to leave", () =>
    Effect.gen(function*() {
      const { client, wire } = yield* Tls12.pair({ client: { limits: { closeTimeout: "5 seconds" } } })
      yield* wire.stall({ from: "client" })
      yield* Effect.forkChild(Effect.ignore(client.write(data)), { startImmediately: true })
      const closing = yield* Effect.forkChild(client.close, { startImmediately: true })
      yield* TestClock.adjust("4999 millis")
      assert.isUndefined(closing.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(closing)
      // Closed without it.
      yield* wire.release({ from: "client" })
      assert.deepStrictEqual((yield* toldBy(wire, "client")).slice(-2), ["application_data", "fin"])
    }))

  /** A server that has sent a fatal alert, and a peer that goes on talking: how often it is heard out. */
  const talk = Effect.fnUntraced(function*(limits: TlsConfig.LimitOptions) {
    const { accept, clientSocket } = yield* Tls12.ends({ server: { limits } })
    const pull = yield* Socket.readerBytes(clientSocket)
    const { write } = yield* clientSocket.writer
    const accepting = yield* Effect.forkChild(Effect.flip(accept), { startImmediately: true })
    yield* write(bytes("garbage"))
    assert.deepStrictEqual(Array.from((yield* pull)[0]), [21, 3, 3, 0, 2, 2, 10])
    return { accepting, write }
  })

  test("limits.drainBytes: how much a peer may still say", () =>
    Effect.gen(function*() {
      const { accepting, write } = yield* talk({ drainBytes: 1000, drainTimeout: "1 second" })
      let taken = 0
      yield* Effect.flip(Effect.forever(Effect.andThen(
        write(new Uint8Array(100)),
        Effect.suspend(() => {
          taken++
          return Effect.yieldNow
        })
      )))
      assert.isAtLeast(taken, 10)
      assert.isAtMost(taken, 12)
      assert.strictEqual(said(yield* Fiber.join(accepting)), "AlertSent UnexpectedMessage")
    }))

  test("limits.drainTimeout: how long", () =>
    Effect.gen(function*() {
      const { accepting, write } = yield* talk({ drainTimeout: "5 seconds" })
      yield* TestClock.adjust("4999 millis")
      yield* write(data)
      assert.isUndefined(accepting.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(accepting)
      assert.strictEqual((yield* Effect.flip(write(data))).reason._tag, "SocketWriteError")
    }))
})

describe("options that cannot be used", () => {
  const common: ReadonlyArray<readonly [option: string, options: TlsConfig.CommonOptions]> = [
    ["cipherSuites", { cipherSuites: [] }],
    ["groups", { groups: [] }],
    ["signatureSchemes", { signatureSchemes: [] }],
    ["alpnProtocols", { alpnProtocols: ["h2", ""] }],
    ["alpnProtocols", { alpnProtocols: ["x".repeat(256)] }],
    ["alpnProtocols", { alpnProtocols: ["\u0100"] }],
    ["alpnProtocols", { alpnProtocols: Array.from({ length: 300 }, () => "x".repeat(255)) }],
    ...([
      "warnings",
      "emptyRecords",
      "renegotiations",
      "handshakeMessage",
      "certificateChain",
      "handshake",
      "drainBytes"
    ] as const)
      .flatMap((name) =>
        [-1, 1.5, NaN, Infinity].map((value) => [`limits.${name}`, { limits: { [name]: value } }] as const)
      ),
    ...(["handshakeTimeout", "closeTimeout", "drainTimeout"] as const)
      .flatMap((name) =>
        ["-1 seconds", "soon", NaN].map((value) =>
          [`limits.${name}`, { limits: { [name]: value } as TlsConfig.LimitOptions }] as const
        )
      )
  ]
  for (const side of ["client", "server"] as const) {
    test(`of the ${side}: each is named, and nothing is sent`, () =>
      Effect.gen(function*() {
        for (const [option, options] of common) {
          const { accept, connect, wire } = yield* Tls12.ends({ [side]: options })
          const error = yield* Effect.flip(side === "client" ? connect : accept)
          assert.deepStrictEqual(
            [error._tag, "option" in error && error.option],
            ["InvalidOption", option],
            JSON.stringify(options)
          )
          assert.include(error.message, "Nothing was sent")
          assert.deepStrictEqual(yield* wire.passed, [])
        }
      }))
  }

  test("serverName: neither a host name nor an address", () =>
    Effect.gen(function*() {
      const identity = yield* TlsTest.identity("server.test", 0)
      for (
        const serverName of [
          "",
          " ",
          "a b",
          "-a.test",
          "a..test",
          "user@a.test",
          "a.test/",
          "1.2.3.4.5:1",
          "x".repeat(64)
        ]
      ) {
        const { connect } = yield* Tls12.ends({ identity, client: { serverName } })
        const error = yield* Effect.flip(connect)
        assert.deepStrictEqual(
          [error._tag, "option" in error && error.option],
          ["InvalidOption", "serverName"],
          serverName
        )
      }
    }))

  test("the largest that can be used: 255 bytes a name, and as many names as a hello has room for", () =>
    Effect.gen(function*() {
      const alpnProtocols = Array.from({ length: 200 }, (_, index) => String.fromCharCode(index).padEnd(255, "\xff"))
      const { client, server } = yield* Tls12.pair({
        client: { alpnProtocols },
        server: { alpnProtocols: alpnProtocols.slice(-1) }
      })
      assert.strictEqual(client.alpnProtocol, alpnProtocols.at(-1))
      assert.strictEqual(server.alpnProtocol, alpnProtocols.at(-1))
    }))
})
