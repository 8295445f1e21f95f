import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { type Connection } from "effect-tls"
import { gnuTlsServer } from "../harness/GnuTls.ts"
import { nodeTlsClient, nodeTlsServer } from "../harness/NodeTls.ts"
import { openSslServer } from "../harness/OpenSsl.ts"
import { peerSuite } from "../harness/PeerSuite.ts"
import { testCredential, testPki } from "../harness/Pki.ts"
import { pkiFiles } from "../harness/PkiFiles.ts"
import { gnuTlsPriority, openSslVersion, versions } from "./Names.ts"
import { destroyTransport, ending, makeDestroyer, ourClient, ourServer, receiveLine, sendLine, within } from "./Ours.ts"
import { tapped } from "./Foreign.ts"
import { everyPeer } from "./peers.ts"

const readAll = (connection: Connection) =>
  within(
    "the end of the data",
    Effect.map(Stream.runCollect(connection.stream), (chunks) => Buffer.concat([...chunks]).toString())
  )

everyPeer("close_notify", (talking, it, version) => {
  const peer = tapped(talking)

  it.live("our client closes: the server sees it, and its answer closes the connection", () =>
    Effect.gen(function*() {
      const server = yield* peer.server()
      const end = yield* server.next
      const connection = yield* Effect.scoped(Effect.gen(function*() {
        const connection = yield* ourClient({ version, port: server.port, policies: { waitForPeer: true } })
        yield* sendLine(connection, "12321")
        yield* receiveLine(connection)
        return connection
      }))
      yield* end.sawClose
      assert.deepStrictEqual(yield* connection.closure, { _tag: "Closed", error: undefined })
    }))

  it.live("our client is interrupted: the server sees a close_notify", () =>
    Effect.gen(function*() {
      const server = yield* peer.server()
      const end = yield* server.next
      const echoed = yield* Deferred.make<void>()
      const reading = yield* Effect.forkChild(Effect.scoped(Effect.gen(function*() {
        const connection = yield* ourClient({ version, port: server.port })
        yield* sendLine(connection, "12321")
        yield* receiveLine(connection)
        yield* Deferred.succeed(echoed, undefined)
        yield* connection.pull
      })))
      yield* within("the echo", Deferred.await(echoed))
      yield* Fiber.interrupt(reading)
      yield* end.sawClose
    }))

  it.live("our server closes: the client sees it", () =>
    Effect.gen(function*() {
      const server = yield* ourServer({ version, handler: receiveLine })
      const client = yield* peer.client({ port: server.port })
      yield* client.send("hello\n")
      yield* client.sawClose
      const { closure, exit } = yield* server.report
      assert.strictEqual(ending(exit), "success")
      assert.strictEqual(closure?.error, undefined)
    }))

  it.live("our server's application fails: the client sees a close_notify, by default", () =>
    Effect.gen(function*() {
      const server = yield* ourServer({
        version,
        handler: (connection) => Effect.andThen(receiveLine(connection), Effect.fail("no more"))
      })
      const client = yield* peer.client({ port: server.port })
      yield* client.send("hello\n")
      yield* client.sawClose
      assert.strictEqual(ending((yield* server.report).exit), "Error: no more")
    }))

  it.live("the client closes: our server reads to a clean end", () =>
    Effect.gen(function*() {
      const received: Array<string> = []
      const server = yield* ourServer({
        version,
        handler: (connection) => Effect.map(readAll(connection), (text) => received.push(text))
      })
      const client = yield* peer.client({ port: server.port })
      yield* client.facts
      yield* client.send("hello\n")
      yield* client.close
      const { closure, exit } = yield* server.report
      assert.strictEqual(ending(exit), "success")
      assert.deepStrictEqual(received, ["hello\n"])
      assert.deepStrictEqual(closure, { _tag: "Closed", error: undefined })
      // s_client does not wait for our answer
      if (peer.name !== "openssl") yield* client.sawClose
    }))
})

describe.each(versions)("a server closes first: our client reads to a clean end, TLS %s", (version) => {
  it.live("node:tls", () =>
    Effect.gen(function*() {
      const { certificatePem: cert, privateKeyPem: key } = yield* testCredential("ec")
      const server = yield* nodeTlsServer({ cert, key, maxVersion: `TLSv${version}` })
      const connection = yield* ourClient({ version, port: server.port })
      const end = yield* server.accept
      // In TLS 1.3 it says no close_notify before it has read something.
      yield* sendLine(connection, "hi")
      yield* end.waitForText(/hi/)
      yield* end.send("hello")
      yield* end.end
      assert.strictEqual(yield* readAll(connection), "hello")
      yield* connection.closeWrite
      assert.strictEqual((yield* connection.closure)._tag, "Closed")
      assert.deepStrictEqual(yield* end.waitForClose, { hadError: false })
    }))

  peerSuite("openssl", (it) => {
    it.live("s_server", () =>
      Effect.gen(function*() {
        const files = yield* pkiFiles("ec")
        const server = yield* openSslServer({ ...files.of("ec"), version: openSslVersion(version) })
        const connection = yield* ourClient({ version, port: server.port })
        yield* sendLine(connection, "hello")
        assert.strictEqual(yield* receiveLine(connection), "olleh\n")
        yield* sendLine(connection, "CLOSE")
        assert.strictEqual(yield* readAll(connection), "")
        yield* connection.closeWrite
        // In TLS 1.3 it does not wait for our answer.
        if (version === "1.2") yield* server.process.waitFor(/^SSL3 alert read:warning:close notify$/m)
        assert.strictEqual((yield* connection.closure)._tag, "Closed")
      }))
  })

  peerSuite("gnutls-serv", (it) => {
    it.live("gnutls-serv --http", () =>
      Effect.gen(function*() {
        const files = yield* pkiFiles("ec")
        const server = yield* gnuTlsServer({
          ...files.of("ec"),
          mode: "http",
          priority: gnuTlsPriority({ version })
        })
        const connection = yield* ourClient({ version, port: server.port })
        yield* connection.write(new TextEncoder().encode("GET / HTTP/1.0\r\n\r\n"))
        assert.match(yield* readAll(connection), /^HTTP\/1\.0 200 OK[^]*<\/HTML>/i)
        yield* connection.closeWrite
        assert.strictEqual((yield* connection.closure)._tag, "Closed")
      }))
  })
})

