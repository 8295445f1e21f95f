import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Alert from "../../src/alert/Alert.ts"
import { everyByte, registered, registeredName, unassigned } from "./registry.ts"

const decode = Schema.decodeResult(Alert.AlertFromBytes)
const encode = Schema.encodeResult(Alert.AlertFromBytes)
const levelNames = new Map([[1, "warning"], [2, "fatal"]])

/** What the two bytes say, by the registry alone. */
const expectedOf = (level: number, code: number) => ({
  level: levelNames.get(level) ?? level,
  description: registeredName(code) ?? code
})

const expected = everyByte.map((level) => everyByte.map((code) => expectedOf(level, code)))

const eachPair = (check: (level: number, code: number) => void): void => {
  for (const level of everyByte) for (const code of everyByte) check(level, code)
}

it("the registry names 32 assigned and 5 reserved alerts, and leaves 219 codes", () => {
  assert.strictEqual(registered.filter((row) => row.status === "assigned").length, 32)
  assert.strictEqual(registered.filter((row) => row.status === "reserved").length, 5)
  assert.strictEqual(unassigned.length, 219)
  assert.strictEqual(new Set([...registered.map((row) => row.value), ...unassigned]).size, 256)
  assert.deepStrictEqual<object>(
    Alert.descriptions,
    Object.fromEntries(registered.map((row) => [row.name, row.value]))
  )
})

describe("two bytes", () => {
  it("R5246-7.2-01: all 65,536 pairs decode through the codec and encode back", () => {
    eachPair((level, code) => {
      const alert = Result.getOrThrow(decode(Uint8Array.of(level, code)))
      const wanted = expected[level]?.[code]
      if (alert.level !== wanted?.level || alert.description !== wanted.description) {
        assert.deepStrictEqual<object>(alert, expectedOf(level, code))
      }
      const bytes = Result.getOrThrow(encode(alert))
      if (bytes.length !== 2 || bytes[0] !== level || bytes[1] !== code) {
        assert.deepStrictEqual([...bytes], [level, code])
      }
    })
  })

  it("R5246-7.2-01: the look-up of the record layer says the same", () => {
    eachPair((level, code) => {
      const alert = Alert.fromBytes(level, code)
      const wanted = expected[level]?.[code]
      if (alert.level !== wanted?.level || alert.description !== wanted.description) {
        assert.deepStrictEqual<object>(alert, expectedOf(level, code))
      }
      const bytes = Alert.toBytes(alert)
      if (bytes.length !== 2 || bytes[0] !== level || bytes[1] !== code) {
        assert.deepStrictEqual([...bytes], [level, code])
      }
    })
  })

  it("R5246-7.2.2-38: a code that the registry does not name survives as its number", () => {
    for (const code of unassigned) {
      const alert = Result.getOrThrow(decode(Uint8Array.of(2, code)))
      assert.deepStrictEqual<object>(alert, { level: "fatal", description: code })
    }
  })

  it("R5246-7.2-06: a level that is neither 1 nor 2 survives as its number, and is no warning", () => {
    for (const level of everyByte.filter((byte) => byte !== 1 && byte !== 2)) {
      assert.strictEqual(Result.getOrThrow(decode(Uint8Array.of(level, 20))).level, level)
    }
  })

  it("a frozen table cannot be changed by who got an alert of it", () => {
    assert.isTrue(Object.isFrozen(Alert.fromBytes(2, 20)))
    assert.isTrue(Object.isFrozen(Alert.fromBytes(1, 200)))
  })
})

it("R5246-7.2-01: any other length is a SchemaError that tells the length", () => {
  for (const length of [0, 1, 3, 4, 255, 16_384]) {
    const decoded = decode(new Uint8Array(length).fill(2))
    assert.isTrue(Result.isFailure(decoded), `${length} bytes`)
    if (Result.isFailure(decoded)) {
      assert.strictEqual(decoded.failure._tag, "SchemaError")
      assert.include(decoded.failure.message, `an alert is 2 bytes, got ${length}`)
    }
  }
})

describe("one value has one form", () => {
  it("a level or a description that has a name is not taken as its number", () => {
    const isAlert = Schema.is(Alert.Alert)
    assert.isTrue(isAlert({ level: "fatal", description: "bad_record_mac" }))
    assert.isTrue(isAlert({ level: 0, description: 200 }))
    for (const level of [1, 2, 256, -1, 1.5, "Fatal"]) assert.isFalse(isAlert({ level, description: 200 }), `${level}`)
    for (const row of registered) {
      assert.isTrue(isAlert({ level: "fatal", description: row.name }))
      assert.isFalse(isAlert({ level: "fatal", description: row.value }), row.name)
    }
    for (const description of [256, -1, 0.5, "bad_mac"]) assert.isFalse(isAlert({ level: "fatal", description }))
  })

  it("the codecs of a single byte agree with the table", () => {
    const level = Schema.decodeUnknownResult(Alert.AlertLevelFromByte)
    const description = Schema.decodeUnknownResult(Alert.AlertDescriptionFromByte)
    for (const byte of everyByte) {
      assert.strictEqual<unknown>(Result.getOrThrow(level(byte)), levelNames.get(byte) ?? byte)
      assert.strictEqual<unknown>(Result.getOrThrow(description(byte)), registeredName(byte) ?? byte)
      assert.strictEqual(Schema.encodeSync(Alert.AlertLevelFromByte)(Alert.levelOf(byte)), byte)
      assert.strictEqual(Schema.encodeSync(Alert.AlertDescriptionFromByte)(Alert.descriptionOf(byte)), byte)
    }
    for (const bad of [-1, 256, 1.5, "20"]) {
      assert.isTrue(Result.isFailure(level(bad)), `level ${bad}`)
      assert.isTrue(Result.isFailure(description(bad)), `description ${bad}`)
    }
  })

  it("fatal and warning make the alerts that are sent", () => {
    assert.deepStrictEqual([...Alert.toBytes(Alert.fatal("bad_record_mac"))], [2, 20])
    assert.deepStrictEqual([...Alert.toBytes(Alert.warning("close_notify"))], [1, 0])
  })
})
