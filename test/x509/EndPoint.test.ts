/** Which hash stands for a certificate, RFC 5929 section 4.1: by the algorithm that it is signed with. */
import { assert, describe, it } from "@effect/vitest"
import { generateKeyPairSync } from "node:crypto"
import { endPointHash } from "../../src/x509/EndPoint.ts"
import * as Make from "./Maker.ts"

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 })
const ed25519 = generateKeyPairSync("ed25519")
const signed = (way: Make.Way, keys = Make.ecKey()): Uint8Array => Make.certificate({ subject: "x", keys, way }).der
/** Only the identifier matters here: it is not this signature that is read. */
const named = (...identifier: ReadonlyArray<Uint8Array>): Uint8Array =>
  signed({ ...Make.ecdsaSha256, identifier: Make.sequence(...identifier) })

const oid = Make.oid
const pss = (...parameters: ReadonlyArray<Uint8Array>): Uint8Array =>
  named(oid("1.2.840.113549.1.1.10"), Make.sequence(...parameters))
const sha1 = Make.sequence(oid("1.3.14.3.2.26"), Make.tlv(5))
const sha256 = Make.sequence(oid("2.16.840.1.101.3.4.2.1"), Make.tlv(5))
const mgf1 = (hash: Uint8Array) => Make.explicit(1, Make.sequence(oid("1.2.840.113549.1.1.8"), hash))

describe("the hash of tls-server-end-point", () => {
  const rows: ReadonlyArray<readonly [what: string, hash: string | undefined, der: () => Uint8Array]> = [
    ["ECDSA with SHA-1", "sha256", () => signed(Make.ecdsaSha1)],
    ["ECDSA with SHA-256", "sha256", () => signed(Make.ecdsaSha256)],
    ["ECDSA with SHA-384", "sha384", () => signed(Make.wayOfHash("1.2.840.10045.4.3.3", "sha384"))],
    ["ECDSA with SHA-512", "sha512", () => signed(Make.wayOfHash("1.2.840.10045.4.3.4", "sha512"))],
    ["MD5 with RSA", "sha256", () => signed(Make.rsaOfHash(4, "md5"), rsa)],
    ["SHA-1 with RSA", "sha256", () => signed(Make.rsaOfHash(5, "sha1"), rsa)],
    ["SHA-256 with RSA", "sha256", () => signed(Make.rsaSha256, rsa)],
    ["SHA-384 with RSA", "sha384", () => signed(Make.rsaOfHash(12, "sha384"), rsa)],
    ["SHA-512 with RSA", "sha512", () => signed(Make.rsaOfHash(13, "sha512"), rsa)],
    ["RSASSA-PSS with SHA-256", "sha256", () => signed(Make.rsaPss("sha256"), rsa)],
    ["RSASSA-PSS with SHA-384", "sha384", () => signed(Make.rsaPss("sha384"), rsa)],
    ["RSASSA-PSS with SHA-512", "sha512", () => signed(Make.rsaPss("sha512"), rsa)],
    [
      "RSASSA-PSS with a salt as nobody should have it",
      "sha384",
      () => signed(Make.rsaPss("sha384", { salt: 7 }), rsa)
    ],
    ["RSASSA-PSS with SHA-1 in words", "sha256", () => pss(Make.explicit(0, sha1), mgf1(sha1))],
    ["RSASSA-PSS with nothing in words, which is SHA-1", "sha256", () => pss()],
    ["DSA with SHA-1", "sha256", () => named(oid("1.2.840.10040.4.3"))],
    ["RSASSA-PSS with two hashes", undefined, () => signed(Make.rsaPss("sha256", { mask: "sha384" }), rsa)],
    ["RSASSA-PSS with SHA-256, and MGF1 with SHA-1 by default", undefined, () => pss(Make.explicit(0, sha256))],
    [
      "RSASSA-PSS with another mask generation",
      undefined,
      () => pss(Make.explicit(0, sha256), Make.explicit(1, Make.sequence(oid("1.2.3.4"), sha256)))
    ],
    ["RSASSA-PSS without parameters, which is for keys alone", undefined, () => named(oid("1.2.840.113549.1.1.10"))],
    ["Ed25519", undefined, () => signed(Make.ed25519, ed25519)],
    ["ECDSA with SHA-224, which is not at hand", undefined, () => named(oid("1.2.840.10045.4.3.1"))],
    ["MD2 with RSA, which is neither MD5 nor SHA-1", undefined, () => named(oid("1.2.840.113549.1.1.2"), Make.tlv(5))],
    ["parameters that cannot be read", undefined, () => pss(Make.explicit(0))],
    ["no certificate", undefined, () => Uint8Array.of(1, 2, 3)]
  ]
  it.each(rows)("%s: %s", (_, hash, der) => {
    assert.strictEqual(endPointHash(der()), hash)
  })
})
