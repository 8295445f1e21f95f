/**
 * Tones on a terminal: colours where the stream is one and nothing forbids them (NO_COLOR, TERM=dumb).
 *
 * @since 0.1.0
 */
import { styleText } from "node:util"
import type { Paint, Tone } from "./Ladder.ts"

type Style = Parameters<typeof styleText>[0]

const styles: Readonly<Record<Exclude<Tone, "plain">, Style>> = {
  faint: "dim",
  strong: "bold",
  closure: "cyan",
  warning: "yellow",
  fatal: ["bold", "red"],
  good: "green"
}

/**
 * How text that goes to this stream is painted.
 *
 * @category constructors
 * @since 0.1.0
 */
export const paintFor = (stream: NodeJS.WriteStream): Paint => (tone, text) =>
  tone === "plain" ? text : styleText(styles[tone], text, { stream })
