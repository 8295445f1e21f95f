/** Seeded damage to what a peer says in a conversation that goes well. */
import { concat } from "../../src/wire/Bytes.ts"
import { ContentType, HandshakeType } from "../../src/wire/CodePoints.ts"
import { headerLength, makeRecord, splitRecords } from "../harness/TlsRecords.ts"
import { Dice } from "./Dice.ts"
import { versions, wrapped } from "./Permissive.ts"
import type { Flight } from "./Recorded.ts"

type Operation = (bytes: Uint8Array, dice: Dice, others: ReadonlyArray<Flight>) => Uint8Array

const byteRange = 0x100

const withByte = (bytes: Uint8Array, at: number, change: (byte: number) => number): Uint8Array =>
  bytes.map((byte, index) => index === at ? change(byte) : byte)

/** A piece of the bytes: where it begins, and where it ends. */
const piece = (bytes: Uint8Array, dice: Dice): readonly [from: number, to: number] => {
  const from = dice.below(bytes.length)
  return [from, from + 1 + dice.below(Math.min(64, bytes.length - from))]
}

const onRecords = (
  change: (records: Array<Uint8Array>, dice: Dice, others: ReadonlyArray<Flight>) => ReadonlyArray<Uint8Array>
): Operation =>
(bytes, dice, others) => {
  const { records, rest } = splitRecords(bytes)
  return records.length === 0 ? bytes : concat([...change([...records], dice, others), rest])
}

/** What a peer may say at any time, rightly or not. */
const unasked: ReadonlyArray<readonly [type: number, content: Uint8Array]> = [
  [ContentType.alert, Uint8Array.of(1, 0)],
  [ContentType.alert, Uint8Array.of(2, 0)],
  [ContentType.alert, Uint8Array.of(1, 90)],
  [ContentType.alert, Uint8Array.of(1, 100)],
  [ContentType.alert, Uint8Array.of(2, 40)],
  [ContentType.alert, Uint8Array.of(3, 40)],
  [ContentType.alert, Uint8Array.of(2)],
  [ContentType.alert, new Uint8Array(0)],
  [ContentType.alert, Uint8Array.of(1, 41, 1, 41, 1, 41, 1, 41, 1, 41)],
  [ContentType.change_cipher_spec, Uint8Array.of(1)],
  [ContentType.change_cipher_spec, Uint8Array.of(1, 1)],
  [ContentType.application_data, new Uint8Array(0)],
  [ContentType.application_data, Uint8Array.of(1, 2, 3)],
  [ContentType.handshake, new Uint8Array(0)],
  [ContentType.handshake, Uint8Array.of(HandshakeType.hello_request, 0, 0, 0)],
  [ContentType.handshake, Uint8Array.of(HandshakeType.hello_request, 0, 0, 1, 0)],
  [ContentType.handshake, Uint8Array.of(HandshakeType.client_hello, 0, 0, 0)],
  [ContentType.handshake, Uint8Array.of(HandshakeType.server_hello_done, 0, 0, 0)],
  [ContentType.handshake, Uint8Array.of(HandshakeType.certificate, 0xff, 0xff, 0xff)],
  [ContentType.handshake, Uint8Array.of(HandshakeType.key_update, 0, 0, 1, 0)],
  [ContentType.handshake, Uint8Array.of(HandshakeType.key_update, 0, 0, 1, 1)],
  [ContentType.handshake, Uint8Array.of(HandshakeType.key_update, 0, 0, 1, 1, HandshakeType.key_update, 0, 0, 1, 1)],
  [ContentType.handshake, Uint8Array.of(HandshakeType.new_session_ticket, 0, 0, 14, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 7, 0, 0)],
  [ContentType.handshake, Uint8Array.of(HandshakeType.certificate_request, 0, 0, 3, 0, 0, 0)],
  [ContentType.handshake, Uint8Array.of(HandshakeType.end_of_early_data, 0, 0, 0)],
  [24, Uint8Array.of(1, 0, 0)]
]

/** The forms that a record has in the clear, and under the protection of each version. */
const forms = [makeRecord, ...versions.map((version) => (type: number, content: Uint8Array) => wrapped(version, type, content))]

