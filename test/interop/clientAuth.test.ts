import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { testCredential } from "../harness/Pki.ts"
import { waitLimit } from "../harness/Watch.ts"
import { makeWitness, ourClient, ourServer, receiveLine, sendLine } from "./Ours.ts"
import { everyPeer } from "./peers.ts"

const shown = [
  { mode: "require", identity: "client", scheme: "ecdsa_secp256r1_sha256" },
  { mode: "require", identity: "clientRsa", scheme: "rsa_pss_rsae_sha256" },
  { mode: "require", identity: "clientEd25519", scheme: "ed25519" },
  { mode: "request", identity: "client", scheme: "ecdsa_secp256r1_sha256" },
  { mode: "request", identity: "clientRsa", scheme: "rsa_pss_rsae_sha256" }
] as const

// What is refused, and with which alert, is in alertsSentByClient, alertsSentByServer and alertsReceived.
everyPeer("client certificates", (peer, it, version) => {
  it.live.each(shown)("our server ($mode) sees $identity", ({ identity, mode, scheme }) =>
    Effect.gen(function*() {
      const witness = makeWitness()
      const server = yield* ourServer({ version, clientAuth: { mode }, witness })
      const client = yield* peer.client({ port: server.port, identity })
      yield* client.send("hello\n")
      yield* client.waitForText(/^hello$/m)
      yield* client.close
      const { connection } = yield* server.report
      const { leafDer } = yield* testCredential(identity)
      assert.deepStrictEqual(connection?.peerCertificates[0], leafDer)
      assert.deepStrictEqual(witness.verified, [scheme])
    }))

  it.live("our server (request) takes a client without a certificate", () =>
    Effect.gen(function*() {
      const server = yield* ourServer({ version, clientAuth: { mode: "request" } })
      const client = yield* peer.client({ port: server.port })
      yield* client.send("hello\n")
      yield* client.waitForText(/^hello$/m)
      yield* client.close
      assert.deepStrictEqual((yield* server.report).connection?.peerCertificates, [])
    }))

  it.live.each(shown)(
    "our client shows $identity to a server ($mode)",
    ({ identity, mode, scheme }) =>
      Effect.gen(function*() {
        const server = yield* peer.server({ clientAuth: mode })
        const end = yield* server.next
        const witness = makeWitness()
        const connection = yield* ourClient({
          version,
          port: server.port,
          identity,
          witness,
          // A ticket is the first sign of a server of TLS 1.3.
          awaitPeerVerdict: waitLimit
        })
        yield* sendLine(connection, "12321")
        assert.strictEqual(yield* receiveLine(connection), "12321\n")
        assert.strictEqual((yield* end.facts).clientName, identity)
        assert.deepStrictEqual(witness.signed, [scheme])
      })
  )

  it.live("our client without a certificate, before a server that only asks for one", () =>
    Effect.gen(function*() {
      const server = yield* peer.server({ clientAuth: "request" })
      const end = yield* server.next
      const connection = yield* ourClient({ version, port: server.port })
      yield* sendLine(connection, "12321")
      assert.strictEqual(yield* receiveLine(connection), "12321\n")
      assert.strictEqual((yield* end.facts).clientName, undefined)
    }))
})
