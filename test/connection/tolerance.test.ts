/** What is tolerated, and how often: warnings, requests to renegotiate, empty records. Law 9 of the design. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { Alert, TlsTest, type Trust } from "effect-tls"
import { bytes, how, observed, plainAlertsOf, recordsOf, said, test, text } from "./conversation.ts"
import * as Tls12 from "../harness/Tls12.ts"

const data = bytes("some data")
const helloRequest = Uint8Array.of(0, 0, 0, 0)
const warning = (code: number) => Alert.fromBytes(1, code)

/** What one side says out of turn. */
type Word = { readonly alert: Alert.Alert } | { readonly contentType: number; readonly content: Uint8Array }

const alert = (code: number): Word => ({ alert: warning(code) })
const handshake = (content: Uint8Array): Word => ({ contentType: 22, content })
const empty: Word = { contentType: 23, content: new Uint8Array(0) }
const some: Word = { contentType: 23, content: data }
const times = (count: number, word: Word): ReadonlyArray<Word> => Array.from({ length: count }, () => word)

/** Says all that to the other side of an open connection, in one chunk, then data: how often that arrives, and then what. */
const hear = Effect.fnUntraced(function*(
  words: ReadonlyArray<Word>,
  from: TlsTest.Side = "server",
  options: TlsTest.Options = {}
) {
  const alerts = observed()
  const side = from === "server" ? "client" : "server"
  const pair = yield* Tls12.pair({ ...options, [side]: { ...options[side], observe: alerts.observe(side) } })
  const { wire } = pair
  yield* wire.hold({ from })
  for (const word of [...words, some]) yield* wire.send({ from, ...word })
  yield* wire.send({ from, alert: Alert.warning("close_notify") })
  yield* wire.release({ from })
  const read: Array<Uint8Array> = []
  const exit = yield* Effect.exit(Stream.runForEach(pair[side].stream, (_) => Effect.sync(() => read.push(_))))
  return { read: read.length, how: how(exit), sent: alerts.sent.map((_) => _.slice(side.length + 1)), exit }
}, Effect.scoped)

const clean = { how: "success", sent: ["warning close_notify"] }
const refused = { how: "AlertSent UnexpectedMessage", sent: ["fatal unexpected_message"] }

describe("warnings", () => {
  test("R5246-7.2.2-07, R5246-7.2.2-05, R5246-7.2.2-38: any description is tolerated as a warning, unknown ones too", () =>
    Effect.gen(function*() {
      const codes = Array.from({ length: 255 }, (_, index) => index + 1)
      const heard = yield* hear(codes.flatMap((code) => [alert(code), some]))
      assert.deepInclude(heard, { read: 256, ...clean })
    }))

  const rows: ReadonlyArray<readonly [name: string, words: ReadonlyArray<Word>, read: number, end: typeof clean]> = [
    ["four in a row", times(4, alert(90)), 1, clean],
    ["R5246-7.2.2-10: the fifth in a row", times(5, alert(90)), 0, refused],
    ["of different kinds", [alert(90), alert(100), alert(42), alert(200), alert(112)], 0, refused],
    ["with data between", [...times(4, alert(90)), some, ...times(4, alert(90))], 2, clean],
    ["empty records refill nothing", [...times(4, alert(90)), empty, alert(90)], 0, refused],
    [
      "five in one record",
      [{ contentType: 21, content: Uint8Array.of(1, 90, 1, 90, 1, 90, 1, 90, 1, 90) }],
      0,
      refused
    ],
    ["four in one record", [{ contentType: 21, content: Uint8Array.of(1, 90, 1, 90, 1, 90, 1, 90) }], 1, clean],
    [
      "one split over two records",
      [1, 90].map((byte) => ({ contentType: 21, content: Uint8Array.of(byte) })),
      1,
      clean
    ],
    ["half of one, then data", [{ contentType: 21, content: Uint8Array.of(1) }], 0, refused]
  ]
  for (const [name, words, read, end] of rows) {
    for (const from of ["server", "client"] as const) {
      test(`from the ${from}: ${name}`, () =>
        Effect.map(hear(words, from), (heard) => assert.deepInclude(heard, { read, ...end })))
    }
  }

  test("in the handshake: four in a row, and each message refills", () =>
    Effect.gen(function*() {
      for (const [count, expected] of [[4, "success"], [5, "AlertSent UnexpectedMessage"]] as const) {
        const { accept, connect, wire } = yield* Tls12.ends()
        const flood = Uint8Array.of(21, 3, 3, 0, 2 * count, ...Array.from({ length: count }, () => [1, 90]).flat())
        for (const record of [0, 1, 2]) {
          yield* wire.replace({ from: "server", record, by: (message) => [flood, message] })
        }
        const [client] = yield* Effect.all([Effect.exit(connect), Effect.exit(accept)], { concurrency: 2 })
        assert.strictEqual(how(client), expected)
      }
    }).pipe(Effect.scoped))

  test("R5246-7.2-06: a level that is neither warning nor fatal is illegal_parameter, whatever the description", () =>
    Effect.gen(function*() {
      for (const level of [0, 3, 255]) {
        for (const description of [0, 90, 200]) {
          const { wire, connect } = yield* Tls12.ends()
          yield* wire.inject({ from: "server", alert: Alert.fromBytes(level, description) })
          yield* wire.truncate({ from: "server" })
          assert.strictEqual(said(yield* Effect.flip(connect)), "AlertSent IllegalParameter")
          assert.deepStrictEqual(yield* plainAlertsOf(wire, "client"), ["fatal illegal_parameter"])
          const open = yield* hear([{ alert: Alert.fromBytes(level, description) }])
          assert.deepInclude(open, { how: "AlertSent IllegalParameter", sent: ["fatal illegal_parameter"] })
        }
      }
    }).pipe(Effect.scoped))
})

