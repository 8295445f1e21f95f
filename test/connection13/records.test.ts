/** The record layer of an open connection, and of a handshake: RFC 8446 sections 5 to 5.5. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ContentType } from "../../src/wire/CodePoints.ts"
import { flipBits, headerLength, makeRecord } from "../harness/TlsRecords.ts"
import { accepts, conversation, converse, ends, refuses } from "../handshake13/conversation.ts"
import type { Puppet } from "../handshake13/puppet.ts"
import { greets, type Script } from "../handshake13/stories.ts"

const { alert, application_data, change_cipher_spec, handshake } = ContentType
const sides = ["client", "server"] as const

/** On the open connection: something, and then what an honest peer says. */
const opened = (act: (puppet: Puppet) => void): Script => ({
  open: (puppet) => {
    act(puppet)
    return greets(puppet)
  }
})

/** In the handshake, where the subject has keys and waits for a message under them. */
const midway = (act: (puppet: Puppet) => void): Script => ({
  moves: {
    EncryptedExtensions: (puppet, _) => {
      act(puppet)
      puppet.say(_)
    },
    Finished: (puppet, _) => {
      if (puppet.side === "client") act(puppet)
      puppet.say(_)
    }
  }
})

/** Before anything else that the puppet says. */
const first = (act: (puppet: Puppet) => void): Script => ({
  moves: {
    ClientHello: (puppet, _) => {
      act(puppet)
      puppet.say(_)
    },
    ServerHello: (puppet, _) => {
      act(puppet)
      puppet.say(_)
    }
  }
})

type Act = readonly [what: string, act: (puppet: Puppet) => void]
const at = (where: string, wrap: (act: (puppet: Puppet) => void) => Script, acts: ReadonlyArray<Act>) =>
  acts.map(([what, act]) => [`${where}: ${what}`, wrap(act)] as const)

const clear = (type: number, ...content: ReadonlyArray<number>): Act => [
  `[${content.join(" ")}] in the clear`,
  (puppet) => puppet.clear(type, content)
]
const inner = (type: number, content: ReadonlyArray<number>, padding = 0): Act => [
  `${content.length} bytes of type ${type}, and ${padding} zeros`,
  (puppet) => puppet.record(type, content, padding)
]

