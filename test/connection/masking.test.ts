import { assert, describe } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { TlsTest } from "effect-tls"
import { how, test, trustIn } from "./conversation.ts"

describe("the policy `masking`", () => {
  for (const [masking, reason] of [["none", "UnknownCa"], ["certificates", "CertificateUnknown"]] as const) {
    test(`${masking}: who shows a certificate that is refused hears ${reason}, and the fault has the truth`, () =>
      Effect.gen(function*() {
        const { accept, connect } = yield* TlsTest.ends({
          trust: yield* trustIn(yield* TlsTest.identity("server.test", "stranger")),
          client: { policies: { masking } }
        })
        const [ours, theirs] = yield* Effect.all([Effect.exit(connect), Effect.exit(accept)], { concurrency: 2 })
        assert.deepStrictEqual([how(ours), how(theirs)], [`AlertSent ${reason}`, `AlertReceived ${reason}`])
        const error = Exit.isFailure(ours) ? ours.cause.reasons.find(Cause.isFailReason)?.error : undefined
        assert(error?._tag === "AlertSent")
        assert.strictEqual(error.fault._tag, "CertificateUntrusted")
      }))
  }
})
