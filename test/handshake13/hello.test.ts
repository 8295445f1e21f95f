/** What a server of TLS 1.3 makes of a ClientHello: RFC 8446 sections 4.1.2, 4.2 and 9.2. */
import { assert } from "@effect/vitest"
import type { ClientHello } from "../../src/message/ClientHello.ts"
import { findExtension } from "../../src/message/Extension.ts"
import { NamedGroup } from "../../src/wire/CodePoints.ts"
import { accepts, refuses } from "./conversation.ts"
import { grease, plus, pskOf, put, says, saysBytes, unknown, without } from "./edits.ts"
import type { Script } from "./stories.ts"

const hello = (edit: (hello: ClientHello) => ClientHello): Script => ({ moves: { ClientHello: says(edit) } })
const second = (edit: (hello: ClientHello) => ClientHello): Script => ({ moves: { SecondHello: says(edit) } })
const retrying = { server: { groups: ["secp256r1"] } } as const
const resuming = { remembers: true } as const
const { x25519, secp256r1 } = NamedGroup

const groups = (...groups: ReadonlyArray<number>) => put({ _tag: "SupportedGroups", groups })
const shares = (...groups: ReadonlyArray<number>) => (hello: ClientHello): ClientHello => {
  const own = findExtension(hello.extensions, "KeyShares")?.shares[0]?.publicKey ?? new Uint8Array(32)
  const publicKey = (group: number) => group === x25519 ? own : new Uint8Array(65).fill(9)
  return put({ _tag: "KeyShares", shares: groups.map((group) => ({ group, publicKey: publicKey(group) })) })(hello)
}
const modes = (...modes: ReadonlyArray<number>) => put({ _tag: "PskKeyExchangeModes", modes })
const versions = (...versions: ReadonlyArray<number>) => put({ _tag: "SupportedVersions", versions })

refuses(
  "R8446-2.1-01, R8446-4.1.1-01, R8446-4.1.1-03, R8446-6.2-11: nothing in common",
  "server",
  "40 NothingInCommon",
  [
    [
      "no suite: unknown ones alone",
      hello((_) => ({ ..._, cipherSuites: [0x1305, grease.suite] })),
      {},
      "cipher suite"
    ],
    ["no suite: TLS 1.2 ones alone", hello((_) => ({ ..._, cipherSuites: [0xc02b, 0xc02f] })), {}, "cipher suite"],
    ["no suite: the server has another one", hello((_) => ({ ..._, cipherSuites: [0x1304] })), {}, "cipher suite"],
    ["no group, and no share", hello((_) => groups(grease.group, 0x0100)(shares()(_))), {}, "group"],
    [
      "no group, and a share of an unknown one",
      hello((_) => groups(grease.group)(shares(grease.group)(_))),
      {},
      "group"
    ],
    [
      "no signature scheme",
      hello(put({ _tag: "SignatureAlgorithms", schemes: [0x0201, 0x0203, grease.scheme] })),
      {},
      "scheme"
    ],
    [
      "no scheme for the key of the certificate",
      hello(put({ _tag: "SignatureAlgorithms", schemes: [0x0804] })),
      {},
      "certificate"
    ],
    // Section 9.2 asks for neither of them in these.
    [
      "no group: a pre_shared_key of psk_ke, and neither supported_groups nor key_share",
      hello((_) => modes(0)(without("SupportedGroups", "KeyShares")(_))),
      resuming,
      "group"
    ],
    [
      "no group: the same without signature_algorithms, and with a mode that nobody knows",
      hello((_) => modes(grease.psk, 0)(without("SupportedGroups", "KeyShares", "SignatureAlgorithms")(_))),
      resuming,
      "group"
    ]
  ]
)

