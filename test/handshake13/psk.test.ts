/** Resumption: RFC 8446 sections 4.2.9, 4.2.11 and 4.6.1, through one `SessionCache` on either side. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as TestClock from "effect/testing/TestClock"
import { type CipherSuite, SessionCache, SessionSecret, TlsTest } from "effect-tls"
import type { ClientHello } from "../../src/message/ClientHello.ts"
import { findExtension, type OfferedPsk } from "../../src/message/Extension.ts"
import type { NewSessionTicket } from "../../src/message/NewSessionTicket.ts"
import { Session } from "../../src/service/Session.ts"
import { toHex } from "../../src/wire/Bytes.ts"
import { bytes, text } from "../connection/conversation.ts"
import { accepts, conversation, converse, type Outcome, refuses, suiteOf } from "./conversation.ts"
import { pskOf, put, says, saysBytes, without } from "./edits.ts"
import { greets, type Script } from "./stories.ts"
import { serverName, watch, type World } from "./world.ts"

const hello = (edit: (hello: ClientHello) => ClientHello): Script => ({ moves: { ClientHello: says(edit) } })
const resuming = { remembers: true } as const
const offers = (edit: (offer: OfferedPsk) => ReadonlyArray<OfferedPsk>) => (_: ClientHello): ClientHello => {
  const psk = pskOf(_)
  return put({ ...psk, offers: psk.offers.flatMap(edit) })(_)
}
const strange = { identity: new Uint8Array(32).fill(7), obfuscatedAge: 1, binder: new Uint8Array(32).fill(7) }
const answered = ({ puppet }: Outcome) => {
  const answer = puppet.received.findLast((_) => _._tag === "ServerHello")
  return findExtension(answer?.extensions ?? [], "PreSharedKeys")?.selected
}
const isResumed = (expected: boolean) => (outcome: Outcome) => {
  assert.strictEqual(outcome.connection?.resumed, expected)
  if (outcome.puppet.side === "client") assert.strictEqual(answered(outcome) !== undefined, expected)
}

describe("R8446-4.2.11-01, R8446-6.2-21: a binder that does not verify is decrypt_error, and the session of its owner survives", () => {
  const cases: ReadonlyArray<readonly [what: string, script: Script]> = [
    ["of noise", hello(offers((_) => [{ ..._, binder: new Uint8Array(32).fill(1) }]))],
    ["of another hello", {
      moves: { ClientHello: (puppet, _) => puppet.say(puppet.encode(_).with(10, 0x77)) }
    }],
    ["of 48 bytes, where the hash has 32", hello(offers((_) => [{ ..._, binder: new Uint8Array(48).fill(1) }]))],
    [
      "the second of two, where the first is not known",
      hello(offers((_) => [strange, { ..._, binder: strange.binder }]))
    ]
  ]
  for (const [what, script] of cases) {
    conversation(what, (all) =>
      Effect.gen(function*() {
        const outcome = yield* converse(all, { ...resuming, subject: "server", script })
        assert.strictEqual(outcome.failure, "AlertSent 51 BinderWrong handshaking 1.3")
        assert.deepStrictEqual(outcome.alerts, ["clear 2/51"])
        assert.strictEqual(outcome.sessions, 1)
      }))
  }
})

refuses("R8446-4.2.11-05: as many binders as identities", "server", "47 ParameterIllegal", [
  [
    "two identities, one binder",
    {
      moves: {
        ClientHello: saysBytes((body) => {
          // The list of binders is the end of the hello: one of 32 bytes, whose list and extension grow by another.
          const whole = Uint8Array.of(...body, 32, ...new Uint8Array(32))
          const at = body.length - 35
          const shift = (offset: number, by: number) => {
            const value = ((whole[offset] ?? 0) << 8) + (whole[offset + 1] ?? 0) + by
            whole.set([value >> 8, value & 255], offset)
          }
          shift(at, 33)
          // Of the extension, and of the block of extensions.
          shift(at - 2 - 2 - 32 - 4 - 2, 33)
          shift(2 + 32 + 1 + 32 + 2 + 2 + 2, 33)
          return whole
        })
      }
    },
    resuming,
    "binders"
  ]
])

refuses("R8446-4.2.11-01: binders that are none", "server", "50 MessageMalformed", [
  ["a binder of 31 bytes", hello(offers((_) => [{ ..._, binder: new Uint8Array(31).fill(1) }])), resuming],
  ["an empty list of identities and binders", hello(offers(() => [])), resuming],
  ["an empty identity", hello(offers((_) => [{ ..._, identity: new Uint8Array(0) }])), resuming]
])

accepts("a server resumes what it remembers", "server", [
  ["the session that it made", {}, resuming, (outcome) => {
    isResumed(true)(outcome)
    assert.strictEqual(answered(outcome), 0)
  }],
  [
    "R8446-4.2.11-02: the second of two, where the first is not known",
    hello(offers((_) => [strange, _])),
    resuming,
    (outcome) => {
      isResumed(true)(outcome)
      assert.strictEqual(answered(outcome), 1)
    }
  ],
  ["after a HelloRetryRequest", {}, { ...resuming, server: { groups: ["secp256r1"] } }, isResumed(true)],
  [
    "whatever the ticket age says: it is for early data",
    hello(offers((_) => [{ ..._, obfuscatedAge: 0xffff_ffff }])),
    resuming,
    isResumed(true)
  ],
  ["where it would ask for a certificate, and the session has none", {}, { ...resuming, server: {} }, isResumed(true)]
])

accepts("or makes another one, and the session lives on", "server", [
  [
    "psk_ke is all that the client has",
    { ...hello(put({ _tag: "PskKeyExchangeModes", modes: [0] })) },
    resuming,
    isResumed(false)
  ],
  ["the identity is not known", hello(offers(() => [strange])), resuming, isResumed(false)],
  [
    "the identity has another length",
    hello(offers((_) => [{ ..._, identity: _.identity.subarray(1) }])),
    resuming,
    isResumed(false)
  ],
  [
    "it is the third of three: each look-up costs",
    hello(offers((_) => [strange, strange, _])),
    resuming,
    isResumed(false)
  ],
  ["for another host", hello((_) => put({ _tag: "ServerName", name: "other.test" })(_)), resuming, isResumed(false)],
  ["for no host", hello(without("ServerName")), resuming, isResumed(false)],
  [
    "the suite has another hash",
    {
      moves: { ClientHello: says((_) => ({ ..._, cipherSuites: [0x1301, 0x1302] })) },
      isBare: true
    },
    { ...resuming, suite: suiteOf(0x1302), server: { cipherSuites: [suiteOf(0x1302)] } },
    isResumed(false)
  ],
  ["it requires a certificate, and the session has none", {}, { ...resuming, asks: "require" }, isResumed(false)]
])

describe("R8446-4.6.1-02: how long a ticket is good for", () => {
  const gone =
    (duration: "59 minutes" | "25 hours" | "3 hours", cache: "in memory" | "for ever", expected: boolean) =>
    (all: World) =>
      Effect.gen(function*() {
        const [key, session] = all.remembered.server
        const cacheOf = Effect.fnUntraced(function*() {
          const memory = yield* SessionCache.makeMemory()
          const hoarding = { ...memory, offer: () => Effect.sync(() => Option.some(session.copy())) }
          const fresh = watch(cache === "in memory" ? memory : hoarding)
          yield* fresh.cache.store(key, session)
          yield* TestClock.adjust(duration)
          // Nothing is to be counted in a cache that never forgets.
          return { ...fresh, alive: Effect.succeed(0) }
        })
        const outcome = yield* converse({ ...all, cacheOf }, { ...resuming, subject: "server", script: {} })
        assert.deepStrictEqual([outcome.failure, outcome.data], ["clean", "hello"])
        assert.strictEqual(outcome.connection?.resumed, expected)
      })
  conversation("a server resumes within the hour of its cache", gone("59 minutes", "in memory", true))
  conversation("and not after it", gone("3 hours", "in memory", false))
  conversation(
    "and not after the lifetime that it told, whatever its cache keeps",
    gone("25 hours", "for ever", false)
  )

  const ticket = (lifetime: number): NewSessionTicket => ({
    _tag: "NewSessionTicket",
    lifetime,
    ageAdd: 0xffff_fff0,
    nonce: Uint8Array.of(9),
    ticket: Uint8Array.of(1, 2, 3),
    extensions: []
  })
  const day = 86_400
  const given: ReadonlyArray<readonly [what: string, lifetime: number, stored: number | undefined]> = [
    ["a day", day, day],
    ["a week", 7 * day, 7 * day],
    ["a second more than a week is a week", 7 * day + 1, 7 * day],
    ["for ever is a week", 0xffff_ffff, 7 * day],
    ["nothing is not kept at all", 0, undefined]
  ]
  for (const [what, lifetime, stored] of given) {
    conversation(`a client is told ${what}`, (all) =>
      Effect.gen(function*() {
        const watched = watch(yield* SessionCache.makeMemory())
        const open: Script["open"] = (puppet) => {
          puppet.blurt(ticket(lifetime))
          return greets(puppet)
        }
        const outcome = yield* converse({ ...all, cacheOf: () => Effect.succeed(watched) }, {
          subject: "client",
          script: { open }
        })
        assert.strictEqual(outcome.failure, "clean")
        assert.deepStrictEqual(watched.stored.map(([, { lifetime }]) => lifetime), stored === undefined ? [] : [stored])
      }))
  }

  conversation("the age of a ticket is hidden by what the server added, modulo 2^32", (all) =>
    Effect.gen(function*() {
      const [key, session] = all.remembered.client
      const aged = new Session({
        ...session,
        ageAdd: 0xffff_ff00,
        secret: new SessionSecret(session.secret.bytes.slice())
      })
      const cacheOf = Effect.fnUntraced(function*() {
        const fresh = watch(yield* SessionCache.makeMemory())
        yield* fresh.cache.store(key, aged)
        yield* TestClock.adjust("1 second")
        return fresh
      })
      const { connection, puppet } = yield* converse({ ...all, cacheOf }, {
        ...resuming,
        subject: "client",
        script: {}
      })
      const first = puppet.received.find((_) => _._tag === "ClientHello")
      assert.strictEqual(pskOf(first ?? { extensions: [] }).offers[0]?.obfuscatedAge, (0xffff_ff00 + 1000) % 2 ** 32)
      assert.isTrue(connection?.resumed)
    }))
})

describe("a client offers a ticket as a PSK", () => {
  const day = 86_400
  const offered = (
    all: World,
    { change = {}, days = 0, suite = suiteOf(0x1301) }: {
      readonly change?: Partial<Session>
      readonly days?: number
      readonly suite?: CipherSuite.CipherSuite13
    }
  ) =>
    Effect.gen(function*() {
      const [, session] = all.remembered.client
      const kept = new Session({ ...session, secret: new SessionSecret(new Uint8Array(48).fill(1)), ...change })
      const hoarding = { ...yield* SessionCache.makeMemory(), offer: () => Effect.succeed(Option.some(kept)) }
      // Nothing is to be counted in a cache that never forgets.
      const cacheOf = () => Effect.succeed({ ...watch(hoarding), alive: Effect.succeed(0) })
      yield* TestClock.adjust(days * day * 1000)
      const { puppet } = yield* converse({ ...all, cacheOf }, {
        subject: "client",
        script: {},
        suite,
        client: { cipherSuites: [suite] }
      })
      const hello = puppet.received.find((_) => _._tag === "ClientHello")
      assert.isDefined(hello)
      assert.isTrue(kept.secret.bytes.every((byte) => byte === 0), "the secret is overwritten")
      return findExtension(hello?.extensions ?? [], "PreSharedKeys") !== undefined
    })
  const cases: ReadonlyArray<readonly [what: string, setting: Parameters<typeof offered>[1], expected: boolean]> = [
    ["within its lifetime", { change: { lifetime: 2 * day }, days: 1 }, true],
    ["not after it, whatever its cache keeps (section 4.2.11.1)", { change: { lifetime: day }, days: 1 }, false],
    ["not after a week (section 4.6.1)", { change: { lifetime: 8 * day }, days: 7 }, false],
    ["not after a week, though the server did not say", { change: { lifetime: undefined }, days: 7 }, false],
    [
      "not a week after the full handshake, though the ticket came later",
      { change: { lifetime: 7 * day, createdAt: 2 * day * 1000 }, days: 7 },
      false
    ],
    ["of SHA-384, with a suite that has it", { change: { cipherSuite: 0x1302 }, suite: suiteOf(0x1302) }, true],
    ["not without one (section 4.2.11)", { change: { cipherSuite: 0x1302 }, suite: suiteOf(0x1301) }, false],
    ["of SHA-256, with another suite that has it", { change: { cipherSuite: 0x1301 }, suite: suiteOf(0x1303) }, true]
  ]
  for (const [what, setting, expected] of cases) {
    conversation(what, (all) => Effect.map(offered(all, setting), (is) => assert.strictEqual(is, expected)))
  }
})

/** Pairs that share one cache and one identity. */
const pairs = (all: World, options: TlsTest.Options = {}) =>
  Effect.gen(function*() {
    const watched = watch(yield* SessionCache.makeMemory())
    let seed = 0
    const open = (more: TlsTest.Options = {}) =>
      TlsTest.pair({
        ...options,
        ...more,
        seed: `pair ${seed++}`,
        identity: all.server,
        trust: all.trust,
        sessionCache: watched.cache,
        client: { serverName, groups: ["x25519"], ...options.client, ...more.client },
        server: { groups: ["x25519"], ...options.server, ...more.server }
      })
    return { watched, open }
  })

