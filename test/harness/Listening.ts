import * as Effect from "effect/Effect"
import { closeSync, openSync, readdirSync, readlinkSync, readSync } from "node:fs"
import type { HarnessError } from "./HarnessError.ts"
import type { PeerProcess } from "./Process.ts"

const LISTEN = "0A"

/** One of the kernel's tables of sockets: those of IPv4 alone, and those of IPv6, which may take both. */
type Table = "tcp" | "tcp6"

const orUndefined = <A>(read: () => A): A | undefined => {
  try {
    return read()
  } catch {
    return undefined // the process, or the table, is gone
  }
}

const chunkSize = 16 * 1024

/**
 * The lines of one of the kernel's tables that listening sockets have. They come first, and the rest is not read: after a
 * benchmark it may hold tens of thousands of connections that have ended.
 */
const listeningLines = (table: Table): ReadonlyArray<ReadonlyArray<string>> => {
  const lines: Array<ReadonlyArray<string>> = []
  const file = openSync(`/proc/net/${table}`, "r")
  try {
    const chunk = Buffer.alloc(chunkSize)
    let text = ""
    let isHeader = true
    for (;;) {
      const length = readSync(file, chunk)
      text += chunk.toString("latin1", 0, length)
      const whole = text.split("\n")
      text = whole.pop() ?? ""
      for (const line of whole) {
        const fields = line.trim().split(/\s+/)
        if (!isHeader && fields[3] !== LISTEN) return lines
        if (!isHeader) lines.push(fields)
        isHeader = false
      }
      if (length === 0) return lines
    }
  } finally {
    closeSync(file)
  }
}

/** inode -> port of every listening TCP socket in one of the kernel's tables */
const listeners = (table: Table): ReadonlyMap<string, number> => {
  const ports = new Map<string, number>()
  for (const [, local, , , , , , , , inode] of orUndefined(() => listeningLines(table)) ?? []) {
    if (local === undefined || inode === undefined) continue
    ports.set(inode, Number.parseInt(local.slice(local.lastIndexOf(":") + 1), 16))
  }
  return ports
}

const socketsOf = (pid: number): ReadonlyArray<string> =>
  (orUndefined(() => readdirSync(`/proc/${pid}/fd`)) ?? []).flatMap((fd) => {
    const inode = orUndefined(() => readlinkSync(`/proc/${pid}/fd/${fd}`))?.match(/^socket:\[(\d+)\]$/)?.[1]
    return inode === undefined ? [] : [inode]
  })

/** The port on which process `pid` listens now, by the first of these tables that has it. */
export const listeningPort = (pid: number, tables: ReadonlyArray<Table> = ["tcp", "tcp6"]): number | undefined => {
  const sockets = socketsOf(pid)
  for (const table of tables) {
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
 * servers that count connections, and a server started on port 0 cannot collide with another test. A peer that opens a socket for each
 * family, and so has two ports, is to be looked for in `tcp` alone: the kernel may leave a socket out while others come and go.
 */
export const awaitListening = (
  peer: PeerProcess,
  tables?: ReadonlyArray<Table>
): Effect.Effect<number, HarnessError> =>
  peer.until("listening on a TCP port", () => {
    const port = listeningPort(peer.pid, tables)
    return port === undefined ? undefined : Effect.succeed(port)
  }, 5)
