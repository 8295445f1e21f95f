/** RFC 8446 and RFC 9846 section 4.6.1: nobody resumes whose certificate would not be accepted any more. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { Identity, TlsTest, Trust } from "effect-tls"
import * as Make from "../x509/Maker.ts"
import { bothOf, cacheOf } from "./caches.ts"
import { bytes, how, test } from "./conversation.ts"

const minute = 60_000
const root = Make.authority("root")
const names = [Make.dns("server.test")]
const inMinutes = (minutes: number) => new Date(Make.now + minutes * minute).toISOString().replace(".000", "")
const lasting = { server: Make.leaf(root, { names }), client: Make.leaf(root, { purpose: Make.clientAuth }) }
const ending = {
  server: Make.leaf(root, { names, notAfter: inMinutes(30) }),
  client: Make.leaf(root, { purpose: Make.clientAuth, notAfter: inMinutes(30) })
}
const lists = (minutes: number) => [Make.crl(root, [], { nextUpdate: inMinutes(minutes) })]

const identityOf = ({ der, keys }: Make.Made) =>
  Effect.orDie(Identity.makePem({
    certificate: `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString("base64")}\n-----END CERTIFICATE-----\n`,
    privateKey: keys.privateKey.export({ format: "pem", type: "pkcs8" }).toString()
  }))
const trustOf = (crls: ReadonlyArray<Uint8Array> = []) =>
  Effect.orDie(Effect.provide(Trust.Trust, Trust.layerAnchors({ anchors: [root.der], crls })))

const sides = ["client", "server"] as const

/** What becomes of connections, by default of four, the last of them after half an hour; caches keep sessions for a week. */
const outcomes = Effect.fnUntraced(function*(
  version: "1.2" | "1.3",
  kind: Parameters<typeof cacheOf>[0],
  shown: Readonly<Record<TlsTest.Side, Make.Made>>,
  { crls = {}, forget, waits = [0, 10, 10, 11] }: {
    readonly crls?: Partial<Record<TlsTest.Side, ReadonlyArray<Uint8Array>>>
    readonly forget?: (trust: Trust.Trust["Service"]) => Trust.Trust["Service"]
    /** In minutes. */
    readonly waits?: ReadonlyArray<number>
  } = {}
) {
  yield* TestClock.setTime(Make.now)
  const client = yield* cacheOf(kind === "persisted" ? kind : "in memory", "7 days")
  const lifetimes: Array<number | undefined> = []
  const store: typeof client.store = (key, session) => {
    lifetimes.push(session.lifetime)
    return client.store(key, session)
  }
  const caches = { client: { ...client, store }, server: yield* cacheOf(kind, "7 days") }
  const given = { client: yield* trustOf(crls.client), server: yield* trustOf(crls.server) }
  const trusts = forget === undefined ? given : { client: forget(given.client), server: forget(given.server) }
  const clientAuth = { mode: "require", trust: trusts.server } as const
  const options = {
    identity: yield* identityOf(shown.server),
    trust: trusts.client,
    sessionCache: bothOf(caches),
    client: { versions: [version], identity: yield* identityOf(shown.client) },
    server: { versions: [version], clientAuth }
  }
  const told: Array<string> = []
  for (const [seed, wait] of waits.entries()) {
    yield* TestClock.adjust(wait * minute)
    yield* Effect.scoped(Effect.gen(function*() {
      const { accept, connect } = yield* TlsTest.ends({ ...options, seed })
      const [server, client] = yield* Effect.all([
        Effect.exit(Effect.tap(accept, (_) => _.write(bytes("some data")))),
        Effect.exit(Effect.tap(connect, (_) => _.pull))
      ], { concurrency: 2 })
      told.push(
        server._tag === "Success" && client._tag === "Success"
          ? server.value.resumed && client.value.resumed ? "resumed" : "full"
          : `${how(client)}, ${how(server)}`
      )
    }))
  }
  return { told, lifetime: lifetimes[0] }
})

describe("a session ends with", () => {
  for (const version of ["1.2", "1.3"] as const) {
    for (const kind of ["in memory", "persisted", "in tickets", "in tickets that are renewed"] as const) {
      const where = `TLS ${version}, sessions ${kind}`
      for (const side of sides) {
        const alert = side === "server"
          ? "AlertSent CertificateExpired, AlertReceived CertificateExpired"
          : "AlertReceived CertificateExpired, AlertSent CertificateExpired"
        test(`the certificate of the ${side}: ${where}`, () =>
          Effect.gen(function*() {
            const shown = { ...lasting, [side]: ending[side] }
            const { lifetime, told } = yield* outcomes(version, kind, shown)
            assert.deepStrictEqual(told, ["full", "resumed", "resumed", alert])
            // The last second is one of them. In TLS 1.2 a client keeps what the server says, who does not look at its own certificate.
            assert.strictEqual(lifetime, side === "server" && version === "1.2" ? 24 * 60 * 60 : 30 * 60 + 1)
          }))
      }
      test(`the revocation list by which the client was judged: ${where}`, () =>
        Effect.gen(function*() {
          assert.deepStrictEqual((yield* outcomes(version, kind, lasting, { crls: { server: lists(30) } })).told, [
            "full",
            "resumed",
            "resumed",
            "AlertReceived CertificateUnknown, AlertSent CertificateUnknown"
          ])
        }))
    }
    test(`none of them, where they last: TLS ${version}`, () =>
      Effect.gen(function*() {
        const crls = { client: lists(60), server: lists(60) }
        const { told } = yield* outcomes(version, "in memory", lasting, { crls })
        assert.deepStrictEqual(told, ["full", "resumed", "resumed", "resumed"])
      }))

    for (const until of [undefined, Infinity]) {
      test(`none of them, where the trust of an application says ${until}: TLS ${version}`, () =>
        Effect.gen(function*() {
          const forget = (trust: Trust.Trust["Service"]) =>
            Trust.Trust.of({
              ...trust,
              verify: (chain, peer) =>
                Effect.map(trust.verify(chain, peer), ({ path, publicKey }) =>
                  Trust.verified(chain, publicKey, path, until))
            })
          for (const kind of ["in memory", "persisted", "in tickets"] as const) {
            const { told } = yield* outcomes(version, kind, ending, { forget })
            assert.deepStrictEqual(told, ["full", "resumed", "resumed", "resumed"], kind)
          }
        }))
    }

    test(`the last second of a certificate, in which no ticket is worth its while: TLS ${version}`, () =>
      Effect.gen(function*() {
        const shown = { ...lasting, client: ending.client }
        const { lifetime, told } = yield* outcomes(version, "in memory", shown, { waits: [30 + 0.5 / 60, 0] })
        assert.deepStrictEqual([told, lifetime], [["full", "full"], undefined])
      }))
  }
})
