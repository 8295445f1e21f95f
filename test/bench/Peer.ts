import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** The one suite that is measured, by its name in the registry and in OpenSSL. */
export const suite = { name: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", openssl: "ECDHE-ECDSA-AES128-GCM-SHA256" }

/** PEM text: what a server proves itself with, and what its clients trust. */
export interface Credentials {
  readonly certificate: string
  readonly privateKey: string
  readonly anchors: string
}

/** One end of an open connection. */
export interface End {
  /** Sends `total` bytes in writes of `size`, waiting where the transport wants it. */
  readonly send: (total: number, size: number) => Effect.Effect<void>
  /** Sends `count` small pieces as fast as the interface takes them. */
  readonly sendPieces: (count: number, size: number) => Effect.Effect<void>
  /** Receives until `total` bytes came. */
  readonly receive: (total: number) => Effect.Effect<void>
  /** Sends one byte and waits for one, that many times. */
  readonly roundTrips: (count: number) => Effect.Effect<void>
  /** Sends back what comes, until the peer ends. */
  readonly echo: Effect.Effect<void>
}

/** One implementation in one way of use. */
export interface Peer {
  readonly name: string
  /** A connection to localhost; ends with the scope, and in order. */
  readonly dial: (port: number) => Effect.Effect<End, never, Scope.Scope>
  /** Serves on a free port, which it gives; a connection lasts as long as its handler. */
  readonly listen: (handler: (end: End) => Effect.Effect<void>) => Effect.Effect<number, never, Scope.Scope>
  /** Client and server over a pair of Duplex streams in memory. */
  readonly pair: Effect.Effect<readonly [client: End, server: End], never, Scope.Scope>
}
