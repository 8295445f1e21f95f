import { assert, describe, it } from "@effect/vitest"
import { make as primitives } from "../../src/platform/NodePrimitives.ts"
import { suites } from "../../src/secret/CipherSuite.ts"
import { extendedMasterSecret, keyBlock, masterSecret, verifyData } from "../../src/secret/KeySchedule12.ts"
import * as Prf from "../../src/secret/Prf.ts"
import type { HashName } from "../../src/secret/Primitives.ts"
import { concat, fromText } from "../../src/wire/Bytes.ts"
import { hex, readVectors, toHex } from "../platform/vectors.ts"

interface Acvp {
  readonly tcId: number
  readonly hashAlg: string
  readonly keyBlockLength: number
  readonly preMasterSecret: string
  readonly clientRandom: string
  readonly serverRandom: string
  readonly sessionHash: string
  readonly expected: { readonly masterSecret: string; readonly keyBlock: string }
}

const hashes: { readonly [name: string]: HashName } = {
  "SHA2-256": "sha256",
  "SHA2-384": "sha384",
  "SHA2-512": "sha512"
}

const clientRandom = new Uint8Array(32).fill(1)
const serverRandom = new Uint8Array(32).fill(2)
const preMasterSecret = new Uint8Array(32).fill(3)

describe("kdf-nist-tls12.json", () => {
  it.each(readVectors<ReadonlyArray<Acvp>>("kdf-nist-tls12.json"))("tcId $tcId, $hashAlg", (test) => {
    const hash = hashes[test.hashAlg]
    if (hash === undefined) return assert.fail(test.hashAlg)
    const master = extendedMasterSecret(primitives, hash, hex(test.preMasterSecret), hex(test.sessionHash))
    assert.strictEqual(toHex(master), test.expected.masterSecret)

    // As if a suite had keys of half the block less its IVs: the parts must come in the order of RFC 5246 section 6.3.
    const fixedIvLength = 4
    const keyLength = test.keyBlockLength / 8 / 2 - fixedIvLength
    const { client, server } = keyBlock(
      Prf.make(primitives, hash, master),
      { keyLength, fixedIvLength },
      hex(test.clientRandom),
      hex(test.serverRandom)
    )
    assert.deepStrictEqual(
      [client.key.length, server.key.length, client.fixedIv.length, server.fixedIv.length],
      [keyLength, keyLength, fixedIvLength, fixedIvLength]
    )
    assert.strictEqual(toHex(concat([client.key, server.key, client.fixedIv, server.fixedIv])), test.expected.keyBlock)
  })
})

it.each(suites)("$name: the key block has exactly the lengths of the suite", (suite) => {
  const master = Prf.make(primitives, suite.hash, preMasterSecret)
  const { client, server } = keyBlock(master, suite, clientRandom, serverRandom)
  const whole = master("key expansion", [serverRandom, clientRandom], 2 * (suite.keyLength + suite.fixedIvLength))
  assert.deepStrictEqual(concat([client.key, server.key, client.fixedIv, server.fixedIv]), whole)
  assert.strictEqual(client.key.length, suite.keyLength)
  assert.strictEqual(client.fixedIv.length, suite.fixedIvLength)
  // Each part has its own memory, so that one can be overwritten without the others.
  assert.strictEqual(
    new Set([client.key, server.key, client.fixedIv, server.fixedIv].map((part) => part.buffer)).size,
    4
  )
})

it("the key block itself is overwritten", () => {
  let block: Uint8Array | undefined
  const prf = Prf.make(primitives, "sha256", preMasterSecret)
  const { client } = keyBlock((...input) => block = prf(...input), suites[0], clientRandom, serverRandom)
  assert.isTrue(block?.every((byte) => byte === 0))
  assert.isFalse(client.key.every((byte) => byte === 0))
})

it("the master secret has its label, and the client's random first", () => {
  const prf = Prf.make(primitives, "sha384", preMasterSecret)
  assert.deepStrictEqual(
    masterSecret(primitives, "sha384", preMasterSecret, clientRandom, serverRandom),
    prf("master secret", [clientRandom, serverRandom], 48)
  )
  assert.deepStrictEqual(preMasterSecret, new Uint8Array(32).fill(3))
})

it("verify data differs by sender and has 12 bytes", () => {
  const master = Prf.make(primitives, "sha256", new Uint8Array(48).fill(4))
  const transcript = primitives.digest("sha256", fromText("messages"))
  const [client, server] = [verifyData(master, "client", transcript), verifyData(master, "server", transcript)]
  assert.deepStrictEqual(client, master("client finished", [transcript], 12))
  assert.deepStrictEqual(server, master("server finished", [transcript], 12))
  assert.notDeepEqual(client, server)
  assert.strictEqual(client.length, 12)
})
