import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { SessionCache } from "effect-tls"
import { gnuTlsClient } from "../harness/GnuTls.ts"
import { nodeTlsClient, nodeTlsServer } from "../harness/NodeTls.ts"
import { openSslClient, openSslServer } from "../harness/OpenSsl.ts"
import { peerSuite } from "../harness/PeerSuite.ts"
import { testCredential, testPki } from "../harness/Pki.ts"
import { pkiFiles } from "../harness/PkiFiles.ts"
import { ourClient, ourServer, receiveLine, sendLine } from "./Ours.ts"

/** The lines of a key log, without comments. Which case the hexadecimal digits have is left open. */
const linesOf = (log: string): ReadonlyArray<string> =>
  log.split("\n").filter((line) => line.startsWith("CLIENT_RANDOM")).map((line) => line.toLowerCase())

const fileLines = (file: string) => Effect.map(Effect.promise(() => readFile(file, "utf8")), linesOf)

const collecting = () => {
  const lines: Array<string> = []
  return { lines, insecureKeyLog: (line: string) => void lines.push(line) }
}

const assertSame = (ours: ReadonlyArray<string>, theirs: ReadonlyArray<string>, count = 1) => {
  assert.strictEqual(ours.length, count)
  assert.match(ours[0] ?? "", /^CLIENT_RANDOM [0-9a-f]{64} [0-9a-f]{96}$/)
  assert.deepStrictEqual(linesOf(ours.join("\n")), theirs)
}

describe("the key log is that of node:tls", () => {
  it.live("our client, a full and a resumed handshake", () =>
    Effect.gen(function*() {
      const theirs: Array<string> = []
      const { certificatePem: cert, privateKeyPem: key } = yield* testCredential("ec")
      const server = yield* nodeTlsServer({
        cert,
        key,
        echo: true,
        keepSessions: true,
        onKeyLog: (line) => void theirs.push(line)
      })
      const { insecureKeyLog, lines } = collecting()
      const cache = yield* SessionCache.makeMemory()
      for (const isResumed of [false, true]) {
        const connection = yield* ourClient({ port: server.port, cache, insecureKeyLog })
        yield* sendLine(connection, "hello")
        yield* receiveLine(connection)
        assert.strictEqual(connection.resumed, isResumed)
      }
      assertSame(lines, linesOf(theirs.join("\n")), 2)
      assert.notStrictEqual(lines[0], lines[1])
    }))

  it.live("our server", () =>
    Effect.gen(function*() {
      const { insecureKeyLog, lines } = collecting()
      const server = yield* ourServer({ insecureKeyLog })
      const theirs: Array<string> = []
      const client = yield* nodeTlsClient({ port: server.port, ca: (yield* testPki).ca.certificatePem })
      client.socket.on("keylog", (line) => void theirs.push(line.toString()))
      yield* client.secured
      assertSame(lines, linesOf(theirs.join("\n")))
    }))

  it.live("nobody is told unasked", () =>
    Effect.gen(function*() {
      const server = yield* ourServer()
      const client = yield* nodeTlsClient({ port: server.port, ca: (yield* testPki).ca.certificatePem })
      yield* client.secured
      yield* client.end
      const { connection } = yield* server.report
      assert.notMatch(JSON.stringify(connection), /CLIENT_RANDOM|secret/i)
    }))
})

peerSuite("openssl", (it) => {
  it.live("our client", () =>
    Effect.gen(function*() {
      const files = yield* pkiFiles("ec")
      const log = join(files.directory, "keys.log")
      const server = yield* openSslServer({ ...files.of("ec"), extra: ["-keylogfile", log, "-naccept", "1"] })
      const { insecureKeyLog, lines } = collecting()
      yield* Effect.scoped(Effect.gen(function*() {
        const connection = yield* ourClient({ port: server.port, insecureKeyLog })
        yield* sendLine(connection, "hello")
        yield* receiveLine(connection)
      }))
      yield* server.process.exit
      assertSame(lines, yield* fileLines(log))
    }))

  it.live("our server", () =>
    Effect.gen(function*() {
      const { insecureKeyLog, lines } = collecting()
      const server = yield* ourServer({ insecureKeyLog })
      const files = yield* pkiFiles()
      const log = join(files.directory, "keys.log")
      const client = yield* openSslClient({ port: server.port, caFile: files.ca, extra: ["-keylogfile", log] })
      yield* client.endInput
      yield* client.exit
      assertSame(lines, yield* fileLines(log))
    }))
}, "the key log is that of openssl")

peerSuite("gnutls-cli", (it) => {
  it.live("our server", () =>
    Effect.gen(function*() {
      const { insecureKeyLog, lines } = collecting()
      const server = yield* ourServer({ insecureKeyLog })
      const files = yield* pkiFiles()
      const log = join(files.directory, "keys.log")
      const client = yield* gnuTlsClient({ port: server.port, caFile: files.ca, env: { SSLKEYLOGFILE: log } })
      yield* client.waitFor(/Handshake was completed/)
      yield* client.endInput
      yield* client.exit
      assertSame(lines, yield* fileLines(log))
    }))
}, "the key log is that of gnutls")