for (const side of sides) {
  refuses(
    `R8446-5-01, R8446-D.4-01: to the ${side}, a ChangeCipherSpec that is not the byte 1`,
    side,
    "10 ChangeCipherSpecMalformed",
    [
      ...at("handshake", midway, [
        clear(change_cipher_spec, 2),
        clear(change_cipher_spec, 0),
        clear(change_cipher_spec, 1, 1),
        clear(change_cipher_spec)
      ]),
      ...at("open", opened, [clear(change_cipher_spec, 2)])
    ]
  )

  refuses(
    `R8446-5-01, R8446-5-03: to the ${side}, a ChangeCipherSpec where there is none`,
    side,
    "10 MessageUnexpected",
    [
      ...at("handshake", midway, [["protected", (puppet) => puppet.record(change_cipher_spec, [1])]]),
      ...at("open", opened, [
        ["protected", (puppet) => puppet.record(change_cipher_spec, [1])],
        ["after the Finished of the peer", (puppet) => puppet.ccs()]
      ])
    ]
  )

  refuses(`R8446-5-04: to the ${side}, a record of a type that there is not`, side, "10 RecordTypeUnknown", [
    ...at(
      "first",
      first,
      [0, 19, 24, 25, 99, 255].map((type) => [`type ${type}`, (puppet) => puppet.raw(type, 3, 3, 0, 1, 1)])
    ),
    ...at(
      "handshake",
      midway,
      [0, 24, 99].map((type) => [`type ${type}`, (puppet) => puppet.raw(type, 3, 3, 0, 1, 1)])
    ),
    ...at("open", opened, [24, 99].map((type) => [`type ${type}`, (puppet) => puppet.raw(type, 3, 3, 0, 1, 1)]))
  ])

  refuses(`R8446-5-04: to the ${side}, and one inside a protected record`, side, "10 MessageUnexpected", [
    ...at("handshake", midway, [24, 99, 255].map((type) => inner(type, [1]))),
    ...at("open", opened, [24, 99, 255].map((type) => inner(type, [1])))
  ])

  refuses(`R8446-5-04: to the ${side}, what is not protected any more`, side, "10 MessageUnexpected", [
    ...at("handshake", midway, [clear(handshake, 8, 0, 0, 2, 0, 0)]),
    ...at("open", opened, [clear(handshake, 24, 0, 0, 1, 0)])
  ])

  refuses(`R8446-5.1-03, R8446-5.4-01: to the ${side}, an empty handshake record`, side, "10 RecordEmpty", [
    ...at("first", first, [clear(handshake)]),
    ...at("handshake", midway, [inner(handshake, []), inner(handshake, [], 16)]),
    ...at("open", opened, [inner(handshake, []), inner(handshake, [], 1)])
  ])

  refuses(`R8446-5.4-01: to the ${side}, an empty alert record`, side, "10 AlertEmpty", [
    ...at("first", first, [clear(alert)]),
    ...at("handshake", midway, [inner(alert, []), inner(alert, [], 16)]),
    ...at("open", opened, [inner(alert, []), inner(alert, [], 1)])
  ])

  refuses(`R8446-5.1-04: to the ${side}, an alert that is cut, or that shares its record`, side, "50 AlertMalformed", [
    ...at("handshake", midway, [inner(alert, [1]), inner(alert, [1, 0, 0]), inner(alert, [1, 90, 1, 0])]),
    ...at("open", opened, [inner(alert, [2]), inner(alert, [1, 0, 1]), inner(alert, [1, 90, 1, 0], 9)])
  ])

  /** The beginning of a message that comes to nothing. */
  const begun = (then: (puppet: Puppet) => void): Act[1] => (puppet) => {
    puppet.record(handshake, [24, 0, 0])
    then(puppet)
  }
  refuses(`R8446-5.1-01: to the ${side}, what comes inside a handshake message`, side, "10 RecordInterleaved", [
    ...at("handshake", midway, [["data", begun((puppet) => puppet.data("x"))], [
      "ChangeCipherSpec",
      begun((puppet) => puppet.ccs())
    ]]),
    ...at("open", opened, [["data", begun((puppet) => puppet.data("x"))], [
      "empty data",
      begun((puppet) => puppet.data(""))
    ]])
  ])
  ends(`R8446-5.1-01: to the ${side}, an alert inside a handshake message is read as what it says`, side, [
    ["fatal", opened(begun((puppet) => puppet.alert(2, 80))), {}, "AlertReceived fatal 80 established 1.3", []],
    [
      "close_notify",
      { open: (puppet) => Effect.sync(() => begun((puppet) => puppet.closeNotify())(puppet)) },
      {},
      "clean",
      ["application 1/0"]
    ]
  ])

  refuses(
    `R8446-5.1-05, R8446-5.2-01, R8446-5.2-03, R8446-6.2-10: to the ${side}, a record that is too long, at its header`,
    side,
    "22 RecordTooLong",
    [
      ...at("first", first, [["2^14 + 1", (puppet) => puppet.raw(22, 3, 3, 0x40, 0x01)], [
        "65535",
        (puppet) => puppet.raw(22, 3, 3, 0xff, 0xff)
      ]]),
      ...at("handshake", midway, [["2^14 + 257", (puppet) => puppet.raw(23, 3, 3, 0x41, 0x01)]]),
      ...at("open", opened, [["2^14 + 257", (puppet) => puppet.raw(23, 3, 3, 0x41, 0x01)], [
        "65535",
        (puppet) => puppet.raw(23, 3, 3, 0xff, 0xff)
      ]])
    ]
  )

  const full = 2 ** 14
  refuses(
    `R8446-5.2-04, R8446-6.2-10: to the ${side}, content, type and padding of more than 2^14 + 1 bytes`,
    side,
    "22 RecordTooLong",
    [
      ...at("open", opened, [
        inner(application_data, Array.from({ length: full + 1 }, () => 65)),
        inner(application_data, Array.from({ length: full }, () => 65), 1),
        inner(application_data, [65], full),
        inner(application_data, [], full + 1)
      ])
    ]
  )
  conversation(`R8446-5.2-04: the ${side} takes up to that many`, (all) =>
    Effect.gen(function*() {
      const script = opened((puppet) => {
        puppet.record(application_data, new Uint8Array(full).fill(65))
        puppet.record(application_data, [66], full - 1)
        puppet.record(application_data, [], full)
      })
      const { data, failure } = yield* converse(all, { subject: side, script })
      assert.strictEqual(failure, "clean")
      assert.strictEqual(data, `${"A".repeat(full)}Bhello`)
    }))

  refuses(`R8446-5.4-02: to the ${side}, nothing but zeros`, side, "10 MessageUnexpected", [
    ...at("handshake", midway, [inner(0, []), inner(0, [], 31)]),
    ...at("open", opened, [inner(0, []), inner(0, [], 1), inner(0, [], 1000), inner(0, [], full)])
  ])

  /** A record of data with a bit turned. */
  const turned = (offset: number, mask = 1): Act => [`bit ${mask} of byte ${offset}`, (puppet) => {
    puppet.bytes(flipBits(puppet.sealNext(application_data, new TextEncoder().encode("some data")), offset, mask))
  }]
  refuses(
    `R8446-5.2-02, R8446-6.2-09, R8446-E.4-01: to the ${side}, a record that does not open, whatever is wrong with it`,
    side,
    "20 BadRecordMac",
    [
      ...at("open", opened, [
        turned(1),
        turned(2),
        turned(2, 4),
        ...[headerLength, headerLength + 5, headerLength + 9, headerLength + 10, -16, -1].map((offset) =>
          turned(offset, 0x80)
        ),
        ["a byte too short", (puppet) => {
          const record = puppet.sealNext(application_data, [1, 2, 3])
          puppet.bytes(makeRecord(application_data, record.subarray(headerLength, -1)))
        }],
        ["a byte too long", (puppet) => {
          const record = puppet.sealNext(application_data, [1, 2, 3])
          puppet.bytes(makeRecord(application_data, Uint8Array.of(...record.subarray(headerLength), 0)))
        }],
        ["no byte", (puppet) => puppet.raw(23, 3, 3, 0, 0)],
        ["16 bytes", (puppet) => puppet.bytes(makeRecord(application_data, new Uint8Array(16)))],
        ["17 bytes of noise", (puppet) => puppet.bytes(makeRecord(application_data, new Uint8Array(17).fill(9)))],
        ["a record again", (puppet) => {
          const record = puppet.sealNext(application_data, [])
          puppet.bytes(record)
          puppet.bytes(record)
        }],
        ["a record is missing", (puppet) => void puppet.sealNext(application_data, [1])],
        ["under the keys of the handshake", (puppet) => {
          const keys = puppet.writing
          const traffic = puppet.secrets?.[puppet.side]
          assert(traffic !== undefined)
          puppet.write("handshake", traffic)
          puppet.data("too late")
          puppet.writing = keys
        }]
      ]),
      ...at("handshake", midway, [[
        "noise",
        (puppet) => puppet.bytes(makeRecord(application_data, new Uint8Array(60)))
      ]])
    ]
  )

  const empty = (count: number) =>
    opened((puppet) => {
      for (let i = 0; i < count; i++) puppet.record(application_data, [], i)
    })
  refuses(`a flood of empty records of data, padded or not, to the ${side}`, side, "10 EmptyRecordFlood", [[
    "33 in a row",
    empty(33)
  ]])
  accepts(`and the ${side} bears a few`, side, [["32 in a row", empty(32)]])

  accepts(`R8446-5.4-03: the ${side} takes what is padded`, side, [
    ["data and alerts", {
      open: (puppet) =>
        Effect.sync(() => {
          puppet.record(application_data, new TextEncoder().encode("hel"), 1)
          puppet.record(application_data, new TextEncoder().encode("lo"), 1000)
          puppet.record(alert, [1, 0], 300)
        })
    }],
    ["messages of the handshake", {
      moves: {
        Finished: (puppet, _) => puppet.record(handshake, puppet.mean(_), 777),
        EncryptedExtensions: (puppet, _) => puppet.record(handshake, puppet.mean(_), 1)
      }
    }]
  ])
}

