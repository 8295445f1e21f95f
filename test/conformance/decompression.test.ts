import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Socket from "effect/socket/Socket"
import { Randomness, SessionCache, TlsClient, TlsTest, Trust } from "effect-tls"
import { Inside } from "../../src/connection/Connection.ts"
import type { Core } from "../../src/connection/Core.ts"
import { type Compression, nullCompression } from "../../src/record/Compression.ts"
import { bytes, said, test, toldBy, trustIn } from "../connection/conversation.ts"
import * as Tls12 from "../harness/Tls12.ts"

/** No method but null is ever negotiated, so one that fails is put into the slot of an open connection. */
const improper: Compression = { ...nullCompression, decompress: () => undefined }

const useCompression = ({ inbound: { state } }: Core, compression: Compression): void => {
  const { sequence } = state
  state.setPending({ ...state.current, compression })
  state.changeCipherSpec()
  // The sender goes on counting.
  while (state.sequence < sequence) state.advance()
}

test("R5246-7.2.2-15: input that does not decompress is decompression_failure, seen by the other side", () =>
  Effect.gen(function*() {
    const identity = yield* TlsTest.identity("server.test", 1)
    const { accept, clientSocket, wire } = yield* Tls12.ends({ identity })
    let core: Core | undefined
    const connect = TlsClient.connect({ serverName: "server.test" }).pipe(
      Effect.provideService(Socket.Socket, clientSocket),
      Effect.provideService(Trust.Trust, yield* trustIn(identity)),
      Effect.provide([Randomness.layerInsecureSeeded(1), SessionCache.layerNone]),
      Effect.provideService(Inside, (inside) => {
        core = inside.core
      })
    )
    const [client, server] = yield* Effect.all([connect, accept], { concurrency: 2 })
    assert(core !== undefined)
    useCompression(core, improper)
    yield* server.write(bytes("data"))
    assert.strictEqual(said(yield* Effect.flip(client.pull)), "AlertSent DecompressionFailure")
    assert.strictEqual(said(yield* Effect.flip(server.pull)), "AlertReceived DecompressionFailure")
    yield* client.close
    assert.deepStrictEqual((yield* toldBy(wire, "client")).slice(-2), ["alert", "fin"])
  }))
