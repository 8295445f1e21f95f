import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type ChildProcess, fork } from "node:child_process"
import type { Setup } from "./Peer.ts"
import type { Kind } from "./PeerOf.ts"

/** What the other process is to do. */
export interface Orders {
  readonly kind: Kind
  readonly setup: Setup
  /**
   * With a connection: `commanded` keeps the latest one for `receive`, `echo` sends back, `idle` waits for data that does not come.
   * `no server` is for `handshakes` in memory and for `visits`, and listens to nobody.
   */
  readonly behaviour: "commanded" | "echo" | "idle" | "no server"
}

/** Answered with a number: processor time in nanoseconds, resident bytes after garbage collections, or 0 when done. */
export type Command =
  | { readonly ask: "processor" }
  | { readonly ask: "memory" }
  | { readonly ask: "receive"; readonly total: number }
  | { readonly ask: "handshakes"; readonly count: number }
  | { readonly ask: "visits"; readonly port: number; readonly count: number; readonly atOnce: number }

/** A process of its own, which knows one implementation and nothing of its rivals: what is compiled for one is no good for two. */
export interface Remote {
  readonly port: number
  readonly ask: (command: Command) => Effect.Effect<number>
}

const answer = (child: ChildProcess): Effect.Effect<number> =>
  Effect.callback((resume) => {
    const onMessage = (message: unknown): void => {
      child.off("exit", onExit)
      resume(typeof message === "number" ? Effect.succeed(message) : Effect.die(message))
    }
    const onExit = (code: number | null): void => {
      child.off("message", onMessage)
      resume(Effect.die(new Error(`the other process ended with ${code}`)))
    }
    child.once("message", onMessage)
    child.once("exit", onExit)
  })

export const remote = (
  orders: Orders,
  flags: ReadonlyArray<string> = []
): Effect.Effect<Remote, never, Scope.Scope> =>
  Effect.gen(function*() {
    const execArgv = ["--conditions=source", "--expose-gc", ...flags]
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => fork(new URL("RemoteMain.ts", import.meta.url), { execArgv })),
      (child) => Effect.sync(() => void child.kill())
    )
    const say = (message: Orders | Command): Effect.Effect<number> =>
      Effect.suspend(() => {
        child.send(message)
        return answer(child)
      })
    return { port: yield* say(orders), ask: say }
  })
