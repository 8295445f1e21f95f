import { assert, describe, it } from "@effect/vitest"
import { make as primitives } from "../../src/platform/NodePrimitives.ts"
import * as Prf from "../../src/secret/Prf.ts"
import type { HashName, Mac } from "../../src/secret/Primitives.ts"
import { concat, fromText } from "../../src/wire/Bytes.ts"
import { hex, readVectors, readVectorText, toHex } from "../platform/vectors.ts"

interface Known {
  readonly vectors: ReadonlyArray<{
    readonly hash: HashName
    readonly secret: string
    readonly label: string
    readonly seed: string
    readonly length: number
    readonly output: string
  }>
}

describe("prf-known.json", () => {
  const { vectors } = readVectors<Known>("prf-known.json")

  it.each(vectors)("$hash, $length bytes", ({ hash, label, length, output, secret, seed }) => {
    assert.strictEqual(toHex(Prf.make(primitives, hash, hex(secret))(label, [hex(seed)], length)), output)
  })

  it.each(vectors)(
    "$hash: any shorter output is the beginning of it",
    ({ hash, label, length, output, secret, seed }) => {
      const prf = Prf.make(primitives, hash, hex(secret))
      for (let short = 0; short <= length; short++) {
        assert.strictEqual(toHex(prf(label, [hex(seed)], short)), output.slice(0, 2 * short))
      }
    }
  )

  it("has all three hashes", () => {
    assert.deepStrictEqual(vectors.map(({ hash }) => hash).toSorted(), ["sha256", "sha384", "sha512"])
  })
})

describe("prf-openssl.txt", () => {
  const hashes: { readonly [name: string]: HashName } = { SHA256: "sha256", SHA384: "sha384", SHA512: "sha512" }
  const values = (stanza: string, key: string): ReadonlyArray<string> =>
    [...stanza.matchAll(new RegExp(`^${key} = (?:[a-z]+:)?(.*)$`, "gm"))].map((match) => match[1] ?? "")

  // Stanzas without a result are the positive ones. The others test the limits of OpenSSL's own interface (a missing
  // digest, the key lengths and digests of FIPS), and one positive stanza has a digest that TLS does not use.
  const stanzas = readVectorText("prf-openssl.txt").split("\n\n").filter((stanza) =>
    stanza.includes("KDF = TLS1-PRF") && !stanza.includes("Result =") &&
    hashes[values(stanza, "Ctrl.digest")[0] ?? ""] !== undefined
  )

  it.each(stanzas.map((stanza) => [values(stanza, "Ctrl.label")[0] ?? "", stanza] as const))("%s", (label, stanza) => {
    const hash = hashes[values(stanza, "Ctrl.digest")[0] ?? ""] ?? "sha256"
    const secret = hex(values(stanza, "Ctrl.Secret")[0] ?? "")
    const seeds = values(stanza, "Ctrl.(?:client|server)_random").map(hex)
    const output = values(stanza, "Output")[0] ?? ""
    assert.strictEqual(seeds.length, 2)
    assert.strictEqual(toHex(Prf.make(primitives, hash, secret)(label, seeds, output.length / 2)), output)
  })

  it("has some", () => assert.isAbove(stanzas.length, 1))
})

it("goes with its secret", () => {
  const secret = fromText("secret")
  const prf = Prf.make(primitives, "sha256", secret)
  const first = prf("label", [fromText("seed")], 100)
  assert.deepStrictEqual(prf("label", [fromText("se"), fromText("ed")], 100), first)
  secret.fill(0)
  assert.deepStrictEqual(
    prf("label", [fromText("seed")], 100),
    Prf.make(primitives, "sha256", new Uint8Array(6))("label", [fromText("seed")], 100)
  )
})

it("overwrites what it computed on the way, and nothing that is not its own", () => {
  const made: Array<Uint8Array> = []
  const inner = primitives.mac("sha256", fromText("secret"))
  const watched: Mac = {
    sign: (...parts) => {
      const result = inner.sign(...parts)
      made.push(result)
      return result
    }
  }
  const seed = concat([fromText("label"), fromText("seed")])
  const before = seed.slice()
  const out = Prf.expand(watched, [seed], 80)
  assert.strictEqual(made.length, 6)
  for (const bytes of made) assert.isTrue(bytes.every((byte) => byte === 0))
  assert.deepStrictEqual(seed, before)
  assert.deepStrictEqual(out, Prf.expand(inner, [seed], 80))
})
