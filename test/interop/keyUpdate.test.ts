import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type Connection, type Observation } from "effect-tls"
import { gnuTlsClient } from "../harness/GnuTls.ts"
import { openSslClient, openSslServer } from "../harness/OpenSsl.ts"
import { peerSuite } from "../harness/PeerSuite.ts"
import { pkiFiles } from "../harness/PkiFiles.ts"
import type { PeerProcess } from "../harness/Process.ts"
import { pinned } from "./Foreign.ts"
import { gnuTlsPriority } from "./Names.ts"
import { ending, ourClient, ourServer, receiveLine, sendLine } from "./Ours.ts"
import { eachPeer } from "./peers.ts"

const version = "1.3"

/** Which way KeyUpdates went. */
const watchingUpdates = () => {
  const updates: Array<Observation["direction"]> = []
  return {
    updates,
    observe: (seen: Observation) => {
      if (seen._tag === "Message" && seen.type === 24) updates.push(seen.direction)
    }
  }
}

const echoLine = (connection: Connection, line: string, pattern = new RegExp(`^${line}\n$`)) =>
  Effect.gen(function*() {
    yield* sendLine(connection, line)
    assert.match(yield* receiveLine(connection), pattern)
  })

eachPeer("new keys, as we want them: PEER", (unpinned, it) => {
  const peer = pinned(unpinned, version)

  it.live("our client updates its own, then both", () =>
    Effect.gen(function*() {
      const server = yield* peer.server()
      const { observe, updates } = watchingUpdates()
      const client = yield* ourClient({ port: server.port, version, observe })
      yield* echoLine(client, "12321")
      yield* client.updateKeys()
      yield* echoLine(client, "23432")
      assert.deepStrictEqual(updates, ["sent"])
      yield* client.updateKeys(true)
      yield* echoLine(client, "34543")
      assert.deepStrictEqual(updates, ["sent", "sent", "received"])
      yield* echoLine(client, "45654")
    }))

  it.live("our server updates its own, then both", () =>
    Effect.gen(function*() {
      const { observe, updates } = watchingUpdates()
      const server = yield* ourServer({
        version,
        observe,
        handler: (connection) =>
          Effect.gen(function*() {
            for (const isPeerAsked of [false, true, false]) {
              const line = yield* receiveLine(connection)
              yield* connection.updateKeys(isPeerAsked)
              yield* sendLine(connection, line.trim())
            }
            yield* receiveLine(connection)
          })
      })
      const client = yield* peer.client({ port: server.port })
      for (const line of ["one", "two", "three"]) {
        yield* client.send(`${line}\n`)
        yield* client.waitForText(new RegExp(`^${line}$`, "m"))
      }
      yield* client.send("four\n")
      assert.strictEqual(ending((yield* server.report).exit), "success")
      assert.deepStrictEqual(updates.toSorted(), ["received", "sent", "sent", "sent"])
    }))
})

peerSuite(["openssl", "stdbuf"], (it) => {
  // K asks for an answer, k does not.
  const answered = [["K", ["received", "sent"]], ["k", ["received"]]] as const

  it.live.each(answered)("s_client says %s", ([command, expected]) =>
    Effect.gen(function*() {
      const { observe, updates } = watchingUpdates()
      const server = yield* ourServer({ version, observe })
      const { ca } = yield* pkiFiles()
      const client = yield* openSslClient({ port: server.port, caFile: ca, version: "-tls1_3" })
      yield* client.waitFor(/Verify return code: 0/)
      for (const line of ["one", "two"]) {
        // It takes all that it reads at once for one command.
        const from = client.output.length
        yield* client.send(`${command}\n`)
        yield* client.waitFor(/KEYUPDATE/, from)
        yield* client.send(`${line}\n`)
        yield* client.waitFor(new RegExp(`^${line}$`, "m"))
      }
      yield* client.endInput
      assert.strictEqual(ending((yield* server.report).exit), "success")
      assert.deepStrictEqual(updates, [...expected, ...expected])
    }))

  const plain = (
    use: (server: PeerProcess, connection: Connection, updates: ReadonlyArray<string>) => Effect.Effect<void, unknown>
  ) =>
    Effect.gen(function*() {
      const files = yield* pkiFiles("ec")
      const server = yield* openSslServer({ ...files.of("ec"), mode: "plain", version: "-tls1_3", lineBuffered: true })
      const { observe, updates } = watchingUpdates()
      const connection = yield* ourClient({ port: server.port, version, observe })
      yield* sendLine(connection, "hello")
      yield* server.process.waitFor(/^hello$/m)
      yield* use(server.process, connection, updates)
    })

  it.live.each(answered)(
    "s_server says %s",
    ([command, expected]) =>
      plain((server, connection, updates) =>
        Effect.gen(function*() {
          for (const line of ["one", "two"]) {
            const from = server.output.length
            yield* server.send(`${command}\n`)
            yield* server.waitFor(/SSL_do_handshake -> 1/, from)
            yield* server.send(`${line}\n`)
            assert.strictEqual(yield* receiveLine(connection), `${line}\n`)
            yield* sendLine(connection, `and ${line}`)
            yield* server.waitFor(new RegExp(`^and ${line}$`, "m"))
          }
          assert.deepStrictEqual(updates, [...expected, ...expected])
        })
      )
  )

  // RFC 8446 section 4.2.6: a server must not ask a client that has not offered it, and this one does not.
  it.live("s_server is told to ask for a certificate after the handshake, and knows that it may not", () =>
    plain((server, connection) =>
      Effect.gen(function*() {
        yield* server.send("c\n")
        yield* server.waitFor(/Failed to initiate request/)
        yield* server.send("hello\n")
        assert.strictEqual(yield* receiveLine(connection), "hello\n")
      })
    ))
}, "new keys, as openssl wants them")

peerSuite("gnutls-cli", (it) => {
  it.live("gnutls-cli asks for new keys with its line of command", () =>
    Effect.gen(function*() {
      const { observe, updates } = watchingUpdates()
      const server = yield* ourServer({ version, observe })
      const { ca } = yield* pkiFiles()
      const client = yield* gnuTlsClient({
        port: server.port,
        caFile: ca,
        priority: gnuTlsPriority({ version }),
        extra: ["--inline-commands"]
      })
      yield* client.waitFor(/Handshake was completed/)
      yield* client.send("^rekey^\n")
      yield* client.send("hello\n")
      yield* client.waitFor(/^hello$/m)
      yield* client.endInput
      assert.strictEqual(ending((yield* server.report).exit), "success")
      assert.deepStrictEqual(updates, ["received", "sent"])
    }))
}, "new keys, as gnutls wants them")
