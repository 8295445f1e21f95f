import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process"
import { constants } from "node:os"
import { HarnessError } from "./HarnessError.ts"
import { makeWatch, type Probe, type Watch } from "./Watch.ts"

/** A foreign program under our control. Its scope ends it: SIGKILL if it still lives. */
export interface PeerProcess {
  readonly pid: number
  /** All it wrote so far. `output` is both streams in the order they arrived. */
  readonly stdout: string
  readonly stderr: string
  readonly output: string
  /** The first match in `output` from offset `from` on (take `output.length` before an action to see only its effects). */
  readonly waitFor: (pattern: RegExp, from?: number) => Effect.Effect<RegExpMatchArray, HarnessError>
  /** Any other condition; fails when the peer ends before it holds. See `Watch.until`. */
  readonly until: Watch["until"]
  readonly send: (text: string | Uint8Array) => Effect.Effect<void>
  readonly endInput: Effect.Effect<void>
  readonly kill: (signal?: NodeJS.Signals) => Effect.Effect<void>
  /** Waits for the end and all of its output. A death by signal is 128 + its number, as in a shell. */
  readonly exit: Effect.Effect<number, HarnessError>
}

export interface SpawnOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

// A worker that ends without closing its scopes (a crash, a forced exit) must not leave peers behind.
const living = new Set<ChildProcessWithoutNullStreams>()
process.once("exit", () => {
  for (const child of living) child.kill("SIGKILL")
})

/** Starts `command` in the current scope. */
export const spawnPeer = (
  command: string,
  args: ReadonlyArray<string>,
  options: SpawnOptions = {}
): Effect.Effect<PeerProcess, HarnessError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.flatMap(
      Effect.sync(() =>
        makePeerProcess(
          [command, ...args].join(" "),
          spawn(command, args, {
            ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
            env: { ...process.env, ...options.env },
            stdio: ["pipe", "pipe", "pipe"]
          })
        )
      ),
      (peer) => Effect.as(peer.started, peer)
    ),
    (peer) => Effect.ignoreCause(Effect.andThen(peer.kill("SIGKILL"), peer.exit))
  )

interface StartingPeer extends PeerProcess {
  readonly started: Effect.Effect<void, HarnessError>
}

const makePeerProcess = (title: string, child: ChildProcessWithoutNullStreams): StartingPeer => {
  const text = { stdout: "", stderr: "", output: "" }
  let started = false
  let failure: Error | undefined
  let exitCode: number | undefined

  const details = () => `command: ${title}\nstdout:\n${text.stdout}\nstderr:\n${text.stderr}`
  const watch = makeWatch(details)
  const fail = (what: string) => Effect.fail(new HarnessError({ what, details: details() }))

  const collect = (stream: "stdout" | "stderr") => {
    child[stream].setEncoding("utf8")
    child[stream].on("data", (chunk: string) => {
      text[stream] += chunk
      text.output += chunk
      watch.changed()
    })
  }
  collect("stdout")
  collect("stderr")
  child.stdin.on("error", () => {}) // EPIPE: the peer left, its exit tells
  child.on("spawn", () => {
    started = true
    watch.changed()
  })
  child.on("error", (error) => {
    failure = error
    if (!started) living.delete(child)
    watch.changed()
  })
  child.on("close", (code, signal) => {
    exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal])
    living.delete(child)
    watch.changed()
  })
  living.add(child)

  const until = <A>(what: string, probe: Probe<A>, every?: number) =>
    watch.until(
      what,
      () => probe() ?? (exitCode === undefined ? undefined : fail(`exited (${exitCode}) before ${what}`)),
      every
    )

  return {
    get pid() {
      return child.pid ?? -1
    },
    get stdout() {
      return text.stdout
    },
    get stderr() {
      return text.stderr
    },
    get output() {
      return text.output
    },
    until,
    started: watch.until("its start", () => {
      if (failure !== undefined) return fail(`cannot start: ${failure.message}`)
      return started ? Effect.void : undefined
    }),
    waitFor: (pattern, from = 0) => {
      const once = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ""))
      return until(`output matching ${pattern}`, () => {
        const match = text.output.slice(from).match(once)
        return match === null ? undefined : Effect.succeed(match)
      })
    },
    send: (data) => Effect.sync(() => void child.stdin.write(data)),
    endInput: Effect.sync(() => void child.stdin.end()),
    kill: (signal = "SIGTERM") => Effect.sync(() => void child.kill(signal)),
    exit: watch.until("its exit", () => exitCode === undefined ? undefined : Effect.succeed(exitCode))
  }
}
