/** Extensions where they were not asked for, have no place, come twice, or are not what they say: RFC 8446 section 4.2. */
import { assert } from "@effect/vitest"
import { type Extension, type ExtensionForm, findExtension, type KnownExtension } from "../../src/message/Extension.ts"
import type { HandshakeMessage } from "../../src/message/HandshakeMessage.ts"
import type { NamedGroup } from "../../src/wire/CodePoints.ts"
import { accepts, type Outcome, refuses, type Row } from "./conversation.ts"
import { plus, put, says, swollen, unknown } from "./edits.ts"
import { greets, type Script } from "./stories.ts"

const samples: { readonly [Tag in KnownExtension["_tag"]]: Extract<KnownExtension, { readonly _tag: Tag }> } = {
  ServerName: { _tag: "ServerName", name: "server.test" },
  StatusRequest: { _tag: "StatusRequest", response: undefined },
  SupportedGroups: { _tag: "SupportedGroups", groups: [29, 23] },
  EcPointFormats: { _tag: "EcPointFormats", formats: [0] },
  SignatureAlgorithms: { _tag: "SignatureAlgorithms", schemes: [0x0403] },
  ApplicationProtocols: { _tag: "ApplicationProtocols", protocols: ["h2"] },
  ExtendedMasterSecret: { _tag: "ExtendedMasterSecret" },
  RenegotiationInfo: { _tag: "RenegotiationInfo", renegotiatedConnection: new Uint8Array(0) },
  SessionTicket: { _tag: "SessionTicket", ticket: new Uint8Array(0) },
  SupportedVersions: { _tag: "SupportedVersions", versions: [0x0304] },
  KeyShares: { _tag: "KeyShares", shares: [{ group: 29, publicKey: new Uint8Array(32).fill(9) }] },
  PreSharedKeys: {
    _tag: "PreSharedKeys",
    offers: [{ identity: new Uint8Array(32), obfuscatedAge: 0, binder: new Uint8Array(32).fill(1) }],
    selected: 0
  },
  PskKeyExchangeModes: { _tag: "PskKeyExchangeModes", modes: [1] },
  Cookie: { _tag: "Cookie", cookie: Uint8Array.of(1) },
  EarlyData: { _tag: "EarlyData", maxSize: undefined },
  SignatureAlgorithmsCert: { _tag: "SignatureAlgorithmsCert", schemes: [0x0403] },
  CertificateAuthorities: { _tag: "CertificateAuthorities", authorities: [Uint8Array.of(0x30, 0)] },
  PostHandshakeAuth: { _tag: "PostHandshakeAuth" },
  RecordSizeLimit: { _tag: "RecordSizeLimit", limit: 1000 }
}
const ticketEarlyData = { _tag: "EarlyData", maxSize: 16 } as const

type Tag = KnownExtension["_tag"]

/** What a client of these tests offers in any case. */
const offered = [
  "ServerName",
  "SupportedGroups",
  "SignatureAlgorithms",
  "RecordSizeLimit",
  "SupportedVersions",
  "KeyShares",
  "PskKeyExchangeModes"
] as const satisfies ReadonlyArray<Tag>

const ticket = (extensions: ReadonlyArray<Extension>): HandshakeMessage => ({
  _tag: "NewSessionTicket",
  lifetime: 100,
  ageAdd: 0,
  nonce: Uint8Array.of(1),
  ticket: Uint8Array.of(1),
  extensions
})

/** In the block of extensions of each message that has one. */
const inside = {
  ClientHello: (...all) => ({ moves: { ClientHello: says(plus(...all)) } }),
  ServerHello: (...all) => ({ moves: { ServerHello: says(plus(...all)) } }),
  HelloRetryRequest: (...all) => ({ retries: true, moves: { HelloRetryRequest: says(plus(...all)) } }),
  EncryptedExtensions: (...all) => ({ moves: { EncryptedExtensions: says(plus(...all)) } }),
  CertificateRequest: (...all) => ({ asks: true, moves: { CertificateRequest: says(plus(...all)) } }),
  Certificate: (...all) => ({
    moves: { Certificate: says((_) => ({ ..._, entries: _.entries.map(plus(...all)) })) }
  }),
  NewSessionTicket: (...all) => ({
    open: (puppet) => {
      puppet.blurt(ticket(all))
      return greets(puppet)
    }
  })
} as const satisfies Readonly<Record<ExtensionForm, (...all: ReadonlyArray<Extension>) => Script>>

const rows = (
  form: ExtensionForm,
  tags: ReadonlyArray<Tag>,
  setting: Row[2] = {}
): ReadonlyArray<readonly [...Row, words: string]> =>
  tags.map((
    tag
  ) => [`${tag} in ${form}`, inside[form](samples[tag]), setting, form === "HelloRetryRequest" ? form : ""])

