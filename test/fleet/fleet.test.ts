/** A fleet behind a load balancer: sessions made at one server are resumed at another, and die everywhere at once. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { constants } from "node:crypto"
import { peerSuite } from "../harness/PeerSuite.ts"
import { redisServer } from "../harness/Redis.ts"
import { fleetOver, kinds } from "./Fleet.ts"

const threeMembers = Effect.gen(function*() {
  const redis = yield* redisServer()
  const fleet = yield* fleetOver(redis.url)
  const [a, b, c] = yield* Effect.all([fleet.start, fleet.start, fleet.start], { concurrency: 3 })
  return { redis, fleet, a, b, c }
})

peerSuite(["openssl", "redis-server"], (it) => {
  it.live("openssl: every kind of session that was made at one is resumed at the others", () =>
    Effect.gen(function*() {
      const { a, b, c, fleet, redis } = yield* threeMembers
      for (const kind of kinds) {
        const session = fleet.file(`${kind}.pem`)
        assert.strictEqual(yield* fleet.visit(a, { kind, leaves: session }), "full", kind)
        for (const member of [b, c, a]) {
          assert.strictEqual(yield* fleet.visit(member, { kind, brings: session }), "resumed", kind)
        }
      }
      // In TLS 1.3 a resumption leaves a new one.
      const [kind, first, next] = ["1.3 by ticket", fleet.file("1.3 by ticket.pem"), fleet.file("next.pem")] as const
      yield* fleet.visit(b, { kind, brings: first, leaves: next })
      assert.strictEqual(yield* fleet.visit(c, { kind, brings: next }), "resumed", kind)
      assert.match(yield* redis.ask("DBSIZE"), /^:[1-9]/)
    }))

  it.live("node:tls: every kind of session that was made at one is resumed at another", () =>
    Effect.gen(function*() {
      const { a, b, fleet } = yield* threeMembers
      const only = (version: "TLSv1.2" | "TLSv1.3") => ({ minVersion: version, maxVersion: version }) as const
      for (
        const options of [
          only("TLSv1.2"),
          { ...only("TLSv1.2"), secureOptions: constants.SSL_OP_NO_TICKET },
          only("TLSv1.3")
        ]
      ) {
        const { handshake, session } = yield* fleet.visitByNode(a, options)
        assert.strictEqual(handshake, "full")
        assert.isDefined(session)
        assert.strictEqual((yield* fleet.visitByNode(b, { ...options, session })).handshake, "resumed")
      }
    }))

  for (const by of ["server", "client"] as const) {
    it.live(`a fatal alert of the ${by} at one server ends the session at all of them, and no other session`, () =>
      Effect.gen(function*() {
        const { a, b, c, fleet } = yield* threeMembers
        for (const kind of kinds) {
          const [doomed, other] = [fleet.file(`${kind}.pem`), fleet.file(`${kind}.other.pem`)]
          yield* fleet.visit(b, { kind, leaves: doomed })
          yield* fleet.visit(b, { kind, leaves: other })
          const from = a.process.output.length
          yield* Effect.scoped(Effect.gen(function*() {
            const guest = yield* fleet.stay(a, kind, doomed)
            yield* guest.die(by)
            // An alert is a promise of who sends it; who receives it keeps it a moment later.
            if (by === "client") yield* a.process.waitFor(/alert received: fatal bad_record_mac/, from)
            for (const member of [b, c, a]) {
              assert.strictEqual(yield* fleet.visit(member, { kind, brings: doomed }), "full", kind)
            }
          }))
          assert.strictEqual(yield* fleet.visit(c, { kind, brings: other }), "resumed", kind)
        }
      }))
  }
}, "a fleet over Redis")
