import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import { type Connection, Identity, SessionCache, TlsClient, TlsServer, Trust } from "effect-tls"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import { createHash, randomBytes } from "node:crypto"
import { createConnection, createServer, type Socket as NetSocket } from "node:net"
import { duplexPair } from "node:stream"
import * as Transport from "../../src/connection/Transport.ts"
import * as NodeTransport from "../../src/platform/NodeTransport.ts"
import { listen } from "../harness/Listen.ts"
import { testCredential, testPki } from "../harness/Pki.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** A listener of Node, and the socket of its first connection. */
const nodeServer = Effect.gen(function*() {
  const connected = yield* Deferred.make<NetSocket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {})
    Deferred.doneUnsafe(connected, Exit.succeed(socket))
  })
  const port = yield* listen(server)
  yield* Effect.addFinalizer(() => Effect.map(Deferred.await(connected), (socket) => void socket.destroy()))
  return { port, peer: Deferred.await(connected) }
})

interface Side {
  readonly reader: Pick<Socket.Reader, "pull">
  readonly writer: Pick<Socket.Writer, "writeAll"> & {
    readonly write: (bytes: Uint8Array) => Effect.Effect<void, Socket.SocketError>
  }
  readonly endWrite: Effect.Effect<void>
  readonly close: Effect.Effect<void>
}

type Opening = (socket: Socket.Socket) => Effect.Effect<Side, unknown, Scope.Scope>

/** As anybody may: the reader, then the writer in a scope of its own. */
const byScopes: Opening = (socket) =>
  Effect.gen(function*() {
    const scope = yield* Scope.fork(yield* Effect.scope)
    const reader = yield* Scope.provide(socket.reader, scope)
    const writing = yield* Scope.fork(scope)
    const writer = yield* Scope.provide(socket.writer, writing)
    return { reader, writer, endWrite: Scope.close(writing, Exit.void), close: Scope.close(scope, Exit.void) }
  })

/** As a connection does. */
const byShortcut: Opening = (socket) =>
  Effect.gen(function*() {
    const transport = yield* Effect.uninterruptibleMask((restore) =>
      Effect.tap(Transport.open(socket, restore), (opened) => Effect.addFinalizer(() => opened.close()))
    )
    assert.isDefined(transport.direct)
    return {
      reader: transport,
      writer: {
        write: (bytes) => transport.write(bytes),
        writeAll: Effect.forEach((chunk) => transport.write(typeof chunk === "string" ? bytes(chunk) : chunk))
      },
      endWrite: Effect.suspend(() => transport.endWrite()),
      close: Effect.suspend(() => transport.close())
    }
  })

const asClient = (openSide: Opening) =>
  Effect.gen(function*() {
    const { peer, port } = yield* nodeServer
    const side = yield* openSide(yield* NodeTransport.makeNet({ port, host: "127.0.0.1" }))
    return { side, peer: yield* peer }
  })

const asServer = (openSide: Opening) =>
  Effect.gen(function*() {
    const server = yield* NodeTransport.makeServer({ port: 0, host: "127.0.0.1" })
    const opened = yield* Deferred.make<Side>()
    yield* Effect.forkScoped(
      server.run((socket) =>
        Effect.scoped(Effect.gen(function*() {
          yield* Deferred.succeed(opened, yield* openSide(socket))
          return yield* Effect.never
        }))
      )
    )
    if (server.address._tag !== "InetAddressV4") return yield* Effect.die(server.address)
    const peer = createConnection({ port: server.address.port, host: "127.0.0.1", allowHalfOpen: true })
    peer.on("error", () => {})
    yield* Effect.addFinalizer(() => Effect.sync(() => void peer.destroy()))
    return { side: yield* Deferred.await(opened), peer }
  })

const event = (peer: NetSocket, name: string) =>
  Effect.callback<void>((resume) => void peer.once(name, () => resume(Effect.void)))

const readAll = (reader: Side["reader"], length: number): Effect.Effect<string, Socket.SocketError> =>
  Effect.gen(function*() {
    let text = ""
    while (text.length < length) for (const chunk of yield* reader.pull) text += Buffer.from(chunk).toString("latin1")
    return text
  })

const reasonOf = (error: Socket.SocketError): string =>
  error.reason._tag === "SocketCloseError" ? `closed ${error.reason.code}` : error.reason._tag

