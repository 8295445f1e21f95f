import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { testCredential } from "../harness/Pki.ts"
import { groupNames, schemeNames, type SuiteName, suiteNames } from "./Names.ts"
import { makeWitness, ourClient, ourServer, receiveLine, sendLine } from "./Ours.ts"
import { assertTold, everyPeer } from "./peers.ts"

const identityFor = (suite: SuiteName) => suite.includes("_ECDSA_") ? "ec" : "rsa"

const rows = suiteNames.flatMap((suite) => groupNames.map((group) => [suite, group] as const))

everyPeer("every suite and group", (peer, it) => {
  it.live.each(rows)("our client: %s, %s", ([suite, group]) =>
    Effect.gen(function*() {
      const server = yield* peer.server({ identity: identityFor(suite), suites: [suite], groups: [group] })
      const end = yield* server.next
      const witness = makeWitness()
      const client = yield* ourClient({ port: server.port, witness })
      const facts = yield* end.facts
      assert.strictEqual(client.cipherSuite.name, suite)
      assert.strictEqual(facts.suite, suite)
      assert.deepStrictEqual(witness.groups, [group])
      assertTold(peer, facts.group, group)
      assertTold(peer, facts.isExtended, true)
      yield* sendLine(client, "12345")
      assert.match(yield* receiveLine(client), /^(?:12345|54321)\n$/)
    }))

  it.live.each(rows)("our server: %s, %s", ([suite, group]) =>
    Effect.gen(function*() {
      const witness = makeWitness()
      // A client that does not name P-256 could not be shown a certificate on that curve (RFC 8422 section 5.1).
      const server = yield* ourServer({ identity: identityFor(suite), groups: [group], witness })
      const client = yield* peer.client({ port: server.port, suites: [suite] })
      const facts = yield* client.facts
      yield* client.send("12345\n")
      yield* client.waitForText(/^12345$/m)
      yield* client.close
      const { closure, connection } = yield* server.report
      assert.strictEqual(connection?.cipherSuite.name, suite)
      assert.strictEqual(facts.suite, suite)
      assert.deepStrictEqual(witness.groups, [group])
      assert.strictEqual(facts.group, group)
      assertTold(peer, facts.isExtended, true)
      assert.strictEqual(closure?._tag, "Closed")
    }))
})

everyPeer("a client of one group alone", (peer, it) => {
  it.live.each(groupNames)("our server: %s", (group) =>
    Effect.gen(function*() {
      const witness = makeWitness()
      const server = yield* ourServer({ identity: "rsa", witness })
      const client = yield* peer.client({ port: server.port, groups: [group] })
      assert.strictEqual((yield* client.facts).group, group)
      assert.deepStrictEqual(witness.groups, [group])
    }))
})

everyPeer("a chain with an intermediate", (peer, it) => {
  it.live("is shown to our client", () =>
    Effect.gen(function*() {
      const server = yield* peer.server({ identity: "chain" })
      const { peerCertificates } = yield* ourClient({ port: server.port })
      assert.deepStrictEqual(peerCertificates, (yield* testCredential("chain")).chainDer)
    }))

  it.live("is shown by our server", () =>
    Effect.gen(function*() {
      const server = yield* ourServer({ identity: "chain" })
      const client = yield* peer.client({ port: server.port })
      yield* client.send("hello\n")
      yield* client.waitForText(/^hello$/m)
    }))
})

const keyFor = (scheme: typeof schemeNames[number]) =>
  scheme.startsWith("rsa")
    ? "rsa"
    : scheme === "ecdsa_secp384r1_sha384"
    ? "ec384"
    : scheme === "ecdsa_secp521r1_sha512"
    ? "ec521"
    : "ec"

everyPeer("every signature scheme", (peer, it) => {
  it.live.each(schemeNames)("our client verifies %s", (scheme) =>
    Effect.gen(function*() {
      const server = yield* peer.server({ identity: keyFor(scheme), schemes: [scheme] })
      const end = yield* server.next
      const witness = makeWitness()
      yield* ourClient({ port: server.port, witness })
      assert.deepStrictEqual(witness.verified, [scheme])
      assertTold(peer, (yield* end.facts).scheme, scheme)
    }))

  it.live.each(schemeNames)("our server signs with %s", (scheme) =>
    Effect.gen(function*() {
      const witness = makeWitness()
      const server = yield* ourServer({ identity: keyFor(scheme), witness })
      const client = yield* peer.client({ port: server.port, schemes: [scheme] })
      const facts = yield* client.facts
      assert.deepStrictEqual(witness.signed, [scheme])
      assertTold(peer, facts.scheme, scheme)
    }))
})
