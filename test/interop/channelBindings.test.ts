/** Channel bindings, RFC 9266 and RFC 5929 section 4, as foreign peers have them. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { type ChannelBinding, type Connection, Identity, Primitives, Trust } from "effect-tls"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import { createHash, generateKeyPairSync } from "node:crypto"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { TLSSocket } from "node:tls"
import { gnuTlsClient, gnuTlsServer } from "../harness/GnuTls.ts"
import { nodeTlsClient, nodeTlsServer } from "../harness/NodeTls.ts"
import { openSslClient, openSslServer } from "../harness/OpenSsl.ts"
import { peerSuite } from "../harness/PeerSuite.ts"
import { pkiFiles } from "../harness/PkiFiles.ts"
import * as Make from "../x509/Maker.ts"
import { gnuTlsPriority, openSslVersion, type Version, versions } from "./Names.ts"
import { echo, ourClient, ourServer, within } from "./Ours.ts"

interface Shown {
  readonly certificate: string
  readonly privateKey: string
  readonly root: string
}

const pem = (der: Uint8Array): string =>
  `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString("base64")}\n-----END CERTIFICATE-----\n`

/** A certificate for localhost that an authority with these keys signs in this way. */
const shown = (keys: Make.Made["keys"], way: Make.Way): Shown => {
  const root = Make.authority("root", undefined, { keys, way })
  const leaf = Make.leaf(root, { way, names: [Make.dns("localhost")] })
  return {
    certificate: pem(leaf.der),
    privateKey: leaf.keys.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    root: pem(root.der)
  }
}

const rsa = () => generateKeyPairSync("rsa", { modulusLength: 2048 })

/** By the signature of the certificate, and not by the key in it. */
const kinds: ReadonlyArray<readonly [what: string, hash: string | undefined, make: () => Shown]> = [
  ["ECDSA with P-256 and SHA-256", "sha256", () => shown(Make.ecKey(), Make.ecdsaSha256)],
  [
    "ECDSA with P-384 and SHA-384",
    "sha384",
    () =>
      shown(
        generateKeyPairSync("ec", { namedCurve: "P-384" }),
        Make.wayOfHash("1.2.840.10045.4.3.3", "sha384")
      )
  ],
  ["RSA with SHA-512", "sha512", () => shown(rsa(), Make.rsaOfHash(13, "sha512"))],
  ["RSASSA-PSS with SHA-384", "sha384", () => shown(rsa(), Make.rsaPss("sha384"))],
  ["Ed25519", undefined, () => shown(generateKeyPairSync("ed25519"), Make.ed25519)]
]

const bindingOf = (connection: Connection, type: ChannelBinding): string | undefined =>
  Option.getOrUndefined(Option.map(connection.channelBinding(type), (bytes) => Buffer.from(bytes).toString("hex")))

const clientOf = ({ root }: Shown, version: Version, port: number) =>
  Effect.gen(function*() {
    const trust = yield* Trust.Trust.pipe(
      Effect.provide(Trust.layerAnchors({ anchors: root })),
      Effect.provideService(Primitives, NodePrimitives.make),
      Effect.orDie
    )
    return yield* ourClient({ version, port, trust })
  })

const serverOf = (
  { certificate, privateKey }: Shown,
  version: Version
): Effect.Effect<{ readonly port: number; readonly opened: Effect.Effect<Connection> }, never, Scope.Scope> =>
  Effect.gen(function*() {
    const opened = yield* Deferred.make<Connection>()
    const identity = yield* Identity.makePem({ certificate, privateKey }).pipe(
      Effect.provideService(Primitives, NodePrimitives.make),
      Effect.orDie
    )
    const { port } = yield* ourServer({
      version,
      identity,
      handler: (connection) => Effect.andThen(Deferred.succeed(opened, connection), echo(connection))
    })
    return { port, opened: within("the handshake of our server", Deferred.await(opened)) }
  })

const assertSame = (ours: Connection, socket: TLSSocket, certificate: Uint8Array, hash: string | undefined) => {
  const exported = socket.exportKeyingMaterial(32, "EXPORTER-Channel-Binding", Buffer.alloc(0))
  assert.strictEqual(bindingOf(ours, "tls-exporter"), exported.toString("hex"))
  assert.strictEqual(
    bindingOf(ours, "tls-server-end-point"),
    hash === undefined ? undefined : createHash(hash).update(certificate).digest("hex")
  )
}

const both = versions.flatMap((version) => kinds.map((kind) => [version, ...kind] as const))