describe.each(
  [
    ["client", "scopes", Effect.orDie(asClient(byScopes))],
    ["client", "the shortcut", Effect.orDie(asClient(byShortcut))],
    ["server", "scopes", Effect.orDie(asServer(byScopes))],
    ["server", "the shortcut", Effect.orDie(asServer(byShortcut))]
  ] as const
)(
  "as a %s, by %s",
  (_role, _way, open) => {
    const test = (name: string, body: (_: { side: Side; peer: NetSocket }) => Effect.Effect<void, unknown>) =>
      it.live(name, () => Effect.scoped(Effect.flatMap(open, body)))

    test("bytes go both ways, each as written", ({ peer, side }) =>
      Effect.gen(function*() {
        peer.on("data", (chunk) => peer.write(chunk))
        yield* side.writer.write(bytes("one "))
        yield* side.writer.writeAll([bytes("two "), "three"])
        assert.strictEqual(yield* readAll(side.reader, 13), "one two three")
      }))

    test("a writer waits for a peer that does not read, and goes on when it does", ({ peer, side }) =>
      Effect.gen(function*() {
        const size = 16 * 1024 * 1024
        const writing = yield* Effect.forkChild(side.writer.write(new Uint8Array(size)), { startImmediately: true })
        assert.strictEqual(writing.pollUnsafe(), undefined)
        let received = 0
        peer.on("data", (chunk) => received += chunk.length)
        yield* Fiber.join(writing)
        yield* side.endWrite
        yield* event(peer, "end")
        assert.strictEqual(received, size)
      }))

    test("a reader that waits is woken, and one that gave up loses nothing", ({ peer, side }) =>
      Effect.gen(function*() {
        const first = yield* Effect.forkChild(side.reader.pull, { startImmediately: true })
        yield* Fiber.interrupt(first)
        const second = yield* Effect.forkChild(readAll(side.reader, 5), { startImmediately: true })
        peer.write("hello")
        assert.strictEqual(yield* Fiber.join(second), "hello")
      }))

    test("the end of the writer is a FIN, and the peer may still answer", ({ peer, side }) =>
      Effect.gen(function*() {
        yield* side.writer.write(bytes("question"))
        peer.resume()
        yield* Effect.all([event(peer, "end"), side.endWrite], { concurrency: "unbounded" })
        peer.end("answer")
        assert.strictEqual(yield* readAll(side.reader, 6), "answer")
        assert.strictEqual(reasonOf(yield* Effect.flip(side.reader.pull)), "closed 1000")
        assert.strictEqual(reasonOf(yield* Effect.flip(side.writer.write(bytes("late")))), "SocketWriteError")
      }))

    test("a reset ends reading and writing", ({ peer, side }) =>
      Effect.gen(function*() {
        const reading = yield* Effect.forkChild(Effect.flip(side.reader.pull), { startImmediately: true })
        const writing = yield* Effect.forkChild(Effect.flip(side.writer.write(new Uint8Array(16 * 1024 * 1024))), {
          startImmediately: true
        })
        peer.resetAndDestroy()
        assert.strictEqual(reasonOf(yield* Fiber.join(reading)), "SocketReadError")
        assert.strictEqual(reasonOf(yield* Fiber.join(writing)), "SocketWriteError")
        assert.strictEqual(reasonOf(yield* Effect.flip(side.writer.write(bytes("late")))), "SocketWriteError")
      }))

    test("the end of the scope wakes a reader, and the peer gets all that was written and a FIN", ({ peer, side }) =>
      Effect.gen(function*() {
        const reading = yield* Effect.forkChild(Effect.flip(side.reader.pull), { startImmediately: true })
        yield* side.writer.write(bytes("last words"))
        let said = ""
        peer.on("data", (chunk) => said += chunk.toString())
        yield* Effect.all([event(peer, "end"), side.close], { concurrency: "unbounded" })
        assert.strictEqual(reasonOf(yield* Fiber.join(reading)), "closed 1006")
        assert.strictEqual(said, "last words")
      }))
  }
)

/** Two ends of a connection over TCP. */
const connected = Effect.gen(function*() {
  const server = yield* NodeTransport.makeServer({ port: 0, host: "127.0.0.1" })
  if (server.address._tag !== "InetAddressV4") return yield* Effect.die(server.address)
  const receiver = yield* Deferred.make<Connection>()
  yield* Effect.forkScoped(
    server.run((socket) =>
      Effect.scoped(Effect.andThen(
        Effect.flatMap(TlsServer.accept(socket), (tls) => Deferred.succeed(receiver, tls)),
        Effect.never
      ))
    )
  )
  const socket = yield* NodeTransport.makeNet({ port: server.address.port, host: "127.0.0.1" })
  const client = yield* TlsClient.connect({ serverName: "localhost" }).pipe(
    Effect.provideService(Socket.Socket, socket)
  )
  return [client, yield* Deferred.await(receiver)] as const
})

