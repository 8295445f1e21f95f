/**
 * Trust anchors: the certificates that somebody decided to trust, found by name.
 *
 * @since 0.1.0
 */
import { samePublic, toLatin1 } from "../wire/Bytes.ts"
import type { Certificate } from "./Certificate.ts"
import type { Name } from "./Name.ts"

/**
 * A set of anchors, none of them twice.
 *
 * @category models
 * @since 0.1.0
 */
export class Anchors {
  readonly all: ReadonlyArray<Certificate>
  readonly #bySubject = new Map<string, Array<Certificate>>()

  constructor(certificates: ReadonlyArray<Certificate>) {
    this.all = certificates.filter((certificate) => {
      const key = toLatin1(certificate.subject.der)
      const named = this.#bySubject.get(key)
      if (named === undefined) this.#bySubject.set(key, [certificate])
      else if (named.some(({ der }) => samePublic(der, certificate.der))) return false
      else named.push(certificate)
      return true
    })
  }

  /** Those with that subject. */
  named(subject: Name): ReadonlyArray<Certificate> {
    return this.#bySubject.get(toLatin1(subject.der)) ?? []
  }

  /** Whether the certificate itself is an anchor. */
  has(certificate: Certificate): boolean {
    return this.named(certificate.subject).some(({ der }) => samePublic(der, certificate.der))
  }
}
