import { assert, it } from "@effect/vitest"
import { SessionSecret } from "effect-tls"
import { inspect } from "node:util"

const secret = (): SessionSecret => new SessionSecret(Uint8Array.of(171, 205, 239))

it("nothing prints the bytes", () => {
  const ways = [
    `${secret()}`,
    JSON.stringify({ secret: secret() }),
    inspect(secret(), { showHidden: true, getters: true }),
    inspect({ deep: { secret: secret() } }, { depth: null, showHidden: true, getters: true })
  ]
  for (const text of ways) {
    assert.include(text, "<redacted>")
    assert.notMatch(text, /171|205|abcdef|q83v/i)
  }
  assert.deepStrictEqual(Object.keys(secret()), [])
})

it("a copy outlives the wiping of what it was made of", () => {
  const first = secret()
  const second = first.copy()
  first.wipe()
  assert.deepStrictEqual([...first.bytes, ...second.bytes], [0, 0, 0, 171, 205, 239])
})
