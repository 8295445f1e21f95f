/** A TLS record on the wire is its bytes, header and all. */
export const headerLength = 5

export const contentTypes = { changeCipherSpec: 20, alert: 21, handshake: 22, applicationData: 23 } as const

/** The first byte of a record. */
export const contentType = (record: Uint8Array): number | undefined => record[0]

/** A record in the clear of version 3.3. */
export const makeRecord = (type: number, fragment: Uint8Array): Uint8Array =>
  Uint8Array.of(type, 3, 3, fragment.length >> 8, fragment.length & 0xff, ...fragment)

/** An alert in the clear. */
export const alertRecord = (level: number, description: number): Uint8Array =>
  makeRecord(contentTypes.alert, Uint8Array.of(level, description))

/** A copy with the bits of `mask` turned in the byte at `offset`; a negative offset counts from the end. */
export const flipBits = (bytes: Uint8Array, offset: number, mask = 1): Uint8Array => {
  const copy = Uint8Array.from(bytes)
  const index = offset < 0 ? copy.length + offset : offset
  copy.set([(copy[index] ?? 0) ^ mask], index)
  return copy
}

export interface SplitRecords {
  /** whole records, header included */
  readonly records: ReadonlyArray<Uint8Array>
  /** what is left: the start of a record that is not whole */
  readonly rest: Uint8Array
}

/** Cuts a stream of bytes at the lengths its record headers state. */
export const splitRecords = (bytes: Uint8Array): SplitRecords => {
  const records: Array<Uint8Array> = []
  let start = 0
  for (;;) {
    const high = bytes[start + 3]
    const low = bytes[start + 4]
    if (high === undefined || low === undefined) break
    const end = start + headerLength + high * 256 + low
    if (end > bytes.length) break
    records.push(bytes.slice(start, end))
    start = end
  }
  return { records, rest: bytes.slice(start) }
}
