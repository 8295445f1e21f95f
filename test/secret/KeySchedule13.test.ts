import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Result from "effect/Result"
import { createHash, createHmac, hkdfSync } from "node:crypto"
import { decodeHandshake, type HandshakeMessageOf } from "../../src/message/HandshakeMessage.ts"
import { make as primitives } from "../../src/platform/NodePrimitives.ts"
import {
  deriveSecret,
  earlySecret,
  expandLabel,
  exportKeyingMaterial,
  extract,
  handshakeSecret,
  hashLength,
  masterSecret,
  nextTrafficSecret,
  resumptionBinderKey,
  type Secret,
  secretOf,
  signedContent,
  ticketPsk,
  trafficKeys,
  verifyData
} from "../../src/secret/KeySchedule13.ts"
import type { HashName } from "../../src/secret/Primitives.ts"
import { concat, empty, fromText } from "../../src/wire/Bytes.ts"
import { signatureSchemeName } from "../../src/wire/CodePoints.ts"
import { hex, readVectors, readVectorText, toHex } from "../platform/vectors.ts"
import { bytesUpTo, int } from "../record/records.ts"
import { type Party, replays } from "./rfc8448.ts"

describe.each(replays)("RFC 8448 section $trace.section: $trace.title", ({ checks, messages, psk, signed, trace }) => {
  it.each(checks)("$name", ({ ours, recorded }) => assert.strictEqual(ours, recorded))

  it("is a whole handshake", () => {
    assert.isAbove(checks.length, 60)
    for (const party of ["client", "server"]) {
      assert.strictEqual(messages.filter((one) => one.party === party && one.name === "Finished").length, 1)
    }
    assert.strictEqual(psk !== undefined, trace.id === "simple-1rtt")
  })

  const decoded = <Tag extends "Certificate13" | "CertificateVerify">(tag: Tag, party: Party) => {
    const name = tag === "Certificate13" ? "Certificate" : tag
    const found = messages.find((one) => one.party === party && one.name === name)
    if (found === undefined) return assert.fail(`the ${party} sent no ${name}`)
    const message = Result.getOrThrow(decodeHandshake(found.bytes[0] ?? 0, found.bytes.subarray(4), "1.3"))
    // The type was looked for by name; TypeScript does not narrow by a generic one.
    return message._tag === tag ? message as HandshakeMessageOf<Tag> : assert.fail(message._tag)
  }

  it.each([...signed])(
    "the CertificateVerify of the %s signs the transcript up to it (RFC 8446 section 4.4.3)",
    (party, content) => {
      const [leaf] = decoded("Certificate13", party).entries
      const key = primitives.parseCertificate(leaf?.certificate ?? empty)?.publicKey
      const { signature, signatureScheme } = decoded("CertificateVerify", party)
      const scheme = signatureSchemeName(signatureScheme)
      if (key === undefined || scheme === undefined) return assert.fail("no key, or no scheme")
      assert.isTrue(key.verify(scheme, content, signature))
      const other = signedContent(party === "client" ? "server" : "client", content.subarray(-32))
      assert.isFalse(key.verify(scheme, other, signature))
    }
  )
})

it("the traces have client authentication, a retry, resumption and compatibility mode", () => {
  assert.deepStrictEqual(replays.map(({ signed }) => [...signed.keys()]), [
    ["server"],
    [],
    ["server"],
    ["server", "client"],
    ["server"]
  ])
})

const hashes: { readonly [name: string]: HashName } = { "SHA2-256": "sha256", "SHA2-384": "sha384" }
const hashOf = (name: string): HashName => hashes[name] ?? assert.fail(name)

describe("kdf-nist-tls13.json", () => {
  interface Acvp {
    readonly tcId: number
    readonly hmacAlg: string
    readonly runningMode: string
    readonly dhe?: string
    readonly psk?: string
    readonly helloClientRandom: string
    readonly helloServerRandom: string
    readonly finishedServerRandom: string
    readonly finishedClientRandom: string
    readonly expected: { readonly [name: string]: string }
  }

  it.each(readVectors<ReadonlyArray<Acvp>>("kdf-nist-tls13.json"))("tcId $tcId, $hmacAlg, $runningMode", (test) => {
    const hash = hashOf(test.hmacAlg)
    // The randoms stand for the messages: the hash covers them up to the point in question.
    const parts = [test.helloClientRandom, test.helloServerRandom, test.finishedServerRandom, test.finishedClientRandom]
    const until = (count: number) => primitives.digest(hash, concat(parts.slice(0, count).map(hex)))
    const early = earlySecret(primitives, hash, test.psk === undefined ? undefined : hex(test.psk))
    const shared = test.dhe === undefined ? new Uint8Array(hashLength[hash]) : hex(test.dhe)
    const handshake = handshakeSecret(primitives, early, shared)
    const master = masterSecret(primitives, handshake)
    const ours = {
      clientEarlyTrafficSecret: deriveSecret(primitives, early, "c e traffic", until(1)),
      earlyExporterMasterSecret: deriveSecret(primitives, early, "e exp master", until(1)),
      clientHandshakeTrafficSecret: deriveSecret(primitives, handshake, "c hs traffic", until(2)),
      serverHandshakeTrafficSecret: deriveSecret(primitives, handshake, "s hs traffic", until(2)),
      clientApplicationTrafficSecret: deriveSecret(primitives, master, "c ap traffic", until(3)),
      serverApplicationTrafficSecret: deriveSecret(primitives, master, "s ap traffic", until(3)),
      exporterMasterSecret: deriveSecret(primitives, master, "exp master", until(3)),
      resumptionMasterSecret: deriveSecret(primitives, master, "res master", until(4))
    }
    assert.deepStrictEqual(
      Object.fromEntries(Object.entries(ours).map(([name, { bytes }]) => [name, toHex(bytes)])),
      test.expected
    )
  })
})

