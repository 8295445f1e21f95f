/**
 * Text of a peer on a terminal, or in a log of one line a connection.
 *
 * @since 0.1.0
 */

/**
 * Shows control and formatting characters by their numbers: a name in a certificate or in a hello must neither begin a line nor
 * command a terminal.
 *
 * @category formatting
 * @since 0.1.0
 */
export const printable = (text: string): string =>
  text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)
