/**
 * A key and a certificate for one test: made at run time from a seed, self-signed, and trusted by nobody who is not told to.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import { Primitives } from "../secret/Primitives.ts"
import { makeInsecureSeeded } from "../service/Randomness.ts"
import { concat, fromText, toHex } from "../wire/Bytes.ts"

/**
 * A certificate and its key, as PEM text for `Identity.layerPem` and as DER for `Trust.layerAnchors`.
 *
 * @category models
 * @since 0.1.0
 */
export interface ThrowAwayIdentity {
  readonly certificate: string
  readonly privateKey: string
  readonly der: Uint8Array
}

// The few of X.690 that a certificate needs.
const element = (tag: number, ...parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const content = concat(parts)
  const { length } = content
  const header = length < 0x80
    ? [tag, length]
    : length < 0x100
    ? [tag, 0x81, length]
    : [tag, 0x82, length >>> 8, length & 0xff]
  return concat([Uint8Array.from(header), content])
}
const sequence = (...parts: ReadonlyArray<Uint8Array>) => element(0x30, ...parts)
const octets = (...parts: ReadonlyArray<Uint8Array>) => element(0x04, ...parts)
const bits = (bytes: Uint8Array) => element(0x03, Uint8Array.of(0), bytes)
const oid = (...bytes: ReadonlyArray<number>) => element(0x06, Uint8Array.from(bytes))
const explicit = (number: number, ...parts: ReadonlyArray<Uint8Array>) => element(0xa0 + number, ...parts)
const integer = (value: number) => element(0x02, Uint8Array.of(value))
const isTrue = element(0x01, Uint8Array.of(0xff))

const ecPublicKey = oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01)
const prime256v1 = oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07)
const ecdsaWithSha256 = sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02))
const commonName = oid(0x55, 0x04, 0x03)
const basicConstraints = oid(0x55, 0x1d, 0x13)
const subjectAltName = oid(0x55, 0x1d, 0x11)

// A clock that stands at the epoch, as that of a test does, finds it valid; RFC 5280 section 4.1.2.5 has the other end.
const validity = sequence(element(0x17, fromText("700101000000Z")), element(0x18, fromText("99991231235959Z")))

const pem = (label: string, der: Uint8Array): string =>
  `-----BEGIN ${label}-----\n${Base64.encode(der).replaceAll(/.{64}(?=.)/g, "$&\n")}\n-----END ${label}-----\n`

/**
 * A P-256 key, and its self-signed certificate (RFC 5280) for the host `name`. The same seed gives the same key; the
 * certificate differs by its signature where the platform signs with fresh randomness.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (name: string, seed: string | number): Effect.Effect<ThrowAwayIdentity, never, Primitives> =>
  Effect.map(Primitives, (primitives) => {
    const scalar = makeInsecureSeeded(primitives, `${seed}/key of ${name}`).bytes(32)
    // Below the order of the curve.
    scalar[0] = 0
    const point = primitives.keyShare("secp256r1", scalar).publicKey
    // RFC 5915, SEC 1 section C.4.
    const privateKey = sequence(
      integer(1),
      octets(scalar),
      explicit(0, prime256v1),
      explicit(1, bits(point))
    )
    const key = primitives.importPrivateKey(privateKey)
    if (key === undefined) throw new Error("the platform does not read a P-256 key that was made here")

    // Two certificates for one host are strangers: each is issued by a name of its own.
    const issuer = `${name} ${toHex(point.subarray(1, 5))}`
    const names = sequence(element(0x31, sequence(commonName, element(0x0c, fromText(issuer)))))
    const toBeSigned = sequence(
      explicit(0, integer(2)),
      element(0x02, Uint8Array.of(1), point.subarray(1, 16)),
      ecdsaWithSha256,
      names,
      validity,
      names,
      sequence(sequence(ecPublicKey, prime256v1), bits(point)),
      explicit(
        3,
        sequence(
          sequence(basicConstraints, isTrue, octets(sequence())),
          sequence(subjectAltName, octets(sequence(element(0x82, fromText(name)))))
        )
      )
    )
    const signature = key.sign("ecdsa_secp256r1_sha256", toBeSigned)
    const der = sequence(toBeSigned, ecdsaWithSha256, bits(signature))
    return { certificate: pem("CERTIFICATE", der), privateKey: pem("EC PRIVATE KEY", privateKey), der }
  })
