import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import { type Connection } from "effect-tls"
import { openSslClient, openSslServer } from "../harness/OpenSsl.ts"
import { peerSuite } from "../harness/PeerSuite.ts"
import { pkiFiles } from "../harness/PkiFiles.ts"
import { ending, ourClient, ourServer, within } from "./Ours.ts"
import { everyPeer } from "./peers.ts"

/** Lines that are all different and the same in every run: 1.25 MiB of them. */
const text = Array.from(
  { length: 20 * 1024 },
  (_, line) => `${createHash("sha512").update(String(line)).digest("base64url").slice(0, 63)}\n`
).join("")

const bytes = new TextEncoder().encode(text)

const digest = (data: string | Uint8Array): string => createHash("sha256").update(data).digest("hex")

/** Reads that many bytes. */
const read = (connection: Connection, length: number) =>
  within(
    `${length} bytes`,
    Effect.gen(function*() {
      const chunks: Array<Uint8Array> = []
      let left = length
      while (left > 0) {
        for (const chunk of yield* connection.pull) {
          chunks.push(chunk)
          left -= chunk.length
        }
      }
      return Buffer.concat(chunks)
    })
  )

const firstLine = text.slice(0, 64)

everyPeer("more than a megabyte", (peer, it, version) => {
  it.live("from a client to our server", () =>
    Effect.gen(function*() {
      const digests: Array<string> = []
      const server = yield* ourServer({
        version,
        handler: ({ stream }) =>
          Effect.map(Stream.runCollect(stream), (chunks) => digests.push(digest(Buffer.concat([...chunks]))))
      })
      const client = yield* peer.client({ port: server.port, isQuiet: true })
      yield* client.send(text)
      yield* client.close
      assert.strictEqual((yield* server.report).closure?._tag, "Closed")
      assert.deepStrictEqual(digests, [digest(text)])
    }))

  it.live("from our server to a client", () =>
    Effect.gen(function*() {
      const server = yield* ourServer({ version, handler: ({ write }) => write(bytes) })
      const client = yield* peer.client({ port: server.port, isQuiet: true })
      yield* client.ended
      const received = yield* client.received
      const start = received.indexOf(firstLine)
      assert.strictEqual(digest(received.slice(start, start + text.length)), digest(text))
      assert.strictEqual(ending((yield* server.report).exit), "success")
    }))

  if (peer.name === "openssl") return // it turns lines round

  it.live("from our client to a server, and back at the same time", () =>
    Effect.gen(function*() {
      const server = yield* peer.server({ isQuiet: true })
      const connection = yield* ourClient({ version, port: server.port })
      const [received] = yield* Effect.all([read(connection, bytes.length), connection.write(bytes)], {
        concurrency: 2
      })
      assert.strictEqual(digest(received), digest(bytes))
    }))
})

const small = ["-max_send_frag", "512"]

peerSuite("openssl", (it) => {
  it.live("s_client, in records of 512 bytes, the handshake too", () =>
    Effect.gen(function*() {
      const lengths: Array<number> = []
      const server = yield* ourServer({
        clientAuth: { mode: "require" },
        observe: (seen) => {
          if (seen._tag === "Record" && seen.direction === "received") lengths.push(seen.contentLength)
        },
        handler: (connection) => Effect.map(read(connection, bytes.length), (data) => received.push(digest(data)))
      })
      const received: Array<string> = []
      const files = yield* pkiFiles("clientRsa")
      const { cert, key } = files.of("clientRsa")
      const client = yield* openSslClient({
        port: server.port,
        caFile: files.ca,
        extra: [...small, "-quiet", "-nocommands", "-cert", cert, "-key", key]
      })
      yield* client.send(text)
      assert.strictEqual(ending((yield* server.report).exit), "success")
      assert.deepStrictEqual(received, [digest(text)])
      assert.strictEqual(Math.max(...lengths), 512)
    }))

  it.live("s_server, in records of 512 bytes, the handshake too", () =>
    Effect.gen(function*() {
      const files = yield* pkiFiles("chain")
      const server = yield* openSslServer({ ...files.of("chain"), mode: "plain", extra: [...small, "-quiet"] })
      const lengths: Array<number> = []
      const connection = yield* ourClient({
        port: server.port,
        observe: (seen) => {
          if (seen._tag === "Record" && seen.direction === "received") lengths.push(seen.contentLength)
        }
      })
      yield* server.process.send(text)
      assert.strictEqual(digest(yield* read(connection, bytes.length)), digest(text))
      assert.strictEqual(Math.max(...lengths), 512)
    }))

  it.live("s_server, both ways at once", () =>
    Effect.gen(function*() {
      const files = yield* pkiFiles("ec")
      const server = yield* openSslServer({ ...files.of("ec"), mode: "plain", extra: ["-quiet"] })
      const connection = yield* ourClient({ port: server.port })
      yield* server.process.send(text)
      const [received] = yield* Effect.all([read(connection, bytes.length), connection.write(bytes)], {
        concurrency: 2
      })
      assert.strictEqual(digest(received), digest(bytes))
      yield* server.process.until(
        "all the data",
        () => server.process.stdout.length >= text.length ? Effect.void : undefined
      )
      assert.strictEqual(digest(server.process.stdout), digest(text))
    }))
}, "more than a megabyte: openssl alone")