const exchange = ({ client, server }: TlsTest.Pair) =>
  Effect.gen(function*() {
    yield* client.write(bytes("to the server"))
    assert.strictEqual(text(yield* server.pull), "to the server")
    yield* server.write(bytes("to the client"))
    assert.strictEqual(text(yield* client.pull), "to the client")
  })

describe("a client and its tickets", () => {
  conversation("uses each of them once, and then begins anew", (all) =>
    Effect.gen(function*() {
      const { open, watched } = yield* pairs(all)
      const resumed: Array<boolean> = []
      for (const tickets of [2, 0, 0, 0]) {
        yield* Effect.scoped(Effect.gen(function*() {
          const pair = yield* open({ server: { tickets } })
          yield* exchange(pair)
          resumed.push(pair.client.resumed)
          assert.strictEqual(pair.server.resumed, pair.client.resumed)
        }))
      }
      assert.deepStrictEqual(resumed, [false, true, true, false])
      // Two of the server and two of the client.
      assert.lengthOf(new Set(watched.stored.map(([, { id }]) => toHex(id))), 2)
      const secrets = watched.stored.map(([, { secret }]) => toHex(secret.bytes))
      assert.lengthOf(new Set(secrets), 2)
      assert.lengthOf(new Set(watched.stored.map(([, { ageAdd }]) => ageAdd)), 2)
    }))

  conversation(
    "gets as many as the server has to give, and a resumed connection gives new ones",
    (all) =>
      Effect.gen(function*() {
        const { open, watched } = yield* pairs(all)
        for (const [tickets, stored] of [[0, 0], [8, 8], [1, 9]] as const) {
          yield* Effect.scoped(Effect.flatMap(open({ server: { tickets } }), exchange))
          assert.lengthOf(watched.stored.filter(([key]) => key.startsWith("client")), stored)
        }
      })
  )

  conversation("a resumed connection tells what the first one proved", (all) =>
    Effect.gen(function*() {
      const auth = {
        client: { identity: all.client },
        server: { clientAuth: { mode: "require", trust: all.clientTrust } as const }
      }
      const { open } = yield* pairs(all, auth)
      yield* Effect.scoped(Effect.flatMap(open(), exchange))
      yield* Effect.scoped(Effect.gen(function*() {
        const pair = yield* open()
        yield* exchange(pair)
        assert.isTrue(pair.client.resumed)
        assert.deepStrictEqual(pair.client.peerCertificates, all.credentials.server.chain)
        assert.deepStrictEqual(pair.server.peerCertificates, all.credentials.client.chain)
      }))
    }))

  conversation(
    "a server that forgot its sessions gives no sign but another handshake",
    (all) =>
      Effect.gen(function*() {
        const { open, watched } = yield* pairs(all)
        yield* Effect.scoped(Effect.flatMap(open(), exchange))
        for (const [key, session] of watched.stored) {
          if (key.startsWith("server")) yield* watched.cache.invalidate(key, session)
        }
        const exit = yield* Effect.exit(Effect.scoped(Effect.gen(function*() {
          const pair = yield* open()
          yield* exchange(pair)
          assert.isFalse(pair.client.resumed)
        })))
        assert.isTrue(Exit.isSuccess(exit))
      })
  )
})

describe("R8446-4.2.9-01: tickets are for clients that can use them", () => {
  const ticketsOf = ({ puppet }: Outcome) => puppet.unasked.filter(([type]) => type === 4)
  accepts("psk_key_exchange_modes", "server", [
    ["has psk_dhe_ke: there are two", {}, {}, (outcome) => assert.lengthOf(ticketsOf(outcome), 2)],
    [
      "has psk_ke alone: there is none",
      hello(put({ _tag: "PskKeyExchangeModes", modes: [0] })),
      {},
      (outcome) => assert.lengthOf(ticketsOf(outcome), 0)
    ],
    [
      "is not there: there is none",
      hello(without("PskKeyExchangeModes")),
      {},
      (outcome) => assert.lengthOf(ticketsOf(outcome), 0)
    ]
  ])
})
