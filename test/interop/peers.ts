import { assert, describe, it } from "@effect/vitest"
import { peerSuite } from "../harness/PeerSuite.ts"
import { waitLimit } from "../harness/Watch.ts"
import { type ForeignPeer, pinned } from "./Foreign.ts"
import { gnutls } from "./ForeignGnuTls.ts"
import { nodeTls } from "./ForeignNodeTls.ts"
import { openssl } from "./ForeignOpenSsl.ts"
import type { Version } from "./Names.ts"

/** One suite a peer, for what all of them can do; those whose program is not installed skip by name. */
export const eachPeer = (title: string, register: (peer: ForeignPeer, test: typeof it) => void): void => {
  const called = (name: string) => title.replace("PEER", name)
  peerSuite(["openssl", "stdbuf"], (it) => register(openssl, it), called("openssl"))
  peerSuite(["gnutls-cli", "gnutls-serv"], (it) => register(gnutls, it), called("gnutls"))
  describe(called("node:tls"), { timeout: waitLimit * 3 }, () => register(nodeTls, it))
}

/** The same for each version: it is all that the peer speaks. */
export const everyPeer = (
  title: string,
  register: (peer: ForeignPeer, test: typeof it, version: Version) => void
): void => {
  for (const version of ["1.2", "1.3"] as const) {
    eachPeer(`${title}: PEER, TLS ${version}`, (peer, it) => register(pinned(peer, version), it, version))
  }
}

/** What a peer says must be so. node:tls has no words for many facts; the other two must tell. */
export const assertTold = <A>(peer: ForeignPeer, told: A | undefined, expected: A): void => {
  if (peer.name !== "node:tls" || told !== undefined) assert.strictEqual(told, expected)
}
