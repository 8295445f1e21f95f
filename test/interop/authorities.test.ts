/** Whom a server names when it asks for a certificate: RFC 5246 section 7.4.4, RFC 8446 section 4.2.4. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Identity, Primitives, Trust } from "effect-tls"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import { serving } from "../cli/Command.ts"
import { openSslClient } from "../harness/OpenSsl.ts"
import { peerSuite } from "../harness/PeerSuite.ts"
import { testCredential } from "../harness/Pki.ts"
import { pkiFiles } from "../harness/PkiFiles.ts"
import { waitLimit } from "../harness/Watch.ts"
import { openSslVersion, versions } from "./Names.ts"
import { ourClient, ourServer, receiveLine, sendLine } from "./Ours.ts"

peerSuite("openssl", (it) => {
  const named = /^Acceptable client certificate CA names\n((?:CN = .*\n)+)/m

  it.live.each(versions)(
    "s_client reads the authorities of serve --client-ca: TLS %s",
    (version) =>
      Effect.gen(function*() {
        const files = yield* pkiFiles("ec")
        const { cert, key } = files.of("ec")
        const server = yield* serving("--cert", cert, "--key", key, "--client-ca", files.ca, "--client-auth", "request")
        const client = yield* openSslClient({
          port: server.port,
          caFile: files.ca,
          version: openSslVersion(version)
        })
        const [, names] = yield* client.waitFor(named)
        assert.strictEqual(names, "CN = effect-tls test root\n")
      })
  )

  it.live.each(versions)("none are named by a trust that has none: TLS %s", (version) =>
    Effect.gen(function*() {
      const trust = yield* Effect.provide(Trust.Trust, Trust.layerInsecure).pipe(
        Effect.provideService(Primitives, NodePrimitives.make)
      )
      const server = yield* ourServer({ version, clientAuth: { mode: "request", trust } })
      const { ca } = yield* pkiFiles()
      const client = yield* openSslClient({ port: server.port, caFile: ca, version: openSslVersion(version) })
      yield* client.waitFor(/^No client certificate CA names sent$/m)
    }))
}, "the authorities of our server: openssl")

describe("the authorities of our server: our client", () => {
  for (const version of versions) {
    for (const trust of ["ca", "other"] as const) {
      it.live(`shows the certificate that the server can use: ${trust}, TLS ${version}`, () =>
        Effect.gen(function*() {
          const [client, clientOther] = [yield* testCredential("client"), yield* testCredential("clientOther")]
          // First the one that would be wrong.
          const shown = trust === "ca" ? [clientOther, client] : [client, clientOther]
          const identity = yield* Identity.makePem(
            shown.map(({ certificatePem, privateKeyPem }) => ({
              certificate: certificatePem,
              privateKey: privateKeyPem
            }))
          ).pipe(Effect.provideService(Primitives, NodePrimitives.make), Effect.orDie)
          const server = yield* ourServer({ version, clientAuth: { mode: "require", trust } })
          yield* Effect.scoped(Effect.gen(function*() {
            const connection = yield* ourClient({ version, port: server.port, identity, awaitPeerVerdict: waitLimit })
            yield* sendLine(connection, "hello")
            assert.strictEqual(yield* receiveLine(connection), "hello\n")
          }))
          assert.deepStrictEqual((yield* server.report).connection?.peerCertificates[0], shown[1]?.leafDer)
        }))
    }
  }
})
