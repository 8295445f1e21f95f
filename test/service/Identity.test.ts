import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { inspect } from "node:util"
import { Identity, Pem, Primitives, TlsTest } from "effect-tls"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import { type LeafName, testCredential } from "../harness/Pki.ts"

const test = (name: string, body: () => Effect.Effect<void, unknown, Primitives>) =>
  it.effect(name, () => Effect.provide(body(), NodePrimitives.layerPrimitives))

const asked: Identity.IdentityRequest = {
  role: "server",
  version: "1.2",
  serverName: undefined,
  authentication: ["rsa", "ecdsa"],
  curves: undefined,
  signatureSchemes: ["rsa_pss_rsae_sha256", "ecdsa_secp256r1_sha256"]
}

describe("layerPem", () => {
  for (
    const [name, authentication, scheme] of [
      ["ec", "ecdsa", "ecdsa_secp256r1_sha256"],
      ["ec384", "ecdsa", "ecdsa_secp384r1_sha384"],
      ["ec521", "ecdsa", "ecdsa_secp521r1_sha512"],
      ["rsa", "rsa", "rsa_pss_rsae_sha256"],
      ["chain", "ecdsa", "ecdsa_secp256r1_sha256"]
    ] as const satisfies ReadonlyArray<readonly [LeafName, string, string]>
  ) {
    test(`${name}: the whole chain, and a key that signs for its leaf`, () =>
      Effect.gen(function*() {
        const { certificatePem, chainDer, leafDer, privateKeyPem } = yield* testCredential(name)
        const identity = yield* Effect.provide(
          Identity.Identity,
          Identity.layerPem({ certificate: certificatePem, privateKey: Redacted.make(privateKeyPem) })
        )
        const credential = Option.getOrThrow(yield* identity.select({ ...asked, signatureSchemes: [scheme] }))
        assert.strictEqual(Identity.authenticationOf(credential.keyType), authentication)
        assert.deepStrictEqual(credential.chain, chainDer)
        const message = Uint8Array.of(1, 2, 3)
        const signature = yield* credential.sign(scheme, message)
        const { parseCertificate } = yield* Primitives
        const { publicKey } = parseCertificate(leafDer) ?? {}
        assert.isTrue(publicKey?.verify(scheme, message, signature))
        assert.isFalse(publicKey?.verify(scheme, Uint8Array.of(1, 2), signature))
      }))
  }

  test("is selected where the peer can verify it, and only there", () =>
    Effect.gen(function*() {
      const identity = yield* Identity.makePem(yield* TlsTest.identity("server.test", 1))
      const rows: ReadonlyArray<readonly [Partial<Identity.IdentityRequest>, boolean]> = [
        [{}, true],
        [{ serverName: "elsewhere.test" }, true],
        [{ role: "client" }, true],
        [{ authentication: ["rsa"] }, false],
        [{ authentication: [] }, false],
        [{ signatureSchemes: ["rsa_pkcs1_sha256"] }, false],
        [{ signatureSchemes: [] }, false],
        [{ curves: ["secp384r1"] }, false],
        [{ curves: ["secp384r1", "secp256r1"] }, true]
      ]
      for (const [change, expected] of rows) {
        const selected = yield* identity.select({ ...asked, ...change })
        assert.strictEqual(Option.isSome(selected), expected, JSON.stringify(change))
      }
    }))

  test("identities differ by their leaf", () =>
    Effect.gen(function*() {
      const made = yield* Effect.forEach([1, 2], (seed) => TlsTest.identity("server.test", seed))
      const fingerprints = yield* Effect.forEach([...made, ...made], (one) =>
        Effect.map(Identity.makePem(one), (_) => _.fingerprint))
      assert.strictEqual(new Set(fingerprints).size, 2)
    }))

  test("a signature that cannot be made is a typed failure", () =>
    Effect.gen(function*() {
      const identity = yield* Identity.makePem(yield* TlsTest.identity("server.test", 1))
      const credential = Option.getOrThrow(yield* identity.select(asked))
      const error = yield* Effect.flip(credential.sign("rsa_pkcs1_sha256", Uint8Array.of(1)))
      assert.include(error.message, "signing with rsa_pkcs1_sha256 failed")
      assert.notInclude(inspect(identity, { depth: 9, showHidden: true }), "PRIVATE")
    }))

  const encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"
  const legacy = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"
  const block = (label: string, body: string) => `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`
  const broken: ReadonlyArray<
    readonly [string, (options: Identity.PemOptions) => Identity.PemOptions, tag: string, why: string]
  > = [
    ["no certificate at all", (_) => ({ ..._, certificate: "" }), "PemError", "no PEM block at all"],
    ["a key instead", (_) => ({ ..._, certificate: String(_.privateKey) }), "PemError", "it holds only EC PRIVATE KEY"],
    ["not Base64", (_) => ({ ..._, certificate: block("CERTIFICATE", "!!!") }), "PemError", "is not Base64"],
    [
      "not a certificate",
      (_) => ({ ..._, certificate: block("CERTIFICATE", "AAAA") }),
      "IdentityError",
      "cannot be read"
    ],
    ["no key", (_) => ({ ..._, privateKey: _.certificate }), "PemError", "there is no PRIVATE KEY"],
    ["an encrypted key", (_) => ({ ..._, privateKey: encrypted }), "PemError", "is encrypted"],
    ["an encrypted key of old", (_) => ({ ..._, privateKey: legacy }), "PemError", "is encrypted"],
    ["not a key", (_) => ({ ..._, privateKey: block("PRIVATE KEY", "AAAA") }), "IdentityError", "cannot be used"]
  ]
  for (const [name, change, tag, why] of broken) {
    test(`${name}: one clear sentence`, () =>
      Effect.gen(function*() {
        const made = yield* TlsTest.identity("server.test", 1)
        const error = yield* Effect.flip(Identity.makePem(change(made)))
        assert.strictEqual(error._tag, tag)
        assert.include(error.message, why)
      }))
  }

  test("a key that belongs to another certificate", () =>
    Effect.gen(function*() {
      const [one, other] = yield* Effect.forEach([1, 2], (seed) => TlsTest.identity("server.test", seed))
      const error = yield* Effect.flip(
        Identity.makePem({ ...one, privateKey: other?.privateKey ?? "" } as Identity.PemOptions)
      )
      assert.include(error.message, "does not belong to the certificate of CN=server.test")
    }))
})

describe("decodePem", () => {
  test("all blocks of one kind, in order, among others and whatever is between them", () =>
    Effect.gen(function*() {
      const text = "text\r\n-----BEGIN A-----\r\nAQ\r\n==\r\n-----END A-----\r\n" +
        "-----BEGIN B-----\nAg==\n-----END B-----\n\n-----BEGIN X A-----\nAw==\n-----END X A-----"
      assert.deepStrictEqual(yield* Pem.decodePem(text, "A"), [Uint8Array.of(1), Uint8Array.of(3)])
      assert.deepStrictEqual(yield* Pem.decodePem(text, "B"), [Uint8Array.of(2)])
      const error = yield* Effect.flip(Pem.decodePem(text, "C"))
      assert.include(error.message, "there is no C in the PEM text: it holds only A, B, X A")
    }))
})
