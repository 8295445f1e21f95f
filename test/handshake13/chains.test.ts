/** Chains that prove nothing any more, or were taken back: RFC 8446 section 4.4.2.4, over the certificate engine. */
import { assert, describe } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { sign } from "node:crypto"
import { Trust } from "effect-tls"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import type { CertificateFault } from "../../src/alert/Fault.ts"
import * as Make from "../x509/Maker.ts"
import { conversation, converse, type Setting } from "./conversation.ts"
import type { Side } from "./puppet.ts"
import type { Script } from "./stories.ts"

const hashedWith = (hash: string, algorithm: string): Make.Way => ({
  identifier: Make.sequence(Make.oid(algorithm), Make.tlv(5)),
  sign: (message, key) => new Uint8Array(sign(hash, message, key))
})
const md5 = hashedWith("md5", "1.2.840.113549.1.1.4")
const sha1 = hashedWith("sha1", "1.2.840.113549.1.1.5")

const keys = Make.rsaKeys()
const root = Make.authority("root", undefined, { keys })
/** The same key in a root that signs itself with MD5. */
const oldRoot = Make.authority("root", undefined, { keys, way: md5 })
const name = Make.subjectAltName([Make.dns("server.test")])
const leafOf = (issuer: Make.Made, way?: Make.Way) =>
  Make.leaf(issuer, { extensions: [Make.keyUsage("digitalSignature"), name], ...way === undefined ? {} : { way } })

const inner = (way?: Make.Way) =>
  Make.authority("inner", root, { keys: Make.ecKey(), ...way === undefined ? {} : { way } })
const [innerMd5, innerSha1] = [inner(md5), inner(sha1)]
const revoked = leafOf(root)

const trusting = (options: Trust.AnchorOptions) =>
  Effect.scoped(
    Effect.map(
      Layer.build(Layer.provide(Trust.layerAnchors(options), NodePrimitives.layerPrimitives)),
      (context) => Context.get(context, Trust.Trust)
    )
  )
const judging = (fault: CertificateFault) =>
  Effect.succeed(Trust.Trust.of({ fingerprint: "as it is told", verify: () => Effect.fail(fault) }))

interface Row {
  readonly what: string
  readonly chain: ReadonlyArray<Make.Made>
  readonly trust: Effect.Effect<Trust.Trust["Service"], unknown>
  /** `undefined` where the chain is good. */
  readonly failure: string | undefined
}

const anchored = trusting({ anchors: [root.der] })
const rows: ReadonlyArray<Row> = [
  {
    what: "R8446-4.4.2.4-04: a leaf signed with MD5",
    chain: [leafOf(root, md5)],
    trust: anchored,
    failure: "42 CertificateSignatureWeak"
  },
  {
    what: "R8446-4.4.2.4-04: an intermediate signed with MD5",
    chain: [leafOf(innerMd5), innerMd5],
    trust: anchored,
    failure: "42 CertificateSignatureWeak"
  },
  {
    what: "R8446-4.4.2.4-05: a leaf signed with SHA-1",
    chain: [leafOf(root, sha1)],
    trust: anchored,
    failure: "42 CertificateSignatureWeak"
  },
  {
    what: "R8446-4.4.2.4-05: an intermediate signed with SHA-1",
    chain: [leafOf(innerSha1), innerSha1],
    trust: anchored,
    failure: "42 CertificateSignatureWeak"
  },
  {
    what: "R8446-4.4.2.4-04: a root that signs itself with MD5 is trusted without it",
    chain: [leafOf(oldRoot), oldRoot],
    trust: trusting({ anchors: [oldRoot.der] }),
    failure: undefined
  },
  { what: "a leaf signed with SHA-256", chain: [leafOf(root)], trust: anchored, failure: undefined },
  {
    what: "R8446-6.2-14: a certificate that its issuer took back",
    chain: [revoked],
    trust: trusting({ anchors: [root.der], crls: [Make.crl(root, [revoked.serial])] }),
    failure: "44 CertificateRevoked"
  },
  {
    what: "R8446-6.2-29: a stapled status that is not good",
    chain: [leafOf(root)],
    trust: judging({ _tag: "CertificateStatusWrong", why: "it is about another certificate" }),
    failure: "113 CertificateStatusWrong"
  }
]

const sides: ReadonlyArray<readonly [subject: Side, setting: Partial<Setting>]> = [["client", {}], ["server", {
  asks: "require"
}]]

for (const [subject, setting] of sides) {
  describe(`shown to the ${subject}`, () => {
    for (const { chain, failure, trust, what } of rows) {
      conversation(what, (all) =>
        Effect.gen(function*() {
          yield* TestClock.setTime(Make.now)
          const judge = yield* trust
          const [leaf] = chain
          const script: Script = {
            credential: {
              chain: chain.map(({ der }) => der),
              keyType: "ec-p256",
              sign: (_, message) =>
                Effect.sync(() => new Uint8Array(sign("sha256", message, leaf?.keys.privateKey ?? "")))
            }
          }
          const outcome = yield* converse({ ...all, trust: judge, clientTrust: judge }, { ...setting, subject, script })
          assert.strictEqual(
            outcome.failure,
            failure === undefined ? "clean" : `AlertSent ${failure} handshaking 1.3`,
            outcome.sentence
          )
          const epoch = subject === "server" ? "application" : "handshake"
          assert.deepStrictEqual(
            outcome.alerts,
            failure === undefined ? ["application 1/0"] : [`${epoch} 2/${failure.split(" ")[0]}`]
          )
        }))
    }
  })
}
