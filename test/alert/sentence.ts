/** What the tests of printed sentences share. */
import { assert } from "@effect/vitest"

/** One sentence that stands on its own: a capital, one full stop, and nothing that a program left in it. */
export const assertSentence = (text: string): void => {
  assert.match(text, /^[A-Z][^.]*(\d\.\d[^.]*)*\.$/, text)
  assertReadable(text)
}

/** One sentence or more. */
export const assertSentences = (text: string): void => {
  assert.match(text, /^[A-Z].*[A-Za-z\d")]\.$/, text)
  assertReadable(text)
}

const assertReadable = (text: string): void => {
  assert.notMatch(text, /undefined|null|NaN|\[object|\n| {2}|\.\.|\. \.|[:,;] *\.|\( *\)| [,.:;]/, text)
}
