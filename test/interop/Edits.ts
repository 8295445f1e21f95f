import type { Direction, Tamper, Tampered } from "../harness/TamperingProxy.ts"
import { contentType, contentTypes, flipBits, headerLength } from "../harness/TlsRecords.ts"

/** How a man in the middle spoils one record. Every peer of ours puts each handshake message into a record of its own. */
export type Edit = (record: Uint8Array) => Tampered

const messageHeaderLength = 4
const versionAt = headerLength + messageHeaderLength
/** the length of the session identifier, of either hello: after the version and the random */
export const sessionIdAt = versionAt + 2 + 32

const replaced = (record: Uint8Array, at: number, ...bytes: ReadonlyArray<number>): Uint8Array => {
  const copy = Uint8Array.from(record)
  copy.set(bytes, at)
  return copy
}

const afterSessionId = (record: Uint8Array): number => sessionIdAt + 1 + (record[sessionIdAt] ?? 0)

/** a session identifier of 255 bytes, where 32 are allowed */
export const overlongSessionId: Edit = (record) => replaced(record, sessionIdAt, 255)

export const asTls11: Edit = (record) => replaced(record, versionAt, 3, 2)

/** TLS_RSA_WITH_AES_128_CBC_SHA, which we never offer */
export const otherSuite: Edit = (record) => replaced(record, afterSessionId(record), 0x00, 0x2f)

/** of a ClientHello: DEFLATE in place of the null method, which must be there */
export const withoutNullCompression: Edit = (record) => {
  const suitesAt = afterSessionId(record)
  const suitesLength = (record[suitesAt] ?? 0) * 256 + (record[suitesAt + 1] ?? 0)
  return replaced(record, suitesAt + 2 + suitesLength + 1, 1)
}

/** of a ServerHello: extended_master_secret under another number, that of an extension which was not offered */
export const extensionAs = (type: number): Edit => (record) => {
  const at = Buffer.from(record).lastIndexOf(Buffer.of(0x00, 0x17, 0x00, 0x00))
  return replaced(record, at, type >> 8, type & 0xff)
}

/** Where the extension with this number begins, in either hello; its length is of two bytes, like its number. */
const extensionAt = (record: Uint8Array, type: number): number | undefined => {
  const at = (offset: number) => (record[offset] ?? 0) * 256 + (record[offset + 1] ?? 0)
  let from = afterSessionId(record)
  // of a ClientHello: suites and compression methods; of a ServerHello: one of each
  if (record[headerLength] === messageTypes.clientHello) {
    from += 2 + at(from)
    from += 1 + (record[from] ?? 0)
  } else from += 3
  for (from += 2; from < record.length; from += 4 + at(from + 2)) {
    if (at(from) === type) return from
  }
  return undefined
}

/** Other bytes in an extension of a hello of TLS 1.3, from `offset` on. */
const inExtension = (type: number, offset: number, ...bytes: ReadonlyArray<number>): Edit => (record) => {
  const at = extensionAt(record, type)
  return at === undefined ? record : replaced(record, at + offset, ...bytes)
}

/** of a hello of TLS 1.3: an extension under another number */
export const renumbered = (from: number, to: number): Edit => inExtension(from, 0, to >> 8, to & 0xff)

/** of a ServerHello: TLS 1.2 is what supported_versions selects */
export const selecting12: Edit = inExtension(43, 4, 3, 3)

/** of a ServerHello: the share is of P-521, of which the client sent none */
export const otherShare: Edit = inExtension(51, 4, 0, 25)

/** of a ClientHello: the first ticket in pre_shared_key, in hexadecimal */
export const offeredTicket = (record: Uint8Array): string | undefined => {
  const at = extensionAt(record, 41)
  if (at === undefined) return undefined
  const [high = 0, low = 0] = record.subarray(at + 6)
  return Buffer.from(record.subarray(at + 8, at + 8 + high * 256 + low)).toString("hex")
}

/** of a ServerHello of TLS 1.3: another echo of the session identifier */
export const otherSessionId: Edit = (record) => flipBits(record, sessionIdAt + 1)

