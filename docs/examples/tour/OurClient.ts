/**
 * The first part of the tour: our client against a `node:tls` server, over TLS 1.2.
 */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as Effect from "effect/Effect"
import * as Socket from "effect/socket/Socket"
import { SessionCache, TlsClient, Trust } from "effect-tls"
import { testCredential, testPki } from "../../../test/harness/Pki.ts"
import { cut, type Tamper, tamperingProxy } from "../../../test/harness/TamperingProxy.ts"
import { contentType, contentTypes, flipBits } from "../../../test/harness/TlsRecords.ts"
import { bytesOf, endOf, failureOf, handshakeOf, read, tell, typeOf } from "./Ends.ts"
import { nodeServer } from "./NodePeer.ts"
import { Recording, type Story } from "./Story.ts"

const sides = { left: "effect-tls client", right: "node:tls server", observer: "left" } as const

/** Needs a session cache, which its connections share. */
export const ourClient = (story: Story) =>
  Effect.gen(function*() {
    const pki = yield* testPki
    const { certificatePem: cert, privateKeyPem: key } = yield* testCredential("ec")
    const server = yield* nodeServer("1.2", { cert, key })
    const recording = new Recording()
    const trust = (anchors: string) => Effect.provide(Trust.Trust, Trust.layerAnchors({ anchors }))
    const trusting = yield* trust(pki.ca.certificatePem)
    const distrusting = yield* trust(pki.other.certificatePem)

    const open = (port: number, judge = trusting) =>
      TlsClient.connect({ serverName: "localhost", observe: recording.observe }).pipe(
        Effect.provideServiceEffect(
          Socket.Socket,
          NodeSocket.makeNet({ host: "127.0.0.1", port, allowHalfOpen: true, noDelay: true })
        ),
        Effect.provideService(Trust.Trust, judge)
      )
    /** A proxy to the server that does something to its first record of data. */
    const proxy = (what: string, tamper: (record: Uint8Array) => ReturnType<Tamper>) =>
      tamperingProxy({
        to: server.port,
        onRecord: (direction, _, record) => {
          if (direction !== "serverToClient" || contentType(record) !== contentTypes.applicationData) return record
          recording.note(what, "warning")
          return tamper(record)
        }
      })
    /** ping, pong, bye; then the server says close_notify. */
    const conversation = Effect.scoped(Effect.gen(function*() {
      const tls = yield* open(server.port)
      const peer = yield* server.next("Secure")
      yield* tls.write(bytesOf("ping"))
      const answer = yield* read(tls)
      yield* tls.write(bytesOf("bye"))
      const end = yield* endOf(tls)
      yield* server.next("Close")
      const steps = recording.take()
      const messages = steps.filter(({ _tag }) => _tag === "Message").length
      return { tls, peer, answer, end, closure: (yield* tls.closure)._tag, steps, messages }
    }))

    story.title("1. A full handshake, and a clean close")
    story.say("Our client says ping and bye. The server answers pong, then close_notify, the only clean end there is.")
    const first = yield* conversation
    story.ladder(first.steps, sides)
    story.check(`our side: ${handshakeOf(first.tls)}`, !first.tls.resumed)
    story.check(`node:tls: ${first.peer.cipher}`, first.peer.cipher === first.tls.cipherSuite.name)
    story.check(`the answer: ${JSON.stringify(first.answer)}`, first.answer === "pong")
    story.check(
      `the data ended with ${typeOf(first.end)}, the closure is ${first.closure}`,
      first.end === "clean" && first.closure === "Closed"
    )

    story.title("2. A resumed handshake")
    story.say("The session cache kept the session: no certificate and no key exchange the second time.")
    const second = yield* conversation
    story.ladder(second.steps, sides)
    story.check(`our side: ${handshakeOf(second.tls)}`, second.tls.resumed)
    story.check(`node:tls: session ${second.peer.reused ? "reused" : "new"}`, second.peer.reused)
    story.check(
      `handshake messages: ${second.messages} in place of ${first.messages}`,
      second.messages > 0 && second.messages < first.messages
    )

    story.title("3. A record is tampered with")
    story.say(
      "The same, but a man in the middle turns one bit of the answer. The record does not authenticate: our client says " +
        "bad_record_mac and forgets the session, as RFC 5246 section 7.2 demands."
    )
    const offers = { before: server.offers(), tampered: 0, after: 0 }
    const tampered = yield* Effect.scoped(Effect.gen(function*() {
      const { port } = yield* proxy("the proxy turns one bit of the next record, application_data", (record) =>
        flipBits(record, -1))
      const tls = yield* open(port)
      yield* server.next("Secure")
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
    offers.tampered = server.offers()
    const fresh = yield* conversation
    offers.after = server.offers()
    story.check(
      `sessions offered: ${offers.tampered - offers.before} before the alert, ${
        offers.after - offers.tampered
      } after it`,
      offers.tampered === offers.before + 1 && offers.after === offers.tampered
    )
    story.check(
      `the next handshake: ${fresh.tls.resumed ? "resumed" : "full"}`,
      !fresh.tls.resumed && !fresh.peer.reused
    )

    story.title("4. A certificate that is not trusted")
    story.say("Our client trusts another authority. It does not just hang up: it tells the server unknown_ca.")
    const untrusted = yield* failureOf(Effect.scoped(open(server.port, distrusting)))
    const refused = yield* server.next("Error")
    story.ladder(recording.take(), sides)
    tell(story, untrusted)
    story.check(
      `our side: ${typeOf(untrusted)}`,
      typeOf(untrusted) === "AlertSent UnknownCa, fault CertificateUntrusted"
    )
    story.check(`node:tls: ${refused.code}`, refused.alert === 48)

    story.title("5. A truncation")
    story.say(
      "The man in the middle ends the connection after the answer. TCP closes in order, but nobody said close_notify: what " +
        "came may not be all. That is a failure, and no reason to forget the session."
    )
    const truncated = yield* Effect.scoped(Effect.gen(function*() {
      const { port } = yield* proxy(
        "the proxy lets the next record pass, then ends the transport",
        (record) => cut("fin", record)
      )
      const tls = yield* open(port)
      yield* server.next("Secure")
      yield* tls.write(bytesOf("ping"))
      return { answer: yield* read(tls), end: yield* endOf(tls) }
    }))
    story.ladder(recording.take(), sides)
    tell(story, truncated.end)
    story.check(
      `our side, after ${JSON.stringify(truncated.answer)}: ${typeOf(truncated.end)}`,
      typeOf(truncated.end) === `Truncated, by fin, after ${truncated.answer.length} bytes`
    )
    const resumed = yield* conversation
    story.check(
      `the next handshake: ${resumed.tls.resumed ? "resumed" : "full"}`,
      resumed.tls.resumed && resumed.peer.reused
    )
  }).pipe(Effect.provide(SessionCache.layerMemory()), Effect.scoped)
