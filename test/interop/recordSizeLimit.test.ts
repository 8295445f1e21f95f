import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Observation } from "effect-tls"
import { gnuTlsClient, gnuTlsServer } from "../harness/GnuTls.ts"
import { peerSuite } from "../harness/PeerSuite.ts"
import { pkiFiles } from "../harness/PkiFiles.ts"
import { gnuTlsPriority, versions } from "./Names.ts"
import { ending, ourClient, ourServer } from "./Ours.ts"

const text = `${"y".repeat(99)}\n`.repeat(100)
const bytes = new TextEncoder().encode(text)

/** The longest content of a protected record, each way. */
const watchingLengths = () => {
  const longest = { sent: 0, received: 0 }
  return {
    longest,
    observe: (seen: Observation) => {
      if (seen._tag !== "Record" || !seen.isProtected) return
      longest[seen.direction] = Math.max(longest[seen.direction], seen.contentLength)
    }
  }
}

peerSuite(["gnutls-cli", "gnutls-serv"], (it) => {
  it.live.each(versions)(
    "our client wants records of 1000 bytes at most, TLS %s",
    (version) =>
      Effect.gen(function*() {
        const files = yield* pkiFiles("ec")
        const server = yield* gnuTlsServer({ ...files.of("ec"), priority: gnuTlsPriority({ version }) })
        const { longest, observe } = watchingLengths()
        const connection = yield* ourClient({ version, port: server.port, recordSizeLimit: 1000, observe })
        let left = bytes.length
        yield* connection.write(bytes)
        while (left > 0) for (const chunk of yield* connection.pull) left -= chunk.length
        assert.strictEqual(left, 0)
        assert.strictEqual(longest.received, 1000)
      })
  )

  it.live.each(versions)(
    "our server wants records of 1000 bytes at most, TLS %s",
    (version) =>
      Effect.gen(function*() {
        const { longest, observe } = watchingLengths()
        const server = yield* ourServer({
          version,
          observe,
          recordSizeLimit: 1000,
          handler: ({ stream }) => Stream.runDrain(stream)
        })
        const { ca } = yield* pkiFiles()
        const client = yield* gnuTlsClient({ port: server.port, caFile: ca, priority: gnuTlsPriority({ version }) })
        yield* client.waitFor(/Handshake was completed/)
        yield* client.send(text)
        yield* client.endInput
        assert.strictEqual(ending((yield* server.report).exit), "success")
        // It reads more at once than fits into a record, and drops the rest.
        assert.strictEqual(longest.received, 1000)
      })
  )

  it.live.each(versions)("gnutls-cli wants records of 600 bytes at most, TLS %s", (version) =>
    Effect.gen(function*() {
      const { longest, observe } = watchingLengths()
      const server = yield* ourServer({ version, observe, handler: ({ write }) => write(bytes) })
      const { ca } = yield* pkiFiles()
      const client = yield* gnuTlsClient({
        port: server.port,
        caFile: ca,
        priority: gnuTlsPriority({ version }),
        extra: ["--recordsize", "600"]
      })
      yield* client.exit
      assert.include(client.stdout, text)
      assert.strictEqual(longest.sent, 600)
    }))
}, "record_size_limit (RFC 8449): gnutls")