refuses(
  "R8446-4.1.1-04, R8446-4.2.3-01, R8446-9.2-01, R8446-6.2-26, R8446-6.2-04, R8446-4.2.9-01: an extension that must be there is not",
  "server",
  "109 ExtensionMissing",
  [
    ["signature_algorithms", hello(without("SignatureAlgorithms")), {}, "signature_algorithms"],
    ["supported_groups", hello(without("SupportedGroups")), {}, "supported_groups"],
    ["key_share", hello(without("KeyShares")), {}, "key_share"],
    ["supported_groups and key_share", hello(without("SupportedGroups", "KeyShares")), {}, "supported_groups"],
    ["everything but the version", hello(without("SupportedGroups", "KeyShares", "SignatureAlgorithms")), {}],
    [
      "psk_key_exchange_modes beside pre_shared_key",
      hello(without("PskKeyExchangeModes")),
      resuming,
      "psk_key_exchange_modes"
    ],
    ["key_share beside pre_shared_key", hello(without("KeyShares")), resuming, "key_share"],
    ["supported_groups beside pre_shared_key", hello(without("SupportedGroups")), resuming, "supported_groups"],
    [
      "key_share beside supported_groups and a pre_shared_key of psk_ke",
      hello((_) => modes(0)(without("KeyShares")(_))),
      resuming,
      "key_share"
    ],
    [
      "supported_groups beside key_share and a pre_shared_key of psk_ke",
      hello((_) => modes(0)(without("SupportedGroups")(_))),
      resuming,
      "supported_groups"
    ],
    [
      "both of them beside a pre_shared_key of psk_ke and psk_dhe_ke",
      hello((_) => modes(0, 1)(without("SupportedGroups", "KeyShares")(_))),
      resuming,
      "supported_groups"
    ],
    [
      "signature_algorithms, beside a pre_shared_key that is not known",
      hello((_) =>
        without("SignatureAlgorithms")(
          put({
            ...pskOf(_),
            offers: [{
              ...pskOf(_).offers[0],
              identity: new Uint8Array(32),
              obfuscatedAge: 0,
              binder: new Uint8Array(32).fill(1)
            }]
          })(_)
        )
      ),
      resuming,
      "signature_algorithms"
    ],
    ["key_share in the second hello", second(without("KeyShares")), retrying, "key_share"]
  ]
)

refuses("R8446-4.1.2-03: the compression methods are the null method alone", "server", "47 ParameterIllegal", [
  ["another one", hello((_) => ({ ..._, compressionMethods: [1] })), {}, "compression_methods"],
  ["another one behind it", hello((_) => ({ ..._, compressionMethods: [0, 1] })), {}, "compression_methods"],
  ["another one before it", hello((_) => ({ ..._, compressionMethods: [1, 0] })), {}, "compression_methods"],
  ["twice", hello((_) => ({ ..._, compressionMethods: [0, 0] })), {}, "compression_methods"]
])

const tail = (bytes: Uint8Array, ...more: ReadonlyArray<number>) => Uint8Array.of(...bytes, ...more)

refuses("R8446-4.1.2-04, R8446-6-11, R8446-6.2-20: a hello that cannot be parsed", "server", "50 MessageMalformed", [
  ["a byte behind the extensions", { moves: { ClientHello: saysBytes((body) => tail(body, 0)) } }],
  [
    "a byte behind the extensions, of TLS 1.2",
    { moves: { ClientHello: (puppet, _) => saysBytes((body) => tail(body, 0))(puppet, versions(0x0303)(_)) } }
  ],
  ["a byte behind the compression methods, and no extensions", {
    moves: { ClientHello: (puppet, _) => saysBytes((body) => tail(body, 0))(puppet, { ..._, extensions: [] }) }
  }],
  ["a byte too few", { moves: { ClientHello: saysBytes((body) => body.slice(0, -1)) } }],
  ["no compression method", hello((_) => ({ ..._, compressionMethods: [] }))],
  ["no cipher suite", hello((_) => ({ ..._, cipherSuites: [] }))],
  ["a session identifier of 33 bytes", hello((_) => ({ ..._, sessionId: new Uint8Array(33) }))],
  ["an empty list of versions", hello(versions())],
  ["an empty list of groups", hello(groups())],
  ["an empty share", hello(put({ _tag: "KeyShares", shares: [{ group: x25519, publicKey: new Uint8Array(0) }] }))]
])

refuses("R8446-4.2-03: one block of extensions has each type once", "server", "47 ParameterIllegal", [
  [
    "key_share twice",
    hello((_) => plus(..._.extensions.filter(({ _tag }) => _tag === "KeyShares"))(_)),
    {},
    "key_share"
  ],
  [
    "supported_versions twice",
    hello(plus({ _tag: "SupportedVersions", versions: [0x0304] })),
    {},
    "supported_versions"
  ],
  ["an unknown one twice", hello(plus(unknown(grease.extension), unknown(grease.extension))), {}, "more than once"]
])

