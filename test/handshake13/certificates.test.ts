/** Certificate, CertificateRequest, CertificateVerify and Finished: RFC 8446 sections 4.3.2, 4.4.2 to 4.4.4. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { Identity, Trust } from "effect-tls"
import type { Credential } from "../../src/service/Identity.ts"
import { SignatureScheme } from "../../src/wire/CodePoints.ts"
import { type LeafName, testCredential, testPki } from "../harness/Pki.ts"
import { flipBits } from "../harness/TlsRecords.ts"
import { accepts, conversation, converse, refuses, type Row, type Setting } from "./conversation.ts"
import { put, says, without } from "./edits.ts"
import type { Puppet, Side } from "./puppet.ts"
import type { Said, Script } from "./stories.ts"
import { credentialOf, trusting } from "./world.ts"

const verify = (edit: Parameters<typeof says<Said["CertificateVerify"]>>[0]): Script => ({
  moves: { CertificateVerify: says(edit) }
})
const flipped = (bytes: Uint8Array, at = -1) => flipBits(bytes, at)
const asking = { asks: "request" } as const
const requiring = { asks: "require" } as const

/** What each side has to say of the other: a client of the server, a server of a client that it asked. */
const sides: ReadonlyArray<readonly [subject: Side, setting: NonNullable<Row[2]>]> = [["client", {}], [
  "server",
  asking
]]

for (const [subject, setting] of sides) {
  const row = (what: string, script: Script, words = "") => [what, script, setting, words] as const
  const claiming = (scheme: number) =>
    row(`0x${scheme.toString(16)}`, verify((_) => ({ ..._, signatureScheme: scheme })), "algorithm")

  refuses(
    `R8446-4.4.3-02: to the ${subject}, a scheme that was not offered, does not fit the key, or is not for TLS 1.3`,
    subject,
    "47 ParameterIllegal",
    [
      SignatureScheme.rsa_pkcs1_sha256,
      SignatureScheme.rsa_pkcs1_sha512,
      0x0201,
      0x0203,
      SignatureScheme.ecdsa_secp384r1_sha384,
      SignatureScheme.ecdsa_secp521r1_sha512,
      SignatureScheme.ed25519,
      SignatureScheme.rsa_pss_rsae_sha256,
      0x0809,
      0x081a,
      0x4a4a,
      0
    ].map(claiming)
  )

  refuses(
    `R8446-4.4.3-01, R8446-6.2-21: to the ${subject}, a signature that does not verify`,
    subject,
    "51 SignatureWrong",
    [
      row("a bit is turned", verify((_) => ({ ..._, signature: flipped(_.signature) }))),
      row("it is cut", verify((_) => ({ ..._, signature: _.signature.slice(0, -1) }))),
      row("it is empty", verify((_) => ({ ..._, signature: new Uint8Array(0) })))
    ]
  )

  refuses(`R8446-4.4.4-01: to the ${subject}, a Finished that does not verify`, subject, "51 FinishedWrong", [
    row("the first bit", { moves: { Finished: says((_) => ({ ..._, verifyData: flipped(_.verifyData, 0) })) } }),
    row("the last bit", { moves: { Finished: says((_) => ({ ..._, verifyData: flipped(_.verifyData) })) } }),
    row("zeros", { moves: { Finished: says((_) => ({ ..._, verifyData: new Uint8Array(32) })) } })
  ])

  refuses(
    `R8446-4.4.4-01, R8446-6-11: to the ${subject}, a Finished of another length`,
    subject,
    "50 MessageMalformed",
    [0, 12, 31, 33, 48].map((length) =>
      row(
        `${length} bytes`,
        { moves: { Finished: says((_) => ({ ..._, verifyData: new Uint8Array(length) })) } },
        "verify_data"
      )
    )
  )

  refuses(`R8446-6-12: to the ${subject}, a certificate_request_context that is none`, subject, "47 ParameterIllegal", [
    row(
      "in Certificate",
      { moves: { Certificate: says((_) => ({ ..._, context: Uint8Array.of(1) })) } },
      "certificate_request_context"
    )
  ])

  refuses(`R8446-6.2-12: to the ${subject}, a certificate that is none`, subject, "42 CertificateMalformed", [
    row("no DER", {
      moves: {
        Certificate: says((_) => ({ ..._, entries: [{ certificate: Uint8Array.of(1, 2, 3), extensions: [] }] }))
      }
    })
  ])
}

refuses("R8446-4.4.2-02, R8446-4.4.2.4-01: a server without a certificate", "client", "50 MessageMalformed", [
  ["an empty list", { moves: { Certificate: says((_) => ({ ..._, entries: [] })) } }, {}, "certificate_list is empty"],
  ["an empty certificate", {
    moves: { Certificate: says((_) => ({ ..._, entries: [{ certificate: new Uint8Array(0), extensions: [] }] })) }
  }]
])

