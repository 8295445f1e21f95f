/** KeyUpdate: RFC 8446 sections 4.6.3, 5.5 and 7.2, RFC 9846 section 4.7.3. */
import { assert, describe } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import type { Connection, Observation } from "effect-tls"
import { TlsTest } from "effect-tls"
import { ContentType } from "../../src/wire/CodePoints.ts"
import { bytes, how, recordsOf, test, text } from "../connection/conversation.ts"
import {
  accepts,
  conversation,
  converse,
  ends,
  other,
  type Outcome,
  readToTheEnd,
  refuses,
  suiteOf
} from "../handshake13/conversation.ts"
import type { Puppet, Side } from "../handshake13/puppet.ts"
import { greets, type Script } from "../handshake13/stories.ts"

const { handshake } = ContentType
const sides = ["client", "server"] as const
const keyUpdate = (request: number) => Uint8Array.of(24, 0, 0, 1, request)

const opened = (act: (puppet: Puppet) => void): Script => ({
  open: (puppet) => {
    act(puppet)
    return greets(puppet)
  }
})
const times = (count: number, act: (puppet: Puppet) => void) => (puppet: Puppet) => {
  for (let i = 0; i < count; i++) act(puppet)
}

/** KeyUpdate messages of the subject: what each asks for. */
const updatesOf = ({ puppet }: Pick<Outcome, "puppet">): ReadonlyArray<number | undefined> =>
  puppet.unasked.filter(([type]) => type === 24).map((message) => message[4])

const requestsOf = (puppet: Puppet): number => updatesOf({ puppet }).filter((request) => request === 1).length

