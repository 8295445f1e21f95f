/** Each refusal of a certificate in a handshake: the alert leaves, the peer hears it, and the fault stays here. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { TestClock } from "effect/testing"
import { Identity, type TlsError, TlsTest, Trust } from "effect-tls"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import { how } from "../connection/conversation.ts"
import * as Make from "./Maker.ts"

const root = Make.authority("root")
const inner = Make.authority("inner", root)
const narrow = Make.authority("narrow", root, {
  more: [Make.nameConstraints({ excluded: [Make.dns("host.example")] })]
})
const childless = Make.authority("childless", root, { extensions: [Make.basicConstraints(true, 0)] })
const grandchild = Make.authority("grandchild", childless)
const leafOf = (issuer: Pick<Make.Made, "keys" | "subject">, order: Parameters<typeof Make.leaf>[1] = {}) =>
  Make.leaf(issuer, { more: [], ...order, extensions: order.extensions ?? extensionsOf(order.more ?? []) })
/** Good for servers and clients alike. */
const extensionsOf = (more: ReadonlyArray<Uint8Array>) => [
  Make.keyUsage("digitalSignature"),
  Make.subjectAltName([Make.dns("host.example")]),
  ...more
]

const good = leafOf(inner)
const revoked = leafOf(inner)
const crls = [Make.crl(root, []), Make.crl(inner, [revoked.serial])]

interface Row {
  readonly alert: string
  readonly chain: () => ReadonlyArray<Make.Made>
  readonly options?: Omit<Trust.AnchorOptions, "anchors">
}

const rows: Readonly<Record<string, Row>> = {
  CertificateMalformed: { alert: "BadCertificate", chain: () => [leafOf(inner, { serial: Make.integer(0) }), inner] },
  CertificateSignatureWrong: {
    alert: "BadCertificate",
    chain: () => [leafOf({ subject: inner.subject, keys: Make.ecKey() }), inner]
  },
  CertificateSignatureWeak: { alert: "BadCertificate", chain: () => [leafOf(inner, { way: Make.ecdsaSha1 }), inner] },
  CertificateIssuerUnfit: { alert: "BadCertificate", chain: () => [leafOf(grandchild), grandchild, childless] },
  CertificateUnsupported: {
    alert: "UnsupportedCertificate",
    chain: () => [leafOf(inner, { more: [Make.extension("2.5.29.36", false, Make.sequence())] }), inner]
  },
  CertificateKeyWeak: {
    alert: "UnsupportedCertificate",
    chain: () => {
      const weak = Make.authority("weak", root, { keys: Make.rsaKeys(1024) })
      return [leafOf(weak), weak]
    }
  },
  CertificateUsageWrong: {
    alert: "UnsupportedCertificate",
    chain: () => [leafOf(inner, { extensions: [Make.extendedKeyUsage("1.3.6.1.5.5.7.3.3")] }), inner]
  },
  CertificateExtensionUnknown: {
    alert: "UnsupportedCertificate",
    chain: () => [leafOf(inner, { more: [Make.extension("1.2.3.4", true, Make.sequence())] }), inner]
  },
  CertificateRevoked: { alert: "CertificateRevoked", chain: () => [revoked, inner], options: { crls } },
  CertificateExpired: {
    alert: "CertificateExpired",
    chain: () => [leafOf(inner, { notAfter: "2025-01-01T00:00:00Z" }), inner]
  },
  CertificateNotYetValid: {
    alert: "CertificateExpired",
    chain: () => [leafOf(inner, { notBefore: "2027-01-01T00:00:00Z" }), inner]
  },
  CertificateUntrusted: { alert: "UnknownCa", chain: () => [good] },
  CertificatePathTooLong: {
    alert: "UnknownCa",
    chain: () => [good, inner],
    options: { limits: { intermediates: 0 } }
  },
  CertificateNameForbidden: { alert: "CertificateUnknown", chain: () => [leafOf(narrow), narrow] },
  CertificateStatusUnknown: {
    alert: "CertificateUnknown",
    chain: () => [good, inner],
    options: { revocation: "require" }
  },
  CertificateTooCostly: {
    alert: "CertificateUnknown",
    chain: () => [good, inner],
    options: { limits: { signatures: 1 } }
  }
}

const pem = (ders: ReadonlyArray<Uint8Array>): string =>
  ders.map((der) => `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString("base64")}\n-----END CERTIFICATE-----\n`)
    .join("")

/** Shows any chain: what `Identity` itself would refuse, too. */
const showing = (chain: ReadonlyArray<Make.Made>) =>
  Effect.gen(function*() {
    const stand = Make.leaf(undefined, chain[0] === undefined ? {} : { keys: chain[0].keys })
    const identity = yield* Identity.makePem({
      certificate: pem([stand.der]),
      privateKey: stand.keys.privateKey.export({ format: "pem", type: "pkcs8" }).toString()
    })
    return Identity.Identity.of({
      fingerprint: "any",
      select: (request) =>
        Effect.map(
          identity.select(request),
          Option.map((credential) => ({ ...credential, chain: chain.map(({ der }) => der) }))
        )
    })
  })

