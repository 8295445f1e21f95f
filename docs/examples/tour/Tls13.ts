/**
 * The last part of the tour: what is different in TLS 1.3. Our client against `node:tls` servers, both with their defaults.
 */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as Effect from "effect/Effect"
import * as Socket from "effect/socket/Socket"
import { SessionCache, TlsClient, type TlsConfig, Trust } from "effect-tls"
import { testCredential, testPki } from "../../../test/harness/Pki.ts"
import { tamperingProxy } from "../../../test/harness/TamperingProxy.ts"
import { flipBits } from "../../../test/harness/TlsRecords.ts"
import { bytesOf, endOf, failureOf, handshakeOf, read, tell, typeOf } from "./Ends.ts"
import { nodeServer } from "./NodePeer.ts"
import { Recording, type Story } from "./Story.ts"

const sides = { left: "effect-tls client", right: "node:tls server", observer: "left" } as const

/** Needs a session cache, which its connections share. */
export const tls13 = (story: Story) =>
  Effect.gen(function*() {
    const pki = yield* testPki
    const { certificatePem: cert, privateKeyPem: key } = yield* testCredential("ec")
    const server = yield* nodeServer("1.3", { cert, key })
    const recording = new Recording()
    const trust = yield* Effect.provide(Trust.Trust, Trust.layerAnchors({ anchors: pki.ca.certificatePem }))

    const open = (port: number, options: Pick<TlsConfig.ClientOptions, "awaitPeerVerdict"> = {}) =>
      TlsClient.connect({ serverName: "localhost", observe: recording.observe, ...options }).pipe(
        Effect.provideServiceEffect(
          Socket.Socket,
          NodeSocket.makeNet({ host: "127.0.0.1", port, allowHalfOpen: true, noDelay: true })
        ),
        Effect.provideService(Trust.Trust, trust)
      )
    /** ping, pong, and our close_notify: the server still says what it has to say. */
    const conversation = (port: number) =>
      Effect.scoped(Effect.gen(function*() {
        const tls = yield* open(port)
        const peer = yield* server.next("Secure")
        yield* tls.write(bytesOf("ping"))
        const answer = yield* read(tls)
        yield* tls.write(bytesOf("ping"))
        yield* tls.closeWrite
        const between = (yield* tls.closure)._tag
        const last = yield* read(tls)
        const end = yield* endOf(tls)
        return { tls, peer, answer, between, last, end, closure: (yield* tls.closure)._tag, steps: recording.take() }
      }))

    story.title("10. TLS 1.3: both directions close, each on its own")
    story.say(
      "After the hellos everything is protected. Our client says ping twice, and at once close_notify: it writes no more, and " +
        "still hears the second pong. In TLS 1.2 a close_notify cuts off what the other side was about to say."
    )
    const first = yield* conversation(server.port)
    story.ladder(first.steps, sides)
    story.check(
      `our side: ${handshakeOf(first.tls)}, group ${first.tls.group}`,
      first.tls.version === "1.3" && !first.tls.resumed
    )
    story.check(`node:tls: ${first.peer.cipher}`, first.peer.cipher === first.tls.cipherSuite.name)
    story.check(
      `closure after our close_notify: ${first.between}; then still ${JSON.stringify(first.last)}`,
      first.between === "CloseSent" && first.last === "pong"
    )
    story.check(
      `the data ended with ${typeOf(first.end)}, the closure is ${first.closure}`,
      first.end === "clean" && first.closure === "Closed"
    )

    story.title("11. TLS 1.3: a ticket, used once")
    story.say(
      "The server gave two tickets. Each is good for one connection, so that nobody can tell two of them to be of one client."
    )
    const second = yield* conversation(server.port)
    story.ladder(second.steps, sides)
    story.check(`our side: ${handshakeOf(second.tls)}`, second.tls.resumed)
    story.check(`node:tls: session ${second.peer.reused ? "reused" : "new"}`, second.peer.reused)

    story.title("12. TLS 1.3: a record is tampered with")
    story.say(
      "A man in the middle turns one bit of the last record of the answer. The alert is protected: on the wire it looks like data. " +
        "Every ticket of this connection is forgotten, and that which it was resumed with."
    )
    let isArmed = false
    const { port } = yield* tamperingProxy({
      to: server.port,
      onRecord: (direction, _, record) => {
        if (!isArmed || direction !== "serverToClient") return record
        isArmed = false
        recording.note("the proxy turns one bit of the next record", "warning")
        return flipBits(record, -1)
      }
    })
    const tampered = yield* Effect.scoped(Effect.gen(function*() {
      const tls = yield* open(port)
      yield* server.next("Secure")
      yield* tls.write(bytesOf("ping"))
      yield* read(tls)
      isArmed = true
      yield* tls.write(bytesOf("ping"))
      return { tls, end: yield* endOf(tls), peer: yield* server.next("Error") }
    }))
    story.ladder(recording.take(), sides)
    tell(story, tampered.end)
    story.check(`our side: ${handshakeOf(tampered.tls)}`, tampered.tls.resumed)
    story.check(
      `our side: ${typeOf(tampered.end)}`,
      typeOf(tampered.end) === "AlertSent BadRecordMac, fault BadRecordMac"
    )
    story.check(`node:tls: ${tampered.peer.code}`, tampered.peer.alert === 20)

    story.title("13. TLS 1.3: a verdict that comes late")
    story.say(
      "This server wants a client certificate, and ours shows none. In TLS 1.3 a client is done before the server has judged: " +
        "the alert comes after the handshake. With awaitPeerVerdict it is an error of opening all the same."
    )
    const strict = yield* nodeServer("1.3", { cert, key, clientCa: pki.ca.certificatePem })
    const refused = yield* failureOf(Effect.scoped(open(strict.port, { awaitPeerVerdict: "5 seconds" })))
    story.ladder(recording.take(), sides)
    tell(story, refused)
    story.check(`our side: ${typeOf(refused)}`, typeOf(refused) === "AlertReceived CertificateRequired")
  }).pipe(Effect.provide(SessionCache.layerMemory()), Effect.scoped)
