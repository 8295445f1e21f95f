import { assert, describe, it } from "@effect/vitest"
import { inspect } from "node:util"
import { make } from "../../src/platform/NodePrimitives.ts"
import type { NamedGroup } from "../../src/wire/CodePoints.ts"
import { hex, readVectors, titleOf, toHex } from "./vectors.ts"
import type { Wycheproof } from "./vectors.ts"

interface AgreementTest {
  readonly public: string
  readonly private: string
  readonly shared: string
}

const sizes: ReadonlyArray<readonly [NamedGroup, number, number]> = [
  ["x25519", 32, 32],
  ["secp256r1", 65, 32],
  ["secp384r1", 97, 48],
  ["secp521r1", 133, 66]
]

/** Wycheproof writes a scalar as a signed integer: with a zero in front, or without the zeros it begins with. */
const scalarOf = (text: string, length: number): Uint8Array => hex(text.padStart(2 * length, "0").slice(-2 * length))

describe.each(sizes)("wycheproof ecdh-%s.json", (group, publicLength, privateLength) => {
  const { groups } = readVectors<Wycheproof<unknown, AgreementTest>>(`ecdh-${group}.json`)
  const tests = groups.flatMap((group) => group.tests)

  it(`${tests.length} cases`, () => {
    let refused = 0
    for (const test of tests) {
      const shared = make.keyShare(group, scalarOf(test.private, privateLength)).agree(hex(test.public))
      // "acceptable" is taken by what it is: an all-zero result (RFC 7748 section 6.1) and a compressed point (RFC 8422
      // section 5.1.2) are refused; points on the twist and non-canonical X25519 values are not (RFC 7748 section 5).
      const wanted = test.result !== "invalid" && !test.flags.includes("ZeroSharedSecret") &&
        !test.flags.includes("CompressedPoint")
      if (!wanted) refused++
      assert.strictEqual(toHex(shared), wanted ? test.shared : undefined, titleOf(test))
    }
    assert.isAbove(refused, 10)
    assert.isAbove(tests.length - refused, 100)
  })

  it("refuses every other length", () => {
    const share = make.keyShare(group)
    const peer = make.keyShare(group).publicKey
    for (const length of [0, 1, 31, publicLength - 1]) {
      assert.strictEqual(share.agree(peer.slice(0, length)), undefined)
    }
    assert.strictEqual(share.agree(Uint8Array.of(...peer, 0)), undefined)
  })
})

describe.each(sizes)("%s", (group, publicLength, privateLength) => {
  it("both sides agree, and no two shares are the same", () => {
    const [client, server, other] = [make.keyShare(group), make.keyShare(group), make.keyShare(group)]
    assert.strictEqual(client.group, group)
    assert.strictEqual(client.publicKey.length, publicLength)
    assert.notDeepEqual(client.publicKey, server.publicKey)
    const shared = client.agree(server.publicKey)
    assert.strictEqual(shared?.constructor, Uint8Array)
    assert.strictEqual(shared?.length, privateLength)
    assert.deepStrictEqual(server.agree(client.publicKey), shared)
    assert.notDeepEqual(other.agree(client.publicKey), shared)
  })

  it("respond is the other side in one step, and refuses what is no share", () => {
    const client = make.keyShare(group)
    const scalar = new Uint8Array(privateLength).fill(2)
    const response = make.respond(group, client.publicKey, scalar)
    assert.deepStrictEqual(response?.publicKey, make.keyShare(group, scalar).publicKey)
    assert.deepStrictEqual(client.agree(response?.publicKey ?? scalar), response?.secret)
    const fresh = make.respond(group, client.publicKey)
    assert.notDeepEqual(fresh?.publicKey, response?.publicKey)
    assert.deepStrictEqual(client.agree(fresh?.publicKey ?? scalar), fresh?.secret)
    assert.strictEqual(make.respond(group, client.publicKey.subarray(1)), undefined)
    assert.strictEqual(make.respond(group, new Uint8Array(publicLength)), undefined)
  })

  it("a given private key always gives the same share", () => {
    const scalar = new Uint8Array(privateLength).fill(1)
    const [one, two] = [make.keyShare(group, scalar), make.keyShare(group, scalar)]
    const peer = make.keyShare(group)
    assert.deepStrictEqual(one.publicKey, two.publicKey)
    assert.deepStrictEqual(one.agree(peer.publicKey), peer.agree(two.publicKey))
    // The caller's bytes stay the caller's.
    assert.deepStrictEqual(scalar, new Uint8Array(privateLength).fill(1))
    assert.throws(() => make.keyShare(group, new Uint8Array(privateLength - 1).fill(1)), RangeError)
    assert.throws(() => make.keyShare(group, new Uint8Array(privateLength + 1).fill(1)), RangeError)
  })

  it("prints its public half", () => {
    const share = make.keyShare(group, new Uint8Array(privateLength).fill(1))
    assert.deepStrictEqual(Object.keys(share).toSorted(), ["group", "publicKey"])
    assert.notInclude(inspect(share, { showHidden: true, depth: null }), "private")
  })
})

it("RFC 7748 section 6.1", () => {
  const alice = make.keyShare("x25519", hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"))
  const bob = make.keyShare("x25519", hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"))
  const shared = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
  assert.strictEqual(toHex(alice.publicKey), "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
  assert.strictEqual(toHex(bob.publicKey), "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
  assert.strictEqual(toHex(alice.agree(bob.publicKey)), shared)
  assert.strictEqual(toHex(bob.agree(alice.publicKey)), shared)
})

describe("NIST points", () => {
  const curves = sizes.filter(([group]) => group !== "x25519")

  it.each(curves)("%s: the hybrid forms and a wrong parity are refused", (group) => {
    const [share, peer] = [make.keyShare(group), make.keyShare(group).publicKey]
    for (const form of [0, 1, 2, 3, 5, 6, 7, 255]) {
      assert.strictEqual(share.agree(Uint8Array.of(form, ...peer.subarray(1))), undefined)
    }
    assert.isDefined(share.agree(peer))
  })

  it.each(curves)("%s: a point beside the curve is refused", (group, publicLength) => {
    const [share, peer] = [make.keyShare(group), make.keyShare(group).publicKey]
    const beside = peer.slice()
    beside[publicLength - 1] = (beside[publicLength - 1] ?? 0) ^ 1
    assert.strictEqual(share.agree(beside), undefined)
    assert.strictEqual(share.agree(Uint8Array.of(4, ...new Uint8Array(publicLength - 1))), undefined)
    assert.strictEqual(share.agree(Uint8Array.of(4, ...new Uint8Array(publicLength - 1).fill(255))), undefined)
  })

  it("coordinates keep the zeros they begin with", () => {
    let short = 0
    const peer = make.keyShare("secp256r1")
    for (let scalar = 1; scalar < 600; scalar++) {
      const privateKey = new Uint8Array(32)
      privateKey[30] = scalar >> 8
      privateKey[31] = scalar
      const share = make.keyShare("secp256r1", privateKey)
      assert.strictEqual(share.publicKey.length, 65)
      if (share.publicKey[1] === 0 || share.publicKey[33] === 0) {
        short++
        assert.deepStrictEqual(share.agree(peer.publicKey), peer.agree(share.publicKey))
      }
    }
    assert.isAbove(short, 0)
  })
})
