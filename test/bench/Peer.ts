import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** What both sides of a conversation are held to; the suite by its name in the registry and in OpenSSL. */
export interface Profile {
  readonly label: string
  readonly version: "1.2" | "1.3"
  readonly suite: { readonly name: string; readonly openssl: string }
  /** A client begins with a share of the first. */
  readonly groups: readonly ["x25519", "secp256r1"] | readonly ["x25519mlkem768"]
}

export const tls12: Profile = {
  label: "TLS 1.2",
  version: "1.2",
  suite: { name: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", openssl: "ECDHE-ECDSA-AES128-GCM-SHA256" },
  groups: ["x25519", "secp256r1"]
}

export const tls13: Profile = {
  label: "TLS 1.3",
  version: "1.3",
  suite: { name: "TLS_AES_128_GCM_SHA256", openssl: "TLS_AES_128_GCM_SHA256" },
  groups: ["x25519", "secp256r1"]
}

/** With the group that a quantum computer does not break. */
export const tls13Hybrid: Profile = { ...tls13, label: "TLS 1.3 with X25519MLKEM768", groups: ["x25519mlkem768"] }

/** PEM text: what a server proves itself with, and what its clients trust. */
export interface Credentials {
  readonly certificate: string
  readonly privateKey: string
  readonly anchors: string
}

/** What a conversation is made with. */
export interface Setup {
  readonly credentials: Credentials
  readonly profile: Profile
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
