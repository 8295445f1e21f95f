import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { nodeTls, plain } from "./NodePeer.ts"
import { type Mode, ours } from "./OurPeer.ts"
import type { Credentials, Peer } from "./Peer.ts"

/** What to make a peer of: the same in this process and in another one. */
export type Kind =
  | { readonly _tag: "Plain" }
  | { readonly _tag: "NodeTls"; readonly resume?: boolean }
  | { readonly _tag: "Ours"; readonly name: string; readonly mode: Mode }

export const peerOf = (kind: Kind, credentials: Credentials): Effect.Effect<Peer, never, Scope.Scope> => {
  switch (kind._tag) {
    case "Plain":
      return Effect.succeed(plain)
    case "NodeTls":
      return Effect.succeed(nodeTls(credentials, kind.resume))
    case "Ours":
      return ours(credentials, kind.name, kind.mode)
  }
}
