/** How a connection of TLS 1.3 ends in order: RFC 8446 section 6.1 as revised by RFC 9846, and the laws 6, 7, 12 and 15. */
import { assert, describe } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { type Connection, TlsError, TlsTest } from "effect-tls"
import { ContentType } from "../../src/wire/CodePoints.ts"
import { bytes, how, observed, test, text, toldBy } from "../connection/conversation.ts"
import { conversation, converse, ends, other, readToTheEnd } from "../handshake13/conversation.ts"
import { greets, type Script } from "../handshake13/stories.ts"

const sides = ["client", "server"] as const

const states = ({ client, server }: TlsTest.Pair) =>
  Effect.map(Effect.all([client.closure, server.closure]), ([client, server]) => `${client._tag} ${server._tag}`)

/** The tickets out of the way. */
const opened = (options: TlsTest.Options = {}) =>
  TlsTest.pair({ ...options, server: { tickets: 0, ...options.server } })

describe("R8446-6-03, R8446-6.1-04, R8446-6.1-08: each direction ends on its own", () => {
  for (const side of sides) {
    test(`the ${side} ends first, and both go on as far as they may`, () =>
      Effect.gen(function*() {
        const pair = yield* opened()
        const [first, second] = [pair[side], pair[other(side)]]
        const both = () =>
          Effect.map(states(pair), (text) => side === "client" ? text : text.split(" ").reverse().join(" "))
        yield* first.write(bytes("the last words"))
        yield* first.closeWrite
        assert.strictEqual(text(yield* second.pull), "the last words")
        assert.strictEqual(how(yield* Effect.exit(second.pull)), "Done")
        assert.strictEqual(yield* both(), "CloseSent CloseReceived")
        for (const words of ["one", "two", "three"]) {
          yield* second.write(bytes(words))
          assert.strictEqual(text(yield* first.pull), words)
        }
        yield* second.updateKeys()
        yield* second.write(bytes("four"))
        assert.strictEqual(text(yield* first.pull), "four")
        // Who has ended writes no more, who was ended reads no more.
        assert.deepInclude(yield* Effect.flip(first.write(bytes("x"))), { _tag: "ConnectionClosed", by: "local" })
        assert.strictEqual(how(yield* Effect.exit(second.pull)), "Done")
        yield* second.closeWrite
        assert.strictEqual(yield* both(), "CloseSent Closed")
        assert.strictEqual(how(yield* Effect.exit(first.pull)), "Done")
        assert.strictEqual(yield* both(), "Closed Closed")
        for (const connection of [first, second]) {
          assert.strictEqual(how(yield* Effect.exit(connection.write(bytes("x")))), "ConnectionClosed")
          assert.isUndefined((yield* connection.closure).error)
        }
        assert.deepStrictEqual((yield* toldBy(pair.wire, side)).slice(-1), ["fin"])
      }))

    test(`what the ${side} has still to write when the other one ends is not discarded`, () =>
      Effect.gen(function*() {
        const pair = yield* opened()
        const [writer, ender] = [pair[side], pair[other(side)]]
        yield* pair.wire.stall({ from: side })
        const writing = yield* Effect.forkScoped(
          Effect.all([writer.write(bytes("in flight")), writer.write(bytes(", and waiting"))], { concurrency: 2 }),
          { startImmediately: true }
        )
        yield* ender.closeWrite
        assert.strictEqual(how(yield* Effect.exit(writer.pull)), "Done")
        assert.isUndefined(writing.pollUnsafe())
        yield* pair.wire.release({ from: side })
        yield* Fiber.join(writing)
        let heard = ""
        while (heard.length < 22) heard += text(yield* ender.pull)
        assert.strictEqual(heard, "in flight, and waiting")
      }))

    test(`R9846-6.1-04: an application of the ${side} that answers at once`, () =>
      Effect.gen(function*() {
        const pair = yield* opened()
        const [answering, first] = [pair[side], pair[other(side)]]
        yield* first.closeWrite
        assert.strictEqual(how(yield* Effect.exit(answering.pull)), "Done")
        yield* answering.close
        assert.strictEqual(how(yield* Effect.exit(first.pull)), "Done")
        assert.deepStrictEqual(yield* states(pair), "Closed Closed")
      }))
  }

  test("both end at the same time", () =>
    Effect.gen(function*() {
      const pair = yield* opened()
      yield* Effect.all([pair.client.closeWrite, pair.server.closeWrite], { concurrency: 2 })
      for (const side of sides) assert.strictEqual(how(yield* Effect.exit(pair[side].pull)), "Done")
      assert.strictEqual(yield* states(pair), "Closed Closed")
    }))

  test("R8446-6.1-09: close waits for nobody", () =>
    Effect.gen(function*() {
      const { client, server } = yield* opened()
      yield* client.close
      yield* server.write(bytes("nobody reads this"))
      assert.strictEqual(how(yield* Effect.exit(server.pull)), "Done")
    }))
})

