/** What each kind of end looks like at each place: RFC 8446 section 6, and DESIGN's laws 5, 11, 13 and 16. */
import type { Epoch } from "../handshake13/puppet.ts"
import { farewell, greeting, type Outcome } from "./conversation.ts"
import {
  awaited,
  dueAt,
  isOpen,
  isProtected,
  isResumed,
  isRetried,
  isUndecided,
  type Place,
  remembers
} from "./places.ts"

const versionAt = (place: Place) => isUndecided(place) ? "undecided" : "1.3"

const phaseAt = (place: Place) => !isOpen(place) ? "handshaking" : place.closing ? "closing" : "established"

/** Under which keys the subject speaks. A server has those of the application from its Finished on. */
export const epochAt = (place: Place): Epoch => {
  if (!isProtected(place)) return "clear"
  return place.subject === "client" && !isOpen(place) ? "handshake" : "application"
}

const toldBefore = (place: Place) => place.closing ? ["application 1/0"] : []

/** What the puppet has said before, on the open connection. */
const dataAt = (place: Place) => isOpen(place) ? greeting : ""

/** The tickets that came of the connection: one that the puppet sent, or those that we send: two, or one for the one that was used. */
const mintedAt = (place: Place): number => !isOpen(place) ? 0 : place.subject === "client" || isResumed(place) ? 1 : 2

/**
 * Whether the remembered session is that of the connection. A client's offer counts until it is declined; a server has looked at
 * nothing before the binder was verified.
 */
const isUsed = (place: Place): boolean => {
  if (place.subject === "server") return isResumed(place) && isProtected(place)
  return isResumed(place) || (remembers(place) && isUndecided(place))
}

/** Law 11. A client uses a ticket once: it is gone from its cache in any case. */
export const sessionsAt = (place: Place, isForgotten: boolean): Pick<Outcome, "forgotten" | "alive"> => {
  const used = isUsed(place) ? 1 : 0
  const kept = remembers(place) && place.subject === "server" ? 1 : 0
  const minted = mintedAt(place)
  return isForgotten
    ? { forgotten: used + minted, alive: kept === 1 && used === 0 ? 1 : 0 }
    : { forgotten: 0, alive: kept + minted }
}

export interface Said {
  /** Before the alert in question. */
  readonly told?: ReadonlyArray<string>
  readonly epoch?: Epoch
}

/**
 * This side finds a fault, answers with one fatal alert, and forgets. After our own close_notify nobody is told, and nothing is
 * forgotten.
 */
export const protested = (place: Place, code: number, fault: string, said: Said = {}): Outcome => ({
  failure: `AlertSent ${code} ${fault} ${phaseAt(place)} ${versionAt(place)}`,
  data: dataAt(place),
  told: place.closing ? toldBefore(place) : [...said.told ?? [], `${said.epoch ?? epochAt(place)} 2/${code}`],
  ...sessionsAt(place, !place.closing)
})

const levels: Readonly<Record<number, string>> = { 1: "warning", 2: "fatal" }

/** An error alert came: nothing answers it, and the sessions are forgotten. */
export const terminated = (place: Place, code: number, level = 2): Outcome => ({
  failure: `AlertReceived ${levels[level] ?? level} ${code} ${phaseAt(place)} ${versionAt(place)}`,
  data: dataAt(place),
  told: toldBefore(place),
  ...sessionsAt(place, true)
})

/** close_notify came: the clean end, and in a handshake the end of the handshake, `by` what the peer said. It is answered once. */
export const closed = (place: Place, level = 1, by = "close_notify"): Outcome => ({
  failure: isOpen(place) ? "clean" : `HandshakeAborted ${by} ${versionAt(place)}`,
  data: dataAt(place),
  told: [`${epochAt(place)} 1/0`],
  // RFC 5246 section 7.2, as long as it may be that protocol: a fatal one.
  ...sessionsAt(place, isUndecided(place) && level === 2)
})

/** Whether a client has something to say that the end of the transport catches. */
const isWriting = (place: Place): boolean =>
  place.subject === "client" && isProtected(place) && !isOpen(place) && !isRetried(place)

/** The transport ended: nobody is told, and nothing is forgotten. */
export const truncated = (place: Place, by: "fin" | "reset"): Outcome => ({
  failure: by === "reset" && isWriting(place)
    ? "TransportFailed"
    : `Truncated ${by} after ${dataAt(place).length} ${phaseAt(place)} ${versionAt(place)}`,
  data: dataAt(place),
  told: toldBefore(place),
  ...sessionsAt(place, false)
})

/** It was tolerated, and the conversation went on to its clean end. */
export const wentOn = (place: Place): Outcome => ({
  failure: "clean",
  data: greeting + farewell,
  told: ["application 1/0"],
  ...sessionsAt({ ...place, at: awaited[place.subject][place.flow].length }, false)
})

/** Of the message that is due, so many bytes in a record of their own; on the open connection of a KeyUpdate. */
export const beginning = (place: Place, due: Uint8Array): Uint8Array =>
  dueAt(place) === undefined ? Uint8Array.of(24, 0) : due.subarray(0, 3)
