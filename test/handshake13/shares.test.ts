/** Key shares that are none: RFC 8446 sections 4.2.8.2 and 7.4.2, draft-ietf-tls-ecdhe-mlkem. And those of every group. */
import { assert, describe } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { Primitives, Reason, TlsError, TlsTest } from "effect-tls"
import type { ClientHello } from "../../src/message/ClientHello.ts"
import { findExtension } from "../../src/message/Extension.ts"
import type { ServerHello } from "../../src/message/ServerHello.ts"
import { isAvailable } from "../../src/platform/NodeHybridShare.ts"
import { fromHex } from "../../src/wire/Bytes.ts"
import { NamedGroup } from "../../src/wire/CodePoints.ts"
import { flipBits } from "../harness/TlsRecords.ts"
import { accepts, conversation, refuses, type Row } from "./conversation.ts"
import { put, says } from "./edits.ts"
import type { Side } from "./puppet.ts"
import type { Script } from "./stories.ts"

type Edit = (share: Uint8Array) => Uint8Array

const changed = <M extends ClientHello | ServerHello>(edit: Edit) => (_: M): M => {
  const shares = findExtension(_.extensions, "KeyShares")?.shares ?? []
  return put({ _tag: "KeyShares", shares: shares.map((share) => ({ ...share, publicKey: edit(share.publicKey) })) })(_)
}

// The hybrid group is for TLS 1.3 alone.
const alone = (group: NamedGroup) => ({ groups: [group], versions: ["1.3"] }) as const

/** A share that the puppet makes wrong. */
const wrong = (subject: Side, group: NamedGroup, edit: Edit): readonly [Script, NonNullable<Row[2]>] => [
  {
    group,
    moves: subject === "server" ? { ClientHello: says(changed(edit)) } : { ServerHello: says(changed(edit)) }
  },
  subject === "server" ? { server: alone(group) } : { client: alone(group) }
]

const shorter: Edit = (share) => share.slice(0, -1)
const longer: Edit = (share) => Uint8Array.of(...share, 0)
const zeros: Edit = (share) => new Uint8Array(share.length)

const curve: ReadonlyArray<readonly [what: string, edit: Edit]> = [
  ["a byte too short", shorter],
  ["a byte too long", longer],
  ["off the curve", (share) => flipBits(share, -1)],
  ["compressed", (share) => Uint8Array.of(2 + ((share.at(-1) ?? 0) & 1), ...share.subarray(1, (share.length + 1) / 2))],
  ["in the hybrid form", (share) => share.with(0, 6 + ((share.at(-1) ?? 0) & 1))],
  ["infinity", () => Uint8Array.of(0)],
  ["infinity, at full length", zeros],
  ["coordinates beyond the field", (share) => new Uint8Array(share.length).fill(0xff).with(0, 4)]
]

/** RFC 7748 section 6.1: points of small order, whose secret is all zeros. */
const smallOrder = [
  "00".repeat(32),
  `01${"00".repeat(31)}`,
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  `ec${"ff".repeat(30)}7f`,
  `ed${"ff".repeat(30)}7f`,
  `ee${"ff".repeat(30)}7f`
].map(fromHex)

const montgomery: ReadonlyArray<readonly [what: string, edit: Edit]> = [
  ["a byte too short", shorter],
  ["a byte too long", longer],
  ...smallOrder.map((point, index) => [`a point of small order, ${index}`, () => point] as const)
]

for (const subject of ["client", "server"] as const) {
  const rows = (group: NamedGroup, edits: typeof curve) =>
    edits.map(([what, edit]) => [`${group}: ${what}`, ...wrong(subject, group, edit), group] as const)
  refuses(
    `R8446-4.2.8.2-01, R8446-6-12, R8446-6.2-17: a point that is none, to the ${subject}`,
    subject,
    "47 KeyShareInvalid",
    [
      ...rows("secp256r1", curve),
      ...rows("secp384r1", curve),
      ...rows("secp521r1", curve)
    ]
  )
  refuses(
    `R8446-7.4.2-01, R8446-6.2-04: a secret that is all zeros, to the ${subject}`,
    subject,
    "47 KeyShareInvalid",
    rows("x25519", montgomery)
  )
}

