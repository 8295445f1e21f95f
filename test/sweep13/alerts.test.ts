/** Every alert at every place of TLS 1.3: RFC 8446 section 6, and while the version is open RFC 5246 section 7.2. */
import { Array as Arr } from "effect"
import { ContentType } from "../../src/wire/CodePoints.ts"
import { registered } from "../alert/registry.ts"
import { type Act, type Outcome, ticket } from "./conversation.ts"
import { closed, protested, terminated, truncated, wentOn } from "./expected.ts"
import {
  dueAt,
  hasOpened,
  isOpen,
  isProtected,
  isUndecided,
  mainPlaces,
  otherPlaces,
  type Place,
  places
} from "./places.ts"
import { borne, last, sweep, type Trial } from "./sweep.ts"

const { alert, application_data, handshake } = ContentType

const closeNotify = 0
const userCanceled = 90

const unregistered = [1, 99, 255]
const every = [...registered.map((_) => _.value), ...unregistered]
const some = [closeNotify, 10, 42, userCanceled, 100, 255]
const levels = [0, 1, 2, 3]

type Say = (...content: ReadonlyArray<number>) => Act

/** Under the keys of the moment. */
const says: Say = (...content) => (puppet) => puppet.record(alert, content)
const saysInTheClear: Say = (...content) => (puppet) => puppet.clear(alert, content)

/** One after the other. */
const all = (...acts: ReadonlyArray<Act>): Act => (puppet, due) => acts.forEach((act) => act(puppet, due))

/** RFC 8446 section 6: the level says nothing, and what is not known is an error. */
const inVersion13 = (place: Place, say: Say, codes: ReadonlyArray<number>): ReadonlyArray<Trial> =>
  codes.flatMap((code) => {
    const trial = (level: number): Trial => {
      if (code === closeNotify) return last(`${level}/0`, say(level, 0), closed(place, level))
      return last(`${level}/${code}`, say(level, code), terminated(place, code, level))
    }
    return code === userCanceled ? [] : levels.map(trial)
  })

/** RFC 8446 section 6.1: it is not the end; close_notify should follow. */
const userCanceledAt = (place: Place, say: Say): Trial =>
  borne("user_canceled at every level", all(...levels.map((level) => say(level, userCanceled))), wentOn(place))

/** RFC 5246 section 7.2: warnings, four in a row at most, fatal alerts, and what is no level. */
const inVersion12 = (place: Place, codes: ReadonlyArray<number>): ReadonlyArray<Trial> => [
  last("1/0", says(1, 0), closed(place, 1)),
  ...codes.map((code) => last(`2/${code}`, says(2, code), code === 0 ? closed(place, 2) : terminated(place, code))),
  ...Arr.chunksOf(codes.filter((code) => code !== closeNotify), 4).map((four) =>
    borne(`warnings ${four.join(", ")}`, all(...four.map((code) => says(1, code))), wentOn(place))
  ),
  ...[0, 3].flatMap((level) =>
    codes.map((code) => last(`${level}/${code}`, says(level, code), protested(place, 47, "AlertLevelUnknown")))
  )
]

const everyAlert = (codes: ReadonlyArray<number>) => (place: Place): ReadonlyArray<Trial> =>
  isUndecided(place)
    ? inVersion12(place, codes)
    : [...inVersion13(place, says, codes), userCanceledAt(place, says)]

sweep("every alert at every level, wherever a side waits", everyAlert(every), mainPlaces)
sweep("some alerts at every level, where it waits for the same in another setting", everyAlert(some), otherPlaces)

sweep(
  "alerts in the clear, before a protected record was opened, are read as what they say",
  (place) => [...inVersion13(place, saysInTheClear, some), userCanceledAt(place, saysInTheClear)],
  places.filter((place) => isProtected(place) && !hasOpened(place))
)

sweep(
  "alerts in the clear after a protected record: unexpected_message, whatever they say",
  (place) =>
    some.flatMap((code) =>
      levels.map((level) =>
        last(`${level}/${code}`, saysInTheClear(level, code), protested(place, 10, "AlertUnprotected"))
      )
    ),
  places.filter(hasOpened)
)

const ends = (by: "fin" | "reset"): Act => (puppet) => puppet.cutLater(by)
const garbage: Act = (puppet) => puppet.raw(99, 9, 9, 9, 9)

/** What is due, or data. */
const due = (place: Place): Act => (puppet, message) =>
  dueAt(place) === undefined ? puppet.record(application_data, [1]) : puppet.record(handshake, message)

/** RFC 8446 section 5.1: an alert is a record, and a record is an alert. Before the version is settled, the older rule is good. */
const inRecords = (place: Place): ReadonlyArray<readonly [name: string, act: Act, code: number, expected?: Outcome]> =>
  isUndecided(place)
    ? [
      ["an alert in two records", all(says(2), says(40)), 40],
      ["two errors in one record", says(2, 50, 2, 40), 50],
      ["an error and half an alert", says(2, 50, 2), 50],
      ["four warnings and an error in one record", says(1, 90, 1, 100, 1, 90, 1, 41, 2, 50), 50],
      ["close_notify and an error", says(1, 0, 2, 40), 0, closed(place)],
      ["half an alert, then what is due", all(says(1), due(place)), 10, protested(place, 10, "RecordInterleaved")],
      ["half an alert, then a FIN", all(says(2), ends("fin")), 0, truncated(place, "fin")]
    ]
    : [[2], [2, 40, 2], [1, 0, 2, 40], [2, 50, 2, 40], [1, 90, 1, 90]].map((content) => [
      `a record of ${content.join(", ")}`,
      says(...content),
      50,
      protested(place, 50, "AlertMalformed")
    ])

sweep("alerts that share a record, are split, are too many, or are followed by something", (place) => [
  ...inRecords(place).map(([name, act, code, expected]) => last(name, act, expected ?? terminated(place, code))),
  last("an empty alert record", says(), protested(place, 10, "AlertEmpty")),
  last("five in a row that are tolerated", all(...Arr.replicate(says(1, 90), 5)), protested(place, 10, "AlertFlood")),
  // Law 16: what was said outranks how it ended.
  last("an error, then a FIN", all(says(2, 48), ends("fin")), terminated(place, 48)),
  last("an error, then a reset", all(says(2, 48), ends("reset")), terminated(place, 48)),
  last("an error, then garbage", all(says(2, 48), garbage), terminated(place, 48)),
  // Law 7: what comes after it is not looked at.
  last("close_notify, then garbage", all(says(1, 0), garbage), closed(place)),
  last("close_notify, then an error", all(says(1, 0), says(2, 40)), closed(place)),
  last("close_notify, then a FIN", all(says(1, 0), ends("fin")), closed(place)),
  ...(isOpen(place) ? [] : [
    last("user_canceled, then close_notify", all(says(1, 90), says(1, 0)), closed(place, 1, "user_canceled"))
  ])
])

sweep(
  "a ticket that comes with a fatal alert is not kept",
  (place) => {
    const atOnce = (act: Act): Act => (puppet, message) => {
      puppet.isOneChunk = true
      puppet.blurt(ticket)
      act(puppet, message)
    }
    return [
      last("from the peer", atOnce(says(2, 40)), terminated(place, 40)),
      last("from us", atOnce((puppet) => puppet.record(handshake, [])), protested(place, 10, "RecordEmpty"))
    ]
  },
  places.filter((place) => place.subject === "client" && isOpen(place) && !place.closing)
)
