import type { TlsError } from "effect-tls"
import type { LeafName } from "../harness/Pki.ts"
import type { Edit, Place } from "./Edits.ts"
import type { ForeignClientOptions, ForeignServerOptions } from "./Foreign.ts"
import type { Version } from "./Names.ts"
import type { OurClientOptions, OurServerOptions } from "./Ours.ts"

/** How the failure is brought about: by what the sides are like, or by a man in the middle. */
interface Provocation<Ours, Theirs> {
  readonly why: string
  readonly ours?: Ours
  readonly theirs?: Theirs
  readonly edit?: readonly [Place, Edit]
  /** where it can be so: both versions by default */
  readonly of?: Version
}

export interface ClientProvocation extends Provocation<Partial<OurClientOptions>, ForeignServerOptions> {}
export interface ServerProvocation extends Provocation<OurServerOptions, Omit<ForeignClientOptions, "port">> {}

/** What the peer is told, and what our side knows of the cause. */
interface Sent {
  readonly number: number
  readonly reason: TlsError.AlertSent["reason"]["_tag"]
  readonly fault: TlsError.AlertSent["fault"]["_tag"]
}

export interface ClientRow extends ClientProvocation, Sent {
  /**
   * It answers the ServerHello, in the clear. A server of TLS 1.3 has keys by then: OpenSSL reads the alert all the
   * same, GnuTLS does not.
   */
  readonly isEarly?: true
}

export interface ServerRow extends ServerProvocation, Sent {}

export const isOf = (version: Version) => (row: { readonly of?: Version }): boolean =>
  row.of === undefined || row.of === version

/** The peer shows this certificate. */
export const presented = (
  identity: LeafName,
  number: number,
  reason: Sent["reason"],
  fault: Sent["fault"]
): ClientRow & ServerRow => ({
  why: `certificate ${identity}`,
  number,
  reason,
  fault,
  theirs: { identity },
  ours: {}
})
