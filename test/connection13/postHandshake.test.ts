/** What comes on an open connection beside data: RFC 8446 sections 4.1.2, 4.6 and 6. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { SessionCache } from "effect-tls"
import { encodeHandshake, type HandshakeMessage } from "../../src/message/HandshakeMessage.ts"
import { make as primitives } from "../../src/platform/NodePrimitives.ts"
import { ContentType } from "../../src/wire/CodePoints.ts"
import { accepts, conversation, converse, ends, refuses, suiteOf } from "../handshake13/conversation.ts"
import type { Puppet } from "../handshake13/puppet.ts"
import { greets, helloOf, type Script } from "../handshake13/stories.ts"
import { watch } from "../handshake13/world.ts"

const sides = ["client", "server"] as const

const opened = (act: (puppet: Puppet) => void): Script => ({
  open: (puppet) => {
    act(puppet)
    return greets(puppet)
  }
})
const saying = (message: HandshakeMessage): Script => opened((puppet) => puppet.blurt(message))
const raw = (type: number, ...content: ReadonlyArray<number>): Script =>
  opened((puppet) => puppet.blurt(Uint8Array.of(type, 0, 0, content.length, ...content)))

const ticket = (index = 1): HandshakeMessage => ({
  _tag: "NewSessionTicket",
  lifetime: 1000,
  ageAdd: 5,
  nonce: Uint8Array.of(index),
  ticket: Uint8Array.of(index, 2, 3),
  extensions: []
})
const request: HandshakeMessage = {
  _tag: "CertificateRequest13",
  context: Uint8Array.of(1),
  extensions: [{ _tag: "SignatureAlgorithms", schemes: [0x0403] }]
}
const hello = helloOf({ suite: suiteOf(0x1301) }, [primitives.keyShare("x25519")], undefined)

const finished: HandshakeMessage = { _tag: "Finished", verifyData: new Uint8Array(32) }
const anything: ReadonlyArray<readonly [what: string, script: Script]> = [
  ["HelloRequest", raw(0)],
  ["HelloRequest with a body", raw(0, 1)],
  ["ServerHello", raw(2, 3, 3)],
  ["EndOfEarlyData", raw(5)],
  ["EncryptedExtensions", raw(8, 0, 0)],
  ["Certificate", raw(11, 0, 0, 0, 0)],
  ["a Certificate that cannot be parsed", raw(11, 9)],
  ["ServerKeyExchange", raw(12)],
  ["ServerHelloDone", raw(14)],
  ["CertificateVerify", raw(15, 4, 3, 0, 0)],
  ["ClientKeyExchange", raw(16)],
  ["Finished", saying(finished)],
  ["message_hash", raw(254)],
  ["a type that nobody knows", raw(77)]
]

refuses(
  "R8446-4.6.2-01: to a client, a CertificateRequest without post_handshake_auth",
  "client",
  "10 MessageUnexpected",
  [
    ["well formed", saying(request), {}, "CertificateRequest"],
    ["to a client that has a certificate", saying(request), { isKnown: true }, "CertificateRequest"],
    ["that cannot be parsed", raw(13, 5), {}, "CertificateRequest"]
  ]
)
refuses(
  "R8446-4.1.2-01, R8446-6.2-08: to a server, a ClientHello: there is no renegotiation",
  "server",
  "10 MessageUnexpected",
  [
    ["of TLS 1.3", saying(hello), {}, "ClientHello"],
    ["that cannot be parsed", raw(1, 3), {}, "ClientHello"]
  ]
)
refuses("R8446-4-01: to a server, what only a server says", "server", "10 MessageUnexpected", [
  ["NewSessionTicket", saying(ticket()), {}, "NewSessionTicket"],
  ["CertificateRequest", saying(request), {}, "CertificateRequest"]
])
refuses("R8446-4-01: to a client, a ClientHello", "client", "10 MessageUnexpected", [["of TLS 1.3", saying(hello)]])
for (const side of sides) {
  refuses(
    `R8446-4-01, R8446-4.5-01, R8446-4.5-02: to the ${side}, a message that has no place any more`,
    side,
    "10 MessageUnexpected",
    anything
  )
}

refuses("R8446-6-11: a ticket that cannot be parsed", "client", "50 MessageMalformed", [
  ["empty", raw(4)],
  ["without a ticket in it", raw(4, 0, 0, 0, 9, 0, 0, 0, 9, 1, 1, 0, 0, 0, 0)],
  [
    "a byte more",
    opened((puppet) => {
      const bytes = encodeHandshake(ticket())
      puppet.blurt(Uint8Array.of(bytes[0] ?? 0, 0, 0, (bytes[3] ?? 0) + 1, ...bytes.subarray(4), 0))
    })
  ]
])

/** The tickets that the client stored, and what else. */
const storedBy = (script: Script) =>
  Effect.gen(function*() {
    const watched = watch(yield* SessionCache.makeMemory())
    return { watched, cacheOf: () => Effect.succeed(watched), script }
  })

