/** What the same work costs with the bare calls of `node:crypto`, in their cheapest forms: no protocol, no transport. */
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  decapsulate,
  diffieHellman,
  encapsulate,
  generateKeyPairSync,
  hash,
  type KeyObject,
  randomBytes,
  sign,
  verify,
  X509Certificate
} from "node:crypto"
import { withoutStackTraces } from "../../src/platform/NodeKeys.ts"
import type { Setup } from "./Peer.ts"

const recordLength = 16 * 1024
const options = { authTagLength: 16 }

/** Seals and opens `total` bytes in full records, each into a buffer that is used again. */
export const floorOfRecords = (total: number): void => {
  const key = createSecretKey(randomBytes(16))
  const nonce = Buffer.alloc(12)
  const additionalData = Buffer.alloc(13)
  const plaintext = Buffer.alloc(recordLength, 7)
  const sealed = Buffer.alloc(recordLength + 16)
  const opened = Buffer.alloc(recordLength)
  for (let at = 0; at < total; at += recordLength) {
    nonce.writeUInt32BE(at / recordLength, 8)
    const cipher = createCipheriv("aes-128-gcm", key, nonce, options)
    cipher.setAAD(additionalData)
    const ciphertext = cipher.update(plaintext)
    cipher.final()
    sealed.set(ciphertext)
    sealed.set(cipher.getAuthTag(), recordLength)
    ciphertext.buffer.transfer(0)
    const decipher = createDecipheriv("aes-128-gcm", key, nonce, options)
    decipher.setAAD(additionalData)
    decipher.setAuthTag(sealed.subarray(recordLength))
    const result = decipher.update(sealed.subarray(0, recordLength))
    decipher.final()
    opened.set(result)
    result.buffer.transfer(0)
  }
}

const [inner, outer, transcript] = [Buffer.alloc(64 + 64, 7), Buffer.alloc(64 + 32, 7), Buffer.alloc(1024, 7)]

/** HMAC from its two hashes, as text: a key object and an `Hmac` cost three times as much, a result as bytes five times. */
const mac = (times: number): void => {
  for (let i = 0; i < times; i++) {
    hash("sha256", inner, "binary")
    hash("sha256", outer, "binary")
  }
}

/** Secrets of one side: master secret, key block and both Finished are 2, 2, 1 and 1 blocks of two HMACs each; an AEAD both ways. */
const schedule12 = (isFull: boolean): void => {
  mac(2 * (isFull ? 6 : 4))
  hashAndProtect(isFull ? 3 : 2, 2)
}

/** Secrets of one side: three extractions, and what is derived from them. */
const schedule13 = (isFull: boolean): void => {
  // Beside the traffic secrets, the keys and Finished: the binder, or nothing.
  for (const derivations of [isFull ? 1 : 4, 7, 11]) mac(1 + derivations)
  // Messages in the clear come first, and those of the server are one record.
  hashAndProtect(isFull ? 4 : 5, 2)
}

const hashAndProtect = (digests: number, records: number): void => {
  for (let i = 0; i < digests; i++) hash("sha256", transcript, "binary")
  for (let i = 0; i < records; i++) {
    const cipher = createCipheriv("aes-128-gcm", createSecretKey(randomBytes(16)), additional.subarray(0, 12), options)
    cipher.update(additional.subarray(0, 16))
    cipher.final()
    cipher.getAuthTag()
  }
}

const additional = Buffer.alloc(64, 7)

const importShare = (key: KeyObject): KeyObject => {
  const raw = key.export({ format: "raw-public" })
  return withoutStackTraces(() => createPublicKey({ key: raw, format: "raw-public", asymmetricKeyType: "x25519" }))
}

const agreeX25519 = (): void => {
  const server = generateKeyPairSync("x25519")
  const client = generateKeyPairSync("x25519")
  diffieHellman({ privateKey: client.privateKey, publicKey: importShare(server.publicKey) })
  diffieHellman({ privateKey: server.privateKey, publicKey: importShare(client.publicKey) })
}

const agreeMlKem = (): void => {
  const client = generateKeyPairSync("ml-kem-768")
  const raw = client.publicKey.export({ format: "raw-public" })
  const publicKey = withoutStackTraces(() =>
    createPublicKey({ key: raw, format: "raw-public", asymmetricKeyType: "ml-kem-768" })
  )
  decapsulate(client.privateKey, encapsulate(publicKey).ciphertext)
}

const bothSides = ({ profile }: Setup, isFull: boolean): void => {
  if (isFull || profile.version === "1.3") agreeX25519()
  if (profile.groups[0] === "x25519mlkem768") agreeMlKem()
  for (const schedule of Array.from({ length: 2 }, () => profile.version === "1.3" ? schedule13 : schedule12)) {
    schedule(isFull)
  }
}

/** The primitive calls of both sides of a resumed handshake. */
export const floorOfResumption = (setup: Setup) => (): void => bothSides(setup, false)

/** The primitive calls of both sides of a full handshake, for a certificate that its anchor signed. */
export const floorOfHandshake = (setup: Setup): () => void => {
  const { credentials } = setup
  const anchor = new X509Certificate(credentials.anchors)
  const anchorKey = anchor.publicKey
  const der = new X509Certificate(credentials.certificate).raw
  const privateKey = createPrivateKey(credentials.privateKey)
  return () => {
    const signature = sign("sha256", additional, privateKey)
    const leaf = new X509Certificate(der)
    leaf.checkIssued(anchor)
    leaf.verify(anchorKey)
    leaf.checkHost("localhost")
    verify("sha256", additional, leaf.publicKey, signature)
    bothSides(setup, true)
  }
}
