/** Every record of RFC 8448: sealed to its bytes, and opened to its content. */
import { assert, describe, it } from "@effect/vitest"
import { make as primitives } from "../../src/platform/NodePrimitives.ts"
import { Inbound, type Incoming } from "../../src/record/Inbound.ts"
import { Outbound } from "../../src/record/Outbound.ts"
import { TrafficSecret } from "../../src/record/TrafficSecret.ts"
import { secretOf } from "../../src/secret/KeySchedule13.ts"
import { toHex } from "../platform/vectors.ts"
import { type Party, replays, type SentRecord, suite } from "../secret/rfc8448.ts"
import { concat, ContentType, drain } from "./records.ts"

const limits = { message: 65536, certificateChain: 131072, total: 262144 }

/** Content of an alert or a ChangeCipherSpec is not handed on as bytes. */
const contentOf = (incoming: Incoming): Uint8Array =>
  incoming._tag === "Handshake" || incoming._tag === "Data"
    ? incoming.bytes
    : incoming._tag === "Alert" && incoming.alert.description === "close_notify"
    ? Uint8Array.of(incoming.alert.level === "warning" ? 1 : 2, 0)
    : assert.fail(incoming._tag)

describe.each(replays)("RFC 8448 section $trace.section: $trace.title", ({ records, trace }) => {
  it.each<Party>(["client", "server"])("the records of the %s", (party) => {
    const outbound = new Outbound(primitives, undefined)
    const inbound = new Inbound({ handshake: limits })
    inbound.settleVersion("1.3")
    let writing: SentRecord["secret"]
    let opened = 0
    for (const { payload, record, secret, type } of records.filter((one) => one.party === party)) {
      if (secret !== undefined && secret !== writing) {
        writing = secret
        const { parameters } = new TrafficSecret(
          primitives,
          suite,
          secretOf(primitives, "sha256", secret.bytes.slice())
        )
        outbound.state.install(parameters)
        assert.strictEqual(inbound.install(parameters), undefined)
      }
      const isClear = type === ContentType.change_cipher_spec || secret === undefined
      if (type === ContentType.application_data) inbound.establish()
      if (!isClear) opened++
      // ChangeCipherSpec is never protected, so it does not go through the state; the first ClientHello says 3.1.
      const clear = concat([record.subarray(0, 3), Uint8Array.of(payload.length >> 8, payload.length & 255), payload])
      assert.strictEqual(toHex(isClear ? clear : outbound.seal(type, payload)), toHex(record))
      inbound.push(record)
      const content = type === ContentType.change_cipher_spec ? drain(inbound) : concat(drain(inbound).map(contentOf))
      assert.deepStrictEqual(content, type === ContentType.change_cipher_spec ? [] : payload)
    }
    assert.isAtLeast(opened, 2, trace.id)
  })
})
