import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { createHash, createHmac } from "node:crypto"
import { domainToASCII } from "node:url"
import { inspect } from "node:util"
import * as NodePrimitives from "../../src/platform/NodePrimitives.ts"
import { Primitives } from "../../src/secret/Primitives.ts"
import type { HashName } from "../../src/secret/Primitives.ts"
import { hex, toHex } from "./vectors.ts"

const { make } = NodePrimitives
const hashes: ReadonlyArray<HashName> = ["sha256", "sha384", "sha512"]
const text = (value: string): Uint8Array => new TextEncoder().encode(value)

it.effect("the layer provides them", () =>
  Effect.gen(function*() {
    const primitives = yield* Primitives
    assert.strictEqual(primitives, make)
  }).pipe(Effect.provide(NodePrimitives.layer)))

describe.each(hashes)("%s", (name) => {
  it("a digest is that of node:crypto, as bytes of its own", () => {
    assert.strictEqual(toHex(make.digest(name, text("abc"))), createHash(name).update("abc").digest("hex"))
    assert.strictEqual(make.digest(name, text("abc")).constructor, Uint8Array)
  })

  it.each(["mac", "passingMac"] as const)(
    "a %s signs any number of messages, of any length and in any parts",
    (kind) => {
      for (const length of [0, 1, 20, 63, 64, 65, 127, 128, 131, 300]) {
        const key = Uint8Array.from({ length }, (_, at) => 7 * at + 1)
        const mac = make[kind](name, key)
        const wanted = createHmac(name, key).update("abc").digest("hex")
        assert.strictEqual(toHex(mac.sign(text("abc"))), wanted)
        for (const size of [0, 64, 500, 511, 512, 513, 575, 576, 577, 5000]) {
          const message = Uint8Array.from({ length: size }, (_, at) => 3 * at)
          const whole = createHmac(name, key).update(message).digest("hex")
          assert.strictEqual(toHex(mac.sign(message)), whole)
          assert.strictEqual(toHex(mac.sign(message.subarray(0, 40), new Uint8Array(0), message.subarray(40))), whole)
        }
        assert.strictEqual(toHex(mac.sign(text("a"), new Uint8Array(0), text("bc"))), wanted)
        assert.strictEqual(toHex(mac.sign()), createHmac(name, key).digest("hex"))
        assert.strictEqual(mac.sign().constructor, Uint8Array)
      }
    }
  )

  it("a MAC keeps its key when the caller overwrites it, and a passing one goes with it", () => {
    const key = text("secret")
    const [mac, passing] = [make.mac(name, key), make.passingMac(name, key)]
    const before = mac.sign(text("abc"))
    key.fill(0)
    assert.deepStrictEqual(mac.sign(text("abc")), before)
    assert.deepStrictEqual(passing.sign(text("abc")), make.mac(name, new Uint8Array(6)).sign(text("abc")))
  })

  it("a MAC that throws in its middle leaves nothing of its key in the next one", () => {
    const [long, short] = [new Uint8Array(48).fill(7), text("short")]
    const failing = new Proxy(new Uint8Array(8), {
      get: (bytes, key) => key === "3" ? assert.fail("no such byte") : Reflect.get(bytes, key)
    })
    assert.throws(() => make.passingMac(name, long).sign(failing), "no such byte")
    const wanted = createHmac(name, short).update("abc").digest("hex")
    assert.strictEqual(toHex(make.passingMac(name, short).sign(text("abc"))), wanted)
  })

  it("a MAC prints its algorithm, not its key", () => {
    const mac = make.mac(name, text("secret"))
    assert.strictEqual(inspect(mac, { showHidden: true, depth: null }), `NodeMac { algorithm: '${name}' }`)
    assert.strictEqual(JSON.stringify(mac), JSON.stringify({ algorithm: name }))
    const passing = make.passingMac(name, text("secret"))
    assert.strictEqual(inspect(passing, { showHidden: true, depth: null }), `NodePassingMac { algorithm: '${name}' }`)
  })
})

