import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { nodeTls, plain } from "./NodePeer.ts"
import { type Mode, ours } from "./OurPeer.ts"
import type { Peer, Setup } from "./Peer.ts"

/** What to make a peer of: the same in this process and in another one. */
export type Kind =
  | { readonly _tag: "Plain" }
  | { readonly _tag: "NodeTls"; readonly resume?: boolean }
  | { readonly _tag: "Ours"; readonly name: string; readonly mode: Mode }

export const peerOf = (kind: Kind, setup: Setup): Effect.Effect<Peer, never, Scope.Scope> => {
  switch (kind._tag) {
    case "Plain":
      return Effect.succeed(plain)
    case "NodeTls":
      return Effect.succeed(nodeTls(setup, kind.resume))
    case "Ours":
      return ours(setup, kind.name, kind.mode)
  }
}
