import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { TestClock } from "effect/testing"
import { existsSync } from "node:fs"
import { readdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import * as SessionFile from "../../src/cli/SessionFile.ts"
import { Session } from "../../src/service/Session.ts"
import { SessionSecret } from "../../src/service/SessionSecret.ts"
import { clientKey, SessionCache } from "../../src/service/SessionCache.ts"
import { pkiFiles } from "../harness/PkiFiles.ts"

const session = (
  id: number,
  serverName: string | undefined = "localhost",
  version: "1.2" | "1.3" = "1.2",
  more: { readonly createdAt?: number; readonly lifetime?: number; readonly authenticatedUntil?: number } = {}
) =>
  new Session({
    version,
    id: Uint8Array.of(id),
    cipherSuite: 0xc02b,
    secret: new SessionSecret(new Uint8Array(48).fill(id)),
    serverName,
    peerCertificates: [Uint8Array.of(1, 2, 3), Uint8Array.of(4)],
    authenticatedAt: 0,
    authenticatedUntil: 1_000_000_000,
    createdAt: 0,
    lifetime: undefined,
    ageAdd: 0,
    ...more
  })

/** A cache over a fresh file, and the warnings it gave. */
const setting = Effect.gen(function*() {
  const { directory } = yield* pkiFiles()
  const path = join(directory, "session.json")
  const warnings: Array<string> = []
  const open = Effect.provide(
    SessionCache,
    SessionFile.layer(path, (warning) => Effect.sync(() => void warnings.push(warning))),
    { local: true }
  )
  return { directory, path, warnings, open, cache: yield* open }
})

const plain = (kept: Option.Option<Session>) =>
  Option.getOrUndefined(Option.map(kept, (session) => ({
    ...session,
    secret: session.secret.bytes
  })))

describe("the session file", () => {
  it.effect.each([["localhost"], [undefined]])(
    "gives back what was stored, to another process (%s)",
    ([name]) =>
      Effect.gen(function*() {
        const { cache, directory, open, warnings } = yield* setting
        const stored = session(7, name)
        assert.ok(Option.isNone(yield* cache.offer("key")))
        yield* cache.store("key", stored)
        assert.deepStrictEqual(plain(yield* (yield* open).offer("key")), plain(Option.some(stored)))
        assert.deepStrictEqual(warnings, [])
        const files = yield* Effect.promise(() => readdir(directory))
        assert.ok(files.includes("session.json"))
        assert.deepStrictEqual(files.filter((file) => file.startsWith("session.json.")), [], "no draft is left behind")
      })
  )

  it.effect("forgets by identity, and stores no dead session again", () =>
    Effect.gen(function*() {
      const { cache, path, warnings } = yield* setting
      yield* cache.store("key", session(1))
      yield* cache.store("key", session(2))
      yield* cache.invalidate("key", session(1))
      assert.deepStrictEqual(plain(yield* cache.offer("key"))?.id, Uint8Array.of(2), "the newer one stays")
      yield* cache.invalidate("key", session(2))
      assert.ok(!existsSync(path))
      yield* cache.store("key", session(2))
      assert.ok(!existsSync(path))
      assert.deepStrictEqual(warnings, [])
    }))

  it.effect("offers nothing under another key, nor after a day", () =>
    Effect.gen(function*() {
      const { cache, path, warnings } = yield* setting
      yield* cache.store("key", session(1))
      assert.ok(Option.isNone(yield* cache.offer("another")))
      yield* TestClock.adjust("23 hours")
      assert.ok(Option.isSome(yield* cache.offer("key")))
      yield* TestClock.adjust("1 hour")
      assert.ok(Option.isNone(yield* cache.offer("key")))
      assert.deepStrictEqual(warnings, [
        `the session of ${path} is not offered: it was made with another peer, or with other options.`,
        `the session of ${path} is not offered: it is more than a day old.`
      ])
    }))

  it.effect("offers nothing a day after the full handshake, whatever came of it since, and stores nothing", () =>
    Effect.gen(function*() {
      const { cache, path, warnings } = yield* setting
      yield* TestClock.adjust("23 hours")
      yield* cache.store("key", session(1, "localhost", "1.2", { createdAt: 23 * 3_600_000, lifetime: 86_400 }))
      assert.ok(Option.isSome(yield* cache.offer("key")))
      yield* TestClock.adjust("1 hour")
      assert.ok(Option.isNone(yield* cache.offer("key")))
      assert.deepStrictEqual(warnings, [`the session of ${path} is not offered: it is more than a day old.`])
      yield* cache.store("key", session(2, "localhost", "1.2", { createdAt: 24 * 3_600_000, lifetime: 86_400 }))
      const { session: kept } = JSON.parse(yield* Effect.promise(() => readFile(path, "utf8")))
      assert.strictEqual(JSON.parse(kept).id, "01")
    }))

  it.effect("offers nothing for longer than the server wanted", () =>
    Effect.gen(function*() {
      const { cache, path, warnings } = yield* setting
      yield* cache.store("key", session(1, "localhost", "1.3", { lifetime: 600 }))
      yield* TestClock.adjust("10 minutes")
      assert.ok(Option.isNone(yield* cache.offer("key")))
      assert.deepStrictEqual(warnings, [`the session of ${path} is not offered: it is older than the server wanted.`])
    }))

  it.effect("offers nothing when the judgement of the certificate has run out", () =>
    Effect.gen(function*() {
      const { cache, path, warnings } = yield* setting
      yield* cache.store("key", session(1, "localhost", "1.2", { authenticatedUntil: 600_000 }))
      yield* TestClock.adjust("599999 millis")
      assert.ok(Option.isSome(yield* cache.offer("key")))
      yield* TestClock.adjust("1 millis")
      assert.ok(Option.isNone(yield* cache.offer("key")))
      const why = "the judgement of the server's certificate has run out"
      assert.deepStrictEqual(warnings, [`the session of ${path} is not offered: ${why}.`])
    }))

  it.effect("reads a file that does not tell when the full handshake was: the session is as old as it says", () =>
    Effect.gen(function*() {
      const { open, path } = yield* setting
      const stored = session(1)
      yield* (yield* open).store("key", stored)
      const { key, session: kept } = JSON.parse(yield* Effect.promise(() => readFile(path, "utf8")))
      const { authenticatedAt, authenticatedUntil, ...older } = JSON.parse(kept)
      assert.deepStrictEqual([authenticatedAt, authenticatedUntil], [0, 1_000_000_000])
      yield* Effect.promise(() => writeFile(path, JSON.stringify({ key, session: JSON.stringify(older) })))
      assert.deepStrictEqual(plain(yield* (yield* open).offer("key")), {
        ...stored,
        secret: stored.secret.bytes,
        authenticatedUntil: undefined
      })
    }))

  const client = clientKey({ verified: "localhost", name: "a", alpnProtocols: [], trust: "", identity: "" })

  it.effect("offers a ticket of TLS 1.3 once, and the next one that comes", () =>
    Effect.gen(function*() {
      const { cache, open, path, warnings } = yield* setting
      for (const id of [1, 2]) {
        yield* cache.store(client, session(id, "localhost", "1.3"))
        assert.deepStrictEqual(plain(yield* cache.offer(client))?.id, Uint8Array.of(id))
        assert.ok(!existsSync(path), "it is in the file no more")
        assert.ok(Option.isNone(yield* cache.offer(client)))
        assert.ok(Option.isNone(yield* (yield* open).offer(client)))
      }
      assert.deepStrictEqual(warnings, [])
    }))

  it.effect("offers a session of TLS 1.2 as often as it is wanted", () =>
    Effect.gen(function*() {
      const { cache, open, path } = yield* setting
      yield* cache.store(client, session(1))
      assert.ok(Option.isSome(yield* cache.offer(client)))
      assert.ok(Option.isSome(yield* (yield* open).offer(client)))
      assert.ok(existsSync(path))
    }))

  it.effect("leaves a ticket of TLS 1.3 to whom it is for", () =>
    Effect.gen(function*() {
      const { cache } = yield* setting
      yield* cache.store(client, session(1, "localhost", "1.3"))
      assert.ok(Option.isNone(yield* cache.offer("another")))
      assert.ok(Option.isSome(yield* cache.offer(client)))
    }))

  it.effect("gives a ticket of TLS 1.3 to one process, where several ask at the same time", () =>
    Effect.gen(function*() {
      const { cache, open, warnings } = yield* setting
      const caches = yield* Effect.forEach(Array.from({ length: 8 }), () => open)
      for (let round = 0; round < 10; round++) {
        yield* cache.store(client, session(round, "localhost", "1.3"))
        const offered = yield* Effect.forEach(caches, (_) => _.offer(client), { concurrency: "unbounded" })
        assert.lengthOf(offered.filter(Option.isSome), 1)
      }
      assert.deepStrictEqual(warnings, [])
    }))
})
