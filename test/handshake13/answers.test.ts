/** What a client makes of ServerHello and HelloRetryRequest: RFC 8446 sections 4.1.3, 4.1.4, 4.2 and 4.2.8. */
import { assert } from "@effect/vitest"
import type { ClientHello } from "../../src/message/ClientHello.ts"
import { type Extension, findExtension } from "../../src/message/Extension.ts"
import { makeHelloRetryRandom, type ServerHello } from "../../src/message/ServerHello.ts"
import { toHex } from "../../src/wire/Bytes.ts"
import { NamedGroup } from "../../src/wire/CodePoints.ts"
import { flipBits } from "../harness/TlsRecords.ts"
import { accepts, type Outcome, refuses, suiteOf } from "./conversation.ts"
import { plus, put, says, saysBytes, unknown, without } from "./edits.ts"
import { type Script, serve } from "./stories.ts"

type Edit = (answer: ServerHello) => ServerHello

const answer = (edit: Edit): Script => ({ moves: { ServerHello: says(edit) } })
const request = (edit: Edit): Script => ({ retries: true, moves: { HelloRetryRequest: says(edit) } })
const afterRetry = (edit: Edit): Script => ({ retries: true, moves: { ServerHello: says(edit) } })
const resuming = { remembers: true } as const

const selected = (group: number): Extension => ({
  _tag: "KeyShares",
  shares: [{ group, publicKey: new Uint8Array(0) }]
})
const asking = (group: number): Edit => (_) => ({
  ..._,
  extensions: _.extensions.map((extension) => extension._tag === "KeyShares" ? selected(group) : extension)
})
const share = (group: number, length: number): Edit =>
  put({ _tag: "KeyShares", shares: [{ group, publicKey: new Uint8Array(length).fill(5) }] })

const cookie: Extension = { _tag: "Cookie", cookie: new Uint8Array(300).fill(0xc0) }
const cookieHex = "c0".repeat(300)
const p256 = NamedGroup.secp256r1

const flipped = (bytes: Uint8Array) => flipBits(bytes, -1)

/** The same is asked of both answers. */
const both: ReadonlyArray<readonly [ids: string, what: string, edit: Edit, field: string]> = [
  [
    "R8446-4.1.3-01",
    "another session id",
    (_) => ({ ..._, sessionId: flipped(_.sessionId) }),
    "legacy_session_id_echo"
  ],
  ["R8446-4.1.3-01", "no session id", (_) => ({ ..._, sessionId: new Uint8Array(0) }), "legacy_session_id_echo"],
  ["R8446-4.1.3-02", "a suite that was not offered", (_) => ({ ..._, cipherSuite: 0x1305 }), "cipher_suite"],
  ["R8446-4.1.3-02", "a suite of TLS 1.2, which was offered", (_) => ({ ..._, cipherSuite: 0xc02b }), "cipher_suite"],
  ["R8446-4.1.3-02", "a suite of GREASE", (_) => ({ ..._, cipherSuite: 0x0a0a }), "cipher_suite"],
  ["R8446-4.1.3-03", "a compression method", (_) => ({ ..._, compressionMethod: 1 }), "legacy_compression_method"]
]

refuses(
  "R8446-4.1.3-01, R8446-4.1.3-02, R8446-4.1.3-03, R8446-6-12, R8446-6.2-17: the fields of ServerHello",
  "client",
  "47 ParameterIllegal",
  [
    ...both.map(([ids, what, edit, field]) =>
      [`${ids}: ${what}`, answer(edit), {}, `ServerHello is not acceptable: ${field}`] as const
    ),
    ["a suite that the options leave out", answer((_) => ({ ..._, cipherSuite: 0x1303 })), {
      client: { cipherSuites: [suiteOf(0x1301)] }
    }, "cipher_suite"]
  ]
)

refuses(
  "R8446-4.1.4-03, R8446-4.1.4-04: the fields of HelloRetryRequest are those of ServerHello",
  "client",
  "47 ParameterIllegal",
  both.map(([, what, edit, field]) =>
    [what, request(edit), {}, `HelloRetryRequest is not acceptable: ${field}`] as const
  )
)