const services = Layer.unwrap(Effect.gen(function*() {
  const [pki, leaf] = [yield* testPki, yield* testCredential("ec")]
  return Layer.mergeAll(
    Identity.layerPem({ certificate: leaf.certificatePem, privateKey: leaf.privateKeyPem }),
    Trust.layerAnchors({ anchors: pki.ca.certificatePem }),
    SessionCache.layerNone
  ).pipe(Layer.provideMerge(NodePrimitives.layer))
}))

it.live("two readers share the data, wherever the first of them gives way to the other", () =>
  Effect.gen(function*() {
    const [from, to] = yield* connected
    const most = 24
    for (let before = 0; before < most; before++) {
      const steps = Effect.forEach(Array.from({ length: before }), () => Effect.sync(() => {}), { discard: true })
      const first = yield* Effect.andThen(steps, to.pull).pipe(
        Effect.provideService(Scheduler.MaxOpsBeforeYield, most),
        Effect.forkChild({ startImmediately: true })
      )
      const second = yield* Effect.forkChild(to.pull, { startImmediately: true })
      const one = yield* Effect.forkChild(Effect.raceFirst(Fiber.join(first), Fiber.join(second)))
      yield* from.write(bytes("one"))
      yield* Fiber.join(one)
      yield* from.write(bytes("two"))
      yield* Fiber.join(first)
      yield* Fiber.join(second)
    }
  }).pipe(Effect.scoped, Effect.provide(services)))

it.live("memory that is given back was needed no more: bulk data arrives as it was sent, in every way to read", () =>
  Effect.gen(function*() {
    const [from, to] = yield* connected
    const hash = createHash("sha256")
    const sending = Effect.gen(function*() {
      // The many in the middle fill what the system holds for a peer that does not read yet, until Node has to hold some.
      for (const size of [1, 100, 16_384, ...Array.from({ length: 1000 }, () => 20_000), 65_536, 300_000, 4_000_000]) {
        const data = randomBytes(size)
        hash.update(data)
        yield* from.write(data)
      }
      yield* from.closeWrite
    })
    const got = createHash("sha256")
    const receiving = Effect.gen(function*() {
      const buffer = new Uint8Array(50_000)
      for (;;) {
        for (const chunk of yield* to.pull) got.update(chunk)
        got.update(buffer.subarray(0, yield* to.pullInto(buffer)))
      }
    }).pipe(Effect.catchIf(Cause.isDone, () => Effect.void))
    const writer = yield* Effect.forkChild(sending, { startImmediately: true })
    for (let i = 0; i < 100; i++) yield* Effect.yieldNow
    yield* receiving
    yield* Fiber.join(writer)
    assert.strictEqual(got.digest("hex"), hash.digest("hex"))
  }).pipe(
    Effect.scoped,
    Effect.provide(services)
  ))

it.live.each([["scopes", byScopes], ["the shortcut", byShortcut]] as const)(
  "who waits for a connection can be interrupted, and another may try: by %s",
  ([, openSide]) =>
    Effect.gen(function*() {
      // A host name that is never resolved.
      const socket = yield* NodeTransport.makeNet({ port: 1, host: "never.example", lookup: () => {} })
      for (let i = 0; i < 2; i++) {
        const opening = yield* Effect.forkChild(Effect.scoped(openSide(socket)), { startImmediately: true })
        assert.strictEqual(opening.pollUnsafe(), undefined)
        yield* Fiber.interrupt(opening)
        assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(opening)))
      }
    })
)

it.live("a stream that cannot be taken is a defect, and may be tried again", () =>
  Effect.gen(function*() {
    const [duplex] = duplexPair()
    const pause = duplex.pause.bind(duplex)
    duplex.pause = () => {
      duplex.pause = pause
      throw new Error("not yet")
    }
    const socket = NodeTransport.fromDuplex(duplex)
    const first = yield* Effect.exit(Effect.scoped(byShortcut(socket)))
    assert.isTrue(Exit.isFailure(first) && Cause.hasDies(first.cause))
    yield* Effect.scoped(byShortcut(socket))
  }))

it.live("a stream that was let go of holds on to nothing of its transport, and its errors are nobody's", () =>
  Effect.gen(function*() {
    const [duplex] = duplexPair()
    yield* Effect.scoped(byShortcut(NodeTransport.fromDuplex(duplex)))
    const [other] = duplexPair()
    yield* Effect.scoped(byShortcut(NodeTransport.fromDuplex(other)))
    // Those of Node, and one of ours that is the same for all.
    for (const listener of duplex.listeners("error")) assert.include(other.listeners("error"), listener)
    assert.isNotEmpty(duplex.listeners("error"))
    duplex.emit("error", new Error("too late"))
  }))