/** RFC 8446 section 6.1: a close_notify closes one direction. */
describe("half a connection of TLS 1.3, with node:tls", () => {
  const version = "1.3"

  it.live("our client has closed, and hears what the server still says", () =>
    Effect.gen(function*() {
      const { certificatePem: cert, privateKeyPem: key } = yield* testCredential("ec")
      const server = yield* nodeTlsServer({ cert, key, maxVersion: "TLSv1.3", allowHalfOpen: true })
      const connection = yield* ourClient({ version, port: server.port })
      const end = yield* server.accept
      yield* sendLine(connection, "my last word")
      yield* connection.closeWrite
      yield* end.waitForEnd
      assert.strictEqual(end.text, "my last word\n")
      assert.strictEqual((yield* connection.closure)._tag, "CloseSent")
      yield* end.send("and mine\n")
      assert.strictEqual(yield* receiveLine(connection), "and mine\n")
      yield* end.send("and one more\n")
      yield* end.end
      assert.strictEqual(yield* readAll(connection), "and one more\n")
      assert.deepStrictEqual(yield* connection.closure, { _tag: "Closed", error: undefined })
    }))

  it.live("the client has closed, and hears what our server still says", () =>
    Effect.gen(function*() {
      const states: Array<string> = []
      const server = yield* ourServer({
        version,
        handler: (connection) =>
          Effect.gen(function*() {
            const text = yield* readAll(connection)
            states.push((yield* connection.closure)._tag)
            yield* sendLine(connection, `you said ${text.trim()}`)
            yield* connection.closeWrite
            states.push((yield* connection.closure)._tag)
          })
      })
      const client = yield* nodeTlsClient({
        port: server.port,
        ca: (yield* testPki).ca.certificatePem,
        maxVersion: "TLSv1.3"
      })
      yield* client.secured
      yield* client.send("bye\n")
      yield* client.end
      yield* client.waitForEnd
      assert.strictEqual(client.text, "you said bye\n")
      assert.strictEqual(ending((yield* server.report).exit), "success")
      assert.deepStrictEqual(states, ["CloseReceived", "Closed"])
    }))
})

everyPeer("truncation", (talking, it, version) => {
  const peer = tapped(talking)

  it.live("the client dies: Truncated", () =>
    Effect.gen(function*() {
      const server = yield* ourServer({ version })
      const client = yield* peer.mortalClient({ port: server.port })
      yield* client.send("hello\n")
      yield* client.waitForText(/^hello$/m)
      yield* client.kill
      const { closure, exit } = yield* server.report
      assert.strictEqual(ending(exit), "Truncated")
      assert.strictEqual(closure?.error?._tag === "Truncated" ? closure.error.bytesRead : -1, 6)
    }))

  it.live("the server dies: Truncated", () =>
    Effect.gen(function*() {
      const server = yield* peer.mortalServer()
      const connection = yield* ourClient({ version, port: server.port })
      yield* sendLine(connection, "12321")
      yield* receiveLine(connection)
      yield* server.kill
      assert.strictEqual(ending(yield* Effect.exit(readAll(connection))), "Truncated")
      assert.strictEqual((yield* connection.closure)._tag, "Truncated")
    }))

  it.live("our server's socket is destroyed: the client sees no close_notify", () =>
    Effect.gen(function*() {
      const server = yield* ourServer({
        version,
        handler: (connection) => Effect.andThen(receiveLine(connection), destroyTransport)
      })
      const client = yield* peer.client({ port: server.port })
      yield* client.send("hello\n")
      yield* client.sawTruncation
    }))

  it.live("our client's socket is destroyed: the server sees no close_notify", () =>
    Effect.gen(function*() {
      const server = yield* peer.server()
      const end = yield* server.next
      const { destroy, signal } = makeDestroyer()
      const connection = yield* ourClient({ version, port: server.port, signal })
      yield* sendLine(connection, "12321")
      yield* receiveLine(connection)
      destroy()
      yield* end.sawTruncation
    }))
})