/** of a ServerKeyExchange: P-384 in place of the group that the server has chosen */
export const otherCurve: Edit = (record) => replaced(record, headerLength + messageHeaderLength + 1, 0, 24)

/** The second one says TLS 1.2 in its header, as every record must once the version is settled. */
export const twice: Edit = (record) => [record, replaced(record, 1, 3, 3)]

/** of a Certificate: the end of the signature under the leaf, which is the first of the chain */
export const corruptedLeaf: Edit = (record) => {
  const leafAt = headerLength + messageHeaderLength + 3 + 3
  const length = (record[leafAt - 2] ?? 0) * 256 + (record[leafAt - 1] ?? 0)
  return flipBits(record, leafAt + length - 1)
}

export const corrupted: Edit = (record) => flipBits(record, -1)

/** one byte more than a record in the clear may hold */
export const overlong: Edit = (record) => Uint8Array.of(record[0] ?? 0, 3, 3, 0x40, 0x01, ...new Uint8Array(0x4001))

/** one byte more than a protected record may hold */
export const overlongProtected: Edit = (record) =>
  Uint8Array.of(record[0] ?? 0, 3, 3, 0x48, 0x01, ...new Uint8Array(0x4801))

/**
 * Which record is meant: the first of a handshake message in the clear, the first protected one (`finished`, which it is but for a
 * server of TLS 1.3, whose is EncryptedExtensions), or the first of data.
 */
export type Place =
  | "clientHello"
  | "serverHello"
  | "certificate"
  | "serverKeyExchange"
  | "certificateVerify"
  | "finished"
  | "data"

const messageTypes: Readonly<Record<Exclude<Place, "finished" | "data">, number>> = {
  clientHello: 1,
  serverHello: 2,
  certificate: 11,
  serverKeyExchange: 12,
  certificateVerify: 15
}

/**
 * How many protected records a full handshake of TLS 1.3 takes that is ours, without client certificates and tickets. From outside
 * they look like data.
 */
const handshakeRecords13: Readonly<Record<Direction, number>> = { clientToServer: 1, serverToClient: 1 }

/**
 * Spoils the first record of this place that goes this way, over all connections. What the same connection sends behind it is
 * dropped: a peer that fails and closes with bytes unread resets the connection, and the reset may overtake its alert.
 */
export const editing = (way: Direction, place: Place, edit: Edit): Tamper => {
  let isDone = false
  let isOver = false
  let isProtected = false
  /** of the handshake, that are still to come */
  let hidden = 0
  const isMeant = (record: Uint8Array): boolean => {
    const type = contentType(record)
    if (type !== contentTypes.handshake && type !== contentTypes.applicationData) return false
    if (place === "finished") return isProtected
    if (place === "data") return type === contentTypes.applicationData && hidden === 0
    return type === contentTypes.handshake && !isProtected && record[headerLength] === messageTypes[place]
  }
  return (direction, index, record) => {
    if (direction !== way) return record
    if (index === 0) {
      isOver = false
      isProtected = false
    }
    if (isOver) return null
    if (!isDone && isMeant(record)) {
      isDone = true
      isOver = true
      return edit(record)
    }
    // In TLS 1.2 it is followed by the Finished, which says that it is of a handshake.
    if (contentType(record) === contentTypes.changeCipherSpec) {
      isProtected = true
      hidden = handshakeRecords13[way]
    } else if (isProtected && contentType(record) === contentTypes.handshake) hidden = 0
    else if (hidden > 0) hidden--
    return record
  }
}

/** Spoils the next record that goes this way once it is told to, and drops what the same connection sends behind it. */
export const whenTold = (way: Direction, edit: Edit): { readonly tamper: Tamper; readonly spoilNext: () => void } => {
  let isTold = false
  let isOver = false
  return {
    spoilNext: () => void (isTold = true),
    tamper: (direction, index, record) => {
      if (direction !== way) return record
      if (index === 0) isOver = false
      if (isOver) return null
      if (!isTold) return record
      isTold = false
      isOver = true
      return edit(record)
    }
  }
}
