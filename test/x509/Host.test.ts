import { assert, describe, it } from "@effect/vitest"
import { isIP } from "node:net"
import { addressOf, isFor, labelsOf, type Reference } from "../../src/x509/Host.ts"
import type { GeneralName } from "../../src/x509/GeneralName.ts"
import { Dice } from "../fuzz/Dice.ts"

const dns = (text: string): GeneralName => ({ form: "dns", text })
const isForHost = (names: ReadonlyArray<GeneralName>, host: string): boolean => isFor(names, { host })

describe("host names (RFC 6125 section 6.4)", () => {
  it.each([
    ["example.com", "example.com"],
    ["example.com", "EXAMPLE.com"],
    ["EXAMPLE.COM", "example.com"],
    ["*.example.com", "www.example.com"],
    ["*.Example.com", "WWW.example.COM"],
    ["*.example.com", "xn--bcher-kva.example.com"],
    ["*.xn--bcher-kva.example", "www.xn--bcher-kva.example"],
    ["localhost", "localhost"],
    ["1.example", "1.example"],
    ["a-b.example", "a-b.example"]
  ])("%s is for %s", (presented, host) => assert.isTrue(isForHost([dns(presented)], host)))

  it.each([
    ["example.com", "example.org"],
    ["example.com", "www.example.com"],
    ["www.example.com", "example.com"],
    ["*.example.com", "example.com"],
    ["*.example.com", ".example.com"],
    ["*.example.com", "*.example.com"],
    ["*.example.com", "a.b.example.com"],
    ["*.example.com", "www.example.com."],
    ["*.com", "example.com"],
    ["*.localhost", "www.localhost"],
    ["*", "localhost"],
    ["*", "example.com"],
    ["*.", "example."],
    ["**.example.com", "www.example.com"],
    ["*.*.com", "www.example.com"],
    ["f*.example.com", "foo.example.com"],
    ["*f.example.com", "foof.example.com"],
    ["www.*.com", "www.example.com"],
    ["xn--*.example.com", "xn--bcher-kva.example.com"],
    ["xn--*-kva.example.com", "xn--bcher-kva.example.com"],
    [".example.com", "www.example.com"],
    [".example.com", ".example.com"],
    ["example.com.", "example.com"],
    ["example.com.", "example.com."],
    ["example.com", "example.com."],
    ["example.com\0.evil.org", "example.com"],
    ["example.com", "example.com\0.evil.org"],
    ["foo_bar.example", "foo_bar.example"],
    ["-a.example", "-a.example"],
    ["a-.example", "a-.example"],
    ["a..example", "a..example"],
    ["", ""],
    ["192.0.2.1", "192.0.2.1"],
    ["*.0.2.1", "192.0.2.1"],
    ["::1", "::1"],
    [`${"a".repeat(64)}.example`, `${"a".repeat(64)}.example`],
    [`${"a.".repeat(125)}example`, `${"a.".repeat(125)}example`]
  ])("%j is not for %j", (presented, host) => assert.isFalse(isForHost([dns(presented)], host)))

  it("any of several names will do, and names of other forms are none", () => {
    assert.isTrue(isForHost([dns("a.example"), dns("b.example")], "b.example"))
    assert.isFalse(isForHost([{ form: "uri", text: "b.example" }, { form: "email", text: "b.example" }], "b.example"))
    assert.isFalse(isForHost([], "b.example"))
  })

  it("labels are letters, digits and hyphens, and the last is no number", () => {
    for (const name of ["a", "a.b", "1.a", "a.b1", `${"a".repeat(63)}.b`]) assert.isDefined(labelsOf(name), name)
    for (const name of ["", ".", "a.", ".a", "a.1", "1", "a.0x1", "ä.de", "a b", "a\n"]) {
      assert.isUndefined(labelsOf(name), name)
    }
  })
})

describe("addresses (RFC 5280 section 4.2.1.6)", () => {
  const reference = (address: string): Reference => ({ address })
  const name = (...bytes: ReadonlyArray<number>): GeneralName => ({ form: "address", bytes: Uint8Array.from(bytes) })
  const loopback = name(...new Uint8Array(15), 1)

  it("are compared as bytes, and with addresses only", () => {
    assert.isTrue(isFor([name(192, 0, 2, 1)], reference("192.0.2.1")))
    assert.isFalse(isFor([name(192, 0, 2, 1)], reference("192.0.2.2")))
    assert.isFalse(isFor([dns("192.0.2.1")], reference("192.0.2.1")))
    assert.isTrue(isFor([loopback], reference("::1")))
    assert.isTrue(isFor([loopback], reference("0:0:0:0:0:0:0:1")))
    assert.isTrue(isFor([loopback], reference("::0.0.0.1")))
    assert.isFalse(isFor([loopback], reference("::1%lo")))
    // An IPv4 address inside an IPv6 one is another address.
    assert.isFalse(isFor([name(192, 0, 2, 1)], reference("::ffff:192.0.2.1")))
    assert.isFalse(isFor([name(192, 0, 2, 1)], reference("host.example")))
  })

  it.each([
    "1.2.3",
    "1.2.3.4.5",
    "01.2.3.4",
    "1.2.3.256",
    "1.2.3.4 ",
    "0x1.2.3.4",
    "1.2.3.",
    "",
    ":",
    ":::",
    "1:2",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7::8",
    "12345::",
    "g::",
    "::1.2.3",
    "::1.2.3.4.5",
    "1.2.3.4::",
    "[::1]",
    "::1/128"
  ])("%j is none", (text) => {
    assert.isUndefined(addressOf(text))
    assert.strictEqual(isIP(text), 0)
  })

  it("whatever is an address to the platform is one here, and the other way round", () => {
    const dice = new Dice("addresses")
    const pieces = ["0", "1", "12", "255", "ffff", "a", ":", ":", "::", ".", "1.2.3.4", "0:"]
    for (let i = 0; i < 5000; i++) {
      const text = Array.from({ length: 1 + dice.below(12) }, () => dice.pick(pieces)).join("")
      const length = addressOf(text)?.length
      assert.strictEqual(length, { 0: undefined, 4: 4, 6: 16 }[isIP(text)], text)
    }
  })
})