const unsolicited = (form: ExtensionForm, ...types: ReadonlyArray<number>) =>
  types.map((type) => [`type ${type} in ${form}`, inside[form](unknown(type, "00")), {}, String(type)] as const)

const asked = { client: { alpnProtocols: ["h2"] } } as const

refuses(
  "R8446-4.2-01, R8446-4.1.4-07, R8446-4.4.2-01, R8446-6.2-27: what was not asked for",
  "client",
  "110 ExtensionUnsolicited",
  [
    ...unsolicited("ServerHello", 34, 18, 0x2a2a, 0xffff),
    ...rows("ServerHello", ["ApplicationProtocols", "EarlyData", "PreSharedKeys", "PostHandshakeAuth"]),
    ...unsolicited("HelloRetryRequest", 34, 0x2a2a),
    ...unsolicited("EncryptedExtensions", 1, 34, 18, 0x2a2a),
    ...rows("EncryptedExtensions", ["ApplicationProtocols", "EarlyData"]),
    ...unsolicited("Certificate", 34, 18, 0x2a2a),
    [
      "R8449-5-01: max_fragment_length beside record_size_limit",
      inside.EncryptedExtensions(samples.RecordSizeLimit, unknown(1, "01"))
    ]
  ]
)

refuses(
  "R8446-4.4.2-01: what was not asked for, in the Certificate of a client",
  "server",
  "110 ExtensionUnsolicited",
  [34, 18, 0x2a2a].map(
    (type) => [`type ${type}`, inside.Certificate(unknown(type)), { asks: "request" }] as const
  )
)

refuses(
  "R8446-4.2-02, R8446-4.3.1-01: what is known, and has no place in the message",
  "client",
  "47 ParameterIllegal",
  [
    ...rows("ServerHello", offered.filter((tag) => tag !== "SupportedVersions" && tag !== "KeyShares")),
    ...rows("ServerHello", ["ApplicationProtocols"], asked),
    ...rows("ServerHello", ["ExtendedMasterSecret", "RenegotiationInfo", "EcPointFormats"]),
    ["R8446-4.2-01: Cookie in ServerHello", inside.ServerHello(samples.Cookie), {}, "Cookie"],
    ...rows("HelloRetryRequest", [
      "ServerName",
      "SupportedGroups",
      "SignatureAlgorithms",
      "PskKeyExchangeModes",
      "EarlyData",
      "RecordSizeLimit"
    ]),
    ...rows("EncryptedExtensions", [
      "SignatureAlgorithms",
      "SupportedVersions",
      "KeyShares",
      "PreSharedKeys",
      "PskKeyExchangeModes",
      "Cookie",
      "SignatureAlgorithmsCert",
      "CertificateAuthorities",
      "PostHandshakeAuth",
      "ExtendedMasterSecret",
      "EcPointFormats",
      "RenegotiationInfo"
    ]),
    ...rows("CertificateRequest", [
      "ServerName",
      "SupportedGroups",
      "KeyShares",
      "SupportedVersions",
      "EarlyData",
      "Cookie"
    ]),
    ...rows("Certificate", ["ServerName", "KeyShares", "SignatureAlgorithms"]),
    ...rows("NewSessionTicket", ["ServerName", "KeyShares", "SupportedVersions", "ApplicationProtocols"])
  ]
)

refuses(
  "R8446-4.2-02: and in the Certificate of a client",
  "server",
  "47 ParameterIllegal",
  rows("Certificate", ["ServerName", "KeyShares"], { asks: "request" })
)

const twice = (form: ExtensionForm, extension: Extension, ...more: ReadonlyArray<Extension>) =>
  [`${extension._tag} in ${form}`, inside[form](extension, ...more), {}, "more than once"] as const

refuses("R8446-4.2-03: one type twice in a block", "client", "47 ParameterIllegal", [
  twice("ServerHello", samples.SupportedVersions),
  twice("HelloRetryRequest", samples.Cookie, samples.Cookie),
  twice("EncryptedExtensions", samples.SupportedGroups, samples.SupportedGroups),
  twice("EncryptedExtensions", unknown(0x2a2a), unknown(0x2a2a)),
  twice("CertificateRequest", samples.SignatureAlgorithms),
  twice("CertificateRequest", unknown(0x2a2a), unknown(0x2a2a)),
  twice("Certificate", unknown(34), unknown(34)),
  twice("NewSessionTicket", ticketEarlyData, ticketEarlyData)
])

const tooLong = (form: ExtensionForm, extension: KnownExtension) =>
  [`${extension._tag} in ${form}`, inside[form](swollen(extension, form))] as const

