/** Which field of a message a byte belongs to, and which alerts RFC 5246 and its companions have for a wrong one. */
import type { Unit } from "./world.ts"

/**
 * What may come of one turned bit. The side that receives it may answer with one of the alerts `sent`. Where it cannot tell, it
 * goes on, and it is told by the other side (`received`), in the end because of its Finished. A length that has grown may swallow
 * what follows, and both sides wait (`timeout`). Nothing at all may come of it (`clean`) only where nothing depends on it.
 */
export interface Field {
  readonly name: string
  readonly sent: ReadonlyArray<number>
  readonly else: ReadonlyArray<"received" | "timeout" | "clean">
}

/** The keys or the transcripts differ: Finished does not open, or does not verify, RFC 5246 sections 7.4.9 and 6.2.3.3. */
const later = [20, 51]

const certain = (name: string, ...sent: ReadonlyArray<number>): Field => ({ name, sent, else: [] })

const perhaps = (name: string, ...sent: ReadonlyArray<number>): Field => ({
  name,
  sent: [...sent, ...later],
  else: ["received"]
})

type Sized = readonly [length: number, field: Field]

const helloStart = (random: Field): ReadonlyArray<Sized> => [[2, version], [32, random], [1, sessionIdLength]]

// RFC 5246 section 7.4.1.3: a version that was not offered, or is not spoken: protocol_version. A higher one is in order
// where a client names it (appendix E.1), and so is what comes of it.
const version = perhaps("version", 70)
const sessionIdLength = certain("session_id length", 50, 47)
// unsupported_extension, illegal_parameter, decode_error, and what the absence of an extension comes to.
const extensions = perhaps("extensions", 40, 47, 50, 109, 110, 112, 120)
const signature: ReadonlyArray<Sized> = [
  [2, certain("signature algorithm", 40, 47, 51)],
  [2, certain("signature length", 50)],
  [Infinity, certain("signature", 51)]
]
// Section 7.2.2: each alert that is about a certificate, for whatever the bit makes of it.
const certificate: ReadonlyArray<Sized> = [
  [3, certain("certificate_list length", 50)],
  [3, certain("certificate length", 50, 42)],
  [Infinity, certain("certificate", 42, 43, 44, 45, 46, 48, 49)]
]

const byteAt = (bytes: Uint8Array, at: number): number => bytes[at] ?? 0

/** The fields of a message body in order, RFC 5246 section 7.4 and RFC 8422 section 5. */
const bodyOf = (unit: Unit, body: Uint8Array, isResumed: boolean): ReadonlyArray<Sized> => {
  const idLength = byteAt(body, 34)
  switch (unit) {
    case "ClientHello":
      return [
        ...helloStart(perhaps("random")),
        // Unknown, it is declined, and the full handshake that follows has another transcript for each side.
        [idLength, perhaps("session_id", 10)],
        [2, certain("cipher_suites length", 50, 47)],
        [byteAt(body, 36 + idLength), perhaps("cipher_suites", 40, 47)],
        [1, certain("compression_methods length", 50, 47)],
        [1, certain("compression_methods", 47)],
        [Infinity, extensions]
      ]
    case "ServerHello":
      return [
        // The random is signed by ServerKeyExchange; where there is none, the keys depend on it.
        ...helloStart(isResumed ? certain("random", 20) : certain("random", 51)),
        [idLength, perhaps("session_id", ...(isResumed ? [10] : []))],
        // Another suite that was offered may ask for another kind of certificate.
        [2, perhaps("cipher_suite", 40, 43, 47)],
        [1, certain("compression_method", 47)],
        [Infinity, extensions]
      ]
    case "Certificate":
      return certificate
    case "ServerKeyExchange":
      return [
        [1, certain("curve_type", 40, 47, 50)],
        [2, certain("named_curve", 40, 47, 51)],
        [1, certain("public length", 50)],
        [byteAt(body, 3), certain("public", 51)],
        ...signature
      ]
    case "CertificateRequest": {
      const types = byteAt(body, 0)
      return [
        [1, certain("certificate_types length", 50)],
        [types, perhaps("certificate_types", 47)],
        [2, certain("supported_signature_algorithms length", 50)],
        [256 * byteAt(body, 1 + types) + byteAt(body, 2 + types), perhaps("supported_signature_algorithms", 40, 47)],
        [2, certain("certificate_authorities length", 50)],
        [Infinity, perhaps("certificate_authorities", 50)]
      ]
    }
    case "ClientKeyExchange":
      return [[1, certain("ecdh_Yc length", 50)], [Infinity, perhaps("ecdh_Yc", 47)]]
    case "CertificateVerify":
      return signature
    case "NewSessionTicket12":
      // What a ticket says is the server's business; the client keeps it, and Finished tells that it was another one.
      return [[4, certain("ticket_lifetime_hint", 51)], [2, certain("ticket length", 50)], [
        Infinity,
        certain("ticket", 51)
      ]]
    case "Finished":
      return [[Infinity, certain("verify_data", 51)]]
    case "ServerHelloDone":
    case "ChangeCipherSpec":
      return []
  }
}

/** A HelloRequest, whose type is one bit from others, has no body and no use at a server. */
const messageType = certain("msg_type", 10, 50)
const messageLength: Field = {
  name: "length",
  // Too long for our limits, another length than that of its fields, or ChangeCipherSpec inside of it.
  sent: [10, 46, 47, 50],
  else: ["timeout"]
}

/** The field of the byte at `at` of a message, header included, or of ChangeCipherSpec. */
export const fieldAt = (unit: Unit, bytes: Uint8Array, at: number, isResumed: boolean): Field => {
  if (unit === "ChangeCipherSpec") return certain("type", 10, 47, 50)
  if (at === 0) return messageType
  if (at < 4) return messageLength
  let left = at - 4
  for (const [length, field] of bodyOf(unit, bytes.subarray(4), isResumed)) {
    if (left < length) return field
    left -= length
  }
  throw new Error(`${unit} has no field at ${at}`)
}

/** The field of the byte at `at` of a record; `isSettled`: the version of records is known by then. */
export const recordFieldAt = (at: number, isProtected: boolean, isSettled: boolean): Field => {
  switch (at) {
    case 0:
      // Another protocol with the same bytes, or the tag, which covers the type.
      return { ...certain("content type", 10, 47, 50, ...(isProtected ? [20] : [])), else: ["timeout"] }
    case 1:
      return certain("major version", 70)
    case 2:
      return isSettled ? certain("minor version", 70) : { ...certain("minor version"), else: ["clean"] }
    case 3:
    case 4:
      // What is cut off, or swallowed, is read as something else.
      return { ...certain("length", 10, 22, 47, 50, 70, ...(isProtected ? [20] : [])), else: ["timeout"] }
    default:
      if (!isProtected) throw new Error("the fragment is a message, with fields of its own")
      return certain("fragment", 20)
  }
}
