/** Certificates of others: a fuzzing corpus, and the roots that this system trusts. Two parsers have to agree on them. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { X509Certificate } from "node:crypto"
import { readFileSync } from "node:fs"
import { make as primitives } from "../../src/platform/NodePrimitives.ts"
import { layer as systemAnchors } from "../../src/platform/NodeSystemAnchors.ts"
import { SystemAnchors } from "../../src/service/Trust.ts"
import { type Certificate, parse } from "../../src/x509/Certificate.ts"
import { formatName } from "../../src/x509/Name.ts"
import * as Make from "./Maker.ts"

/** What both parsers say has to be the same. */
const compare = (ours: Certificate): void => {
  const theirs = new X509Certificate(ours.der)
  const platform = primitives.parseCertificate(ours.der)
  assert.deepStrictEqual(Buffer.from(theirs.raw), Buffer.from(ours.der))
  if ((ours.serial[0] ?? 0) < 0x80) {
    assert.strictEqual(BigInt(`0x${theirs.serialNumber}`), BigInt(`0x${Buffer.from(ours.serial).toString("hex")}`))
  }
  assert.strictEqual(theirs.validFromDate.getTime(), ours.notBefore * 1000)
  assert.strictEqual(theirs.validToDate.getTime(), ours.notAfter * 1000)
  // What is escaped or no text is printed otherwise by OpenSSL.
  const isPlain = /^[\x20-\x5b\x5d-\x7e]*$/.test(`${formatName(ours.subject)}${platform?.subject}`)
  if (isPlain && !formatName(ours.subject).includes("#")) {
    assert.strictEqual(platform?.subject, formatName(ours.subject))
  }
  if (ours.version === 3) assert.strictEqual(theirs.ca, ours.extensions.basicConstraints?.isAuthority === true)
  if (ours.key._tag === "Usable") {
    const spki = theirs.publicKey.export({ format: "der", type: "spki" })
    assert.deepStrictEqual(spki, Buffer.from(ours.spki))
    const families = { rsa: "rsa", ec: "ecdsa", ed25519: "ed25519" }
    assert.strictEqual(Reflect.get(families, theirs.publicKey.asymmetricKeyType ?? ""), ours.key.family)
  }
  // Node calls it `keyUsage`, but it is the extended one.
  assert.deepStrictEqual(theirs.keyUsage, ours.extensions.extendedKeyUsage && [...ours.extensions.extendedKeyUsage])
}

describe("the roots of this system", () => {
  it("are read as a whole, by both parsers alike, with keys that count", async () => {
    const roots = await Effect.runPromise(
      Effect.provide(Effect.flatMap(SystemAnchors, ({ certificates }) => certificates), systemAnchors)
    )
    assert.isAbove(roots.length, 50, "install ca-certificates")
    for (const der of roots) {
      const parsed = parse(der)
      assert(Result.isSuccess(parsed), Result.isFailure(parsed) ? parsed.failure : "")
      compare(parsed.success)
      assert.strictEqual(parsed.success.key._tag, "Usable", formatName(parsed.success.subject))
      assert.isUndefined(parsed.success.extensions.unknownCritical)
      assert.isTrue(parsed.success.extensions.basicConstraints?.isAuthority)
    }
  })
})

interface Line {
  readonly name: string
  readonly b64: string
}

describe("the certificate corpus of BoringSSL", () => {
  const corpus: ReadonlyArray<Line> = readFileSync(
    new URL("../vectors/boringssl-certificates.jsonl", import.meta.url),
    "utf8"
  ).trimEnd().split("\n").map((line) => JSON.parse(line))

  it.each(corpus.map(({ b64, name }) => [name, new Uint8Array(Buffer.from(b64, "base64"))] as const))(
    "%s is read alike, or refused; it is never accepted",
    (_, der) => {
      const parsed = parse(der)
      if (Result.isSuccess(parsed) && primitives.parseCertificate(der) !== undefined) compare(parsed.success)
      const root = Make.authority("root")
      for (const peer of [Make.host, { role: "client" } as const]) {
        assert.notStrictEqual(Make.verdictOf({ chain: [{ der }], anchors: [root], peer }), "ok")
        assert.notStrictEqual(Make.verdictOf({ chain: [Make.leaf(undefined), { der }], anchors: [root], peer }), "ok")
      }
    }
  )

  it("has certificates that both take, and many that only the platform takes", () => {
    const taken = corpus.map(({ b64 }) => {
      const der = new Uint8Array(Buffer.from(b64, "base64"))
      return [Result.isSuccess(parse(der)), primitives.parseCertificate(der) !== undefined].join()
    })
    assert.strictEqual(corpus.length, 109)
    assert.isAbove(taken.filter((both) => both === "true,true").length, 5)
    assert.isAbove(taken.filter((both) => both === "false,true").length, 50)
  })
})