describe("tickets at a client", () => {
  accepts("R8446-4.6.1-02: come whenever they like", "client", [
    ["before the data", saying(ticket())],
    [
      "cut over records",
      opened((puppet) => {
        const bytes = encodeHandshake(ticket())
        puppet.record(ContentType.handshake, bytes.subarray(0, 7))
        puppet.record(ContentType.handshake, bytes.subarray(7))
      })
    ],
    [
      "several in one record",
      opened((puppet) =>
        puppet.record(ContentType.handshake, [...encodeHandshake(ticket(1)), ...encodeHandshake(ticket(2))])
      )
    ],
    ["with a nonce of no bytes", saying({ ...ticket(), nonce: new Uint8Array(0) } as HandshakeMessage)]
  ])

  conversation("a flood of tickets is passed over, beyond a few", (all) =>
    Effect.gen(function*() {
      const { cacheOf, script, watched } = yield* storedBy(opened((puppet) => {
        for (let index = 0; index < 200; index++) puppet.blurt(ticket(index))
      }))
      const outcome = yield* converse({ ...all, cacheOf }, { subject: "client", script })
      assert.deepStrictEqual([outcome.failure, outcome.data], ["clean", "hello"])
      assert.lengthOf(watched.stored, 32)
    }))

  conversation("those that come after close_notify are not looked at", (all) =>
    Effect.gen(function*() {
      const { cacheOf, script, watched } = yield* storedBy({
        open: (puppet) =>
          Effect.map(greets(puppet), () => {
            puppet.blurt(ticket())
          })
      })
      const outcome = yield* converse({ ...all, cacheOf }, { subject: "client", script })
      assert.strictEqual(outcome.failure, "clean")
      assert.lengthOf(watched.stored, 0)
    }))
})

for (const side of sides) {
  const alerting = (...alerts: ReadonlyArray<readonly [number, number]>): Script =>
    opened((puppet) => {
      puppet.data("before")
      for (const [level, code] of alerts) puppet.alert(level, code)
    })
  const fatal = (level: string | number, code: number) => `AlertReceived ${level} ${code} established 1.3`

  ends(
    `R8446-6-02, R8446-6-04, R8446-6-09, R8446-6-10, R8446-6.2-06: the ${side} gets an alert on the open connection`,
    side,
    [
      ...[10, 20, 40, 42, 48, 80, 109, 116, 120].map((code) =>
        [`${code}, fatal`, alerting([2, code]), {}, fatal("fatal", code), [], "before"] as const
      ),
      ...[10, 46, 112].map((code) =>
        [`${code}, as a warning`, alerting([1, code]), {}, fatal("warning", code), [], "before"] as const
      ),
      ...[[0, 50], [3, 70], [255, 80]].map(([level = 0, code = 0]) =>
        [`${code}, at level ${level}`, alerting([level, code]), {}, fatal(level, code), [], "before"] as const
      ),
      ["R9846-6.2-01: general_error", alerting([2, 117]), {}, fatal("fatal", 117), [], "before"],
      ...[21, 30, 41, 60, 100, 111, 114].map((code) =>
        [
          `R8446-B.2-01: ${code}, which is reserved`,
          alerting([1, code]),
          {},
          fatal("warning", code),
          [],
          "before"
        ] as const
      ),
      ...[1, 9, 11, 19, 61, 118, 200, 255].map((code) =>
        [
          `R8446-6.2-34: ${code}, which nobody knows`,
          alerting([1, code]),
          {},
          fatal("warning", code),
          [],
          "before"
        ] as const
      )
    ]
  )

  ends(`R8446-6-03, R8446-6.1-02, R9846-6.1-03: the ${side} gets an alert that is none of an error`, side, [
    ["close_notify", alerting([1, 0]), {}, "clean", ["application 1/0"], "before"],
    ["close_notify, at level fatal", alerting([2, 0]), {}, "clean", ["application 1/0"], "before"],
    ["close_notify, at a level that there is not", alerting([77, 0]), {}, "clean", ["application 1/0"], "before"],
    ["user_canceled, and data after it", alerting([1, 90]), {}, "clean", ["application 1/0"], "beforehello"],
    ["user_canceled, at level fatal", alerting([2, 90]), {}, "clean", ["application 1/0"], "beforehello"],
    [
      "user_canceled and close_notify, as JSSE ends",
      alerting([1, 90], [1, 0]),
      {},
      "clean",
      ["application 1/0"],
      "before"
    ],
    [
      "user_canceled, four times",
      alerting([1, 90], [1, 90], [1, 90], [1, 90]),
      {},
      "clean",
      ["application 1/0"],
      "beforehello"
    ]
  ])

  ends(`user_canceled without end, to the ${side}`, side, [
    [
      "five times",
      alerting([1, 90], [1, 90], [1, 90], [1, 90], [1, 90]),
      {},
      "AlertSent 10 AlertFlood established 1.3",
      [
        "application 2/10"
      ],
      "before"
    ]
  ])
}

