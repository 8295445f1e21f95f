import * as NodeSocket from "@effect/platform-node/NodeSocket"
import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Socket from "effect/socket/Socket"
import { descriptionOf } from "../../src/alert/Alert.ts"
import { answer, type Version } from "../../src/alert/Answer.ts"
import { entries, entryOf } from "../../src/alert/Catalogue.ts"
import { describe as describeFault, type Fault } from "../../src/alert/Fault.ts"
import {
  alertReceived,
  alertSent,
  ConnectionClosed,
  type ErrorPhase,
  HandshakeAborted,
  InvalidOption,
  TlsError,
  TransportFailed,
  Truncated
} from "../../src/alert/TlsError.ts"
import { freePort } from "../harness/FreePort.ts"
import { faults } from "./faults.ts"
import { everyByte } from "./registry.ts"
import { assertSentences } from "./sentence.ts"

const phases: ReadonlyArray<ErrorPhase> = ["handshaking", "established", "closing"]
const versions: ReadonlyArray<Version> = ["1.2", "1.3", "undecided"]

const where = {
  handshaking: "during the handshake",
  established: "after the handshake",
  closing: "after our close_notify"
}

const named = (version: Version): string => version === "undecided" ? "TLS" : `TLS ${version}`

const received = everyByte.slice(1).flatMap((code) => {
  const description = descriptionOf(code)
  if (description === "close_notify") return []
  return phases.flatMap((phase) =>
    versions.flatMap((version) =>
      (["warning", "fatal", 7] as const).map((level) => alertReceived({ level, description }, phase, version))
    )
  )
})

const sent = faults.flatMap((fault) =>
  phases.flatMap((phase) => versions.map((version) => alertSent(fault, phase, version)))
)

const refused = new Error("connect ECONNREFUSED 192.0.2.1:443")

const others: ReadonlyArray<TlsError> = [
  ...phases.flatMap((phase) =>
    versions.flatMap((version) =>
      (["fin", "reset"] as const).flatMap((by) =>
        [true, false].map((midRecord) => new Truncated({ by, bytesRead: 1234, midRecord, phase, version }))
      )
    )
  ),
  ...phases.flatMap((phase) =>
    (["open", "write"] as const).map((operation) => new TransportFailed({ operation, cause: refused, phase }))
  ),
  ...versions.flatMap((version) =>
    (["close_notify", "user_canceled", "timeout"] as const).map((by) => new HandshakeAborted({ by, version }))
  ),
  new ConnectionClosed({ by: "local" }),
  new ConnectionClosed({ by: "peer" }),
  new InvalidOption({ option: "alpnProtocols", why: "a protocol name is empty" })
]

const all: ReadonlyArray<TlsError> = [...received, ...sent, ...others]

describe("Schema", () => {
  it("every error goes through JSON and comes back", () => {
    const codec = Schema.toCodecJson(TlsError)
    const encode = Schema.encodeSync(codec)
    const decode = Schema.decodeUnknownSync(codec)
    const tags = new Set<string>()
    for (const error of all) {
      const back = decode(JSON.parse(JSON.stringify(encode(error))))
      tags.add(back._tag)
      assert.strictEqual(back.constructor, error.constructor)
      assert.strictEqual(back.message, error.message)
      assert.deepStrictEqual(encode(back), encode(error))
    }
    assert.strictEqual(tags.size, 7)
  })

  it("a fault that is no fault does not decode", () => {
    const decode = Schema.decodeUnknownExit(Schema.toCodecJson(TlsError))
    const plain = { _tag: "AlertSent", phase: "handshaking", version: "1.2" }
    const fault = { _tag: "BadRecordMac" }
    assert.strictEqual(decode({ ...plain, reason: { _tag: "BadRecordMac" }, fault })._tag, "Success")
    assert.strictEqual(decode({ ...plain, reason: { _tag: "BadRecordMac" }, fault: { _tag: "Bad" } })._tag, "Failure")
    assert.strictEqual(decode({ ...plain, reason: { _tag: "NoRenegotiation" }, fault })._tag, "Failure")
    assert.strictEqual(decode({ ...plain, reason: { _tag: "UnknownAlert", code: 200 }, fault })._tag, "Failure")
  })

  it("an unknown code is a byte", () => {
    const decode = Schema.decodeUnknownExit(Schema.toCodecJson(TlsError))
    for (const [code, outcome] of [[0, "Success"], [255, "Success"], [256, "Failure"], [-1, "Failure"]] as const) {
      const error = { reason: { _tag: "UnknownAlert", code }, level: "fatal", phase: "handshaking", version: "1.2" }
      assert.strictEqual(decode({ _tag: "AlertReceived", ...error })._tag, outcome, `${code}`)
    }
  })
})

