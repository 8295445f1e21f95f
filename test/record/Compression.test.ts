/** The compression slot, RFC 5246 section 6.2.2, with a method in it that really compresses. */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { deflateRawSync, inflateRawSync } from "node:zlib"
import type { Compression } from "../../src/record/Compression.ts"
import type { Incoming } from "../../src/record/Inbound.ts"
import { splitRecords } from "../harness/TlsRecords.ts"
import { toHex } from "../platform/vectors.ts"
import {
  chacha20,
  concat,
  ContentType,
  drain,
  filled,
  gcm,
  int,
  openDirection,
  protectionOf,
  receive,
  sealRecord
} from "./records.ts"

const { alert, application_data: data, handshake } = ContentType

const deflate: Compression = {
  compress: (fragment) => new Uint8Array(deflateRawSync(fragment)),
  decompress: (fragment, maxOutputLength) => {
    try {
      return new Uint8Array(inflateRawSync(fragment, { maxOutputLength }))
    } catch {
      return undefined
    }
  }
}

/** Gives whatever comes, and looks at no limit. */
const careless: Compression = { ...deflate, decompress: (fragment) => new Uint8Array(inflateRawSync(fragment)) }

const zeros = new Uint8Array(16384)

describe.each([["GCM", gcm], ["ChaCha20", chacha20]] as const)("under %s", (_, suite) => {
  it("R5246-7.2-05: an alert goes compressed, then encrypted, and comes back", () => {
    const { inbound, outbound } = openDirection({ suite, compression: deflate })
    const record = outbound.seal(alert, Uint8Array.of(2, 20))
    assert.strictEqual(
      toHex(protectionOf(suite).open(alert, record.subarray(5), 0)),
      toHex(deflateRawSync(Uint8Array.of(2, 20)))
    )
    assert.deepStrictEqual(receive(inbound, record), [
      { _tag: "Alert", alert: { level: "fatal", description: "bad_record_mac" }, verdict: { _tag: "Terminate" } }
    ])
  })

  it("every protocol passes through it, and full records shrink", () => {
    const { inbound, outbound } = openDirection({ suite, compression: deflate })
    const hello = concat([Uint8Array.of(1, 0, 1, 0), new Uint8Array(256)])
    const stream = concat([
      outbound.seal(handshake, hello),
      outbound.seal(data, new Uint8Array(40_000)),
      outbound.seal(alert, Uint8Array.of(1, 0))
    ])
    assert.strictEqual(splitRecords(stream).records.length, 5)
    assert.isBelow(stream.length, 1000)
    const all = receive(inbound, stream)
    assert.deepStrictEqual(all.map((incoming) => incoming._tag === "Data" ? incoming.bytes.length : incoming._tag), [
      "Handshake",
      16384,
      16384,
      40_000 - 2 * 16384,
      "Alert"
    ])
  })
})

it("content that does not compress may grow, within 1024 bytes", () => {
  const direction = openDirection({ compression: deflate })
  // Not compressible, and the same at every run.
  let state = 1
  const noise = Uint8Array.from({ length: 16384 }, () => (state = (state * 48271) % 0x7fffffff) & 255)
  const record = direction.outbound.seal(data, noise)
  assert.isAbove(record.length, 5 + 24 + noise.length)
  assert.deepStrictEqual(receive(direction.inbound, record), [{ _tag: "Data", bytes: noise }])
})

it.prop("whatever goes in comes out, with and without a target", {
  parts: Arbitrary.array(int(0, 9000), { maxLength: 5 }),
  room: int(0, 40_000)
}, (_) => {
  const parts = _.parts.map((length, i) => filled(length, i))
  const content = concat(parts)
  for (const target of [undefined, { buffer: new Uint8Array(_.room), at: 0 }]) {
    const { inbound, outbound } = openDirection({ compression: deflate })
    inbound.push(outbound.sealAll(data, parts, content.length))
    const opened = drain(inbound, target).map((incoming) =>
      incoming._tag === "Data" ? incoming.bytes : new Uint8Array()
    )
    assert.isTrue(Buffer.from(content).equals(concat(opened)))
    // Decompressed data never went there, so nothing was counted.
    assert.strictEqual(target?.at ?? 0, 0)
  }
}, { arbitrary: { runs: 40 } })

describe("DecompressionFailed", () => {
  const failed: ReadonlyArray<Incoming> = [{ _tag: "DecompressionFailed" }]
  const grown = new Uint8Array(deflateRawSync(new Uint8Array(16385)))

  it.each<readonly [name: string, type: number, compressed: Uint8Array, Compression]>([
    ["data that is no deflate stream", data, Uint8Array.of(0xff, 0xff, 0xff), deflate],
    ["an alert that is none", alert, Uint8Array.of(0xff, 0xff), deflate],
    ["data that grows beyond 2^14", data, grown, deflate],
    ["data that grows beyond 2^14, from a method that looks at no limit", data, grown, careless],
    ["an alert that grows beyond 2^14", alert, grown, careless]
  ])("%s", (_, type, compressed, compression) => {
    const direction = openDirection({ compression })
    assert.deepStrictEqual(receive(direction.inbound, sealRecord(direction, type, compressed)), failed)
  })

  it("not for exactly 2^14 bytes", () => {
    const direction = openDirection({ compression: deflate })
    const record = sealRecord(direction, data, new Uint8Array(deflateRawSync(zeros)))
    assert.deepStrictEqual(receive(direction.inbound, record), [{ _tag: "Data", bytes: zeros }])
  })

  it("never for a record that does not authenticate: bad_record_mac hides it", () => {
    const direction = openDirection({ compression: deflate })
    const record = sealRecord(direction, data, Uint8Array.of(0xff, 0xff))
    record[record.length - 1] = (record.at(-1) ?? 0) ^ 1
    assert.deepStrictEqual(receive(direction.inbound, record), [{ _tag: "BadRecordMac" }])
  })
})

it("more than 2^14 + 1024 compressed bytes are an overflow, whatever they say (RFC 5246 section 7.2.2)", () => {
  const stored = (length: number): Uint8Array => concat([new Uint8Array(deflateRawSync(zeros)), new Uint8Array(length)])
  const base = stored(0).length
  for (const [length, expected] of [[17408, "Data"], [17409, "RecordTooLong"]] as const) {
    const compression: Compression = { ...deflate, decompress: () => zeros }
    const direction = openDirection({ compression })
    const [incoming] = receive(direction.inbound, sealRecord(direction, data, stored(length - base)))
    assert.strictEqual(incoming?._tag, expected)
    if (incoming?._tag === "RecordTooLong") {
      assert.deepStrictEqual(incoming, { _tag: expected, length: 17409, limit: 17408 })
    }
  }
})
