import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { TLSSocket } from "node:tls"
import type { Connection } from "effect-tls"
import { gnuTlsClient } from "../harness/GnuTls.ts"
import { nodeTlsClient, nodeTlsServer } from "../harness/NodeTls.ts"
import { openSslClient, openSslServer } from "../harness/OpenSsl.ts"
import { peerSuite } from "../harness/PeerSuite.ts"
import { testCredential, testPki } from "../harness/Pki.ts"
import { pkiFiles } from "../harness/PkiFiles.ts"
import { gnuTlsPriority, openSslVersion, versions } from "./Names.ts"
import { echo, ourClient, ourServer, type OurServerOptions, within } from "./Ours.ts"

/** RFC 9266: the binding that works in both versions, and a label of an application. */
const labels = ["EXPORTER-Channel-Binding", "EXPERIMENTAL effect-tls"] as const

const contexts = [undefined, "", "some context"] as const

const exported = (connection: Connection, label: string, length: number, context?: string): string => {
  const material = connection.exportKeyingMaterial(
    label,
    length,
    context === undefined ? undefined : Buffer.from(context)
  )
  return Buffer.from(Redacted.value(Option.getOrThrow(material))).toString("hex")
}

/** A server that echoes, and its next connection. */
const exportingServer = (options: OurServerOptions) =>
  Effect.gen(function*() {
    const opened = yield* Deferred.make<Connection>()
    const { port } = yield* ourServer({
      ...options,
      handler: (connection) => Effect.andThen(Deferred.succeed(opened, connection), echo(connection))
    })
    return { port, opened: within("the handshake of our server", Deferred.await(opened)) }
  })

type Exporter = (length: number, label: string, context?: Buffer) => Buffer

/** The types want a context, and do not know that there may be none. */
const ofNode = (socket: TLSSocket): Exporter => (...parameters) =>
  Reflect.apply(socket.exportKeyingMaterial, socket, parameters)

/** Of every label, length and context, what both sides have. */
const assertSame = (ours: Connection, theirs: Exporter) => {
  const seen = new Set<string>()
  for (const label of labels) {
    for (const length of [32, 70]) {
      for (const context of contexts) {
        const material = exported(ours, label, length, context)
        const other = context === undefined ? theirs(length, label) : theirs(length, label, Buffer.from(context))
        assert.strictEqual(material, other.toString("hex"), `${label}, ${length}, ${context}`)
        seen.add(material)
      }
    }
  }
  // In TLS 1.3 no context is the same as an empty one (RFC 8446 section 7.5), and one length is not the start of another.
  assert.strictEqual(seen.size, ours.version === "1.3" ? 8 : 12)
}

describe.each(versions)("exporters are those of node:tls, TLS %s", (version) => {
  const maxVersion = `TLSv${version}` as const

  it.live("our client", () =>
    Effect.gen(function*() {
      const { certificatePem: cert, privateKeyPem: key } = yield* testCredential("ec")
      const server = yield* nodeTlsServer({ cert, key, maxVersion })
      const connection = yield* ourClient({ version, port: server.port })
      const { socket } = yield* server.accept
      assertSame(connection, ofNode(socket))
    }))

  it.live("our server", () =>
    Effect.gen(function*() {
      const server = yield* exportingServer({ version })
      const { secured, socket } = yield* nodeTlsClient({
        port: server.port,
        ca: (yield* testPki).ca.certificatePem,
        maxVersion
      })
      yield* secured
      assertSame(yield* server.opened, ofNode(socket))
    }))
})

const [label] = labels

peerSuite(["openssl", "stdbuf"], (it) => {
  const printed = /Keying material: ([0-9A-F]+)/
  const extra = ["-keymatexport", label, "-keymatexportlen", "32"]

  it.live.each(versions)("our client, TLS %s", (version) =>
    Effect.gen(function*() {
      const files = yield* pkiFiles("ec")
      const server = yield* openSslServer({
        ...files.of("ec"),
        version: openSslVersion(version),
        mode: "plain",
        lineBuffered: true,
        extra
      })
      const connection = yield* ourClient({ version, port: server.port })
      const [, theirs] = yield* server.process.waitFor(printed)
      assert.strictEqual(exported(connection, label, 32), theirs?.toLowerCase())
    }))

  it.live.each(versions)("our server, TLS %s", (version) =>
    Effect.gen(function*() {
      const server = yield* exportingServer({ version })
      const { ca } = yield* pkiFiles()
      const client = yield* openSslClient({
        port: server.port,
        caFile: ca,
        version: openSslVersion(version),
        extra
      })
      const [, theirs] = yield* client.waitFor(printed)
      assert.strictEqual(exported(yield* server.opened, label, 32), theirs?.toLowerCase())
    }))
}, "exporters are those of openssl")

peerSuite("gnutls-cli", (it) => {
  it.live.each(versions)("our server, TLS %s", (version) =>
    Effect.gen(function*() {
      const server = yield* exportingServer({ version })
      const { ca } = yield* pkiFiles()
      const client = yield* gnuTlsClient({
        port: server.port,
        caFile: ca,
        priority: gnuTlsPriority({ version }),
        extra: ["--keymatexport", label, "--keymatexportsize", "32"]
      })
      const [, theirs] = yield* client.waitFor(/^- Key material: ([0-9a-f]+)$/m)
      assert.strictEqual(exported(yield* server.opened, label, 32), theirs)
    }))
}, "exporters are those of gnutls")