refuses("R9846-4.2.2-01: TLS 1.3 with another legacy_version is protocol_version", "server", "70 VersionUnsupported", [
  ...[0x0301, 0x0302, 0x0304, 0x0305, 0x7f1c].map((version) =>
    [`0x${version.toString(16)}`, hello((_) => ({ ..._, version })), {}, "legacy_version"] as const
  ),
  [
    "R8446-4.2.1-02: 0x0304, without supported_versions, of a server of TLS 1.3 alone",
    hello((_) => without("SupportedVersions")({ ..._, version: 0x0304 })),
    { server: { versions: ["1.3"] } }
  ]
])

refuses(
  "R8446-D.5-01: a hello of SSL 3.0 or before is protocol_version, whatever it says beside",
  "server",
  "70 VersionUnsupported",
  [0x0300, 0x0200, 0x0002, 0].flatMap((version) =>
    [
      [`0x${version.toString(16)}, with supported_versions`, hello((_) => ({ ..._, version }))],
      [
        `0x${version.toString(16)}, with TLS 1.2 in supported_versions`,
        hello((_) => versions(0x0303)({ ..._, version }))
      ],
      [
        `0x${version.toString(16)}, without supported_versions`,
        hello((_) => without("SupportedVersions")({ ..._, version }))
      ]
    ] as const
  )
)

refuses("R8446-4.2.1-04, R8446-6.2-22, R8446-D.2-01: no version in common", "server", "70 VersionUnsupported", [
  ["unknown versions alone", hello(versions(grease.version, 0x0305, 0x7f1c))],
  ["older versions alone", hello(versions(0x0302, 0x0301)), {}, "TLS 1.1, TLS 1.0"],
  [
    "TLS 1.2 in the list, of a server of TLS 1.3 alone",
    hello(versions(0x0303)),
    { server: { versions: ["1.3"] } },
    "TLS 1.2"
  ],
  ["no list and TLS 1.2, of a server of TLS 1.3 alone", hello(without("SupportedVersions")), {
    server: { versions: ["1.3"] }
  }, "TLS 1.2"],
  ["TLS 1.3 in the list, of a server of TLS 1.2 alone", hello((_) => _), { server: { versions: ["1.2"] } }, "TLS 1.3"],
  ["TLS 1.1, without a list", hello((_) => without("SupportedVersions")({ ..._, version: 0x0302 })), {}, "TLS 1.1"],
  ["R8446-4.2.1-04: a second hello without TLS 1.3", second(versions(grease.version)), retrying]
])

refuses("R8446-6.2-25: a fallback that was not needed (RFC 7507)", "server", "86 FallbackInappropriate", [
  ["to TLS 1.2", hello((_) => without("SupportedVersions")({ ..._, cipherSuites: [0xc02b, 0x5600] }))],
  ["to TLS 1.1", hello((_) => without("SupportedVersions")({ ..._, version: 0x0302, cipherSuites: [0xc02b, 0x5600] }))]
])

refuses(
  "R8446-4.2.8-01: shares are of groups that are offered, in their order, one of each",
  "server",
  "47 ParameterIllegal",
  [
    ["two of one group", hello(shares(x25519, x25519)), {}, "key_share"],
    ["one of a group that is not offered", hello(shares(x25519, 0x0100)), {}, "key_share"],
    ["out of order", hello(shares(secp256r1, x25519)), {}, "key_share"]
  ]
)

refuses("R8446-4.1.2-07: the second hello is the first one, but for what may change", "server", "47 ParameterIllegal", [
  ["random", second((_) => ({ ..._, random: new Uint8Array(32) })), retrying, "random"],
  ["session id", second((_) => ({ ..._, sessionId: new Uint8Array(32) })), retrying, "legacy_session_id"],
  ["no session id", second((_) => ({ ..._, sessionId: new Uint8Array(0) })), retrying, "legacy_session_id"],
  ["suites", second((_) => ({ ..._, cipherSuites: [0x1302, 0x1301] })), retrying, "cipher_suites"],
  ["no longer TLS 1.3", second(versions(0x0303)), retrying, "supported_versions"],
  ["R8446-4.2.8-02: a share of another group", second(shares(x25519)), retrying, "key_share"],
  [
    "a share more behind it",
    second((_) => {
      const again = findExtension(_.extensions, "KeyShares")?.shares ?? []
      const more = { group: NamedGroup.secp384r1, publicKey: new Uint8Array(97).fill(9) }
      return put({ _tag: "KeyShares", shares: [...again, more] })(_)
    }),
    retrying,
    "key_share"
  ],
  [
    "a share more",
    second((_) => {
      const again = findExtension(_.extensions, "KeyShares")?.shares[0]
      const own = { group: x25519, publicKey: new Uint8Array(32).fill(9) }
      return put({ _tag: "KeyShares", shares: again === undefined ? [own] : [own, again] })(_)
    }),
    retrying,
    "key_share"
  ],
  ["R8446-4.2.10-03: early_data", second(plus({ _tag: "EarlyData", maxSize: undefined })), retrying, "early_data"],
  ["a compression method more", second((_) => ({ ..._, compressionMethods: [0, 1] })), retrying, "compression_methods"]
])

