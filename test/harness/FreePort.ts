import * as Effect from "effect/Effect"
import { createServer } from "node:net"
import { HarnessError } from "./HarnessError.ts"

/**
 * A loopback port that was free a moment ago, for what must be told a number. Whoever can should bind port 0 instead, as
 * every server of this harness does.
 */
export const freePort: Effect.Effect<number, HarnessError> = Effect.callback((resume) => {
  const server = createServer()
  const fail = (details: string) => resume(Effect.fail(new HarnessError({ what: "no free port", details })))
  server.once("error", (error) => fail(error.message))
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() =>
      address === null || typeof address === "string"
        ? fail("not an IP socket")
        : resume(Effect.succeed(address.port))
    )
  })
})