it("RFC 4231 test case 2", () => {
  const mac = make.mac("sha256", text("Jefe"))
  assert.deepStrictEqual(
    mac.sign(text("what do ya want for nothing?")),
    hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
  )
})

it("equal", () => {
  assert.isTrue(make.equal(text("abc"), text("abc")))
  assert.isTrue(make.equal(new Uint8Array(0), new Uint8Array(0)))
  assert.isFalse(make.equal(text("abc"), text("abd")))
  assert.isFalse(make.equal(text("abc"), text("ab")))
  assert.isFalse(make.equal(text("abc"), new Uint8Array(0)))
})

it("allocate gives bytes that nobody else has", () => {
  const all = [0, 1, 100, 5000, 100, 40_000, 1].map((length) => {
    const bytes = make.allocate(length)
    assert.strictEqual(bytes.length, length)
    return bytes
  })
  for (const [value, bytes] of all.entries()) bytes.fill(value)
  for (const [value, bytes] of all.entries()) assert.isTrue(bytes.every((byte) => byte === value))
})

describe("hostToAscii", () => {
  const long = "a".repeat(63)
  const names: ReadonlyArray<readonly [string, string]> = [
    ["example.com", "example.com"],
    ["EXAMPLE.Com", "example.com"],
    ["example.com.", "example.com"],
    ["localhost", "localhost"],
    ["a-b.1c.example", "a-b.1c.example"],
    ["münchen.de", "xn--mnchen-3ya.de"],
    ["MÜNCHEN.DE", "xn--mnchen-3ya.de"],
    ["xn--mnchen-3ya.de", "xn--mnchen-3ya.de"],
    ["例え。テスト", "xn--r8jz45g.xn--zckzah"],
    ["1.2.3.com", "1.2.3.com"],
    [`${long}.com`, `${long}.com`],
    [`${long}.${long}.${long}.${"a".repeat(61)}`, `${long}.${long}.${long}.${"a".repeat(61)}`]
  ]
  it.each(names)("%s is %s", (host, name) => {
    assert.strictEqual(make.hostToAscii(host), name)
  })

  const refused: ReadonlyArray<readonly [string]> = [
    [""],
    ["."],
    [".."],
    [".example.com"],
    ["example..com"],
    ["example.com.."],
    ["-a.com"],
    ["a-.com"],
    ["a_b.com"],
    ["*.example.com"],
    ["a b.com"],
    ["exam\nple.com"],
    ["exam\tple.com"],
    ["example.com\0"],
    [" example.com"],
    ["example.com/path"],
    ["example.com\\path"],
    ["example.com?query"],
    ["example.com#hash"],
    ["example.com:443"],
    ["user@example.com"],
    ["ex%61mple.com"],
    [`${long}a.com`],
    [`${long}.${long}.${long}.${"a".repeat(62)}`],
    ["1.2.3.4"],
    ["1.2.3.4."],
    ["0x7f.1"],
    ["2130706433"],
    ["１.２.３.４"],
    ["1.2.3.4.5"],
    ["::1"],
    ["[::1]"],
    ["2001:db8::1"]
  ]
  it.each(refused)("%j is not a host name", (host) => {
    assert.strictEqual(make.hostToAscii(host), undefined)
  })

  const labels = Arbitrary.array(
    Arbitrary.array(Arbitrary.schema(Schema.Literals([..."abxn0123456789-"])), { minLength: 1, maxLength: 5 }),
    { minLength: 1, maxLength: 4 }
  )
  it.prop("a plain one is what the URL parser leaves as it is", { labels }, ({ labels }) => {
    const host = labels.map((letters) => letters.join("")).join(".")
    const name = make.hostToAscii(host)
    if (name !== undefined) assert.strictEqual(domainToASCII(host), name)
  })
})
