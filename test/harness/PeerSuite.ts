import { describe, it } from "@effect/vitest"
import { availability, type Peer, requirePeers } from "./Availability.ts"
import { waitLimit } from "./Watch.ts"

/** How a suite that needs peers is treated. */
export type SuiteMode =
  | { readonly _tag: "Run" }
  | { readonly _tag: "Skip"; readonly why: string }
  | { readonly _tag: "Fail"; readonly why: string }

export const suiteMode = (
  needed: ReadonlyArray<Peer>,
  installed: ReadonlySet<Peer>,
  required: boolean
): SuiteMode => {
  const missing = needed.filter((peer) => !installed.has(peer))
  if (missing.length === 0) return { _tag: "Run" }
  const why = missing.map((peer) => `${peer} is not installed`).join(", ")
  return required ? { _tag: "Fail", why } : { _tag: "Skip", why }
}

// Longer than a few waits in a row, so that the harness's own error, with the peer's output, comes first.
const timeout = waitLimit * 3

/** `describe` for tests that need foreign peers; without them it skips by name, or fails under `requirePeers`. */
export const peerSuite = (
  needed: Peer | ReadonlyArray<Peer>,
  register: (test: typeof it) => void,
  title: string = [needed].flat().join(" and ")
): void => {
  const mode = suiteMode([needed].flat(), availability, requirePeers)
  switch (mode._tag) {
    case "Run":
      return void describe(title, { timeout }, () => register(it))
    case "Skip":
      return void describe.skip(`${title} (${mode.why})`, () => register(it))
    case "Fail":
      return void describe(title, () => {
        it(mode.why, () => {
          throw new Error(`${mode.why}, and EFFECT_TLS_REQUIRE_PEERS=1 asks for it`)
        })
      })
  }
}