refuses(
  "R8446-4.4.2.4-02, R8446-6.2-32: a client without a certificate, where one is required",
  "server",
  "116 CertificateMissing",
  [
    ["an empty list", { isShy: true }, requiring]
  ]
)

accepts("R8446-4.4.2.4-02: a client without a certificate, where one is merely asked for", "server", [
  [
    "an empty list",
    { isShy: true },
    asking,
    ({ connection }) => assert.lengthOf(connection?.peerCertificates ?? [0], 0)
  ],
  [
    "and one with a certificate",
    {},
    asking,
    ({ connection }) => assert.lengthOf(connection?.peerCertificates ?? [], 1)
  ],
  ["and one with a certificate that is required", {}, requiring]
])

const requesting = (edit: Parameters<typeof says<Said["CertificateRequest"]>>[0]): Script => ({
  asks: true,
  moves: { CertificateRequest: says(edit) }
})

refuses("R8446-4.3.2-01: a CertificateRequest without signature_algorithms", "client", "109 ExtensionMissing", [
  [
    "without any, where another takes its place",
    requesting((_) => ({
      ..._,
      extensions: [{ _tag: "SignatureAlgorithmsCert", schemes: [0x0403] }]
    })),
    {},
    "signature_algorithms"
  ],
  ["without any at all", requesting(without("SignatureAlgorithms")), {}, "signature_algorithms"]
])

refuses("R8446-4.3.2-01: a CertificateRequest with a context, in a handshake", "client", "47 ParameterIllegal", [
  ["of one byte", requesting((_) => ({ ..._, context: Uint8Array.of(0) })), {}, "certificate_request_context"]
])

const shown = ({ puppet }: { readonly puppet: Puppet }) => puppet.received.find((_) => _._tag === "Certificate13")

accepts("what a client answers to a CertificateRequest", "client", [
  ["its certificate, and a scheme of the request", { asks: true }, { isKnown: true }, (outcome) => {
    assert.lengthOf(shown(outcome)?.entries ?? [], 1)
    const verify = outcome.puppet.received.find((_) => _._tag === "CertificateVerify")
    assert.strictEqual(verify?.signatureScheme, SignatureScheme.ecdsa_secp256r1_sha256)
  }],
  [
    "an empty list, where it has none",
    { asks: true },
    {},
    (outcome) => assert.deepStrictEqual(shown(outcome)?.entries, [])
  ],
  [
    "an empty list, where its key makes none of the schemes",
    requesting(put({ _tag: "SignatureAlgorithms", schemes: [0x0804, 0x0807] })),
    {
      isKnown: true
    },
    (outcome) => assert.deepStrictEqual(shown(outcome)?.entries, [])
  ],
  [
    "an empty list, where it knows none of the schemes",
    requesting(put({ _tag: "SignatureAlgorithms", schemes: [0x4a4a, 0x0201] })),
    {
      isKnown: true
    },
    (outcome) => assert.deepStrictEqual(shown(outcome)?.entries, [])
  ]
])

for (const [subject, setting] of sides) {
  refuses(`R8446-4.4.3-01: to the ${subject}, a signature of its own kind`, subject, "51 SignatureWrong", [
    ["over the text of the other side", { signer: subject }, setting]
  ])
}

/** A server, or a client, with a certificate of the test PKI. */
const showing = (name: LeafName, subject: Side) =>
  Effect.gen(function*() {
    const { certificatePem, privateKeyPem } = yield* testCredential(name)
    const made = yield* Effect.orDie(Identity.makePem({ certificate: certificatePem, privateKey: privateKeyPem }))
    return yield* credentialOf(made, subject === "client" ? "server" : "client")
  })

const schemes: { readonly [Type in Credential["keyType"]]: SignatureScheme } = {
  "ec-p256": "ecdsa_secp256r1_sha256",
  "ec-p384": "ecdsa_secp384r1_sha384",
  "ec-p521": "ecdsa_secp521r1_sha512",
  "rsa": "rsa_pss_rsae_sha256",
  "ed25519": "ed25519"
}

