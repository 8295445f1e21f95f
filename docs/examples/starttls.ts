/**
 * A conversation that begins in the clear and goes on under TLS, as SMTP does it with STARTTLS.
 */
import { Data, Effect, Stream } from "effect"
import { TlsClient } from "effect-tls"
import * as Socket from "effect/socket/Socket"

/** The server does not begin TLS, and says so. */
export class NotStarted extends Data.TaggedError("NotStarted")<{ readonly answer: string }> {}

const text = (chunk: Uint8Array | string): string =>
  typeof chunk === "string" ? chunk : new TextDecoder("latin1").decode(chunk)

/**
 * Asks for TLS, and says hello under it. What the server sent behind its `220` came in the clear, from the server or from
 * somebody on the path: it is handed to `upgrade`, which refuses to begin behind it.
 */
export const greet = (serverName: string) =>
  Effect.gen(function*() {
    const socket = yield* Socket.Socket
    const reader = yield* socket.reader
    const writer = yield* socket.writer
    yield* writer.write("STARTTLS\r\n")
    let answer = ""
    while (!answer.includes("\n")) answer += (yield* reader.pull).map(text).join("")
    const [line = "", ...rest] = answer.split("\n")
    if (!line.startsWith("220")) return yield* new NotStarted({ answer: line.trimEnd() })
    const unread = new TextEncoder().encode(rest.join("\n"))
    const tls = yield* TlsClient.upgrade({ reader, writer, unread }, { serverName })
    yield* tls.write(new TextEncoder().encode("EHLO client\r\n"))
    return yield* Stream.mkString(Stream.decodeText(tls.stream))
  }).pipe(Effect.scoped)
