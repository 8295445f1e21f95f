/** Identities of several certificates, of keys held elsewhere, and of keys that are renewed. */
import { generateKeyPairSync } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { createPrivateKey, sign } from "node:crypto"
import { Identity, type Primitives, TlsTest, Trust } from "effect-tls"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import { layer as keyService } from "../../docs/examples/signer.ts"
import { how } from "../connection/conversation.ts"
import * as Make from "../x509/Maker.ts"

type Test = (name: string, body: () => Effect.Effect<void, unknown, Primitives>) => void
const test: Test = (name, body) => it.effect(name, () => Effect.provide(body(), NodePrimitives.layerPrimitives))

const pem = (...ders: ReadonlyArray<Uint8Array>): string =>
  ders.map((der) => `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString("base64")}\n-----END CERTIFICATE-----\n`)
    .join("")
const keyPem = (made: Make.Made): string => made.keys.privateKey.export({ format: "pem", type: "pkcs8" }).toString()
const optionsOf = (made: Make.Made, ...rest: ReadonlyArray<Make.Made>): Identity.PemOptions => ({
  certificate: pem(...[made, ...rest].map(({ der }) => der)),
  privateKey: keyPem(made)
})

const root = Make.authority("root")
const other = Make.authority("other root")
const inner = Make.authority("inner", other)
const named = (...names: ReadonlyArray<string>) => ({ names: names.map(Make.dns) })

const asked: Identity.IdentityRequest = {
  role: "server",
  version: "1.2",
  serverName: undefined,
  authentication: ["ecdsa", "rsa"],
  curves: undefined,
  signatureSchemes: ["ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256"]
}

describe("a choice of certificates", () => {
  const made: Readonly<Record<string, Make.Made>> = {
    first: Make.leaf(root, named("first.example")),
    wild: Make.leaf(root, named("*.wild.example")),
    exact: Make.leaf(root, named("exact.wild.example")),
    www: Make.leaf(root, named("www.example")),
    wwwRsa: Make.leaf(root, { ...named("www.example"), keys: Make.rsaKeys() }),
    big: Make.leaf(root, { ...named("big.example"), keys: Make.ecKey("P-384") }),
    deep: Make.leaf(inner, named("deep.example"))
  }
  const all = Object.values(made)

  const chosen = Effect.fnUntraced(function*(
    request: Partial<Identity.IdentityRequest>,
    choice: Identity.ChoiceOptions = {}
  ) {
    const identity = yield* Identity.makePem(
      all.map((one) => one === made["deep"] ? optionsOf(one, inner) : optionsOf(one)),
      choice
    )
    const selected = yield* Effect.result(identity.select({ ...asked, ...request }))
    if (Result.isFailure(selected)) return selected.failure._tag
    const leaf = Option.getOrUndefined(selected.success)?.chain[0]
    return Object.entries(made).find(([, { der }]) => leaf !== undefined && Buffer.compare(leaf, der) === 0)?.[0] ??
      "none"
  })

  const rows: ReadonlyArray<
    readonly [
      what: string,
      expected: string,
      request: Partial<Identity.IdentityRequest>,
      choice?: Identity.ChoiceOptions
    ]
  > = [
    ["no name", "first", {}],
    ["a name", "first", { serverName: "first.example" }],
    ["a name in another case", "www", { serverName: "WWW.Example" }],
    ["an exact name before a wildcard", "exact", { serverName: "exact.wild.example" }],
    ["a wildcard", "wild", { serverName: "one.wild.example" }],
    ["a wildcard, which is one label", "first", { serverName: "two.labels.wild.example" }],
    ["a name and the key that the peer can verify", "wwwRsa", { serverName: "www.example", authentication: ["rsa"] }],
    ["the same by its signature schemes", "wwwRsa", {
      serverName: "www.example",
      signatureSchemes: ["rsa_pss_rsae_sha256"]
    }],
    ["a key that the peer can verify", "wwwRsa", { authentication: ["rsa"] }],
    ["a curve", "big", { serverName: "big.example", curves: ["secp384r1"] }],
    ["no certificate for the name that the peer can verify", "none", {
      serverName: "big.example",
      curves: ["secp256r1"]
    }],
    ["nothing in common", "none", { authentication: [] }],
    ["an unknown name", "first", { serverName: "elsewhere.test" }],
    ["an unknown name, refused", "ServerNameUnrecognized", { serverName: "elsewhere.test" }, { unknownName: "refuse" }],
    ["no host name, refused", "ServerNameUnrecognized", { serverName: "192.0.2.1" }, { unknownName: "refuse" }],
    ["no name, where unknown ones are refused", "first", {}, { unknownName: "refuse" }],
    ["a client without a request for authorities", "first", { role: "client" }],
    ["a client, by the issuer of the leaf", "deep", { role: "client", authorities: [inner.subject] }],
    ["a client, by the issuer of the chain", "deep", { role: "client", authorities: [other.subject] }],
    ["a client, with none of the authorities", "first", { role: "client", authorities: [Make.name([])] }]
  ]
  for (const [what, expected, request, choice] of rows) {
    test(`${what}: ${expected}`, () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* chosen(request, choice), expected)
      }))
  }

  test("in a handshake: each name gets its certificate, and an unknown one its alert", () =>
    Effect.gen(function*() {
      const trust = yield* Effect.provide(Trust.Trust, Trust.layerInsecure)
      const identity = yield* Identity.makePem(all.map((one) => optionsOf(one)), { unknownName: "refuse" })
      for (const name of ["first", "wild", "www", "big"]) {
        const { client } = yield* TlsTest.pair({
          identity,
          trust,
          client: { serverName: name === "wild" ? "x.wild.example" : `${name}.example` }
        })
        assert.deepStrictEqual(client.peerCertificates[0], made[name]?.der)
      }
      const { accept, connect } = yield* TlsTest.ends({ identity, trust, client: { serverName: "elsewhere.test" } })
      const [ours, theirs] = yield* Effect.all([Effect.exit(accept), Effect.exit(connect)], { concurrency: 2 })
      assert.deepStrictEqual([how(ours), how(theirs)], ["AlertSent UnrecognizedName", "AlertReceived UnrecognizedName"])
    }).pipe(Effect.scoped))

  test("a server's request names authorities, and the client shows the certificate of one of them", () =>
    Effect.gen(function*() {
      // Ours names none; this is what a client makes of one that does.
      const identity = yield* Identity.makePem([optionsOf(Make.leaf(root)), optionsOf(Make.leaf(other))])
      const [one, two] = yield* Effect.forEach(
        [root, other],
        ({ subject }) =>
          Effect.map(identity.select({ ...asked, role: "client", authorities: [subject] }), Option.getOrThrow)
      )
      assert.notDeepEqual(one?.chain, two?.chain)
    }))
})

