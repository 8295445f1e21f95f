import { assert, it } from "@effect/vitest"
import { nullCompression } from "../../src/record/Compression.ts"
import { ConnectionState } from "../../src/record/ConnectionState.ts"
import { nullProtection, type RecordProtection } from "../../src/record/Protection.ts"
import { gcm, protectionOf } from "./records.ts"

const parameters = (protection: RecordProtection) => ({ protection, compression: nullCompression })

it("begins without encryption, MAC and compression (RFC 5246 section 6.1)", () => {
  const state = new ConnectionState()
  assert.deepStrictEqual(state.current, parameters(nullProtection))
  assert.deepStrictEqual([state.sequence, state.hasPending], [0, false])
})

it("a promotion needs a pending state, uses it up, and begins a new sequence", () => {
  const state = new ConnectionState()
  state.advance()
  assert.isFalse(state.changeCipherSpec())
  assert.deepStrictEqual(state.current, parameters(nullProtection))
  assert.strictEqual(state.sequence, 1)

  const pending = parameters(protectionOf(gcm))
  state.setPending(pending)
  assert.isTrue(state.hasPending)
  assert.deepStrictEqual(state.current, parameters(nullProtection))
  assert.strictEqual(state.sequence, 1)

  assert.isTrue(state.changeCipherSpec())
  assert.strictEqual(state.current, pending)
  assert.deepStrictEqual([state.sequence, state.hasPending], [0, false])
  state.advance()
  assert.isFalse(state.changeCipherSpec())
  assert.strictEqual(state.current, pending)
  assert.strictEqual(state.sequence, 1)
})

it("forgets the keys of the current and of the pending state, and never goes back to the clear", () => {
  const state = new ConnectionState()
  const [current, pending] = [protectionOf(gcm), protectionOf(gcm)]
  state.setPending(parameters(current))
  state.changeCipherSpec()
  state.setPending(parameters(pending))
  state.forget()
  assert.isFalse(state.hasPending)
  for (const protection of [current, pending, state.current.protection]) {
    assert.throws(() => protection.seal(23, new Uint8Array(1), 0, new Uint8Array(40), 0, 0), /keys were forgotten/)
    assert.strictEqual(protection.open(23, new Uint8Array(40), 0), undefined)
    assert.strictEqual(protection.openInto(23, new Uint8Array(40), 0, new Uint8Array(40), 0), -1)
  }
  assert.isFalse(state.changeCipherSpec())
})