const hybrid = "x25519mlkem768"

/** A coefficient of 3329 or more: the first 12 bits, little-endian. */
const beyondModulus: Edit = (share) => {
  const copy = share.slice()
  copy.set([0xff, 0x0f | ((copy[1] ?? 0) & 0xf0)])
  return copy
}
const withPoint = (point: Uint8Array): Edit => (share) => {
  const copy = share.slice()
  copy.set(point, copy.length - 32)
  return copy
}

describe.skipIf(!isAvailable)("X25519MLKEM768", () => {
  refuses("DMLKEM-server_share-01: an encapsulation key that fails its check", "server", "47 KeyShareInvalid", [
    ["a byte too short", ...wrong("server", hybrid, shorter), hybrid],
    ["a byte too long", ...wrong("server", hybrid, longer), hybrid],
    ["a coefficient beyond the modulus", ...wrong("server", hybrid, beyondModulus), hybrid],
    ["nothing but ones", ...wrong("server", hybrid, (share) => new Uint8Array(share.length).fill(0xff)), hybrid],
    ["the X25519 part alone", ...wrong("server", hybrid, (share) => share.slice(-32)), hybrid]
  ])

  refuses("DMLKEM-server_share-02: a ciphertext of another length", "client", "47 KeyShareInvalid", [
    ["a byte too short", ...wrong("client", hybrid, shorter), hybrid],
    ["a byte too long", ...wrong("client", hybrid, longer), hybrid],
    ["the X25519 part alone", ...wrong("client", hybrid, (share) => share.slice(-32)), hybrid]
  ])

  for (const subject of ["client", "server"] as const) {
    refuses(
      `DMLKEM-server_share-04, DMLKEM-shared_secret-01: the X25519 part is of small order, to the ${subject}`,
      subject,
      "47 KeyShareInvalid",
      smallOrder.map((point, index) => [`point ${index}`, ...wrong(subject, hybrid, withPoint(point)), hybrid] as const)
    )
  }

  describe("DMLKEM-server_share-03: decapsulation that fails otherwise", () => {
    conversation("is internal_error", () =>
      Effect.gen(function*() {
        const primitives = yield* Primitives
        const broken = Primitives.of({
          ...primitives,
          keyShare: (group, privateKey) => ({
            ...primitives.keyShare(group, privateKey),
            group,
            publicKey: primitives.keyShare(group, privateKey).publicKey,
            agree: () => {
              throw new Error("the decapsulation failed")
            }
          })
        })
        const options = { client: alone(hybrid), server: alone(hybrid) }
        const { accept, connect } = yield* Effect.provideService(TlsTest.ends(options), Primitives, broken)
        const [client, server] = yield* Effect.all(
          [Effect.exit(Effect.scoped(connect)), Effect.exit(Effect.scoped(accept))],
          { concurrency: 2 }
        )
        assert.isTrue(Exit.isFailure(client) && Cause.hasDies(client.cause))
        const failure = Exit.isFailure(server) ? server.cause.reasons.find(Cause.isFailReason)?.error : undefined
        assert(failure instanceof TlsError.AlertReceived)
        assert.strictEqual(Reason.descriptionOfReason(failure.reason), "internal_error")
      }))
  })
})

const groups = ["x25519", "secp256r1", "secp384r1", "secp521r1", ...isAvailable ? [hybrid] as const : []] as const

for (const subject of ["client", "server"] as const) {
  accepts(
    `the ${subject} agrees on any group`,
    subject,
    groups.map((group) => {
      const setting: NonNullable<Row[2]> = subject === "client" ? { client: alone(group) } : { server: alone(group) }
      return [
        group,
        { group },
        setting,
        ({ connection }: { readonly connection: { readonly group: string | undefined } | undefined }) =>
          assert.strictEqual(connection?.group, group)
      ] as const
    })
  )
}
