import { assert, describe, it } from "@effect/vitest"
import { peerSuite } from "../harness/PeerSuite.ts"
import { waitLimit } from "../harness/Watch.ts"
import { type ForeignPeer, pinned } from "./Foreign.ts"
import { gnutls } from "./ForeignGnuTls.ts"
import { nodeTls } from "./ForeignNodeTls.ts"
import { openssl } from "./ForeignOpenSsl.ts"
import type { Version } from "./Names.ts"

/**
 * One suite a peer and version, for what all of them can do; those whose program is not installed skip by name. The peer speaks
 * that version alone.
 */
export const everyPeer = (
  title: string,
  register: (peer: ForeignPeer, test: typeof it, version: Version) => void,
  versions: ReadonlyArray<Version> = ["1.2", "1.3"]
): void => {
  for (const version of versions) {
    const suite = (peer: ForeignPeer) => (it_: typeof it) => register(pinned(peer, version), it_, version)
    const called = (name: string) => `${title}: ${name}, TLS ${version}`
    peerSuite(["openssl", "stdbuf"], suite(openssl), called("openssl"))
    peerSuite(["gnutls-cli", "gnutls-serv"], suite(gnutls), called("gnutls"))
    describe(called("node:tls"), { timeout: waitLimit * 3 }, () => suite(nodeTls)(it))
  }
}

/** What a peer says must be so. node:tls has no words for many facts; the other two must tell. */
export const assertTold = <A>(peer: ForeignPeer, told: A | undefined, expected: A): void => {
  if (peer.name !== "node:tls" || told !== undefined) assert.strictEqual(told, expected)
}
