import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { X509Certificate } from "node:crypto"
import * as NodePrimitives from "../../src/platform/NodePrimitives.ts"
import { layerAnchors, Trust } from "../../src/service/Trust.ts"
import * as Make from "../x509/Maker.ts"
import { worst } from "../x509/Worst.ts"
import type { Line } from "./Line.ts"
import { timed } from "./Meter.ts"

const peer = { role: "server", host: "host.example" } as const

const trusting = (root: Make.Made, remember: number) =>
  Effect.orDie(Effect.provide(
    Trust,
    layerAnchors({ anchors: [root.der], remember }).pipe(Layer.provide(NodePrimitives.layerPrimitives))
  ))

/**
 * A leaf and an intermediate with P-256 under a trusted root: from the bytes of the Certificate message to the verdict. The
 * reference is what `X509Certificate` can do of it, which is no validation: parse, issued, signed, host.
 */
export const chainLine: Line = {
  name: "certificate chain",
  unit: "chain of two",
  measures: ["cpu", "wall"],
  goal: undefined,
  open: (scale) =>
    Effect.gen(function*() {
      const count = Math.max(20, Math.round(2000 * scale))
      const root = Make.authority("root")
      const inner = Make.authority("inner", root)
      const chain = [Make.leaf(inner).der, inner.der]
      const [fresh, remembering] = [yield* trusting(root, 0), yield* trusting(root, 128)]
      const anchor = new X509Certificate(root.der)
      const repeated = (work: Effect.Effect<unknown, unknown>) =>
        timed(count, Effect.orDie(Effect.repeat(work, { times: count - 1 })))
      const byPlatform = Effect.sync(() => {
        const [leaf, issuer] = chain.map((der) => new X509Certificate(der))
        if (leaf === undefined || issuer === undefined) throw new Error("no chain")
        const isGood = leaf.checkIssued(issuer) && issuer.checkIssued(anchor) && leaf.verify(issuer.publicKey) &&
          issuer.verify(anchor.publicKey) && leaf.checkHost(peer.host, { subject: "never" }) !== undefined
        if (!isGood) throw new Error("the platform refuses a good chain")
      })
      return [
        { name: "judged", part: "ours", run: repeated(fresh.verify(chain, peer)) },
        { name: "remembered", part: "ours", run: repeated(remembering.verify(chain, peer)) },
        { name: "X509Certificate", part: "reference", run: repeated(byPlatform) }
      ]
    })
}

const budget = 50_000_000

/** The dearest chains that fit the limits: none may hold the event loop for as long as 50 ms. */
export const worstChainLine: Line = {
  name: "worst certificate chains",
  unit: "chain",
  measures: ["wall", "cpu"],
  goal: 1,
  open: () =>
    Effect.sync(() => [
      ...worst.map(([name, trial]) => {
        const made = trial()
        return { name, part: "ours" as const, run: timed(1, Effect.sync(() => Make.tried(made))) }
      }),
      {
        name: "budget of 50 ms",
        part: "reference" as const,
        run: Effect.succeed({ cpu: budget, wall: budget })
      }
    ])
}
