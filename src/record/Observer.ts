/**
 * Watching a conversation: one call a record, a message and an alert, for traces and tests. Nothing secret is shown.
 *
 * @since 0.1.0
 */
import type { Alert } from "../alert/Alert.ts"

/**
 * @category models
 * @since 0.1.0
 */
export type Direction = "sent" | "received"

/**
 * @category models
 * @since 0.1.0
 */
export type Observation =
  | {
    readonly _tag: "Record"
    readonly direction: Direction
    readonly contentType: number
    /** Bytes on the wire, header included. */
    readonly length: number
    /** Bytes of content. */
    readonly contentLength: number
    readonly isProtected: boolean
    readonly sequence: number
  }
  | {
    readonly _tag: "Message"
    readonly direction: Direction
    /** The HandshakeType, RFC 5246 section 7.4. */
    readonly type: number
    /** Bytes, header included. */
    readonly length: number
  }
  | { readonly _tag: "Alert"; readonly direction: Direction; readonly alert: Alert; readonly isProtected: boolean }

/**
 * Called synchronously, between two records: it should take no time and must not throw.
 *
 * @category models
 * @since 0.1.0
 */
export type Observer = (observation: Observation) => void
