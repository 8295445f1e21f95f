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
import { gnuTlsPriority, openSslVersion, type Version, versions } from "./Names.ts"
import { ourClient, ourServer, receiveLine, sendLine } from "./Ours.ts"

/** The lines of a key log, without comments, sorted: whose order is it? Which case the hexadecimal digits have is left open. */
const linesOf = (log: string): ReadonlyArray<string> =>
  log.split("\n").filter((line) => /^[A-Z0-9_]+ /.test(line)).map((line) => line.toLowerCase()).toSorted()

const fileLines = (file: string) => Effect.map(Effect.promise(() => readFile(file, "utf8")), linesOf)

const collecting = () => {
  const lines: Array<string> = []
  return { lines, insecureKeyLog: (line: string) => void lines.push(line) }
}

const labels: Readonly<Record<Version, ReadonlyArray<string>>> = {
  "1.2": ["CLIENT_RANDOM"],
  "1.3": [
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    "CLIENT_TRAFFIC_SECRET_0",
    "EXPORTER_SECRET",
    "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    "SERVER_TRAFFIC_SECRET_0"
  ]
}

/** `count` handshakes, each with its lines. */
const assertSame = (version: Version, ours: ReadonlyArray<string>, theirs: ReadonlyArray<string>, count = 1) => {
  for (const line of ours) assert.match(line, /^[A-Z0-9_]+ [0-9a-f]{64} (?:[0-9a-f]{32}){2,3}$/)
  const expected = labels[version].flatMap((label) => Array.from({ length: count }, () => label))
  assert.deepStrictEqual(ours.map((line) => line.split(" ")[0] ?? "").toSorted(), expected)
  assert.deepStrictEqual(linesOf(ours.join("\n")), theirs)
}

describe.each(versions)("the key log is that of node:tls, TLS %s", (version) => {
  it.live("our client, a full and a resumed handshake", () =>
    Effect.gen(function*() {
      const theirs: Array<string> = []
      const { certificatePem: cert, privateKeyPem: key } = yield* testCredential("ec")
      const server = yield* nodeTlsServer({
        cert,
        key,
        echo: true,
        keepSessions: true,
        maxVersion: `TLSv${version}`,
        onKeyLog: (line) => void theirs.push(line)
      })
      const { insecureKeyLog, lines } = collecting()
      const cache = yield* SessionCache.makeMemory()
      for (const isResumed of [false, true]) {
        const connection = yield* ourClient({ version, port: server.port, cache, insecureKeyLog })
        yield* sendLine(connection, "hello")
        yield* receiveLine(connection)
        assert.strictEqual(connection.resumed, isResumed)
      }
      assertSame(version, lines, linesOf(theirs.join("\n")), 2)
      assert.strictEqual(new Set(lines).size, lines.length)
    }))

  it.live("our server", () =>
    Effect.gen(function*() {
      const { insecureKeyLog, lines } = collecting()
      const server = yield* ourServer({ version, insecureKeyLog })
      const theirs: Array<string> = []
      const client = yield* nodeTlsClient({
        port: server.port,
        ca: (yield* testPki).ca.certificatePem,
        maxVersion: `TLSv${version}`
      })
      client.socket.on("keylog", (line) => void theirs.push(line.toString()))
      yield* client.secured
      assertSame(version, lines, linesOf(theirs.join("\n")))
    }))
})

peerSuite("openssl", (it) => {
  it.live.each(versions)("our client, TLS %s", (version) =>
    Effect.gen(function*() {
      const files = yield* pkiFiles("ec")
      const log = join(files.directory, "keys.log")
      const server = yield* openSslServer({
        ...files.of("ec"),
        version: openSslVersion(version),
        extra: ["-keylogfile", log, "-naccept", "1"]
      })
      const { insecureKeyLog, lines } = collecting()
      yield* Effect.scoped(Effect.gen(function*() {
        const connection = yield* ourClient({ version, port: server.port, insecureKeyLog })
        yield* sendLine(connection, "hello")
        yield* receiveLine(connection)
      }))
      yield* server.process.exit
      assertSame(version, lines, yield* fileLines(log))
    }))

  it.live.each(versions)("our server, TLS %s", (version) =>
    Effect.gen(function*() {
      const { insecureKeyLog, lines } = collecting()
      const server = yield* ourServer({ version, insecureKeyLog })
      const files = yield* pkiFiles()
      const log = join(files.directory, "keys.log")
      const client = yield* openSslClient({
        port: server.port,
        caFile: files.ca,
        version: openSslVersion(version),
        extra: ["-keylogfile", log]
      })
      yield* client.endInput
      yield* client.exit
      assertSame(version, lines, yield* fileLines(log))
    }))
}, "the key log is that of openssl")

peerSuite("gnutls-cli", (it) => {
  it.live.each(versions)("our server, TLS %s", (version) =>
    Effect.gen(function*() {
      const { insecureKeyLog, lines } = collecting()
      const server = yield* ourServer({ version, insecureKeyLog })
      const files = yield* pkiFiles()
      const log = join(files.directory, "keys.log")
      const client = yield* gnuTlsClient({
        port: server.port,
        caFile: files.ca,
        priority: gnuTlsPriority({ version }),
        env: { SSLKEYLOGFILE: log }
      })
      yield* client.waitFor(/Handshake was completed/)
      yield* client.endInput
      yield* client.exit
      assertSame(version, lines, yield* fileLines(log))
    }))
}, "the key log is that of gnutls")
