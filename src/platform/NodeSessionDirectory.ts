/**
 * A directory as the store of `SessionCache.layerPersisted`: sessions outlive the process, on one machine.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Persistence from "effect/persistence/Persistence"
import * as Schedule from "effect/Schedule"
import { randomUUID } from "node:crypto"
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { SessionStoreUnusable } from "./NodeSessionStore.ts"

/** Longer than any session or mark lives that the cache puts there by default. */
const longestLife = 25 * 60 * 60 * 1000

const isAbsent = (cause: unknown): boolean =>
  typeof cause === "object" && cause !== null && "code" in cause && cause.code === "ENOENT"

const files = (directory: string): KeyValueStore.KeyValueStore => {
  // The names that the cache makes are short and plain; a colon sets off the name of the store.
  const pathOf = (key: string) => join(directory, encodeURIComponent(key))
  const act = <A>(method: string, act: () => Promise<A>) =>
    Effect.tryPromise({
      try: act,
      catch: (cause) =>
        new KeyValueStore.KeyValueStoreError({
          method,
          message: cause instanceof Error ? cause.message : String(cause),
          cause
        })
    })
  const names = () => readdir(directory)
  return KeyValueStore.makeStringOnly({
    get: (key) =>
      act("get", async () => {
        try {
          const text = await readFile(pathOf(key), "utf8")
          // An entry is an array. Anything else would be taken for nothing, and stay: as no JSON at all it is found out.
          return text.startsWith("[") ? text : ""
        } catch (cause) {
          if (isAbsent(cause)) return undefined
          throw cause
        }
      }),
    // Beside it, then into its place: nobody reads half a value, and the mode is ours from the start.
    set: (key, value) =>
      act("set", async () => {
        const draft = join(directory, `.${randomUUID()}`)
        try {
          await writeFile(draft, value, { mode: 0o600, flag: "wx" })
          await rename(draft, pathOf(key))
        } catch (cause) {
          await rm(draft, { force: true })
          throw cause
        }
      }),
    remove: (key) => act("remove", () => rm(pathOf(key), { force: true })),
    clear: act("clear", async () => {
      for (const name of await names()) await rm(join(directory, name), { force: true })
    }),
    size: act("size", async () => (await names()).length),
    keys: act("keys", async () => (await names()).map(decodeURIComponent))
  })
}

/** Removes what nobody came back for. */
const sweep = (directory: string): Effect.Effect<void> =>
  Effect.tryPromise(async () => {
    for (const name of await readdir(directory)) {
      const path = join(directory, name)
      const { mtimeMs } = await stat(path)
      if (Date.now() - mtimeMs > longestLife) await rm(path, { force: true })
    }
  }).pipe(Effect.catch((error) => Effect.logWarning(`the session directory cannot be swept: ${error.message}`)))

/**
 * A file each, in a directory that is made where it does not exist, and that only its owner can read. What is in the files is sealed by
 * the cache. Processes of one machine may share it.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (directory: string): Layer.Layer<Persistence.BackingPersistence, SessionStoreUnusable> => {
  const opened = Layer.effect(
    KeyValueStore.KeyValueStore,
    Effect.gen(function*() {
      yield* Effect.tryPromise({
        try: async () => {
          await mkdir(directory, { recursive: true, mode: 0o700 })
          const draft = join(directory, `.${randomUUID()}`)
          await writeFile(draft, "", { mode: 0o600, flag: "wx" })
          await rm(draft)
        },
        catch: (cause) =>
          new SessionStoreUnusable({ store: directory, why: cause instanceof Error ? cause.message : String(cause) })
      })
      yield* Effect.forkScoped(Effect.repeat(sweep(directory), Schedule.spaced("1 hour")))
      return files(directory)
    })
  )
  return Persistence.layerBackingKvs.pipe(Layer.provide(opened))
}