describe("a key that is held elsewhere", () => {
  const leaf = Make.leaf(root, named("server.test"))
  const key = createPrivateKey(keyPem(leaf))
  const serve = (layer: ReturnType<typeof Identity.layerSigner>) =>
    Effect.gen(function*() {
      const identity = yield* Effect.provide(Identity.Identity, layer)
      const trust = yield* Effect.provide(Trust.Trust, Trust.layerInsecure)
      const { accept, connect } = yield* TlsTest.ends({ identity, trust })
      return yield* Effect.all([Effect.exit(accept), Effect.exit(connect)], { concurrency: 2 })
    }).pipe(Effect.scoped)
  const signer = (sign: Identity.SignerOptions["sign"]) => Identity.layerSigner({ certificate: pem(leaf.der), sign })

  test("signs the handshake", () =>
    Effect.gen(function*() {
      const exits = yield* serve(signer((_, message) => Effect.sync(() => sign("sha256", message, key))))
      assert.deepStrictEqual(exits.map(how), ["success", "success"])
    }))

  test("the example: a service that signs hashes", () =>
    Effect.gen(function*() {
      const asked: Array<string> = []
      const answers = (signature: Uint8Array) =>
        keyService(pem(leaf.der), {
          sign: (algorithm, digest) => {
            asked.push(`${algorithm} ${digest.length}`)
            return Promise.resolve(signature)
          }
        })
      const exits = yield* serve(answers(new Uint8Array(70)))
      assert.deepStrictEqual(asked, ["ECDSA_SHA_256 32"])
      // What it answered is no signature.
      assert.deepStrictEqual(exits.map(how), ["AlertSent InternalError", "AlertReceived InternalError"])
    }))

  const stranger = Make.ecKey().privateKey
  const failing: Readonly<Record<string, Identity.SignerOptions["sign"]>> = {
    "fails": () => Effect.fail(new Identity.IdentityError({ why: "the module is gone" })),
    "signs with another key": (_, message) => Effect.sync(() => sign("sha256", message, stranger)),
    "signs something else": () => Effect.sync(() => sign("sha256", Buffer.from("else"), key))
  }
  for (const [what, signs] of Object.entries(failing)) {
    test(`one that ${what} ends the handshake here, and the peer hears internal_error`, () =>
      Effect.gen(function*() {
        const [ours, theirs] = yield* serve(signer(signs))
        assert.deepStrictEqual([how(ours), how(theirs)], ["AlertSent InternalError", "AlertReceived InternalError"])
        assert.include(
          JSON.stringify(ours),
          what === "fails" ? "the module is gone" : "is no signature of the certificate's key"
        )
      }))
  }

  test("a certificate with a key that is of no use is refused at once", () =>
    Effect.gen(function*() {
      const ed448 = Make.leaf(root, { keys: generateKeyPairSync("ed448") })
      const never = () => Effect.die("never asked")
      const error = yield* Effect.flip(Identity.fromSigner({ certificate: pem(ed448.der), sign: never }))
      assert.include(error.message, "is of a kind that is not used here")
    }))
})

