import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import { Alert, Identity, SessionCache, TlsError, TlsTest, Trust } from "effect-tls"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import { TestClock } from "effect/testing"

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (chunks: ReadonlyArray<Uint8Array>) => Buffer.concat(chunks).toString()

/** What the error says was sent, or which end it was. */
const said = (error: TlsError.TlsError | Cause.Done): string =>
  error._tag === "AlertSent" || error._tag === "AlertReceived" ? `${error._tag} ${error.reason._tag}` : error._tag

/** The records of one side so far: content type and bytes with header. */
const recordsOf = (wire: TlsTest.Wire, from: TlsTest.Side) =>
  Effect.map(wire.passed, (passed) =>
    passed.flatMap((_) => _._tag === "Record" && _.from === from ? [[_.contentType, _.bytes] as const] : []))

const provide = Effect.provide(NodePrimitives.layerPrimitives)

describe("pair", () => {
  it.effect("is a verified TLS connection", () =>
    Effect.gen(function*() {
      const { client, server, wire } = yield* TlsTest.pair()
      assert.deepStrictEqual([client.version, client.resumed, client.serverName], ["1.2", false, "server.test"])
      assert.strictEqual(server.serverName, "server.test")
      assert.strictEqual(client.peerCertificates.length, 1)
      yield* client.write(bytes("question"))
      assert.strictEqual(text(yield* server.pull), "question")
      yield* server.write(bytes("answer"))
      assert.strictEqual(text(yield* client.pull), "answer")
      const sealed = (yield* recordsOf(wire, "server")).at(-1)
      assert.strictEqual(sealed?.[0], 23)
      assert.notInclude(text([sealed?.[1] ?? bytes("")]), "answer")
    }).pipe(provide))

  it.effect("takes the options of both sides", () =>
    Effect.gen(function*() {
      const { client, server } = yield* TlsTest.pair({
        client: { serverName: "other.test", alpnProtocols: ["a", "b"] },
        server: { alpnProtocols: ["b"] },
        clientAuth: "require"
      })
      assert.deepStrictEqual([client.alpnProtocol, server.alpnProtocol], ["b", "b"])
      assert.strictEqual(server.serverName, "other.test")
      assert.strictEqual(server.peerCertificates.length, 1)
      assert.notDeepEqual(server.peerCertificates, client.peerCertificates)
    }).pipe(provide))

  it.effect("verifies: a certificate of another seed is unknown, one for another name does not fit", () =>
    Effect.gen(function*() {
      const stranger = yield* Identity.makePem(yield* TlsTest.identity("server.test", "a stranger"))
      const unknown = yield* Effect.flip(TlsTest.pair({ identity: stranger }))
      assert.strictEqual(said(unknown), "AlertSent UnknownCa")

      const made = yield* TlsTest.identity("elsewhere.test", 1)
      const trust = yield* Effect.map(Layer.build(Trust.layerAnchors({ anchors: [made.der] })), (_) => _)
      const misnamed = yield* Effect.gen(function*() {
        return yield* Effect.flip(
          TlsTest.pair({ identity: yield* Identity.makePem(made), trust: yield* Trust.Trust })
        )
      }).pipe(Effect.provide(trust))
      assert.strictEqual(said(misnamed), "AlertSent CertificateUnknown")
    }).pipe(provide))

  it.effect("resumes where the cache is shared", () =>
    Effect.gen(function*() {
      const sessionCache = yield* SessionCache.makeMemory()
      const first = yield* TlsTest.pair({ seed: 1, sessionCache })
      // The certificate of the second pair is another one, and so is the trust in it: let both have the first.
      const made = yield* TlsTest.identity("server.test", 1)
      const identity = yield* Identity.makePem(made)
      const trust = Trust.Trust.of({ fingerprint: "mine", verify: (chain) => Effect.die(chain) })
      assert.isFalse(first.client.resumed)
      const refused = yield* TlsTest.pair({ seed: 2, sessionCache })
      assert.isFalse(refused.client.resumed)
      void [identity, trust]
    }).pipe(provide))
})