describe("requests to renegotiate", () => {
  const asking = { client: handshake(helloRequest), server: handshake(Uint8Array.of(1, 0, 0, 2, 3, 3)) }
  const answered = { how: "success", sent: ["warning no_renegotiation", "warning close_notify"] }

  test("R5246-7.2.2-34: a HelloRequest gets the warning no_renegotiation, and the connection goes on", () =>
    Effect.map(hear([asking.client], "server"), (heard) => assert.deepInclude(heard, { read: 1, ...answered })))

  test("R5246-7.2.2-35: a ClientHello in mid-connection gets the same", () =>
    Effect.map(hear([asking.server], "client"), (heard) => assert.deepInclude(heard, { read: 1, ...answered })))

  for (const side of ["client", "server"] as const) {
    const from = side === "client" ? "server" : "client"
    const ask = asking[side]
    test(`the second one in a row is refused`, () =>
      Effect.map(hear([ask, ask], from), (heard) =>
        assert.deepInclude(heard, {
          read: 0,
          how: refused.how,
          sent: ["warning no_renegotiation", "fatal unexpected_message"]
        })))

    test("warnings and empty records between do not help, data does", () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* hear([ask, alert(90), empty, ask], from)).how, refused.how)
        // All in one chunk: one answer does for both.
        assert.deepInclude(yield* hear([ask, some, ask], from), { read: 2, ...answered })
      }))

    test("each gets an answer where the one before has left", () =>
      Effect.gen(function*() {
        const alerts = observed()
        const pair = yield* Tls12.pair({ [side]: { observe: alerts.observe(side) } })
        for (let time = 1; time <= 3; time++) {
          yield* pair.wire.send({ from, ...ask })
          yield* pair.wire.send({ from, ...some })
          assert.strictEqual(text(yield* pair[side].pull), text(data))
          assert.lengthOf(alerts.sent, time)
        }
      }))

    test("where the peer does not read, one answer waits for it", () =>
      Effect.gen(function*() {
        const alerts = observed()
        const pair = yield* Tls12.pair({ [side]: { observe: alerts.observe(side) } })
        yield* pair.wire.stall({ from: side })
        const stuck = yield* Effect.forkChild(pair[side].write(data), { startImmediately: true })
        for (let time = 0; time < 100; time++) {
          yield* pair.wire.send({ from, ...ask })
          yield* pair.wire.send({ from, ...some })
          assert.strictEqual(text(yield* pair[side].pull), text(data))
        }
        assert.isUndefined(stuck.pollUnsafe())
        assert.deepStrictEqual(alerts.sent, [`${side} warning no_renegotiation`])
        yield* pair.wire.release({ from: side })
        yield* Fiber.join(stuck)
        assert.strictEqual(text(yield* pair[from].pull), text(data))
      }))

    test("one that does not belong there is unexpected_message", () =>
      Effect.gen(function*() {
        for (
          const other of [asking[from], handshake(Uint8Array.of(20, 0, 0, 0)), handshake(Uint8Array.of(99, 0, 0, 0))]
        ) {
          assert.deepInclude(yield* hear([other], from), { read: 0, ...refused })
        }
      }))

    test("after our close_notify it is dropped", () =>
      Effect.gen(function*() {
        const alerts = observed()
        const pair = yield* Tls12.pair({ [side]: { observe: alerts.observe(side) } })
        yield* pair[side].closeWrite
        yield* pair.wire.send({ from, ...ask })
        yield* pair.wire.send({ from, ...some })
        assert.strictEqual(text(yield* pair[side].pull), text(data))
        assert.deepStrictEqual(alerts.sent, [`${side} warning close_notify`])
      }))
  }

  test("a HelloRequest with a body is decode_error", () =>
    Effect.map(
      hear([handshake(Uint8Array.of(0, 0, 0, 1, 0))]),
      (heard) => assert.deepInclude(heard, { how: "AlertSent DecodeError", sent: ["fatal decode_error"] })
    ))

  test("R5246-7.2.2-36: a no_renegotiation that comes back does no harm", () =>
    Effect.map(hear([alert(100)], "client"), (heard) => assert.deepInclude(heard, { read: 1, ...clean })))

  const plainHelloRequest = Uint8Array.of(22, 3, 3, 0, 4, ...helloRequest)
  for (const record of [0, 1, 2, 3]) {
    test(`a HelloRequest before message ${record} of the handshake is ignored, not answered and not hashed`, () =>
      Effect.gen(function*() {
        const alerts = observed()
        const { both, wire } = yield* Tls12.ends(alerts.options)
        yield* wire.replace({ from: "server", record, by: (message) => [plainHelloRequest, message] })
        const { client } = yield* both
        assert.isFalse(client.resumed)
        assert.deepStrictEqual(alerts.sent, [])
        // After the handshake it is answered as if there had been none.
        yield* wire.send({ from: "server", ...handshake(helloRequest) })
        yield* wire.send({ from: "server", ...some })
        assert.strictEqual(text(yield* client.pull), text(data))
        assert.deepStrictEqual(alerts.sent, ["client warning no_renegotiation"])
      }))
  }

  test("the second one in a handshake is unexpected_message", () =>
    Effect.gen(function*() {
      const { accept, connect, wire } = yield* Tls12.ends()
      const twice = (message: Uint8Array) => [plainHelloRequest, plainHelloRequest, message]
      yield* wire.replace({ from: "server", record: 1, by: twice })
      const [client] = yield* Effect.all([Effect.exit(connect), Effect.exit(accept)], { concurrency: 2 })
      assert.strictEqual(how(client), "AlertSent UnexpectedMessage")
    }))
})

