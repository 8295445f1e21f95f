/**
 * A traffic secret of TLS 1.3 and the protection that it gives, RFC 8446 sections 7.2 and 7.3.
 *
 * @since 0.1.0
 */
import type { CipherSuite13 } from "../secret/CipherSuite.ts"
import { copyOf, nextTrafficSecret, type Secret, trafficKeys } from "../secret/KeySchedule13.ts"
import type { Primitives } from "../secret/Primitives.ts"
import { nullCompression } from "./Compression.ts"
import type { SecurityParameters } from "./ConnectionState.ts"
import { protection13 } from "./Protection.ts"

/**
 * The secret of one direction. It owns the bytes: they are overwritten by `next` and `forget`, those of the first one by the handshake:
 * see `outlast`.
 *
 * @category models
 * @since 0.1.0
 */
export class TrafficSecret {
  readonly #primitives: Primitives["Service"]
  readonly #suite: CipherSuite13
  #secret: Secret

  constructor(primitives: Primitives["Service"], suite: CipherSuite13, secret: Secret) {
    this.#primitives = primitives
    this.#suite = suite
    this.#secret = secret
  }

  /** From here on the bytes of the first secret, which the handshake overwrites, are no longer needed: it has others of its own. */
  outlast(): void {
    this.#secret = copyOf(this.#primitives, this.#secret)
  }

  /** What records are protected with under this secret; the sequence begins at zero. */
  get parameters(): SecurityParameters {
    const { iv, key } = trafficKeys(this.#secret, this.#suite)
    const protection = protection13(this.#primitives, this.#suite, key, iv)
    key.fill(0)
    return { protection, compression: nullCompression }
  }

  /** The base of a Finished, RFC 8446 section 4.4.4. */
  get secret(): Secret {
    return this.#secret
  }

  /** RFC 8446 section 7.2: goes on to the secret after a KeyUpdate. */
  next(): SecurityParameters {
    const before = this.#secret
    this.#secret = nextTrafficSecret(this.#primitives, before)
    before.bytes.fill(0)
    return this.parameters
  }

  forget(): void {
    this.#secret.bytes.fill(0)
  }
}
