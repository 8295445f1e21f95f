import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Observation } from "effect-tls"
import type { NamedGroup } from "../../src/wire/CodePoints.ts"
import { pinned } from "./Foreign.ts"
import { groupNamesOf } from "./Names.ts"
import { ourClient, ourServer, receiveLine, sendLine } from "./Ours.ts"
import { assertTold, eachPeer } from "./peers.ts"

const version = "1.3"

/** The hellos that an observer saw, in order; a HelloRetryRequest has the form of a ServerHello. */
const watchingHellos = () => {
  const hellos: Array<string> = []
  return {
    hellos,
    observe: (seen: Observation) => {
      if (seen._tag === "Message" && seen.type <= 2) hellos.push(seen.type === 1 ? "ClientHello" : "ServerHello")
    }
  }
}

const once = ["ClientHello", "ServerHello"]
const twice = [...once, ...once]

eachPeer("HelloRetryRequest: PEER", (unpinned, it) => {
  const peer = pinned(unpinned, version)

  // Our first hello has a share of the hybrid group and of X25519.
  const asked = groupNamesOf(peer.name, version).map((group) =>
    [group, group.startsWith("x25519") ? once : twice] as const
  )

  it.live.each(asked)("our client, and a server of %s alone", ([group, expected]) =>
    Effect.gen(function*() {
      const server = yield* peer.server({ groups: [group] })
      const end = yield* server.next
      const { hellos, observe } = watchingHellos()
      const client = yield* ourClient({ port: server.port, version, observe })
      assert.strictEqual(client.group, group)
      assertTold(peer, (yield* end.facts).group, group)
      assert.deepStrictEqual(hellos, expected)
      yield* sendLine(client, "12321")
      assert.strictEqual(yield* receiveLine(client), "12321\n")
    }))

  // A first hello has a share of the preferred group; that of GnuTLS one of the preferred curve of either kind.
  const rows: ReadonlyArray<readonly [group: NamedGroup, groups: ReadonlyArray<NamedGroup>]> = [
    ["secp256r1", ["secp521r1", "secp256r1"]],
    ["secp384r1", ["secp256r1", "secp384r1"]],
    ["secp521r1", ["secp384r1", "secp521r1"]],
    ...(peer.name === "gnutls" ? [] : [["x25519", ["secp256r1", "x25519"]] as const])
  ]

  it.live.each(rows)("our server of %s alone, and a client of %j", ([group, groups]) =>
    Effect.gen(function*() {
      const { hellos, observe } = watchingHellos()
      const server = yield* ourServer({ version, groups: [group], identity: "rsa", observe })
      const client = yield* peer.client({ port: server.port, groups })
      assertTold(peer, (yield* client.facts).group, group)
      yield* client.send("hello\n")
      yield* client.waitForText(/^hello$/m)
      yield* client.close
      assert.strictEqual((yield* server.report).connection?.group, group)
      assert.deepStrictEqual(hellos, twice)
    }))
})
