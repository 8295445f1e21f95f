import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import { connect as connectTcp, createServer as createTcpServer, type Server } from "node:net"
import { type Duplex, duplexPair } from "node:stream"
import {
  connect as connectTls,
  createSecureContext,
  createServer as createTlsServer,
  type SecureContextOptions,
  TLSSocket
} from "node:tls"
import type { End, Peer, Setup } from "./Peer.ts"

const once = (stream: Duplex | Server, event: string): Effect.Effect<void> =>
  Effect.callback((resume) => {
    stream.once(event, () => resume(Effect.void))
  })

/** Writes as long as the stream takes more, then waits for it to drain. */
const writeMany = (stream: Duplex, count: number, chunk: Uint8Array): Effect.Effect<void> =>
  Effect.callback((resume) => {
    let left = count
    const go = (): void => {
      while (left-- > 0) {
        if (!stream.write(chunk)) {
          stream.once("drain", go)
          return
        }
      }
      resume(Effect.void)
    }
    go()
  })

const endOf = (stream: Duplex): End => {
  let take: ((chunk: Uint8Array) => void) | undefined
  // Always flowing, so that the end of the peer is seen whenever it comes.
  stream.on("data", (chunk: Uint8Array) => take?.(chunk))
  stream.on("error", (error) => {
    throw error
  })
  return {
    send: (total, size) => writeMany(stream, total / size, Buffer.alloc(size, 7)),
    sendPieces: (count, size) => writeMany(stream, count, Buffer.alloc(size, 7)),
    receive: (total) =>
      Effect.callback((resume) => {
        let left = total
        take = (chunk) => {
          left -= chunk.length
          if (left <= 0) resume(Effect.void)
        }
      }),
    roundTrips: (count) =>
      Effect.callback((resume) => {
        const byte = Buffer.alloc(1, 7)
        let left = count
        take = () => {
          if (--left > 0) stream.write(byte)
          else resume(Effect.void)
        }
        stream.write(byte)
      }),
    echo: Effect.callback((resume) => {
      take = (chunk) => void stream.write(chunk)
      stream.once("end", () => resume(Effect.void))
    })
  }
}

/** Ends in order: waits for the end of the other side, and is gone then. */
const closing = (stream: Duplex): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (stream.readableEnded || stream.destroyed) return Effect.void
    stream.end()
    return Effect.andThen(once(stream, "end"), Effect.sync(() => void stream.destroy()))
  })

const listening = (server: Server): Effect.Effect<number, never, Scope.Scope> =>
  Effect.gen(function*() {
    yield* Effect.addFinalizer(() => Effect.sync(() => void server.close()))
    server.listen(0, "127.0.0.1")
    yield* once(server, "listening")
    const address = server.address()
    return typeof address === "object" && address !== null ? address.port : yield* Effect.die("no port")
  })

const serve = (stream: Duplex, handler: (end: End) => Effect.Effect<void>): void => {
  Effect.runFork(Effect.andThen(handler(endOf(stream)), Effect.sync(() => stream.end())))
}

/** TCP alone: what the transport costs. */
export const plain: Peer = {
  name: "plain net",
  dial: (port) =>
    Effect.gen(function*() {
      const socket = connectTcp({ port, host: "127.0.0.1", noDelay: true })
      yield* once(socket, "connect")
      yield* Effect.addFinalizer(() => closing(socket))
      return endOf(socket)
    }),
  listen: (handler) => listening(createTcpServer({ noDelay: true }, (socket) => serve(socket, handler))),
  pair: Effect.sync(() => {
    const [client, server] = duplexPair()
    return [endOf(client), endOf(server)] as const
  })
}

/** `node:tls` with everything that can be made once made once. With `resume`, every connection but the first is resumed. */
export const nodeTls = ({ credentials, profile }: Setup, resume = false): Peer => {
  const { groups, suite, version } = profile
  const common = {
    minVersion: `TLSv${version}`,
    maxVersion: `TLSv${version}`,
    ciphers: suite.openssl,
    ecdhCurve: groups.join(":").toUpperCase().replace("SECP256R1", "P-256")
  } as const satisfies SecureContextOptions
  const { anchors, certificate, privateKey } = credentials
  const clientContext = createSecureContext({ ...common, ca: anchors })
  const serverOptions = { ...common, cert: certificate, key: privateKey }
  const serverContext = createSecureContext(serverOptions)
  let session: Buffer | undefined

  const secured = (transport: Duplex): Effect.Effect<End, never, Scope.Scope> =>
    Effect.gen(function*() {
      const socket = connectTls({
        socket: transport,
        servername: "localhost",
        secureContext: clientContext,
        ...(session === undefined ? {} : { session })
      })
      const offered = session
      // In TLS 1.3 it comes when the handshake is over.
      if (resume) socket.once("session", (ticket: Buffer) => session ??= ticket)
      yield* once(socket, "secureConnect")
      yield* Effect.addFinalizer(() => closing(socket))
      if (!socket.authorized || socket.getCipher().standardName !== suite.name) {
        return yield* Effect.die(socket.getCipher())
      }
      if (socket.isSessionReused() !== (offered !== undefined)) {
        return yield* Effect.die("resumption is not as it was meant to be")
      }
      return endOf(socket)
    })

  return {
    name: "node:tls",
    dial: (port) => Effect.suspend(() => secured(connectTcp({ port, host: "127.0.0.1", noDelay: true }))),
    listen: (handler) =>
      listening(createTlsServer({ ...serverOptions, noDelay: true }, (socket) => serve(socket, handler))),
    pair: Effect.gen(function*() {
      const [near, far] = duplexPair()
      const server = new TLSSocket(far, { isServer: true, secureContext: serverContext })
      const end = endOf(server)
      server.once("end", () => server.end())
      return [yield* secured(near), end] as const
    })
  }
}
