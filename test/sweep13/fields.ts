/** Which field of a message of TLS 1.3 a byte belongs to, and which alerts RFC 8446 has for a wrong one. */
import type { Unit } from "../handshake13/stories.ts"
import { dueAt, isProtected, isResumed, isUndecided, type Place } from "./places.ts"

/**
 * What may come of one turned bit. The subject may answer with one of the alerts `sent`. Where it cannot tell, it goes on, and the
 * other side refuses what comes of it (`received`). A length that has grown may swallow what follows, and both sides wait
 * (`timeout`). What the peer is free to say is no fault at all (`clean`).
 */
export interface Field {
  readonly name: string
  readonly sent: ReadonlyArray<number>
  readonly else: ReadonlyArray<"received" | "timeout" | "clean">
}

const certain = (name: string, ...sent: ReadonlyArray<number>): Field => ({ name, sent, else: [] })
const free = (name: string, ...sent: ReadonlyArray<number>): Field => ({ name, sent, else: ["clean"] })
/** Where both sides go on with other keys, or the peer with another opinion. */
const perhaps = (name: string, ...sent: ReadonlyArray<number>): Field => ({ name, sent, else: ["received", "clean"] })

type Sized = readonly [length: number, field: Field]

const extensionsLength: Sized = [2, certain("extensions length", 50)]

/** A known extension turns into one that has no place here, or into one that nobody knows, and is missed or is not. */
const typeIn: Readonly<Record<"ClientHello" | "ServerHello" | "CertificateRequest", Field>> = {
  // missing_extension; without supported_versions it is the hello of another version, with nothing in common.
  ClientHello: perhaps("extension type", 40, 47, 50, 70, 109),
  // unsupported_extension; without supported_versions the suite is not that of the version.
  ServerHello: certain("extension type", 47, 50, 70, 109, 110),
  CertificateRequest: free("extension type", 47, 50, 109)
}

/** What is in the extensions of a hello, by their number. */
const inClientHello: Readonly<Record<number, Field>> = {
  0: free("server_name", 47, 50, 112),
  10: perhaps("supported_groups", 40, 47, 50),
  13: free("signature_algorithms", 40, 50),
  43: certain("supported_versions", 40, 50, 70),
  // Section 4.2.9: without the mode there is no resumption.
  45: free("psk_key_exchange_modes", 50),
  51: perhaps("key_share", 47, 50),
  // A ticket that nobody knows is declined.
  41: free("pre_shared_key", 47, 50, 51)
}

const inServerHello: Readonly<Record<number, Field>> = {
  43: certain("supported_versions", 47, 50, 70),
  // The keys of the client open nothing; the one bit of X25519 that counts for nothing is right either way.
  51: { name: "key_share", sent: [20, 47, 50], else: ["clean"] },
  41: certain("pre_shared_key", 47, 50)
}

const inCertificateRequest: Readonly<Record<number, Field>> = {
  // A client with nothing that fits has no certificate.
  13: free("signature_algorithms", 40, 50)
}

const uint = (bytes: Uint8Array, at: number, length: number): number =>
  bytes.subarray(at, at + length).reduce((value, byte) => value * 256 + byte, 0)

/** The extensions of a message, from the length of their list on. */
const extensionsOf = (list: Uint8Array, type: Field, data: Readonly<Record<number, Field>>): ReadonlyArray<Sized> => {
  const fields: Array<Sized> = [extensionsLength]
  for (let at = 2; at < list.length; at += 4 + uint(list, at + 2, 2)) {
    const number = uint(list, at, 2)
    const field = data[number]
    if (field === undefined) throw new Error(`extension ${number} is not known here`)
    // What is too long or too short reads as other extensions.
    const length = certain(`${field.name}, length`, ...type.sent)
    fields.push([2, type], [2, length], [uint(list, at + 2, 2), field])
  }
  return fields
}

const idAt = 2 + 32

const clientHello = (body: Uint8Array): ReadonlyArray<Sized> => {
  const id = uint(body, idAt, 1)
  const suites = uint(body, idAt + 1 + id, 2)
  return [
    // RFC 9846 section 4.2.2.
    [2, certain("legacy_version", 70)],
    [32, free("random")],
    [1, certain("legacy_session_id length", 47, 50)],
    [id, free("legacy_session_id")],
    [2, certain("cipher_suites length", 47, 50)],
    [suites, { name: "cipher_suites", sent: [40], else: ["received"] }],
    [1, certain("legacy_compression_methods length", 47, 50)],
    [1, certain("legacy_compression_methods", 47)],
    ...extensionsOf(body.subarray(idAt + 1 + id + 2 + suites + 2), typeIn.ClientHello, inClientHello)
  ]
}

