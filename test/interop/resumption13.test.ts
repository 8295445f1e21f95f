import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { SessionCache } from "effect-tls"
import { gnuTlsClient } from "../harness/GnuTls.ts"
import { peerSuite } from "../harness/PeerSuite.ts"
import { pkiFiles } from "../harness/PkiFiles.ts"
import { cut, type Direction, tamperingProxy } from "../harness/TamperingProxy.ts"
import { contentType, contentTypes } from "../harness/TlsRecords.ts"
import { corrupted, type Edit, offeredTicket, whenTold } from "./Edits.ts"
import { type ForeignClientOptions, type ForeignPeer, type ForeignServer, pinned } from "./Foreign.ts"
import { gnuTlsPriority } from "./Names.ts"
import { ending, ourClient, type OurClientOptions, ourServer, receiveLine, sendLine } from "./Ours.ts"
import { eachPeer } from "./peers.ts"

const version = "1.3"

/** One whole conversation of a foreign client with our server, a line there and back. The tickets come before it. */
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

/** One whole conversation of our client with a foreign server, two lines there and back: whether both say it is resumed. */
const call = (server: ForeignServer, options: OurClientOptions, between: () => void = () => {}) =>
  Effect.scoped(Effect.gen(function*() {
    const end = yield* server.next
    const connection = yield* ourClient({ version, ...options })
    yield* sendLine(connection, "12321")
    assert.strictEqual(yield* receiveLine(connection), "12321\n")
    const { isResumed } = yield* end.facts
    between()
    yield* sendLine(connection, "45654")
    assert.strictEqual(yield* receiveLine(connection), "45654\n")
    return { ours: connection.resumed, theirs: isResumed }
  }))

const full = { ours: false, theirs: false }
const resumed = { ours: true, theirs: true }

/** A proxy that spoils the next record of this direction when it is told to. */
const spoiling = (to: number, way: Direction, edit: Edit) =>
  Effect.gen(function*() {
    const { spoilNext, tamper } = whenTold(way, edit)
    const { port, seen } = yield* tamperingProxy({ to, onRecord: tamper })
    return { port, seen, spoilNext }
  })