for (const side of sides) {
  const trailing: ReadonlyArray<readonly [what: string, script: Script]> = [
    ["data", { open: (puppet) => Effect.map(greets(puppet), () => puppet.data("too late")) }],
    ["noise", {
      open: (puppet) => Effect.map(greets(puppet), () => puppet.raw(23, 3, 3, 0, 20, ...new Uint8Array(20)))
    }],
    ["what is no TLS", { open: (puppet) => Effect.map(greets(puppet), () => puppet.raw(1, 2, 3, 4, 5, 6, 7)) }],
    ["a fatal alert", { open: (puppet) => Effect.map(greets(puppet), () => puppet.alert(2, 80)) }],
    ["KeyUpdates", {
      open: (puppet) =>
        Effect.map(greets(puppet), () => {
          for (let i = 0; i < 40; i++) puppet.keyUpdate(true)
        })
    }],
    ["another close_notify", { open: (puppet) => Effect.map(greets(puppet), () => puppet.closeNotify()) }],
    ["a FIN", { open: (puppet) => Effect.andThen(greets(puppet), Effect.sync(() => puppet.cutLater("fin"))) }]
  ]
  ends(
    `R8446-6.1-01, R8446-6.1-05: nothing after a close_notify is looked at by the ${side}`,
    side,
    trailing.map(([what, script]) => [what, script, {}, "clean", ["application 1/0"], "hello"] as const)
  )

  ends(`R8446-6.1-06: without a close_notify the ${side} cannot know whether it was all`, side, [
    [
      "a FIN",
      {
        open: (puppet) =>
          Effect.sync(() => {
            puppet.data("a part")
            puppet.cutLater("fin")
          })
      },
      {},
      "Truncated fin after 6 established 1.3",
      [],
      "a part"
    ]
  ])

  ends(
    `after its own close_notify the ${side} learns how the other one ends`,
    side,
    ([
      ["by a fatal alert", (puppet) => puppet.alert(2, 80), "AlertReceived fatal 80 closing 1.3"],
      [
        "by a record that does not open",
        (puppet) => puppet.raw(23, 3, 3, 0, 20, ...new Uint8Array(20)),
        "AlertSent 20 BadRecordMac closing 1.3"
      ],
      ["by a FIN", (puppet) => puppet.cutLater("fin"), "Truncated fin after 0 closing 1.3"],
      ["by close_notify", (puppet) => puppet.closeNotify(), "clean"]
    ] as ReadonlyArray<readonly [string, (puppet: Parameters<NonNullable<Script["open"]>>[0]) => void, string]>).map((
      [what, act, failure]
    ) =>
      [
        what,
        {
          open: (puppet) =>
            Effect.gen(function*() {
              while (puppet.alerts.length === 0) yield* puppet.hear(1)
              act(puppet)
            })
        },
        { use: (connection: Connection) => Effect.andThen(connection.closeWrite, readToTheEnd(connection)) },
        failure,
        // Nobody is told: close_notify was the last word.
        ["application 1/0"]
      ] as const
    )
  )

  conversation(
    `R8446-6.1-07, R9846-6.1-01, R8446-B.1-01: the last record of the ${side} is close_notify, at level warning`,
    (all) =>
      Effect.gen(function*() {
        const { puppet } = yield* converse(all, { subject: side, script: {} })
        const last = puppet.heard.at(-1)
        assert.deepStrictEqual([last?.type, last?.epoch, [...last?.content ?? []]], [ContentType.alert, "application", [
          1,
          0
        ]])
        assert.strictEqual(puppet.ended, "fin")
      })
  )

  conversation(
    `R8446-2-01, R8446-6.1-07, R8446-6.2-01, R8446-6.2-03, R8446-6-08: after a fatal alert the ${side} says nothing, no close_notify either`,
    (all) =>
      Effect.gen(function*() {
        const script: Script = { open: (puppet) => Effect.sync(() => puppet.ccs()) }
        const use = (connection: Connection) =>
          Effect.gen(function*() {
            const found = yield* Effect.orDie(Effect.flip(connection.pull))
            // R8446-6-05: neither data out nor data in.
            assert.strictEqual(yield* Effect.orDie(Effect.flip(connection.write(bytes("x")))), found)
            assert.strictEqual(yield* Effect.orDie(Effect.flip(connection.pull)), found)
            assert.strictEqual(yield* Effect.orDie(Effect.flip(connection.updateKeys(true))), found)
            yield* connection.closeWrite
            return { failure: Cause.isDone(found) ? "" : found._tag, data: "" }
          })
        const { alerts, failure, puppet } = yield* converse(all, { subject: side, script, use })
        assert.strictEqual(failure, "AlertSent")
        assert.deepStrictEqual([alerts, puppet.text, puppet.ended], [["application 2/10"], "", "fin"])
      })
  )

  conversation(
    `R8446-6-05: after a fatal alert of the peer the ${side} reads and writes no more`,
    (all) =>
      Effect.gen(function*() {
        const script: Script = {
          open: (puppet) =>
            Effect.sync(() => {
              puppet.alert(2, 40)
              puppet.data("and yet it goes on")
              puppet.closeNotify()
            })
        }
        const use = (connection: Connection) =>
          Effect.gen(function*() {
            const end = yield* readToTheEnd(connection)
            const refused = yield* Effect.orDie(Effect.flip(connection.write(bytes("x"))))
            return { ...end, failure: `${end.failure}, ${refused._tag}` }
          })
        const { alerts, data, failure, puppet } = yield* converse(all, { subject: side, script, use })
        assert.deepStrictEqual([data, failure], ["", "AlertReceived fatal 40 established 1.3, AlertReceived"])
        assert.deepStrictEqual([alerts, puppet.text], [[], ""])
      })
  )
}

