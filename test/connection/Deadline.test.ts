import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { TestClock } from "effect/testing"
import { alarm, within } from "../../src/connection/Deadline.ts"

/** Work that never ends by itself, and whose end takes a second. */
const slow = (log: Array<string>) =>
  Effect.onInterrupt(Effect.never, () => Effect.andThen(Effect.sleep("1 second"), Effect.sync(() => log.push("cut"))))

describe("within", () => {
  it.effect("gives what is there at once, and what comes in time", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* within(Effect.succeed(1), "1 second"), Option.some(1))
      const failure = yield* Effect.exit(within(Effect.fail("no"), "1 second"))
      assert.deepStrictEqual(failure, Exit.fail("no"))
      const later = yield* Deferred.make<number, string>()
      const fiber = yield* Effect.forkChild(within(Deferred.await(later), "1 second"), { startImmediately: true })
      yield* TestClock.adjust("999 millis")
      yield* Deferred.succeed(later, 2)
      assert.deepStrictEqual(yield* Fiber.join(fiber), Option.some(2))
    }))

  it.effect("cuts what is late, and waits for its end", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const fiber = yield* Effect.forkChild(within(slow(log), "1 second"), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(fiber), Option.none())
      assert.deepStrictEqual(log, ["cut"])
    }))

  it.effect("when it is interrupted, the work has ended before anything that comes after it", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const fiber = yield* within(slow(log), "1 hour").pipe(
        Effect.ensuring(Effect.sync(() => log.push("after"))),
        Effect.forkChild({ startImmediately: true })
      )
      const interrupting = yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
      assert.deepStrictEqual(log, [])
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(interrupting)
      assert.deepStrictEqual(log, ["cut", "after"])
    }))

  it.effect("an interruption from inside is none of its own", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(within(Effect.andThen(Effect.yieldNow, Effect.interrupt), "1 second"))
      assert.isTrue(Exit.hasInterrupts(exit))
    }))
})

describe("alarm", () => {
  const ringing = (rung: Array<string>) =>
    Effect.gen(function*() {
      const done = yield* Deferred.make<void>()
      const context = yield* Effect.context<never>()
      const callOff = alarm(context, "1 millis", () => rung.push("called off"))
      alarm(context, "1 millis", () => rung.push("first"))
      alarm(context, "5 millis", () => {
        rung.push("last")
        Deferred.doneUnsafe(done, Exit.void)
      })
      callOff()
      return Deferred.await(done)
    })

  it.live("rings by the clock of the platform, unless it is called off", () =>
    Effect.gen(function*() {
      const rung: Array<string> = []
      yield* yield* ringing(rung)
      assert.deepStrictEqual(rung, ["first", "last"])
    }))

  it.effect("rings by any other clock", () =>
    Effect.gen(function*() {
      const rung: Array<string> = []
      const done = yield* ringing(rung)
      yield* TestClock.adjust("4 millis")
      assert.deepStrictEqual(rung, ["first"])
      yield* TestClock.adjust("1 millis")
      yield* done
      assert.deepStrictEqual(rung, ["first", "last"])
    }))

  it.live("never, where that is asked for", () =>
    Effect.gen(function*() {
      const callOff = alarm(yield* Effect.context<never>(), "Infinity", () => assert.fail("rang"))
      yield* yield* ringing([])
      callOff()
    }))
})