it.live("a dial that was interrupted connects to nobody, when the name is found after all", () =>
  Effect.scoped(Effect.gen(function*() {
    const ports: Array<number | undefined> = []
    const server = createServer((socket) => {
      ports.push(socket.remotePort)
      socket.destroy()
    })
    const port = yield* listen(server)
    let found = () => {}
    const socket = yield* NodeTransport.makeNet({
      port,
      host: "late.example",
      lookup: (_host, _options, answer) => {
        found = () => answer(null, [{ address: "127.0.0.1", family: 4 }])
      }
    })
    const opening = yield* Effect.forkChild(Effect.scoped(byShortcut(socket)), { startImmediately: true })
    yield* Fiber.interrupt(opening)
    found()
    const after = createConnection({ port, host: "127.0.0.1" })
    after.on("error", () => {})
    const own = yield* Effect.callback<number | undefined>((resume) => {
      after.once("connect", () => resume(Effect.succeed(after.localPort)))
    })
    yield* event(after, "close")
    assert.deepStrictEqual(ports, [own])
  })))

it.live("a stream whose end throws is let go of, and hides nothing from whoever closes it", () =>
  Effect.gen(function*() {
    const [duplex] = duplexPair()
    const socket = NodeTransport.fromDuplex(duplex)
    Object.defineProperty(duplex, "end", {
      value: () => {
        throw new Error("no end")
      }
    })
    for (let time = 0; time < 2; time++) {
      const transport = yield* Effect.uninterruptibleMask((restore) => Transport.open(socket, restore))
      yield* transport.endWrite()
      yield* transport.close()
    }
  }))

it.live.each(
  [
    ["a copy", (socket: Socket.Socket, reader: Socket.Socket["reader"]): Socket.Socket => ({ ...socket, reader })],
    [
      "what is derived",
      (socket: Socket.Socket, reader: Socket.Socket["reader"]): Socket.Socket =>
        Object.create(socket, { reader: { value: reader } })
    ]
  ] as const
)("%s of a socket, with another reader, has no shortcut past it", ([, made]) =>
  Effect.scoped(Effect.gen(function*() {
    const { peer, port } = yield* nodeServer
    const socket = yield* NodeTransport.makeNet({ port, host: "127.0.0.1" })
    const read: Array<string> = []
    const watched = made(
      socket,
      Effect.map(socket.reader, (reader) => ({
        ...reader,
        pull: Effect.tap(reader.pull, ([first]) => Effect.sync(() => read.push(String(first))))
      }))
    )
    const transport = yield* Effect.uninterruptibleMask((restore) => Transport.open(watched, restore))
    assert.strictEqual(transport.direct, undefined)
    const connected = yield* peer
    connected.write("seen")
    assert.strictEqual(yield* readAll({ pull: transport.pull }, 4), "seen")
    assert.strictEqual(read.length, 1)
    yield* transport.close()
  })))

it.live("a writer that is there first waits for the reader to open", () =>
  Effect.scoped(Effect.gen(function*() {
    const { peer, port } = yield* nodeServer
    const socket = yield* NodeTransport.makeNet({ port, host: "127.0.0.1" })
    const writer = yield* socket.writer
    const writing = yield* Effect.forkChild(writer.write(bytes("early")), { startImmediately: true })
    assert.strictEqual(writing.pollUnsafe(), undefined)
    yield* socket.reader
    const connected = yield* peer
    const received = yield* Effect.callback<string>((resume) => {
      connected.once("data", (chunk) => resume(Effect.succeed(chunk.toString())))
    })
    yield* Fiber.join(writing)
    assert.strictEqual(received, "early")
  })))

it.live("a client that nobody answers fails to open, as often as it tries", () =>
  Effect.gen(function*() {
    const port = yield* Effect.scoped(listen(createServer()))
    const socket = yield* NodeTransport.makeNet({ port, host: "127.0.0.1" })
    const error = yield* Effect.flip(Effect.scoped(socket.reader))
    assert.strictEqual(reasonOf(error), "SocketOpenError")
    for (let i = 0; i < 2; i++) {
      const failure = yield* Effect.flip(Effect.uninterruptibleMask((restore) => Transport.open(socket, restore)))
      assert.match(failure.message, /ECONNREFUSED/)
    }
  }))
