/**
 * Names of the dead, in bounded memory.
 *
 * @since 0.1.0
 */

/**
 * Each name is held for as long as a session can live. Where there are more than it holds, the oldest name goes, and with it everything
 * that is as old as what it named: to refuse a living session costs a full handshake, to resume a dead one is not to happen.
 *
 * @category models
 * @since 0.1.0
 */
export class DenyList {
  readonly #capacity: number
  readonly #lifetime: number
  /** In the order in which they died, which is the order in which they may be dropped. */
  readonly #dead = new Map<string, { readonly createdAt: number; readonly until: number }>()
  #refusedUpTo = -Infinity

  /** `lifetime` of a session at most, in milliseconds. */
  constructor(capacity: number, lifetime: number) {
    this.#capacity = capacity
    this.#lifetime = lifetime
  }

  /** `createdAt` and `now` in milliseconds since the epoch. */
  add(name: string, createdAt: number, now: number): void {
    this.#dead.delete(name)
    this.#dead.set(name, { createdAt, until: now + this.#lifetime })
    for (const [oldest, { createdAt, until }] of this.#dead) {
      if (until > now) {
        if (this.#dead.size <= this.#capacity) return
        this.#refusedUpTo = Math.max(this.#refusedUpTo, createdAt)
      }
      this.#dead.delete(oldest)
    }
  }

  /** Whether this very name is known to be dead. */
  has(name: string): boolean {
    return this.#dead.has(name)
  }

  /** Whether a session is not to be resumed: it is known to be dead, or too old to tell. */
  refuses(name: string, createdAt: number): boolean {
    return createdAt <= this.#refusedUpTo || this.#dead.has(name)
  }
}