refuses(
  "R8446-4.1.4-01, R8446-4.2.8-02: a HelloRetryRequest that changes nothing, or asks for what cannot be",
  "client",
  "47 ParameterIllegal",
  [
    ["nothing but the version", request(without("KeyShares")), {}, "would change nothing"],
    ["a group of which there is a share", request(asking(NamedGroup.x25519)), {}, "key_share"],
    ["a group that was not offered", request(asking(NamedGroup.secp384r1)), {}, "key_share"],
    ["a group of GREASE", request(asking(0x1a1a)), {}, "key_share"],
    [
      "a group of which there is a share, and a cookie",
      request((_) => plus({ _tag: "Cookie", cookie: Uint8Array.of(1) })(asking(NamedGroup.x25519)(_))),
      {},
      "key_share"
    ]
  ]
)

const again = (second: Extension): Script => ({
  story: (puppet) =>
    serve(puppet, {
      retries: true,
      moves: {
        ServerHello: (puppet, _) => {
          puppet.say({ ..._, random: makeHelloRetryRandom(), extensions: [..._.extensions.slice(0, 1), second] })
          puppet.stop()
        }
      }
    })
})

refuses("R8446-4.1.4-02: a second HelloRetryRequest", "client", "10 MessageUnexpected", [
  ["that asks for a cookie", again(cookie), {}, "a second HelloRetryRequest"],
  ["that asks for a share", again(selected(NamedGroup.x25519)), {}, "a second HelloRetryRequest"],
  ["that asks for the same", again(selected(p256)), {}, "a second HelloRetryRequest"]
])

refuses(
  "R8446-4.1.4-05, R8446-4.1.4-06, R8446-4.2.8-03: a ServerHello keeps to its HelloRetryRequest",
  "client",
  "47 ParameterIllegal",
  [
    [
      "R8446-4.1.4-05: another suite, which was offered",
      afterRetry((_) => ({ ..._, cipherSuite: 0x1302 })),
      {},
      "cipher_suite"
    ],
    [
      "R8446-4.1.4-06: another version",
      afterRetry(put({ _tag: "SupportedVersions", versions: [0x0303] })),
      {},
      "supported_versions"
    ],
    [
      "R8446-4.1.4-06: a later version",
      afterRetry(put({ _tag: "SupportedVersions", versions: [0x0305] })),
      {},
      "supported_versions"
    ],
    ["R8446-4.1.4-06: no version", afterRetry(without("SupportedVersions")), {}, "supported_versions"],
    ["R8446-4.2.8-03: the group of the first share", afterRetry(share(NamedGroup.x25519, 32)), {}, "key_share"],
    ["another session id", afterRetry((_) => ({ ..._, sessionId: flipped(_.sessionId) })), {}, "legacy_session_id_echo"]
  ]
)

refuses(
  "R8446-4.2.8-04, R8446-4.2.11-02: the share of the server is of a group of which there is one",
  "client",
  "47 ParameterIllegal",
  [
    ["a group that was not offered", answer(share(NamedGroup.secp384r1, 97)), {}, "key_share"],
    ["a group that was offered without a share", answer(share(NamedGroup.secp256r1, 65)), {}, "key_share"],
    ["a group of GREASE", answer(share(0x1a1a, 32)), {}, "key_share"],
    ["no share beside a session: psk_ke was not offered", answer(without("KeyShares")), resuming, "key_share"]
  ]
)

refuses("R8446-4.2.11-02: the session that a server selects was offered, and fits", "client", "47 ParameterIllegal", [
  ["the second of one", answer(put({ _tag: "PreSharedKeys", offers: [], selected: 1 })), resuming, "selects 1"],
  [
    "the last that can be named",
    answer(put({ _tag: "PreSharedKeys", offers: [], selected: 65_535 })),
    resuming,
    "selects 65535"
  ],
  ["a suite with another hash", answer((_) => ({ ..._, cipherSuite: 0x1302 })), resuming, "hash"]
])

refuses("R8446-9.2-01: what ServerHello and HelloRetryRequest must have", "client", "109 ExtensionMissing", [
  ["no share, and no session", answer(without("KeyShares")), {}, "key_share"],
  [
    "no share, where a session was offered and not selected",
    answer(without("KeyShares", "PreSharedKeys")),
    resuming,
    "key_share"
  ],
  ["a HelloRetryRequest without a version", request(without("SupportedVersions")), {}, "supported_versions"]
])

