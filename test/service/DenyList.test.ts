import { assert, describe, it } from "@effect/vitest"
import { DenyList } from "../../src/service/DenyList.ts"

describe("DenyList", () => {
  it("holds a name for as long as a session lives", () => {
    const list = new DenyList(10, 100)
    list.add("a", 5, 10)
    assert.isTrue(list.has("a") && list.refuses("a", 5))
    assert.isFalse(list.has("b") || list.refuses("b", 5))
    list.add("b", 5, 109)
    assert.isTrue(list.has("a"))
    list.add("c", 5, 110)
    assert.isFalse(list.has("a"))
    assert.isTrue(list.has("b"))
    assert.isFalse(list.refuses("d", 5), "what went by age refuses nothing else")
  })

  it("never forgets a death: without room, all that is as old is refused", () => {
    const list = new DenyList(3, 1_000_000)
    const dead: Array<readonly [string, number]> = []
    for (let number = 0; number < 200; number++) {
      // Sessions die in another order than they were made in.
      const createdAt = (number * 37) % 200
      list.add(`${number}`, createdAt, 1000 + number)
      dead.push([`${number}`, createdAt])
      for (const [name, createdAt] of dead) assert.isTrue(list.refuses(name, createdAt))
    }
    assert.isTrue(list.refuses("living, and old", 150))
    assert.isFalse(list.refuses("living, and young", 200))
    assert.isFalse(list.has("0"))
  })

  it("a name that dies again keeps its place in the list", () => {
    const list = new DenyList(2, 1000)
    for (const [index, name] of ["a", "b", "a", "c"].entries()) list.add(name, index * 10, index)
    assert.isTrue(list.has("a") && list.has("c"))
    assert.isTrue(list.refuses("b", 10))
    assert.isFalse(list.refuses("d", 11))
  })
})
