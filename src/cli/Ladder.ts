/**
 * A conversation drawn as a ladder: what an observer saw, as lines of text. A single stroke is a record in the clear, a double
 * stroke a protected one.
 *
 * @since 0.1.0
 */
import { type Alert, descriptionCode } from "../alert/Alert.ts"
import { messageName } from "../message/HandshakeMessage.ts"
import type { Direction, Observation } from "../record/Observer.ts"
import { ContentType, contentTypeName } from "../wire/CodePoints.ts"

/**
 * How a piece of text is to be shown, where the terminal can.
 *
 * @category models
 * @since 0.1.0
 */
export type Tone = "plain" | "faint" | "strong" | "closure" | "warning" | "fatal" | "good"

/**
 * Gives a piece of text its tone; must not change its width.
 *
 * @category models
 * @since 0.1.0
 */
export type Paint = (tone: Tone, text: string) => string

/**
 * No tones at all.
 *
 * @category constants
 * @since 0.1.0
 */
export const unpainted: Paint = (_, text) => text

/**
 * The two ends of the ladder, and at which of them the observer stands.
 *
 * @category models
 * @since 0.1.0
 */
export interface Sides {
  readonly left: string
  readonly right: string
  readonly observer: "left" | "right"
}

/**
 * A remark on something that is no record: what happened to the transport, or who did what.
 *
 * @category models
 * @since 0.1.0
 */
export interface Note {
  readonly _tag: "Note"
  readonly text: string
  readonly tone: Tone
}

/**
 * @category models
 * @since 0.1.0
 */
export type Step = Observation | Note

/**
 * What a record carried.
 *
 * @category models
 * @since 0.1.0
 */
export interface Content {
  readonly text: string
  readonly tone: Tone
  /** Bytes of content. */
  readonly length: number
}

/**
 * One arrow: a record with all it carried, or a run of records of application data.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rung {
  readonly direction: Direction
  readonly contents: ReadonlyArray<Content>
  /** 0 for a message that was taken out of a record only after that one was drawn. */
  readonly records: number
  /** Bytes on the wire, headers included. */
  readonly length: number
  readonly isProtected: boolean
}

const bytes = (count: number): string => `${count} ${count === 1 ? "byte" : "bytes"}`

const alertContent = ({ description, level }: Alert): Content => ({
  text: `alert ${typeof level === "number" ? `of level ${level}` : level} ` +
    `${typeof description === "number" ? "unknown" : description} (${descriptionCode(description)})`,
  tone: description === "close_notify" ? "closure" : level === "warning" ? "warning" : "fatal",
  length: 2
})

type ObservationOf<Tag extends Observation["_tag"]> = Extract<Observation, { readonly _tag: Tag }>

interface GrowingRung extends Rung {
  contents: Array<Content>
  records: number
  length: number
}

/**
 * Puts observations together into arrows: a handshake message or an alert goes with the record that carried it, and records of
 * application data that follow one another become one.
 *
 * @category combinators
 * @since 0.1.0
 */
export const rungs = (observations: ReadonlyArray<Observation>): ReadonlyArray<Rung> => {
  const drawn: Array<GrowingRung> = []
  // A message that is sent is seen before its record, one that is received after it.
  let announced: Array<Content> = []
  let last: { readonly rung: GrowingRung; readonly contentType: number } | undefined

  const carry = (direction: Direction, isProtected: boolean, content: Content) => {
    const isOpen = last !== undefined && last.rung.direction === direction &&
      (last.contentType === ContentType.handshake || last.contentType === ContentType.alert)
    if (last !== undefined && isOpen) last.rung.contents.push(content)
    else drawn.push({ direction, contents: [content], records: 0, length: 0, isProtected })
  }
  const record = ({ contentLength, contentType, direction, isProtected, length }: ObservationOf<"Record">) => {
    const isData = contentType === ContentType.application_data
    if (isData && last?.contentType === contentType && last.rung.direction === direction) {
      const { rung } = last
      rung.contents = rung.contents.map((data) => ({ ...data, length: data.length + contentLength }))
      rung.records++
      rung.length += length
      return
    }
    const isNamedByContent = contentType === ContentType.handshake || contentType === ContentType.alert
    const text = contentTypeName(contentType) ?? `content type ${contentType}`
    const contents = isNamedByContent ? announced : [{ text, tone: "plain" as const, length: contentLength }]
    if (isNamedByContent) announced = []
    const rung = { direction, contents, records: 1, length, isProtected }
    last = { rung, contentType }
    drawn.push(rung)
  }

  for (const observation of observations) {
    switch (observation._tag) {
      case "Message": {
        const { direction, length, type } = observation
        const content: Content = { text: messageName(type), tone: "strong", length }
        if (direction === "sent") announced.push(content)
        else carry(direction, last?.rung.isProtected ?? false, content)
        break
      }
      case "Alert":
        carry(observation.direction, observation.isProtected, alertContent(observation.alert))
        break
      case "Record":
        record(observation)
    }
  }
  return drawn
}

