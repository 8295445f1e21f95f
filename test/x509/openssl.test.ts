/** Chains made by `openssl`, judged by it and by us: the same, each for its reason. */
import { assert } from "@effect/vitest"
import { afterAll } from "vitest"
import type { Peer } from "../../src/x509/Rules.ts"
import { availability } from "../harness/Availability.ts"
import { peerSuite } from "../harness/PeerSuite.ts"
import * as Make from "./Maker.ts"
import { authority, OpenSslCa, type Order } from "./OpenSslCa.ts"

const names = "subjectAltName = DNS:host.example,DNS:*.wild.example,IP:192.0.2.1,IP:2001:db8::1"
const server = [
  "basicConstraints = critical,CA:FALSE",
  "keyUsage = critical,digitalSignature",
  "extendedKeyUsage = serverAuth",
  names
]
const without = (part: string): ReadonlyArray<string> => server.filter((line) => !line.startsWith(part))
const host = (name: string): readonly [Peer, ReadonlyArray<string>] => [
  { role: "server", host: name },
  ["-purpose", "sslserver", "-verify_hostname", name]
]
const ip = (address: string): readonly [Peer, ReadonlyArray<string>] => [
  { role: "server", address },
  ["-purpose", "sslserver", "-verify_ip", address]
]
const client: readonly [Peer, ReadonlyArray<string>] = [{ role: "client" }, ["-purpose", "sslclient"]]

interface Row {
  readonly verdict: string
  /** The leaf; its issuer is `int` unless it says another. */
  readonly leaf?: Partial<Order>
  readonly int?: Partial<Order>
  readonly root?: Partial<Order>
  readonly peer?: readonly [Peer, ReadonlyArray<string>]
  readonly trusted?: ReadonlyArray<"root" | "int" | "leaf">
  readonly sent?: ReadonlyArray<"int" | "root">
}

const constraints = (line: string): Pick<Order, "extensions"> => ({
  extensions: [...authority, `nameConstraints = critical,${line}`]
})
const pss = { signature: ["rsa_padding_mode:pss", "rsa_pss_saltlen:digest"] }
const self: Partial<Order> = { issuer: "leaf" }

const rows: Readonly<Record<string, Row>> = {
  "good": { verdict: "ok" },
  "RSA-2048": { verdict: "ok", leaf: { kind: "RSA-2048" }, int: { kind: "RSA-2048" }, root: { kind: "RSA-2048" } },
  "P-384": { verdict: "ok", leaf: { kind: "P-384" }, int: { kind: "P-384" }, root: { kind: "P-384", hash: "sha384" } },
  "RSASSA-PSS": { verdict: "ok", leaf: pss, int: { kind: "RSA-2048", ...pss }, root: { kind: "RSA-2048" } },
  "Ed25519": { verdict: "ok", int: { hash: "default" }, leaf: { hash: "sha256" }, root: { kind: "Ed25519" } },
  "a wildcard": { verdict: "ok", peer: host("a.wild.example") },
  "an address": { verdict: "ok", peer: ip("192.0.2.1") },
  "an IPv6 address": { verdict: "ok", peer: ip("2001:db8::1") },
  "the intermediate trusted": { verdict: "ok", trusted: ["int"], sent: [] },
  "expired": { verdict: "CertificateExpired 0", leaf: { to: "20210101000000Z" } },
  "not yet valid": { verdict: "CertificateNotYetValid 0", leaf: { from: "20390101000000Z" } },
  "an intermediate that expired": { verdict: "CertificateExpired 1", int: { to: "20210101000000Z" } },
  "a root that expired": { verdict: "CertificateExpired 2", root: { to: "20210101000000Z" } },
  "wrong host": { verdict: "CertificateNameMismatch", peer: host("other.example") },
  "wrong host, two labels for one": { verdict: "CertificateNameMismatch", peer: host("a.b.wild.example") },
  "wrong address": { verdict: "CertificateNameMismatch", peer: ip("192.0.2.2") },
  "untrusted": { verdict: "CertificateUntrusted 1", trusted: [] },
  "no intermediate": { verdict: "CertificateUntrusted 0", sent: [] },
  "self-signed": { verdict: "CertificateUntrusted 0", leaf: self },
  "self-signed and trusted": { verdict: "ok", leaf: self, trusted: ["leaf"] },
  "bad extended key usage": {
    verdict: "CertificateUsageWrong 0",
    leaf: { extensions: [...without("extended"), "extendedKeyUsage = clientAuth"] }
  },
  "bad extended key usage of an authority": {
    verdict: "CertificateUsageWrong 1",
    int: { extensions: [...authority, "extendedKeyUsage = clientAuth"] }
  },
  "no extended key usage": { verdict: "ok", leaf: { extensions: without("extended") } },
  "bad key usage": {
    verdict: "CertificateUsageWrong 0",
    leaf: { extensions: [...without("keyUsage"), "keyUsage = critical,dataEncipherment"] }
  },
  "bad key usage of an authority": {
    verdict: "CertificateIssuerUnfit 1",
    int: { extensions: ["basicConstraints = critical,CA:TRUE", "keyUsage = critical,cRLSign"] }
  },
  "no authority": {
    verdict: "CertificateIssuerUnfit 1",
    int: { extensions: ["basicConstraints = critical,CA:FALSE"] }
  },
  "too long a path": {
    verdict: "CertificateIssuerUnfit 2",
    root: { extensions: ["basicConstraints = critical,CA:TRUE,pathlen:0", "keyUsage = critical,keyCertSign"] }
  },
  "inside name constraints": {
    verdict: "ok",
    int: constraints("permitted;DNS:example,permitted;IP:0.0.0.0/0.0.0.0,permitted;IP:::/::")
  },
  "outside name constraints": {
    verdict: "CertificateNameForbidden 0",
    int: constraints("permitted;DNS:other.example")
  },
  "excluded by name constraints": {
    verdict: "CertificateNameForbidden 0",
    root: constraints("excluded;DNS:host.example")
  },
  "an excluded address": {
    verdict: "CertificateNameForbidden 0",
    root: constraints("excluded;IP:192.0.2.0/255.255.255.0")
  },
  "weak key": { verdict: "CertificateKeyWeak 0", leaf: { kind: "RSA-1024" } },
  "weak key of an authority": { verdict: "CertificateKeyWeak 1", int: { kind: "RSA-1024" } },
  "SHA-1": { verdict: "CertificateSignatureWeak 0", leaf: { hash: "sha1" } },
  "SHA-1 in the self-signature of the root": { verdict: "ok", root: { hash: "sha1" } },
  "unknown critical extension": {
    verdict: "CertificateExtensionUnknown 0",
    leaf: { extensions: [...server, "1.2.3.4 = critical,DER:0500"] }
  },
  "unknown extension": { verdict: "ok", leaf: { extensions: [...server, "1.2.3.4 = DER:0500"] } },
  "client": {
    verdict: "ok",
    peer: client,
    leaf: { extensions: [...without("extended"), "extendedKeyUsage = clientAuth"] }
  },
  "client with a certificate of a server": { verdict: "CertificateUsageWrong 0", peer: client }
}

