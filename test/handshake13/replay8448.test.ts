/** RFC 8448, as far as our profile goes: what is said in another way, and what cannot be replayed, is listed with the reason. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { toHex } from "../../src/wire/Bytes.ts"
import type { NamedGroup } from "../../src/wire/CodePoints.ts"
import { type Party, replays } from "../secret/rfc8448.ts"
import { play } from "./replay8448.ts"

const notReplayed: Readonly<Record<string, string>> = {
  "resumed-0rtt": "0-RTT is refused on purpose: a client of ours never offers it, and a server never accepts it. " +
    "Its key schedule and its records are recomputed in test/secret and test/record."
}

/** Why a message of ours is not the recorded one. */
const reasons: Readonly<Record<string, string>> = {
  ClientHello:
    "other suites, groups and signature schemes, no finite fields, no renegotiation_info without TLS 1.2, in another order",
  ChangeCipherSpec: "a client of ours always hides behind the look of TLS 1.2, the recorded ones did not",
  ServerHello: "supported_versions comes before key_share; a HelloRetryRequest of ours has no cookie",
  EncryptedExtensions: "server_name comes first, and no groups are told that the server would like better",
  CertificateRequest: "no SHA-1, no DSA",
  NewSessionTicket: "a ticket of ours is a handle into the session cache; the recorded one is a sealed session"
}

interface Plan {
  readonly groups: Readonly<Record<Party, ReadonlyArray<NamedGroup>>>
  readonly differs: Readonly<Record<Party, ReadonlyArray<keyof typeof reasons>>>
}

const curves = { client: ["x25519", "secp256r1"], server: ["x25519", "secp256r1"] } as const
const client = ["ClientHello", "ChangeCipherSpec"]
const tickets = ["NewSessionTicket", "NewSessionTicket"]

const plans: Readonly<Record<string, Plan>> = {
  "simple-1rtt": { groups: curves, differs: { client, server: ["ServerHello", "EncryptedExtensions", ...tickets] } },
  "hello-retry-request": {
    groups: { ...curves, server: ["secp256r1"] },
    differs: {
      client: [...client, "ClientHello"],
      server: ["ServerHello", "ServerHello", "EncryptedExtensions", ...tickets]
    }
  },
  "client-auth": {
    groups: curves,
    differs: { client, server: ["ServerHello", "EncryptedExtensions", "CertificateRequest", ...tickets] }
  },
  "compatibility-mode": {
    groups: curves,
    differs: { client: ["ClientHello"], server: ["ServerHello", "EncryptedExtensions", ...tickets] }
  }
}

describe("RFC 8448", () => {
  it("every conversation is replayed, or listed with the reason", () => {
    assert.sameMembers(replays.map(({ trace }) => trace.id), [...Object.keys(plans), ...Object.keys(notReplayed)])
    for (const { differs } of Object.values(plans)) {
      for (const message of [...differs.client, ...differs.server]) assert.isDefined(reasons[message])
    }
  })

  for (const replay of replays) {
    const plan = plans[replay.trace.id]
    if (plan === undefined) continue
    for (const party of ["client", "server"] as const) {
      it.effect(`section ${replay.trace.section}, ${replay.trace.title}: the ${party} says what was recorded, record by record`, () =>
        Effect.gen(function*() {
          const { differs, established, heard, psk, records } = yield* play(replay, party, plan.groups[party])
          assert.deepStrictEqual(differs, plan.differs[party])
          const recorded = replay.records.filter((record) => record.party === party)
          assert.lengthOf(records, recorded.length)
          for (const [ours, theirs] of records) assert.strictEqual(ours, theirs)
          const others = replay.records.filter((record) => record.party !== party)
          assert.strictEqual(heard.at(-1), "warning close_notify")
          assert.strictEqual(heard.includes("Data"), others.some(({ type }) => type === 23))
          assert.deepStrictEqual([established.version, established.cipherSuite.id, established.resumed], [
            "1.3",
            0x1301,
            false
          ])
          assert.strictEqual(established.serverName, "server")
          if (party === "client") assert.strictEqual(psk, replay.psk === undefined ? undefined : toHex(replay.psk))
        }))
    }
  }
})
