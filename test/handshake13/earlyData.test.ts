/** Early data is refused as RFC 8446 section 4.2.10 has it: passed over within a limit, and the handshake goes on. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { makeRecord } from "../harness/TlsRecords.ts"
import { ContentType } from "../../src/wire/CodePoints.ts"
import { accepts, conversation, converse, type Outcome, refuses } from "./conversation.ts"
import { plus, says } from "./edits.ts"
import type { Puppet } from "./puppet.ts"
import type { Script } from "./stories.ts"

const { application_data, handshake } = ContentType
const early = { _tag: "EarlyData", maxSize: undefined } as const
const resuming = { remembers: true } as const
const retrying = { server: { groups: ["secp256r1"] } } as const

/** What nobody but the client could read: records of so many bytes, headers not counted. */
const sends = (...lengths: ReadonlyArray<number>) => (puppet: Puppet): void => {
  for (const length of lengths) puppet.bytes(makeRecord(application_data, new Uint8Array(length).fill(0x5a)))
}

const offering = (send: (puppet: Puppet) => void, rest: Script = {}): Script => ({
  ...rest,
  moves: {
    ...rest.moves,
    ClientHello: (puppet, _) => {
      puppet.say(plus(early)(_))
      send(puppet)
    }
  }
})

/** A record of all that one may hold, with the tag. */
const whole = 2 ** 14 + 17
/** The limit counts headers, too. */
const limit = 4 * 2 ** 14

const isRefused = ({ connection, puppet }: Outcome) => {
  const extensions = puppet.received.find((_) => _._tag === "EncryptedExtensions")?.extensions
  assert.isDefined(extensions)
  assert.isFalse(extensions?.some(({ _tag }) => _tag === "EarlyData"))
  assert.strictEqual(connection?.version, "1.3")
}

accepts("R8446-4.2.10-02: what cannot be read is passed over", "server", [
  ["no record at all", offering(() => {}), {}, isRefused],
  ["one record", offering(sends(100)), {}, isRefused],
  ["empty and tiny ones", offering(sends(0, 1, 16, 17)), {}, isRefused],
  ["whole ones", offering(sends(whole, whole, whole)), {}, isRefused],
  ["up to the limit", offering(sends(whole, whole, whole, limit - 3 * (whole + 5) - 5)), {}, isRefused],
  ["many", offering(sends(...Array.from({ length: 500 }, () => 100))), {}, isRefused],
  ["beside a session, which is resumed", offering(sends(100, 200)), resuming, (outcome) => {
    isRefused(outcome)
    assert.isTrue(outcome.connection?.resumed)
  }],
  [
    "behind the ChangeCipherSpec of appendix D.4",
    offering((puppet) => {
      puppet.ccs()
      sends(100)(puppet)
    }, { isBare: true }),
    {},
    isRefused
  ],
  ["after a HelloRetryRequest, until the second hello", offering(sends(100, 200, whole)), retrying, isRefused],
  ["after a HelloRetryRequest, beside a session", offering(sends(100)), { ...retrying, ...resuming }, (outcome) => {
    isRefused(outcome)
    assert.isTrue(outcome.connection?.resumed)
  }]
])

refuses("R8446-4.2.10-02: up to a limit", "server", "20 BadRecordMac", [
  ["a byte more", offering(sends(whole, whole, whole, limit - 3 * (whole + 5) - 4))],
  ["one record more", offering(sends(whole, whole, whole, whole))],
  ["very many", offering(sends(...Array.from({ length: 700 }, () => 100)))]
])

refuses("and after a HelloRetryRequest", "server", "10 MessageUnexpected", [
  ["a byte more", offering(sends(whole, whole, whole, limit - 3 * (whole + 5) - 4)), retrying],
  ["one record more", offering(sends(whole, whole, whole, 16_000, 1000)), retrying]
])

refuses("R8446-5.2-02: what nobody announced is not passed over", "server", "20 BadRecordMac", [
  ["records without early_data", {
    moves: {
      ClientHello: (puppet, _) => {
        puppet.say(_)
        sends(100)(puppet)
      }
    }
  }],
  ["behind the first record that could be read", {
    moves: {
      ClientHello: says(plus(early)),
      Certificate: (puppet, _) => {
        puppet.say(_)
        sends(100)(puppet)
        puppet.stop()
      }
    }
  }, { asks: "request" }],
  ["behind the second hello", {
    moves: {
      ClientHello: says(plus(early)),
      SecondHello: (puppet, _) => {
        puppet.say(_)
        sends(100)(puppet)
      }
    }
  }, retrying]
])

refuses("nor what is no application data", "server", "10 MessageUnexpected", [
  [
    "a handshake record in the clear",
    offering((puppet) => {
      sends(100)(puppet)
      puppet.clear(handshake, [20, 0, 0, 0])
    })
  ]
])

refuses("a record that is too long for any", "server", "22 RecordTooLong", [
  ["before the handshake keys", offering((puppet) => puppet.raw(23, 3, 3, 0x41, 0x01)), retrying],
  ["and after them", offering((puppet) => puppet.raw(23, 3, 3, 0x41, 0x01))]
])

describe("our own client", () => {
  conversation("R8446-4.2.10-03: never offers early data, whatever its ticket allows", (all) =>
    Effect.gen(function*() {
      const outcome = yield* converse(all, { ...resuming, subject: "client", script: { retries: true } })
      const hellos = outcome.puppet.received.filter((_) => _._tag === "ClientHello")
      assert.lengthOf(hellos, 2)
      for (const { extensions } of hellos) assert.isFalse(extensions.some(({ _tag }) => _tag === "EarlyData"))
      assert.strictEqual(outcome.failure, "clean")
    }))
})
