/** What a trust can be told beside whom to trust: lists, pins, the judgement of the application. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { createHash } from "node:crypto"
import { type Fault, Identity, Primitives, TlsTest, Trust } from "effect-tls"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import { how } from "../connection/conversation.ts"
import * as Make from "../x509/Maker.ts"

class Counter extends Context.Service<Counter, Ref.Ref<number>>()("test/Counter") {}

const root = Make.authority("root")
const inner = Make.authority("inner", root)
const leaf = Make.leaf(inner)
const chain = [leaf.der, inner.der]
const client = Make.leaf(inner, { purpose: Make.clientAuth })
const host = { role: "server", host: "host.example" } as const

type Test = (name: string, body: () => Effect.Effect<void, unknown, Primitives>) => void
const test: Test = (name, body) =>
  it.effect(
    name,
    () => TestClock.setTime(Make.now).pipe(Effect.andThen(body), Effect.provide(NodePrimitives.layerPrimitives))
  )

const built = <E>(layer: Layer.Layer<Trust.Trust, E, Primitives>) => Effect.provide(Trust.Trust, layer)
const anchored = (options: Omit<Trust.AnchorOptions, "anchors"> = {}) =>
  built(Trust.layerAnchors({ anchors: [root.der], ...options }))
const judged = (
  trust: Trust.Trust["Service"],
  of: ReadonlyArray<Uint8Array> = chain,
  peer: Trust.PeerRole = host
) =>
  trust.verify(of, peer).pipe(
    Effect.as("ok"),
    Effect.catch((fault: Fault.CertificateFault) => Effect.succeed(fault._tag as string))
  )

const pem = (label: string, der: Uint8Array) =>
  `-----BEGIN ${label}-----\n${Buffer.from(der).toString("base64")}\n-----END ${label}-----\n`

describe("revocation lists", () => {
  const lists = [Make.crl(root, []), Make.crl(inner, [leaf.serial])]
  test("in DER and as PEM text", () =>
    Effect.gen(function*() {
      for (const crls of [lists, lists.map((der) => pem("X509 CRL", der)).join("")]) {
        assert.strictEqual(yield* judged(yield* anchored({ crls })), "CertificateRevoked")
        assert.strictEqual(yield* judged(yield* anchored({ crls, revocation: "off" })), "ok")
      }
      assert.strictEqual(yield* judged(yield* anchored({ revocation: "require" })), "CertificateStatusUnknown")
    }))

  test("that cannot be read are told by their number, and so are anchors", () =>
    Effect.gen(function*() {
      const broken = Uint8Array.of(0x30, 0)
      const list = yield* Effect.flip(anchored({ crls: [Make.crl(root, []), broken] }))
      assert.strictEqual(list.message, "revocation list 2 of 2 cannot be read: tbsCertList is missing")
      const anchor = yield* Effect.flip(built(Trust.layerAnchors({ anchors: [root.der, inner.der, broken] })))
      assert.strictEqual(anchor.message, "certificate 3 of 3 cannot be read: tbsCertificate is missing")
      assert.strictEqual(yield* judged(yield* built(Trust.layerAnchors({ anchors: [] }))), "CertificateUntrusted")
      const text = yield* Effect.flip(anchored({ crls: "nothing" }))
      assert.include(text.message, "there is no X509 CRL in the PEM text")
    }))

  test("are part of the fingerprint, as all that a judgement depends on", () =>
    Effect.gen(function*() {
      const options: ReadonlyArray<Omit<Trust.AnchorOptions, "anchors">> = [
        {},
        { crls: lists },
        { crls: lists.slice(0, 1) },
        { revocation: "off" },
        { revocation: "require" },
        { limits: { intermediates: 1 } }
      ]
      const fingerprints = yield* Effect.forEach(options, (one) => Effect.map(anchored(one), (_) => _.fingerprint))
      assert.strictEqual(new Set(fingerprints).size, options.length)
      assert.strictEqual((yield* anchored({ remember: 1 })).fingerprint, fingerprints[0])
    }))
})

describe("layerReloading", () => {
  test("judges by what was loaded last: a list that names the leaf, fetched while it is in use", () =>
    Effect.gen(function*() {
      const triggers = yield* Queue.unbounded<void>()
      const loaded = yield* Queue.unbounded<number>()
      let loads = 0
      const load = Effect.gen(function*() {
        const crls = loads++ === 0 ? [] : [Make.crl(inner, [leaf.serial])]
        const trust = yield* anchored({ crls })
        yield* Queue.offer(loaded, loads)
        return trust
      })
      const refined = Trust.refine({ name: "nothing more", judge: () => Effect.void })(
        Trust.layerReloading(load, Stream.fromQueue(triggers))
      )
      yield* Effect.gen(function*() {
        const trust = yield* Trust.Trust
        const before = trust.fingerprint
        assert.strictEqual(yield* judged(trust), "ok")
        assert.deepStrictEqual(trust.authorities, [root.subject])
        // The value is set after what was taken: the second round proves the first.
        for (const expected of [2, 3]) {
          yield* Queue.offer(triggers, undefined)
          while ((yield* Queue.take(loaded)) < expected);
        }
        assert.strictEqual(yield* judged(trust), "CertificateRevoked")
        assert.notStrictEqual(trust.fingerprint, before)
      }).pipe(Effect.provide(refined))
    }))
})

describe("the authorities that are named to clients", () => {
  const named = (...anchors: ReadonlyArray<Make.Made>) =>
    Effect.map(built(Trust.layerAnchors({ anchors: anchors.map(({ der }) => der) })), ({ authorities }) => authorities)

  test("are the subjects of the anchors, each once", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* named(root, inner, Make.authority("root")), [root.subject, inner.subject])
    }))

  test("are the issuers of certificates that are trusted as they stand, too", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* named(client), [client.subject, inner.subject])
    }))

  test("are left out where they would be too many", () =>
    Effect.gen(function*() {
      const keys = Make.ecKey()
      const many = Array.from({ length: 160 }, (_, i) => Make.authority(`${i}`.padStart(85, "x"), undefined, { keys }))
      // 100 bytes each, with their lengths.
      assert.lengthOf((yield* named(...many)) ?? [], 160)
      assert.deepStrictEqual(yield* named(...many, root), [])
    }))

  test("are those of no pin, and of nobody in particular", () =>
    Effect.gen(function*() {
      const pinned = yield* built(Trust.layerPinned({ spkiSha256: [new Uint8Array(32)] }))
      assert.deepStrictEqual([pinned.authorities, (yield* built(Trust.layerInsecure)).authorities], [
        undefined,
        undefined
      ])
    }))
})

describe("what was accepted is remembered", () => {
  /** How many signatures were verified so far. */
  const counting = Effect.gen(function*() {
    const primitives = yield* Primitives
    const count = { verified: 0 }
    const counted = Primitives.of({
      ...primitives,
      parseCertificate: (der) => {
        const parsed = primitives.parseCertificate(der)
        return parsed && {
          der: parsed.der,
          subject: parsed.subject,
          issuer: parsed.issuer,
          publicKey: parsed.publicKey,
          verifies: (algorithm, message, signature) => {
            count.verified++
            return parsed.verifies(algorithm, message, signature)
          }
        }
      }
    })
    return { count, counted }
  })

  test("for the same chain, name and time, and no longer than it holds", () =>
    Effect.gen(function*() {
      const { count, counted } = yield* counting
      const short = Make.leaf(inner, {
        notAfter: "2026-01-02T00:00:00Z",
        names: [Make.dns("host.example"), Make.dns("b.example")]
      })
      const trust = yield* Effect.provideService(anchored(), Primitives, counted)
      const steps: ReadonlyArray<
        readonly [of: ReadonlyArray<Uint8Array>, peer: Trust.PeerRole, verdict: string, count: number]
      > = [
        [[short.der, inner.der], host, "ok", 2],
        [[short.der, inner.der], host, "ok", 2],
        [[short.der, inner.der], { role: "server", host: "b.example" }, "ok", 4],
        [[short.der, inner.der], { role: "server", host: "c.example" }, "CertificateNameMismatch", 6],
        [[short.der, inner.der], { role: "client" }, "CertificateUsageWrong", 8],
        [[short.der, inner.der, inner.der], host, "ok", 10],
        // The same bytes, cut otherwise.
        [[Buffer.concat([short.der, inner.der])], host, "CertificateMalformed", 10],
        [[short.der, inner.der], { ...host, status: { stapled: undefined } }, "ok", 12],
        [[short.der, inner.der], host, "ok", 12]
      ]
      for (const [of, peer, verdict, expected] of steps) {
        assert.strictEqual(yield* judged(trust, [...of], peer), verdict)
        assert.strictEqual(count.verified, expected)
      }
      yield* TestClock.setTime(Date.UTC(2026, 0, 2) + 1000)
      assert.strictEqual(yield* judged(trust, [short.der, inner.der]), "CertificateExpired")
      yield* TestClock.setTime(Date.UTC(2019, 0, 1))
      assert.strictEqual(yield* judged(trust, [short.der, inner.der]), "CertificateNotYetValid")
    }))

  test("up to a number, the oldest forgotten first", () =>
    Effect.gen(function*() {
      const { count, counted } = yield* counting
      const trust = yield* Effect.provideService(anchored({ remember: 2 }), Primitives, counted)
      const [a, b, c] = [Make.leaf(inner), Make.leaf(inner), Make.leaf(inner)].map(({ der }) => [der, inner.der])
      const verified: Array<number> = []
      for (const one of [a, b, a, c, a, b]) {
        yield* judged(trust, one)
        verified.push(count.verified)
      }
      assert.deepStrictEqual(verified, [2, 4, 4, 6, 6, 8])
    }))

  test("with bytes of its own: what was lent may be overwritten", () =>
    Effect.gen(function*() {
      const trust = yield* anchored()
      const lent = chain.map((der) => der.slice())
      const { chain: kept, path } = yield* trust.verify(lent, host)
      for (const der of lent) der.fill(0)
      assert.deepStrictEqual(kept, chain)
      assert.deepStrictEqual(path.map(({ der }) => der), [leaf.der, inner.der, root.der])
    }))
})

