/** record_size_limit, RFC 8449, in both directions and both versions. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type Connection, type Observation, TlsTest } from "effect-tls"
import { type Extension, findExtension } from "../../src/message/Extension.ts"
import { ContentType } from "../../src/wire/CodePoints.ts"
import { test } from "../connection/conversation.ts"
import { accepts, conversation, converse, refuses } from "../handshake13/conversation.ts"
import { plus, says, unknown } from "../handshake13/edits.ts"
import type { Puppet, Side } from "../handshake13/puppet.ts"
import { greets, type Script } from "../handshake13/stories.ts"

const { application_data, handshake } = ContentType
const sides = ["client", "server"] as const

const saying = (side: Side, extension: Extension): Script => ({
  moves: side === "client"
    ? { ClientHello: says(plus(extension)) }
    : { EncryptedExtensions: says(plus(extension)) }
})
/** The puppet tells how much it takes. */
const telling = (side: Side, limit: number): Script => saying(side, { _tag: "RecordSizeLimit", limit })
const raw = (side: Side, data: string): Script => saying(side, unknown(28, data))
const opened = (script: Script, act: (puppet: Puppet) => void): Script => ({
  ...script,
  open: (puppet) => {
    act(puppet)
    return greets(puppet)
  }
})

const other = (side: Side): Side => side === "client" ? "server" : "client"

for (const side of sides) {
  describe(`R8449-4-01: what the ${side} sends keeps to the limit of its peer, type and padding included`, () => {
    for (const [limit, recordPadding] of [[64, 1], [64, 50], [100, 1], [513, 400], [4096, 1], [16_385, 1]] as const) {
      conversation(`${limit} bytes, padded to a multiple of ${recordPadding}`, (all) =>
        Effect.gen(function*() {
          const options = { recordPadding, alpnProtocols: ["a".repeat(200)] }
          const use = (connection: Connection) =>
            Effect.orDie(Effect.gen(function*() {
              yield* connection.write(new Uint8Array(20_000).fill(65))
              yield* connection.writeAll(Array.from({ length: 300 }, () => Uint8Array.of(66)))
              return { failure: "", data: "" }
            }))
          const script: Script = side === "server"
            ? {
              open: () => Effect.void,
              moves: {
                ClientHello: says(plus(
                  { _tag: "RecordSizeLimit", limit },
                  { _tag: "ApplicationProtocols", protocols: ["a".repeat(200)] }
                ))
              }
            }
            : { open: () => Effect.void, ...telling("server", limit), asks: true }
          const { puppet } = yield* converse(all, {
            subject: side,
            isKnown: true,
            script,
            use,
            client: options,
            server: options
          })
          const lengths = puppet.heard.filter(({ epoch }) => epoch !== "clear")
            .map(({ content, padding }) => content.length + 1 + padding)
          assert.isAtMost(Math.max(...lengths), limit)
          // And makes use of it.
          assert.strictEqual(Math.max(...lengths), limit)
          assert.lengthOf(puppet.text, 20_300)
        }))
    }
  })

  const peer = other(side)
  const limits = { client: { recordSizeLimit: 512 }, server: { recordSizeLimit: 512 } }
  const full = (length: number) => Array.from({ length }, () => 65)
  const within = telling(peer, 1000)
  refuses(`R8449-4-04, R8446-6.2-10: a record beyond what the ${side} told`, side, "22 RecordTooLong", [
    ["513 bytes of data", opened(within, (puppet) => puppet.record(application_data, full(513))), limits],
    ["512 bytes of data and a zero", opened(within, (puppet) => puppet.record(application_data, full(512), 1)), limits],
    ["padding alone", opened(within, (puppet) => puppet.record(application_data, [], 513)), limits],
    ["a handshake record", opened(within, (puppet) => puppet.record(handshake, full(513))), limits]
  ])
  conversation(`R8449-4-04: and up to that many bytes the ${side} takes`, (all) =>
    Effect.gen(function*() {
      const script = opened(within, (puppet) => {
        puppet.record(application_data, full(512))
        puppet.record(application_data, full(100), 412)
      })
      const { data, failure } = yield* converse(all, { subject: side, script, ...limits })
      assert.deepStrictEqual([failure, data], ["clean", `${"A".repeat(612)}hello`])
    }))
  conversation(
    `without an answer, or an offer, there is no limit but that of the protocol: the ${side}`,
    (all) =>
      Effect.gen(function*() {
        const script = opened({}, (puppet) => puppet.record(application_data, new Uint8Array(2 ** 14).fill(65)))
        const { data, failure } = yield* converse(all, { subject: side, script, ...limits })
        assert.deepStrictEqual([failure, data.length], ["clean", 2 ** 14 + 5])
      })
  )

  refuses(`R8449-4-05: the ${side} is told less than 64`, side, "47 ParameterIllegal", [
    ["63", raw(peer, "003f"), {}, "record_size_limit"],
    ["1", raw(peer, "0001"), {}, "record_size_limit"],
    ["0", raw(peer, "0000"), {}, "record_size_limit"]
  ])
  refuses(`R9846-4.3-01: a limit that cannot be parsed, to the ${side}`, side, "50 MessageMalformed", [
    ["empty", raw(peer, "")],
    ["one byte", raw(peer, "40")],
    ["three bytes", raw(peer, "004000")]
  ])
}

