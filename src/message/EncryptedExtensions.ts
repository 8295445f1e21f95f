/**
 * The EncryptedExtensions message of TLS 1.3, RFC 8446 section 4.3.1.
 *
 * @since 0.1.0
 */
import { HandshakeType } from "../wire/CodePoints.ts"
import type { Extension } from "./Extension.ts"
import { readExtensions, writeExtensions } from "./ExtensionCodec.ts"
import type { MessageCodec } from "./Syntax.ts"

/**
 * RFC 8446 section 4.3.1.
 *
 * @category models
 * @since 0.1.0
 */
export interface EncryptedExtensions {
  readonly _tag: "EncryptedExtensions"
  readonly extensions: ReadonlyArray<Extension>
}

/**
 * @category codecs
 * @since 0.1.0
 */
export const encryptedExtensions: MessageCodec<EncryptedExtensions> = {
  type: HandshakeType.encrypted_extensions,
  decode: (body) => ({ _tag: "EncryptedExtensions", extensions: readExtensions(body, "EncryptedExtensions") }),
  encode: (body, { extensions }) => writeExtensions(body, extensions, "EncryptedExtensions")
}
