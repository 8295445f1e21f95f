/** OCSP responses that a server staples (RFC 6066 section 8, RFC 8446 section 4.4.2.1), with foreign peers on the other side. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { gnuTlsClient } from "../harness/GnuTls.ts"
import { nodeTlsClient } from "../harness/NodeTls.ts"
import { openSslClient } from "../harness/OpenSsl.ts"
import { peerSuite } from "../harness/PeerSuite.ts"
import { waitLimit } from "../harness/Watch.ts"
import * as Make from "../x509/Maker.ts"
import { gnuTlsPriority, type Version } from "./Names.ts"
import { ending, faultIn, ourClient, ourServer } from "./Ours.ts"
import { type Chain, chainFiles, good, identityOf, inner, leafOf, pem, root, trusting } from "./RefusalsChains.ts"
import { everyStaplingPeer } from "./RefusalsPeers.ts"

const [leaf] = good
const current = { thisUpdate: "2020-01-01T00:00:00Z", nextUpdate: "2040-01-01T00:00:00Z" }
const responder = Make.certificate({
  subject: "responder",
  issuer: inner,
  extensions: [Make.keyUsage("digitalSignature"), Make.extendedKeyUsage("1.3.6.1.5.5.7.3.9")]
})
const stranger = Make.authority("stranger")
const promising: Chain = [leafOf(inner, { more: [Make.mustStaple] }), inner]
const goodStaple = Make.staple(inner, leaf, current)

interface Row {
  readonly why: string
  readonly staple?: Uint8Array
  readonly chain?: Chain
  /** `require` by default */
  readonly revocation?: "require" | "if-present"
  /** None where the server is accepted. */
  readonly refusal?: readonly [number: number, fault: string]
}

const wrong = [113, "CertificateStatusWrong"] as const

const rows: ReadonlyArray<Row> = [
  { why: "a good one", staple: goodStaple },
  {
    why: "a good one of whom the issuer appointed",
    staple: Make.staple(inner, leaf, { ...current, signer: responder, certificates: [responder.der] })
  },
  {
    why: "one that says revoked",
    staple: Make.staple(inner, leaf, { ...current, status: "revoked" }),
    refusal: [44, "CertificateRevoked"]
  },
  {
    why: "one that says revoked, where none is required",
    staple: Make.staple(inner, leaf, { ...current, status: "revoked" }),
    revocation: "if-present",
    refusal: [44, "CertificateRevoked"]
  },
  {
    why: "one that does not know the certificate",
    staple: Make.staple(inner, leaf, { ...current, status: "unknown" }),
    refusal: wrong
  },
  {
    why: "a stale one",
    staple: Make.staple(inner, leaf, { ...current, nextUpdate: "2021-01-01T00:00:00Z" }),
    refusal: wrong
  },
  {
    why: "one from the future",
    staple: Make.staple(inner, leaf, { thisUpdate: "2039-01-01T00:00:00Z", nextUpdate: "2040-01-01T00:00:00Z" }),
    refusal: wrong
  },
  { why: "one about another certificate", staple: Make.staple(inner, leafOf(inner), current), refusal: wrong },
  {
    why: "one that a stranger signed",
    staple: Make.staple(inner, leaf, { ...current, signer: stranger }),
    refusal: wrong
  },
  {
    why: "one that a stranger signed, where none is required",
    staple: Make.staple(inner, leaf, { ...current, signer: stranger }),
    revocation: "if-present",
    refusal: wrong
  },
  { why: "none, where one is required", refusal: wrong },
  { why: "none, where none is required", revocation: "if-present" },
  { why: "none, where the certificate promises one", chain: promising, revocation: "if-present", refusal: wrong },
  {
    why: "what the certificate promises",
    chain: promising,
    revocation: "if-present",
    staple: Make.staple(inner, promising[0], current)
  }
]

everyStaplingPeer("what our client says to a staple", (peer, it, version) => {
  it.live.each(rows)(
    "$why",
    ({ chain = good, refusal, revocation = "require", staple }) =>
      Effect.gen(function*() {
        const server = yield* peer.server(version, chain, staple)
        const exit = yield* Effect.exit(
          ourClient({ version, port: server.port, trust: yield* trusting({ revocation }) })
        )
        if (refusal === undefined) return assert.strictEqual(ending(exit), "success")
        const [number, fault] = refusal
        assert.strictEqual(faultIn(exit), fault)
        assert.strictEqual(yield* server.sawAlert, number)
      })
  )
})

const versions = ["1.2", "1.3"] as const
const openSslVersion = { "1.2": "-tls1_2", "1.3": "-tls1_3" } as const

const stapling = (version: Version) =>
  Effect.gen(function*() {
    const server = yield* ourServer({ version, identity: yield* identityOf(good, goodStaple) })
    return { port: server.port, files: yield* chainFiles(good) }
  })

for (const version of versions) {
  peerSuite("openssl", (it) => {
    const handshake = (...extra: ReadonlyArray<string>) =>
      Effect.gen(function*() {
        const { files, port } = yield* stapling(version)
        const client = yield* openSslClient({
          version: openSslVersion[version],
          port,
          caFile: files.root,
          extra: ["-trace", ...extra]
        })
        yield* client.endInput
        assert.strictEqual(yield* client.exit, 0, client.output)
        return client.stdout
      })

    it.live("a client that asks gets it", () =>
      Effect.gen(function*() {
        const output = yield* handshake("-status")
        assert.match(output, /OCSP Response Status: successful/)
        assert.match(output, /Cert Status: good/)
        assert.strictEqual(/CertificateStatus, Length=/.test(output), version === "1.2")
      }))

    it.live("a client that does not ask gets none", () =>
      Effect.gen(function*() {
        const output = yield* handshake()
        assert.match(output, /Certificate, Length=/)
        assert.notMatch(output, /CertificateStatus|status_request/)
      }))
  }, `what our server staples: openssl, TLS ${version}`)

  peerSuite("gnutls-cli", (it) => {
    it.live("a client that asks gets it", () =>
      Effect.gen(function*() {
        const { files, port } = yield* stapling(version)
        const saved = join(files.directory, "saved.der")
        const client = yield* gnuTlsClient({
          port,
          caFile: files.root,
          priority: gnuTlsPriority({ version }),
          // It verifies the response, and takes no connection without.
          extra: ["--ocsp", "--save-ocsp", saved]
        })
        yield* client.endInput
        assert.strictEqual(yield* client.exit, 0, client.output)
        const told = yield* Effect.promise(() => readFile(saved))
        assert.deepStrictEqual(new Uint8Array(told), goodStaple)
      }))
  }, `what our server staples: gnutls, TLS ${version}`)

  describe(`what our server staples: node:tls, TLS ${version}`, { timeout: waitLimit * 3 }, () => {
    it.live("a client that asks gets it", () =>
      Effect.gen(function*() {
        const { port } = yield* stapling(version)
        const client = yield* nodeTlsClient({
          port,
          ca: pem([root]),
          requestOCSP: true,
          minVersion: `TLSv${version}`,
          maxVersion: `TLSv${version}`
        })
        let told: Buffer | undefined
        client.socket.once("OCSPResponse", (response) => {
          told = response
        })
        yield* client.secured
        assert.deepStrictEqual(new Uint8Array(told ?? []), goodStaple)
      }))
  })
}