describe("kdf-openssl-tls13.txt", () => {
  const value = (stanza: string, key: string): string | undefined =>
    new RegExp(`^${key} = (?:[a-z]+:)?(.*)$`, "m").exec(stanza)?.[1]
  const text = (digits: string | undefined): string => Buffer.from(digits ?? "", "hex").toString("latin1")
  const stanzas = readVectorText("kdf-openssl-tls13.txt").split("\n\n").filter((stanza) => stanza.startsWith("KDF"))

  it.each(stanzas.map((stanza, i) =>
    [
      i,
      value(stanza, "Ctrl.mode") ?? "",
      value(stanza, "Ctrl.digest") ?? "",
      text(value(stanza, "Ctrl.label")),
      stanza
    ] as const
  ))("%i: %s %s %s", (_, mode, digest, label, stanza) => {
    const hash = hashOf(digest)
    const zeros = new Uint8Array(hashLength[hash])
    const [key, salt] = [value(stanza, "Ctrl.key"), value(stanza, "Ctrl.salt")]
    const input = key === undefined ? zeros : hex(key)
    const secretOfInput = (): Secret => secretOf(primitives, hash, input)
    const before = salt === undefined ? undefined : secretOf(primitives, hash, hex(salt))
    const made = mode === "EXPAND_ONLY"
      ? deriveSecret(primitives, secretOfInput(), label, hex(value(stanza, "Ctrl.data") ?? ""))
      : before === undefined
      ? earlySecret(primitives, hash, key === undefined ? undefined : input)
      : key === undefined
      ? masterSecret(primitives, before)
      : handshakeSecret(primitives, before, input)
    assert.strictEqual(toHex(made.bytes), value(stanza, "Output"))
    assert.isTrue(before === undefined || label === "derived")
  })

  it("has every step of the schedule with both hashes", () => assert.isAtLeast(stanzas.length, 40))
})

/** HkdfLabel of RFC 8446 section 7.1, written out. */
const hkdfLabel = (label: string, context: Uint8Array, length: number): Uint8Array => {
  const text = new TextEncoder().encode(`tls13 ${label}`)
  return concat([Uint8Array.of(length >> 8, length & 255, text.length), text, Uint8Array.of(context.length), context])
}

const names = ["sha256", "sha384", "sha512"] as const
const expanded = (
  hash: HashName,
  salt: Uint8Array,
  input: Uint8Array,
  label: string,
  context: Uint8Array,
  length: number
) => Buffer.from(hkdfSync(hash, input, salt, hkdfLabel(label, context, length), length)).toString("hex")

it.prop("HKDF-Extract and HKDF-Expand-Label are those of node:crypto, whatever the length", {
  hash: Arbitrary.map(int(0, 2), (i): HashName => names[i] ?? "sha256"),
  salt: bytesUpTo(80),
  input: bytesUpTo(80),
  label: Arbitrary.map(int(0, 249), (length) => "l".repeat(length)),
  context: bytesUpTo(255),
  length: int(1, 300)
}, ({ context, hash, input, label, length, salt }) => {
  const secret = extract(primitives, secretOf(primitives, hash, salt), input)
  assert.strictEqual(
    toHex(expandLabel(secret, label, context, length)),
    expanded(hash, salt, input, label, context, length)
  )
}, { arbitrary: { runs: 200 } })

it.each(names)("%s: up to 255 blocks, and not one byte more (RFC 5869 section 2.3)", (hash) => {
  const [salt, input] = [fromText("salt"), fromText("input")]
  const secret = extract(primitives, secretOf(primitives, hash, salt), input)
  const longest = 255 * hashLength[hash]
  assert.strictEqual(toHex(expandLabel(secret, "x", empty, longest)), expanded(hash, salt, input, "x", empty, longest))
  assert.throws(() => expandLabel(secret, "x", empty, longest + 1), RangeError)
  assert.throws(() => exportKeyingMaterial(primitives, secret, "x", empty, longest + 1), RangeError)
})

it("a label of more than 249 bytes, or a context of more than 255, is a defect", () => {
  const secret = secretOf(primitives, "sha256", new Uint8Array(32))
  assert.throws(() => expandLabel(secret, "l".repeat(250), empty, 32), RangeError)
  assert.throws(() => expandLabel(secret, "l", new Uint8Array(256), 32), RangeError)
})

