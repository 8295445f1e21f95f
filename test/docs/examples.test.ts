import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Layer, Logger, References } from "effect"
import { type Observation, SessionCache, TlsTest, Trust } from "effect-tls"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import * as SocketServer from "effect/socket/SocketServer"
import { execFileSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { createSecureContext, TLSSocket } from "node:tls"
import * as binding from "../../docs/examples/binding.ts"
import * as client from "../../docs/examples/client.ts"
import * as server from "../../docs/examples/server.ts"
import * as signer from "../../docs/examples/signer.ts"
import * as starttls from "../../docs/examples/starttls.ts"
import * as tls13 from "../../docs/examples/tls13.ts"
import { HandshakeType } from "../../src/wire/CodePoints.ts"
import { listen } from "../harness/Listen.ts"
import { nodeTlsClient, nodeTlsServer } from "../harness/NodeTls.ts"
import { alertNumberOfNodeError } from "../harness/NodeTlsAlert.ts"
import { peerSuite } from "../harness/PeerSuite.ts"
import { type LeafName, testCredential, testPki } from "../harness/Pki.ts"
import { pkiFiles } from "../harness/PkiFiles.ts"
import { rawClient } from "../harness/RawTcp.ts"
import { ourServer, type OurServerOptions } from "../interop/Ours.ts"

describe("docs/examples", () => {
  it("each of them is run here", () => {
    const examples = readdirSync(join(import.meta.dirname, "../../docs/examples")).filter((name) =>
      name.endsWith(".ts")
    )
    const own = readFileSync(import.meta.filename, "utf8")
    assert.deepStrictEqual(examples.filter((name) => !own.includes(`from "../../docs/examples/${name}"`)), [])
  })

  it.live("client.ts reads a page of node:tls to its clean end", () =>
    Effect.gen(function*() {
      const pki = yield* testPki
      const { certificatePem: cert, privateKeyPem: key } = yield* testCredential("ec")
      const { accept, port } = yield* nodeTlsServer({ cert, key, ALPNProtocols: ["http/1.1"] })
      const page = yield* Effect.forkChild(
        client.fetchPage("localhost").pipe(
          Effect.provide(client.layer({ host: "127.0.0.1", port, anchors: pki.ca.certificatePem }))
        )
      )
      const connection = yield* accept
      yield* connection.waitForText(/GET \/ HTTP\/1.0/)
      yield* connection.send("HTTP/1.0 200 OK\r\n\r\nhello")
      yield* connection.end
      assert.strictEqual(yield* Fiber.join(page), "HTTP/1.0 200 OK\r\n\r\nhello")
    }))

  it.live("client.ts tells what it found wrong, where the authority is not known", () =>
    Effect.gen(function*() {
      const pki = yield* testPki
      const { certificatePem: cert, privateKeyPem: key } = yield* testCredential("ec")
      const { port } = yield* nodeTlsServer({ cert, key })
      const told = yield* client.fetchPageOr("localhost").pipe(
        Effect.provide(client.layer({ host: "127.0.0.1", port, anchors: pki.other.certificatePem }))
      )
      assert.strictEqual(told, `the certificate was issued by "CN=effect-tls test root", which is not trusted here`)
    }))

  it.live("server.ts sends back what node:tls sends", () =>
    Effect.gen(function*() {
      const pki = yield* testPki
      const { certificatePem, privateKeyPem } = yield* testCredential("ec")
      yield* Effect.gen(function*() {
        const { address } = yield* SocketServer.SocketServer
        const port = "port" in address ? address.port : 0
        yield* Effect.forkChild(server.echo, { startImmediately: true })
        const peer = yield* nodeTlsClient({ port, ca: pki.ca.certificatePem })
        yield* peer.secured
        yield* peer.send("hello")
        yield* peer.waitForText(/hello/)
        yield* peer.end
        yield* peer.waitForEnd
      }).pipe(Effect.provide(server.layer({ certificate: certificatePem, privateKey: privateKeyPem, port: 0 })))
    }))

  it.live("server.ts logs a handshake that failed, with the address of the peer", () =>
    Effect.gen(function*() {
      const { certificatePem, privateKeyPem } = yield* testCredential("ec")
      const logged = yield* Deferred.make<{ readonly message: string; readonly remoteAddress: unknown }>()
      const logger = Logger.make(({ fiber, message }) =>
        Deferred.doneUnsafe(
          logged,
          Effect.succeed({
            message: String(message),
            remoteAddress: fiber.getRef(References.CurrentLogAnnotations)["remoteAddress"]
          })
        )
      )
      yield* Effect.gen(function*() {
        const { address } = yield* SocketServer.SocketServer
        const port = "port" in address ? address.port : 0
        yield* Effect.forkChild(server.echo, { startImmediately: true })
        const peer = yield* rawClient(port)
        yield* peer.send("GET / HTTP/1.0\r\n\r\n")
        yield* peer.end
        const { message, remoteAddress } = yield* Deferred.await(logged)
        assert.match(message, /^TLS handshake failed: We ended the TLS connection during the handshake/)
        assert.strictEqual(remoteAddress, `127.0.0.1:${peer.socket.localPort}`)
      }).pipe(Effect.provide([
        server.layer({ certificate: certificatePem, privateKey: privateKeyPem, port: 0 }),
        Logger.layer([logger])
      ]))
    }))

  const startTls = (answer: string) =>
    Effect.gen(function*() {
      const pki = yield* testPki
      const { certificatePem: cert, privateKeyPem: key } = yield* testCredential("ec")
      const port = yield* listen(createServer((socket) => {
        socket.once("data", () => {
          socket.write(answer)
          const tls = new TLSSocket(socket, {
            isServer: true,
            secureContext: createSecureContext({ cert, key, maxVersion: "TLSv1.2" })
          })
          // A client that refuses is an error here, and the matter of this test there.
          tls.on("error", () => tls.destroy())
          tls.once("data", (data) => tls.end(`250 ${data.toString("latin1")}`))
        })
      }))
      return yield* starttls.greet("localhost").pipe(Effect.provide(
        Layer.mergeAll(
          NodeSocket.layerNet({ host: "127.0.0.1", port, allowHalfOpen: true }),
          SessionCache.layerNone,
          Trust.layerAnchors({ anchors: pki.ca.certificatePem })
        ).pipe(Layer.provideMerge(NodePrimitives.layer))
      ))
    })

  it.live("starttls.ts begins TLS behind a line in the clear", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* startTls("220 go ahead\r\n"), "250 EHLO client\r\n")
    }))

  it.live("starttls.ts says what the server answered that does not begin TLS", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(startTls("454 not now\r\n"))
      assert(error._tag === "NotStarted")
      assert.strictEqual(error.answer, "454 not now")
    }))

  it.live("starttls.ts does not begin TLS behind bytes that came with the line", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(startTls("220 go ahead\r\n250 injected\r\n"))
      assert(error._tag === "AlertSent")
      assert.deepStrictEqual(error.fault, { _tag: "PlaintextBuffered", length: 14 })
    }))

  it.effect("binding.ts takes a proof on its own connection, and on no other", () =>
    Effect.gen(function*() {
      const [key, other] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]
      const { client, server } = yield* TlsTest.pair({ seed: 1 })
      yield* binding.prove(client, key)
      yield* binding.check(server, key)
      yield* binding.prove(client, other)
      const wrongKey = yield* Effect.flip(binding.check(server, key))
      // Whoever is in the middle has a connection with either side, and passes on what the one says.
      const relay = yield* TlsTest.pair({ seed: 2 })
      yield* binding.prove(relay.client, key)
      yield* client.writeAll(yield* relay.server.pull)
      const relayed = yield* Effect.flip(binding.check(server, key))
      assert.deepStrictEqual([wrongKey._tag, relayed._tag], ["NotProved", "NotProved"])
    }).pipe(Effect.provide(NodePrimitives.layer)))

  /** tls13.ts with that certificate, at a server of ours that insists on one. */
  const sayTwice = (name: LeafName, options: OurServerOptions = {}) =>
    Effect.gen(function*() {
      const pki = yield* testPki
      const { certificatePem: certificate, privateKeyPem: privateKey } = yield* testCredential(name)
      const { port } = yield* ourServer({ version: "1.3", clientAuth: { mode: "require" }, ...options })
      return yield* tls13.sayTwice("localhost", "hello").pipe(
        Effect.provide(
          tls13.layer({ host: "127.0.0.1", port, anchors: pki.ca.certificatePem, certificate, privateKey })
        )
      )
    })

  it.live("tls13.ts shows its certificate, and goes on under new keys of both sides", () =>
    Effect.gen(function*() {
      const updates: Array<Observation["direction"]> = []
      const observe = (seen: Observation) => {
        if (seen._tag === "Message" && seen.type === HandshakeType.key_update) updates.push(seen.direction)
      }
      assert.deepStrictEqual(yield* sayTwice("client", { observe }), ["hello", "hello"])
      assert.deepStrictEqual(updates, ["received", "sent"])
    }))

  const refusals = [
    ["clientOther", "it does not know who issued our certificate"],
    ["clientExpired", "our certificate has expired"]
  ] as const

  it.live.each(refusals)(
    "tls13.ts, opening, is told why its certificate (%s) is refused: %s",
    ([name, why]) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(sayTwice(name))
        assert(error._tag === "NotAdmitted", error._tag)
        assert.strictEqual(error.why, why)
      })
  )
})

