/**
 * The tour: what the alert protocol looks like when real peers use it.
 *
 *     npm start
 *
 * Our client talks to `node:tls` servers and `node:tls` clients talk to our server, over TCP on 127.0.0.1. Every line comes from
 * what was observed; the exit code is 1 if anything was not as it should be. First TLS 1.2, then what is different in TLS 1.3.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { Primitives, Randomness } from "effect-tls"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import { legend } from "../../../src/cli/Ladder.ts"
import { paintFor } from "../../../src/cli/Paint.ts"
import { ourClient } from "./OurClient.ts"
import { ourServer } from "./OurServer.ts"
import { makeStory } from "./Story.ts"
import { tls13 } from "./Tls13.ts"

const paint = paintFor(process.stdout)
const writeLine = (line: string) => void process.stdout.write(`${line}\n`)
const story = makeStory(paint, writeLine)

/** A part that breaks off is a check that does not hold. */
const part = <E>(scenarios: Effect.Effect<void, E, Primitives | Randomness.Randomness>): Effect.Effect<void> =>
  scenarios.pipe(
    Effect.catchCause((cause) => Effect.sync(() => story.check(`it broke off: ${Cause.pretty(cause)}`, false))),
    Effect.provide(NodePrimitives.layer)
  )

const tour = Effect.gen(function*() {
  const started = Date.now()
  writeLine(paint("strong", "effect-tls: a tour of the TLS alert protocol (RFC 5246 section 7.2, RFC 8446 section 6)"))
  writeLine(`The other side is node:tls (OpenSSL ${process.versions.openssl}), over TCP on 127.0.0.1.`)
  writeLine(paint("faint", legend))
  yield* part(ourClient(story))
  yield* part(ourServer(story))
  yield* part(tls13(story))
  const { failed, passed } = story.checks()
  writeLine("")
  writeLine(
    failed === 0
      ? paint("good", `All ${passed} checks hold, after ${((Date.now() - started) / 1000).toFixed(1)} seconds.`)
      : paint("fatal", `${failed} of ${passed + failed} checks do not hold.`)
  )
  if (failed > 0) process.exitCode = 1
})

NodeRuntime.runMain(tour)