refuses("R9846-4.3-01: a byte too many inside an extension of a ClientHello", "server", "50 MessageMalformed", [
  ...Object.values(samples).filter(({ _tag }) =>
    // Any bytes are a ticket.
    _tag !== "SessionTicket" && (!(offered as ReadonlyArray<string>).includes(_tag) || _tag === "RecordSizeLimit")
  )
    .map((extension) => tooLong("ClientHello", extension)),
  ...offered.filter((tag) => tag !== "RecordSizeLimit").map((tag) =>
    [
      `${tag} in ClientHello`,
      {
        moves: {
          ClientHello: says((_) => ({
            ..._,
            extensions: _.extensions.map((one) => one._tag === tag ? swollen(one, "ClientHello") : one)
          }))
        }
      } satisfies Script
    ] as const
  )
])

refuses("R9846-4.3-01: a byte too many inside an extension of the server", "client", "50 MessageMalformed", [
  ...(["SupportedVersions", "KeyShares"] as const).map((tag) =>
    [
      `${tag} in ServerHello`,
      {
        moves: {
          ServerHello: says((_) => ({
            ..._,
            extensions: _.extensions.map((one) => one._tag === tag ? swollen(one, "ServerHello") : one)
          }))
        }
      } satisfies Script
    ] as const
  ),
  tooLong("HelloRetryRequest", samples.Cookie),
  ...(["ServerName", "SupportedGroups", "ApplicationProtocols", "EarlyData", "RecordSizeLimit"] as const).map((tag) =>
    tooLong("EncryptedExtensions", samples[tag])
  ),
  ...(["SignatureAlgorithmsCert", "CertificateAuthorities"] as const).map((tag) =>
    tooLong("CertificateRequest", samples[tag])
  ),
  tooLong("NewSessionTicket", ticketEarlyData)
])

accepts("what a client takes from a server", "client", [
  ["server_name", inside.EncryptedExtensions(samples.ServerName)],
  [
    "R8446-4.2.7-02: groups that the server likes better, and some that were not offered",
    inside.EncryptedExtensions({ _tag: "SupportedGroups", groups: [0x0a0a, 24, 23, 29] }),
    {},
    ({ connection }) => assert.strictEqual(connection?.group, "x25519")
  ],
  [
    "the application protocol",
    inside.EncryptedExtensions(samples.ApplicationProtocols),
    asked,
    ({ connection }) => assert.strictEqual(connection?.alpnProtocol, "h2")
  ],
  [
    "R8446-9.3-01: unknown extensions of a CertificateRequest",
    inside.CertificateRequest(unknown(0x2a2a, "ff"), unknown(0xfafa))
  ],
  [
    "the known ones of a CertificateRequest",
    inside.CertificateRequest(samples.SignatureAlgorithmsCert, samples.CertificateAuthorities)
  ],
  ["unknown extensions of a ticket", inside.NewSessionTicket(unknown(0x2a2a, "ff"), unknown(0xfafa))],
  ["a ticket for early data", inside.NewSessionTicket(ticketEarlyData)]
])

refuses(
  "R8446-4.2-01: an application protocol that was not offered, where others were",
  "client",
  "47 ParameterIllegal",
  [
    ["another one", inside.EncryptedExtensions({ _tag: "ApplicationProtocols", protocols: ["h3"] }), asked, "h3"],
    [
      "two of them",
      inside.EncryptedExtensions({ _tag: "ApplicationProtocols", protocols: ["h2", "h2"] }),
      asked,
      "exactly one"
    ]
  ]
)

const groupsTold = (expected: ReadonlyArray<number> | undefined) => ({ puppet }: Outcome): void => {
  const answer = puppet.received.find((_) => _._tag === "EncryptedExtensions")
  assert(answer !== undefined)
  assert.deepStrictEqual(findExtension(answer.extensions, "SupportedGroups")?.groups, expected)
}
const likes = (...groups: ReadonlyArray<NamedGroup>) => ({ server: { groups } })
const knows = (...groups: ReadonlyArray<number>): Script => ({
  moves: {
    ClientHello: says(put({ _tag: "SupportedGroups", groups })),
    SecondHello: says(put({ _tag: "SupportedGroups", groups }))
  }
})

accepts(
  "R8446-4.2.7-01: a server tells its groups, where it likes another one better than that of the share",
  "server",
  [
    ["one that the client has", {}, likes("secp256r1", "x25519"), groupsTold([23, 29])],
    [
      "also those that the client has not",
      knows(29),
      likes("secp384r1", "x25519", "secp256r1"),
      groupsTold([24, 29, 23])
    ],
    ["in a resumption", {}, { remembers: true, ...likes("secp256r1", "x25519") }, groupsTold([23, 29])],
    ["after a HelloRetryRequest", knows(29, 23), likes("secp384r1", "secp256r1"), groupsTold([24, 23])],
    ["not where the share is of the best one", {}, likes("x25519", "secp256r1"), groupsTold(undefined)],
    ["nor where that was asked for", {}, likes("secp256r1", "secp384r1"), groupsTold(undefined)]
  ]
)
