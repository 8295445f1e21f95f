import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { fatalAlertNumber } from "../harness/AlertText.ts"
import { nodeTlsServer } from "../harness/NodeTls.ts"
import { alertNumberOfNodeError } from "../harness/NodeTlsAlert.ts"
import { openSslServer } from "../harness/OpenSsl.ts"
import { peerSuite } from "../harness/PeerSuite.ts"
import { testCredential } from "../harness/Pki.ts"
import { pkiFiles } from "../harness/PkiFiles.ts"
import { tamperingProxy } from "../harness/TamperingProxy.ts"
import { corrupted } from "./Edits.ts"
import { tapped } from "./Foreign.ts"
import { openSslVersion, type Version, versions } from "./Names.ts"
import { ending, ourClient, ourServer } from "./Ours.ts"
import { everyPeer } from "./peers.ts"

/** 3 MiB of lines: more than the buffers of a loopback connection hold, less than we are ready to drain. */
const plenty = `${"x".repeat(1023)}\n`.repeat(3 * 1024)

const internalError = 80

/** Our client fails after the first data. */
const failing = (version: Version, port: number) =>
  ourClient({ version, port, policies: { onFailure: "internal_error" } }).pipe(
    Effect.flatMap((connection) => connection.pull),
    Effect.andThen(Effect.fail("enough")),
    Effect.scoped,
    Effect.exit
  )

everyPeer("a client that is still writing", (peer, it, version) => {
  it.live("R5246-7.2.1-12: reads the alert of our server, whose application failed", () =>
    Effect.gen(function*() {
      const server = yield* ourServer({
        version,
        policies: { onFailure: "internal_error" },
        handler: (connection) => Effect.andThen(connection.pull, Effect.fail("enough"))
      })
      const client = yield* peer.client({ port: server.port })
      yield* client.send(plenty)
      assert.strictEqual(yield* client.sawAlert, internalError)
      const { closure } = yield* server.report
      assert.strictEqual(
        closure?.error?._tag === "AlertSent" ? closure.error.reason._tag : closure?._tag,
        "InternalError"
      )
    }))

  it.live("R5246-7.2.1-12: reads the alert of our server, to which a record was corrupted", () =>
    Effect.gen(function*() {
      const server = yield* ourServer({ version, handler: ({ pull }) => Effect.forever(pull) })
      let count = 0
      const proxy = yield* tamperingProxy({
        to: server.port,
        onRecord: (direction, index, record) =>
          direction === "clientToServer" && record[0] === 23 && ++count === 20 ? corrupted(record) : record
      })
      const client = yield* peer.client({ port: proxy.port })
      yield* client.send(plenty)
      assert.strictEqual(yield* client.sawAlert, 20)
      assert.strictEqual(ending((yield* server.report).exit), "AlertSent BadRecordMac")
    }))

  it.live("R5246-7.2.1-12: reads the close_notify of our server", () =>
    Effect.gen(function*() {
      const server = yield* ourServer({ version, handler: ({ pull }) => pull })
      const client = yield* tapped(peer).client({ port: server.port })
      yield* client.send(plenty)
      yield* client.sawClose
      assert.strictEqual(ending((yield* server.report).exit), "success")
    }))
})

peerSuite("openssl", (it) => {
  it.live.each(versions)(
    "R5246-7.2.1-12: s_server reads the alert of our client, TLS %s",
    (version) =>
      Effect.gen(function*() {
        const files = yield* pkiFiles("ec")
        const server = yield* openSslServer({ ...files.of("ec"), mode: "plain", version: openSslVersion(version) })
        yield* server.process.send(plenty)
        yield* failing(version, server.port)
        yield* server.process.until(
          "the alert",
          () => fatalAlertNumber(server.process.output) === internalError ? Effect.void : undefined
        )
      })
  )
}, "a server that is still writing: openssl")

describe("a server that is still writing: node:tls", () => {
  it.live.each(versions)("R5246-7.2.1-12: reads the alert of our client, TLS %s", (version) =>
    Effect.gen(function*() {
      const { certificatePem: cert, privateKeyPem: key } = yield* testCredential("ec")
      const server = yield* nodeTlsServer({
        cert,
        key,
        maxVersion: `TLSv${version}`,
        onSecure: (socket) => void socket.write(plenty)
      })
      yield* failing(version, server.port)
      const connection = yield* server.accept
      assert.strictEqual(alertNumberOfNodeError(yield* connection.waitForError), internalError)
    }))
})