eachPeer("resumption by tickets: PEER", (unpinned, it) => {
  const peer = pinned(unpinned, version)

  it.live("our client resumes, and offers each ticket once", () =>
    Effect.gen(function*() {
      const server = yield* peer.server()
      const { port, seen } = yield* tamperingProxy({ to: server.port, onRecord: (_, __, record) => record })
      const cache = yield* SessionCache.makeMemory()
      // node:tls gives two tickets after a full handshake, and none after another.
      const last = peer.name === "node:tls" ? full : resumed
      for (const expected of [full, resumed, resumed, last]) {
        assert.deepStrictEqual(yield* call(server, { port, cache }), expected)
      }
      assert.deepStrictEqual(yield* call(server, { port }), full)
      const tickets = seen.clientToServer
        .filter((record) => contentType(record) === contentTypes.handshake)
        .map(offeredTicket)
      const isOffered = [false, true, true, last === resumed, false]
      assert.deepStrictEqual(tickets.map((ticket) => ticket !== undefined), isOffered)
      const offered = tickets.filter((ticket) => ticket !== undefined)
      assert.strictEqual(new Set(offered).size, offered.length)
    }))

  it.live.each(
    [
      ["a record of the server was corrupted", "serverToClient", corrupted, "AlertSent BadRecordMac"],
      ["a fatal alert of the server", "clientToServer", corrupted, "AlertReceived BadRecordMac"]
    ] as const
  )("our client makes a full handshake after %s", ([, way, edit, expected]) =>
    Effect.gen(function*() {
      const server = yield* peer.server()
      const proxy = yield* spoiling(server.port, way, edit)
      const cache = yield* SessionCache.makeMemory()
      const options = { port: proxy.port, cache }
      assert.strictEqual(ending(yield* Effect.exit(call(server, options, proxy.spoilNext))), expected)
      assert.deepStrictEqual(yield* call(server, options), full)
      assert.deepStrictEqual(yield* call(server, options), resumed)
    }))

  it.live("our client resumes after a truncation", () =>
    Effect.gen(function*() {
      const server = yield* peer.server()
      const proxy = yield* spoiling(server.port, "serverToClient", () => cut("fin"))
      const options = { port: proxy.port, cache: yield* SessionCache.makeMemory() }
      assert.strictEqual(ending(yield* Effect.exit(call(server, options, proxy.spoilNext))), "Truncated")
      // openssl itself forgets the session of a connection that was not shut down
      assert.deepStrictEqual(yield* call(server, options), peer.name === "openssl" ? full : resumed)
    }))

  // gnutls-cli keeps its session to itself
  if (peer.name === "gnutls") return

  it.live("our server resumes, but not under another name (RFC 6066 section 3)", () =>
    Effect.gen(function*() {
      const server = yield* ourServer({ version })
      const first = yield* visit(peer, { port: server.port })
      assert.deepStrictEqual([(yield* server.report).connection?.resumed, first.facts.isResumed], [false, false])
      const again = yield* visit(peer, { port: server.port, resume: first.session })
      assert.deepStrictEqual([(yield* server.report).connection?.resumed, again.facts.isResumed], [true, true])
      const third = yield* visit(peer, { port: server.port, resume: again.session })
      assert.deepStrictEqual([(yield* server.report).connection?.resumed, third.facts.isResumed], [true, true])
      const other = yield* visit(peer, { port: server.port, resume: third.session, serverName: "test.example" })
      assert.deepStrictEqual([(yield* server.report).connection?.resumed, other.facts.isResumed], [false, false])
    }))

  it.live("our server gives no tickets where it is told so", () =>
    Effect.gen(function*() {
      const server = yield* ourServer({ version, tickets: 0 })
      const first = yield* visit(peer, { port: server.port })
      yield* server.report
      // node:tls gives a session that is none.
      const again = yield* visit(peer, { port: server.port, resume: first.session })
      assert.deepStrictEqual([(yield* server.report).connection?.resumed, again.facts.isResumed], [false, false])
    }))

  it.live.each(
    [
      ["full", "a record of the client was corrupted", "clientToServer", corrupted, "AlertSent BadRecordMac"],
      ["full", "a fatal alert of the client", "serverToClient", corrupted, "AlertReceived BadRecordMac"],
      ["resumed", "a truncation", "clientToServer", () => cut("fin"), "Truncated"]
    ] as const
  )("our server makes a %s handshake after %s", ([kind, , way, edit, expected]) =>
    Effect.gen(function*() {
      const server = yield* ourServer({ version })
      const { port, spoilNext } = yield* spoiling(server.port, way, edit)
      const client = yield* peer.client({ port })
      yield* client.facts
      yield* client.send("hello\n")
      yield* client.waitForText(/^hello$/m)
      const session = yield* client.session
      spoilNext()
      yield* client.send("again\n")
      assert.strictEqual(ending((yield* server.report).exit), expected)
      const again = yield* visit(peer, { port, resume: session })
      const isResumed = kind === "resumed"
      assert.deepStrictEqual([(yield* server.report).connection?.resumed, again.facts.isResumed], [
        isResumed,
        isResumed
      ])
    }))
})

peerSuite("gnutls-cli", (it) => {
  it.live("gnutls-cli --resume: the second of its two connections", () =>
    Effect.gen(function*() {
      const server = yield* ourServer({ version })
      const { ca } = yield* pkiFiles()
      const client = yield* gnuTlsClient({
        port: server.port,
        caFile: ca,
        priority: gnuTlsPriority({ version }),
        extra: ["--resume", "--waitresumption"]
      })
      assert.strictEqual((yield* server.report).connection?.resumed, false)
      yield* client.waitFor(/This is a resumed session/)
      yield* client.send("hello\n")
      yield* client.waitFor(/^hello$/m)
      yield* client.endInput
      const { connection } = yield* server.report
      assert.strictEqual(connection?.resumed, true)
    }))
}, "resumption by tickets: gnutls-cli alone")