for (const side of sides) {
  accepts(`R8446-4.6.3-03: the ${side} reads on under the next keys`, side, [
    [
      "nothing is asked of it",
      opened((puppet) => puppet.keyUpdate(false)),
      {},
      (_) => assert.deepStrictEqual(updatesOf(_), [])
    ],
    [
      "it is asked, and answers under its old keys",
      opened((puppet) => puppet.keyUpdate(true)),
      {},
      (_) => assert.deepStrictEqual(updatesOf(_), [0])
    ],
    [
      "32 in a row",
      opened(times(32, (puppet) => puppet.keyUpdate(false))),
      {},
      (_) => assert.deepStrictEqual(updatesOf(_), [])
    ],
    [
      "an empty record of data between",
      opened((puppet) => {
        puppet.keyUpdate(false)
        puppet.data("")
        puppet.keyUpdate(false)
      })
    ],
    [
      "a message that is cut over records",
      opened((puppet) => {
        puppet.record(handshake, keyUpdate(1).subarray(0, 2))
        puppet.record(handshake, keyUpdate(1).subarray(2))
        puppet.rekey()
      }),
      {},
      (_) => assert.deepStrictEqual(updatesOf(_), [0])
    ]
  ])

  conversation(`the ${side} bears any number with data between them`, (all) =>
    Effect.gen(function*() {
      const script = opened(times(50, (puppet) => {
        puppet.keyUpdate(false)
        puppet.data(".")
      }))
      const { data, failure } = yield* converse(all, { subject: side, script })
      assert.deepStrictEqual([failure, data], ["clean", `${".".repeat(50)}hello`])
    }))

  refuses(`R9846-4.7.3-01: a flood of them, to the ${side}`, side, "10 KeyUpdateFlood", [
    ["33 in a row", opened(times(33, (puppet) => puppet.keyUpdate(false)))],
    [
      "33 in a row, with empty records between",
      opened(times(33, (puppet) => {
        puppet.keyUpdate(false)
        puppet.data("")
      }))
    ]
  ])

  conversation(
    `R9846-4.7.3-01: the ${side} answers a flood of requests, and then ends`,
    (all) =>
      Effect.gen(function*() {
        const script = opened(times(33, (puppet) => puppet.keyUpdate(true)))
        const outcome = yield* converse(all, { subject: side, script })
        assert.strictEqual(outcome.failure, "AlertSent 10 KeyUpdateFlood established 1.3")
        assert.isAtMost(updatesOf(outcome).length, 32)
        assert.deepStrictEqual(outcome.alerts, ["application 2/10"])
      })
  )

  refuses(
    `R8446-4.6.3-02: the ${side} is asked for what is neither 0 nor 1`,
    side,
    "47 ParameterIllegal",
    [2, 3, 128, 255].map((request) =>
      [`${request}`, opened((puppet) => puppet.blurt(keyUpdate(request))), {}, "request_update"] as const
    )
  )

  refuses(
    `R8446-4.6.3-02, R8446-6-11: a KeyUpdate that cannot be parsed, to the ${side}`,
    side,
    "50 MessageMalformed",
    [
      ["empty", opened((puppet) => puppet.blurt(Uint8Array.of(24, 0, 0, 0)))],
      ["two bytes", opened((puppet) => puppet.blurt(Uint8Array.of(24, 0, 0, 2, 0, 0)))]
    ]
  )

  refuses(`R8446-5.1-02: a KeyUpdate that does not end its record, to the ${side}`, side, "10 KeyChangeInsideMessage", [
    ["a byte more", opened((puppet) => puppet.record(handshake, [...keyUpdate(0), 24]))],
    ["another one", opened((puppet) => puppet.record(handshake, [...keyUpdate(0), ...keyUpdate(0)]))]
  ])

  refuses(`R8446-4.6.3-03: keys and KeyUpdate that do not go together, to the ${side}`, side, "20 BadRecordMac", [
    ["data under the old keys", opened((puppet) => puppet.blurt(keyUpdate(0)))],
    [
      "the KeyUpdate under the new keys",
      opened((puppet) => {
        puppet.rekey()
        puppet.blurt(keyUpdate(0))
      })
    ],
    ["new keys without a word", opened((puppet) => void puppet.rekey())],
    [
      "a step too far",
      opened((puppet) => {
        puppet.keyUpdate(false)
        puppet.rekey()
      })
    ]
  ])

  ends(`in a handshake that is not done, to the ${side}`, side, [
    [
      "R8446-4.6.3-01: before Finished",
      {
        moves: {
          Finished: (puppet) => {
            puppet.blurt(keyUpdate(1))
            puppet.stop()
          }
        }
      },
      {},
      "AlertSent 10 MessageUnexpected handshaking 1.3",
      [`${side === "client" ? "handshake" : "application"} 2/10`]
    ]
  ])

  conversation(`after its own close_notify the ${side} follows, and does not answer`, (all) =>
    Effect.gen(function*() {
      const use = (connection: Connection) =>
        Effect.gen(function*() {
          yield* connection.closeWrite
          const data = text(yield* Effect.orDie(connection.pull))
          return { failure: how(yield* Effect.exit(connection.pull)), data }
        })
      const sent: Array<number> = []
      const observe = (seen: Observation) => {
        if (seen._tag === "Record" && seen.direction === "sent") sent.push(seen.contentType)
      }
      const outcome = yield* converse(all, {
        subject: side,
        script: opened((puppet) => puppet.keyUpdate(true)),
        use,
        client: { observe },
        server: { observe }
      })
      assert.strictEqual(sent.at(-1), ContentType.alert)
      assert.deepStrictEqual([outcome.failure, outcome.data], ["Done", "hello"])
      assert.deepStrictEqual([updatesOf(outcome), outcome.alerts], [[], ["application 1/0"]])
    }))

  conversation(
    `R9846-4.7.3-01: the ${side} updates on its own, and asks no second time before it was answered`,
    (all) =>
      Effect.gen(function*() {
        const use = (connection: Connection) =>
          Effect.orDie(Effect.gen(function*() {
            yield* connection.updateKeys()
            yield* connection.write(bytes("a"))
            yield* connection.updateKeys(true)
            yield* connection.updateKeys(true)
            yield* connection.write(bytes("b"))
            const [answer] = yield* connection.pull
            yield* connection.updateKeys(true)
            yield* connection.write(bytes("c"))
            return { failure: "", data: text(answer) }
          }))
        const script: Script = {
          open: (puppet) =>
            Effect.gen(function*() {
              while (!puppet.text.endsWith("b")) yield* puppet.hear(1)
              puppet.keyUpdate(false)
              puppet.data("go on")
            })
        }
        const outcome = yield* converse(all, { subject: side, script, use })
        assert.strictEqual(outcome.data, "go on")
        assert.strictEqual(outcome.puppet.text, "abc")
        assert.deepStrictEqual(updatesOf(outcome), [0, 1, 0, 1])
      })
  )

  const answers: ReadonlyArray<readonly [count: number, failure: string]> = [
    [33, "clean"],
    [34, "AlertSent 10 KeyUpdateFlood established 1.3"]
  ]
  for (const [count, failure] of answers) {
    conversation(`one request of the ${side} is worth one answer: ${count} in a row`, (all) =>
      Effect.gen(function*() {
        const use = (connection: Connection) =>
          Effect.andThen(Effect.orDie(connection.updateKeys(true)), readToTheEnd(connection))
        const script: Script = {
          open: (puppet) =>
            Effect.gen(function*() {
              while (requestsOf(puppet) === 0) yield* puppet.hear(1)
              times(count, (puppet) => puppet.keyUpdate(false))(puppet)
              yield* greets(puppet)
            })
        }
        assert.strictEqual((yield* converse(all, { subject: side, script, use })).failure, failure)
      }))
  }
}

