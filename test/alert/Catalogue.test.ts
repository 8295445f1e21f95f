import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { connect } from "node:tls"
import { descriptionOf } from "../../src/alert/Alert.ts"
import { entries, type Entry, entryOf } from "../../src/alert/Catalogue.ts"
import { find, foundLocally } from "../../src/alert/Lookup.ts"
import { reasonOf } from "../../src/alert/Reason.ts"
import { alertReceived } from "../../src/alert/TlsError.ts"
import { rawServer } from "../harness/RawTcp.ts"
import { everyByte, registered, registeredName, unassigned } from "./registry.ts"
import { assertSentence, assertSentences } from "./sentence.ts"

/** What a client of node:tls fails with. */
const firstError = (port: number): Effect.Effect<NodeJS.ErrnoException> =>
  Effect.callback((resume) => {
    const socket = connect({ port, host: "127.0.0.1" })
    socket.once("error", (error) => resume(Effect.succeed(error)))
    return Effect.sync(() => void socket.destroy())
  })

const rfcNumbers = (references: ReadonlyArray<string>): ReadonlyArray<string> =>
  references.flatMap((reference) => reference.match(/\d{4}/)?.[0] ?? [])

/** `1.2` of the registry is `TLS 1.2` here; what is in parentheses there is a comment. */
const protocolName = (version: string): string =>
  version.replace(/ \(.*\)$/, "").replace(/^SSL3$/, "SSL 3.0").replace(/^(?=\d)/, "TLS ")

describe("the entries", () => {
  it("are those of the registry, in order of their codes", () => {
    assert.deepStrictEqual(
      entries.map(({ code, name, status }) => ({ code, name: `${name}`, status: `${status}` })),
      registered.map(({ name, status, value }) => ({ code: value, name, status }))
    )
  })

  for (const row of registered) {
    it(`${row.name} agrees with the registry, and each of its sentences stands on its own`, () => {
      const entry = entries.find(({ code }) => code === row.value)
      assert(entry !== undefined)
      assert.strictEqual(entry, entryOf(descriptionOf(row.value)))
      assert.deepStrictEqual<ReadonlyArray<string>>(entry.versions, row.versions.map(protocolName))
      const cited = rfcNumbers(entry.references)
      assert.includeMembers([...cited], [...rfcNumbers(row.references)])
      // Beyond the registry only the three documents that define the protocol.
      assert.includeMembers([...rfcNumbers(row.references), "5246", "8446", "9846"], [...cited])
      for (const reference of entry.references) assert.match(reference, /^RFC \d{4} (sections?|appendix) [\dB]/)
      assertSentence(entry.meaning)
      assertSentence(entry.advice)
      assert.match(entry.when, /^[a-z].*[A-Za-z\d]$/)
    })
  }

  it("of a code without a name say so, with its number", () => {
    for (const code of unassigned) {
      const entry = entryOf(descriptionOf(code))
      assert.strictEqual(entry.code, code)
      assert.strictEqual(entry.name, "unknown_alert")
      assert.strictEqual(entry.status, "unassigned")
      assert.match(entry.meaning, new RegExp(`\\b${code}\\b`))
      assertSentence(entry.meaning)
      assertSentence(entry.advice)
    }
  })
})

describe("who sends it, and whether connecting again can help", () => {
  type Row = readonly [code: number, sender: Entry["sender"], retry: Entry["retry"]]
  const rows: ReadonlyArray<Row> = [
    [0, "either side", "later"],
    [10, "either side", "never"],
    [20, "either side", "with a fresh session"],
    [21, "either side", "with a fresh session"],
    [22, "either side", "with a fresh session"],
    [30, "either side", "never"],
    [40, "either side", "never"],
    // A client of SSL 3.0 alone has ever sent it.
    [41, "the client", "never"],
    [42, "either side", "never"],
    [43, "either side", "never"],
    [44, "either side", "never"],
    [45, "either side", "never"],
    [46, "either side", "never"],
    [47, "either side", "never"],
    [48, "either side", "never"],
    [49, "either side", "never"],
    [50, "either side", "never"],
    // It may be the binder of a session.
    [51, "either side", "with a fresh session"],
    [52, "either side", "never"],
    [60, "either side", "never"],
    // RFC 5246 appendix E.1: a client as well, to the version that a server answers with.
    [70, "either side", "never"],
    // RFC 5246 has the server send it; RFC 7919 section 3 the client as well, to a group that is too weak.
    [71, "either side", "never"],
    [80, "either side", "later"],
    [86, "the server", "with a fresh session"],
    [90, "either side", "later"],
    [100, "either side", "never"],
    [109, "either side", "never"],
    // RFC 5246 has the client send it; RFC 8446 section 6.2 the server as well, to the Certificate of a client.
    [110, "either side", "never"],
    [111, "the server", "later"],
    [112, "the server", "never"],
    [113, "the client", "later"],
    [114, "the server", "never"],
    [115, "the server", "with a fresh session"],
    [116, "the server", "never"],
    [117, "either side", "later"],
    [120, "the server", "never"],
    [121, "the client", "later"]
  ]

  it("is as the documents say, for every alert", () => {
    assert.deepStrictEqual(entries.map(({ code, retry, sender }): Row => [code, sender, retry]), rows)
  })

  it("a code without a name may come from either side, and asks for no retry", () => {
    for (const code of unassigned) {
      const { retry, sender } = entryOf(descriptionOf(code))
      assert.deepStrictEqual([sender, retry], ["either side", "never"])
    }
  })

  it("the advice says the same", () => {
    for (const { advice, name, retry } of entries) {
      if (advice.includes("with a fresh session")) assert.strictEqual(retry, "with a fresh session", name)
      if (advice.includes("try again later")) assert.strictEqual(retry, "later", name)
    }
  })
})