peerSuite("openssl", (it) => {
  /** A process that signs, and has the key: the hash goes in, the signature comes out. */
  const serviceOf = (key: string): signer.KeyService => ({
    sign: async (algorithm, digest) => {
      const padding = algorithm.startsWith("ECDSA") ? [] : ["rsa_padding_mode:pss", "rsa_pss_saltlen:digest"]
      const options = [`digest:sha${digest.length * 8}`, ...padding].flatMap((option) => ["-pkeyopt", option])
      return execFileSync("openssl", ["pkeyutl", "-sign", "-inkey", key, ...options], { input: digest })
    }
  })

  /** signer.ts at work for server.ts: node:tls over TLS 1.3, when it has said hello. */
  const greeted = (name: "ec" | "rsa", keys: (key: string) => signer.KeyService) =>
    Effect.gen(function*() {
      const files = yield* pkiFiles(name)
      const { certificatePem } = yield* testCredential(name)
      const context = yield* Layer.build(
        Layer.mergeAll(
          NodeSocketServer.layer({ host: "127.0.0.1", port: 0, allowHalfOpen: true }),
          signer.layer(certificatePem, keys(files.of(name).key)),
          SessionCache.layerNone
        ).pipe(Layer.provideMerge(NodePrimitives.layer))
      )
      const { address } = Context.get(context, SocketServer.SocketServer)
      yield* Effect.forkScoped(Effect.provideContext(server.echo, context), { startImmediately: true })
      const ca = (yield* testPki).ca.certificatePem
      const peer = yield* nodeTlsClient({ port: "port" in address ? address.port : 0, ca, maxVersion: "TLSv1.3" })
      yield* peer.send("hello")
      return peer
    })

  it.live.each(["ec", "rsa"] as const)(
    "signer.ts has its signatures of a process that holds the key: %s",
    (name) =>
      Effect.gen(function*() {
        const peer = yield* greeted(name, serviceOf)
        yield* peer.waitForText(/hello/)
        assert.strictEqual(peer.socket.getProtocol(), "TLSv1.3")
      })
  )

  it.live("signer.ts, and a service that fails: the peer hears internal_error", () =>
    Effect.gen(function*() {
      const peer = yield* greeted("ec", () => ({ sign: () => Promise.reject(new Error("the module is gone")) }))
      assert.strictEqual(alertNumberOfNodeError(yield* peer.waitForError), 80)
    }))
}, "docs/examples, with openssl")