describe("R8446-6.1-02, R8446-6.1-03, R9846-6.1-02: who gives up", () => {
  for (const side of sides) {
    conversation(
      `a handshake that takes the ${side} too long: user_canceled, then close_notify`,
      (all) =>
        Effect.gen(function*() {
          const script: Script = { moves: { Finished: (puppet) => puppet.stop() } }
          const { alerts, failure } = yield* converse(all, { subject: side, script, waits: true })
          assert.strictEqual(failure, "HandshakeAborted timeout 1.3")
          const epoch = side === "client" ? "handshake" : "application"
          assert.deepStrictEqual(alerts, [`${epoch} 1/90`, `${epoch} 1/0`])
        })
    )

    test(`a handshake of the ${side} that is interrupted`, () =>
      Effect.gen(function*() {
        const alerts = observed()
        const { accept, connect, wire } = yield* TlsTest.ends(alerts.options)
        yield* wire.hold({ from: other(side), record: side === "client" ? 1 : 2 })
        const [mine, theirs] = side === "client" ? [connect, accept] : [accept, connect]
        const peer = yield* Effect.forkScoped(Effect.exit(Effect.scoped(Effect.flatMap(theirs, (_) => _.pull))), {
          startImmediately: true
        })
        const fiber = yield* Effect.forkScoped(mine, { startImmediately: true })
        for (let turn = 0; turn < 100; turn++) yield* Effect.yieldNow
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(alerts.sent.filter((_) => _.startsWith(side)), [
          `${side} warning user_canceled`,
          `${side} warning close_notify`
        ])
        yield* wire.release({ from: other(side) })
        assert.include(["HandshakeAborted", "Done"], how(yield* Fiber.join(peer)))
      }))

    test(`an open connection of the ${side} that is interrupted: close_notify alone`, () =>
      Effect.gen(function*() {
        const alerts = observed()
        const { accept, connect } = yield* TlsTest.ends(alerts.options)
        const [mine, theirs] = side === "client" ? [connect, accept] : [accept, connect]
        const scope = yield* Scope.make()
        const [, peer] = yield* Effect.all([Scope.provide(mine, scope), theirs], { concurrency: 2 })
        yield* Scope.close(scope, Exit.interrupt())
        assert.strictEqual(how(yield* Effect.exit(peer.pull)), "Done")
        assert.deepStrictEqual(alerts.sent, [`${side} warning close_notify`])
      }))
  }
})

describe("R8446-6.1-10: where the transport is used afterwards", () => {
  test("the end of the scope comes with the close_notify of the peer, and not before", () =>
    Effect.gen(function*() {
      const { accept, connect } = yield* TlsTest.ends({ client: { policies: { waitForPeer: true } } })
      const scope = yield* Scope.make()
      const [, server] = yield* Effect.all([Scope.provide(connect, scope), accept], { concurrency: 2 })
      const closing = yield* Effect.forkScoped(Scope.close(scope, Exit.void), { startImmediately: true })
      assert.strictEqual(how(yield* Effect.exit(server.pull)), "Done")
      yield* server.write(bytes("not yet"))
      yield* TestClock.adjust("900 millis")
      assert.isUndefined(closing.pollUnsafe())
      yield* server.closeWrite
      yield* Fiber.join(closing)
    }))
})

test("R8446-6.2-07: alerts can be watched, in both directions", () =>
  Effect.gen(function*() {
    const alerts = observed()
    const { client, server, wire } = yield* opened(alerts.options)
    yield* wire.corrupt({ from: "server", record: 0, fragmentBit: 0 })
    yield* server.write(bytes("data"))
    const [sent, received] = [yield* Effect.flip(client.pull), yield* Effect.flip(server.pull)]
    assert(sent instanceof TlsError.AlertSent && received instanceof TlsError.AlertReceived)
    assert.deepStrictEqual([alerts.sent, alerts.received], [["client fatal bad_record_mac"], [
      "server fatal bad_record_mac"
    ]])
    assert.match(
      received.message,
      /^The peer ended the TLS 1\.3 connection .* with the fatal alert bad_record_mac \(20\)/
    )
  }))
