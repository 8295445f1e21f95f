/**
 * What to do with buffers that were made for us, such as the results of `node:crypto`.
 *
 * @since 0.1.0
 */

// Freeing a result at once gives malloc the same hot block again: 30 % at 16 KiB, 15 % at 1400 bytes, nothing below 1
// KiB.
const worthReleasing = 1024

const ownsItsMemory = (bytes: Uint8Array): boolean => bytes.byteLength === bytes.buffer.byteLength

/**
 * A result as plain bytes of its own: without a copy where it has its memory to itself, which it always had so far.
 *
 * @category conversions
 * @since 0.1.0
 */
export const plain = (buffer: Buffer<ArrayBuffer>): Uint8Array =>
  ownsItsMemory(buffer) ? new Uint8Array(buffer.buffer) : new Uint8Array(buffer)

/**
 * Frees a large buffer now, not at the next garbage collection, where it has its memory to itself. Nobody may refer to it, and it
 * is empty afterwards.
 *
 * @category conversions
 * @since 0.1.0
 */
export const release = (bytes: Uint8Array): void => {
  const { buffer } = bytes
  if (bytes.byteLength >= worthReleasing && ownsItsMemory(bytes) && buffer instanceof ArrayBuffer) buffer.transfer(0)
}
