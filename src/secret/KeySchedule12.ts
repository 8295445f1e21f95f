/**
 * From the premaster secret to keys and verify data: RFC 5246 sections 6.3, 7.4.9 and 8.1, RFC 7627 section 4.
 *
 * @since 0.1.0
 */
import type { CipherSuite } from "./CipherSuite.ts"
import * as Prf from "./Prf.ts"
import type { HashName, Primitives } from "./Primitives.ts"

type Needed = Pick<Primitives["Service"], "passingMac">

const masterSecretLength = 48
const verifyDataLength = 12

/**
 * RFC 5246 section 8.1. The premaster secret stays with the caller, who overwrites it.
 *
 * @category key schedule
 * @since 0.1.0
 */
export const masterSecret = (
  primitives: Needed,
  hash: HashName,
  preMasterSecret: Uint8Array,
  clientRandom: Uint8Array,
  serverRandom: Uint8Array
): Uint8Array =>
  Prf.make(primitives, hash, preMasterSecret)("master secret", [clientRandom, serverRandom], masterSecretLength)

/**
 * RFC 7627 section 4. The session hash covers the handshake up to and including ClientKeyExchange.
 *
 * @category key schedule
 * @since 0.1.0
 */
export const extendedMasterSecret = (
  primitives: Needed,
  hash: HashName,
  preMasterSecret: Uint8Array,
  sessionHash: Uint8Array
): Uint8Array =>
  Prf.make(primitives, hash, preMasterSecret)("extended master secret", [sessionHash], masterSecretLength)

/**
 * What one side writes with. Both are secrets of the connection: the caller makes a key of them and overwrites them.
 *
 * @category models
 * @since 0.1.0
 */
export interface WriteKeys {
  readonly key: Uint8Array
  readonly fixedIv: Uint8Array
}

/**
 * @category models
 * @since 0.1.0
 */
export interface KeyBlock {
  readonly client: WriteKeys
  readonly server: WriteKeys
}

/**
 * RFC 5246 section 6.3: the key block and its partition. An AEAD has no MAC keys. Here the server random comes first.
 *
 * @category key schedule
 * @since 0.1.0
 */
export const keyBlock = (
  master: Prf.Prf,
  suite: Pick<CipherSuite, "keyLength" | "fixedIvLength">,
  clientRandom: Uint8Array,
  serverRandom: Uint8Array
): KeyBlock => {
  const { fixedIvLength, keyLength } = suite
  const block = master("key expansion", [serverRandom, clientRandom], 2 * (keyLength + fixedIvLength))
  let at = 0
  const take = (length: number): Uint8Array => block.slice(at, at += length)
  const clientKey = take(keyLength)
  const serverKey = take(keyLength)
  const clientIv = take(fixedIvLength)
  const serverIv = take(fixedIvLength)
  block.fill(0)
  return {
    client: { key: clientKey, fixedIv: clientIv },
    server: { key: serverKey, fixedIv: serverIv }
  }
}

/**
 * RFC 5246 section 7.4.9: what the Finished of `sender` says. The transcript hash covers every handshake message before
 * it.
 *
 * @category key schedule
 * @since 0.1.0
 */
export const verifyData = (master: Prf.Prf, sender: "client" | "server", transcriptHash: Uint8Array): Uint8Array =>
  master(`${sender} finished`, [transcriptHash], verifyDataLength)
