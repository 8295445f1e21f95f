/** In TLS 1.3 a client is open before the server has judged its certificate: `awaitPeerVerdict`. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { TlsTest, Trust } from "effect-tls"
import { bytes, how, observed, test, text } from "../connection/conversation.ts"

const refusing = Trust.Trust.of({
  fingerprint: "nobody",
  verify: () => Effect.fail({ _tag: "CertificateRefused", alert: "bad_certificate", why: "not on the list" })
})

const both = (options: TlsTest.Options) =>
  Effect.gen(function*() {
    const alerts = observed()
    const ends = yield* TlsTest.ends({
      ...options,
      client: { ...options.client, observe: alerts.observe("client") },
      server: { ...options.server, observe: alerts.observe("server") }
    })
    const server = yield* Effect.forkScoped(Effect.exit(ends.accept), { startImmediately: true })
    return { ...ends, server, alerts }
  })

const waiting = { awaitPeerVerdict: "3 seconds" } as const

describe("a client that is refused", () => {
  const refusals: ReadonlyArray<readonly [what: string, options: TlsTest.Options, reason: string]> = [
    ["R8446-4.4.2.4-02: it has no certificate, and one is required", {
      server: { clientAuth: { mode: "require", trust: refusing } }
    }, "CertificateRequired"],
    ["R8446-4.4.2.4-03: its certificate is refused", {
      clientAuth: "require",
      server: { clientAuth: { mode: "require", trust: refusing } }
    }, "BadCertificate"]
  ]
  for (const [what, options, reason] of refusals) {
    test(`${what}: with awaitPeerVerdict that is an error of opening`, () =>
      Effect.gen(function*() {
        const { alerts, connect, server } = yield* both({ ...options, client: waiting })
        const exit = yield* Effect.exit(connect)
        assert.strictEqual(how(exit), `AlertReceived ${reason}`)
        assert.strictEqual(how(yield* Fiber.join(server)), `AlertSent ${reason}`)
        assert.lengthOf(alerts.sent, 1)
      }))

    test(`${what}: without it, of the first read`, () =>
      Effect.gen(function*() {
        const { connect, server } = yield* both(options)
        const client = yield* connect
        assert.strictEqual(client.version, "1.3")
        assert.strictEqual(how(yield* Effect.exit(client.pull)), `AlertReceived ${reason}`)
        assert.strictEqual(how(yield* Fiber.join(server)), `AlertSent ${reason}`)
      }))
  }
})

describe("a client that is accepted", () => {
  test("is open with the first ticket, in no time", () =>
    Effect.gen(function*() {
      const { connect, server } = yield* both({ clientAuth: "require", client: waiting })
      const client = yield* connect
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(server)))
      assert.strictEqual((yield* client.closure)._tag, "Open")
    }))

  test("or with the first data, which is not lost", () =>
    Effect.gen(function*() {
      const { connect, server } = yield* both({ client: waiting, server: { tickets: 0 } })
      const opening = yield* Effect.forkScoped(connect, { startImmediately: true })
      const opened = yield* Effect.flatten(Fiber.join(server))
      assert.isUndefined(opening.pollUnsafe())
      yield* opened.write(bytes("welcome"))
      const client = yield* Fiber.join(opening)
      assert.strictEqual(text(yield* client.pull), "welcome")
    }))

  test("or when it has waited long enough", () =>
    Effect.gen(function*() {
      const { connect, server } = yield* both({ client: waiting, server: { tickets: 0 } })
      const opening = yield* Effect.forkScoped(connect, { startImmediately: true })
      const opened = yield* Effect.flatten(Fiber.join(server))
      yield* TestClock.adjust("2999 millis")
      assert.isUndefined(opening.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      const client = yield* Fiber.join(opening)
      yield* opened.write(bytes("sorry, I was busy"))
      assert.strictEqual(text(yield* client.pull), "sorry, I was busy")
    }))

  test("or when the server is gone already, which it learns by reading", () =>
    Effect.gen(function*() {
      const { connect, server } = yield* both({ client: waiting, server: { tickets: 0 } })
      const opening = yield* Effect.forkScoped(connect, { startImmediately: true })
      const opened = yield* Effect.flatten(Fiber.join(server))
      yield* opened.closeWrite
      const client = yield* Fiber.join(opening)
      assert.strictEqual(how(yield* Effect.exit(client.pull)), "Done")
    }))

  test("a transport that ends is an error of opening", () =>
    Effect.gen(function*() {
      const { connect, server, wire } = yield* both({ client: waiting, server: { tickets: 0 } })
      const opening = yield* Effect.forkScoped(Effect.exit(connect), { startImmediately: true })
      yield* Fiber.join(server)
      yield* wire.truncate({ from: "server" })
      assert.strictEqual(how(yield* Fiber.join(opening)), "Truncated")
    }))

  test("in TLS 1.2 there is nothing to wait for", () =>
    Effect.gen(function*() {
      const { connect } = yield* both({ client: { ...waiting, versions: ["1.2"] } })
      const client = yield* connect
      assert.strictEqual(client.version, "1.2")
    }))

  test("who gives up waiting closes in order", () =>
    Effect.gen(function*() {
      const { alerts, connect, server } = yield* both({ client: waiting, server: { tickets: 0 } })
      const opening = yield* Effect.forkScoped(connect, { startImmediately: true })
      yield* Fiber.join(server)
      yield* Fiber.interrupt(opening)
      assert.deepStrictEqual(alerts.sent, ["client warning close_notify"])
    }))
})