describe("R8446-4.4.2.2-01, R8446-4.4.2.4-03: a chain that is not acceptable gets an alert that says so", () => {
  const cases: ReadonlyArray<readonly [ids: string, name: LeafName, subject: Side, failure: string]> = [
    ["R8446-6.2-15", "expired", "client", "45 CertificateExpired"],
    ["R8446-6.2-15", "future", "client", "45 CertificateNotYetValid"],
    ["R8446-6.2-18", "untrusted", "client", "48 CertificateUntrusted"],
    ["R8446-6.2-18", "selfSigned", "client", "48 CertificateUntrusted"],
    ["R8446-6.2-16", "wrongHost", "client", "46 CertificateNameMismatch"],
    ["R8446-6.2-13", "client", "client", "43 CertificateUsageWrong"],
    ["R8446-6.2-15", "clientExpired", "server", "45 CertificateExpired"],
    ["R8446-6.2-18", "clientOther", "server", "48 CertificateUntrusted"],
    ["R8446-6.2-13", "ec", "server", "43 CertificateUsageWrong"]
  ]
  for (const [ids, name, subject, failure] of cases) {
    conversation(`${ids}: ${name}, to the ${subject}`, (all) =>
      Effect.gen(function*() {
        const pki = yield* testPki
        yield* TestClock.setTime(pki.issuedAt.getTime())
        const credential = yield* showing(name, subject)
        const trust = yield* trusting(pki.ca.certificateDer)
        const script = { credential, scheme: schemes[credential.keyType] }
        const setting: Setting = { subject, script, client: { serverName: "localhost" } }
        const world = { ...all, trust, clientTrust: trust }
        const outcome = yield* converse(world, subject === "server" ? { ...setting, asks: "require" } : setting)
        assert.strictEqual(outcome.failure, `AlertSent ${failure} handshaking 1.3`, outcome.sentence)
        // R8446-4.4.4-03: a server that judges a client has sent its Finished.
        const epoch = subject === "server" ? "application" : "handshake"
        assert.deepStrictEqual(outcome.alerts, [`${epoch} 2/${failure.split(" ")[0]}`])
      }))
  }

  const good: ReadonlyArray<readonly [LeafName, Side]> = [
    ["ec", "client"],
    ["ec384", "client"],
    ["ec521", "client"],
    ["rsa", "client"],
    ["chain", "client"],
    ["client", "server"],
    ["clientRsa", "server"]
  ]
  for (const [name, subject] of good) {
    conversation(`${name} is acceptable to the ${subject}`, (all) =>
      Effect.gen(function*() {
        const pki = yield* testPki
        yield* TestClock.setTime(pki.issuedAt.getTime())
        const credential = yield* showing(name, subject)
        const trust = yield* trusting(pki.ca.certificateDer)
        const script = { credential, scheme: schemes[credential.keyType] }
        const setting: Setting = { subject, script, client: { serverName: "localhost" } }
        const outcome = yield* converse(
          { ...all, trust, clientTrust: trust },
          subject === "server" ? { ...setting, asks: "require" } : setting
        )
        assert.deepStrictEqual([outcome.failure, outcome.data], ["clean", "hello"], outcome.sentence)
        assert.deepStrictEqual(outcome.connection?.peerCertificates, credential.chain)
      }))
  }
})

describe("R8446-6.2-19, R8446-6.2-28, R8446-6.2-24: what the application of the subject says", () => {
  conversation("R8446-6.2-19: access_denied", (all) =>
    Effect.gen(function*() {
      const clientTrust = Trust.Trust.of({
        fingerprint: "nobody",
        verify: () => Effect.fail({ _tag: "CertificateRefused", alert: "access_denied", why: "not on the list" })
      })
      const outcome = yield* converse({ ...all, clientTrust }, { subject: "server", script: {}, asks: "require" })
      assert.strictEqual(outcome.failure, "AlertSent 49 CertificateRefused handshaking 1.3")
      assert.deepStrictEqual(outcome.alerts, ["application 2/49"])
    }))
  conversation("R8446-6.2-28: unrecognized_name", (all) =>
    Effect.gen(function*() {
      const server = Identity.Identity.of({
        ...all.server,
        select: ({ serverName }) => Effect.fail({ _tag: "ServerNameUnrecognized", name: serverName ?? "" })
      })
      const outcome = yield* converse({ ...all, server }, { subject: "server", script: {} })
      assert.strictEqual(outcome.failure, "AlertSent 112 ServerNameUnrecognized handshaking 1.3")
      assert.deepStrictEqual(outcome.alerts, ["clear 2/112"])
    }))
  conversation("R8446-6.2-24: a key that does not sign is internal_error", (all) =>
    Effect.gen(function*() {
      const mute: Credential = {
        ...all.credentials.server,
        sign: () => Effect.fail(new Identity.IdentityError({ why: "the key store does not answer" }))
      }
      const server = Identity.Identity.of({ ...all.server, select: () => Effect.succeedSome(mute) })
      const outcome = yield* converse({ ...all, server }, { subject: "server", script: {} })
      assert.strictEqual(outcome.failure, "AlertSent 80 InternalFault handshaking 1.3")
      assert.deepStrictEqual(outcome.alerts, ["handshake 2/80"])
    }))
})

refuses("R8446-6.2-33: none of the application protocols", "server", "120 NoApplicationProtocol", [
  [
    "another one",
    {
      moves: {
        ClientHello: says((_) => ({
          ..._,
          extensions: [{ _tag: "ApplicationProtocols", protocols: ["http/1.1"] }, ..._.extensions]
        }))
      }
    },
    { server: { alpnProtocols: ["h2"] } },
    "http/1.1"
  ]
])
