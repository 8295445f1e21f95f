import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { connect, createServer, type Socket } from "node:net"
import type { HarnessError } from "./HarnessError.ts"
import { listen } from "./Listen.ts"
import { splitRecords } from "./TlsRecords.ts"
import { makeWatch } from "./Watch.ts"

export type Direction = "clientToServer" | "serverToClient"

/**
 * The direction ends here, after `forward`: with a FIN to the receiver, or with a RST to both sides.
 * (A side that has read a FIN before it notices a RST only when it writes.)
 */
export interface Cut {
  readonly _tag: "Cut"
  readonly by: "fin" | "reset"
  readonly forward: Uint8Array
}

export const cut = (by: Cut["by"], forward: Uint8Array = new Uint8Array(0)): Cut => ({ _tag: "Cut", by, forward })

/** What becomes of a piece: these bytes instead, nothing (`null`), several pieces, or the end. */
export type Tampered = Uint8Array | null | ReadonlyArray<Uint8Array> | Cut

/** `index` counts the pieces of one direction of one connection, from 0. */
export type Tamper = (direction: Direction, index: number, piece: Uint8Array) => Tampered

/** Either sees whole TLS records, header included, or what TCP delivers, cut as it comes. Must not throw. */
export type TamperingProxyOptions =
  & {
    /** the port on 127.0.0.1 to forward to */
    readonly to: number
  }
  & (
    | { readonly onRecord: Tamper; readonly onChunk?: never }
    | { readonly onChunk: Tamper; readonly onRecord?: never }
  )

/** One connection as it went. */
export interface Passed {
  /** of our socket to the server: what the server sees as the port of its client */
  readonly port: number | undefined
  /** what each side sent, as it came in; the piece of a record that a FIN left behind is the last */
  readonly seen: Readonly<Record<Direction, ReadonlyArray<Uint8Array>>>
  /** how each side has ended what it sends; `undefined` while it has not */
  readonly ended: Readonly<Record<Direction, Cut["by"] | undefined>>
}

export interface TamperingProxy {
  readonly port: number
  /** the records, or chunks, each side sent, as they came in (of all connections) */
  readonly seen: Readonly<Record<Direction, ReadonlyArray<Uint8Array>>>
  readonly connections: ReadonlyArray<Passed>
  /** Waits until what was seen is as wanted. */
  readonly until: (what: string, isSo: () => boolean) => Effect.Effect<void, HarnessError>
}

const pieces = (tampered: Exclude<Tampered, Cut>): ReadonlyArray<Uint8Array> =>
  tampered === null ? [] : tampered instanceof Uint8Array ? [tampered] : tampered

const isCut = (tampered: Tampered): tampered is Cut => tampered !== null && "_tag" in tampered

interface Way {
  readonly from: Socket
  readonly to: Socket
  readonly split: boolean
  readonly tamper: (index: number, piece: Uint8Array) => Tampered
  readonly ended: (by: Cut["by"], rest: Uint8Array) => void
}

/** Forwards one direction of one connection. */
const forward = ({ ended, from, split, tamper, to }: Way): void => {
  let rest = new Uint8Array(0)
  let index = 0
  let over = false

  const cutWith = (end: Cut) => {
    over = true
    if (end.by === "fin") return void to.end(end.forward)
    to.write(end.forward, () => {
      to.resetAndDestroy()
      from.resetAndDestroy()
    })
  }
  const pass = (piece: Uint8Array) => {
    const tampered = tamper(index++, piece)
    if (isCut(tampered)) return cutWith(tampered)
    for (const bytes of pieces(tampered)) to.write(bytes)
  }

  from.on("data", (chunk) => {
    if (over) return
    const cut = split ? splitRecords(Buffer.concat([rest, chunk])) : { records: [new Uint8Array(chunk)], rest }
    rest = new Uint8Array(cut.rest)
    for (const piece of cut.records) if (!over) pass(piece)
    if (to.writableNeedDrain) {
      from.pause()
      to.once("drain", () => void from.resume())
    }
  })
  from.on("end", () => {
    ended("fin", rest)
    if (over) return
    over = true
    to.end(rest)
  })
  from.on("error", () => {}) // its close tells
  from.on("close", (hadError) => {
    if (!hadError) return
    ended("reset", rest)
    to.resetAndDestroy()
  })
}

/** A man in the middle that passes TLS records, or chunks, through a function. FIN and RST are passed on. */
export const tamperingProxy = (
  options: TamperingProxyOptions
): Effect.Effect<TamperingProxy, HarnessError, Scope.Scope> =>
  Effect.gen(function*() {
    const sockets = new Set<Socket>()
    const seen: Record<Direction, Array<Uint8Array>> = { clientToServer: [], serverToClient: [] }
    const hex = (piece: Uint8Array) => Buffer.from(piece.subarray(0, 100)).toString("hex")
    const watch = makeWatch(() =>
      `client: ${seen.clientToServer.map(hex).join(" ")}\nserver: ${seen.serverToClient.map(hex).join(" ")}`
    )
    const tamper = options.onRecord ?? options.onChunk
    const connections: Array<Passed> = []
    const follow = (direction: Direction, from: Socket, to: Socket) => {
      const way: { seen: Array<Uint8Array>; ended: Cut["by"] | undefined } = { seen: [], ended: undefined }
      forward({
        from,
        to,
        split: options.onRecord !== undefined,
        tamper: (index, piece) => {
          seen[direction].push(piece)
          way.seen.push(piece)
          watch.changed()
          return tamper(direction, index, piece)
        },
        ended: (by, rest) => {
          if (way.ended !== undefined) return
          way.ended = by
          if (rest.length > 0) way.seen.push(rest)
          watch.changed()
        }
      })
      return way
    }
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
      const upstream = connect({ port: options.to, host: "127.0.0.1", allowHalfOpen: true, noDelay: true })
      sockets.add(client).add(upstream)
      const clientToServer = follow("clientToServer", client, upstream)
      const serverToClient = follow("serverToClient", upstream, client)
      connections.push({
        get port() {
          return upstream.localPort
        },
        seen: { clientToServer: clientToServer.seen, serverToClient: serverToClient.seen },
        get ended() {
          return { clientToServer: clientToServer.ended, serverToClient: serverToClient.ended }
        }
      })
    })
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        for (const socket of sockets) socket.destroy()
      })
    )
    return {
      port: yield* listen(server),
      seen,
      connections,
      until: (what, isSo) => watch.until(what, () => isSo() ? Effect.void : undefined)
    }
  })