refuses("R8446-5-03: a ChangeCipherSpec before the first ClientHello", "server", "10 MessageUnexpected", [
  ["of one byte 1", first((puppet) => puppet.ccs())]
])

describe("R8446-5.1-06: the version of a record in the clear says nothing", () => {
  const labelled = (version: number, type: number, content: Uint8Array) => {
    const record = makeRecord(type, content)
    record.set([version >> 8, version & 255], 1)
    return record
  }
  const hello = (version: number): Script => ({
    moves: {
      ClientHello: (puppet, _) => puppet.bytes(labelled(version, handshake, puppet.mean(_))),
      ServerHello: (puppet, _) => puppet.bytes(labelled(version, handshake, puppet.mean(_)))
    }
  })
  for (const side of sides) {
    accepts(
      `to the ${side}`,
      side,
      [0x0300, 0x0301, 0x0302, 0x0304, 0x03ff].map((version) => [`0x${version.toString(16)}`, hello(version)] as const)
    )
  }
  accepts(
    "of a second hello: no version at all",
    "server",
    [0xffff, 0x0000, 0x0200].map((version) =>
      [
        `0x${version.toString(16).padStart(4, "0")}`,
        {
          moves: { SecondHello: (puppet, _) => puppet.bytes(labelled(version, handshake, puppet.mean(_))) }
        } satisfies Script,
        { server: { groups: ["secp256r1"] } } as const
      ] as const
    )
  )
  conversation("ours is 3.3, but that of a first ClientHello", (all) =>
    Effect.gen(function*() {
      for (const subject of sides) {
        const { puppet } = yield* converse(all, { subject, script: {} })
        for (const [index, { record }] of puppet.heard.entries()) {
          assert.deepStrictEqual([record[1], record[2]], [3, subject === "client" && index === 0 ? 1 : 3])
        }
      }
    }))
})

