import { assert, describe, it } from "@effect/vitest"
import type { Version } from "../../src/alert/Answer.ts"
import {
  type ClosureEvent,
  type ClosureState,
  type ClosureStep,
  type Parting,
  parting,
  type ScopeEnd,
  transition
} from "../../src/alert/Closure.ts"

const versions: ReadonlyArray<Version> = ["1.2", "undecided", "1.3"]
const states: ReadonlyArray<ClosureState> = ["Open", "CloseSent", "CloseReceived", "Closed", "Truncated", "Failed"]
const events: ReadonlyArray<ClosureEvent> = ["close", "close_notify", "transport end", "fault", "fatal alert"]

/** The closure table, a line a cell: state, event, versions, and what is done on the way to which state. */
const table = `
Open          | close         | any | send close_notify -> CloseSent
Open          | close_notify  | 1.2 | discard writes, send close_notify, end transport -> Closed
Open          | close_notify  | 1.3 | -> CloseReceived
Open          | transport end | any | end transport -> Truncated
Open          | fault         | any | send alert, forget session, end transport -> Failed
Open          | fatal alert   | any | forget session, end transport -> Failed
CloseSent     | close         | any | -> CloseSent
CloseSent     | close_notify  | any | end transport -> Closed
CloseSent     | transport end | any | end transport -> Truncated
CloseSent     | fault         | any | end transport -> Failed
CloseSent     | fatal alert   | any | forget session, end transport -> Failed
CloseReceived | close         | any | send close_notify, end transport -> Closed
CloseReceived | close_notify  | any | -> CloseReceived
CloseReceived | transport end | any | -> CloseReceived
CloseReceived | fault         | any | send alert, forget session, end transport -> Failed
CloseReceived | fatal alert   | any | -> CloseReceived
`.trim().split("\n").map((line) => {
  const [state = "", event = "", version = "", rest = ""] = line.split("|").map((cell) => cell.trim())
  const [steps = "", next = ""] = rest.split("->").map((part) => part.trim())
  return { state, event, version, steps: steps === "" ? [] : steps.split(", "), next }
})

const cell = (version: Version, state: ClosureState, event: ClosureEvent) => {
  // Before the hellos settle it, a connection closes as TLS 1.2 does.
  const column = version === "1.3" ? "1.3" : "1.2"
  const rows = table.filter((row) =>
    row.state === state && row.event === event && (row.version === "any" || row.version === column)
  )
  assert.isAtMost(rows.length, 1)
  // Closed, Truncated and Failed have no line: they absorb.
  return rows[0] ?? { next: state, steps: [] }
}

describe("transition", () => {
  for (const state of states) {
    it(`${state}: every event and version, by the table`, () => {
      for (const event of events) {
        for (const version of versions) {
          const { next, steps } = cell(version, state, event)
          assert.deepStrictEqual<object>(
            transition(version, state, event),
            { state: next, steps },
            `${event} in ${version}`
          )
        }
      }
    })
  }

  it("the table has a line for each event in each state that is not the last", () => {
    for (const state of states.slice(0, 3)) {
      for (const event of events) {
        assert.isTrue(table.some((row) => row.state === state && row.event === event), `${state} ${event}`)
      }
    }
  })
})

/** Every life of a connection of up to five events, from Open. */
const eachLife = (
  visit: (life: {
    readonly version: Version
    readonly events: ReadonlyArray<ClosureEvent>
    readonly path: ReadonlyArray<ClosureState>
    readonly steps: ReadonlyArray<ClosureStep>
  }) => void
): void => {
  for (const version of versions) {
    const walk = (
      happened: ReadonlyArray<ClosureEvent>,
      path: ReadonlyArray<ClosureState>,
      done: ReadonlyArray<ClosureStep>
    ): void => {
      visit({ version, events: happened, path, steps: done })
      if (happened.length === 5) return
      for (const event of events) {
        const { state, steps } = transition(version, path.at(-1) ?? "Open", event)
        walk([...happened, event], [...path, state], [...done, ...steps])
      }
    }
    walk([], ["Open"], [])
  }
}

const count = <A>(all: ReadonlyArray<A>, one: A): number => all.filter((other) => other === one).length

