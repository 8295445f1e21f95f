/** Which of several chains is shown: RFC 8446 sections 4.2.3, 4.4.2.2 and 4.4.2.3, RFC 5246 sections 7.4.2 and 7.4.4. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Identity, TlsTest, Trust } from "effect-tls"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
import type { Extension } from "../../src/message/Extension.ts"
import { encodeHandshake, type HandshakeMessage } from "../../src/message/HandshakeMessage.ts"
import { suites } from "../../src/secret/CipherSuite.ts"
import { SignatureScheme } from "../../src/wire/CodePoints.ts"
import { bytes, recordsOf } from "../connection/conversation.ts"
import { conversation, converse } from "../handshake13/conversation.ts"
import { plus, put, says } from "../handshake13/edits.ts"
import type { Script } from "../handshake13/stories.ts"
import { headerLength, makeRecord } from "../harness/TlsRecords.ts"
import * as Make from "../x509/Maker.ts"

const serverName = "www.server.test"
const names = { names: [Make.dns(serverName), Make.dns("server.test")] }
const rsaRoot = Make.authority("RSA root", undefined, { keys: Make.rsaKeys() })
const ecRoot = Make.authority("EC root")
const ecUnderRsa = Make.authority("EC under RSA", rsaRoot)
const sha384Root = Make.authority("EC root of SHA-384", undefined, {
  way: Make.wayOfHash("1.2.840.10045.4.3.3", "sha384")
})

const sha1Root = Make.authority("EC root of SHA-1", undefined, { way: Make.ecdsaSha1 })
const underSha1 = Make.authority("EC by SHA-1", ecRoot, { way: Make.ecdsaSha1 })
const identifiers = (own: number, issuer: number) => [
  Make.extension("2.5.29.14", false, Make.octets(Uint8Array.of(own))),
  Make.extension("2.5.29.35", false, Make.sequence(Make.tlv(0x80, Uint8Array.of(issuer))))
]
// Of an authority that certifies its next key: the name is the same, the key is not.
const renewed = Make.authority("EC root", ecRoot, { way: Make.ecdsaSha1, more: identifiers(2, 1) })
const identified = Make.authority("EC root", undefined, { way: Make.ecdsaSha1, more: identifiers(3, 3) })

// The keys of all the leaves are alike: how they are signed makes the difference.
const chains = {
  byRsa: [Make.leaf(rsaRoot, names)],
  byPss: [Make.leaf(rsaRoot, { ...names, way: Make.rsaPss("sha256") })],
  byEc: [Make.leaf(ecRoot, names)],
  byEcSha384: [Make.leaf(ecRoot, { ...names, way: Make.wayOfHash("1.2.840.10045.4.3.3", "sha384") })],
  bySha1: [Make.leaf(ecRoot, { ...names, way: Make.ecdsaSha1 })],
  byRsaSha1: [Make.leaf(rsaRoot, { ...names, way: Make.rsaOfHash(5, "sha1") })],
  byRsaMd5: [Make.leaf(rsaRoot, { ...names, way: Make.rsaOfHash(4, "md5") })],
  withIntermediateBySha1: [Make.leaf(underSha1, names), underSha1],
  withRenewedKeyBySha1: [Make.leaf(renewed, names), renewed],
  withIdentifiedRootBySha1: [Make.leaf(identified, names), identified],
  withRootBySha1: [Make.leaf(sha1Root, names), sha1Root],
  wildByEc: [Make.leaf(ecRoot, { names: [Make.dns("*.server.test")] })],
  withIntermediateByRsa: [Make.leaf(ecUnderRsa, names), ecUnderRsa],
  withRoot: [Make.leaf(sha384Root, names), sha384Root]
} satisfies Record<string, readonly [leaf: Make.Made, ...above: ReadonlyArray<Make.Made>]>
type Chain = keyof typeof chains

const identityOf = (shown: ReadonlyArray<Chain>) =>
  Identity.makePem(shown.map((chain) => {
    const [leaf] = chains[chain]
    const certificate = chains[chain].map(({ der }) =>
      `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString("base64")}\n-----END CERTIFICATE-----\n`
    )
    const privateKey = leaf.keys.privateKey.export({ format: "pem", type: "pkcs8" }).toString()
    return { certificate: certificate.join(""), privateKey }
  }))

const nameOf = (leaf: Uint8Array | undefined): string =>
  Object.entries(chains).find(([, [{ der }]]) => leaf !== undefined && Buffer.compare(der, leaf) === 0)?.[0] ?? "none"

const insecure = Effect.provide(Trust.Trust, Trust.layerInsecure)
const ecdsa = "ecdsa_secp256r1_sha256"

const rows: ReadonlyArray<
  readonly [what: string, own: ReadonlyArray<Chain>, schemes: ReadonlyArray<SignatureScheme>, expected: Chain]
> = [
  ["the first of two that it can verify", ["byRsa", "byEc"], [ecdsa, "rsa_pkcs1_sha256"], "byRsa"],
  ["one that it can verify before one that it cannot", ["byRsa", "byEc"], [ecdsa], "byEc"],
  ["PKCS#1 is not PSS", ["byPss", "byRsa"], [ecdsa, "rsa_pkcs1_sha256"], "byRsa"],
  ["nor is PSS PKCS#1", ["byRsa", "byPss"], [ecdsa, "rsa_pss_rsae_sha256"], "byPss"],
  ["the hash counts", ["byEcSha384", "byEc"], [ecdsa], "byEc"],
  ["an intermediate counts", ["withIntermediateByRsa", "byEc"], [ecdsa], "byEc"],
  ["a root that signs itself does not", ["withRoot", "byEc"], [ecdsa], "withRoot"],
  ["the first, where it can verify none", ["withIntermediateByRsa", "byRsa"], [ecdsa], "withIntermediateByRsa"],
  ["SHA-1 after all others", ["bySha1", "byRsa"], [ecdsa], "byRsa"]
]

for (const version of ["1.2", "1.3"] as const) {
  for (const role of ["server", "client"] as const) {
    describe(`TLS ${version}: a ${role} shows its peer`, () => {
      const shown = Effect.fnUntraced(
        function*(own: ReadonlyArray<Chain>, signatureSchemes: ReadonlyArray<SignatureScheme>) {
          const trust = yield* insecure
          const identity = yield* identityOf(own)
          const peer = { versions: [version], signatureSchemes }
          const pair = yield* TlsTest.pair({
            trust,
            identity: role === "server" ? identity : yield* identityOf(["byEc"]),
            client: role === "server" ? { ...peer, serverName } : { identity, serverName, versions: [version] },
            server: role === "server"
              ? { versions: [version] }
              : { ...peer, clientAuth: { mode: "request", trust } }
          })
          yield* pair.client.write(bytes("done"))
          yield* pair.server.pull
          return nameOf((role === "server" ? pair.client : pair.server).peerCertificates[0])
        },
        Effect.scoped,
        Effect.provide(NodePrimitives.layerPrimitives)
      )
      for (const [what, own, schemes, expected] of rows) {
        it.effect(
          what,
          () =>
            Effect.gen(function*() {
              assert.strictEqual(yield* shown(own, schemes), expected)
            })
        )
      }
      if (version === "1.2") {
        it.effect("SHA-1 and MD5, where there is no other", () =>
          Effect.gen(function*() {
            for (const chain of ["bySha1", "byRsaMd5"] as const) {
              assert.strictEqual(yield* shown([chain], [ecdsa]), chain)
            }
          }))
      }
      if (role === "server") {
        it.effect("a wildcard that it can verify before the very name that it cannot", () =>
          Effect.gen(function*() {
            assert.strictEqual(yield* shown(["byRsa", "wildByEc"], [ecdsa]), "wildByEc")
          }))
      }
    })
  }
}

const shownTo = (puppet: { readonly received: ReadonlyArray<HandshakeMessage> }) => {
  const shown = puppet.received.find((_) => _._tag === "Certificate13")
  return nameOf(shown?.entries[0]?.certificate)
}

describe("TLS 1.3: SHA-1 is shown only to who says that it takes it, and MD5 to nobody", () => {
  const all = [0x0101, 0x0201, 0x0203] as const
  const cases: ReadonlyArray<
    readonly [own: ReadonlyArray<Chain>, codes: ReadonlyArray<number>, expected: Chain | "none"]
  > = [
    [["bySha1"], [], "none"],
    [["bySha1"], [0x0201], "none"],
    [["bySha1"], [0x0203], "bySha1"],
    [["byRsaSha1"], [0x0203], "none"],
    [["byRsaSha1"], [0x0201], "byRsaSha1"],
    [["byRsaMd5"], all, "none"],
    [["bySha1", "byRsa"], all, "byRsa"],
    [["withIntermediateBySha1"], [], "none"],
    [["withIntermediateBySha1"], [0x0203], "withIntermediateBySha1"],
    [["withRenewedKeyBySha1"], [], "none"],
    [["withIdentifiedRootBySha1"], [], "withIdentifiedRootBySha1"],
    [["withRootBySha1"], [], "withRootBySha1"]
  ]
  for (const [own, codes, expected] of cases) {
    const schemes = [SignatureScheme[ecdsa], ...codes]
    const ways = {
      signature_algorithms: put({ _tag: "SignatureAlgorithms", schemes }),
      signature_algorithms_cert: plus({ _tag: "SignatureAlgorithmsCert", schemes })
    }
    for (const [extension, edit] of Object.entries(ways)) {
      const said = `${own.join(" and ")}, and ${extension} with [${codes.map((code) => code.toString(16)).join(" ")}]`
      conversation(`a server with ${said}: ${expected}`, (all) =>
        Effect.gen(function*() {
          const script: Script = { moves: { ClientHello: says(edit) } }
          const outcome = yield* converse({ ...all, server: yield* identityOf(own) }, { subject: "server", script })
          assert.deepStrictEqual([outcome.failure, shownTo(outcome.puppet)], [
            expected === "none" ? "AlertSent 40 NothingInCommon handshaking 1.3" : "clean",
            expected
          ])
        }))

      conversation(`a client with ${said}: ${expected}`, (all) =>
        Effect.gen(function*() {
          const script: Script = { asks: true, moves: { CertificateRequest: says(edit) } }
          const world = { ...all, client: yield* identityOf(own) }
          const outcome = yield* converse(world, { subject: "client", isKnown: true, script })
          assert.deepStrictEqual([outcome.failure, shownTo(outcome.puppet)], ["clean", expected])
        }))
    }
  }
})

describe("signature_algorithms_cert tells what is verified in certificates, and signature_algorithms nothing of it", () => {
  const extension = (...schemes: ReadonlyArray<SignatureScheme>): Extension => ({
    _tag: "SignatureAlgorithmsCert",
    schemes: [0x0201, ...schemes.map((scheme) => SignatureScheme[scheme])]
  })
  const cases: ReadonlyArray<readonly [what: string, extension: Extension, expected: Chain]> = [
    ["RSA, and the scheme of the handshake is ECDSA", extension("rsa_pkcs1_sha256"), "byRsa"],
    ["ECDSA", extension(ecdsa), "byEc"],
    ["nothing that is known here: the first", extension(), "byPss"]
  ]
  const own = ["byPss", "byEc", "byRsa"] as const

  for (const [what, extension, expected] of cases) {
    conversation(`TLS 1.3, to a server: ${what}`, (all) =>
      Effect.gen(function*() {
        const script: Script = { moves: { ClientHello: says(plus(extension)) } }
        const outcome = yield* converse({ ...all, server: yield* identityOf(own) }, { subject: "server", script })
        assert.deepStrictEqual([outcome.failure, shownTo(outcome.puppet)], ["clean", expected])
      }))

    conversation(`TLS 1.3, to a client: ${what}`, (all) =>
      Effect.gen(function*() {
        const script: Script = { asks: true, moves: { CertificateRequest: says(plus(extension)) } }
        const world = { ...all, client: yield* identityOf(own) }
        const outcome = yield* converse(world, { subject: "client", isKnown: true, script })
        assert.deepStrictEqual([outcome.failure, shownTo(outcome.puppet)], ["clean", expected])
      }))

    it.effect(`TLS 1.2, to a server: ${what}`, () =>
      Effect.gen(function*() {
        const { accept, wire } = yield* TlsTest.ends({
          identity: yield* identityOf(own),
          trust: yield* insecure,
          server: { versions: ["1.2"] }
        })
        const hello = encodeHandshake({
          _tag: "ClientHello",
          version: 0x0303,
          random: new Uint8Array(32).fill(1),
          sessionId: new Uint8Array(0),
          cipherSuites: suites.map(({ id }) => id),
          compressionMethods: [0],
          extensions: [
            { _tag: "SupportedGroups", groups: [29, 23] },
            { _tag: "SignatureAlgorithms", schemes: [SignatureScheme[ecdsa]] },
            { _tag: "ExtendedMasterSecret" },
            extension
          ]
        })
        yield* wire.inject({ from: "client", bytes: makeRecord(22, hello) })
        yield* wire.truncate({ from: "client", by: "fin" })
        yield* Effect.exit(Effect.scoped(accept))
        const flight = Buffer.concat((yield* recordsOf(wire, "server")).map((record) => record.subarray(headerLength)))
        assert.strictEqual(own.filter((chain) => flight.includes(Buffer.from(chains[chain][0].der))).join(), expected)
      }).pipe(Effect.scoped, Effect.provide(NodePrimitives.layerPrimitives)))
  }
})
