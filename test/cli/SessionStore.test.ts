import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { randomBytes } from "node:crypto"
import { existsSync } from "node:fs"
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { type Fleet, fleetOver, kinds, type Member } from "../fleet/Fleet.ts"
import { freePort } from "../harness/FreePort.ts"
import { peerSuite } from "../harness/PeerSuite.ts"
import { pkiFiles } from "../harness/PkiFiles.ts"
import { spawnPeer } from "../harness/Process.ts"
import { redisServer } from "../harness/Redis.ts"
import { tamperingProxy } from "../harness/TamperingProxy.ts"
import { contentType, contentTypes, flipBits } from "../harness/TlsRecords.ts"
import { temporaryDirectory } from "../service/stores.ts"
import { nodeArguments, runToEnd, serving } from "./Command.ts"

const key = randomBytes(32).toString("base64")

/** `effect-tls serve` that is not to get far: how it ends. */
const serveUntilItFails = (where: string, keys: string = key) =>
  Effect.gen(function*() {
    const files = yield* pkiFiles("ec")
    const { cert, key } = files.of("ec")
    const args = ["serve", "--port", "0", "--host", "127.0.0.1", "--cert", cert, "--key", key, "--session-cache", where]
    const env = { FORCE_COLOR: "0", EFFECT_TLS_SESSION_KEYS: keys }
    const command = yield* spawnPeer(process.execPath, [...nodeArguments, ...args], { env })
    const code = yield* command.exit
    assert.strictEqual(command.stdout, "")
    return { code, stderr: command.stderr }
  })

const oneLine = (pattern: RegExp, stderr: string) => {
  assert.match(stderr, /^[^\n]*\n$/)
  assert.match(stderr, pattern)
}

describe("serve --session-cache, wrong from the start: one sentence, and an end", () => {
  it.live("nobody listens there", () =>
    Effect.gen(function*() {
      const port = yield* freePort
      const { code, stderr } = yield* serveUntilItFails(`redis://user:secret@127.0.0.1:${port}/1`)
      assert.strictEqual(code, 1)
      oneLine(/session store redis:\/\/127\.0\.0\.1:\d+\/1 cannot be used: .*ECONNREFUSED/, stderr)
      assert.notInclude(stderr, "secret")
    }))

  it.live.each(["redis://", "redis://user:secret@", "redis://127.0.0.1:port"])(
    "%s is no address",
    (url) =>
      Effect.gen(function*() {
        const { code, stderr } = yield* serveUntilItFails(url)
        assert.strictEqual(code, 1)
        oneLine(/session store URL cannot be used: it is not of the form redis:\/\/host:port/, stderr)
        assert.notInclude(stderr, "secret")
      })
  )

  it.live.each(["http://127.0.0.1", "file:", "disk", ""])("%j is no place", (where) =>
    Effect.gen(function*() {
      const { code, stderr } = yield* serveUntilItFails(where)
      assert.strictEqual(code, 2)
      assert.match(stderr, /--session-cache.*redis:\/\/HOST:PORT/)
    }))

  it.live("keys: none, or unusable ones, which are not told", () =>
    Effect.gen(function*() {
      const where = `file:${yield* temporaryDirectory}`
      const none = yield* serveUntilItFails(where, "")
      assert.strictEqual(none.code, 1)
      oneLine(/EFFECT_TLS_SESSION_KEYS/, none.stderr)
      const wrong = yield* serveUntilItFails(where, key.slice(1))
      assert.strictEqual(wrong.code, 1)
      oneLine(/EFFECT_TLS_SESSION_KEYS cannot be used: key 1 is not 32 bytes/, wrong.stderr)
      assert.notInclude(wrong.stderr, key.slice(1, 12))
    }))

  it.live("a directory that is a file", () =>
    Effect.gen(function*() {
      const path = join(yield* temporaryDirectory, "file")
      yield* Effect.promise(() => writeFile(path, ""))
      const { code, stderr } = yield* serveUntilItFails(`file:${path}`)
      assert.strictEqual(code, 1)
      oneLine(/session store .*file cannot be used: .*EEXIST/, stderr)
    }))
})

describe("connect --session FILE", () => {
  it.live.each(["1.2", "1.3"])(
    "TLS %s: from one process to the next, until a fatal alert",
    (version) =>
      Effect.gen(function*() {
        const files = yield* pkiFiles("ec")
        const { cert, key } = files.of("ec")
        const server = yield* serving("--cert", cert, "--key", key)
        const file = join(files.directory, "session.json")
        let isSpoiled = false
        const proxy = yield* tamperingProxy({
          to: server.port,
          onRecord: (direction, _, record) =>
            isSpoiled && direction === "serverToClient" && contentType(record) === contentTypes.applicationData
              ? flipBits(record, -1)
              : record
        })
        const args = ["connect", `localhost:${proxy.port}`, "--ca", files.ca, "--tls", version, "--session", file]
        const run = Effect.scoped(
          Effect.map(
            runToEnd(args, "GET / HTTP/1.0\r\n\r\n"),
            ({ code, stdout }) => code === 0 ? stdout.match(/^handshake +(\w+)$/m)?.[1] : code
          )
        )
        assert.deepStrictEqual([yield* run, yield* run, yield* run], ["full", "resumed", "resumed"])
        isSpoiled = true
        assert.strictEqual(yield* run, 11)
        assert.isFalse(existsSync(file))
        isSpoiled = false
        assert.deepStrictEqual([yield* run, yield* run], ["full", "resumed"])
      }),
    60_000
  )
})

