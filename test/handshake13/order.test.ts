/** Every message at every place where another one is due: RFC 8446 sections 2, 4 and 5.1, and DESIGN's law 10. */
import { concat } from "../../src/wire/Bytes.ts"
import { ContentType } from "../../src/wire/CodePoints.ts"
import { ends, refuses, type Row } from "./conversation.ts"
import type { Puppet, Side } from "./puppet.ts"
import type { Moves, Script, Unit } from "./stories.ts"

const { alert, application_data, handshake } = ContentType

interface Place {
  readonly subject: Side
  readonly unit: Unit
  /** Types of messages that are in order here. */
  readonly due: ReadonlyArray<number>
  readonly script: Script
  readonly setting: NonNullable<Row[2]>
  readonly version: "undecided" | "1.3"
}

const place = (
  subject: Side,
  unit: Unit,
  due: ReadonlyArray<number>,
  rest: Partial<Pick<Place, "script" | "setting" | "version">> = {}
): Place => ({ subject, unit, due, script: {}, setting: {}, version: "1.3", ...rest })

const retrying = { server: { groups: ["secp256r1"] } } as const
const only13 = { client: { versions: ["1.3"] }, server: { versions: ["1.3"] } } as const

const places: ReadonlyArray<Place> = [
  place("client", "ServerHello", [2], { version: "undecided", setting: only13 }),
  place("client", "EncryptedExtensions", [8]),
  place("client", "CertificateRequest", [11, 13], { script: { asks: true } }),
  place("client", "Certificate", [11], { script: { asks: true } }),
  place("client", "CertificateVerify", [15]),
  place("client", "Finished", [20]),
  place("client", "Finished", [20], { setting: { remembers: true } }),
  place("server", "ClientHello", [1], { version: "undecided" }),
  place("server", "ClientHello", [1], { version: "undecided", setting: only13 }),
  place("server", "SecondHello", [1], { setting: retrying }),
  place("server", "Certificate", [11], { setting: { asks: "request" } }),
  place("server", "CertificateVerify", [15], { setting: { asks: "request" } }),
  place("server", "Finished", [20])
]

const nameOf = ({ script, setting, subject, unit }: Place): string =>
  `the ${subject} waits for ${unit}${setting.remembers === true ? " of a resumption" : ""}${
    script.asks === true ? ", asked" : ""
  }${setting === only13 ? ", in TLS 1.3 alone" : ""}`

/** Something else, and nothing after it. */
const instead = ({ script, unit }: Place, act: (puppet: Puppet) => void): Script => {
  const moves: Moves = {
    [unit]: (puppet: Puppet) => {
      act(puppet)
      puppet.stop()
    }
  }
  return { ...script, moves }
}

const types: ReadonlyArray<readonly [name: string, type: number, ...body: ReadonlyArray<number>]> = [
  ["HelloRequest", 0],
  ["ClientHello", 1, 3, 3],
  ["ServerHello", 2, 3, 3],
  ["NewSessionTicket", 4, 0, 0, 0, 1],
  ["EndOfEarlyData", 5],
  ["EncryptedExtensions", 8, 0, 0],
  ["Certificate", 11, 0, 0, 0, 0],
  ["ServerKeyExchange", 12, 3, 0, 29],
  ["CertificateRequest", 13, 0, 0, 0],
  ["ServerHelloDone", 14],
  ["CertificateVerify", 15, 4, 3, 0, 0],
  ["ClientKeyExchange", 16, 0],
  ["Finished", 20, ...new Uint8Array(32)],
  ["KeyUpdate", 24, 0],
  ["CompressedCertificate", 25, 0],
  ["message_hash", 254, ...new Uint8Array(32)],
  ["a type that nobody knows", 99, 0]
]

for (const where of places) {
  const { due, setting, subject } = where
  refuses(
    `R8446-4-01, R8446-4.5-01, R8446-4.5-02, R8446-4.6.3-01, R8446-6.2-08: ${nameOf(where)}, and gets another message`,
    subject,
    "10 MessageUnexpected",
    types.filter(([, type]) => !due.includes(type)).map(([name, ...bytes]) => {
      const [type, ...content] = bytes
      const message = Uint8Array.of(type, 0, 0, content.length, ...content)
      return [name, instead(where, (puppet) => puppet.blurt(message)), setting] as const
    })
  )
  refuses(`R8446-6.2-08: ${nameOf(where)}, and gets application data`, subject, "10 MessageUnexpected", [
    ["under the keys of the handshake", instead(where, (puppet) => puppet.record(application_data, [1, 2, 3])), setting]
  ])
}