/** TLS_AES_128_GCM_SHA256, worn out after so many records. */
const worn = (recordLimit: number) => ({ ...suiteOf(0x1301), recordLimit })

describe("R8446-5.5-01, R8446-5.3-01: before a key is worn out", () => {
  for (const side of sides) {
    conversation(`the ${side} goes on to the next one, and nothing is lost`, (all) =>
      Effect.gen(function*() {
        const limited = { cipherSuites: [worn(10)] }
        const words = Array.from({ length: 40 }, (_, index) => `${index} `)
        const use = (connection: Connection) =>
          Effect.orDie(Effect.gen(function*() {
            for (const word of words) yield* connection.write(bytes(word))
            return { failure: "", data: "" }
          }))
        const outcome = yield* converse(all, {
          subject: side,
          script: { open: () => Effect.void },
          use,
          client: limited,
          server: limited
        })
        assert.strictEqual(outcome.puppet.text, words.join(""))
        assert.deepStrictEqual(outcome.alerts, ["application 1/0"])
        // Never the last record of a key but for the KeyUpdate itself, and no request: the peer's keys are its own matter.
        assert.isAtLeast(updatesOf(outcome).length, 4)
        assert.deepStrictEqual([...new Set(updatesOf(outcome))], [0])
        let sequence = 0
        for (const { content, epoch, type } of outcome.puppet.heard) {
          if (epoch !== "application") continue
          assert.isBelow(sequence++, 10)
          if (type === handshake && content[0] === 24) sequence = 0
        }
      }))

    conversation(
      `a write that no key could protect is the fault of the ${side} itself`,
      (all) =>
        Effect.gen(function*() {
          const limited = { cipherSuites: [worn(6)] }
          const use = (connection: Connection) =>
            Effect.gen(function*() {
              const exit = yield* Effect.exit(connection.write(new Uint8Array(6 * 2 ** 14)))
              return { failure: how(exit), data: "" }
            })
          const outcome = yield* converse(all, {
            subject: side,
            script: { open: () => Effect.void },
            use,
            client: limited,
            server: limited
          })
          assert.strictEqual(outcome.failure, "AlertSent InternalError")
          assert.deepStrictEqual(outcome.alerts, ["application 2/80"])
        })
    )

    const limited = { cipherSuites: [worn(20)] }
    const asked = (count: number) => (puppet: Puppet) =>
      Effect.gen(function*() {
        while (requestsOf(puppet) < count) yield* puppet.hear(1)
      })

    conversation(
      `R9846-5.5-01: a peer that goes beyond is asked for new keys by the ${side}, once, and read on`,
      (all) =>
        Effect.gen(function*() {
          const script: Script = {
            open: (puppet) =>
              Effect.gen(function*() {
                times(60, (puppet) => puppet.data("x"))(puppet)
                yield* asked(1)(puppet)
                times(60, (puppet) => puppet.data("x"))(puppet)
                yield* greets(puppet)
              })
          }
          const outcome = yield* converse(all, { subject: side, script, client: limited, server: limited })
          assert.deepStrictEqual([outcome.failure, outcome.data], ["clean", `${"x".repeat(120)}hello`])
          assert.deepStrictEqual(updatesOf(outcome), [1])
        })
    )

    conversation(
      `R9846-5.5-01: the ${side} asks again for each key of the peer that wears out`,
      (all) =>
        Effect.gen(function*() {
          const script: Script = {
            open: (puppet) =>
              Effect.gen(function*() {
                for (let round = 1; round <= 40; round++) {
                  times(17, (puppet) => puppet.data("x"))(puppet)
                  yield* asked(round)(puppet)
                  puppet.keyUpdate(false)
                }
                yield* greets(puppet)
              })
          }
          const outcome = yield* converse(all, { subject: side, script, client: limited, server: limited })
          assert.deepStrictEqual([outcome.failure, outcome.data], ["clean", `${"x".repeat(40 * 17)}hello`])
          assert.deepStrictEqual(updatesOf(outcome), Array.from({ length: 40 }, () => 1))
        })
    )

    conversation(
      `and the ${side} that has said close_notify reads on, and does not ask`,
      (all) =>
        Effect.gen(function*() {
          const use = (connection: Connection) => Effect.andThen(connection.closeWrite, readToTheEnd(connection))
          const script = opened(times(60, (puppet) => puppet.data("x")))
          const outcome = yield* converse(all, { subject: side, script, use, client: limited, server: limited })
          assert.deepStrictEqual([outcome.failure, outcome.data], ["clean", `${"x".repeat(60)}hello`])
          assert.deepStrictEqual([updatesOf(outcome), outcome.alerts], [[], ["application 1/0"]])
        })
    )

    conversation(`and the ${side} bears one that updates`, (all) =>
      Effect.gen(function*() {
        const script = opened(times(6, (puppet) => {
          for (let i = 0; i < 19; i++) puppet.data("x")
          puppet.keyUpdate(false)
        }))
        const outcome = yield* converse(all, { subject: side, script, client: limited, server: limited })
        assert.deepStrictEqual([outcome.failure, outcome.data], ["clean", `${"x".repeat(6 * 19)}hello`])
      }))
  }
})

