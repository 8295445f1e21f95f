import { Array as Arr } from "effect"
import { ContentType } from "../../src/wire/CodePoints.ts"
import { registered } from "../alert/registry.ts"
import type { Outcome, Place } from "./conversation.ts"
import { closed, dueAt, isOpen, protested, terminated, truncated, wentOn } from "./expected.ts"
import type { Hands } from "./puppet.ts"
import { mainPlaces, otherPlaces, places, sweep, type Trial } from "./sweep.ts"

const { alert, handshake } = ContentType

const unregistered = [1, 99, 255]
const every = [...registered.map((_) => _.value), ...unregistered]
const some = [0, 10, 42, 90, 100, 255]

const says = (...content: ReadonlyArray<number>) => (hands: Hands) => hands.record(alert, Uint8Array.from(content))

const last = (name: string, act: (hands: Hands) => void, expected: Outcome): Trial => ({
  name,
  move: { how: "instead", act },
  expected
})

/** RFC 5246 section 7.2: a level that is neither warning nor fatal is no level, whatever the description. */
const strangeLevel = (place: Place, codes: ReadonlyArray<number>, level: number): ReadonlyArray<Trial> =>
  codes.map((code) => last(`${level}/${code}`, says(level, code), protested(place, 47, "AlertLevelUnknown")))

/** Each warning is ignored, four in a row at most; what comes next makes good for them. */
const warnings = (place: Place, codes: ReadonlyArray<number>): ReadonlyArray<Trial> =>
  Arr.chunksOf(codes.filter((code) => code !== 0), 4).map((four): Trial => ({
    name: `warnings ${four.join(", ")}`,
    move: { how: "before", act: (hands) => four.forEach((code) => says(1, code)(hands)) },
    expected: wentOn(place)
  }))

const everyAlert = (codes: ReadonlyArray<number>) => (place: Place): ReadonlyArray<Trial> => [
  ...codes.map((code) => last(`2/${code}`, says(2, code), code === 0 ? closed(place, 2) : terminated(place, code))),
  last("1/0", says(1, 0), closed(place, 1)),
  ...warnings(place, codes),
  ...strangeLevel(place, codes, 0),
  ...strangeLevel(place, codes, 3)
]

sweep("every alert at every level, wherever a side waits", everyAlert(every), mainPlaces)
sweep("some alerts at every level, where it waits for the same in another setting", everyAlert(some), otherPlaces)

/** One after the other. */
const all = (...acts: ReadonlyArray<(hands: Hands) => void>) => (hands: Hands) => acts.forEach((act) => act(hands))

const ends = (by: "fin" | "reset") => (hands: Hands) => hands.end(by)
const garbage = (hands: Hands) => hands.raw(Uint8Array.of(99, 9, 9, 9, 9))

sweep("alerts that share a record, are split over two, are too many, or are followed by something", (place) => {
  const due = (hands: Hands) => {
    if (dueAt(place) === "ChangeCipherSpec") hands.record(ContentType.change_cipher_spec, hands.due)
    else if (isOpen(place)) hands.record(ContentType.application_data, Uint8Array.of(1))
    else hands.record(handshake, hands.due)
  }
  return [
    last("an empty alert record", says(), protested(place, 10, "AlertEmpty")),
    last("an alert in two records", all(says(2), says(40)), terminated(place, 40)),
    last("four warnings and an error in one record", says(1, 90, 1, 100, 1, 90, 1, 41, 2, 50), terminated(place, 50)),
    last("two errors in one record", says(2, 50, 2, 40), terminated(place, 50)),
    last("an error and half an alert", says(2, 50, 2), terminated(place, 50)),
    last("close_notify and an error", says(1, 0, 2, 40), closed(place, 1)),
    last("user_canceled and close_notify in one record", says(1, 90, 1, 0), closed(place, 1, "user_canceled")),
    last("another warning and close_notify in one record", says(1, 100, 1, 0), closed(place, 1)),
    last("five warnings in one record", says(1, 90, 1, 90, 1, 90, 1, 90, 1, 90), protested(place, 10, "AlertFlood")),
    last("five warnings in a row", all(...Arr.replicate(says(1, 100), 5)), protested(place, 10, "AlertFlood")),
    last("half an alert, then what is due", all(says(1), due), protested(place, 10, "RecordInterleaved")),
    last("half an alert, then a FIN", all(says(2), ends("fin")), truncated(place, "fin", "between records")),
    // Law 16: what was said outranks how it ended.
    last("an error, then a FIN", all(says(2, 48), ends("fin")), terminated(place, 48)),
    last("an error, then a reset", all(says(2, 48), ends("reset")), terminated(place, 48)),
    last("an error, then garbage", all(says(2, 48), garbage), terminated(place, 48)),
    // Law 7: what comes after it is not looked at.
    last("close_notify, then garbage", all(says(1, 0), garbage), closed(place, 1)),
    last("close_notify, then a FIN", all(says(1, 0), ends("fin")), closed(place, 1))
  ]
}, places)
