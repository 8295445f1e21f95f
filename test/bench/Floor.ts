/** What the same work costs with the bare calls of `node:crypto`, in their cheapest forms: no protocol, no transport. */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  verify,
  X509Certificate
} from "node:crypto"
import { withoutStackTraces } from "../../src/platform/NodeKeys.ts"
import type { Credentials } from "./Peer.ts"

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

const prf = (key: KeyObject, outputs: number): Buffer => {
  let block = randomBytes(0)
  // P_hash: one HMAC for A(i) and one for the output, a block of 32 bytes.
  for (let i = 0; i < 2 * outputs; i++) block = createHmac("sha256", key).update(block).digest()
  return block
}

/** Secrets of one side: master secret, key block and both Finished are 2, 2, 1 and 1 blocks; an AEAD both ways. */
const schedule = (isFull: boolean): void => {
  if (isFull) prf(createSecretKey(randomBytes(32)), 2)
  const master = createSecretKey(randomBytes(48))
  prf(master, 2)
  prf(master, 1)
  prf(master, 1)
  const transcript = createHash("sha256").update(additional)
  for (let i = 0; i < (isFull ? 3 : 2); i++) transcript.copy().digest()
  for (let i = 0; i < 2; i++) {
    const cipher = createCipheriv("aes-128-gcm", createSecretKey(randomBytes(16)), additional.subarray(0, 12), options)
    cipher.update(additional.subarray(0, 16))
    cipher.final()
    cipher.getAuthTag()
  }
}

const additional = Buffer.alloc(64, 7)

/** The primitive calls of both sides of a resumed handshake. */
export const floorOfResumption = (): void => {
  schedule(false)
  schedule(false)
}

/** The primitive calls of both sides of a full handshake, for a certificate that its anchor signed. */
export const floorOfHandshake = (credentials: Credentials): () => void => {
  const anchor = new X509Certificate(credentials.anchors)
  const anchorKey = anchor.publicKey
  const der = new X509Certificate(credentials.certificate).raw
  const privateKey = createPrivateKey(credentials.privateKey)
  const importShare = (key: KeyObject) => {
    const raw = key.export({ format: "raw-public" })
    return withoutStackTraces(() => createPublicKey({ key: raw, format: "raw-public", asymmetricKeyType: "x25519" }))
  }
  return () => {
    const server = generateKeyPairSync("x25519")
    const client = generateKeyPairSync("x25519")
    const signature = sign("sha256", additional, privateKey)
    const leaf = new X509Certificate(der)
    leaf.checkIssued(anchor)
    leaf.verify(anchorKey)
    leaf.checkHost("localhost")
    verify("sha256", additional, leaf.publicKey, signature)
    diffieHellman({ privateKey: client.privateKey, publicKey: importShare(server.publicKey) })
    diffieHellman({ privateKey: server.privateKey, publicKey: importShare(client.publicKey) })
    schedule(true)
    schedule(true)
  }
}
