/** Certificates made to order: a DER writer that does what it is told, good or bad. */
import { generateKeyPairSync, sign } from "node:crypto"
import type { KeyObject } from "node:crypto"

export const tlv = (tag: number, ...parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const body = Buffer.concat(parts)
  const length = body.length < 128 ?
    [body.length] :
    body.length < 256 ?
    [0x81, body.length] :
    [0x82, body.length >> 8, body.length & 255]
  return Uint8Array.of(tag, ...length, ...body)
}

const ascii = (value: string): Uint8Array => Buffer.from(value, "utf8")
const sequence = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => tlv(0x30, ...parts)
const boolean = (value: boolean): Uint8Array => tlv(1, Uint8Array.of(value ? 255 : 0))

export const oid = (value: string): Uint8Array => {
  const [first = 0, second = 0, ...rest] = value.split(".").map(Number)
  const bytes = [first * 40 + second]
  for (const arc of rest) {
    const groups = [arc & 127]
    for (let left = arc >> 7; left > 0; left >>= 7) groups.unshift((left & 127) | 128)
    bytes.push(...groups)
  }
  return tlv(6, Uint8Array.from(bytes))
}

/** Attributes of one name, each in a set of its own. */
const name = (attributes: ReadonlyArray<readonly [type: string, value: string]>): Uint8Array =>
  sequence(...attributes.map(([type, value]) => tlv(0x31, sequence(oid(type), tlv(0x0c, ascii(value))))))

const time = (value: string): Uint8Array => tlv(0x18, ascii(value))

const extension = (type: string, critical: boolean, value: Uint8Array): Uint8Array =>
  sequence(oid(type), ...(critical ? [boolean(true)] : []), tlv(4, value))

export interface Order {
  readonly subject?: ReadonlyArray<readonly [type: string, value: string]>
  readonly issuer?: ReadonlyArray<readonly [type: string, value: string]>
  /** GeneralizedTime */
  readonly notBefore?: string
  readonly notAfter?: string
  readonly key: KeyObject
  /** ECDSA with SHA-256, or RSA PKCS#1 with SHA-256, by the kind of key. */
  readonly signer: KeyObject
  readonly authority?: boolean
  readonly hosts?: ReadonlyArray<string>
  readonly addresses?: ReadonlyArray<ReadonlyArray<number>>
  readonly purposes?: ReadonlyArray<string>
}

export const commonName = "2.5.4.3"

export const certificate = (order: Order): Uint8Array => {
  const algorithm = order.signer.asymmetricKeyType === "rsa" ?
    sequence(oid("1.2.840.113549.1.1.11"), tlv(5)) :
    sequence(oid("1.2.840.10045.4.3.2"))
  const names = [
    ...(order.hosts ?? []).map((host) => tlv(0x82, ascii(host))),
    ...(order.addresses ?? []).map((address) => tlv(0x87, Uint8Array.from(address)))
  ]
  const extensions = [
    ...(order.authority === undefined ? [] : [
      extension("2.5.29.19", true, sequence(...(order.authority ? [boolean(true)] : [])))
    ]),
    ...(names.length === 0 ? [] : [extension("2.5.29.17", false, sequence(...names))]),
    ...(order.purposes === undefined ? [] : [extension("2.5.29.37", false, sequence(...order.purposes.map(oid)))])
  ]
  const subject = order.subject ?? [[commonName, "subject"]]
  const body = sequence(
    tlv(0xa0, tlv(2, Uint8Array.of(2))),
    tlv(2, Uint8Array.of(1)),
    algorithm,
    name(order.issuer ?? subject),
    sequence(time(order.notBefore ?? "20260101000000Z"), time(order.notAfter ?? "20360101000000Z")),
    name(subject),
    order.key.export({ format: "der", type: "spki" }),
    ...(extensions.length === 0 ? [] : [tlv(0xa3, sequence(...extensions))])
  )
  return sequence(body, algorithm, tlv(3, Uint8Array.of(0), sign("sha256", body, order.signer)))
}

export const ecKey = (namedCurve = "P-256") => generateKeyPairSync("ec", { namedCurve })
export const rsaKey = (modulusLength = 2048) => generateKeyPairSync("rsa", { modulusLength })
