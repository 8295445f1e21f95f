/**
 * The second part of the tour: `node:tls` clients against our server, over TLS 1.2.
 */
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as SocketServer from "effect/socket/SocketServer"
import * as Stream from "effect/Stream"
import { type Connection, Identity, SessionCache, type TlsError, TlsServer } from "effect-tls"
import { testCredential, testPki } from "../../../test/harness/Pki.ts"
import { tamperingProxy } from "../../../test/harness/TamperingProxy.ts"
import { contentType, contentTypes, flipBits } from "../../../test/harness/TlsRecords.ts"
import { handshakeOf, tell, typeOf } from "./Ends.ts"
import { type EventOf, nodeClient } from "./NodePeer.ts"
import { Recording, type Story, within } from "./Story.ts"

const sides = { left: "node:tls client", right: "effect-tls server", observer: "right" } as const

type Report = TlsServer.ConnectionReport<TlsError.TlsError>

/** How the connection of a report ended. */
const endOf = ({ closure, exit }: Report): "clean" | TlsError.TlsError => {
  if (closure?.error !== undefined) return closure.error
  const [failure] = Exit.isFailure(exit) ? exit.cause.reasons : []
  return failure?._tag === "Fail" ? failure.error : "clean"
}

export const ourServer = (story: Story) =>
  Effect.gen(function*() {
    const pki = yield* testPki
    const { certificatePem: certificate, privateKeyPem: privateKey } = yield* testCredential("ec")
    const recording = new Recording()
    const accepted = yield* Queue.unbounded<Connection>()
    const reports = yield* Queue.unbounded<Report>()
    const server = yield* NodeSocketServer.make({ host: "127.0.0.1", port: 0, allowHalfOpen: true })
    const { address } = server
    if (address._tag === "UnixPathAddress") return yield* Effect.die(new Error("not a TCP server"))

    yield* Effect.forkScoped(
      TlsServer.run((tls) => Effect.andThen(Queue.offer(accepted, tls), Stream.run(tls.stream, tls.sink)), {
        observe: recording.observe,
        report: (report) => Effect.asVoid(Queue.offer(reports, report))
      }).pipe(
        Effect.provideService(SocketServer.SocketServer, server),
        Effect.provideServiceEffect(Identity.Identity, Identity.makePem({ certificate, privateKey }))
      )
    )

    const report = within("the report of our server", Queue.take(reports))
    const connect = (port: number, session?: Buffer) => nodeClient("1.2", { port, ca: pki.ca.certificatePem, session })

    /** The client says hello, hears its echo and closes; what both sides saw. */
    const conversation = (session?: Buffer) =>
      Effect.scoped(Effect.gen(function*() {
        const client = yield* connect(address.port, session)
        const peer = yield* client.next("Secure")
        yield* within("the handshake of our server", Queue.take(accepted))
        yield* client.write("hello")
        const { text } = yield* client.next("Data")
        const kept = client.session()
        yield* client.end
        yield* client.next("End")
        return { peer, text, session: kept, report: yield* report, steps: recording.take() }
      }))
    const checkHandshake = (peer: EventOf<"Secure">, { connection }: Report, resumed: boolean) => {
      const our = connection === undefined ? "no handshake" : handshakeOf(connection)
      story.check(`our side: ${our}`, connection?.resumed === resumed)
      story.check(`node:tls: session ${peer.reused ? "reused" : "new"}`, peer.reused === resumed)
    }

    story.title("6. The other way round, and a clean close by the client")
    story.say("A node:tls client says hello, hears its echo, and closes. Our server answers its close_notify.")
    const first = yield* conversation()
    story.ladder(first.steps, sides)
    checkHandshake(first.peer, first.report, false)
    story.check(`node:tls: the echo is ${JSON.stringify(first.text)}`, first.text === "hello")
    story.check(
      `our side: ${typeOf(endOf(first.report))}, the closure is ${first.report.closure?._tag}`,
      endOf(first.report) === "clean" && first.report.closure?._tag === "Closed"
    )

    story.title("7. The client resumes")
    const second = yield* conversation(first.session)
    story.ladder(second.steps, sides)
    checkHandshake(second.peer, second.report, true)

    story.title("8. A record of the client is tampered with")
    story.say("Resumed once more, and one bit turned on the way. The server refuses that session from now on.")
    const tampered = yield* Effect.scoped(Effect.gen(function*() {
      const { port } = yield* tamperingProxy({
        to: address.port,
        onRecord: (direction, _, record) => {
          if (direction !== "clientToServer" || contentType(record) !== contentTypes.applicationData) return record
          recording.note("the proxy turns one bit of the next record, application_data", "warning")
          return flipBits(record, -1)
        }
      })
      const client = yield* connect(port, first.session)
      const peer = yield* client.next("Secure")
      yield* within("the handshake of our server", Queue.take(accepted))
      yield* client.write("hello")
      return { peer, error: yield* client.next("Error"), report: yield* report }
    }))
    story.ladder(recording.take(), sides)
    tell(story, endOf(tampered.report))
    checkHandshake(tampered.peer, tampered.report, true)
    story.check(
      `our side: ${typeOf(endOf(tampered.report))}`,
      typeOf(endOf(tampered.report)) === "AlertSent BadRecordMac, fault BadRecordMac"
    )
    story.check(`node:tls: ${tampered.error.code}`, tampered.error.alert === 20)

    story.title("9. The client offers that session again")
    const refused = yield* conversation(first.session)
    story.ladder(refused.steps, sides)
    checkHandshake(refused.peer, refused.report, false)
    story.check(`our side: ${typeOf(endOf(refused.report))}`, endOf(refused.report) === "clean")
  }).pipe(Effect.provide(SessionCache.layerMemory()), Effect.scoped)