const serverHello = (body: Uint8Array, random: Field): ReadonlyArray<Sized> => {
  const id = uint(body, idAt, 1)
  return [
    [2, certain("legacy_version", 47, 70)],
    [32, random],
    [1, certain("legacy_session_id_echo length", 47, 50)],
    [id, certain("legacy_session_id_echo", 47)],
    // Another one that was offered has other keys.
    [2, certain("cipher_suite", 20, 47)],
    [1, certain("legacy_compression_method", 47)],
    ...extensionsOf(body.subarray(idAt + 1 + id + 3), typeIn.ServerHello, inServerHello)
  ]
}

const contextLength: Sized = [1, certain("certificate_request_context length", 47, 50)]

/** The fields of a message body in order, RFC 8446 section 4. */
const bodyOf = (unit: Unit, body: Uint8Array): ReadonlyArray<Sized> => {
  switch (unit) {
    case "ClientHello":
    case "SecondHello":
      return clientHello(body)
    case "ServerHello":
      return serverHello(body, free("random"))
    case "HelloRetryRequest":
      // Another one says ServerHello, which has other extensions.
      return serverHello(body, certain("random", 47, 50, 109))
    case "EncryptedExtensions":
      return [extensionsLength]
    case "CertificateRequest":
      return [contextLength, ...extensionsOf(body.subarray(1), typeIn.CertificateRequest, inCertificateRequest)]
    case "Certificate": {
      const length = uint(body, 4, 3)
      return [
        contextLength,
        [3, certain("certificate_list length", 50)],
        [3, certain("cert_data length", 42, 50)],
        // Section 6.2: each alert that is about a certificate, for whatever the bit makes of it.
        [length, certain("cert_data", 42, 43, 44, 45, 46, 48, 49)],
        extensionsLength
      ]
    }
    case "CertificateVerify":
      return [
        [2, certain("algorithm", 47)],
        [2, certain("signature length", 50)],
        [Infinity, certain("signature", 51)]
      ]
    case "Finished":
      return [[Infinity, certain("verify_data", 51)]]
  }
}

/** Another type has no place here; a HelloRequest, one bit away from a ServerHello, has no body. */
const messageType = certain("msg_type", 10, 50)

const messageLength: Field = {
  name: "length",
  // Too long for our limits, another length than that of its fields, or inside of it new keys, or something else.
  sent: [10, 20, 46, 47, 50],
  else: ["timeout"]
}

/** What else comes of a field in this setting. */
const inPlace = (place: Place, field: Field): Field => {
  if (place.subject !== "server" || isProtected(place)) return field
  const isFirst = isUndecided(place)
  // Section 4.1.2: the second hello is as the first.
  const isBound = place.flow.endsWith("HelloRetryRequest")
  const sent = [
    ...field.sent,
    ...(isBound ? [47] : []),
    // Section 4.2.11.2: the binder covers all the rest.
    ...(isResumed(place) && !(isBound && isFirst) ? [51] : [])
  ]
  return { ...field, sent }
}

/** The field of the byte at `at` of what is due, header included. */
export const fieldAt = (place: Place, bytes: Uint8Array, at: number): Field => {
  const unit = dueAt(place)
  if (unit === undefined) throw new Error("nothing is due")
  if (at === 0) return messageType
  if (at < 4) return messageLength
  let left = at - 4
  for (const [length, field] of bodyOf(unit, bytes.subarray(4))) {
    if (left < length) return inPlace(place, field)
    left -= length
  }
  throw new Error(`${unit} has no field at ${at}`)
}

/** The field of the byte at `at` of the record, RFC 8446 section 5. */
export const recordFieldAt = (place: Place, at: number): Field => {
  const mac = isProtected(place) ? [20] : []
  switch (at) {
    case 0:
      // Another protocol with the same bytes: an alert of that length, a handshake message in the clear, ...
      return { ...certain("opaque_type", 10, 50), else: [] }
    case 1:
      if (isProtected(place)) return certain("major version", 20)
      return isUndecided(place) ? certain("major version", 70) : free("major version")
    case 2:
      return isProtected(place) ? certain("minor version", 20) : free("minor version")
    case 3:
    case 4:
      // What is cut off, or swallowed, is read as something else.
      return { ...certain("length", 10, 22, 46, 47, 50, 70, ...mac), else: ["timeout"] }
    default:
      return certain("encrypted_record", 20)
  }
}