describe("the level rules", () => {
  const namesWith = (version: "1.2" | "1.3", ...rules: ReadonlyArray<string>): ReadonlyArray<string> =>
    entries.filter((entry) => rules.includes(entry.levels[version])).map((entry) => entry.name)

  it("R5246-7.2.2-13, R5246-7.2.2-17, R5246-7.2.2-28: what TLS 1.2 must not send", () => {
    assert.deepStrictEqual(namesWith("1.2", "never sent"), [
      "decryption_failed_RESERVED",
      "no_certificate_RESERVED",
      "export_restriction_RESERVED"
    ])
  })

  it("R5246-7.2.2-05: only the certificate errors leave the level to the sender, of those in RFC 5246", () => {
    const chosen = entries.filter((entry) => entry.levels["1.2"] === "the sender chooses")
    assert.deepStrictEqual(chosen.filter((entry) => entry.code <= 110).map((entry) => entry.code), [42, 43, 44, 45, 46])
  })

  it("R5246-7.2.2-34: only no_renegotiation is always a warning", () => {
    assert.deepStrictEqual(namesWith("1.2", "always warning"), ["no_renegotiation"])
  })

  it("RFC 8446 section 6.1: only two closure alerts are no errors in TLS 1.3", () => {
    assert.deepStrictEqual(namesWith("1.3", "closure alert, sent as warning"), ["close_notify", "user_canceled"])
  })

  it("RFC 8446 appendix B.2: what is reserved there is not sent in TLS 1.3, nor is an alert of DTLS", () => {
    assert.deepStrictEqual(
      entries.filter((entry) => entry.levels["1.3"].startsWith("never sent")).map((entry) => entry.code),
      [21, 30, 41, 52, 60, 100, 111, 114]
    )
    for (const entry of entries) {
      const isSentIn13 = !entry.levels["1.3"].startsWith("never sent")
      assert.strictEqual(entry.versions.includes("TLS 1.3"), isSentIn13, entry.name)
    }
  })
})

it("every code but that of close_notify prints as readable sentences in AlertReceived", () => {
  for (const code of everyByte.slice(1)) {
    const description = descriptionOf(code)
    assert(description !== "close_notify")
    const { message } = alertReceived({ level: "fatal", description }, "handshaking", "1.2")
    const name = registeredName(code) ?? "unknown_alert"
    const start = `The peer ended the TLS 1.2 connection during the handshake with the fatal alert ${name} (${code}): `
    assert.isTrue(message.startsWith(start), message)
    assertSentences(message)
    const { advice, meaning } = entryOf(description)
    assert.isTrue(message.endsWith(`. ${advice}`), message)
    // Only the first letter gives way, so that one sentence continues the other.
    assert.strictEqual(
      message.slice(start.length, -advice.length - 2).toLowerCase(),
      meaning.slice(0, -1).toLowerCase()
    )
    assert.match(message.slice(start.length), /^[a-z]|^[A-Z]{2}/)
  }
})

