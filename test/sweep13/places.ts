/** Where something can happen in TLS 1.3: RFC 8446 section 2, figures 1 to 3. */
import type { Side } from "../handshake13/puppet.ts"
import type { Unit } from "../handshake13/stories.ts"

/** The kinds of handshake. A resumption is by PSK with a new key exchange. */
export type Flow =
  | "full"
  | "HelloRetryRequest"
  | "client certificate"
  | "empty client certificate"
  | "resumption"
  | "resumption after HelloRetryRequest"

const authentication = ["Certificate", "CertificateVerify", "Finished"] as const
const agreement = ["ServerHello", "EncryptedExtensions"] as const

/** What each side waits for, in order. */
export const awaited: Readonly<Record<Side, Readonly<Record<Flow, ReadonlyArray<Unit>>>>> = {
  client: {
    "full": [...agreement, ...authentication],
    "HelloRetryRequest": ["HelloRetryRequest", ...agreement, ...authentication],
    "client certificate": [...agreement, "CertificateRequest", ...authentication],
    "empty client certificate": [...agreement, "CertificateRequest", ...authentication],
    "resumption": [...agreement, "Finished"],
    "resumption after HelloRetryRequest": ["HelloRetryRequest", ...agreement, "Finished"]
  },
  server: {
    "full": ["ClientHello", "Finished"],
    "HelloRetryRequest": ["ClientHello", "SecondHello", "Finished"],
    "client certificate": ["ClientHello", ...authentication],
    "empty client certificate": ["ClientHello", "Certificate", "Finished"],
    "resumption": ["ClientHello", "Finished"],
    "resumption after HelloRetryRequest": ["ClientHello", "SecondHello", "Finished"]
  }
}

/** Where something happens: at a message that the subject waits for, or after all of them. */
export interface Place {
  readonly subject: Side
  readonly flow: Flow
  /** Index into what the subject waits for; their number: on the open connection. */
  readonly at: number
  /** The subject has said close_notify before. */
  readonly closing: boolean
}

/** What the subject waits for; `undefined` on the open connection. */
export const dueAt = ({ at, flow, subject }: Place): Unit | undefined => awaited[subject][flow][at]

export const isOpen = (place: Place): boolean => dueAt(place) === undefined

export const next = (place: Place): Place => ({ ...place, at: place.at + 1 })

export const isRetried = ({ flow }: Place): boolean => flow.endsWith("HelloRetryRequest")

export const isResumed = ({ flow }: Place): boolean => flow.startsWith("resumption")

/** The hellos settle the version: for a client the first answer, for a server the first hello. */
export const isUndecided = ({ at }: Place): boolean => at === 0

/** The place of the last message in the clear. */
const lastInTheClear = ({ flow, subject }: Place): number =>
  awaited[subject][flow].findLastIndex((unit) => unit.endsWith("Hello"))

/** Whether the subject has keys to read with at this place. */
export const isProtected = (place: Place): boolean => place.at > lastInTheClear(place)

/** Whether it has opened a record with them. */
export const hasOpened = (place: Place): boolean => place.at > lastInTheClear(place) + 1

const placesOf = (subject: Side, flow: Flow): ReadonlyArray<Place> =>
  awaited[subject][flow].map((_, at) => ({ subject, flow, at, closing: false }))

const openOf = (subject: Side, flow: Flow, closing: boolean): Place => ({
  subject,
  flow,
  at: awaited[subject][flow].length,
  closing
})

const sides = ["client", "server"] as const

/** The handshakes in which every message is waited for, and the open connection before and after our own close_notify. */
export const mainPlaces: ReadonlyArray<Place> = sides.flatMap((subject) => [
  ...placesOf(subject, "client certificate"),
  ...placesOf(subject, "HelloRetryRequest").slice(0, 2),
  ...placesOf(subject, "resumption"),
  openOf(subject, "full", false),
  openOf(subject, "full", true)
])

/** Those where a side waits for the same in another setting. */
export const otherPlaces: ReadonlyArray<Place> = sides.flatMap((subject) => [
  ...placesOf(subject, "full"),
  ...placesOf(subject, "HelloRetryRequest").slice(2),
  // What a client shows makes no difference to what it waits for.
  ...(subject === "server" ? placesOf(subject, "empty client certificate") : []),
  ...placesOf(subject, "resumption after HelloRetryRequest"),
  openOf(subject, "resumption", false)
])

export const places: ReadonlyArray<Place> = [...mainPlaces, ...otherPlaces]

/** One for each handshake of each side. */
export const handshakes: ReadonlyArray<Place> = sides.flatMap((subject) =>
  (Object.keys(awaited[subject]) as ReadonlyArray<Flow>).flatMap((flow) => placesOf(subject, flow).slice(0, 1))
)

export const nameOf = (place: Place): string => {
  const due = dueAt(place)
  if (due !== undefined) return `${place.subject}, ${place.flow}: waits for ${due}`
  return `${place.subject}, ${place.flow}: ${place.closing ? "after its own close_notify" : "open connection"}`
}
