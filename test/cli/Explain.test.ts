import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { entryOf } from "../../src/alert/Catalogue.ts"
import { runToEnd } from "./Command.ts"

describe("effect-tls explain", () => {
  it.live.each(
    [
      [["Unknown", "CA"], "unknown_ca (48)"],
      [["48"], "unknown_ca (48)"],
      [["0230"], "unknown_ca (48)", /level here +fatal/],
      [["01", "00"], "close_notify (0)", /level here +warning/],
      [["0x07 0x14"], "bad_record_mac (20)", /level here +7, which TLS does not define/],
      [["error:0A000418:SSL routines::tlsv1 alert unknown ca:SSL alert number 48"], "unknown_ca (48)"],
      [["Error: write EPROTO, code: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL'"], "no_application_protocol (120)"],
      [["Error: read ERR_SSL_NO_RENEGOTIATION"], "no_renegotiation (100)"],
      [["21"], "decryption_failed_RESERVED (21), reserved in the registry", /must not be sent/],
      [["200"], "unknown_alert (200), unassigned in the registry"]
    ] as const
  )("%j", ([words, title, more]) =>
    Effect.gen(function*() {
      const { code, stderr, stdout } = yield* runToEnd(["explain", ...words])
      assert.deepStrictEqual([code, stderr, stdout.split("\n")[0]], [0, "", title])
      if (more !== undefined) assert.match(stdout, more)
    }))

  it.live("prints the whole entry", () =>
    Effect.gen(function*() {
      const { stdout } = yield* runToEnd(["explain", "bad_record_mac"])
      const { advice, levels, meaning, references, sender, versions, when } = entryOf("bad_record_mac")
      const { "1.2": in12, "1.3": in13 } = levels
      for (const part of [advice, meaning, sender, when, in12, in13, ...references, ...versions]) {
        assert.include(stdout, part)
      }
      assert.match(stdout, /retry +can help, with a full handshake/)
    }))

  it.live.each([["256"], ["ERR_SSL_TLSV1_ALERT_NO_SUCH_THING"], [""]])(
    "%j is an error",
    (words) =>
      Effect.gen(function*() {
        const { code, stderr, stdout } = yield* runToEnd(["explain", ...words])
        assert.deepStrictEqual([code, stdout], [2, ""])
        assert.match(stderr, /^effect-tls: ".*" names no alert: give a name such as unknown_ca, .*\.\n$/)
      })
  )

  it.live.each(["ERR_SSL_WRONG_VERSION_NUMBER", "ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC"])(
    "%s tells of no alert, and it says so without asking for such a code",
    (name) =>
      Effect.gen(function*() {
        const { code, stderr, stdout } = yield* runToEnd(["explain", "write", "EPROTO,", "code:", `'${name}'`])
        assert.deepStrictEqual([code, stdout], [2, ""])
        assert.match(stderr, new RegExp(`^effect-tls: ${name} is what OpenSSL found wrong by itself .*\\.\n$`))
        assert.match(stderr, /no alert was received/)
        assert.notMatch(stderr, /give/)
      })
  )
})
