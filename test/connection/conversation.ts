import { it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { Alert, type Observation, type Primitives, TlsError, type TlsTest, Trust } from "effect-tls"
import * as NodePrimitives from "effect-tls/platform/NodePrimitives"

/** A test with a `TestClock`, a scope, and the primitives of Node. */
export const test = (name: string, body: () => Effect.Effect<void, unknown, Primitives | Scope.Scope>): void => {
  it.effect(name, () => Effect.provide(body(), NodePrimitives.layerPrimitives))
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

export const text = (chunks: ReadonlyArray<Uint8Array> | Uint8Array | undefined): string =>
  chunks === undefined ? "" : Buffer.concat(chunks instanceof Uint8Array ? [chunks] : chunks).toString()

/** Which alert went which way, or which other end it was: `AlertSent BadRecordMac`, `Truncated`, `Done`. */
export const said = (error: TlsError.TlsError | Cause.Done): string =>
  error._tag === "AlertSent" || error._tag === "AlertReceived" ? `${error._tag} ${error.reason._tag}` : error._tag

/** `said` of what an exit failed with: `success`, `interrupted`, `defect`. */
export const how = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return "success"
  if (Cause.hasDies(exit.cause)) return "defect"
  const failure = exit.cause.reasons.find(Cause.isFailReason)
  if (failure === undefined) return "interrupted"
  const { error } = failure
  return Schema.is(TlsError.TlsError)(error) || Cause.isDone(error) ? said(error) : String(error)
}

/** The whole records of one side that arrived, header included. */
export const recordsOf = (wire: TlsTest.Wire, from: TlsTest.Side): Effect.Effect<ReadonlyArray<Uint8Array>> =>
  Effect.map(wire.passed, (passed) => passed.flatMap((_) => _._tag === "Record" && _.from === from ? [_.bytes] : []))

/** What one side's records were, in order, and how it ended: `handshake`, `alert`, `fin`. */
export const toldBy = (wire: TlsTest.Wire, from: TlsTest.Side): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(wire.passed, (passed) =>
    passed.flatMap((_) => {
      if (_.from !== from) return []
      if (_._tag === "End") return [_.by]
      return [_._tag === "Bytes" ? "bytes" : contentTypes[_.contentType - 20] ?? "bytes"]
    }))

const contentTypes = ["change_cipher_spec", "alert", "handshake", "application_data"]

/** The alerts of one side that travelled in the clear: `fatal handshake_failure`. */
export const plainAlertsOf = (wire: TlsTest.Wire, from: TlsTest.Side): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(
    recordsOf(wire, from),
    (records) =>
      records.flatMap((_) => _[0] === 21 && _.length === 7 ? [alertText(Alert.fromBytes(_[5] ?? 0, _[6] ?? 0))] : [])
  )

export const alertText = (alert: Alert.Alert): string => `${alert.level} ${alert.description}`

/** What `observe` of a side saw of alerts: `client fatal bad_record_mac`. */
export const observed = () => {
  const sent: Array<string> = []
  const received: Array<string> = []
  const observe = (side: TlsTest.Side) => (observation: Observation): void => {
    if (observation._tag !== "Alert") return
    const list = observation.direction === "sent" ? sent : received
    list.push(`${side} ${alertText(observation.alert)}`)
  }
  return {
    sent,
    received,
    observe,
    options: { client: { observe: observe("client") }, server: { observe: observe("server") } }
  }
}

/** Trust in one throw-away certificate. */
export const trustIn = (
  made: { readonly der: Uint8Array }
): Effect.Effect<Trust.Trust["Service"], never, Primitives> =>
  Trust.Trust.pipe(Effect.provide(Trust.layerAnchors({ anchors: [made.der] })), Effect.orDie)