describe("over every life of five events", () => {
  it("R5246-7.2.1-02, R5246-7.2.1-05: either side can begin, and both close_notify make the one clean end", () => {
    const cleanEnds = new Set<string>()
    eachLife(({ events: happened, path, steps }) => {
      if (path.at(-1) !== "Closed") return
      assert.include(happened, "close_notify")
      assert.strictEqual(count(steps, "send close_notify"), 1)
      cleanEnds.add(happened.includes("close") && happened[0] === "close" ? "we began" : "the peer began")
    })
    assert.deepStrictEqual([...cleanEnds].sort(), ["the peer began", "we began"])
  })

  it("R5246-7.2.1-03, R5246-7.2.2-01: after close_notify or a fatal alert nothing more is said", () => {
    eachLife(({ steps }) => {
      assert.isAtMost(count(steps, "send close_notify") + count(steps, "send alert"), 1, steps.join(", "))
    })
  })

  it("R5246-7.2.2-01: no alert answers a received one", () => {
    for (const version of versions) {
      for (const state of states) {
        assert.notInclude(transition(version, state, "fatal alert").steps, "send alert")
      }
    }
  })

  it("R5246-7.2.1-01, R5246-7.2.1-04: an end without close_notify is Truncated, and forgets no session", () => {
    eachLife(({ events: happened, path, steps }) => {
      if (path.at(-1) !== "Truncated") return
      const before = happened.slice(0, happened.indexOf("transport end"))
      assert.notInclude(before, "close_notify")
      assert.notInclude(steps, "forget session")
    })
    for (const state of ["Open", "CloseSent"] as const) {
      for (const version of versions) {
        assert.strictEqual(transition(version, state, "transport end").state, "Truncated")
      }
    }
  })

  it("R5246-7.2.1-06: after the peer's close_notify neither an alert nor the end of the transport counts", () => {
    for (const event of ["close_notify", "transport end", "fatal alert"] as const) {
      assert.deepStrictEqual(transition("1.3", "CloseReceived", event), { state: "CloseReceived", steps: [] })
      for (const version of versions) {
        assert.deepStrictEqual(transition(version, "Closed", event), { state: "Closed", steps: [] })
      }
    }
  })

  it("R5246-7.2.1-08: TLS 1.2 discards its writes, answers close_notify, and ends the transport", () => {
    assert.deepStrictEqual(transition("1.2", "Open", "close_notify").steps, [
      "discard writes",
      "send close_notify",
      "end transport"
    ])
  })

  it("R5246-7.2-04, R5246-7.2.2-02: a fatal alert, sent or received, forgets the session; nothing else does", () => {
    eachLife(({ events: happened, path, steps }) => {
      const end = path.at(-1)
      if (steps.includes("forget session")) assert.strictEqual(end, "Failed")
      if (end !== "Failed") return
      const at = path.indexOf("Failed") - 1
      const saidNothing = happened[at] === "fault" && path[at] === "CloseSent"
      assert.strictEqual(count(steps, "forget session"), saidNothing ? 0 : 1, happened.join(", "))
    })
  })

  it("the transport is let go of once, and only at an end", () => {
    eachLife(({ path, steps }) => {
      const isOver = ["Closed", "Truncated", "Failed"].includes(path.at(-1) ?? "")
      assert.strictEqual(count(steps, "end transport"), isOver ? 1 : 0)
    })
  })
})

describe("parting (law 15)", () => {
  const ends: ReadonlyArray<ScopeEnd> = ["success", "failure", "interruption", "timeout", "defect"]

  /** What the law says, the strongest reason first. */
  const wanted = (
    state: ClosureState,
    isHandshaking: boolean,
    end: ScopeEnd,
    anyRecordPassed: boolean,
    policy: "close_notify" | "internal_error"
  ): Parting => {
    const isOver = state === "CloseSent" || state === "Closed" || state === "Truncated" || state === "Failed"
    if (isOver || !anyRecordPassed) return "silence"
    const gaveUp = end === "interruption" || end === "timeout"
    if (isHandshaking && gaveUp) return "user_canceled and close_notify"
    if (!isHandshaking && end === "failure") return policy
    return end === "defect" ? "internal_error" : "close_notify"
  }

  it("R5246-7.2.1-07: over every state, phase, end and policy", () => {
    const said = new Map<Parting, number>()
    for (const state of states) {
      for (const phase of ["handshaking", "established"] as const) {
        for (const end of ends) {
          for (const anyRecordPassed of [false, true]) {
            for (const onFailure of ["close_notify", "internal_error"] as const) {
              const parted = parting(state, phase, end, { anyRecordPassed, onFailure })
              said.set(parted, (said.get(parted) ?? 0) + 1)
              assert.strictEqual(
                parted,
                wanted(state, phase === "handshaking", end, anyRecordPassed, onFailure),
                `${state}, ${phase}, ${end}, ${anyRecordPassed}, ${onFailure}`
              )
            }
          }
        }
      }
    }
    assert.strictEqual(said.size, 4)
  })

  const options = { anyRecordPassed: true, onFailure: "close_notify" } as const

  it("R5246-7.2.2-32: a handshake given up is user_canceled, then close_notify", () => {
    assert.strictEqual(parting("Open", "handshaking", "interruption", options), "user_canceled and close_notify")
    assert.strictEqual(parting("Open", "handshaking", "timeout", options), "user_canceled and close_notify")
  })

  it("R5246-7.2.2-33: after the handshake close_notify alone is said", () => {
    assert.strictEqual(parting("Open", "established", "interruption", options), "close_notify")
  })

  it("R5246-7.2.2-31: a defect of our own is internal_error", () => {
    for (const phase of ["handshaking", "established"] as const) {
      assert.strictEqual(parting("Open", phase, "defect", options), "internal_error")
    }
  })
})