describe("messages", () => {
  it("every error prints readable sentences", () => {
    for (const error of all) assertSentences(error.message)
  })

  it("AlertReceived names who, alert and code, level, phase, meaning and advice", () => {
    for (const error of received) {
      const { _tag } = error.reason
      const entry = error.reason._tag === "UnknownAlert"
        ? entryOf(error.reason.code)
        : entries.find(({ name }) => name.replaceAll("_", "").toLowerCase() === _tag.toLowerCase())
      assert(entry !== undefined, _tag)
      const meaning = entry.meaning.slice(1, -1)
      const words = [
        `The peer ended the ${named(error.version)} connection ${where[error.phase]} `,
        ` ${error.level} alert ${entry.name} (${entry.code}): `,
        `${meaning}. ${entry.advice}`
      ]
      for (const word of words) assert.include(error.message, word)
    }
  })

  it("AlertSent names who, alert and code, phase, cause and advice", () => {
    for (const error of sent.filter(({ phase }) => phase !== "closing")) {
      const entry = entryOf(answer(error.fault, error.version))
      assert.strictEqual(
        error.message,
        `We ended the ${named(error.version)} connection ${where[error.phase]} with the fatal alert ` +
          `${entry.name} (${entry.code}), because ${describeFault(error.fault)}. ${entry.advice}`
      )
    }
  })

  it("after our close_notify it does not claim that the peer was told", () => {
    for (const error of sent.filter(({ phase }) => phase === "closing")) {
      const entry = entryOf(answer(error.fault, error.version))
      assert.include(error.message, `because ${describeFault(error.fault)}. `)
      const told = `The alert ${entry.name} (${entry.code}) that this deserves could no longer be sent. ${entry.advice}`
      assert.isTrue(error.message.endsWith(`. ${told}`), error.message)
      assert.notMatch(error.message, /^We ended/)
    }
  })

  it("a fault tells each of its facts", () => {
    for (const fault of faults) {
      const sentence = describeFault(fault)
      // A clause: no capital but that of a name, and no full stop.
      assert.match(sentence, /[a-zA-Z\d]$/)
      const [first = ""] = sentence.split(" ")
      assert.isTrue(/^[a-z\d]/.test(first) || Object.values(fault).includes(first), sentence)
      for (const [field, value] of Object.entries(fault)) {
        // The depth of a leaf is left out, the version of a record is told in hexadecimal, and an alert is told by the error.
        if (field === "_tag" || field === "alert" || field === "depth" && value === 0) continue
        const told = fault._tag === "RecordVersionWrong" ? ["0x0200"] : [value].flat()
        for (const fact of told) assert.include(sentence, String(fact), fault._tag)
      }
    }
  })

  it("a record that begins with a character tells which: it is a protocol in the clear", () => {
    const told = (contentType: number) => describeFault({ _tag: "RecordTypeUnknown", contentType })
    for (const character of ["!", "G", "H", "~"]) {
      assert.match(told(character.charCodeAt(0)), new RegExp(`character ${character}$`))
    }
    for (const contentType of [0, 19, 24, 0x20, 0x7f, 255]) {
      assert.include(told(contentType), `content type ${contentType}`)
    }
  })

  it("Truncated tells how the transport ended, where, and after how much", () => {
    const error = new Truncated({ by: "reset", bytesRead: 99, midRecord: true, phase: "established", version: "1.2" })
    assert.match(
      error.message,
      /^The peer reset the transport in the middle of a record after the handshake without close_notify, after 99 /
    )
    const atBoundary = new Truncated({ ...error, by: "fin", midRecord: false })
    assert.match(atBoundary.message, /^The peer closed the transport after the handshake without close_notify/)
  })

  it("HandshakeAborted tells who gave up, with which alert and code, and what can be done", () => {
    const told = (by: HandshakeAborted["by"], version: Version) => new HandshakeAborted({ by, version }).message
    assert.strictEqual(
      told("close_notify", "undecided"),
      "The peer ended the TLS connection during the handshake with the alert close_notify (0), before it was done and " +
        "without an error. Try again later."
    )
    assert.strictEqual(
      told("user_canceled", "1.2"),
      "The peer ended the TLS 1.2 connection during the handshake with the warning user_canceled (90) and close_notify: " +
        "the handshake was given up for a reason outside of the protocol. " +
        "Find out who gave it up, such as a user or a time limit, and try again later."
    )
    assert.strictEqual(
      told("timeout", "1.3"),
      "This side gave up the TLS 1.3 handshake, because it took longer than allowed. " +
        "Check that the peer speaks TLS, and try again."
    )
  })

  it("InvalidOption tells which option, why, that nothing was sent, and what can be done", () => {
    assert.strictEqual(
      new InvalidOption({ option: "alpnProtocols", why: "a protocol name is empty" }).message,
      "The option alpnProtocols cannot be used: a protocol name is empty. Nothing was sent. Give it another value."
    )
  })

  it("no error has a place for bytes, so that no secret gets into one", () => {
    type Values<A> = A extends unknown ? A[keyof A] : never
    type Tagged = { readonly _tag: string }
    type Encoded = Exclude<typeof TlsError["Encoded"], { readonly _tag: "TransportFailed" }>
    expectTypeOf<Values<Fault>>().toEqualTypeOf<string | number | ReadonlyArray<string>>()
    expectTypeOf<Exclude<Values<Encoded>, Tagged>>().toEqualTypeOf<string | number | boolean>()
    expectTypeOf<Values<Extract<Values<Encoded>, Tagged>>>().toEqualTypeOf<string | number | ReadonlyArray<string>>()
    const withKey = { _tag: "BadRecordMac", key: Uint8Array.of(1, 2, 3) } as const
    const encoded = Schema.encodeSync(Schema.toCodecJson(TlsError))(alertSent(withKey, "established", "1.2"))
    assert.notInclude(JSON.stringify(encoded), "key")
  })
})

