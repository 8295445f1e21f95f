import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { SignatureScheme } from "../../src/wire/CodePoints.ts"
import { type LeafName, testCredential } from "../harness/Pki.ts"
import { groupNamesOf, schemeNamesOf, type SuiteName, suiteNames, suiteNames13, type Version } from "./Names.ts"
import { makeWitness, ourClient, ourServer, receiveLine, sendLine } from "./Ours.ts"
import { assertTold, everyPeer } from "./peers.ts"

const identityFor = (suite: SuiteName) => suite.includes("_RSA_") ? "rsa" : "ec"

const suitesOf = (version: Version) => version === "1.2" ? suiteNames : suiteNames13

everyPeer("every suite and group", (peer, it, version) => {
  const rows = suitesOf(version).flatMap((suite) =>
    groupNamesOf(peer.name, version).map((group) => [suite, group] as const)
  )
  const isExtended = version === "1.2" ? true : undefined

  it.live.each(rows)("our client: %s, %s", ([suite, group]) =>
    Effect.gen(function*() {
      const server = yield* peer.server({ identity: identityFor(suite), suites: [suite], groups: [group] })
      const end = yield* server.next
      const client = yield* ourClient({ port: server.port, version })
      const facts = yield* end.facts
      assert.deepStrictEqual([client.version, client.cipherSuite.name, client.group], [version, suite, group])
      assert.strictEqual(facts.suite, suite)
      assertTold(peer, facts.group, group)
      assertTold(peer, facts.isExtended, isExtended)
      yield* sendLine(client, "12345")
      assert.match(yield* receiveLine(client), /^(?:12345|54321)\n$/)
    }))

  it.live.each(rows)("our server: %s, %s", ([suite, group]) =>
    Effect.gen(function*() {
      // A client that does not name P-256 could not be shown a certificate on that curve (RFC 8422 section 5.1).
      const server = yield* ourServer({ identity: identityFor(suite), groups: [group], version })
      const client = yield* peer.client({ port: server.port, suites: [suite] })
      const facts = yield* client.facts
      yield* client.send("12345\n")
      yield* client.waitForText(/^12345$/m)
      yield* client.close
      const { closure, connection } = yield* server.report
      assert.deepStrictEqual([connection?.version, connection?.cipherSuite.name, connection?.group], [
        version,
        suite,
        group
      ])
      assert.strictEqual(facts.suite, suite)
      assertTold(peer, facts.group, group)
      assertTold(peer, facts.isExtended, isExtended)
      assert.strictEqual(closure?._tag, "Closed")
    }))
})

everyPeer("a client of one group alone", (peer, it, version) => {
  it.live.each(groupNamesOf(peer.name, version))("our server: %s", (group) =>
    Effect.gen(function*() {
      const server = yield* ourServer({ identity: "rsa", version })
      const client = yield* peer.client({ port: server.port, groups: [group] })
      assertTold(peer, (yield* client.facts).group, group)
      yield* client.close
      assert.strictEqual((yield* server.report).connection?.group, group)
    }))
})

everyPeer("a chain with an intermediate", (peer, it, version) => {
  it.live("is shown to our client", () =>
    Effect.gen(function*() {
      const server = yield* peer.server({ identity: "chain" })
      const { peerCertificates } = yield* ourClient({ port: server.port, version })
      assert.deepStrictEqual(peerCertificates, (yield* testCredential("chain")).chainDer)
    }))

  it.live("is shown by our server", () =>
    Effect.gen(function*() {
      const server = yield* ourServer({ identity: "chain", version })
      const client = yield* peer.client({ port: server.port })
      yield* client.send("hello\n")
      yield* client.waitForText(/^hello$/m)
    }))
})

const keys: Readonly<Partial<Record<SignatureScheme, LeafName>>> = {
  ecdsa_secp256r1_sha256: "ec",
  ecdsa_secp384r1_sha384: "ec384",
  ecdsa_secp521r1_sha512: "ec521",
  ed25519: "ed25519"
}

const keyFor = (scheme: SignatureScheme) => keys[scheme] ?? "rsa"

everyPeer("every signature scheme", (peer, it, version) => {
  it.live.each(schemeNamesOf(version))("our client verifies %s", (scheme) =>
    Effect.gen(function*() {
      const server = yield* peer.server({ identity: keyFor(scheme), schemes: [scheme] })
      const end = yield* server.next
      const witness = makeWitness()
      yield* ourClient({ port: server.port, witness, version })
      assert.deepStrictEqual(witness.verified, [scheme])
      assertTold(peer, (yield* end.facts).scheme, scheme)
    }))

  it.live.each(schemeNamesOf(version))("our server signs with %s", (scheme) =>
    Effect.gen(function*() {
      const witness = makeWitness()
      const server = yield* ourServer({ identity: keyFor(scheme), witness, version })
      const client = yield* peer.client({ port: server.port, schemes: [scheme] })
      const facts = yield* client.facts
      assert.deepStrictEqual(witness.signed, [scheme])
      assertTold(peer, facts.scheme, scheme)
    }))
})