describe("KeyUpdate between two of us", () => {
  const crossing: ReadonlyArray<readonly [what: string, by: ReadonlyArray<readonly [Side, boolean]>]> = [
    ["the client", [["client", false]]],
    ["the server, which asks", [["server", true]]],
    ["both, which ask and cross", [["client", true], ["server", true]]],
    ["many, one after the other", [["client", true], ["client", false], ["server", false], ["server", true], [
      "client",
      true
    ]]]
  ]
  for (const [what, by] of crossing) {
    test(what, () =>
      Effect.gen(function*() {
        const pair = yield* TlsTest.pair()
        const { client, server, wire } = pair
        const before = (yield* recordsOf(wire, "client")).length
        for (const [side, asks] of by) yield* pair[side].updateKeys(asks)
        for (let round = 0; round < 3; round++) {
          yield* client.write(bytes("to the server"))
          yield* server.write(bytes("to the client"))
          assert.strictEqual(text(yield* server.pull), "to the server")
          assert.strictEqual(text(yield* client.pull), "to the client")
        }
        assert.isAbove((yield* recordsOf(wire, "client")).length, before + 3)
        assert.deepStrictEqual([(yield* client.closure)._tag, (yield* server.closure)._tag], ["Open", "Open"])
      }))
  }
})

describe("who asks for new keys, writes, and gets no data", () => {
  for (const side of sides) {
    test(`the ${side} bears the answers, as many as it asked for`, () =>
      Effect.gen(function*() {
        const answers = yield* Queue.unbounded<void>()
        const observe = (seen: Observation) => {
          if (seen._tag === "Message" && seen.direction === "received" && seen.type === 24) {
            Queue.offerUnsafe(answers, undefined)
          }
        }
        const pair = yield* TlsTest.pair({ [side]: { observe } })
        const [asking, answering] = [pair[side], pair[other(side)]]
        const reading = yield* Effect.forkScoped(asking.pull, { startImmediately: true })
        for (let round = 0; round < 50; round++) {
          yield* asking.updateKeys(true)
          yield* asking.write(bytes("x"))
          assert.strictEqual(text(yield* answering.pull), "x")
          yield* Effect.raceFirst(Queue.take(answers), Fiber.join(reading))
        }
        yield* answering.write(bytes("well done"))
        assert.strictEqual(text(yield* Fiber.join(reading)), "well done")
      }))
  }
})

describe("a peer that asks and asks, and does not read", () => {
  for (const side of sides) {
    conversation(`holds up no reader, and one answer of the ${side} waits for it`, (all) =>
      Effect.gen(function*() {
        const isRead = yield* Deferred.make<void>()
        const use = (connection: Connection) =>
          Effect.scoped(Effect.orDie(Effect.gen(function*() {
            yield* connection.write(bytes("ready"))
            const [first] = yield* connection.pull
            const stuck = yield* Effect.forkScoped(connection.write(bytes("stuck")), { startImmediately: true })
            let length = first.length
            while (length < 200) {
              for (const chunk of yield* connection.pull) length += chunk.length
            }
            assert.isUndefined(stuck.pollUnsafe())
            yield* Deferred.succeed(isRead, undefined)
            yield* Fiber.join(stuck)
            yield* connection.write(bytes("free"))
            return { failure: "", data: `${length}` }
          })))
        const script: Script = {
          open: (puppet) =>
            Effect.gen(function*() {
              while (puppet.text !== "ready") yield* puppet.hear(1)
              yield* puppet.wire.stall
              times(200, (puppet) => {
                puppet.data("x")
                puppet.keyUpdate(true)
              })(puppet)
              yield* puppet.flush
              yield* Deferred.await(isRead)
              yield* puppet.wire.release
            })
        }
        const outcome = yield* converse(all, { subject: side, script, use })
        assert.deepStrictEqual([outcome.data, outcome.puppet.text], ["200", "readystuckfree"])
        assert.isAtMost(updatesOf(outcome).length, 3)
        assert.isAtLeast(updatesOf(outcome).length, 1)
      }))
  }
})
