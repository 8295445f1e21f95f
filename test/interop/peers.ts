import { assert, describe, it } from "@effect/vitest"
import { peerSuite } from "../harness/PeerSuite.ts"
import { waitLimit } from "../harness/Watch.ts"
import type { ForeignPeer } from "./Foreign.ts"
import { gnutls } from "./ForeignGnuTls.ts"
import { nodeTls } from "./ForeignNodeTls.ts"
import { openssl } from "./ForeignOpenSsl.ts"

/** One suite a peer, for what all of them can do; those whose program is not installed skip by name. */
export const everyPeer = (title: string, register: (peer: ForeignPeer, test: typeof it) => void): void => {
  peerSuite(["openssl", "stdbuf"], (it) => register(openssl, it), `${title}: openssl`)
  peerSuite(["gnutls-cli", "gnutls-serv"], (it) => register(gnutls, it), `${title}: gnutls`)
  describe(`${title}: node:tls`, { timeout: waitLimit * 3 }, () => register(nodeTls, it))
}

/** What a peer says must be so. node:tls has no words for many facts; the other two must tell. */
export const assertTold = <A>(peer: ForeignPeer, told: A | undefined, expected: A): void => {
  if (peer.name !== "node:tls" || told !== undefined) assert.strictEqual(told, expected)
}