peerSuite("openssl", (it) => {
  if (!availability.has("openssl")) return
  const pki = new OpenSslCa()
  afterAll(() => pki.close())
  it.each(Object.entries(rows))("%s", (what, row) => {
    const prefix = what.replaceAll(/[^a-zA-Z0-9]/g, "_")
    const named = (part: string) => `${prefix}.${part}`
    pki.issue({ extensions: authority, ...row.root, name: named("root") })
    pki.issue({ extensions: authority, ...row.int, name: named("int"), issuer: named("root") })
    const { issuer, ...leaf } = { issuer: "int", ...row.leaf }
    pki.issue({
      extensions: server,
      ...leaf,
      name: named("leaf"),
      ...(issuer === "leaf" ? {} : { issuer: named(issuer) })
    })
    const [peer, options] = row.peer ?? host("host.example")
    const trusted = (row.trusted ?? ["root"]).map(named)
    const sent = (row.sent ?? ["int"]).map(named)
    const ours = Make.verdictOf({
      chain: [named("leaf"), ...sent].map((name) => ({ der: pki.der(name) })),
      anchors: trusted.map((name) => ({ der: pki.der(name) })),
      peer,
      now: Date.now()
    })
    assert.strictEqual(ours, row.verdict)
    assert.strictEqual(pki.verifies(named("leaf"), { trusted, untrusted: sent, options }), row.verdict === "ok")
  })

  it("revoked by a list, and by a stapled response", () => {
    const root = pki.issue({ name: "r.root", extensions: authority })
    const responder = [
      "basicConstraints = critical,CA:FALSE",
      "keyUsage = digitalSignature",
      "extendedKeyUsage = OCSPSigning"
    ]
    pki.issue({ name: "r.responder", issuer: "r.root", extensions: responder })
    const leaves = ["r.good", "r.revoked"].map((name) => pki.issue({ name, issuer: "r.root", extensions: server }))
    pki.revoke("r.revoked", "r.root")
    const list = pki.list("r.root")
    const now = Date.now() + 1000
    for (const [i, name] of ["r.good", "r.revoked"].entries()) {
      const isGood = name === "r.good"
      const verdict = isGood ? "ok" : "CertificateRevoked 0"
      const trial = { chain: [{ der: leaves[i] ?? root }], anchors: [{ der: root }] }
      assert.strictEqual(Make.verdictOf({ ...trial, now, crls: [list] }), verdict)
      assert.strictEqual(
        pki.verifies(name, { trusted: ["r.root"], options: ["-crl_check", "-CRLfile", "r.root.crl"] }),
        isGood
      )
      for (const signer of ["r.root", "r.responder"]) {
        const stapled = pki.answer(name, "r.root", signer)
        const peer: Peer = { ...Make.host, status: { stapled } }
        assert.strictEqual(Make.verdictOf({ ...trial, now: Date.now() + 1000, peer }), verdict)
        assert.strictEqual(pki.findsGood(name, "r.root", "r.root"), isGood)
        // A week later the good answer is stale, and the other is as bad as ever.
        const later = Date.now() + 8 * 86_400_000
        assert.strictEqual(
          Make.verdictOf({ ...trial, now: later, peer }),
          isGood ? "CertificateStatusWrong" : "CertificateRevoked 0"
        )
      }
      const impostor = pki.answer(name, "r.root", "r.good")
      assert.strictEqual(
        Make.verdictOf({ ...trial, now, peer: { ...Make.host, status: { stapled: impostor } } }),
        "CertificateStatusWrong"
      )
      assert.isFalse(pki.findsGood(name, "r.root", "r.root"))
    }
  })
}, "chains made by openssl")
