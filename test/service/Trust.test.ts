import "../harness/ReflectMetadata.ts"
import { assert, describe, it } from "@effect/vitest"
import { X509CertificateGenerator } from "@peculiar/x509"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { type Primitives, TlsTest, Trust } from "effect-tls"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import {
  certificateDer,
  issueAuthority,
  type Issued,
  issueLeaf,
  type LeafSubject,
  type Validity
} from "../harness/Issue.ts"
import { type LeafName, testCredential, testPki } from "../harness/Pki.ts"

const test = (name: string, body: () => Effect.Effect<void, unknown, Primitives>) =>
  it.effect(name, () => Effect.provide(body(), NodePrimitives.layerPrimitives))

const host: Trust.PeerRole = { role: "server", host: "test.example" }
const client: Trust.PeerRole = { role: "client" }

/** The tag of the fault that the chain is refused with, or `verified`. */
const judge = (trust: Trust.Trust["Service"], chain: ReadonlyArray<Uint8Array>, peer: Trust.PeerRole) =>
  trust.verify(chain, peer).pipe(
    Effect.map((proof) => {
      assert.deepStrictEqual(proof.chain, chain)
      return "verified"
    }),
    Effect.catch((fault) => Effect.succeed(fault._tag as string))
  )

const anchored = (anchors: string | ReadonlyArray<Uint8Array>) =>
  Trust.Trust.pipe(Effect.provide(Trust.layerAnchors({ anchors })))

const now = Effect.flatMap(testPki, ({ issuedAt }) => TestClock.setTime(issuedAt.getTime()))

