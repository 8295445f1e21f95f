import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Server } from "node:net"
import { HarnessError } from "./HarnessError.ts"

/** Listens on a free port of 127.0.0.1 until the scope ends; the sockets are their owner's to destroy. */
export const listen = (server: Server): Effect.Effect<number, HarnessError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<number, HarnessError>((resume) => {
      const fail = (details: string) => resume(Effect.fail(new HarnessError({ what: "cannot listen", details })))
      server.once("error", (error) => fail(error.message))
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        if (address === null || typeof address === "string") fail("not an IP socket")
        else resume(Effect.succeed(address.port))
      })
    }),
    () => Effect.sync(() => void server.close())
  )
