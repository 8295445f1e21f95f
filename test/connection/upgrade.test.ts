/** TLS on a transport that carries something else before and after it, as after STARTTLS. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type * as Socket from "effect/socket/Socket"
import { TestClock } from "effect/testing"
import {
  Identity,
  Primitives,
  Randomness,
  SessionCache,
  TlsClient,
  type TlsConfig,
  TlsServer,
  TlsTest,
  Trust
} from "effect-tls"
import { bytes, said, test, text, trustIn } from "./conversation.ts"

const line = Effect.fnUntraced(function*(reader: Socket.Reader) {
  const [chunk] = yield* reader.pull
  return typeof chunk === "string" ? chunk : text(chunk)
})

/** Both halves of both ends, and TLS begun on them after a line each way in the clear. */
const upgraded = Effect.fnUntraced(function*(
  options: TlsConfig.CommonOptions = {}
) {
  const identity = yield* TlsTest.identity("server.test", 0)
  const services = {
    trust: yield* trustIn(identity),
    identity: yield* Identity.makePem(identity),
    cache: yield* SessionCache.makeMemory()
  }
  const primitives = yield* Primitives
  const provide = <A, E, R>(effect: Effect.Effect<A, E, R>, seed: string) =>
    effect.pipe(
      Effect.provideService(Trust.Trust, services.trust),
      Effect.provideService(Identity.Identity, services.identity),
      Effect.provideService(SessionCache.SessionCache, services.cache),
      Effect.provideService(Randomness.Randomness, Randomness.makeInsecureSeeded(primitives, seed))
    )
  const { clientSocket, serverSocket, wire } = yield* TlsTest.ends()
  const [mine, theirs] = [yield* halvesOf(clientSocket), yield* halvesOf(serverSocket)]
  yield* mine.writer.write("STARTTLS\r\n")
  assert.strictEqual(yield* line(theirs.reader), "STARTTLS\r\n")
  yield* theirs.writer.write("220 go ahead\r\n")
  assert.strictEqual(yield* line(mine.reader), "220 go ahead\r\n")
  const unread = new Uint8Array(0)
  const [client, server] = yield* Effect.all([
    provide(TlsClient.upgrade({ ...mine, unread }, { ...options, serverName: "server.test" }), "client"),
    provide(TlsServer.upgrade({ ...theirs, unread }, options), "server")
  ], { concurrency: 2 })
  return { client, server, mine, theirs, wire }
})

const halvesOf = (
  socket: Socket.Socket
): Effect.Effect<{ readonly reader: Socket.Reader; readonly writer: Socket.Writer }, unknown, Scope.Scope> =>
  Effect.all({ reader: socket.reader, writer: socket.writer })

describe("an upgrade", () => {
  test("carries data both ways", () =>
    Effect.gen(function*() {
      const { client, server } = yield* upgraded()
      yield* client.write(bytes("EHLO"))
      assert.strictEqual(text(yield* server.pull), "EHLO")
      yield* server.write(bytes("250"))
      assert.strictEqual(text(yield* client.pull), "250")
    }))

  for (const version of ["1.2", "1.3"] as const) {
    test(`R5246-7.2.1-10: TLS ${version} with waitForPeer: in the clear again, when both have said close_notify`, () =>
      Effect.gen(function*() {
        const { client, mine, server, theirs, wire } = yield* upgraded({
          versions: [version],
          policies: { waitForPeer: true }
        })
        const closing = yield* Effect.forkChild(client.close, { startImmediately: true })
        assert.strictEqual(said(yield* Effect.flip(server.pull)), "Done")
        // In TLS 1.2 it has answered by itself (RFC 5246 section 7.2.1), in TLS 1.3 it may go on writing.
        if (version === "1.3") {
          assert.isUndefined(closing.pollUnsafe())
          yield* server.close
        }
        yield* Fiber.join(closing)
        // No FIN was sent: the transport is its owner's.
        yield* mine.writer.write("HELO\r\n")
        assert.strictEqual(yield* line(theirs.reader), "HELO\r\n")
        yield* theirs.writer.write("250 ok\r\n")
        assert.strictEqual(yield* line(mine.reader), "250 ok\r\n")
        assert.isFalse((yield* wire.passed).some((_) => _._tag === "End"))
      }))
  }

  test("a reader that waits is let go of by close, though the transport lives on", () =>
    Effect.gen(function*() {
      const { client } = yield* upgraded()
      const reading = yield* Effect.forkChild(Effect.flip(client.pull), { startImmediately: true })
      yield* client.close
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(said(yield* Fiber.join(reading)), "ConnectionClosed")
    }))
})
