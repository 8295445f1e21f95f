/**
 * The compression slot of RFC 5246 section 6.2.2. Null is the only method ever negotiated; the slot is real, because alerts
 * pass through it like every other record.
 *
 * @since 0.1.0
 */

/**
 * A compression method. `decompress` is `undefined` for input it cannot make sense of, or that would grow beyond `limit`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Compression {
  readonly compress: (fragment: Uint8Array) => Uint8Array
  readonly decompress: (fragment: Uint8Array, limit: number) => Uint8Array | undefined
}

/**
 * CompressionMethod 0.
 *
 * @category constants
 * @since 0.1.0
 */
export const nullCompression: Compression = {
  compress: (fragment) => fragment,
  decompress: (fragment) => fragment
}
