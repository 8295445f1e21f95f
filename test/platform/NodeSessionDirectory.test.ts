import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Persistence from "effect/persistence/Persistence"
import { SessionCache, SessionKeys } from "effect-tls"
import * as NodeSessionDirectory from "effect-tls/platform/NodeSessionDirectory"
import { existsSync } from "node:fs"
import { readdir, utimes, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { setImmediate } from "node:timers/promises"
import { counted, counts, offeredBy, randomKeys, session } from "../service/sessions.ts"
import { processOver, temporaryDirectory } from "../service/stores.ts"

const key = SessionCache.serverKey(session(1).id, "")

const open = (path: string) =>
  Effect.gen(function*() {
    const context = yield* Effect.orDie(Layer.build(NodeSessionDirectory.layer(path)))
    const keys = yield* Effect.provide(SessionKeys.SessionKeys, randomKeys)
    return yield* processOver(Context.get(context, Persistence.BackingPersistence), keys)
  })

const until = (isSo: () => boolean) =>
  Effect.promise(async () => {
    while (!isSo()) await setImmediate()
  })

describe("NodeSessionDirectory", () => {
  it.effect.each(["", "{", "{\"hello\":1}", "[1,null]", "[{\"sealed\":\"AAAA\",\"at\":0},null]", "7"])(
    "a file with %j is no session: counted, and removed",
    (text) =>
      counted(Effect.gen(function*() {
        const path = yield* temporaryDirectory
        const cache = yield* open(path)
        yield* cache.store(key, session(1))
        const [name] = yield* Effect.promise(() => readdir(path))
        const file = join(path, name ?? assert.fail("there is no file"))
        yield* Effect.promise(() => writeFile(file, text))
        assert.strictEqual(yield* offeredBy(cache, key), undefined)
        assert.strictEqual((yield* counts)["tls_sessions_refused unreadable"], 1)
        yield* until(() => !existsSync(file))
        yield* cache.store(key, session(1))
        assert.strictEqual(yield* offeredBy(cache, key), 1)
      }))
  )

  it.effect("what nobody came back for is swept away, and nothing else", () =>
    Effect.gen(function*() {
      const path = yield* temporaryDirectory
      const [old, young] = [join(path, "old"), join(path, "young")]
      yield* Effect.promise(async () => {
        for (const file of [old, young]) await writeFile(file, "[]")
        const hoursAgo = (hours: number) => new Date(Date.now() - hours * 3_600_000)
        await utimes(old, hoursAgo(26), hoursAgo(26))
        await utimes(young, hoursAgo(24), hoursAgo(24))
      })
      yield* open(path)
      yield* until(() => !existsSync(old))
      assert.isTrue(existsSync(young))
    }))
})