/** Columns between the two rails. */
const width = 76

const rail = "│"

const pad = (length: number): string => " ".repeat(Math.max(0, length))

/** One line between the rails, from pieces of text and their tones. */
const between = (paint: Paint, pieces: ReadonlyArray<readonly [Tone, string]>): string => {
  const used = pieces.reduce((sum, [, text]) => sum + text.length, 0)
  const side = paint("faint", rail)
  return `  ${side}${pieces.map(([tone, text]) => paint(tone, text)).join("")}${pad(width - used)}${side}`
}

/**
 * The names of the two sides, above their rails.
 *
 * @category formatting
 * @since 0.1.0
 */
export const drawHeading = ({ left, right }: Sides, paint: Paint): ReadonlyArray<string> => [
  `  ${paint("strong", left)}${pad(width + 2 - left.length - right.length)}${paint("strong", right)}`,
  between(paint, [])
]

/**
 * What the strokes mean, for below a ladder.
 *
 * @category constants
 * @since 0.1.0
 */
export const legend = "── in the clear   ══ protected   sizes on the right are bytes on the wire"

/** One arrow, and a line more for each further message that the record carried. */
const drawRung = (rung: Rung, sides: Sides, paint: Paint): ReadonlyArray<string> => {
  const goesRight = (rung.direction === "sent") === (sides.observer === "left")
  const stroke = rung.isProtected ? "═" : "─"
  const isShared = rung.contents.length > 1
  const label = ({ length, text, tone }: Content): readonly [Tone, string] => {
    const count = rung.records > 1 ? `${rung.records} × ` : ""
    const isSized = text === "application_data" || isShared && tone === "strong"
    return [tone, `${count}${text}${isSized ? `, ${bytes(length)}` : ""}`]
  }
  const [first, ...rest] = rung.contents.length > 0
    ? rung.contents.map(label)
    : [["plain", "a part of a message"] as const]
  if (first === undefined) return []
  const more = rest.map((content) => between(paint, [["faint", "     + "], content]))
  if (rung.records === 0) return [between(paint, [["faint", "     + "], first]), ...more]

  const stateSize = `${bytes(rung.length)}, ${rung.isProtected ? "protected" : "clear"}`
  // The stroke shows the state as well: where the line is too long for the word, it can go.
  const size = first[1].length + stateSize.length + 13 > width ? bytes(rung.length) : stateSize
  const fill = stroke.repeat(Math.max(1, width - first[1].length - size.length - 12))
  const tone = first[0] === "strong" ? "plain" : first[0]
  return [
    between(paint, [
      [tone, goesRight ? ` ${stroke}${stroke}${stroke} ` : ` ◀${stroke}${stroke} `],
      first,
      [tone, ` ${fill} `],
      ["faint", size],
      [tone, goesRight ? ` ${stroke}${stroke}▶ ` : ` ${stroke}${stroke}${stroke} `]
    ]),
    ...more
  ]
}

/**
 * The steps of a conversation between the rails, in the order in which they happened.
 *
 * @category formatting
 * @since 0.1.0
 */
export const draw = (steps: ReadonlyArray<Step>, sides: Sides, paint: Paint): ReadonlyArray<string> => {
  const lines: Array<string> = []
  let observed: Array<Observation> = []
  const drawObserved = () => {
    for (const rung of rungs(observed)) lines.push(...drawRung(rung, sides, paint))
    observed = []
  }
  for (const step of steps) {
    if (step._tag === "Note") {
      drawObserved()
      lines.push(between(paint, [["plain", "     "], [step.tone, step.text]]))
    } else observed.push(step)
  }
  drawObserved()
  return lines
}