/** How both sides end where `judging` is the side that does not like the chain of the other. */
const ends = (
  version: "1.2" | "1.3",
  judging: "client" | "server",
  chain: ReadonlyArray<Make.Made>,
  trust: Trust.Trust["Service"]
) =>
  Effect.gen(function*() {
    yield* TestClock.setTime(Make.now)
    const shown = yield* showing(chain)
    const insecure = yield* Effect.provide(Trust.Trust, Trust.layerInsecure)
    const options: TlsTest.Options = judging === "client"
      ? {
        identity: shown,
        trust,
        client: { serverName: "host.example", versions: [version] },
        server: { versions: [version] }
      }
      : {
        identity: yield* showing([good, inner]),
        trust: insecure,
        // In TLS 1.3 the client is open before the server has judged it.
        client: { serverName: "host.example", identity: shown, versions: [version], awaitPeerVerdict: "1 second" },
        server: { clientAuth: { mode: "require", trust }, versions: [version] }
      }
    const { accept, connect } = yield* TlsTest.ends(options)
    const [client, server] = yield* Effect.all([Effect.exit(connect), Effect.exit(accept)], { concurrency: 2 })
    return judging === "client" ? { ours: client, theirs: server } : { ours: server, theirs: client }
  }).pipe(Effect.scoped)

const faultOf = (exit: Exit.Exit<unknown, TlsError.TlsError>): string => {
  const error = exit._tag === "Failure" ? exit.cause.reasons.find(Cause.isFailReason)?.error : undefined
  return error?._tag === "AlertSent" ? error.fault._tag : "none"
}

const sides = (["1.2", "1.3"] as const).flatMap((version) =>
  (["client", "server"] as const).map((judging) => ({ version, judging, title: `TLS ${version}: a ${judging}` }))
)

/** A client asks for the status, so that it is the staple that is missing. */
const statusMissing = { tag: "CertificateStatusWrong", alert: "BadCertificateStatusResponse" }

describe("R5246-7.2.2-20: each refusal of a certificate has its alert on the wire", () => {
  for (const { judging, title, version } of sides) {
    it.effect(`${title} accepts a good chain`, () =>
      Effect.gen(function*() {
        const trust = yield* Effect.provide(Trust.Trust, Trust.layerAnchors({ anchors: [root.der], crls }))
        const { ours, theirs } = yield* ends(version, judging, [good, inner], trust)
        assert.deepStrictEqual([how(ours), how(theirs)], ["success", "success"])
      }).pipe(Effect.provide(NodePrimitives.layerPrimitives)))

    for (const [name, { alert: usual, chain, options }] of Object.entries(rows)) {
      const isStatus = name === "CertificateStatusUnknown" && judging === "client"
      const { alert, tag } = isStatus ? statusMissing : { alert: usual, tag: name }
      it.effect(`${title} answers ${tag} with ${alert}`, () =>
        Effect.gen(function*() {
          const trust = yield* Effect.provide(
            Trust.Trust,
            Trust.layerAnchors({ anchors: [root.der], crls: [], ...options })
          )
          const { ours, theirs } = yield* ends(version, judging, chain(), trust)
          assert.strictEqual(faultOf(ours), tag)
          assert.deepStrictEqual([how(ours), how(theirs)], [`AlertSent ${alert}`, `AlertReceived ${alert}`])
        }).pipe(Effect.provide(NodePrimitives.layerPrimitives)))
    }

    it.effect(`${title} answers CertificateNotPinned with CertificateUnknown`, () =>
      Effect.gen(function*() {
        const trust = yield* Effect.provide(Trust.Trust, Trust.layerPinned({ spkiSha256: [new Uint8Array(32)] }))
        const { ours, theirs } = yield* ends(version, judging, [good], trust)
        assert.strictEqual(faultOf(ours), "CertificateNotPinned")
        assert.strictEqual(how(theirs), "AlertReceived CertificateUnknown")
      }).pipe(Effect.provide(NodePrimitives.layerPrimitives)))
  }

  it.effect("a client answers a name that is not its server's with CertificateUnknown", () =>
    Effect.gen(function*() {
      const trust = yield* Effect.provide(Trust.Trust, Trust.layerAnchors({ anchors: [root.der] }))
      const elsewhere = leafOf(inner, { extensions: [Make.subjectAltName([Make.dns("elsewhere.example")])] })
      const { ours, theirs } = yield* ends("1.3", "client", [elsewhere, inner], trust)
      assert.strictEqual(faultOf(ours), "CertificateNameMismatch")
      assert.strictEqual(how(theirs), "AlertReceived CertificateUnknown")
    }).pipe(Effect.provide(NodePrimitives.layerPrimitives)))
})
