import * as Effect from "effect/Effect"
import { readdirSync, readFileSync, readlinkSync } from "node:fs"
import type { HarnessError } from "./HarnessError.ts"
import type { PeerProcess } from "./Process.ts"

const LISTEN = "0A"

const orUndefined = <A>(read: () => A): A | undefined => {
  try {
    return read()
  } catch {
    return undefined // the process, or the table, is gone
  }
}

/** inode -> port of every listening TCP socket in one of the kernel's tables */
const listeners = (table: "tcp" | "tcp6"): ReadonlyMap<string, number> => {
  const ports = new Map<string, number>()
  for (const line of (orUndefined(() => readFileSync(`/proc/net/${table}`, "latin1")) ?? "").split("\n").slice(1)) {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/)
    if (state !== LISTEN || local === undefined || inode === undefined) continue
    ports.set(inode, Number.parseInt(local.slice(local.lastIndexOf(":") + 1), 16))
  }
  return ports
}

const socketsOf = (pid: number): ReadonlyArray<string> =>
  (orUndefined(() => readdirSync(`/proc/${pid}/fd`)) ?? []).flatMap((fd) => {
    const inode = orUndefined(() => readlinkSync(`/proc/${pid}/fd/${fd}`))?.match(/^socket:\[(\d+)\]$/)?.[1]
    return inode === undefined ? [] : [inode]
  })

/** The port on which process `pid` listens now; its IPv4 socket is preferred. */
export const listeningPort = (pid: number): number | undefined => {
  const sockets = socketsOf(pid)
  for (const table of ["tcp", "tcp6"] as const) {
    const ports = listeners(table)
    for (const inode of sockets) {
      const port = ports.get(inode)
      if (port !== undefined) return port
    }
  }
  return undefined
}

/**
 * Waits until the peer listens, and tells where. The kernel's own tables are asked: a probing connection would spoil
 * servers that count connections, and a server started on port 0 cannot collide with another test.
 */
export const awaitListening = (peer: PeerProcess): Effect.Effect<number, HarnessError> =>
  peer.until("listening on a TCP port", () => {
    const port = listeningPort(peer.pid)
    return port === undefined ? undefined : Effect.succeed(port)
  }, 5)
