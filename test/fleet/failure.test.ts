/**
 * A fleet whose store, or whose members, fail: what docs/sessions.md promises in each case. A visit is a whole conversation that ends
 * well: no handshake fails, and nothing hangs.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { HarnessError } from "../harness/HarnessError.ts"
import { peerSuite } from "../harness/PeerSuite.ts"
import { type RedisServer, redisServer } from "../harness/Redis.ts"
import { type Fleet, fleetOver, type Kind, kinds, type Member } from "./Fleet.ts"

const setting = (keeps: boolean) =>
  Effect.gen(function*() {
    const redis = yield* redisServer({ keeps })
    const fleet = yield* fleetOver(redis.url)
    const [a, b] = yield* Effect.all([fleet.start, fleet.start], { concurrency: 2 })
    return { redis, fleet, a, b }
  })

/** Visits until the member has its store back: somebody has to ask for it to be tried. */
const untilBack = (fleet: Fleet, member: Member, from: number): Effect.Effect<void, HarnessError, never> =>
  Effect.suspend(() =>
    /the session store answers again/.test(member.process.output.slice(from))
      ? Effect.void
      : Effect.andThen(
        fleet.visit(member, { kind: "1.3 by ticket" }),
        Effect.suspend(() => untilBack(fleet, member, from))
      )
  )

/** What can happen to Redis, and how it comes back. */
const outages: ReadonlyArray<
  readonly [
    name: string,
    keeps: boolean,
    down: (redis: RedisServer) => Effect.Effect<void, HarnessError>,
    up: (redis: RedisServer) => Effect.Effect<void, HarnessError, Scope.Scope>
  ]
> = [
  ["stopped, and started again with what it kept", true, (redis) => redis.stop, (redis) => redis.start],
  ["killed, and started again empty", false, (redis) => redis.crash, (redis) => redis.start],
  ["paused (SIGSTOP), and let go on", false, (redis) => redis.pause, (redis) => redis.goOn]
]

peerSuite(["openssl", "redis-server"], (it) => {
  for (const [name, keeps, down, up] of outages) {
    it.live(`Redis ${name}: full handshakes meanwhile, nothing dead afterwards`, () =>
      Effect.gen(function*() {
        const { a, b, fleet, redis } = yield* setting(keeps)
        const [doomed, other] = [fleet.file("doomed.pem"), fleet.file("other.pem")]
        const kind: Kind = "1.2 by ticket"
        for (const leaves of [doomed, other]) yield* fleet.visit(b, { kind, leaves })
        const guest = yield* fleet.stay(a, kind, doomed)
        const [fromA, fromB] = [a.process.output.length, b.process.output.length]

        yield* down(redis)
        for (const kind of kinds) yield* fleet.visit(b, { kind })
        assert.strictEqual(yield* fleet.visit(b, { kind, brings: other }), "full")
        yield* guest.die("server")
        assert.match(a.process.output.slice(fromA), /still to be told of a dead session/)
        for (const member of [a, b]) assert.strictEqual(yield* fleet.visit(member, { kind, brings: doomed }), "full")

        yield* up(redis)
        // Who saw it die refuses it at once; the others as soon as they can have heard of it.
        assert.strictEqual(yield* fleet.visit(a, { kind, brings: doomed }), "full")
        yield* a.process.waitFor(/knows of all dead sessions again/, fromA)
        yield* untilBack(fleet, b, fromB)
        for (const member of [b, a]) assert.strictEqual(yield* fleet.visit(member, { kind, brings: doomed }), "full")
        // And all is as it was, as far as Redis kept it.
        const kept = name.includes("empty") ? "full" : "resumed"
        assert.strictEqual(yield* fleet.visit(b, { kind, brings: other, leaves: other }), kept)
        assert.strictEqual(yield* fleet.visit(a, { kind, brings: other }), "resumed")
      }), 60_000)
  }

  it.live("a server that is killed when its alert is heard has told the store before", () =>
    Effect.gen(function*() {
      const { b, fleet } = yield* setting(false)
      for (const kind of kinds) {
        const doomed = fleet.file(`${kind}.pem`)
        yield* fleet.visit(b, { kind, leaves: doomed })
        const victim = yield* fleet.start
        const guest = yield* fleet.stay(victim, kind, doomed)
        yield* guest.die("server")
        yield* victim.process.kill("SIGKILL")
        assert.strictEqual(yield* fleet.visit(b, { kind, brings: doomed }), "full", kind)
      }
    }), 60_000)

  it.live("a server that is killed while Redis is paused has told it all the same: the word is on its way", () =>
    Effect.gen(function*() {
      const { a, b, fleet, redis } = yield* setting(false)
      const kind: Kind = "1.3 by ticket"
      const doomed = fleet.file("doomed.pem")
      yield* fleet.visit(b, { kind, leaves: doomed })
      const guest = yield* fleet.stay(a, kind, doomed)
      yield* redis.pause
      yield* guest.die("server")
      yield* a.process.kill("SIGKILL")
      yield* a.process.exit
      yield* redis.goOn
      assert.strictEqual(yield* fleet.visit(b, { kind, brings: doomed }), "full")
    }))

  it.live("not promised: a server that is killed before a store that was down comes back takes the death along", () =>
    Effect.gen(function*() {
      const { a, b, fleet, redis } = yield* setting(true)
      const kind: Kind = "1.2 by ticket"
      const doomed = fleet.file("doomed.pem")
      yield* fleet.visit(b, { kind, leaves: doomed })
      const guest = yield* fleet.stay(a, kind, doomed)
      const from = b.process.output.length
      yield* redis.stop
      yield* fleet.visit(b, { kind })
      yield* guest.die("server")
      yield* a.process.kill("SIGKILL")
      yield* redis.start
      yield* untilBack(fleet, b, from)
      assert.strictEqual(yield* fleet.visit(b, { kind, brings: doomed }), "resumed")
    }))

  it.live("a server that is killed before it finds a fault has forgotten nothing: its connections were cut, and no more", () =>
    Effect.gen(function*() {
      const { a, b, fleet } = yield* setting(false)
      const kind: Kind = "1.2 by identifier"
      const session = fleet.file("session.pem")
      yield* fleet.visit(b, { kind, leaves: session })
      yield* fleet.stay(a, kind, session)
      yield* a.process.kill("SIGKILL")
      assert.strictEqual(yield* fleet.visit(b, { kind, brings: session }), "resumed")
    }))

  it.live("a server ends in order while Redis is paused", () =>
    Effect.gen(function*() {
      const { a, fleet, redis } = yield* setting(false)
      yield* fleet.visit(a, { kind: "1.3 by ticket" })
      yield* redis.pause
      yield* a.process.kill("SIGTERM")
      assert.strictEqual(yield* a.process.exit, 130)
    }))
}, "a fleet in trouble")
