import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { CipherSuite } from "effect-tls"
import { tamperingProxy } from "../harness/TamperingProxy.ts"
import { waitLimit } from "../harness/Watch.ts"
import { type ClientProvocation, isOf, type ServerProvocation } from "./AlertRows.ts"
import * as Edits from "./Edits.ts"
import type { ForeignPeer } from "./Foreign.ts"
import { suiteNames, suiteNames13, type Version } from "./Names.ts"
import { misSigning, ourClient, ourServer, receivedAlert } from "./Ours.ts"
import { everyPeer } from "./peers.ts"

/**
 * What each peer says to the same thing: the number of its alert, or how else the connection ends for us. A peer that is not named
 * does not mind.
 */
type Said = Readonly<Partial<Record<ForeignPeer["name"], number | string>>>

const all = (number: number): Said => ({ openssl: number, gnutls: number, "node:tls": number })

/** It closes without a word: node:tls as a client does so in every handshake, and as a server where it rejects a certificate. */
const silence = "Truncated"

interface Answer {
  readonly said: Said
  /** in TLS 1.3, where it is something else */
  readonly said13?: Said
}

interface ClientRow extends ClientProvocation, Answer {}
interface ServerRow extends ServerProvocation, Answer {}

const clientRows: ReadonlyArray<ClientRow> = [
  {
    why: "no suite in common",
    said: all(40),
    ours: { cipherSuites: CipherSuite.suites.filter(({ authentication }) => authentication === "rsa") },
    of: "1.2"
  },
  {
    why: "no suite in common",
    said: all(40),
    ours: { cipherSuites: CipherSuite.suites13.slice(0, 1) },
    theirs: { suites: suiteNames13.slice(1) },
    of: "1.3"
  },
  {
    why: "no group in common",
    said: all(40),
    ours: { groups: ["x25519"] },
    theirs: { groups: ["secp384r1"], identity: "rsa" }
  },
  { why: "a server of TLS 1.3 alone", said: { ...all(70), gnutls: 40 }, theirs: { version: "1.3" }, of: "1.2" },
  { why: "a server of TLS 1.2 alone", said: { ...all(70), gnutls: 40 }, theirs: { version: "1.2" }, of: "1.3" },
  {
    why: "no application protocol in common",
    said: all(120),
    ours: { alpnProtocols: ["foo"] },
    theirs: { alpnProtocol: "h2" }
  },
  {
    why: "no certificate where one is required",
    said: { ...all(40), gnutls: 50 },
    said13: all(116),
    theirs: { clientAuth: "require" }
  },
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
    edit: ["certificateVerify", Edits.corrupted],
    of: "1.2"
  },
  {
    why: "a signature of another message",
    said: all(51),
    ours: { identity: misSigning("client") },
    theirs: { clientAuth: "require" }
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
  {
    why: "a second ClientHello",
    said: all(10),
    said13: { ...all(10), gnutls: 20 },
    edit: ["clientHello", Edits.twice]
  },
  {
    why: "a ClientHello without key_share",
    said: all(109),
    edit: ["clientHello", Edits.renumbered(51, 0x1234)],
    of: "1.3"
  },
  {
    why: "a ClientHello without supported_groups",
    said: { ...all(109), gnutls: 40 },
    edit: ["clientHello", Edits.renumbered(10, 0x1234)],
    of: "1.3"
  },
  {
    why: "a ClientHello without signature_algorithms",
    said: { ...all(109), gnutls: 40 },
    edit: ["clientHello", Edits.renumbered(13, 0x1234)],
    of: "1.3"
  }
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
    edit: ["serverKeyExchange", Edits.corrupted],
    of: "1.2"
  },
  {
    why: "a signature of another message",
    said: { ...all(51), "node:tls": silence },
    ours: { identity: misSigning("ec") }
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
    of: "1.2",
    edit: ["serverHello", Edits.otherSuite]
  },
  {
    why: "a ServerHello with an extension that was not offered",
    said: { openssl: 110, "node:tls": silence },
    edit: ["serverHello", Edits.extensionAs(18)],
    of: "1.2"
  },
  {
    why: "a ServerHello of TLS 1.1", // gnutls says 70 as well, but in a record of TLS 1.1
    said: { openssl: 70, gnutls: "AlertSent ProtocolVersion", "node:tls": silence },
    edit: ["serverHello", Edits.asTls11],
    of: "1.2"
  },
  {
    why: "a second ServerHello",
    said: { ...all(10), "node:tls": silence },
    said13: { openssl: 10, gnutls: 20, "node:tls": silence },
    edit: ["serverHello", Edits.twice]
  },
  {
    why: "a ServerHello without key_share",
    said: { openssl: 109, gnutls: 47, "node:tls": silence },
    edit: ["serverHello", Edits.renumbered(51, 0x1234)],
    of: "1.3"
  },
  {
    why: "a share of a group that there was none of",
    said: { ...all(47), "node:tls": silence },
    edit: ["serverHello", Edits.otherShare],
    of: "1.3"
  },
  {
    why: "a ServerHello with another session identifier",
    said: { openssl: 47, "node:tls": silence },
    edit: ["serverHello", Edits.otherSessionId],
    of: "1.3"
  },
  {
    why: "a ServerHello that selects TLS 1.2 as if it were later",
    said: { ...all(47), "node:tls": silence },
    edit: ["serverHello", Edits.selecting12],
    of: "1.3"
  },
  {
    why: "a ServerHello with a suite that was not offered",
    said: { openssl: 47, gnutls: 40, "node:tls": silence },
    edit: ["serverHello", Edits.otherSuite],
    of: "1.3"
  }
]

const saidBy = (peer: ForeignPeer, version: Version, { said, said13 }: Answer) =>
  (version === "1.3" ? said13 ?? said : said)[peer.name]

everyPeer("what our client is told by a server", (peer, it, version) => {
  it.live.each(clientRows.filter((row) => isOf(version)(row) && saidBy(peer, version, row) !== undefined))(
    "for $why",
    ({ edit, ours, theirs, ...row }) =>
      Effect.gen(function*() {
        const server = yield* peer.server(theirs)
        const port = edit === undefined
          ? server.port
          : (yield* tamperingProxy({ to: server.port, onRecord: Edits.editing("clientToServer", ...edit) })).port
        // Who writes at once may find the connection reset before the alert is read.
        const verdict = theirs?.clientAuth === undefined ? {} : { awaitPeerVerdict: waitLimit }
        const exit = yield* ourClient({ version, ...verdict, ...ours, port }).pipe(
          Effect.tap((connection) => connection.write(new TextEncoder().encode("hello\n"))),
          Effect.flatMap((connection) => connection.pull),
          Effect.exit
        )
        assert.strictEqual(receivedAlert(exit), saidBy(peer, version, row))
      })
  )
})

everyPeer("what our server is told by a client", (peer, it, version) => {
  it.live.each(serverRows.filter((row) => isOf(version)(row) && saidBy(peer, version, row) !== undefined))(
    "for $why",
    ({ edit, ours, theirs, ...row }) =>
      Effect.gen(function*() {
        // A ticket looks like data from outside.
        const server = yield* ourServer({ version, tickets: 0, ...ours })
        const port = edit === undefined
          ? server.port
          : (yield* tamperingProxy({ to: server.port, onRecord: Edits.editing("serverToClient", ...edit) })).port
        const client = yield* peer.client({ ...theirs, port })
        yield* client.send("hello\n")
        assert.strictEqual(receivedAlert((yield* server.report).exit), saidBy(peer, version, row))
      })
  )
})
