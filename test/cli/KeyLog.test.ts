import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { mkdir, readdir } from "node:fs/promises"
import { join } from "node:path"
import { pkiFiles } from "../harness/PkiFiles.ts"
import { spawnPeer } from "../harness/Process.ts"
import { nodeArguments } from "./Command.ts"

/** The files that `serve` and `connect` leave behind where SSLKEYLOGFILE is set, and their options are these. */
const leftBehind = (options: { readonly serve: ReadonlyArray<string>; readonly connect: ReadonlyArray<string> }) =>
  Effect.gen(function*() {
    const files = yield* pkiFiles("ec")
    const { cert, key } = files.of("ec")
    const cwd = join(files.directory, "empty")
    yield* Effect.promise(() => mkdir(cwd))
    const command = (...args: ReadonlyArray<string>) =>
      spawnPeer(process.execPath, [...nodeArguments, ...args], {
        cwd,
        env: { SSLKEYLOGFILE: join(cwd, "unasked.log") }
      })
    const server = yield* command("serve", "--port", "0", "--cert", cert, "--key", key, ...options.serve)
    const [, port] = yield* server.waitFor(/^listening on .*:(\d+)$/m)
    const client = yield* command("connect", `localhost:${port}`, "--ca", files.ca, ...options.connect)
    yield* client.send("GET / HTTP/1.0\r\n\r\n")
    assert.strictEqual(yield* client.exit, 0, client.stderr)
    yield* server.waitFor(/full handshake: clean$/m)
    return yield* Effect.promise(() => readdir(cwd))
  })

it.live("no secret is written unasked, and the environment asks for nothing", () =>
  Effect.gen(function*() {
    assert.deepStrictEqual(yield* leftBehind({ serve: [], connect: [] }), [])
    assert.deepStrictEqual(yield* leftBehind({ serve: ["--keylog", "server.log"], connect: [] }), ["server.log"])
    assert.deepStrictEqual(yield* leftBehind({ serve: [], connect: ["--keylog", "client.log"] }), ["client.log"])
  }))