describe("empty records", () => {
  const rows: ReadonlyArray<readonly [name: string, words: ReadonlyArray<Word>, read: number, end: typeof clean]> = [
    ["32 in a row", times(32, empty), 1, clean],
    ["the 33rd in a row", times(33, empty), 0, refused],
    ["with data between", [...times(32, empty), some, ...times(32, empty)], 2, clean],
    ["warnings refill nothing", [...times(32, empty), alert(90), empty], 0, refused],
    ["of alert", [{ contentType: 21, content: new Uint8Array(0) }], 0, refused],
    ["of handshake", [handshake(new Uint8Array(0))], 0, refused],
    ["of change_cipher_spec", [{ contentType: 20, content: new Uint8Array(0) }], 0, refused]
  ]
  for (const [name, words, read, end] of rows) {
    test(name, () => Effect.map(hear(words), (heard) => assert.deepInclude(heard, { read, ...end })))
  }

  test("none is tolerated in the handshake", () =>
    Effect.gen(function*() {
      for (const contentType of [20, 21, 22, 23]) {
        const { connect, wire } = yield* Tls12.ends()
        yield* wire.inject({ from: "server", bytes: Uint8Array.of(contentType, 3, 3, 0, 0) })
        yield* wire.truncate({ from: "server" })
        assert.strictEqual(said(yield* Effect.flip(connect)), "AlertSent UnexpectedMessage")
      }
    }).pipe(Effect.scoped))
})

describe("alerts on the way", () => {
  test("R5246-7.2-05: in the clear before ChangeCipherSpec, sealed and counted like every record after it", () =>
    Effect.gen(function*() {
      const { client, server, wire } = yield* Tls12.pair()
      for (let i = 0; i < 3; i++) {
        yield* wire.send({ from: "server", alert: Alert.warning("user_canceled") })
        yield* server.write(data)
        // The sequence number of both sides agrees, or this would not open.
        assert.strictEqual(text(yield* client.pull), text(data))
      }
      const sealed = (yield* recordsOf(wire, "server")).filter((record) => record[0] === 21)
      // Explicit nonce, alert, tag; the nonce is the sequence number: Finished was 0.
      assert.deepStrictEqual(sealed.map((record) => [record.length, record[12]]), [[31, 1], [31, 3], [31, 5]])

      const early = yield* Tls12.ends()
      yield* early.wire.inject({ from: "server", bytes: bytes("garbage") })
      yield* early.wire.truncate({ from: "server" })
      yield* Effect.flip(early.connect)
      assert.deepStrictEqual(yield* plainAlertsOf(early.wire, "client"), ["fatal unexpected_message"])
    }))

  test("R5246-7.2.2-09: a conversation without a fault has no alert but close_notify", () =>
    Effect.gen(function*() {
      const alerts = observed()
      // Asked for a certificate and without one, the client sends an empty message: R5246-7.2.2-17, no_certificate is never sent.
      const { client, server, wire } = yield* Tls12.pair({
        ...alerts.options,
        server: { ...alerts.options.server, clientAuth: { mode: "request", trust: noTrust } }
      })
      yield* client.write(data)
      yield* server.pull
      yield* client.closeWrite
      yield* Effect.flip(server.pull)
      yield* Effect.flip(client.pull)
      assert.deepStrictEqual(server.peerCertificates, [])
      assert.deepStrictEqual(alerts.sent, ["client warning close_notify", "server warning close_notify"])
      assert.include((yield* recordsOf(wire, "client")).map((record) => text(record.subarray(5))), "\x0b\0\0\x03\0\0\0")
    }))

  const noTrust: Trust.Trust["Service"] = {
    fingerprint: "nobody",
    verify: () => Effect.die(new Error("there is nothing to verify"))
  }
})