/** Where a length stands: in the headers of the records and of the messages that begin one, and anywhere by chance. */
const lengthAt = (bytes: Uint8Array, dice: Dice): number => {
  const places = [dice.below(bytes.length)]
  let at = 0
  for (const record of splitRecords(bytes).records) {
    places.push(at + 3, at + 4)
    // The type of a message under TLS 1.3 is hidden, and under the permissive protection its header is not.
    if (record[0] === ContentType.handshake || record[0] === ContentType.application_data) {
      places.push(at + 6, at + 7, at + 8)
    }
    at += record.length
  }
  return dice.pick(places)
}

const operations = {
  "flip a bit": (bytes, dice) => withByte(bytes, dice.below(bytes.length), (byte) => byte ^ (1 << dice.below(8))),
  "set a byte": (bytes, dice) =>
    withByte(bytes, dice.below(bytes.length), () => dice.pick([0, 1, 2, 0x7f, 0x80, 0xfe, 0xff])),
  "edit a length": (bytes, dice) => {
    const change = dice.pick([-2, -1, 1, 2, 16, 64, -byteRange / 2])
    return withByte(bytes, lengthAt(bytes, dice), (byte) => byte + change + byteRange)
  },
  truncate: (bytes, dice) => bytes.slice(0, dice.below(bytes.length)),
  "drop a piece": (bytes, dice) => {
    const [from, to] = piece(bytes, dice)
    return concat([bytes.subarray(0, from), bytes.subarray(to)])
  },
  "repeat a piece": (bytes, dice) => {
    const [from, to] = piece(bytes, dice)
    return concat([bytes.subarray(0, to), bytes.subarray(from)])
  },
  "add bytes": (bytes, dice) => {
    const at = dice.below(bytes.length + 1)
    return concat([bytes.subarray(0, at), dice.bytes(1 + dice.below(32)), bytes.subarray(at)])
  },
  "drop a record": onRecords((records, dice) => records.toSpliced(dice.below(records.length), 1)),
  "repeat a record": onRecords((records, dice) => {
    const record = dice.pick(records)
    return records.toSpliced(
      dice.below(records.length + 1),
      0,
      ...Array.from({ length: 1 + dice.below(6) }, () => record)
    )
  }),
  "swap records": onRecords((records, dice) => {
    const [a, b] = [dice.below(records.length), dice.below(records.length)]
    return records.map((record, index) => (index === a ? records[b] : index === b ? records[a] : record) ?? record)
  }),
  "split a record": onRecords((records, dice) => {
    const at = dice.below(records.length)
    const record = records[at] ?? new Uint8Array(headerLength)
    const cut = headerLength + dice.below(record.length - headerLength)
    const type = record[0] ?? 0
    const halves = [record.subarray(headerLength, cut), record.subarray(cut)]
    return records.toSpliced(at, 1, ...halves.map((half) => makeRecord(type, half)))
  }),
  "join records": onRecords((records, dice) => {
    const at = dice.below(records.length)
    const [a, b] = [records[at], records[at + 1]]
    if (a === undefined || b === undefined || a[0] !== b[0]) return records
    return records.toSpliced(at, 2, makeRecord(a[0] ?? 0, concat([a.subarray(headerLength), b.subarray(headerLength)])))
  }),
  "insert a record": onRecords((records, dice) => {
    const [type, content] = dice.pick(unasked)
    const record = dice.pick(forms)(type, content)
    return records.toSpliced(
      dice.below(records.length + 1),
      0,
      ...Array.from({ length: dice.pick([1, 1, 2, 40]) }, () => record)
    )
  }),
  "splice": onRecords((records, dice, others) => {
    const tail = dice.pick(others).records
    return [...records.slice(0, dice.below(records.length + 1)), ...tail.slice(dice.below(tail.length + 1))]
  })
} satisfies Record<string, Operation>

export type OperationName = keyof typeof operations
export const operationNames = Object.keys(operations) as ReadonlyArray<OperationName>

export interface Mutated {
  readonly flight: Flight
  readonly operations: ReadonlyArray<OperationName>
  readonly bytes: Uint8Array
}

/** One to four operations on one of the flights: all of it follows from the seed and the flights. */
export const mutate = (flights: ReadonlyArray<Flight>, seed: number): Mutated => {
  const dice = new Dice(`mutation ${seed}`)
  const flight = dice.pick(flights)
  const names = Array.from({ length: dice.pick([1, 1, 1, 2, 3, 4]) }, () => dice.pick(operationNames))
  let bytes = concat(flight.records)
  for (const name of names) bytes = bytes.length === 0 ? bytes : operations[name](bytes, dice, flights)
  return { flight, operations: names, bytes }
}
