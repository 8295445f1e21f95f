import { assert } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { SessionCache } from "effect-tls"
import { gnuTlsClient } from "../harness/GnuTls.ts"
import type { HarnessError } from "../harness/HarnessError.ts"
import { openSslClient } from "../harness/OpenSsl.ts"
import { peerSuite } from "../harness/PeerSuite.ts"
import { pkiFiles } from "../harness/PkiFiles.ts"
import { cut, type Direction, tamperingProxy } from "../harness/TamperingProxy.ts"
import { corrupted, type Edit, editing, sessionIdAt } from "./Edits.ts"
import type { ForeignClientOptions, ForeignPeer, ForeignServer } from "./Foreign.ts"
import { ending, ourClient, type OurClientOptions, ourServer, receiveLine, sendLine } from "./Ours.ts"
import { assertTold, eachPeer } from "./peers.ts"

/** One whole conversation of a foreign client with our server, a line there and back. */
const visit = (peer: ForeignPeer, options: ForeignClientOptions) =>
  Effect.gen(function*() {
    const client = yield* peer.client(options)
    const facts = yield* client.facts
    yield* client.send("hello\n")
    yield* client.waitForText(/^hello$/m)
    const session = yield* client.session
    yield* client.close
    return { facts, session }
  })

/** One whole conversation of our client with a foreign server. */
const call = (server: ForeignServer, options: OurClientOptions) =>
  Effect.scoped(Effect.gen(function*() {
    const end = yield* server.next
    const connection = yield* ourClient(options)
    yield* sendLine(connection, "12321")
    assert.strictEqual(yield* receiveLine(connection), "12321\n")
    return { resumed: connection.resumed, sessionId: connection.sessionId, facts: yield* end.facts }
  }))

/** The first record with application data that goes this way is spoilt. */
const spoiling = (to: number, way: Direction, edit: Edit) =>
  tamperingProxy({ to, onRecord: editing(way, "data", edit) })

/** Peers whose client keeps a session for another process, or connection. */
const keepsSessions = (peer: ForeignPeer) => peer.name !== "gnutls"

