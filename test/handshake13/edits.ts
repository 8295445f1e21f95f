/** How messages are made wrong, or merely different. */
import {
  type Extension,
  type ExtensionForm,
  findExtension,
  type KnownExtension,
  type UnknownExtension
} from "../../src/message/Extension.ts"
import { writeExtensions } from "../../src/message/ExtensionCodec.ts"
import type { HandshakeMessage } from "../../src/message/HandshakeMessage.ts"
import { concat, fromHex } from "../../src/wire/Bytes.ts"
import { Writer } from "../../src/wire/Writer.ts"
import type { Puppet } from "./puppet.ts"

interface Extended {
  readonly extensions: ReadonlyArray<Extension>
}

type Edit = <M extends Extended>(message: M) => M

/** In front of the others: a pre_shared_key stays the last. */
export const plus = (...extensions: ReadonlyArray<Extension>): Edit => (message) => ({
  ...message,
  extensions: [...extensions, ...message.extensions]
})

export const without = (...tags: ReadonlyArray<Extension["_tag"]>): Edit => (message) => ({
  ...message,
  extensions: message.extensions.filter(({ _tag }) => !tags.includes(_tag))
})

/** In the place of the extension of the same tag. */
export const put = (...given: ReadonlyArray<KnownExtension>): Edit => (message) => ({
  ...message,
  extensions: message.extensions.map((extension) => given.find(({ _tag }) => _tag === extension._tag) ?? extension)
})

export const pskOf = ({ extensions }: Extended) => {
  const psk = findExtension(extensions, "PreSharedKeys")
  if (psk === undefined) throw new Error("there is no pre_shared_key")
  return psk
}

export const unknown = (type: number, data = ""): Extension => ({ _tag: "UnknownExtension", type, data: fromHex(data) })

/** A move that says the message after an edit. */
export const says =
  <M extends HandshakeMessage>(edit: (message: M) => HandshakeMessage) => (puppet: Puppet, message: M): void =>
    puppet.say(edit(message))

/** A move that says the bytes of the message after an edit; the length in the header is made to fit. */
export const saysBytes =
  (edit: (body: Uint8Array) => Uint8Array) => (puppet: Puppet, message: HandshakeMessage): void => {
    const bytes = puppet.encode(message)
    const body = edit(bytes.slice(4))
    puppet.say(concat([Uint8Array.of(bytes[0] ?? 0, body.length >> 16, body.length >> 8, body.length), body]))
  }

/** RFC 8701. */
export const grease = {
  suite: 0x0a0a,
  group: 0x1a1a,
  extension: 0x2a2a,
  version: 0x3a3a,
  scheme: 0x4a4a,
  psk: 0x4b
} as const

/** An extension as bytes of its type, in the form that it has in a message. */
export const rawOf = (extension: KnownExtension, form: ExtensionForm): UnknownExtension => {
  const writer = new Writer()
  writeExtensions(writer, [extension], form)
  const bytes = writer.finish()
  return { _tag: "UnknownExtension", type: ((bytes[2] ?? 0) << 8) | (bytes[3] ?? 0), data: bytes.subarray(6) }
}

/** With a byte too many in it. */
export const swollen = (extension: KnownExtension, form: ExtensionForm): UnknownExtension => {
  const raw = rawOf(extension, form)
  return { ...raw, data: Uint8Array.of(...raw.data, 0) }
}
