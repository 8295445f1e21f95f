import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type ChildProcess, fork } from "node:child_process"
import type { Setup } from "./Peer.ts"
import type { Kind } from "./PeerOf.ts"

/** What the server in the other process does with a connection. */
export interface Orders {
  readonly kind: Kind
  readonly setup: Setup
  /** `commanded` keeps the latest one for `receive`, `echo` sends back, `idle` waits for data that does not come. */
  readonly behaviour: "commanded" | "echo" | "idle"
}

/** Answered with a number: processor time in nanoseconds, resident bytes after garbage collections, or 0 when done. */
export type Command =
  | { readonly ask: "processor" }
  | { readonly ask: "memory" }
  | { readonly ask: "receive"; readonly total: number }

/** A server in a process of its own. */
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
      resume(Effect.die(new Error(`the server process ended with ${code}`)))
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