describe("layerAnchors", () => {
  const rows: ReadonlyArray<readonly [name: LeafName, peer: Trust.PeerRole, expected: string]> = [
    ["ec", host, "verified"],
    ["rsa", host, "verified"],
    ["ec384", { role: "server", host: "localhost" }, "verified"],
    ["ec521", { role: "server", address: "127.0.0.1" }, "verified"],
    ["ec", { role: "server", address: "::1" }, "verified"],
    ["chain", host, "verified"],
    ["client", client, "verified"],
    ["clientRsa", client, "verified"],
    ["ec", { role: "server", host: "example" }, "CertificateNameMismatch"],
    ["ec", { role: "server", address: "127.0.0.2" }, "CertificateNameMismatch"],
    ["ec", { role: "server", host: "127.0.0.1" }, "CertificateNameMismatch"],
    ["wrongHost", host, "CertificateNameMismatch"],
    ["expired", host, "CertificateExpired"],
    ["clientExpired", client, "CertificateExpired"],
    ["future", host, "CertificateNotYetValid"],
    ["untrusted", host, "CertificateUntrusted"],
    ["selfSigned", host, "CertificateUntrusted"],
    ["clientOther", client, "CertificateUntrusted"],
    // Extended key usage.
    ["ec", client, "CertificateUsageWrong"],
    ["client", { role: "server", host: "test.example" }, "CertificateUsageWrong"]
  ]
  for (const [name, peer, expected] of rows) {
    test(`${name} as ${Object.values(peer).join(" ")}: ${expected}`, () =>
      Effect.gen(function*() {
        yield* now
        const { ca } = yield* testPki
        const { chainDer } = yield* testCredential(name)
        const trust = yield* anchored(ca.certificatePem)
        assert.strictEqual(yield* judge(trust, chainDer, peer), expected)
      }))
  }

  test("chains: order and strangers do not matter, a missing or a turned link does", () =>
    Effect.gen(function*() {
      yield* now
      const { ca, int, other } = yield* testPki
      const { chainDer: [leaf = new Uint8Array(0)] } = yield* testCredential("chain")
      const { leafDer: another } = yield* testCredential("ec")
      const trust = yield* anchored([ca.certificateDer])
      const [intDer, caDer, otherDer] = [int, ca, other].map((_) => _.certificateDer)
      const all = (...chain: ReadonlyArray<Uint8Array | undefined>) => chain.flatMap((der) => der ?? [])
      const turned = (der: Uint8Array, at: number) =>
        der.map((byte, index) => index === der.length + at ? byte ^ 1 : byte)
      const chains: ReadonlyArray<readonly [ReadonlyArray<Uint8Array>, string]> = [
        [all(leaf, intDer), "verified"],
        [all(leaf, intDer, caDer), "verified"],
        [all(leaf, otherDer, another, caDer, intDer), "verified"],
        [all(leaf, intDer, intDer, leaf), "verified"],
        [all(leaf), "CertificateUntrusted"],
        [all(leaf, caDer), "CertificateUntrusted"],
        [all(turned(leaf, -1), intDer), "CertificateSignatureWrong"],
        [all(leaf, turned(int.certificateDer, -1)), "CertificateSignatureWrong"],
        [all(leaf.subarray(0, -1), intDer), "CertificateMalformed"],
        [all(leaf, int.certificateDer.subarray(1)), "CertificateMalformed"],
        [all(Uint8Array.of()), "CertificateMalformed"]
      ]
      for (const [index, [chain, expected]] of chains.entries()) {
        assert.strictEqual(yield* judge(trust, chain, host), expected, `chain ${index}`)
      }
      // An intermediate, or the leaf itself, can be the anchor.
      for (const anchor of [int.certificateDer, leaf]) {
        assert.strictEqual(yield* judge(yield* anchored([anchor]), [leaf], host), "verified")
      }
    }))

  test("a leaf issues nothing, and an intermediate out of its time neither", () =>
    Effect.gen(function*() {
      yield* now
      const { issuedAt } = yield* testPki
      const days = (from: number, to: number) => {
        const [notBefore, notAfter] = [from, to].map((day) => new Date(issuedAt.getTime() + day * 86_400_000))
        return { notBefore: notBefore ?? issuedAt, notAfter: notAfter ?? issuedAt }
      }
      const leaf: LeafSubject = {
        ...days(-1, 1),
        commonName: "leaf",
        key: "P-256",
        usage: "serverAuth",
        subjectAltName: [{ type: "dns", value: "test.example" }]
      }
      const { chains, root } = yield* Effect.promise(async () => {
        const root = await issueAuthority({ ...days(-9, 9), commonName: "root", key: "P-256" })
        const issuers = [
          await issueLeaf({ ...leaf, commonName: "its key usage does not let it" }, root),
          await plainIssuer(root, days(-1, 1)),
          await issueAuthority({ ...days(-3, -2), commonName: "late", key: "P-256" }, root)
        ]
        return {
          root,
          chains: await Promise.all(issuers.map(async (issuer) => [await issueLeaf(leaf, issuer), issuer]))
        }
      })
      const trust = yield* anchored([certificateDer(root)])
      const judged = yield* Effect.forEach(chains, (chain) => judge(trust, chain.map(certificateDer), host))
      assert.deepStrictEqual(judged, ["CertificateIssuerUnfit", "CertificateMalformed", "CertificateExpired"])
    }))

  /** No authority, and nothing that says what its key is for. */
  const plainIssuer = async (root: Issued, validity: Validity): Promise<Issued> => {
    const keys = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"])
    const certificate = await X509CertificateGenerator.create({
      ...validity,
      subject: "CN=plain",
      issuer: root.certificate.subject,
      publicKey: keys.publicKey,
      signingKey: root.keys.privateKey,
      signingAlgorithm: { name: "ECDSA", hash: "SHA-256" }
    })
    return { certificate, keys }
  }

  test("the clock decides: the same chain is not yet valid, valid, expired", () =>
    Effect.gen(function*() {
      const { ca, issuedAt } = yield* testPki
      const { chainDer } = yield* testCredential("ec")
      const trust = yield* anchored([ca.certificateDer])
      const year = 365 * 86_400_000
      const judged: Array<string> = []
      for (const years of [-6, 0, 6]) {
        yield* TestClock.setTime(issuedAt.getTime() + years * year)
        judged.push(yield* judge(trust, chainDer, host))
      }
      assert.deepStrictEqual(judged, ["CertificateNotYetValid", "verified", "CertificateExpired"])
    }))

  test("hostile chains are judged in bounded work: authorities that all issue each other", () =>
    Effect.gen(function*() {
      yield* now
      const { ca, int } = yield* testPki
      const { leafDer } = yield* testCredential("untrusted")
      const trust = yield* anchored([ca.certificateDer])
      const chain = [leafDer, ...Array.from({ length: 1000 }, () => int.certificateDer)]
      assert.strictEqual(yield* judge(trust, chain, host), "CertificateTooCostly")
    }))

  test("fingerprints differ where the judgement does; no anchor is an error, not an empty trust", () =>
    Effect.gen(function*() {
      const { ca, other } = yield* testPki
      const fingerprints = yield* Effect.forEach(
        [[ca.certificateDer], [other.certificateDer], [ca.certificateDer, other.certificateDer], ca.certificatePem],
        (anchors) => Effect.map(anchored(anchors), (_) => _.fingerprint)
      )
      assert.strictEqual(new Set(fingerprints).size, 3)
      assert.strictEqual(fingerprints[0], fingerprints[3])
      assert.strictEqual(
        (yield* Effect.flip(anchored("nothing"))).message,
        "there is no CERTIFICATE in the PEM text: it holds no PEM block at all"
      )
    }))
})

describe("layerSystem", () => {
  test("trusts what the platform names, and nothing else", () =>
    Effect.gen(function*() {
      yield* now
      const { ca } = yield* testPki
      const { chainDer } = yield* testCredential("ec")
      for (
        const [certificates, expected] of [[[ca.certificateDer], "verified"], [[], "CertificateUntrusted"]] as const
      ) {
        const trust = yield* Trust.Trust.pipe(Effect.provide(Trust.layerSystem.pipe(
          Layer.provide(Layer.succeed(Trust.SystemAnchors, { certificates: Effect.succeed(certificates) }))
        )))
        assert.strictEqual(yield* judge(trust, chainDer, host), expected)
      }
    }))
})

describe("layerInsecure", () => {
  test("takes any readable leaf, for anybody", () =>
    Effect.gen(function*() {
      const { der } = yield* TlsTest.identity("anybody.test", 1)
      const trust = yield* Effect.provide(
        Trust.Trust,
        Trust.layerInsecure
      )
      assert.strictEqual(yield* judge(trust, [der], host), "verified")
      assert.strictEqual(yield* judge(trust, [Uint8Array.of(1)], host), "CertificateMalformed")
      assert.strictEqual(trust.fingerprint, "insecure")
    }))
})
