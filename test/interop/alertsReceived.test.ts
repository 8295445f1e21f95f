import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { CipherSuite } from "effect-tls"
import { tamperingProxy } from "../harness/TamperingProxy.ts"
import * as Edits from "./Edits.ts"
import type { ForeignClientOptions, ForeignPeer, ForeignServerOptions } from "./Foreign.ts"
import { suiteNames } from "./Names.ts"
import { ourClient, type OurClientOptions, ourServer, type OurServerOptions, receivedAlert } from "./Ours.ts"
import { everyPeer } from "./peers.ts"

/**
 * What each peer says to the same thing: the number of its alert, or how else the connection ends for us. A peer that is not named
 * does not mind.
 */
type Said = Readonly<Partial<Record<ForeignPeer["name"], number | string>>>

const all = (number: number): Said => ({ openssl: number, gnutls: number, "node:tls": number })

/** It closes without a word: node:tls as a client does so in every handshake, and as a server where it rejects a certificate. */
const silence = "Truncated"

interface Row {
  readonly why: string
  readonly said: Said
  readonly edit?: readonly [Edits.Place, Edits.Edit]
}

interface ClientRow extends Row {
  readonly ours?: Partial<OurClientOptions>
  readonly theirs?: ForeignServerOptions
}

interface ServerRow extends Row {
  readonly ours?: OurServerOptions
  readonly theirs?: Omit<ForeignClientOptions, "port">
}

const clientRows: ReadonlyArray<ClientRow> = [
  {
    why: "no suite in common",
    said: all(40),
    ours: { cipherSuites: CipherSuite.suites.filter(({ authentication }) => authentication === "rsa") }
  },
  { why: "a server of TLS 1.3 alone", said: { ...all(70), gnutls: 40 }, theirs: { version: "1.3" } },
  {
    why: "no application protocol in common",
    said: all(120),
    ours: { alpnProtocols: ["foo"] },
    theirs: { alpnProtocol: "h2" }
  },
  { why: "no certificate where one is required", said: { ...all(40), gnutls: 50 }, theirs: { clientAuth: "require" } },
  {
    why: "a certificate of an unknown authority",
    said: { openssl: 48, gnutls: 49, "node:tls": silence },
    ours: { identity: "clientOther" },
    theirs: { clientAuth: "require" }
  },
  {
    why: "an expired certificate",
    said: { openssl: 45, gnutls: 49, "node:tls": silence },
    ours: { identity: "clientExpired" },
    theirs: { clientAuth: "require" }
  },
  {
    why: "a corrupted CertificateVerify",
    said: all(51),
    ours: { identity: "client" },
    theirs: { clientAuth: "require" },
    edit: ["certificateVerify", Edits.corrupted]
  },
  { why: "a corrupted Finished", said: all(20), edit: ["finished", Edits.corrupted] },
  { why: "corrupted data", said: all(20), edit: ["data", Edits.corrupted] },
  { why: "a protected record that is too long", said: all(22), edit: ["data", Edits.overlongProtected] },
  { why: "a malformed ClientHello", said: all(50), edit: ["clientHello", Edits.overlongSessionId] },
  {
    why: "a ClientHello without the null compression",
    said: { ...all(47), openssl: 50 },
    edit: ["clientHello", Edits.withoutNullCompression]
  },
  { why: "a second ClientHello", said: all(10), edit: ["clientHello", Edits.twice] }
]

const serverRows: ReadonlyArray<ServerRow> = [
  {
    why: "a certificate of an unknown authority",
    said: { openssl: 48, gnutls: 42, "node:tls": silence },
    theirs: { trust: "other" }
  },
  {
    why: "an expired certificate",
    said: { openssl: 45, gnutls: 42, "node:tls": silence },
    ours: { identity: "expired" }
  },
  {
    why: "a certificate that is not valid yet",
    said: { openssl: 42, gnutls: 42, "node:tls": silence },
    ours: { identity: "future" }
  },
  {
    why: "a certificate for another host",
    said: { openssl: 42, gnutls: 42, "node:tls": silence },
    ours: { identity: "wrongHost" }
  },
  {
    why: "a corrupted signature",
    said: { ...all(51), "node:tls": silence },
    edit: ["serverKeyExchange", Edits.corrupted]
  },
  { why: "a corrupted Finished", said: { ...all(20), "node:tls": silence }, edit: ["finished", Edits.corrupted] },
  { why: "corrupted data", said: { ...all(20), gnutls: silence }, edit: ["data", Edits.corrupted] },
  {
    why: "a protected record that is too long",
    said: { ...all(22), gnutls: silence },
    edit: ["data", Edits.overlongProtected]
  },
  {
    why: "a malformed ServerHello",
    said: { openssl: 50, gnutls: 47, "node:tls": silence },
    edit: ["serverHello", Edits.overlongSessionId]
  },
  {
    why: "a ServerHello with a suite that was not offered",
    said: { openssl: 47, gnutls: 40, "node:tls": silence },
    theirs: { suites: suiteNames },
    edit: ["serverHello", Edits.otherSuite]
  },
  {
    why: "a ServerHello with an extension that was not offered",
    said: { openssl: 110, "node:tls": silence },
    edit: ["serverHello", Edits.extensionAs(18)]
  },
  {
    why: "a ServerHello of TLS 1.1", // gnutls says 70 as well, but in a record of TLS 1.1
    said: { openssl: 70, gnutls: "AlertSent ProtocolVersion", "node:tls": silence },
    edit: ["serverHello", Edits.asTls11]
  },
  { why: "a second ServerHello", said: { ...all(10), "node:tls": silence }, edit: ["serverHello", Edits.twice] }
]

everyPeer("what our client is told by a server", (peer, it) => {
  it.live.each(clientRows.filter(({ said }) => peer.name in said))(
    "for $why",
    ({ edit, ours, said, theirs }) =>
      Effect.gen(function*() {
        const server = yield* peer.server(theirs)
        const port = edit === undefined
          ? server.port
          : (yield* tamperingProxy({ to: server.port, onRecord: Edits.editing("clientToServer", ...edit) })).port
        const exit = yield* ourClient({ ...ours, port }).pipe(
          Effect.tap((connection) => connection.write(new TextEncoder().encode("hello\n"))),
          Effect.flatMap((connection) => connection.pull),
          Effect.exit
        )
        assert.strictEqual(receivedAlert(exit), said[peer.name])
      })
  )
})

everyPeer("what our server is told by a client", (peer, it) => {
  it.live.each(serverRows.filter(({ said }) => peer.name in said))(
    "for $why",
    ({ edit, ours, said, theirs }) =>
      Effect.gen(function*() {
        const server = yield* ourServer(ours)
        const port = edit === undefined
          ? server.port
          : (yield* tamperingProxy({ to: server.port, onRecord: Edits.editing("serverToClient", ...edit) })).port
        const client = yield* peer.client({ ...theirs, port })
        yield* client.send("hello\n")
        assert.strictEqual(receivedAlert((yield* server.report).exit), said[peer.name])
      })
  )
})