const atDisguise = places.filter(({ unit }) => unit !== "ClientHello")

for (const where of atDisguise) {
  const { setting, subject } = where
  ends(`R8446-5-02, R8446-D.4-01: ${nameOf(where)}, and a ChangeCipherSpec is dropped`, subject, [
    [
      "one",
      {
        ...where.script,
        moves: {
          [where.unit]: (puppet: Puppet, message: Parameters<Puppet["encode"]>[0]) => {
            puppet.ccs()
            puppet.say(message)
          }
        }
      },
      setting,
      "clean",
      ["application 1/0"],
      "hello"
    ]
  ])
}

/** What the alerts of the peer come to. The level counts where the version may still be TLS 1.2, and not in TLS 1.3. */
for (const where of places) {
  const { setting, subject, version } = where
  const is13 = version === "1.3" || setting === only13
  const says = (...alerts: ReadonlyArray<readonly [number, number]>) =>
    instead(where, (puppet) => {
      for (const [level, code] of alerts) puppet.alert(level, code)
    })
  const epoch = subject === "client"
    ? where.unit === "ServerHello" ? "clear" : "handshake"
    : where.unit === "ClientHello" || where.unit === "SecondHello"
    ? "clear"
    : "application"
  const received = (level: string | number, code: number) => `AlertReceived ${level} ${code} handshaking ${version}`
  const closed = `HandshakeAborted close_notify ${version}`
  const cancelled = `HandshakeAborted user_canceled ${version}`
  ends(`R8446-6-01, R8446-6-09, R8446-6-10, R8446-6.2-01, R8446-6.2-06: ${nameOf(where)}, and gets an alert`, subject, [
    ["fatal", says([2, 40]), setting, received("fatal", 40), []],
    ["fatal, with an unknown code", says([2, 200]), setting, received("fatal", 200), []],
    ["close_notify", says([1, 0]), setting, closed, [`${epoch} 1/0`]],
    ["user_canceled and close_notify", says([1, 90], [1, 0]), setting, cancelled, [`${epoch} 1/0`]],
    ...is13
      ? [
        ["a warning", says([1, 40]), setting, received("warning", 40), []] as const,
        ["at level 0", says([0, 10]), setting, received(0, 10), []] as const,
        ["at level 255, with an unknown code", says([255, 199]), setting, received(255, 199), []] as const,
        ["close_notify at level 0", says([0, 0]), setting, closed, [`${epoch} 1/0`]] as const,
        ["user_canceled and close_notify at level 2", says([2, 90], [2, 0]), setting, cancelled, [
          `${epoch} 1/0`
        ]] as const,
        [
          "two in one record",
          instead(where, (puppet) => puppet.record(alert, [1, 90, 1, 0])),
          setting,
          `AlertSent 50 AlertMalformed handshaking ${version}`,
          [`${epoch} 2/50`]
        ] as const
      ]
      : []
  ])
  const cut = (by: "fin" | "reset") => instead(where, (puppet) => puppet.cutLater(by))
  // A client has something to write once it has the ServerHello.
  const isWriting = epoch === "handshake"
  ends(`R8446-6.1-06: ${nameOf(where)}, and the transport ends`, subject, [
    ["in order", cut("fin"), setting, `Truncated fin after 0 handshaking ${version}`, []],
    [
      "by a reset",
      cut("reset"),
      setting,
      isWriting ? "TransportFailed" : `Truncated reset after 0 handshaking ${version}`,
      []
    ]
  ])
}

const skipping = (unit: Unit, more: Moves = {}): Script => ({
  moves: { [unit]: (puppet: Puppet, message: Parameters<Puppet["encode"]>[0]) => void puppet.mean(message), ...more }
})
const twice = (unit: Unit): Script => ({
  moves: {
    [unit]: (puppet: Puppet, message: Parameters<Puppet["encode"]>[0]) => {
      puppet.say(message)
      puppet.say(message)
    }
  }
})
const asking = { asks: "request" } as const