refuses("R8449-4-02: a server that tells a client more than there can be", "client", "47 ParameterIllegal", [
  ["16386", telling("server", 16_386), {}, "record_size_limit"],
  ["65535", telling("server", 65_535), {}, "record_size_limit"]
])

accepts("R8449-4-03: a client that does is taken at the most that there can be", "server", [
  ["16386", telling("client", 16_386)],
  ["65535", telling("client", 65_535)]
])

const answered = (puppet: Puppet) => puppet.received.find((_) => _._tag === "EncryptedExtensions")?.extensions ?? []

accepts("R8449-5-02: max_fragment_length is passed over, and not answered", "server", [
  [
    "beside record_size_limit",
    {
      moves: { ClientHello: says(plus(unknown(1, "01"), { _tag: "RecordSizeLimit", limit: 2000 })) }
    },
    { server: { recordSizeLimit: 512 } },
    ({ puppet }) => {
      assert.strictEqual(findExtension(answered(puppet), "RecordSizeLimit")?.limit, 513)
      assert.isFalse(answered(puppet).some((_) => _._tag === "UnknownExtension"))
    }
  ],
  [
    "alone",
    { moves: { ClientHello: says(plus(unknown(1, "01"))) } },
    {},
    ({ puppet }) =>
      assert.isFalse(answered(puppet).some((_) => _._tag === "RecordSizeLimit" || _._tag === "UnknownExtension"))
  ]
])

accepts("what the client offers counts the type in TLS 1.3", "client", [[
  "513 for 512",
  {},
  { client: { recordSizeLimit: 512 } },
  ({ puppet }) => {
    const hello = puppet.received.find((_) => _._tag === "ClientHello")
    assert.strictEqual(findExtension(hello?.extensions ?? [], "RecordSizeLimit")?.limit, 513)
  }
]])

describe("R8449-4-01: between two of us", () => {
  for (const version of ["1.2", "1.3"] as const) {
    for (const [client, server] of [[64, 16_384], [16_384, 64], [100, 300]] as const) {
      test(`TLS ${version}, the client takes ${client} and the server ${server}`, () =>
        Effect.gen(function*() {
          const longest = { client: 0, server: 0 }
          const observe = (side: Side) => (seen: Observation) => {
            if (seen._tag === "Record" && seen.direction === "sent" && seen.isProtected) {
              longest[side] = Math.max(longest[side], seen.contentLength)
            }
          }
          const pair = yield* TlsTest.pair({
            clientAuth: "require",
            client: { recordSizeLimit: client, observe: observe("client"), versions: [version] },
            server: { recordSizeLimit: server, observe: observe("server") }
          })
          for (const side of sides) {
            yield* Effect.forkScoped(pair[side].write(new Uint8Array(5000)))
            let length = 0
            while (length < 5000) {
              for (const chunk of yield* pair[other(side)].pull) length += chunk.length
            }
          }
          // A server of TLS 1.2 cannot know whether the client counts the type, and the client does not: the smaller one holds.
          assert.isAtMost(longest.client, server)
          assert.isAtMost(longest.server, client + (version === "1.2" ? 1 : 0))
          assert.strictEqual(longest.client, Math.min(server, 5000))
        }))
    }
  }
})
