/**
 * Law 9: whatever is tolerated has a budget. Spent by what a peer may send for nothing, refilled by progress only.
 *
 * @since 0.1.0
 */

/**
 * What is left of each kind of tolerance.
 *
 * @category models
 * @since 0.1.0
 */
export interface Budget {
  /** Warning alerts in a row. */
  readonly warnings: number
  /** Empty application_data records in a row. */
  readonly emptyRecords: number
  /** Requests to renegotiate. */
  readonly renegotiations: number
  /** KeyUpdate messages without data in between. */
  readonly keyUpdates: number
}

/**
 * @category constants
 * @since 0.1.0
 */
export const defaultBudget: Budget = { warnings: 4, emptyRecords: 32, renegotiations: 1, keyUpdates: 32 }

/**
 * How many ChangeCipherSpec records are dropped in a handshake of TLS 1.3. RFC 8446 section 5 has no limit, and two are all that
 * a peer needs which wants to look like TLS 1.2 (appendix D.4); each costs us something, and the peer next to nothing.
 *
 * @category constants
 * @since 0.1.0
 */
export const compatibilityLimit = 32

/**
 * The budget after one more of a kind, or `undefined` where nothing of it was left.
 *
 * @category combinators
 * @since 0.1.0
 */
export const spend = (budget: Budget, kind: keyof Budget): Budget | undefined =>
  budget[kind] > 0 ? { ...budget, [kind]: budget[kind] - 1 } : undefined