peerSuite("redis-server", (it) => {
  it.live("a password that is wrong, and not told", () =>
    Effect.gen(function*() {
      const redis = yield* redisServer()
      yield* redis.ask("CONFIG SET requirepass right")
      const { code, stderr } = yield* serveUntilItFails(redis.url.replace("//", "//:hunter2@"))
      assert.strictEqual(code, 1)
      oneLine(/session store redis:\/\/127\.0\.0\.1:\d+ cannot be used: .*WRONGPASS/, stderr)
      assert.notInclude(stderr, "hunter2")
    }))
}, "serve --session-cache redis://")

peerSuite("openssl", (it) => {
  const again = (fleet: Fleet, member: Member, signal: "SIGTERM" | "SIGKILL") =>
    Effect.gen(function*() {
      yield* member.process.kill(signal)
      yield* member.process.exit
      return yield* fleet.start
    })

  it.live(
    "a directory keeps sessions over a restart, an orderly one and another, and what is dead stays dead",
    () =>
      Effect.gen(function*() {
        const directory = join(yield* temporaryDirectory, "sessions")
        const fleet = yield* fleetOver(`file:${directory}`)
        let server = yield* fleet.start
        for (const kind of kinds) yield* fleet.visit(server, { kind, leaves: fleet.file(kind) })
        for (const signal of ["SIGTERM", "SIGKILL"] as const) {
          server = yield* again(fleet, server, signal)
          for (const kind of kinds) {
            assert.strictEqual(yield* fleet.visit(server, { kind, brings: fleet.file(kind) }), "resumed", kind)
          }
        }
        for (const kind of kinds) {
          yield* Effect.scoped(
            Effect.flatMap(fleet.stay(server, kind, fleet.file(kind)), (guest) => guest.die("server"))
          )
        }
        server = yield* again(fleet, server, "SIGKILL")
        for (const kind of kinds) {
          assert.strictEqual(yield* fleet.visit(server, { kind, brings: fleet.file(kind) }), "full", kind)
        }
      }),
    60_000
  )

  it.live("the directory and its files are for their owner alone, and tell nothing", () =>
    Effect.gen(function*() {
      const directory = join(yield* temporaryDirectory, "sessions")
      const fleet = yield* fleetOver(`file:${directory}`)
      const server = yield* fleet.start
      for (const kind of kinds) yield* fleet.visit(server, { kind, leaves: fleet.file(kind) })
      assert.strictEqual((yield* Effect.promise(() => stat(directory))).mode & 0o777, 0o700)
      const names = yield* Effect.promise(() => readdir(directory))
      assert.strictEqual(names.length, 4)
      for (const name of names) {
        const path = join(directory, name)
        assert.strictEqual((yield* Effect.promise(() => stat(path))).mode & 0o777, 0o600)
        assert.match(name, /^tls-sessions%3As\.[0-9a-f]{64}$/)
        assert.notInclude(yield* Effect.promise(() => readFile(path, "latin1")), "localhost")
      }
    }))

  it.live("a directory whose files cannot be read any more: full handshakes", () =>
    Effect.gen(function*() {
      const directory = join(yield* temporaryDirectory, "sessions")
      const fleet = yield* fleetOver(`file:${directory}`)
      const server = yield* fleet.start
      const [kind, session] = ["1.2 by ticket", fleet.file("session")] as const
      yield* fleet.visit(server, { kind, leaves: session })
      // In the place of each file, something that is none.
      yield* Effect.promise(async () => {
        for (const name of await readdir(directory)) {
          await rm(join(directory, name))
          await mkdir(join(directory, name))
        }
      })
      assert.strictEqual(yield* fleet.visit(server, { kind, brings: session }), "full")
      assert.match(server.process.stderr, /the session store does not answer, .*EISDIR/)
    }))

  it.live("none: every handshake is a full one", () =>
    Effect.gen(function*() {
      const fleet = yield* fleetOver("none", {})
      const server = yield* fleet.start
      for (const kind of kinds) {
        yield* fleet.visit(server, { kind, leaves: fleet.file(kind) })
        assert.strictEqual(yield* fleet.visit(server, { kind, brings: fleet.file(kind) }), "full", kind)
      }
    }))
}, "serve --session-cache, with openssl")
