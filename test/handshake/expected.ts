/** What each kind of end looks like at each place: RFC 5246 sections 7.2 to 7.2.2, and laws 5, 11 and 13. */
import type { Outcome, Place } from "./conversation.ts"
import { awaited, type Unit } from "./world.ts"

/** What the subject waits for at a place; `undefined` on the open connection. */
export const dueAt = (place: Place): Unit | undefined => awaited[place.subject][place.flow][place.at]

export const isOpen = (place: Place): boolean => dueAt(place) === undefined

/** Whether the subject reads protected records at this place: after ChangeCipherSpec. */
export const isProtected = (place: Place): boolean => isOpen(place) || dueAt(place) === "Finished"

/** The hellos settle the version. */
const versionAt = (place: Place) => place.at === 0 ? "undecided" : "1.2"

const phaseAt = (place: Place) => !isOpen(place) ? "handshaking" : place.closing ? "closing" : "established"

const toldBefore = (place: Place) => place.closing ? ["1/0"] : []

/** What the puppet has said before, on the open connection. */
const dataAt = (place: Place) => isOpen(place) ? "hello" : ""

/** RFC 5246 section 7.2 and law 11: which sessions the subject has left, where this one did or did not die. */
const sessionsAt = (place: Place, isForgotten: boolean): number => {
  const { at, flow, subject } = place
  if (isOpen(place)) {
    // A server that declined an offer has two sessions of the client, and the other one has nothing to do with this connection.
    const had = subject === "server" && flow === "full, after a declined offer" ? 2 : 1
    return isForgotten ? had - 1 : had
  }
  if (flow !== "abbreviated" && flow !== "full, after a declined offer") return 0
  // An offer counts until it is declined, for the client that makes it; for the server, once it has looked it up.
  const isInUse = flow === "abbreviated" ? subject === "client" || at > 0 : subject === "client" && at === 0
  return isForgotten && isInUse ? 0 : 1
}

/**
 * This side finds a fault, answers with one fatal alert, and forgets the session. After our own close_notify nobody is told, and
 * nothing is forgotten.
 */
export const protested = (place: Place, code: number, fault: string, told: ReadonlyArray<string> = []): Outcome => ({
  failure: `AlertSent ${code} ${fault} ${phaseAt(place)} ${versionAt(place)}`,
  data: dataAt(place),
  told: place.closing ? toldBefore(place) : [...told, `2/${code}`],
  sessions: sessionsAt(place, !place.closing)
})

/** A fatal alert came: nothing answers it, and the session is forgotten. */
export const terminated = (place: Place, code: number): Outcome => ({
  failure: `AlertReceived fatal ${code} ${phaseAt(place)} ${versionAt(place)}`,
  data: dataAt(place),
  told: toldBefore(place),
  sessions: sessionsAt(place, true)
})

/** close_notify came: the clean end, and in a handshake the end of the handshake, `by` what the peer said. It is answered once. */
export const closed = (place: Place, level: 1 | 2, by = "close_notify"): Outcome => ({
  failure: isOpen(place) ? "clean" : `HandshakeAborted ${by} ${versionAt(place)}`,
  data: dataAt(place),
  told: ["1/0"],
  sessions: sessionsAt(place, level === 2)
})

/** The transport ended: nobody is told, and nothing is forgotten (RFC 5246 section 7.2.1). */
export const truncated = (place: Place, by: "fin" | "reset", where: "in a record" | "between records"): Outcome => ({
  failure: `Truncated ${by} ${where} after ${dataAt(place).length} ${phaseAt(place)} ${versionAt(place)}`,
  data: dataAt(place),
  told: toldBefore(place),
  sessions: sessionsAt(place, false)
})

/** It was tolerated, and the conversation went on to its clean end. */
export const wentOn = (place: Place, told: ReadonlyArray<string> = []): Outcome => ({
  failure: "clean",
  data: "hellobye",
  told: place.closing ? toldBefore(place) : [...told, "1/0"],
  sessions: sessionsAt({ ...place, at: awaited[place.subject][place.flow].length }, false)
})