refuses("an alert in the clear, after protected records", "client", "10 AlertUnprotected", [
  ["fatal", opened((puppet) => puppet.clear(ContentType.alert, [2, 40]))],
  ["close_notify", opened((puppet) => puppet.clear(ContentType.alert, [1, 0]))],
  ["in the handshake", {
    moves: {
      Certificate: (puppet, _) => {
        puppet.clear(ContentType.alert, [2, 40])
        puppet.say(_)
      }
    }
  }]
])
refuses("and to a server", "server", "10 AlertUnprotected", [
  ["fatal", opened((puppet) => puppet.clear(ContentType.alert, [2, 40]))],
  ["in the handshake", {
    moves: {
      Finished: (puppet, _) => {
        puppet.clear(ContentType.alert, [2, 40])
        puppet.say(_)
      }
    }
  }, { asks: "request" }]
])

for (const side of sides) {
  accepts(`R8446-4.4.4-02: to the ${side}, alerts and what is no message are not hashed`, side, [
    ["user_canceled before each message", {
      moves: {
        EncryptedExtensions: (puppet, _) => {
          puppet.alert(1, 90)
          puppet.say(_)
        },
        Finished: (puppet, _) => {
          puppet.alert(1, 90)
          puppet.ccs()
          puppet.say(_)
        }
      },
      isBare: true
    }]
  ])
}

/** OpenSSL 3 clients tell what they think of a certificate before they switch their keys. */
ends("R8446-A.1-01: an alert in the clear, before the peer has switched its keys, is read as what it says", "server", [
  [
    "unknown_ca",
    {
      moves: {
        Finished: (puppet) => {
          puppet.clear(ContentType.alert, [2, 48])
          puppet.stop()
        }
      }
    },
    {},
    "AlertReceived fatal 48 handshaking 1.3",
    []
  ],
  [
    "close_notify",
    {
      moves: {
        Finished: (puppet) => {
          puppet.clear(ContentType.alert, [1, 0])
          puppet.stop()
        }
      }
    },
    {},
    "HandshakeAborted close_notify 1.3",
    ["application 1/0"]
  ]
])
ends("and to a client", "client", [
  [
    "handshake_failure, behind the ServerHello",
    {
      moves: {
        EncryptedExtensions: (puppet) => {
          puppet.clear(ContentType.alert, [2, 40])
          puppet.stop()
        }
      }
    },
    {},
    "AlertReceived fatal 40 handshaking 1.3",
    []
  ]
])

const at = (subject: "client" | "server", unit: keyof NonNullable<Script["moves"]>, epoch: string, more = {}) =>
  conversation(`the ${subject}, at ${unit}: ${epoch}`, (all) =>
    Effect.gen(function*() {
      const script: Script = {
        moves: {
          [unit]: (puppet: Puppet) => {
            puppet.blurt(Uint8Array.of(99, 0, 0, 0))
            puppet.stop()
          }
        }
      }
      const { alerts } = yield* converse(all, { subject, script, ...more })
      assert.deepStrictEqual(alerts, [`${epoch} 2/10`])
    }))

describe("R8446-A.1-01, R8446-6-01, R9846-7.3-01: our alerts travel under the keys of their moment", () => {
  at("client", "ServerHello", "clear")
  at("client", "EncryptedExtensions", "handshake")
  at("client", "Finished", "handshake")
  at("server", "ClientHello", "clear")
  at("server", "SecondHello", "clear", { server: { groups: ["secp256r1"] } })
})

describe("R8446-4.4.4-03: after its Finished a server uses the keys of the application", () => {
  at("server", "Certificate", "application", { asks: "request" })
  at("server", "CertificateVerify", "application", { asks: "request" })
  at("server", "Finished", "application")
})