describe("channel bindings are those of node:tls", () => {
  it.live.each(both)("our client, TLS %s, %s", ([version, , hash, make]) =>
    Effect.gen(function*() {
      const files = make()
      const server = yield* nodeTlsServer({
        cert: files.certificate,
        key: files.privateKey,
        maxVersion: `TLSv${version}`
      })
      const connection = yield* clientOf(files, version, server.port)
      const { socket } = yield* server.accept
      const own = socket.getCertificate()
      assert(own !== null && "raw" in own)
      assertSame(connection, socket, own.raw, hash)
    }))

  it.live.each(both)("our server, TLS %s, %s", ([version, , hash, make]) =>
    Effect.gen(function*() {
      const files = make()
      const server = yield* serverOf(files, version)
      const { secured, socket } = yield* nodeTlsClient({
        port: server.port,
        ca: files.root,
        maxVersion: `TLSv${version}`
      })
      yield* secured
      assertSame(yield* server.opened, socket, socket.getPeerCertificate().raw, hash)
    }))

  // RFC 9266 section 4.2.
  const withoutExtendedMasterSecret = { maxVersion: "TLSv1.2", secureOptions: 1 } as const
  const assertEndPointAlone = (connection: Connection) => {
    assert.strictEqual(bindingOf(connection, "tls-exporter"), undefined)
    assert.lengthOf(bindingOf(connection, "tls-server-end-point") ?? "", 64)
  }

  it.live("our client, TLS 1.2 without extended master secret: no tls-exporter", () =>
    Effect.gen(function*() {
      const files = shown(Make.ecKey(), Make.ecdsaSha256)
      const { certificate: cert, privateKey: key } = files
      const server = yield* nodeTlsServer({ cert, key, ...withoutExtendedMasterSecret })
      assertEndPointAlone(yield* clientOf(files, "1.2", server.port))
    }))

  it.live("our server, TLS 1.2 without extended master secret: no tls-exporter", () =>
    Effect.gen(function*() {
      const files = shown(Make.ecKey(), Make.ecdsaSha256)
      const server = yield* serverOf(files, "1.2")
      yield* nodeTlsClient({ port: server.port, ca: files.root, ...withoutExtendedMasterSecret })
      assertEndPointAlone(yield* server.opened)
    }))
})

peerSuite(["openssl", "stdbuf"], (it) => {
  const printed = /Keying material: ([0-9A-F]+)/
  const extra = ["-keymatexport", "EXPORTER-Channel-Binding", "-keymatexportlen", "32"]

  // In TLS 1.2 the command exports without a context, which is not the same as with an empty one (RFC 5705 section 4).
  const version = "1.3"

  it.live("our client", () =>
    Effect.gen(function*() {
      const files = yield* pkiFiles("ec")
      const options = { version: openSslVersion(version), mode: "plain", lineBuffered: true, extra } as const
      const server = yield* openSslServer({ ...files.of("ec"), ...options })
      const connection = yield* ourClient({ version, port: server.port })
      const [, theirs] = yield* server.process.waitFor(printed)
      assert.strictEqual(bindingOf(connection, "tls-exporter"), theirs?.toLowerCase())
    }))

  it.live("our server", () =>
    Effect.gen(function*() {
      const server = yield* serverOf(shown(Make.ecKey(), Make.ecdsaSha256), version)
      const client = yield* openSslClient({ port: server.port, version: openSslVersion(version), extra })
      const [, theirs] = yield* client.waitFor(printed)
      assert.strictEqual(bindingOf(yield* server.opened, "tls-exporter"), theirs?.toLowerCase())
    }))
}, "tls-exporter is that of openssl, TLS 1.3")

peerSuite(["gnutls-cli", "gnutls-serv"], (it) => {
  const hashed = both.filter(([, , hash]) => hash !== undefined)
  const types = ["tls-server-end-point", "tls-exporter"] as const
  // In the order in which they are printed.
  const printed = /'tls-server-end-point': ([0-9a-f]+)\s+- 'tls-exporter': ([0-9a-f]+)\n/

  const filesOf = (files: Shown) =>
    Effect.gen(function*() {
      const { directory } = yield* pkiFiles()
      const write = (name: string, text: string) => {
        const path = join(directory, name)
        return Effect.as(Effect.promise(() => writeFile(path, text, { mode: 0o600 })), path)
      }
      return {
        cert: yield* write("leaf.pem", files.certificate),
        key: yield* write("leaf.key", files.privateKey),
        root: yield* write("root.pem", files.root)
      }
    })

  it.live.each(hashed)("our client, TLS %s, %s", ([version, , , make]) =>
    Effect.gen(function*() {
      const files = make()
      const { cert, key } = yield* filesOf(files)
      const server = yield* gnuTlsServer({ cert, key, priority: gnuTlsPriority({ version }) })
      const connection = yield* clientOf(files, version, server.port)
      const [, ...theirs] = yield* server.process.waitFor(printed)
      assert.deepStrictEqual(types.map((type) => bindingOf(connection, type)), theirs)
    }))

  it.live.each(hashed)("our server, TLS %s, %s", ([version, , , make]) =>
    Effect.gen(function*() {
      const files = make()
      const { root } = yield* filesOf(files)
      const server = yield* serverOf(files, version)
      const client = yield* gnuTlsClient({
        port: server.port,
        caFile: root,
        priority: gnuTlsPriority({ version }),
        extra: ["--verbose"]
      })
      const [, ...theirs] = yield* client.waitFor(printed)
      const connection = yield* server.opened
      assert.deepStrictEqual(types.map((type) => bindingOf(connection, type)), theirs)
    }))
}, "channel bindings are those of gnutls")
