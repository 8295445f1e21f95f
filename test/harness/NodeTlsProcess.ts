import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { fileURLToPath } from "node:url"
import type { SecureVersion } from "node:tls"
import type { HarnessError } from "./HarnessError.ts"
import type { PeerServer } from "./OpenSsl.ts"
import { type PeerProcess, spawnPeer } from "./Process.ts"

interface Versions {
  readonly version: { readonly minVersion: SecureVersion; readonly maxVersion: SecureVersion }
}

/** What the process is told, as JSON in its argument. */
export type NodeTlsTask =
  & Versions
  & (
    | { readonly role: "client"; readonly port: number; readonly caFile: string }
    | { readonly role: "server"; readonly cert: string; readonly key: string }
  )

const main = fileURLToPath(new URL("NodeTlsMain.ts", import.meta.url))

const start = (task: NodeTlsTask): Effect.Effect<PeerProcess, HarnessError, Scope.Scope> =>
  spawnPeer(process.execPath, [main, JSON.stringify(task)])

/** node:tls as a client in a process of its own, to localhost: its input goes to the server, what the server says is its output. */
export const nodeTlsClientProcess = (
  options: Versions & { readonly port: number; readonly caFile: string }
): Effect.Effect<PeerProcess, HarnessError, Scope.Scope> => start({ role: "client", ...options })

/** node:tls as a server in a process of its own, which echoes. */
export const nodeTlsServerProcess = (
  options: Versions & { readonly cert: string; readonly key: string }
): Effect.Effect<PeerServer, HarnessError, Scope.Scope> =>
  Effect.gen(function*() {
    const process = yield* start({ role: "server", ...options })
    const [, port] = yield* process.waitFor(/^listening on (\d+)\n/m)
    return { port: Number(port), process }
  })