describe("an identity that is loaded anew", () => {
  const generation = (name: string) => Identity.makePem(optionsOf(Make.leaf(root, named(name))))
  const shown = (identity: Identity.Identity["Service"]) =>
    Effect.map(identity.select(asked), (_) => Option.getOrThrow(_).chain[0])

  test("by a call; a reload that fails leaves it as it was", () =>
    Effect.gen(function*() {
      const generations = [yield* generation("one.example"), yield* generation("two.example")]
      let loads = 0
      const { identity, reload } = yield* Identity.makeReloading(Effect.suspend(() => {
        const next = generations[loads++]
        return next === undefined ? Effect.fail("no more" as const) : Effect.succeed(next)
      }))
      const [before, fingerprint] = [yield* shown(identity), identity.fingerprint]
      yield* reload
      const after = yield* shown(identity)
      assert.notDeepEqual(after, before)
      assert.notStrictEqual(identity.fingerprint, fingerprint)
      assert.strictEqual(yield* Effect.flip(reload), "no more")
      assert.deepStrictEqual(yield* shown(identity), after)
    }))

  test("by a stream; a failure is logged, and does not end it", () =>
    Effect.gen(function*() {
      const triggers = yield* Queue.unbounded<void>()
      const loaded = yield* Queue.unbounded<number>()
      let loads = 0
      const load = Effect.gen(function*() {
        const number = loads++
        yield* Queue.offer(loaded, number)
        return number === 1 ? yield* Effect.fail("unreadable") : yield* generation(`${number}.example`)
      })
      const logged = yield* Deferred.make<string>()
      const logger = Logger.make(({ message }) => void Deferred.doneUnsafe(logged, Effect.succeed(String(message))))
      yield* Effect.gen(function*() {
        const identity = yield* Identity.Identity
        const seen = [identity.fingerprint]
        for (const expected of [1, 2]) {
          yield* Queue.offer(triggers, undefined)
          while ((yield* Queue.take(loaded)) < expected);
        }
        // The value is set after what was taken: one more round proves it.
        yield* Queue.offer(triggers, undefined)
        while ((yield* Queue.take(loaded)) < 3);
        seen.push(identity.fingerprint)
        assert.strictEqual(new Set(seen).size, 2)
        assert.include(yield* Deferred.await(logged), "the identity could not be loaded anew, and stays as it was")
      }).pipe(
        Effect.provide(
          Identity.layerReloading(load, Stream.fromQueue(triggers)).pipe(Layer.provideMerge(Logger.layer([logger])))
        )
      )
    }))

  it.live("by its files: a renewed pair is used, half of one is not", () =>
    Effect.gen(function*() {
      const system = yield* FileSystem.FileSystem
      const folder = yield* system.makeTempDirectoryScoped()
      const files = { certificate: `${folder}/cert.pem`, privateKey: `${folder}/key.pem` }
      const write = (certificate: Make.Made, key: Make.Made) =>
        Effect.all([
          system.writeFileString(files.certificate, pem(certificate.der)),
          system.writeFileString(files.privateKey, keyPem(key))
        ])
      const [one, two] = [Make.leaf(root, named("one.example")), Make.leaf(root, named("two.example"))]
      yield* write(one, one)
      const logged = yield* Queue.unbounded<string>()
      const logger = Logger.make(({ message }) => void Queue.offerUnsafe(logged, String(message)))
      yield* Effect.gen(function*() {
        const identity = yield* Identity.Identity
        assert.deepStrictEqual(yield* shown(identity), one.der)
        yield* system.writeFileString(files.certificate, pem(two.der))
        // The certificate is new and the key is not: said, and left.
        assert.include(yield* Queue.take(logged), "stays as it was")
        assert.deepStrictEqual(yield* shown(identity), one.der)
        yield* system.writeFileString(files.privateKey, keyPem(two))
        const renewed = yield* shown(identity).pipe(
          Effect.repeat({
            until: (der) => der !== undefined && Buffer.compare(der, two.der) === 0,
            schedule: Schedule.spaced("20 millis")
          })
        )
        assert.deepStrictEqual(renewed, two.der)
      }).pipe(
        Effect.provide(Identity.layerPemFiles(files).pipe(Layer.provideMerge(Logger.layer([logger]))))
      )
    }).pipe(Effect.scoped, Effect.provide(Layer.merge(NodeFileSystem.layer, NodePrimitives.layerPrimitives))))

  it.live("files that are not there are told at once", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(
        Effect.provide(
          Identity.Identity,
          Identity.layerPemFiles({ certificate: "nowhere/cert.pem", privateKey: "nowhere/key.pem" })
        )
      )
      assert.strictEqual(error._tag, "PlatformError")
    }).pipe(Effect.provide(Layer.merge(NodeFileSystem.layer, NodePrimitives.layerPrimitives))))
})