describe("messages in pieces", () => {
  const split = (size: number) => (puppet: Puppet, _: Parameters<Puppet["encode"]>[0]) => {
    const bytes = puppet.mean(_)
    for (let at = 0; at < bytes.length; at += size) puppet.record(handshake, bytes.subarray(at, at + size))
  }
  for (const size of [1, 3, 50]) {
    const move = split(size)
    accepts(`of ${size} bytes a record, to the client`, "client", [
      ["all of them", {
        moves: {
          ServerHello: move,
          EncryptedExtensions: move,
          Certificate: move,
          CertificateVerify: move,
          Finished: move
        }
      }]
    ])
    accepts(`of ${size} bytes a record, to the server`, "server", [
      ["all of them", {
        moves: { ClientHello: move, SecondHello: move, Certificate: move, CertificateVerify: move, Finished: move }
      }, {
        server: { groups: ["secp256r1"] },
        asks: "require"
      }]
    ])
  }
  accepts("several in one record", "client", [
    ["all that are protected", {
      moves: (() => {
        let flight: Uint8Array = new Uint8Array(0)
        const gather = (puppet: Puppet, _: Parameters<Puppet["encode"]>[0]) => {
          flight = Uint8Array.of(...flight, ...puppet.mean(_))
        }
        return {
          EncryptedExtensions: gather,
          Certificate: gather,
          CertificateVerify: gather,
          Finished: (puppet, _) => {
            gather(puppet, _)
            puppet.record(handshake, flight)
          }
        }
      })()
    }]
  ])
})

describe("R8446-5.4-03: what we send is padded by the record layer, whatever it is", () => {
  for (const subject of sides) {
    conversation(`the ${subject}, to a multiple of 128 bytes`, (all) =>
      Effect.gen(function*() {
        const options = { recordPadding: 128 }
        const { puppet } = yield* converse(all, { subject, script: {}, client: options, server: options })
        const protectedOnes = puppet.heard.filter(({ epoch }) => epoch !== "clear")
        assert.includeMembers(protectedOnes.map(({ type }) => type), [alert, handshake])
        for (const { content, padding } of protectedOnes) assert.strictEqual((content.length + 1 + padding) % 128, 0)
      }))
  }
})
