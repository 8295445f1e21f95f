import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { mkdtemp, rm } from "node:fs/promises"
import { createConnection } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePort } from "./FreePort.ts"
import { HarnessError } from "./HarnessError.ts"
import { type PeerProcess, spawnPeer } from "./Process.ts"

/** `redis-server` on a loopback port, in memory; what it holds goes with it, unless it `keeps` it on an orderly stop. */
export interface RedisServer {
  readonly port: number
  readonly url: string
  /** An orderly stop. */
  readonly stop: Effect.Effect<void, HarnessError>
  /** SIGKILL. */
  readonly crash: Effect.Effect<void, HarnessError>
  /** On the same port again, with what it kept. */
  readonly start: Effect.Effect<void, HarnessError, Scope.Scope>
  /** SIGSTOP: the connections stay, and nobody answers. */
  readonly pause: Effect.Effect<void>
  readonly goOn: Effect.Effect<void>
  /** One command in the inline form of the protocol, and the answer up to the end of its first line. */
  readonly ask: (command: string) => Effect.Effect<string, HarnessError>
}

const ask = (port: number, command: string): Effect.Effect<string, HarnessError> =>
  Effect.callback((resume) => {
    const socket = createConnection({ port, host: "127.0.0.1" }, () => void socket.write(`${command}\r\n`))
    let text = ""
    socket.setEncoding("utf8")
    socket.on("data", (chunk: string) => {
      text += chunk
      const end = text.indexOf("\r\n")
      if (end < 0) return
      resume(Effect.succeed(text.slice(0, end)))
      socket.destroy()
    })
    socket.on("error", (error) =>
      resume(Effect.fail(new HarnessError({ what: `redis does not answer ${command}`, details: error.message }))))
    return Effect.sync(() =>
      socket.destroy()
    )
  })

/** Starts it. A port that was free a moment ago may be taken: then another one is tried. */
export const redisServer = (
  options: { readonly keeps?: boolean } = {}
): Effect.Effect<RedisServer, HarnessError, Scope.Scope> =>
  Effect.gen(function*() {
    const directory = yield* Effect.acquireRelease(
      Effect.promise(() => mkdtemp(join(tmpdir(), "effect-tls-redis-"))),
      (directory) => Effect.promise(() => rm(directory, { recursive: true, force: true }))
    )
    const run = (port: number) =>
      spawnPeer(
        "redis-server",
        [
          ["--port", String(port), "--bind", "127.0.0.1", "--dir", directory],
          ["--appendonly", "no", "--save", options.keeps === true ? "3600 1" : ""]
        ].flat()
      )
    const ready = (process: PeerProcess) => Effect.asVoid(process.waitFor(/Ready to accept connections/))
    const begin = Effect.gen(function*() {
      const port = yield* freePort
      const process = yield* run(port)
      yield* ready(process)
      return { port, process }
    })
    const begun = yield* Effect.retry(begin, { times: 3 })
    let { process } = begun
    const { port } = begun
    return {
      port,
      url: `redis://127.0.0.1:${port}`,
      stop: Effect.suspend(() => Effect.asVoid(Effect.andThen(process.kill("SIGTERM"), process.exit))),
      crash: Effect.suspend(() => Effect.asVoid(Effect.andThen(process.kill("SIGKILL"), process.exit))),
      start: Effect.flatMap(run(port), (again) => {
        process = again
        return ready(again)
      }),
      pause: Effect.suspend(() => process.kill("SIGSTOP")),
      goOn: Effect.suspend(() => process.kill("SIGCONT")),
      ask: (command) => ask(port, command)
    }
  })
