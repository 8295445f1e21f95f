/**
 * The keys that seal sessions which are kept, or carried, where others can read: a store, a disk, a ticket.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Hex from "effect/encoding/Hex"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { InvalidOption } from "../alert/TlsError.ts"
import { type Mac, Primitives } from "../secret/Primitives.ts"
import { concat, empty, fromText, samePublic, toHex } from "../wire/Bytes.ts"
import { Randomness } from "./Randomness.ts"

/**
 * What came of opening. `foreign` is nothing that was sealed here, or was cut; `unknown key` was sealed under a key that is not held
 * any more, or not yet; `tampered` was sealed under a key that is held, and is not as it was, or not where it was.
 *
 * @category models
 * @since 0.1.0
 */
export type Opened =
  | { readonly _tag: "Opened"; readonly plaintext: Uint8Array; readonly isNewestKey: boolean }
  | { readonly _tag: "Refused"; readonly why: "foreign" | "unknown key" | "tampered" }

/**
 * `seal` under the newest key, `open` under any that is held. What is sealed in one context opens in no other. `digest` names things
 * in a store: it is the same for everyone, and does not tell what it was made of.
 *
 * @category services
 * @since 0.1.0
 */
export class SessionKeys extends Context.Service<SessionKeys, {
  readonly seal: (plaintext: Uint8Array, context: string) => Effect.Effect<Uint8Array>
  readonly open: (sealed: Uint8Array, context: string) => Effect.Effect<Opened>
  readonly digest: (text: string) => string
}>()("effect-tls/SessionKeys") {}

/** One key: its public name, and a MAC that makes a key of its own for everything that is sealed. */
interface SealingKey {
  readonly name: Uint8Array
  readonly mac: Mac
}

const secretLength = 32
const nameLength = 8
const saltLength = 16
const tagLength = 16
const format = 1
const headerLength = 1 + nameLength + saltLength
// Every sealing has a key of its own, by its salt: one nonce is enough for it.
const nonce = new Uint8Array(12)

const nameLabel = fromText("effect-tls session key name")
const keyLabel = fromText("effect-tls session key")

const makeKey = (primitives: Primitives["Service"], secret: Uint8Array): SealingKey => {
  const mac = primitives.mac("sha256", secret)
  return { name: mac.sign(nameLabel).slice(0, nameLength), mac }
}

const aeadOf = (primitives: Primitives["Service"], { mac }: SealingKey, salt: Uint8Array) => {
  const key = mac.sign(keyLabel, salt)
  const aead = primitives.aead("aes-256-gcm", key)
  key.fill(0)
  return aead
}

const service = (
  primitives: Primitives["Service"],
  randomness: Randomness["Service"],
  held: Effect.Effect<readonly [SealingKey, ...ReadonlyArray<SealingKey>]>
): SessionKeys["Service"] => ({
  seal: (plaintext, context) =>
    Effect.map(held, ([key]) => {
      const salt = randomness.bytes(saltLength)
      const header = concat([Uint8Array.of(format), key.name, salt])
      const sealed = new Uint8Array(headerLength + plaintext.length + tagLength)
      sealed.set(header)
      const aad = concat([header, fromText(context)])
      aeadOf(primitives, key, salt).seal(nonce, aad, plaintext, sealed, headerLength)
      return sealed
    }),
  open: (sealed, context) =>
    Effect.map(held, (keys): Opened => {
      if (sealed[0] !== format || sealed.length < headerLength + tagLength) return { _tag: "Refused", why: "foreign" }
      const name = sealed.subarray(1, 1 + nameLength)
      const key = keys.find((key) => samePublic(key.name, name))
      if (key === undefined) return { _tag: "Refused", why: "unknown key" }
      const header = sealed.subarray(0, headerLength)
      const aead = aeadOf(primitives, key, sealed.subarray(1 + nameLength, headerLength))
      const plaintext = aead.open(nonce, concat([header, fromText(context)]), sealed.subarray(headerLength))
      return plaintext === undefined
        ? { _tag: "Refused", why: "tampered" }
        : { _tag: "Opened", plaintext, isNewestKey: key === keys[0] }
    }),
  digest: (text) => toHex(primitives.digest("sha256", fromText(text)))
})