describe("layerPinned", () => {
  const pinOf = (made: Make.Made) =>
    createHash("sha256").update(made.keys.publicKey.export({ format: "der", type: "spki" })).digest()
  const pinned = (...spkiSha256: ReadonlyArray<string | Uint8Array>) => built(Trust.layerPinned({ spkiSha256 }))

  test("takes a leaf by its key, whoever issued it, for what name and until when", () =>
    Effect.gen(function*() {
      const old = Make.leaf(undefined, { notAfter: "2021-01-01T00:00:00Z", names: [Make.dns("elsewhere.example")] })
      for (const encoding of ["hex", "base64"] as const) {
        const trust = yield* pinned(pinOf(inner), pinOf(old).toString(encoding))
        assert.strictEqual(yield* judged(trust, [old.der]), "ok")
        assert.strictEqual(yield* judged(trust, [old.der], { role: "client" }), "ok")
        // Renewed with the same key.
        assert.strictEqual(yield* judged(trust, [Make.leaf(root, { keys: old.keys }).der]), "ok")
      }
      const colons = pinOf(old).toString("hex").toUpperCase().replaceAll(/..(?=.)/g, "$&:")
      assert.strictEqual(yield* judged(yield* pinned(colons), [old.der]), "ok")
    }))

  test("refuses any other leaf, and tells its key; a pin of the issuer is none", () =>
    Effect.gen(function*() {
      const trust = yield* pinned(pinOf(inner), pinOf(root))
      assert.deepStrictEqual(yield* Effect.flip(trust.verify(chain, host)), {
        _tag: "CertificateNotPinned",
        spkiSha256: pinOf(leaf).toString("hex")
      })
      assert.strictEqual(yield* judged(trust, [Uint8Array.of(0x30, 0)]), "CertificateMalformed")
      assert.strictEqual(yield* judged(trust, []), "CertificateMalformed")
    }))

  test("still wants a key that counts and may sign", () =>
    Effect.gen(function*() {
      const weak = Make.leaf(undefined, { keys: Make.rsaKeys(1024) })
      const unfit = Make.leaf(undefined, { extensions: [Make.keyUsage("keyEncipherment")] })
      assert.strictEqual(yield* judged(yield* pinned(pinOf(weak)), [weak.der]), "CertificateKeyWeak")
      assert.strictEqual(yield* judged(yield* pinned(pinOf(unfit)), [unfit.der]), "CertificateUsageWrong")
    }))

  test("has pins, each of 32 bytes", () =>
    Effect.gen(function*() {
      for (const pins of [[], ["00"], ["x".repeat(64)], [new Uint8Array(31)], [""]]) {
        assert.strictEqual((yield* Effect.flip(pinned(...pins)))._tag, "TrustError")
      }
      assert.notStrictEqual((yield* pinned(pinOf(leaf))).fingerprint, (yield* pinned(pinOf(root))).fingerprint)
    }))
})

