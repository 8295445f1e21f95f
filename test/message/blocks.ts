/** A block of extensions in each message that carries one. */
import * as Result from "effect/Result"
import type { Fault } from "../../src/alert/Fault.ts"
import type { Extension, ExtensionForm } from "../../src/message/Extension.ts"
import { decodeHandshake, encodeHandshake, type HandshakeMessage } from "../../src/message/HandshakeMessage.ts"
import { makeHelloRetryRandom } from "../../src/message/ServerHello.ts"
import { hex, toHex } from "../platform/vectors.ts"

const random = "07".repeat(32)
const retryRandom = "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"

/** The type of each message, and what comes before its extensions; a Certificate has lengths of its own around them. */
const places: { readonly [Form in ExtensionForm]: readonly [type: number, before: string] } = {
  ClientHello: [1, `0303${random}000002c02b0100`],
  ServerHello: [2, `0303${random}00c02b00`],
  HelloRetryRequest: [2, `0303${retryRandom}00130100`],
  EncryptedExtensions: [8, ""],
  Certificate: [11, ""],
  CertificateRequest: [13, "00"],
  NewSessionTicket: [4, "000000090000000700000101"]
}

export const forms: ReadonlyArray<ExtensionForm> = [
  "ClientHello",
  "ServerHello",
  "HelloRetryRequest",
  "EncryptedExtensions",
  "Certificate",
  "CertificateRequest",
  "NewSessionTicket"
]

/** As the fault calls it. */
export const messageOf = (form: ExtensionForm): string => form === "HelloRetryRequest" ? "ServerHello" : form

const sized = (digits: string, bytes: number): string =>
  (digits.length / 2).toString(16).padStart(2 * bytes, "0") + digits

const bodyOf = (form: ExtensionForm, block: string): string =>
  form === "Certificate" ? `00${sized(`000001aa${sized(block, 2)}`, 3)}` : places[form][1] + sized(block, 2)

const extensionsOf = (message: HandshakeMessage): ReadonlyArray<Extension> =>
  message._tag === "Certificate13"
    ? message.entries.flatMap(({ extensions }) => extensions)
    : "extensions" in message
    ? message.extensions
    : []

/** The extensions of a message with this block, given without its length and with spaces where one likes. */
export const read = (form: ExtensionForm, spaced: string): ReadonlyArray<Extension> | Fault => {
  const isHello = form === "ClientHello" || form === "ServerHello" || form === "HelloRetryRequest"
  const body = hex(bodyOf(form, spaced.replaceAll(" ", "")))
  const decoded = decodeHandshake(places[form][0], body, isHello ? "undecided" : "1.3")
  return Result.isFailure(decoded) ? decoded.failure : extensionsOf(decoded.success)
}

const messageWith = (form: ExtensionForm, extensions: ReadonlyArray<Extension>): HandshakeMessage => {
  const hello = { version: 0x0303, random: new Uint8Array(32).fill(7), sessionId: new Uint8Array() }
  const context = new Uint8Array()
  switch (form) {
    case "ClientHello":
      return { _tag: form, ...hello, cipherSuites: [0xc02b], compressionMethods: [0], extensions }
    case "ServerHello":
      return { _tag: form, ...hello, cipherSuite: 0xc02b, compressionMethod: 0, extensions }
    case "HelloRetryRequest": {
      const random = makeHelloRetryRandom()
      return { _tag: "ServerHello", ...hello, random, cipherSuite: 0x1301, compressionMethod: 0, extensions }
    }
    case "EncryptedExtensions":
      return { _tag: form, extensions }
    case "Certificate":
      return { _tag: "Certificate13", context, entries: [{ certificate: Uint8Array.of(0xaa), extensions }] }
    case "CertificateRequest":
      return { _tag: "CertificateRequest13", context, extensions }
    case "NewSessionTicket":
      return { _tag: form, lifetime: 9, ageAdd: 7, nonce: context, ticket: Uint8Array.of(1), extensions }
  }
}

/** Whether these extensions are written as this block, with the right message around them. */
export const isWrittenAs = (form: ExtensionForm, extensions: ReadonlyArray<Extension>, spaced: string): boolean => {
  const body = bodyOf(form, spaced.replaceAll(" ", ""))
  const type = places[form][0].toString(16).padStart(2, "0")
  return toHex(encodeHandshake(messageWith(form, extensions))) === type + sized(body, 3)
}

export const write = (form: ExtensionForm, extensions: ReadonlyArray<Extension>): Uint8Array =>
  encodeHandshake(messageWith(form, extensions))
