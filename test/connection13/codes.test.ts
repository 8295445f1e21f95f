/** The alerts of TLS 1.3 by number: RFC 8446 section 6 and appendix B.2. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Alert, Reason, TlsError, TlsTest } from "effect-tls"
import { test } from "../connection/conversation.ts"

/** RFC 8446 section 6, and general_error of RFC 9846. */
const codes: Readonly<Record<number, string>> = {
  0: "close_notify",
  10: "unexpected_message",
  20: "bad_record_mac",
  22: "record_overflow",
  40: "handshake_failure",
  42: "bad_certificate",
  43: "unsupported_certificate",
  44: "certificate_revoked",
  45: "certificate_expired",
  46: "certificate_unknown",
  47: "illegal_parameter",
  48: "unknown_ca",
  49: "access_denied",
  50: "decode_error",
  51: "decrypt_error",
  70: "protocol_version",
  71: "insufficient_security",
  80: "internal_error",
  86: "inappropriate_fallback",
  90: "user_canceled",
  109: "missing_extension",
  110: "unsupported_extension",
  112: "unrecognized_name",
  113: "bad_certificate_status_response",
  115: "unknown_psk_identity",
  116: "certificate_required",
  117: "general_error",
  120: "no_application_protocol"
}

describe("R8446-6-13, R8446-11-01, R8446-B.2-01: the numbers on the wire and the names that a program sees", () => {
  for (const [code, name] of Object.entries(codes)) {
    test(`${code} is ${name}`, () =>
      Effect.gen(function*() {
        const { client, wire } = yield* TlsTest.pair()
        const alert = Alert.fromBytes(2, Number(code))
        assert.strictEqual(String(alert.description), name)
        assert.deepStrictEqual([...Alert.toBytes(alert)], [2, Number(code)])
        yield* wire.send({ from: "server", alert })
        if (name === "user_canceled") yield* wire.send({ from: "server", alert: Alert.warning("close_notify") })
        const end = yield* Effect.flip(client.pull)
        if (name === "close_notify" || name === "user_canceled") assert.strictEqual(end._tag, "Done")
        else {
          assert(end instanceof TlsError.AlertReceived)
          assert.deepStrictEqual([Reason.reasonCode(end.reason), Reason.descriptionOfReason(end.reason)], [
            Number(code),
            name
          ])
        }
      }))
  }
})