eachPeer("resumption by session identifiers: PEER", (peer, it) => {
  it.live("our client resumes by session id, and both sides say so", () =>
    Effect.gen(function*() {
      const server = yield* peer.server()
      const cache = yield* SessionCache.makeMemory()
      const first = yield* call(server, { port: server.port, cache })
      assert.deepStrictEqual([first.resumed, first.facts.isResumed], [false, false])
      for (let time = 0; time < 2; time++) {
        const { facts, resumed, sessionId } = yield* call(server, { port: server.port, cache })
        assert.deepStrictEqual([resumed, facts.isResumed], [true, true])
        assert.deepStrictEqual(sessionId, first.sessionId)
      }
      const other = yield* call(server, { port: server.port })
      assert.deepStrictEqual([other.resumed, other.facts.isResumed], [false, false])
    }))

  it.live("our client does not keep a session without the extended master secret", () =>
    Effect.gen(function*() {
      const server = yield* peer.server({ isExtended: false })
      const cache = yield* SessionCache.makeMemory()
      for (let time = 0; time < 2; time++) {
        const { facts, resumed, sessionId } = yield* call(server, { port: server.port, cache })
        assert.deepStrictEqual([resumed, facts.isResumed, sessionId.length], [false, false, 0])
        assertTold(peer, facts.isExtended, false)
      }
    }))

  it.live("our client makes a full handshake after a record of the server was corrupted", () =>
    Effect.gen(function*() {
      const server = yield* peer.server()
      const proxy = yield* spoiling(server.port, "serverToClient", corrupted)
      const cache = yield* SessionCache.makeMemory()
      assert.strictEqual(
        ending(yield* Effect.exit(call(server, { port: proxy.port, cache }))),
        "AlertSent BadRecordMac"
      )
      assert.strictEqual((yield* call(server, { port: proxy.port, cache })).facts.isResumed, false)
      assert.strictEqual((yield* call(server, { port: proxy.port, cache })).facts.isResumed, true)
    }))

  it.live("our client makes a full handshake after a fatal alert of the server", () =>
    Effect.gen(function*() {
      const server = yield* peer.server()
      const proxy = yield* spoiling(server.port, "clientToServer", corrupted)
      const cache = yield* SessionCache.makeMemory()
      assert.strictEqual(
        ending(yield* Effect.exit(call(server, { port: proxy.port, cache }))),
        "AlertReceived BadRecordMac"
      )
      assert.strictEqual((yield* call(server, { port: proxy.port, cache })).facts.isResumed, false)
    }))

  it.live("our client makes a full handshake after a fatal alert of the server that nobody read", () =>
    Effect.gen(function*() {
      const server = yield* peer.server()
      const proxy = yield* spoiling(server.port, "clientToServer", corrupted)
      const memory = yield* SessionCache.makeMemory()
      const forgotten = yield* Deferred.make<void>()
      const cache: SessionCache.SessionCache["Service"] = {
        ...memory,
        invalidate: (key, session) =>
          Effect.andThen(memory.invalidate(key, session), Deferred.succeed(forgotten, undefined))
      }
      yield* Effect.scoped(Effect.gen(function*() {
        const connection = yield* ourClient({ port: proxy.port, cache })
        yield* sendLine(connection, "12321")
        yield* proxy.until("an alert", () => proxy.seen.serverToClient.some(([type]) => type === 21))
      }))
      yield* Deferred.await(forgotten)
      assert.strictEqual((yield* call(server, { port: proxy.port, cache })).facts.isResumed, false)
    }))

  it.live("our client resumes after a truncation", () =>
    Effect.gen(function*() {
      const server = yield* peer.server()
      const proxy = yield* spoiling(server.port, "serverToClient", () => cut("fin"))
      const cache = yield* SessionCache.makeMemory()
      assert.strictEqual(ending(yield* Effect.exit(call(server, { port: proxy.port, cache }))), "Truncated")
      const first = proxy.seen.clientToServer.length
      const again = yield* call(server, { port: proxy.port, cache })
      assert.strictEqual(proxy.seen.clientToServer[first]?.[sessionIdAt], 32, "the session is offered again")
      // openssl itself forgets the session of a connection that was not shut down
      const isResumed = peer.name !== "openssl"
      assert.deepStrictEqual([again.resumed, again.facts.isResumed], [isResumed, isResumed])
    }))

  it.live("our server gives no session to a client without the extended master secret", () =>
    Effect.gen(function*() {
      const server = yield* ourServer()
      const { facts, session } = yield* visit(peer, { port: server.port, isExtended: false })
      assertTold(peer, facts.isExtended, false)
      assert.strictEqual((yield* server.report).connection?.sessionId.length, 0)
      const again = yield* visit(peer, { port: server.port, isExtended: false, resume: session })
      assert.strictEqual(again.facts.isResumed, false)
    }))

  if (!keepsSessions(peer)) return

  const twice = (
    spoil: (port: number) => Effect.Effect<{ readonly port: number }, HarnessError, Scope.Scope>,
    first: string,
    isResumed: boolean
  ) =>
    Effect.gen(function*() {
      const server = yield* ourServer()
      const { port } = yield* spoil(server.port)
      const client = yield* peer.client({ port })
      yield* client.facts
      yield* client.send("hello\n")
      const report = yield* server.report
      assert.strictEqual(ending(report.exit), first)
      const again = yield* visit(peer, { port, resume: yield* client.session })
      assert.strictEqual(again.facts.isResumed, isResumed)
      assert.strictEqual((yield* server.report).connection?.resumed, isResumed)
    })

  it.live("our server resumes by session id, and both sides say so", () =>
    Effect.gen(function*() {
      const server = yield* ourServer()
      const first = yield* visit(peer, { port: server.port })
      const firstReport = yield* server.report
      assert.deepStrictEqual([firstReport.connection?.resumed, first.facts.isResumed], [false, false])
      const again = yield* visit(peer, { port: server.port, resume: first.session })
      const { connection } = yield* server.report
      assert.deepStrictEqual([connection?.resumed, again.facts.isResumed], [true, true])
      assert.deepStrictEqual(connection?.sessionId, firstReport.connection?.sessionId)
      // under another name there is no such session (RFC 6066 section 3)
      const other = yield* visit(peer, { port: server.port, resume: first.session, serverName: "test.example" })
      assert.deepStrictEqual([(yield* server.report).connection?.resumed, other.facts.isResumed], [false, false])
    }))

  it.live("our server makes a full handshake after a record of the client was corrupted", () =>
    twice((port) => spoiling(port, "clientToServer", corrupted), "AlertSent BadRecordMac", false))

  it.live("our server makes a full handshake after a fatal alert of the client", () =>
    twice((port) => spoiling(port, "serverToClient", corrupted), "AlertReceived BadRecordMac", false))

  it.live("our server resumes after a truncation", () =>
    twice((port) => spoiling(port, "clientToServer", () => cut("fin")), "Truncated", true))
})

peerSuite("openssl", (it) => {
  it.live("s_client -reconnect: five times the same session", () =>
    Effect.gen(function*() {
      const server = yield* ourServer()
      const { ca } = yield* pkiFiles()
      const client = yield* openSslClient({ port: server.port, caFile: ca, extra: ["-reconnect", "-no_ticket"] })
      const reports = []
      for (let time = 0; time < 5; time++) reports.push(yield* server.report)
      yield* client.endInput
      reports.push(yield* server.report)
      assert.deepStrictEqual(reports.map((_) => _.connection?.resumed), [false, true, true, true, true, true])
      assert.strictEqual(yield* client.exit, 0)
      assert.deepStrictEqual(client.output.match(/^(?:New|Reused), TLSv1\.2/gm)?.map((line) => line.split(",")[0]), [
        "New",
        "Reused",
        "Reused",
        "Reused",
        "Reused",
        "Reused"
      ])
    }))
}, "resumption: openssl alone")

peerSuite("gnutls-cli", (it) => {
  it.live("gnutls-cli --resume: the second of its two connections", () =>
    Effect.gen(function*() {
      const server = yield* ourServer()
      const { ca } = yield* pkiFiles()
      const client = yield* gnuTlsClient({ port: server.port, caFile: ca, extra: ["--resume", "--noticket"] })
      assert.strictEqual((yield* server.report).connection?.resumed, false)
      yield* client.waitFor(/This is a resumed session/)
      yield* client.send("hello\n")
      yield* client.waitFor(/^hello$/m)
      yield* client.endInput
      const { connection } = yield* server.report
      assert.strictEqual(connection?.resumed, true)
    }))
}, "resumption: gnutls-cli alone")