describe("find", () => {
  it("finds every name in every spelling, and by the tag of its reason", () => {
    for (const { name, value } of registered) {
      const description = descriptionOf(value)
      const spellings = [name, name.replace("_RESERVED", "")].flatMap((one) => [
        one,
        one.toUpperCase(),
        one.replaceAll("_", "-"),
        one.replaceAll("_", " "),
        ` ${one}\n`
      ])
      if (description !== "close_notify") spellings.push(reasonOf(description)._tag)
      for (const spelling of spellings) {
        assert.deepStrictEqual(find(spelling), { entry: entryOf(description), level: undefined }, spelling)
      }
    }
    assert.strictEqual(find("BadRecordMac")?.entry.code, 20)
  })

  it("finds every code by number, the unnamed ones too", () => {
    for (const code of everyByte) {
      for (const text of [`${code}`, `${code}`.padStart(3, "0"), `read: SSL alert number ${code}`]) {
        const found = find(text)
        assert(found !== undefined, text)
        assert.strictEqual(found.entry.code, code, text)
        assert.strictEqual(found.entry.name, registeredName(code) ?? "unknown_alert")
        assert.strictEqual(found.level, undefined)
      }
    }
  })

  it("reads two bytes, and then tells the level", () => {
    for (const text of ["0214", "02 14", "0x02 0x14", "0x0214", "02:14", "02,14", "  02 14 "]) {
      const found = find(text)
      assert.strictEqual(found?.entry.name, "bad_record_mac", text)
      assert.strictEqual(found?.level, "fatal", text)
    }
    assert.strictEqual(find("0100")?.level, "warning")
    assert.strictEqual(find("0100")?.entry.name, "close_notify")
    assert.strictEqual(find("ff C8")?.level, 255)
    assert.strictEqual(find("ff C8")?.entry.code, 200)
    assert.strictEqual(find("0028")?.level, 0)
  })

  it("finds a code of Node in a longer text", () => {
    const text = "Error: write EPROTO [code: 'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE', library: 'SSL routines']"
    assert.strictEqual(find(text)?.entry.code, 40)
    assert.strictEqual(find("ERR_SSL_SSLV3_ALERT_BAD_RECORD_MAC: at TLSSocket")?.entry.code, 20)
    assert.strictEqual(find("err_ssl_tlsv1_alert_unknown_ca")?.entry.code, 48)
    assert.strictEqual(find("code: 'ERR_SSL_NO_RENEGOTIATION'")?.entry.code, 100)
    assert.strictEqual(find("ERR_SSL_NO_RENEGOTIATION_AT_ALL"), undefined)
    // The number is what came over the wire; it outranks the name.
    assert.strictEqual(find("ERR_SSL_TLSV1_ALERT_UNKNOWN_CA, SSL alert number 40")?.entry.code, 40)
  })

  it("is undefined for anything else", () => {
    const texts = [
      "",
      " ",
      "256",
      "999",
      "-1",
      "1.5",
      "0x14",
      "02 1",
      "02 14 00",
      "021400",
      "bad_mac",
      "bad_record_mac now",
      "unknown_alert",
      "UnknownAlert",
      "reserved",
      "SSL alert number",
      "SSL alert number 256",
      "ERR_SSL_WRONG_VERSION_NUMBER",
      "ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
      "ERR_SSL_TLSV1_ALERT_",
      "ERR_SSL_TLSV1_ALERT_NO_SUCH_THING",
      "constructor",
      "__proto__",
      "ECONNRESET"
    ]
    for (const text of texts) assert.strictEqual(find(text), undefined, JSON.stringify(text))
  })

  it("foundLocally gives the code of Node that tells of no alert, and nothing else", () => {
    for (const code of ["ERR_SSL_WRONG_VERSION_NUMBER", "ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC"]) {
      assert.strictEqual(foundLocally(code), code)
      assert.strictEqual(foundLocally(`Error: write EPROTO [code: '${code}', library: 'SSL routines']`), code)
      assert.strictEqual(foundLocally(`${code}, SSL alert number 40`), undefined)
    }
    const others = ["", "ECONNRESET", "256", "ERR_SSL_", "ERR_SSL_NO_RENEGOTIATION", "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA"]
    // This one was received, though nobody knows what it is.
    for (const text of [...others, "ERR_SSL_TLSV1_ALERT_NO_SUCH_THING"]) {
      assert.strictEqual(foundLocally(text), undefined, text)
    }
  })

  it.live("understands what node:tls says of each alert that OpenSSL knows", () =>
    Effect.gen(function*() {
      const server = yield* rawServer
      const understood: Array<number> = []
      for (const { name, value } of registered) {
        if (value === 0) continue
        const client = yield* Effect.forkScoped(firstError(server.port))
        const connection = yield* server.accept
        yield* connection.waitForBytes(1)
        yield* connection.send(Uint8Array.of(21, 3, 3, 0, 2, 2, value))
        yield* connection.end
        const error = yield* Fiber.join(client)
        // Of an alert that it does not know, OpenSSL says nothing.
        if (!error.message.includes("SSL alert number")) continue
        understood.push(value)
        assert.strictEqual(find(error.message)?.entry.name, name, error.message)
        assert.strictEqual(find(error.code ?? "")?.entry.name, name, error.code)
      }
      assert.includeMembers(understood, registered.map(({ value }) => value).filter((code) => code > 0 && code < 52))
      assert.includeMembers(understood, [90, 112, 116, 120])
    }))
})
