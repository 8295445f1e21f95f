import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Persistence from "effect/persistence/Persistence"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import { ConnectionError, SqlError } from "effect/sql/SqlError"
import { makeCompilerSqlite } from "effect/sql/Statement"
import * as Stream from "effect/Stream"
import { SessionCache, SessionKeys } from "effect-tls"
import * as NodeSessionDirectory from "effect-tls/platform/NodeSessionDirectory"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import type { PersistedOptions } from "../../src/service/PersistedSessions.ts"

export type Backing = Persistence.BackingPersistence["Service"]

const backingOf = <E>(
  layer: Layer.Layer<Persistence.BackingPersistence, E>
): Effect.Effect<Backing, never, Scope.Scope> =>
  Effect.orDie(Effect.map(Layer.build(layer), (context) => Context.get(context, Persistence.BackingPersistence)))

/** SQLite of Node, in memory: as much of a client as the store of Effect needs. */
const sqlite = Layer.effect(
  SqlClient.SqlClient,
  Effect.gen(function*() {
    const database = yield* Effect.acquireRelease(
      Effect.sync(() => new DatabaseSync(":memory:")),
      (database) => Effect.sync(() => database.close())
    )
    const rows = (sql: string, params: ReadonlyArray<unknown>) =>
      Effect.try({
        try: () =>
          database.prepare(sql).all(
            ...params.map((value) => value === null ? null : typeof value === "number" ? value : String(value))
          ),
        catch: (cause) => new SqlError({ reason: new ConnectionError({ cause, message: String(cause) }) })
      })
    const values = (sql: string, params: ReadonlyArray<unknown>) =>
      Effect.map(rows(sql, params), (all) => all.map((row) => Object.values(row)))
    return yield* SqlClient.make({
      acquirer: Effect.succeed({
        execute: rows,
        executeRaw: rows,
        executeUnprepared: rows,
        executeValues: values,
        executeValuesUnprepared: values,
        executeStream: (sql, params) => Stream.fromIterableEffect(rows(sql, params))
      }),
      compiler: makeCompilerSqlite(),
      driver: "node:sqlite",
      spanAttributes: []
    })
  })
).pipe(Layer.provide(Reactivity.layer))

/** A directory that the scope removes. */
export const temporaryDirectory: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "effect-tls-sessions-"))),
  (directory) => Effect.promise(() => rm(directory, { recursive: true, force: true }))
)

/** Every store that needs no other program. */
export const stores: ReadonlyArray<readonly [name: string, open: Effect.Effect<Backing, never, Scope.Scope>]> = [
  ["memory", backingOf(Persistence.layerBackingMemory)],
  [
    "a directory",
    Effect.flatMap(temporaryDirectory, (path) => backingOf(NodeSessionDirectory.layer(join(path, "new"))))
  ],
  ["SQL", backingOf(Persistence.layerBackingSql.pipe(Layer.provide(sqlite)))]
]

/** A cache over a store, as one process has it. */
export const processOver = (
  backing: Backing,
  keys: SessionKeys.SessionKeys["Service"],
  options?: PersistedOptions
): Effect.Effect<SessionCache.SessionCache["Service"], never, Scope.Scope> =>
  Effect.map(
    Layer.build(
      Layer.fresh(SessionCache.layerPersisted(options)).pipe(
        Layer.provide(Layer.succeed(Persistence.BackingPersistence, backing)),
        Layer.provide(Layer.succeed(SessionKeys.SessionKeys, keys))
      )
    ),
    (context) => Context.get(context, SessionCache.SessionCache)
  )

/** What a store does with the next operations: as asked, fails, throws, or does them when it is let go on. */
export type Mood = "well" | "down" | "throwing" | "paused"

export interface MoodyStore {
  readonly backing: Backing
  /** The JSON that is kept, by name. */
  readonly kept: Map<string, string>
  /** `get s.…`, in the order in which they were asked for. */
  readonly asked: Array<string>
  mood: Mood
  /** Carries out what was held back while it was paused, in another order than it came. */
  readonly goOn: () => void
}

/** A store in memory that can be out of order, and that lets a test look and write into it. */
export const moodyStore = (): MoodyStore => {
  const held: Array<() => void> = []
  const kept = new Map<string, string>()
  const asked: Array<string> = []
  const act = <A>(what: string, name: string, run: () => A): Effect.Effect<A, Persistence.PersistenceError> =>
    Effect.suspend(() => {
      asked.push(`${what} ${name}`)
      switch (self.mood) {
        case "down":
          return Effect.fail(new Persistence.PersistenceError({ message: "the store is down" }))
        case "throwing":
          throw new Error("the store is broken")
        case "paused":
          return Effect.callback<A, Persistence.PersistenceError>((resume) => {
            held.push(() => resume(Effect.succeed(run())))
          })
        case "well":
          return Effect.try({
            try: run,
            catch: (cause) => new Persistence.PersistenceError({ message: "Failed to parse value", cause })
          })
      }
    })
  const get = (name: string): object | undefined => {
    const json = kept.get(name)
    return json === undefined ? undefined : JSON.parse(json)
  }
  const store: Persistence.BackingPersistenceStore = {
    get: (name) => act("get", name, () => get(name)),
    getMany: () => Effect.die("not asked for"),
    set: (name, value, ttl) => {
      const life = ttl === undefined ? "ever" : Duration.format(ttl)
      return act(`set for ${life}`, name, () => void kept.set(name, JSON.stringify(value)))
    },
    setMany: () => Effect.die("not asked for"),
    remove: (name) => act("remove", name, () => void kept.delete(name)),
    clear: Effect.die("not asked for")
  }
  const self: MoodyStore = {
    backing: Persistence.BackingPersistence.of({ make: () => Effect.succeed(store) }),
    kept,
    asked,
    mood: "well",
    goOn: () => {
      self.mood = "well"
      for (const run of held.splice(0).reverse()) run()
    }
  }
  return self
}
