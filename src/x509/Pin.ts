/**
 * A key that is expected, in place of an authority that vouches for it.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import type { CertificateFault } from "../alert/Fault.ts"
import { samePublic, toHex } from "../wire/Bytes.ts"
import { Budget, defaultLimits, Spent } from "./Budget.ts"
import { type Certificate, parse } from "./Certificate.ts"
import { judgeLeafForm, judgeSigning } from "./Rules.ts"
import type { Reader } from "./Signature.ts"

/**
 * The SHA-256 hash of a certificate's SubjectPublicKeyInfo: 32 bytes.
 *
 * @category combinators
 * @since 0.1.0
 */
export const pinOf = (reader: Reader, certificate: Certificate): Uint8Array =>
  reader.platform.digest("sha256", certificate.spki)

/**
 * Accepts a chain whose leaf has one of the pinned keys. As with DANE-EE (RFC 7671 section 5.1) that is all: names, times and
 * issuers say nothing that the key does not.
 *
 * @category combinators
 * @since 0.1.0
 */
export const judgePinned = (
  reader: Reader,
  pins: ReadonlyArray<Uint8Array>,
  chain: ReadonlyArray<Uint8Array>
): Result.Result<Certificate, CertificateFault> => {
  try {
    const [first = new Uint8Array(0)] = chain
    new Budget(defaultLimits).size("bytes", first.length)
    const parsed = parse(first)
    if (Result.isFailure(parsed)) return Result.fail({ _tag: "CertificateMalformed", depth: 0, why: parsed.failure })
    const leaf = parsed.success
    if (reader.of(leaf) === undefined) return Result.fail(unreadable)
    const pin = pinOf(reader, leaf)
    if (!pins.some((pinned) => samePublic(pinned, pin))) {
      return Result.fail({ _tag: "CertificateNotPinned", spkiSha256: toHex(pin) })
    }
    const fault = judgeLeafForm(leaf, true) ?? judgeSigning(leaf)
    return fault === undefined ? Result.succeed(leaf) : Result.fail(fault)
  } catch (thrown) {
    if (!(thrown instanceof Spent)) throw thrown
    return Result.fail({ _tag: "CertificateTooCostly", what: thrown.what, limit: thrown.limit })
  }
}

const unreadable: CertificateFault = { _tag: "CertificateMalformed", depth: 0, why: "the platform cannot read it" }
