import { assert, describe, it } from "@effect/vitest"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { TestClock } from "effect/testing"
import { SessionKeys } from "effect-tls"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import { randomBytes } from "node:crypto"
import { decodeSession, encodeSession, seal, unseal } from "../../src/service/SealedSession.ts"
import { isWiped, secretOf, session } from "./sessions.ts"

const text = new TextEncoder().encode("what is sealed")
const keysOf = (layer: Layer.Layer<SessionKeys.SessionKeys, unknown>) =>
  Effect.map(Effect.scoped(Layer.build(layer)), (context) => Layer.succeedContext(context)).pipe(
    Effect.flatMap((layer) => Effect.provide(SessionKeys.SessionKeys, layer))
  )
const random = (options?: SessionKeys.RandomOptions) =>
  keysOf(SessionKeys.layerRandom(options).pipe(Layer.provide(NodePrimitives.layer)))
const redacted = (text: string) =>
  keysOf(
    SessionKeys.layerRedacted(Config.succeed(Redacted.make(text))).pipe(Layer.provide(NodePrimitives.layer))
  )
const said = (opened: SessionKeys.Opened) =>
  opened._tag === "Refused" ? opened.why : `${opened.isNewestKey ? "newest" : "older"} key`

describe("sealing", () => {
  it.effect("opens in its context alone, and as a whole alone", () =>
    Effect.gen(function*() {
      const keys = yield* random()
      const sealed = yield* keys.seal(text, "here")
      const opened = yield* keys.open(sealed, "here")
      assert.deepStrictEqual(opened, { _tag: "Opened", plaintext: text, isNewestKey: true })
      assert.strictEqual(said(yield* keys.open(sealed, "there")), "tampered")
      for (let length = 0; length < sealed.length; length++) {
        assert.include(["foreign", "tampered"], said(yield* keys.open(sealed.subarray(0, length), "here")))
      }
      for (let bit = 0; bit < sealed.length * 8; bit++) {
        const turned = sealed.slice()
        turned[bit >> 3] = (turned[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        const why = said(yield* keys.open(turned, "here"))
        assert.strictEqual(why, bit < 8 ? "foreign" : bit < 72 ? "unknown key" : "tampered")
      }
    }))

  it.effect("never the same twice, and never as it was", () =>
    Effect.gen(function*() {
      const keys = yield* random()
      const all = yield* Effect.replicateEffect(keys.seal(text, ""), 100)
      const hex = all.map((sealed) => Buffer.from(sealed).toString("hex"))
      assert.strictEqual(new Set(hex).size, 100)
      for (const one of hex) assert.notInclude(one, Buffer.from(text).toString("hex").slice(0, 8))
    }))

  it.effect("names are the same for everyone, and tell nothing", () =>
    Effect.gen(function*() {
      const [one, other] = [yield* random(), yield* random()]
      assert.strictEqual(one.digest("server 00ff"), other.digest("server 00ff"))
      assert.match(one.digest("server 00ff"), /^[0-9a-f]{64}$/)
      assert.notStrictEqual(one.digest("server 00ff"), one.digest("server 00fe"))
    }))
})

describe("layerRandom", () => {
  it.effect("rotates, and opens what an older key sealed as long as they overlap", () =>
    Effect.gen(function*() {
      const keys = yield* random({ rotateEvery: "1 hour", overlap: "2 hours" })
      const sealed = yield* keys.seal(text, "")
      yield* TestClock.adjust("59 minutes")
      assert.strictEqual(said(yield* keys.open(sealed, "")), "newest key")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(said(yield* keys.open(sealed, "")), "older key")
      assert.strictEqual(said(yield* keys.open(yield* keys.seal(text, ""), "")), "newest key")
      yield* TestClock.adjust("119 minutes")
      assert.strictEqual(said(yield* keys.open(sealed, "")), "older key")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(said(yield* keys.open(sealed, "")), "unknown key")
    }))

  it.effect("another process has other keys", () =>
    Effect.gen(function*() {
      const sealed = yield* (yield* random()).seal(text, "")
      assert.strictEqual(said(yield* (yield* random()).open(sealed, "")), "unknown key")
    }))
})

describe("layerRedacted", () => {
  const [a, b, c] = [randomBytes(32), randomBytes(32), randomBytes(32)]

  it.effect("one key in any spelling; the three steps of a rotation", () =>
    Effect.gen(function*() {
      const old = yield* redacted(a.toString("base64"))
      const sealed = yield* old.seal(text, "")
      for (const spelling of [a.toString("hex"), a.toString("base64url"), ` ${a.toString("hex").toUpperCase()}\n`]) {
        assert.strictEqual(said(yield* (yield* redacted(spelling)).open(sealed, "")), "newest key")
      }
      const behind = yield* redacted(`${a.toString("base64")},${b.toString("base64")}`)
      const before = yield* redacted(`${b.toString("base64")} ${a.toString("hex")}`)
      const after = yield* redacted(b.toString("base64"))
      // Whoever is a step ahead or behind understands the others.
      const steps = [old, behind, before, after]
      const understands = []
      for (const by of steps) {
        const row = []
        for (const from of steps) row.push(said(yield* by.open(yield* from.seal(text, ""), "")))
        understands.push(row.map((word) => word[0]).join(""))
      }
      assert.deepStrictEqual(understands, ["nnuu", "nnoo", "oonn", "uunn"])
    }))

  it.effect("refuses what is no key, in a sentence without it", () =>
    Effect.gen(function*() {
      const wrong = [
        "",
        " , ",
        "short",
        c.toString("hex").slice(1),
        `${a.toString("hex")} ${c.toString("base64").slice(0, 40)}`,
        randomBytes(33).toString("base64")
      ]
      for (const text of wrong) {
        const exit = yield* Effect.exit(redacted(text))
        assert.isTrue(Exit.isFailure(exit), text)
        const printed = String(exit) + JSON.stringify(exit)
        assert.match(printed, /key [12] is not 32 bytes in base64 or hexadecimal|there is none/)
        for (const key of text.split(" ")) if (key.length > 4) assert.notInclude(printed, key)
      }
    }))

  it.effect("reads its config, and fails where there is none", () =>
    Effect.gen(function*() {
      const layer = SessionKeys.layerRedacted(Config.Redacted("KEYS")).pipe(Layer.provide(NodePrimitives.layer))
      const under = (env: Record<string, string>) =>
        Effect.exit(Effect.provide(keysOf(layer), ConfigProvider.layer(ConfigProvider.fromUnknown(env))))
      assert.isTrue(Exit.isSuccess(yield* under({ KEYS: a.toString("hex") })))
      assert.isTrue(Exit.isFailure(yield* under({})))
    }))
})

describe("sealed sessions", () => {
  const all = [
    session(1),
    session(2, {
      version: "1.3",
      lifetime: 604_800,
      ageAdd: 2 ** 32 - 1,
      authenticatedAt: Date.UTC(2199, 0),
      authenticatedUntil: Date.UTC(2201, 0),
      createdAt: Date.UTC(2200, 0),
      serverName: undefined
    }),
    session(3, {
      isTicket: true,
      lifetime: 0,
      serverName: "grüße.test",
      peerCertificates: [],
      id: new Uint8Array(3000)
    }),
    session(4, { peerCertificates: [new Uint8Array(70_000).fill(7), new Uint8Array(0)] })
  ]

  it.effect("come back as they were, with a secret of their own", () =>
    Effect.gen(function*() {
      const keys = yield* random()
      for (const one of all) {
        const unsealed = yield* unseal(keys, yield* seal(keys, one, "slot"), "slot")
        assert(unsealed._tag === "Session")
        assert.deepStrictEqual({ ...unsealed.session, secret: [] }, { ...one, secret: [] })
        assert.deepStrictEqual(secretOf(unsealed.session), secretOf(one))
        unsealed.session.wipe()
        assert.isFalse(isWiped(one))
        assert.deepStrictEqual(yield* unseal(keys, yield* seal(keys, one, "slot"), "other"), {
          _tag: "Refused",
          why: "unreadable"
        })
      }
    }))

  const older = [
    ["the first format, which did not tell when the full handshake was, are as old as their ticket", "01", 0],
    ["the second format, which did not tell how long the judgement holds, have no such end", "02", 1]
  ] as const
  for (const [what, format, hours] of older) {
    it(`of ${what}`, () => {
      const head = "0300000201021301010006612e7465737400000400000101"
      const times = hours === 0 ? "0000019b76daa800" : "0000019b76daa8000000019b77119680"
      const decoded = decodeSession(Buffer.from(
        `${format}${head}${times}0100001c2000000005${"09".repeat(32)}`,
        "hex"
      ))
      assert.deepStrictEqual({ ...decoded, secret: [] }, {
        version: "1.3",
        id: Uint8Array.of(1, 2),
        cipherSuite: 0x1301,
        secret: [],
        serverName: "a.test",
        peerCertificates: [Uint8Array.of(1)],
        authenticatedAt: Date.UTC(2026, 0),
        authenticatedUntil: undefined,
        createdAt: Date.UTC(2026, 0, 1, hours),
        lifetime: 7200,
        ageAdd: 5
      })
      assert.deepStrictEqual(decoded === undefined ? undefined : secretOf(decoded), new Uint8Array(32).fill(9))
    })
  }

  it("any other bytes are none, and none is half read", () => {
    const bytes = encodeSession(session(1))
    assert.isDefined(decodeSession(bytes))
    for (let length = 0; length <= bytes.length - 48; length++) {
      assert.isUndefined(decodeSession(bytes.subarray(0, length)))
    }
    for (let at = 0; at < bytes.length; at++) {
      for (const value of [0, 1, 2, 3, 127, 255]) {
        const changed = bytes.slice()
        changed[at] = value
        decodeSession(changed)
      }
    }
    for (const byte of [0, 4, 255]) assert.isUndefined(decodeSession(Uint8Array.of(byte, ...bytes.subarray(1))))
  })
})
