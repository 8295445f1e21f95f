/** Records under the keys of one direction, messages in bytes, and binders. */
import { createHmac } from "node:crypto"
import type { ExtensionOf } from "../../src/message/Extension.ts"
import { make as primitives } from "../../src/platform/NodePrimitives.ts"
import type { RecordProtection } from "../../src/record/Protection.ts"
import { TrafficSecret } from "../../src/record/TrafficSecret.ts"
import type { CipherSuite13 } from "../../src/secret/CipherSuite.ts"
import * as KeySchedule from "../../src/secret/KeySchedule13.ts"
import { ContentType } from "../../src/wire/CodePoints.ts"
import { headerLength, makeRecord } from "../harness/TlsRecords.ts"

/** Under which keys a record travels. */
export type Epoch = "clear" | "handshake" | "application"

/** What the two hellos come to. */
export interface Secrets {
  readonly client: TrafficSecret
  readonly server: TrafficSecret
  readonly master: KeySchedule.Secret
}

export interface Keys {
  readonly epoch: Epoch
  readonly traffic: TrafficSecret
  readonly protection: RecordProtection
  sequence: number
}

/** Of the first message, its header included. */
export const lengthOf = (bytes: Uint8Array): number =>
  4 + ((bytes[1] ?? 0) << 16) + ((bytes[2] ?? 0) << 8) + (bytes[3] ?? 0)

export const messagesIn = (bytes: Uint8Array): ReadonlyArray<Uint8Array> => {
  const messages: Array<Uint8Array> = []
  for (let left = bytes; left.length >= 4; left = left.subarray(lengthOf(left))) {
    messages.push(left.subarray(0, lengthOf(left)))
  }
  return messages
}

export const keysOf = (epoch: Epoch, traffic: TrafficSecret): Keys => ({
  epoch,
  traffic,
  protection: traffic.parameters.protection,
  sequence: 0
})

/** The secret after a KeyUpdate, straight from the text of RFC 8446 sections 7.1 and 7.2; the one before stays as it is. */
export const nextOf = (suite: CipherSuite13, { secret }: TrafficSecret): TrafficSecret => {
  const length = KeySchedule.hashLength[suite.hash]
  const label = Buffer.from("tls13 traffic upd")
  const info = Buffer.concat([Buffer.of(0, length, label.length), label, Buffer.of(0, 1)])
  const next = new Uint8Array(createHmac(suite.hash, secret.bytes).update(info).digest())
  return new TrafficSecret(primitives, suite, KeySchedule.secretOf(primitives, suite.hash, next))
}

export const sealed = (
  keys: Keys,
  type: number,
  content: Uint8Array | ReadonlyArray<number>,
  padding: number
): Uint8Array => {
  const { protection } = keys
  const out = makeRecord(ContentType.application_data, new Uint8Array(content.length + padding + protection.overhead))
  protection.seal(type, Uint8Array.from(content), keys.sequence++, out, headerLength, padding)
  return out
}

/** The end of a ClientHello that its binders do not cover. */
export const bindersLength = ({ offers }: ExtensionOf<"PreSharedKeys">): number =>
  offers.reduce((sum, { binder }) => sum + 1 + binder.length, 2)

export const isUnbound = ({ binder }: { readonly binder: Uint8Array }): boolean => binder.every((byte) => byte === 0)

/** An empty binder of the length of the hash. */
export const unbound = (suite: CipherSuite13): Uint8Array => new Uint8Array(KeySchedule.hashLength[suite.hash])

/** RFC 8446 section 4.2.11.2. */
export const binderOf = (suite: CipherSuite13, psk: Uint8Array, hash: Uint8Array): Uint8Array => {
  const early = KeySchedule.earlySecret(primitives, suite.hash, psk)
  return KeySchedule.verifyData(primitives, KeySchedule.resumptionBinderKey(primitives, early), hash)
}