refuses("R8446-6-11: an answer that cannot be parsed", "client", "50 MessageMalformed", [
  ["a byte too many", { moves: { ServerHello: saysBytes((body) => Uint8Array.of(...body, 0)) } }],
  ["a byte too few", { moves: { ServerHello: saysBytes((body) => body.slice(0, -1)) } }],
  ["extensions that end within one", { moves: { ServerHello: saysBytes((body) => body.slice(0, 45)) } }],
  ["a HelloRetryRequest, a byte too many", {
    retries: true,
    moves: { HelloRetryRequest: saysBytes((body) => Uint8Array.of(...body, 0)) }
  }],
  ["a HelloRetryRequest whose key_share has a share", {
    retries: true,
    moves: {
      HelloRetryRequest: (puppet, _) =>
        puppet.say({ ..._, extensions: [..._.extensions.slice(0, 1), unknown(51, "001d00020102")] })
    }
  }],
  ["an empty cookie", request(plus(unknown(44, "0000"))), {}, "cookie"]
])

/** Both hellos of a client that was asked to repeat. */
const hellosOf = ({ puppet }: Outcome): readonly [ClientHello, ClientHello] => {
  const [first, second] = puppet.received.filter((message) => message._tag === "ClientHello")
  assert(first !== undefined && second !== undefined)
  return [first, second]
}

/** As it is, but for what may change (RFC 8446 section 4.1.2). */
const isRepeated = (outcome: Outcome, group: number | undefined, cookie: string | undefined): void => {
  const [first, second] = hellosOf(outcome)
  const kept = without("KeyShares", "Cookie", "PreSharedKeys")
  assert.deepStrictEqual(kept(second), kept(first))
  const [before, after] = [first, second].map((hello) => findExtension(hello.extensions, "KeyShares")?.shares ?? [])
  if (group === undefined) assert.deepStrictEqual(after, before)
  else assert.deepStrictEqual(after?.map((share) => share.group), [group])
  assert.strictEqual(toHex(findExtension(second.extensions, "Cookie")?.cookie ?? new Uint8Array(0)), cookie ?? "")
  assert.strictEqual(findExtension(first.extensions, "Cookie"), undefined)
}

const pskOf = ({ extensions }: ClientHello) => findExtension(extensions, "PreSharedKeys")

accepts("R8446-4.1.2-07, R8446-4.2.2-01: the second hello is the first one, but for what was asked for", "client", [
  ["another share", { retries: true }, {}, (_) => isRepeated(_, p256, undefined)],
  [
    "a cookie, and the share as it was",
    { ...request((_) => plus(cookie)(without("KeyShares")(_))), group: "x25519" },
    {},
    (_) => isRepeated(_, undefined, cookieHex)
  ],
  ["both", request(plus(cookie)), {}, (_) => isRepeated(_, p256, cookieHex)],
  ["and a session is offered again, last, with another binder", request(plus(cookie)), resuming, (outcome) => {
    isRepeated(outcome, p256, cookieHex)
    const [first, second] = hellosOf(outcome)
    assert.strictEqual(second.extensions.at(-1)?._tag, "PreSharedKeys")
    assert.deepStrictEqual(pskOf(second)?.offers[0]?.identity, pskOf(first)?.offers[0]?.identity)
    assert.notDeepEqual(pskOf(second)?.offers[0]?.binder, pskOf(first)?.offers[0]?.binder)
    assert.isTrue(outcome.connection?.resumed)
  }],
  ["a session with another hash than that of the suite is not offered again", { retries: true, session: undefined }, {
    ...resuming,
    suite: suiteOf(0x1302)
  }, (outcome) => {
    const [first, second] = hellosOf(outcome)
    assert.isDefined(pskOf(first))
    assert.isUndefined(pskOf(second))
    assert.isFalse(outcome.connection?.resumed)
  }]
])

accepts("R8446-4.1.3-02: any suite that was offered", "client", [
  ...[0x1301, 0x1302, 0x1303].map((id) =>
    [
      suiteOf(id).name,
      {},
      { suite: suiteOf(id) },
      ({ connection }: Outcome) => assert.strictEqual(connection?.cipherSuite.id, id)
    ] as const
  ),
  ...[0x1301, 0x1302, 0x1303].map((id) =>
    [`${suiteOf(id).name}, after a HelloRetryRequest`, { retries: true }, { suite: suiteOf(id) }] as const
  ),
  ["a session is declined", { session: undefined }, resuming, ({ connection }) => assert.isFalse(connection?.resumed)]
])
