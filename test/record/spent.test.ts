import { assert, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { cut, filled, int, openDirection } from "./records.ts"

it.prop("a chunk is given back once, when nothing of it is needed any more", {
  lengths: Arbitrary.array(int(1, 400), { minLength: 1, maxLength: 6 }),
  cuts: Arbitrary.array(int(1, 500), { minLength: 1, maxLength: 5 }),
  room: int(1, 900)
}, ({ cuts, lengths, room }) => {
  const { inbound, outbound } = openDirection()
  const data = lengths.map((length, i) => filled(length, i))
  const stream = Buffer.concat(data.map((part) => outbound.seal(23, part)))
  const chunks = cut(stream, cuts).map((chunk) => chunk.slice())
  const spent: Array<Uint8Array> = []
  inbound.deframer.onSpent = (chunk) => {
    spent.push(chunk)
    // As if the memory were used for something else.
    chunk.fill(0xee)
  }
  const got: Array<Uint8Array> = []
  const target = { buffer: new Uint8Array(room), at: 0 }
  for (const chunk of chunks) {
    inbound.push(chunk)
    for (let next = inbound.next(target); next !== undefined; next = inbound.next(target)) {
      if (next._tag !== "Data") return assert.fail(next._tag)
      got.push(next.bytes)
    }
  }
  assert.deepStrictEqual(Buffer.concat(got), Buffer.concat(data))
  assert.strictEqual(spent.length, chunks.length)
  assert.isTrue(spent.every((chunk, i) => chunk === chunks[i]))
})