describe.each(["sha256", "sha384"] as const)(
  "%s: what no published vector has, by the formulas of the RFC and node:crypto",
  (hash) => {
    const length = hashLength[hash]
    const base = new Uint8Array(length).fill(7)
    const secret = secretOf(primitives, hash, base.slice())
    const hmac = (key: Uint8Array, data: Uint8Array) => createHmac(hash, key).update(data).digest()
    const digest = (data: Uint8Array) => createHash(hash).update(data).digest()
    // One block is all that these need, or the begin of one.
    const expand = (key: Uint8Array, label: string, context: Uint8Array, size: number) =>
      hmac(key, concat([hkdfLabel(label, context, size), Uint8Array.of(1)])).subarray(0, size)

    it("the exporter, RFC 8446 section 7.5: an empty context is that of none", () => {
      for (const context of [empty, fromText("context")]) {
        for (const size of [1, 32, length]) {
          const derived = expand(base, "EXPORTER-label", digest(empty), length)
          assert.strictEqual(
            toHex(exportKeyingMaterial(primitives, secret, "EXPORTER-label", context, size)),
            toHex(expand(derived, "exporter", digest(context), size))
          )
        }
      }
    })

    it("the next traffic secret, RFC 8446 section 7.2", () => {
      const next = nextTrafficSecret(primitives, secret)
      assert.strictEqual(toHex(next.bytes), toHex(expand(base, "traffic upd", empty, length)))
      assert.strictEqual(
        toHex(nextTrafficSecret(primitives, next).bytes),
        toHex(expand(next.bytes, "traffic upd", empty, length))
      )
    })

    it("traffic keys of every length, the PSK of a ticket, the binder key, the verify data", () => {
      for (const keyLength of [16, 32]) {
        const { iv, key } = trafficKeys(secret, { keyLength })
        assert.strictEqual(toHex(key), toHex(expand(base, "key", empty, keyLength)))
        assert.strictEqual(toHex(iv), toHex(expand(base, "iv", empty, 12)))
      }
      assert.strictEqual(
        toHex(ticketPsk(secret, Uint8Array.of(0, 9))),
        toHex(expand(base, "resumption", Uint8Array.of(0, 9), length))
      )
      assert.strictEqual(
        toHex(resumptionBinderKey(primitives, secret).bytes),
        toHex(expand(base, "res binder", digest(empty), length))
      )
      const transcript = digest(fromText("messages"))
      assert.strictEqual(
        toHex(verifyData(primitives, secret, transcript)),
        toHex(hmac(expand(base, "finished", empty, length), transcript))
      )
    })

    it("what a CertificateVerify signs, byte for byte", () => {
      const transcript = digest(fromText("messages"))
      for (const signer of ["client", "server"] as const) {
        const text = `${" ".repeat(64)}TLS 1.3, ${signer} CertificateVerify\0`
        assert.strictEqual(toHex(signedContent(signer, transcript)), toHex(concat([fromText(text), transcript])))
      }
    })

    it("no secret of the caller is changed, and each has memory of its own", () => {
      const before = secret.bytes.slice()
      const shared = fromText("shared")
      const made = [handshakeSecret(primitives, secret, shared), masterSecret(primitives, secret)]
      assert.deepStrictEqual(secret.bytes, before)
      assert.deepStrictEqual(shared, fromText("shared"))
      for (const { bytes } of made) assert.strictEqual(bytes.buffer.byteLength, length)
    })
  }
)

it("what was computed on the way is overwritten", () => {
  const made: Array<Uint8Array> = []
  const keys: Array<Uint8Array> = []
  const watched: Pick<typeof primitives, "digest" | "passingMac"> = {
    ...primitives,
    passingMac: (hash, key) => {
      keys.push(key)
      const mac = primitives.passingMac(hash, key)
      return {
        sign: (...parts) => {
          const out = mac.sign(...parts)
          made.push(out)
          return out
        }
      }
    }
  }
  const notWiped = (all: ReadonlyArray<Uint8Array>) => all.filter((bytes) => bytes.some((byte) => byte !== 0))
  const base = secretOf(watched, "sha256", new Uint8Array(32).fill(3))
  const long = expandLabel(base, "long", empty, 100)
  const data = verifyData(watched, base, new Uint8Array(32))
  const { bytes } = handshakeSecret(watched, base, fromText("shared"))
  const material = exportKeyingMaterial(watched, base, "label", empty, 40)
  // The verify data and the extracted secret are outputs of HMAC themselves.
  assert.deepStrictEqual(notWiped(made), [data, bytes])
  // The finished key, the salt and the secret of the exporter's label were keys on the way.
  assert.deepStrictEqual(notWiped(keys), [base.bytes, bytes])
  assert.deepStrictEqual([made.length, keys.length], [4 + 2 + 2 + 3, 5])
  assert.deepStrictEqual(notWiped([long, material]), [long, material])
})