describe("TransportFailed", () => {
  it("prints the root cause below Effect's own errors", () => {
    const cause = new Socket.SocketError({ reason: new Socket.SocketOpenError({ kind: "Unknown", cause: refused }) })
    const error = new TransportFailed({ operation: "open", cause, phase: "handshaking" })
    assert.strictEqual(
      error.message,
      "The transport could not be opened: connect ECONNREFUSED 192.0.2.1:443. " +
        "Check the address and the network, and try again."
    )
    const write = new Socket.SocketError({ reason: new Socket.SocketWriteError({ cause: new Error("write EPIPE.") }) })
    const written = new TransportFailed({ operation: "write", cause: write, phase: "established" })
    assert.match(written.message, /^The transport failed while writing after the handshake: write EPIPE\. Check/)
  })

  it("prints a cause that is no error, and one that goes in circles", () => {
    const print = (cause: unknown) => new TransportFailed({ operation: "open", cause, phase: "handshaking" }).message
    const silent: unknown = Object.create(null)
    assert.include(print(silent), "could not be opened: for a reason that has no text.")
    assert.include(print(new Error("outer", { cause: silent })), "for a reason that has no text.")
    assert.match(print("no route"), /: no route\. Check/)
    const circle = new Error("round")
    circle.cause = circle
    assert.match(print(circle), /: round\. Check/)
  })

  it.live("prints what Node says of a port that nobody listens on", () =>
    Effect.gen(function*() {
      const port = yield* freePort
      const socket = yield* NodeSocket.makeNet({ host: "127.0.0.1", port })
      const cause = yield* Effect.flip(socket.reader)
      const error = new TransportFailed({ operation: "open", cause, phase: "handshaking" })
      assert.include(error.message, `: connect ECONNREFUSED 127.0.0.1:${port}. Check`)
    }))
})
