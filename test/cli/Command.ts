import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { fileURLToPath } from "node:url"
import type { HarnessError } from "../harness/HarnessError.ts"
import { type PeerProcess, spawnPeer } from "../harness/Process.ts"

const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url))

/** The arguments with which Node runs the command from its sources. */
export const nodeArguments = ["--conditions=source", main]

/** What the test runner sets for its own output must not get into what is compared. */
const env = { FORCE_COLOR: "0" }

/** `effect-tls`, as a process. */
export const effectTls = (
  ...args: ReadonlyArray<string>
): Effect.Effect<PeerProcess, HarnessError, Scope.Scope> =>
  spawnPeer(process.execPath, [...nodeArguments, ...args], { env })

export interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** `effect-tls` from its start to its end, with all of its input given at once. */
export const runToEnd = (
  args: ReadonlyArray<string>,
  input?: string
): Effect.Effect<Ended, HarnessError, Scope.Scope> =>
  Effect.gen(function*() {
    const command = yield* effectTls(...args)
    if (input !== undefined) yield* command.send(input)
    yield* command.endInput
    const code = yield* command.exit
    return { code, stdout: command.stdout, stderr: command.stderr }
  })

export interface Serving {
  readonly port: number
  readonly process: PeerProcess
  /** The lines on connections that are over; waits until there are `count`. */
  readonly lines: (count: number) => Effect.Effect<ReadonlyArray<string>, HarnessError>
}

/** `effect-tls serve` on a free port of 127.0.0.1. */
export const serving = (...args: ReadonlyArray<string>): Effect.Effect<Serving, HarnessError, Scope.Scope> =>
  Effect.gen(function*() {
    const process = yield* effectTls("serve", "--port", "0", "--host", "127.0.0.1", ...args)
    const [, port] = yield* process.waitFor(/^listening on 127\.0\.0\.1:(\d+)\n/m)
    return {
      port: Number(port),
      process,
      lines: (count) =>
        process.until(`${count} connections over`, () => {
          const lines = process.stderr.split("\n").slice(1, -1)
          return lines.length < count ? undefined : Effect.succeed(lines)
        })
    }
  })
