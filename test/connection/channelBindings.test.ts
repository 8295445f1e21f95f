/** Channel bindings (RFC 9266, RFC 5929 section 4) of two connections of our own: what is the same, and what must not be. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { createHash } from "node:crypto"
import { type ChannelBinding, type Connection, SessionCache, TlsTest } from "effect-tls"
import { bytes, test } from "./conversation.ts"

const hex = (connection: Connection, type: ChannelBinding): string | undefined =>
  Option.getOrUndefined(Option.map(connection.channelBinding(type), (made) => Buffer.from(made).toString("hex")))

for (const version of ["1.2", "1.3"] as const) {
  const client = { versions: [version] }

  test(`both ends have the same, and only the certificate is that of another connection: TLS ${version}`, () =>
    Effect.gen(function*() {
      const identity = yield* TlsTest.identity("server.test", 1)
      const endPoint = createHash("sha256").update(identity.der).digest("hex")
      const seen = new Set<string | undefined>()
      for (let seed = 0; seed < 8; seed++) {
        const pair = yield* TlsTest.pair({ identity, seed, client })
        const exported = hex(pair.client, "tls-exporter")
        assert.lengthOf(exported ?? "", 64)
        assert.strictEqual(hex(pair.server, "tls-exporter"), exported)
        seen.add(exported)
        assert.strictEqual(hex(pair.client, "tls-server-end-point"), endPoint)
        assert.strictEqual(hex(pair.server, "tls-server-end-point"), endPoint)
      }
      assert.strictEqual(seen.size, 8)
    }))

  test(`a certificate of the client does not matter: TLS ${version}`, () =>
    Effect.gen(function*() {
      const identity = yield* TlsTest.identity("server.test", 1)
      const endPoint = createHash("sha256").update(identity.der).digest("hex")
      const pair = yield* TlsTest.pair({ identity, client, clientAuth: "require" })
      assert.lengthOf(pair.server.peerCertificates, 1)
      assert.strictEqual(hex(pair.client, "tls-server-end-point"), endPoint)
      assert.strictEqual(hex(pair.server, "tls-server-end-point"), endPoint)
    }))

  test(`resumed: another tls-exporter; a client has the certificate of the session, a server none: TLS ${version}`, () =>
    Effect.gen(function*() {
      const identity = yield* TlsTest.identity("server.test", 1)
      const endPoint = createHash("sha256").update(identity.der).digest("hex")
      const sessionCache = yield* SessionCache.makeMemory()
      const open = (seed: number) =>
        Effect.gen(function*() {
          const pair = yield* TlsTest.pair({ identity, seed, sessionCache, client })
          // The ticket of TLS 1.3 comes before it.
          yield* pair.server.write(bytes("x"))
          yield* pair.client.pull
          return pair
        })
      const first = yield* open(1)
      const second = yield* open(2)
      assert.deepStrictEqual([first.client.resumed, second.client.resumed], [false, true])
      assert.strictEqual(hex(second.client, "tls-exporter"), hex(second.server, "tls-exporter"))
      assert.notStrictEqual(hex(second.client, "tls-exporter"), hex(first.client, "tls-exporter"))
      assert.strictEqual(hex(second.client, "tls-server-end-point"), endPoint)
      assert.strictEqual(hex(second.server, "tls-server-end-point"), undefined)
    }))
}
