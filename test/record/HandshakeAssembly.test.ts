import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { HandshakeAssembly } from "../../src/record/HandshakeAssembly.ts"
import type { Observation } from "../../src/record/Observer.ts"
import { toHex } from "../platform/vectors.ts"
import { allocatedBy, concat, cut, filled, int, limits } from "./records.ts"

const message = (type: number, length: number): Uint8Array =>
  concat([Uint8Array.of(type, length >> 16, (length >> 8) & 255, length & 255), filled(length, type)])

const announce = (type: number, length: number): Uint8Array => message(type, length).subarray(0, 4)

const takeAll = (assembly: HandshakeAssembly): ReadonlyArray<ReturnType<HandshakeAssembly["next"]>> => {
  const all: Array<ReturnType<HandshakeAssembly["next"]>> = []
  for (;;) {
    const next = assembly.next()
    if (next === undefined) return all
    all.push(next)
    if (next._tag !== "Handshake") return all
  }
}

const Messages = Arbitrary.array(Arbitrary.all({ type: int(0, 30), length: int(0, 60) }), {
  minLength: 1,
  maxLength: 6
})

it.prop("messages split and joined in any way come out one by one", {
  messages: Messages,
  lengths: Arbitrary.array(int(1, 9), { minLength: 1, maxLength: 5 })
}, (_) => {
  const messages = _.messages.map(({ length, type }) => message(type, length))
  const observed: Array<Observation> = []
  const assembly = new HandshakeAssembly(limits, (observation) => observed.push(observation))
  const taken = cut(concat(messages), _.lengths.map((length) => length * length)).flatMap((view) => {
    // The fragment is lent, so what comes out must not depend on it any more.
    const fragment = view.slice()
    assert.strictEqual(assembly.push(fragment), undefined)
    const next = takeAll(assembly)
    fragment.fill(0xee)
    return next
  })
  assert.deepStrictEqual(
    taken.map((next) => next?._tag === "Handshake" ? [next.type, toHex(next.bytes), toHex(next.body)] : next),
    messages.map((bytes) => [bytes[0], toHex(bytes), toHex(bytes.subarray(4))])
  )
  assert.isFalse(assembly.isMidMessage)
  assert.deepStrictEqual(
    observed,
    messages.map((bytes) => ({
      _tag: "Message",
      direction: "received",
      type: bytes[0] ?? -1,
      length: bytes.length
    }))
  )
}, { arbitrary: { runs: 300 } })

describe("limits: judged by the announced length, at the fourth byte", () => {
  it.each<readonly [name: string, header: Uint8Array, fault: object | undefined]>([
    ["a message at the limit", announce(1, 1000), undefined],
    ["a message beyond it", announce(1, 1001), {
      _tag: "MessageTooLong",
      message: "client_hello",
      length: 1001,
      limit: 1000
    }],
    ["a message without a name", announce(99, 0xffffff), {
      _tag: "MessageTooLong",
      message: "handshake 99",
      length: 0xffffff,
      limit: 1000
    }],
    ["a chain at the limit", announce(11, 3000), undefined],
    ["a chain beyond it", announce(11, 3001), { _tag: "CertificateChainTooLong", length: 3001, limit: 3000 }]
  ])("%s", (_, header, fault) => {
    const assembly = new HandshakeAssembly(limits, undefined)
    assembly.push(header.subarray(0, 3))
    assert.strictEqual(assembly.next(), undefined)
    assembly.push(header.subarray(3))
    assert.deepStrictEqual<unknown>(assembly.next(), fault)
    assert.isTrue(assembly.isMidMessage)
  })

  it("all messages together, until the handshake is done", () => {
    const assembly = new HandshakeAssembly(limits, undefined)
    for (let i = 0; i < 5; i++) {
      assert.strictEqual(assembly.push(message(1, 996)), undefined)
      assert.deepStrictEqual(takeAll(assembly).map((next) => next?._tag), ["Handshake"])
    }
    assert.deepStrictEqual(assembly.push(Uint8Array.of(0)), { _tag: "HandshakeTooLong", limit: 5000 })
  })

  it("no total any more once it is done, and the limit of a message stays", () => {
    const assembly = new HandshakeAssembly(limits, undefined)
    assembly.establish()
    for (let i = 0; i < 12; i++) {
      assert.strictEqual(assembly.push(message(1, 996)), undefined)
      assert.deepStrictEqual(takeAll(assembly).map((next) => next?._tag), ["Handshake"])
    }
    assembly.push(announce(1, 1001))
    assert.strictEqual(assembly.next()?._tag, "MessageTooLong")
  })
})

it("is in the middle of a message from its first byte to its last, and clear drops it", () => {
  const assembly = new HandshakeAssembly(limits, undefined)
  const bytes = message(2, 10)
  assert.isFalse(assembly.isMidMessage)
  for (const byte of bytes) {
    assembly.push(Uint8Array.of(byte))
    assert.isTrue(assembly.isMidMessage)
  }
  assert.strictEqual(assembly.next()?._tag, "Handshake")
  assert.isFalse(assembly.isMidMessage)
  assembly.push(bytes.subarray(0, 5))
  assembly.clear()
  assert.isFalse(assembly.isMidMessage)
  assembly.push(bytes)
  assert.deepStrictEqual(takeAll(assembly).map((next) => next?._tag), ["Handshake"])
})

it("a message that comes one byte a record costs memory in proportion to its length", () => {
  const bytes = message(11, 100_000)
  const fragments = cut(bytes, [1])
  const assembly = new HandshakeAssembly({ message: 0, certificateChain: 100_000, total: 200_000 }, undefined)
  const taken: Array<string | undefined> = []
  const allocated = allocatedBy(() => {
    for (const fragment of fragments) {
      assembly.push(fragment)
      const next = assembly.next()
      if (next !== undefined) taken.push(next._tag === "Handshake" ? toHex(next.bytes) : next._tag)
    }
  })
  assert.deepStrictEqual(taken, [toHex(bytes)])
  // Doubling: less than four times the message, and the message itself.
  assert.isAtMost(allocated, 5 * bytes.length)
  assert.isAtLeast(allocated, bytes.length)
})
