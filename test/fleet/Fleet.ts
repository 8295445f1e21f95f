/** Several processes of `effect-tls serve` that share a Redis, and foreign clients that come and go between them. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { randomBytes } from "node:crypto"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import type { ConnectionOptions } from "node:tls"
import { nodeArguments } from "../cli/Command.ts"
import type { HarnessError } from "../harness/HarnessError.ts"
import { nodeTlsClient } from "../harness/NodeTls.ts"
import { openSslClient } from "../harness/OpenSsl.ts"
import { pkiFiles } from "../harness/PkiFiles.ts"
import { type PeerProcess, spawnPeer } from "../harness/Process.ts"
import { tamperingProxy } from "../harness/TamperingProxy.ts"
import { contentType, contentTypes, flipBits } from "../harness/TlsRecords.ts"

/** How a session is known. */
export type Kind = "1.2 by identifier" | "1.2 by ticket" | "1.3 by ticket"

export const kinds: ReadonlyArray<Kind> = ["1.2 by identifier", "1.2 by ticket", "1.3 by ticket"]

const flagsOf: Readonly<
  Record<Kind, { readonly version: "-tls1_2" | "-tls1_3"; readonly extra: ReadonlyArray<string> }>
> = {
  "1.2 by identifier": { version: "-tls1_2", extra: ["-no_ticket"] },
  "1.2 by ticket": { version: "-tls1_2", extra: [] },
  "1.3 by ticket": { version: "-tls1_3", extra: [] }
}

/** One server of the fleet. */
export interface Member {
  readonly port: number
  readonly process: PeerProcess
}

/** What a client saw: a full handshake or a resumed one, by its own account and by that of the page it was given. */
export type Handshake = "full" | "resumed"

export interface Fleet {
  readonly start: Effect.Effect<Member, HarnessError, Scope.Scope>
  /** A whole visit of `openssl s_client` with the session in a file, if there is one; a new session is left in `leaves`. */
  readonly visit: (
    to: Member,
    options: { readonly kind: Kind; readonly brings?: string; readonly leaves?: string }
  ) => Effect.Effect<Handshake, HarnessError>
  /** A client that brings the session, is resumed, stays, and can be made to break the connection. */
  readonly stay: (to: Member, kind: Kind, brings: string) => Effect.Effect<Guest, HarnessError, Scope.Scope>
  /** A visit of `node:tls`, and the session it leaves with. */
  readonly visitByNode: (
    to: Member,
    options: ConnectionOptions
  ) => Effect.Effect<{ readonly handshake: Handshake; readonly session: Buffer | undefined }, HarnessError>
  /** A file for a session. */
  readonly file: (name: string) => string
}

export interface Guest {
  /** Spoils a record on its way: the side that reads it sends a fatal alert. Ends when the client has heard, or said, it. */
  readonly die: (by: "server" | "client") => Effect.Effect<void, HarnessError>
  /** The same, without waiting. */
  readonly spoil: (by: "server" | "client") => Effect.Effect<void>
  readonly heard: Effect.Effect<void, HarnessError>
}

const request = "GET / HTTP/1.0\r\n\r\n"
const isData = (record: Uint8Array): boolean => contentType(record) === contentTypes.applicationData

/** What the page says, and what the client says, which is the same. */
const agreed = (output: string): Handshake => {
  const page = output.match(/^handshake +(full|resumed)$/m)?.[1]
  const client = output.match(/^(New|Reused), TLSv1\.[23]/m)?.[1]
  assert.strictEqual(page, client === "Reused" ? "resumed" : "full", output)
  return page === "resumed" ? "resumed" : "full"
}

export const fleetOver = (
  sessionCache: string,
  env: Readonly<Record<string, string>> = { EFFECT_TLS_SESSION_KEYS: randomBytes(32).toString("base64") }
): Effect.Effect<Fleet, never, Scope.Scope> =>
  Effect.gen(function*() {
    const files = yield* pkiFiles("ec")
    const { cert, key } = files.of("ec")
    const ca = yield* Effect.promise(() => readFile(files.ca, "utf8"))
    const arguments_ = [
      ...nodeArguments,
      ["serve", "--port", "0", "--host", "127.0.0.1"],
      ["--cert", cert, "--key", key, "--session-cache", sessionCache]
    ].flat()

    const client = (port: number, kind: Kind, extra: ReadonlyArray<string>) => {
      const flags = flagsOf[kind]
      return openSslClient({
        port,
        caFile: files.ca,
        version: flags.version,
        extra: [...flags.extra, ...extra, "-nocommands", "-ign_eof"]
      })
    }

    return {
      file: (name) => join(files.directory, name),
      start: Effect.gen(function*() {
        const member = yield* spawnPeer(process.execPath, arguments_, { env: { ...env, FORCE_COLOR: "0" } })
        const [, port] = yield* member.waitFor(/^listening on 127\.0\.0\.1:(\d+)\n/m)
        return { port: Number(port), process: member }
      }),
      visit: (to, { brings, kind, leaves }) =>
        Effect.scoped(Effect.gen(function*() {
          const extra = [
            ...brings === undefined ? [] : ["-sess_in", brings],
            ...leaves === undefined ? [] : ["-sess_out", leaves]
          ]
          const visitor = yield* client(to.port, kind, extra)
          yield* visitor.send(request)
          assert.strictEqual(yield* visitor.exit, 0, visitor.output)
          return agreed(visitor.output)
        })),
      stay: (to, kind, brings) =>
        Effect.gen(function*() {
          let spoiled: "server" | "client" | undefined
          const proxy = yield* tamperingProxy({
            to: to.port,
            onRecord: (direction, _, record) =>
              isData(record) && direction === (spoiled === "server" ? "clientToServer" : "serverToClient") &&
                spoiled !== undefined
                ? flipBits(record, -1)
                : record
          })
          const guest = yield* client(proxy.port, kind, ["-sess_in", brings])
          yield* guest.waitFor(/^Reused, TLSv1\.[23]/m)
          if (kind === "1.3 by ticket") {
            yield* proxy.until("the Finished of the client", () => proxy.seen.clientToServer.filter(isData).length > 0)
          }
          const spoil = (by: "server" | "client") =>
            Effect.suspend(() => {
              spoiled = by
              return guest.send(request)
            })
          const heard = Effect.asVoid(guest.waitFor(/SSL3 alert (?:read|write):fatal:bad record mac/))
          return { spoil, heard, die: (by) => Effect.andThen(spoil(by), heard) }
        }),
      visitByNode: (to, options) =>
        Effect.scoped(Effect.gen(function*() {
          const visitor = yield* nodeTlsClient({ ca, ...options, port: to.port })
          let session: Buffer | undefined
          visitor.socket.on("session", (given: Buffer) => {
            session = given
          })
          yield* visitor.secured
          const isReused = visitor.socket.isSessionReused()
          yield* visitor.send(request)
          yield* visitor.waitForEnd
          assert.deepStrictEqual(visitor.errors, [])
          const page = visitor.text.match(/^handshake +(full|resumed)$/m)?.[1]
          assert.strictEqual(page, isReused ? "resumed" : "full")
          return { handshake: isReused ? "resumed" : "full", session }
        }))
    }
  })