refuses("R8446-4.2.11-04: pre_shared_key is the last extension", "server", "47 ParameterIllegal", [
  ["it is the first", hello((_) => plus(pskOf(_))(without("PreSharedKeys")(_))), resuming, "pre_shared_key"],
  [
    "there is one behind it",
    hello((_) => ({ ..._, extensions: [..._.extensions, unknown(21)] })),
    resuming,
    "pre_shared_key"
  ]
])

accepts("R8446-4.1.2-06, R8446-4.2-04, R8446-9.3-01: what is not known is passed over (RFC 8701)", "server", [
  ["suites", hello((_) => ({ ..._, cipherSuites: [grease.suite, 0x1301, 0x00ff, 0x1305, 0xffff] }))],
  ["extensions", hello(plus(unknown(grease.extension), unknown(0xfafa, "00"), unknown(65_000, "0102")))],
  ["R9846-4.3-01: bytes of any kind in an unknown extension", hello(plus(unknown(grease.extension, "ffff00")))],
  ["groups", hello(groups(grease.group, x25519, 0x0100, 0xffff))],
  [
    "shares",
    hello((_) => groups(grease.group, x25519, secp256r1)(shares(grease.group, x25519)(_)))
  ],
  ["versions", hello(versions(grease.version, 0x0305, 0x0304, 0x0303, 0x0301))],
  ["signature schemes", hello(put({ _tag: "SignatureAlgorithms", schemes: [grease.scheme, 0x0403, 0x0203, 0xfefe] }))],
  ["PSK modes", hello(put({ _tag: "PskKeyExchangeModes", modes: [grease.psk, 1, 0, 255] }))],
  ["application protocols", hello(plus({ _tag: "ApplicationProtocols", protocols: ["\x0a\x0a", "h2"] })), {
    server: { alpnProtocols: ["h2"] }
  }, ({ connection }) => assert.strictEqual(connection?.alpnProtocol, "h2")],
  ["R9846-4.3.7-01: a group twice in supported_groups", hello(groups(x25519, secp256r1, x25519))],
  [
    "extensions that the server does not speak: status_request, SCT, compress_certificate, padding",
    hello(plus(
      unknown(5, "0100000000"),
      unknown(18),
      unknown(27, "020002"),
      unknown(21, "00".repeat(64)),
      { _tag: "PostHandshakeAuth" },
      { _tag: "SignatureAlgorithmsCert", schemes: [0x0403] }
    ))
  ],
  [
    "extensions of TLS 1.2",
    hello(plus(
      { _tag: "ExtendedMasterSecret" },
      { _tag: "EcPointFormats", formats: [0] },
      { _tag: "RenegotiationInfo", renegotiatedConnection: new Uint8Array(0) }
    ))
  ],
  [
    "no server_name, no session id: no ChangeCipherSpec either",
    {
      isBare: true,
      moves: { ClientHello: says((_) => without("ServerName")({ ..._, sessionId: new Uint8Array(0) })) }
    },
    {},
    ({ puppet }) => assert.isFalse(puppet.heard.some(({ type }) => type === 20))
  ],
  ["the second hello has a cookie, new padding, and no more early_data", {
    moves: {
      ClientHello: says(plus({ _tag: "EarlyData", maxSize: undefined }, unknown(21, "00"))),
      SecondHello: says(plus({ _tag: "Cookie", cookie: Uint8Array.of(1) }, unknown(21, "0000")))
    }
  }, retrying]
])