describe("refine", () => {
  const refusing = (alert: Trust.Refusal["alert"]) =>
    Trust.refine({ name: alert, judge: () => Effect.fail({ alert, why: "our list says so" }) })
  const clients = Trust.layerAnchors({ anchors: [root.der] })

  test("is asked about what was accepted, with its certificates, and nothing else", () =>
    Effect.gen(function*() {
      const asked: Array<unknown> = []
      const trust = yield* built(clients.pipe(Trust.refine({
        name: "asked",
        judge: ({ path }, peer) => Effect.sync(() => void asked.push([path.length, peer.role]))
      })))
      assert.strictEqual(yield* judged(trust), "ok")
      assert.strictEqual(yield* judged(trust, [client.der, inner.der], { role: "client" }), "ok")
      assert.strictEqual(yield* judged(trust, [leaf.der]), "CertificateUntrusted")
      assert.deepStrictEqual(asked, [[3, "server"], [3, "client"]])
    }))

  test("refuses with the alert it names; what only servers may say, clients say otherwise", () =>
    Effect.gen(function*() {
      for (const alert of ["access_denied", "certificate_revoked", "unrecognized_name"] as const) {
        const trust = yield* built(refusing(alert)(clients))
        const fault = yield* Effect.flip(trust.verify([client.der, inner.der], { role: "client" }))
        assert.deepStrictEqual(fault, { _tag: "CertificateRefused", alert, why: "our list says so" })
        const ofServer = yield* Effect.flip(trust.verify(chain, host))
        assert(ofServer._tag === "CertificateRefused")
        assert.strictEqual(ofServer.alert, alert === "unrecognized_name" ? "certificate_unknown" : alert)
      }
    }))

  test("has services of its own, and a fingerprint of its own", () =>
    Effect.gen(function*() {
      const names = yield* Ref.make(0)
      const layer = clients.pipe(Trust.refine({
        name: "counted",
        judge: () => Effect.flatMap(Counter, (counter) => Ref.update(counter, (n) => n + 1))
      }))
      const trust = yield* built(Layer.provide(layer, Layer.succeed(Counter, names)))
      yield* judged(trust)
      yield* judged(trust)
      // The judgement of the application is not remembered.
      assert.strictEqual(yield* Ref.get(names), 2)
      const plain = yield* built(clients)
      assert.notStrictEqual(trust.fingerprint, plain.fingerprint)
      assert.notStrictEqual((yield* built(refusing("access_denied")(clients))).fingerprint, trust.fingerprint)
    }))

  test("the peer hears the alert, and not why", () =>
    Effect.gen(function*() {
      const identity = yield* Identity.makePem({
        certificate: pem("CERTIFICATE", client.der),
        privateKey: client.keys.privateKey.export({ format: "pem", type: "pkcs8" }).toString()
      })
      for (
        const [alert, reason] of [["access_denied", "AccessDenied"], [
          "certificate_revoked",
          "CertificateRevoked"
        ]] as const
      ) {
        const trust = yield* built(refusing(alert)(Trust.layerAnchors({ anchors: [inner.der] })))
        const { accept, connect } = yield* TlsTest.ends({
          client: { identity, awaitPeerVerdict: "1 second" },
          server: { clientAuth: { mode: "require", trust } }
        })
        const [ours, theirs] = yield* Effect.all([Effect.exit(accept), Effect.exit(connect)], { concurrency: 2 })
        assert.strictEqual(how(ours), `AlertSent ${reason}`)
        assert.strictEqual(how(theirs), `AlertReceived ${reason}`)
        assert.include(JSON.stringify(ours), "our list says so")
        assert.notInclude(JSON.stringify(theirs), "our list says so")
        assert.isTrue(Exit.isFailure(theirs))
      }
    }).pipe(Effect.scoped))
})