refuses("R8446-4-01: a client, and a message is left out or said twice", "client", "10 MessageUnexpected", [
  ...(["EncryptedExtensions", "Certificate", "CertificateVerify"] as const).map((unit) =>
    [`without ${unit}`, skipping(unit)] as const
  ),
  ["without Certificate and CertificateVerify", {
    moves: { ...skipping("Certificate").moves, ...skipping("CertificateVerify").moves }
  }],
  ...(["EncryptedExtensions", "Certificate", "CertificateVerify"] as const).map((unit) =>
    [`${unit} twice`, twice(unit)] as const
  ),
  ["Certificate before EncryptedExtensions", {
    moves: {
      EncryptedExtensions: (puppet) => puppet.blurt(Uint8Array.of(11, 0, 0, 4, 0, 0, 0, 0))
    }
  }],
  ["a CertificateRequest in a resumption", { asks: true }, { remembers: true }],
  ["a Certificate in a resumption", {
    moves: { Finished: (puppet) => puppet.blurt(Uint8Array.of(11, 0, 0, 4, 0, 0, 0, 0)) }
  }, { remembers: true }]
])

refuses("R8446-4-01: a server, and a message is left out or said twice", "server", "10 MessageUnexpected", [
  ["without Certificate", skipping("Certificate"), asking],
  ["without CertificateVerify", skipping("CertificateVerify"), asking],
  ["without both", { moves: { ...skipping("Certificate").moves, ...skipping("CertificateVerify").moves } }, asking],
  ["Certificate twice", twice("Certificate"), asking],
  ["CertificateVerify twice", twice("CertificateVerify"), asking],
  ["a CertificateVerify without a certificate", {
    isShy: true,
    moves: { Finished: (puppet) => puppet.blurt(Uint8Array.of(15, 0, 0, 4, 4, 3, 0, 0)) }
  }, asking],
  ["a certificate that nobody asked for", {
    moves: { Finished: (puppet) => puppet.blurt(Uint8Array.of(11, 0, 0, 4, 0, 0, 0, 0)) }
  }],
  ["a second ClientHello that nobody asked for", {
    isBare: true,
    moves: {
      ClientHello: (puppet, _) => {
        puppet.say(_)
        puppet.blurt(_)
      }
    }
  }]
])

for (const subject of ["client", "server"] as const) {
  refuses(
    `R8446-5.2-02: to the ${subject}, the Finished of the other side and its keys do not go together`,
    subject,
    "20 BadRecordMac",
    [
      ["it is left out, and data comes", {
        moves: {
          Finished: (puppet, message) => {
            puppet.mean(message)
            puppet.write("application", puppet.application()[puppet.side])
            puppet.data("too early")
            puppet.stop()
          }
        }
      }],
      ["it comes again, under the keys of the handshake", {
        moves: {
          Finished: (puppet, message) => {
            puppet.say(message)
            puppet.blurt(message)
          }
        }
      }]
    ]
  )
}

/** The message, and more in its record. */
const joined = (unit: Unit, ...more: ReadonlyArray<number>): Script => ({
  moves: {
    [unit]: (puppet: Puppet, message: Parameters<Puppet["encode"]>[0]) => {
      puppet.record(handshake, concat([puppet.mean(message), Uint8Array.from(more)]))
    }
  }
})

refuses(
  "R8446-5.1-02: a message before new keys ends with its record, to a client",
  "client",
  "10 KeyChangeInsideMessage",
  [
    ["ServerHello, and a byte", joined("ServerHello", 8)],
    ["ServerHello, and a whole EncryptedExtensions", joined("ServerHello", 8, 0, 0, 2, 0, 0)],
    ["Finished, and a byte", joined("Finished", 4)],
    ["Finished, and a whole ticket", joined("Finished", 4, 0, 0, 0)]
  ]
)

refuses("R8446-5.1-02: and to a server", "server", "10 KeyChangeInsideMessage", [
  ["ClientHello, and a byte", joined("ClientHello", 20)],
  ["ClientHello, and a whole Finished", joined("ClientHello", 20, 0, 0, 0)],
  ["Finished, and a byte", joined("Finished", 24)],
  ["Finished, and a whole KeyUpdate", joined("Finished", 24, 0, 0, 1, 0)]
])
