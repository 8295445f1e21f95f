/**
 * The answer of `effect-tls serve` to an HTTP/1.x request: a page that says what was negotiated.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import type { TlsError } from "../alert/TlsError.ts"
import type { Connection } from "../connection/Connection.ts"
import type { Primitives } from "../secret/Primitives.ts"
import { toHex } from "../wire/Bytes.ts"
import { printable } from "./Printable.ts"

const maxHead = 16 * 1024
const patience = "30 seconds"

const statuses = {
  200: "OK",
  400: "Bad Request",
  408: "Request Timeout",
  431: "Request Header Fields Too Large"
} as const

const requestLine = /^(?:\r?\n)*([!#$%&'*+.^_`|~0-9A-Za-z-]+) \S+ HTTP\/1\.\d\r?\n/
const endOfHead = /\r?\n\r?\n/

/** Bytes as characters of the same code: what the lines of HTTP are made of. */
const latin1 = new TextDecoder("latin1")

/**
 * Reads the head of a request: up to the empty line, to a limit, or to the end of the data.
 *
 * @category combinators
 * @since 0.1.0
 */
export const readHead = (tls: Connection): Effect.Effect<string, TlsError> => {
  const more = (head: string): Effect.Effect<string, TlsError> =>
    endOfHead.test(head) || head.length > maxHead
      ? Effect.succeed(head)
      : tls.pull.pipe(
        Effect.map((chunks) => chunks.reduce((text, chunk) => text + latin1.decode(chunk), head)),
        Effect.flatMap(more),
        Pull.catchDone(() => Effect.succeed(head))
      )
  return more("")
}

/**
 * What was negotiated, as lines of text.
 *
 * @category formatting
 * @since 0.1.0
 */
export const facts = (tls: Connection, primitives: Primitives["Service"]): string => {
  const [leaf] = tls.peerCertificates
  const client = leaf === undefined ? undefined : primitives.parseCertificate(leaf)?.subject
  return [
    ["version", `TLS ${tls.version}`],
    ["cipher suite", tls.cipherSuite.name],
    ["handshake", tls.resumed ? "resumed" : "full"],
    ["session", tls.sessionId.length === 0 ? "none" : toHex(tls.sessionId)],
    ["ALPN", tls.alpnProtocol ?? "none"],
    ["server name", tls.serverName ?? "none"],
    ["client", client === undefined ? "no certificate" : printable(client.replaceAll("\n", ", "))]
  ].map(([name, value]) => `${name?.padEnd(14)}${value}\n`).join("")
}

const response = (status: keyof typeof statuses, body: string, hasBody: boolean): Uint8Array =>
  new TextEncoder().encode([
    `HTTP/1.1 ${status} ${statuses[status]}`,
    "Content-Type: text/plain; charset=utf-8",
    `Content-Length: ${new TextEncoder().encode(body).length}`,
    "Cache-Control: no-store",
    "Connection: close",
    "",
    hasBody ? body : ""
  ].join("\r\n"))

/**
 * Answers one request. What is no request, too long or too late is told so; an end without a request is answered with nothing.
 *
 * @category combinators
 * @since 0.1.0
 */
export const answer = (tls: Connection, primitives: Primitives["Service"]): Effect.Effect<void, TlsError> =>
  readHead(tls).pipe(
    Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.undefined }),
    Effect.flatMap((head) => {
      if (head === "") return Effect.void
      if (head === undefined) return tls.write(response(408, "No request came in time.\n", true))
      const [, method] = requestLine.exec(head) ?? []
      if (method !== undefined && endOfHead.test(head)) {
        return tls.write(response(200, facts(tls, primitives), method !== "HEAD"))
      }
      return head.length > maxHead
        ? tls.write(response(431, "The head of the request is too long.\n", true))
        : tls.write(response(400, "This is no HTTP/1.x request.\n", true))
    })
  )