/**
 * @category models
 * @since 0.1.0
 */
export interface RandomOptions {
  /** How long a key seals: 12 hours by default. */
  readonly rotateEvery?: Duration.Input
  /** How long it still opens after that: 24 hours by default, which is as long as any session should live. */
  readonly overlap?: Duration.Input
}

/**
 * Keys that nobody else has, and that end with the process: what was sealed cannot be read by another process, nor after a restart.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerRandom = (options: RandomOptions = {}): Layer.Layer<SessionKeys, never, Primitives | Randomness> =>
  Layer.effect(
    SessionKeys,
    Effect.gen(function*() {
      const primitives = yield* Primitives
      const randomness = yield* Randomness
      const rotateEvery = Duration.toMillis(Duration.fromInputUnsafe(options.rotateEvery ?? "12 hours"))
      const overlap = Duration.toMillis(Duration.fromInputUnsafe(options.overlap ?? "24 hours"))
      const fresh = (from: number) => {
        const secret = randomness.bytes(secretLength)
        const key = makeKey(primitives, secret)
        secret.fill(0)
        return { key, from }
      }
      let newest = fresh(yield* Clock.currentTimeMillis)
      /** Keys that only open, the newest first, each with the moment at which it goes. */
      let older: ReadonlyArray<{ readonly key: SealingKey; readonly until: number }> = []
      const held = Effect.map(Clock.currentTimeMillis, (now): readonly [SealingKey, ...ReadonlyArray<SealingKey>] => {
        if (now - newest.from >= rotateEvery) {
          older = [{ key: newest.key, until: newest.from + rotateEvery + overlap }, ...older]
          newest = fresh(now)
        }
        older = older.filter(({ until }) => now < until)
        return [newest.key, ...older.map(({ key }) => key)]
      })
      return service(primitives, randomness, held)
    })
  )

/** 32 bytes of base64, base64url or hexadecimal; nothing else, so that a mistyped key is an error and not another key. */
const secretOf = (text: string): Uint8Array | undefined => {
  const decoders = /^[0-9a-f]{64}$/i.test(text) ? [Hex.decode] : [Base64.decode, Base64Url.decode]
  for (const decode of decoders) {
    const bytes = Result.getOrElse(decode(text), () => empty)
    if (bytes.length === secretLength) return bytes
  }
  return undefined
}

/**
 * Keys that a fleet shares, and that outlive its processes: one or more of 32 bytes each, in base64 or hexadecimal, separated by commas
 * or white space. The first one seals, all of them open.
 *
 * To rotate, start every process three times: with the new key behind the old one, with it in front, and, when no session of the
 * old one lives any more, without the old one.
 *
 * @example
 * import { Config, Layer } from "effect"
 * import { SessionKeys } from "effect-tls"
 * import * as NodePrimitives from "effect-tls/platform/NodePrimitives"
 *
 * const keys = SessionKeys.layerRedacted(Config.Redacted("SESSION_KEYS")).pipe(Layer.provide(NodePrimitives.layer))
 *
 * @category layers
 * @since 0.1.0
 */
export const layerRedacted = (
  keys: Config.Config<Redacted.Redacted<string>>
): Layer.Layer<SessionKeys, Config.ConfigError | InvalidOption, Primitives | Randomness> =>
  Layer.effect(
    SessionKeys,
    Effect.gen(function*() {
      const primitives = yield* Primitives
      const randomness = yield* Randomness
      const texts = Redacted.value(yield* keys).split(/[\s,]+/).filter((text) => text !== "")
      const made: Array<SealingKey> = []
      for (const [index, text] of texts.entries()) {
        const secret = secretOf(text)
        if (secret === undefined) {
          const why = `key ${index + 1} is not ${secretLength} bytes in base64 or hexadecimal`
          return yield* new InvalidOption({ option: "session keys", why })
        }
        made.push(makeKey(primitives, secret))
        secret.fill(0)
      }
      const [first, ...others] = made
      if (first === undefined) {
        return yield* new InvalidOption({ option: "session keys", why: "there is none" })
      }
      return service(primitives, randomness, Effect.succeed([first, ...others]))
    })
  )
