import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { TestClock } from "effect/testing"
import { cutAfter, within } from "../../src/connection/Deadline.ts"

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

describe("cutAfter", () => {
  it.effect("has no timer for what is over, and one for the rest, which ends with it", () =>
    Effect.gen(function*() {
      const over = yield* Effect.forkChild(Effect.succeed(1), { startImmediately: true })
      assert.strictEqual(yield* cutAfter(over, "1 second"), undefined)
      const later = yield* Deferred.make<number>()
      const fiber = yield* Effect.forkChild(Deferred.await(later), { startImmediately: true })
      const timer = yield* cutAfter(fiber, "1 second")
      yield* Deferred.succeed(later, 2)
      assert.strictEqual(yield* Fiber.join(fiber), 2)
      const end = timer?.pollUnsafe()
      assert.isTrue(end !== undefined && Exit.hasInterrupts(end))
    }))

  it.effect("cuts what is late", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const fiber = yield* Effect.forkChild(slow(log), { startImmediately: true })
      yield* cutAfter(fiber, "1 second")
      yield* TestClock.adjust("2 seconds")
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
      assert.deepStrictEqual(log, ["cut"])
    }))
})
