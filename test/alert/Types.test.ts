/** What compiles and what does not when a program handles our errors: `tsc` checks each `@ts-expect-error`. */
import { assert, expectTypeOf, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Fault } from "../../src/alert/Fault.ts"
import type * as Reason from "../../src/alert/Reason.ts"
import {
  type AlertReceived,
  alertReceived,
  type AlertSent,
  alertSent,
  type ErrorPhase,
  type TlsError,
  Truncated
} from "../../src/alert/TlsError.ts"

type Program = Effect.Effect<string, TlsError>

const failing = (error: TlsError): Program => Effect.fail(error)

const expired = alertReceived({ level: "fatal", description: "certificate_expired" }, "handshaking", "1.2")
const unnamed = alertReceived({ level: "fatal", description: 200 }, "established", "1.2")
const caUnknownToPeer = alertReceived({ level: "fatal", description: "unknown_ca" }, "handshaking", "1.2")
const caUnknownToUs = alertSent({ _tag: "CertificateUntrusted", depth: 1, issuer: "CN=Nobody" }, "handshaking", "1.2")
const truncated = new Truncated({ by: "fin", bytesRead: 42, midRecord: false, phase: "established", version: "1.2" })

it.effect("one alert that the peer sent is handled by its name", () =>
  Effect.gen(function*() {
    const handle = (program: Program) =>
      program.pipe(
        Effect.catchReason("AlertReceived", "CertificateExpired", (reason, error) => {
          expectTypeOf(reason).toEqualTypeOf<Reason.CertificateExpired>()
          expectTypeOf(error.phase).toEqualTypeOf<ErrorPhase>()
          return Effect.succeed(`${reason._tag} ${error.phase}`)
        })
      )
    assert.strictEqual(yield* handle(failing(expired)), "CertificateExpired handshaking")
    assert.strictEqual(yield* Effect.flip(handle(failing(caUnknownToPeer))), caUnknownToPeer)
    assert.strictEqual(yield* Effect.flip(handle(failing(truncated))), truncated)
    expectTypeOf<Effect.Success<ReturnType<typeof handle>>>().toEqualTypeOf<string>()
  }))

it.effect("several alerts that the peer sent, an unnamed one too", () =>
  Effect.gen(function*() {
    const handle = (program: Program) =>
      program.pipe(
        Effect.catchReasons("AlertReceived", {
          CertificateExpired: (reason, error) => {
            expectTypeOf(reason).toEqualTypeOf<Reason.CertificateExpired>()
            return Effect.succeed(`expired ${error.version}`)
          },
          UnknownAlert: ({ code }) => {
            expectTypeOf(code).toEqualTypeOf<number>()
            return Effect.succeed(`code ${code}`)
          }
        })
      )
    assert.strictEqual(yield* handle(failing(expired)), "expired 1.2")
    assert.strictEqual(yield* handle(failing(unnamed)), "code 200")
    assert.strictEqual(yield* Effect.flip(handle(failing(caUnknownToUs))), caUnknownToUs)
  }))

it.effect("what we told the peer, with the fault behind it", () =>
  Effect.gen(function*() {
    const handle = (program: Program) =>
      program.pipe(
        Effect.catchReason("AlertSent", "UnknownCa", (reason, error) => {
          expectTypeOf(reason).toEqualTypeOf<Reason.UnknownCa>()
          expectTypeOf(error.fault).toEqualTypeOf<Fault>()
          return Effect.succeed(error.fault._tag)
        })
      )
    assert.strictEqual(yield* handle(failing(caUnknownToUs)), "CertificateUntrusted")
    // The same alert in the other direction is another matter.
    assert.strictEqual(yield* Effect.flip(handle(failing(caUnknownToPeer))), caUnknownToPeer)
  }))

it.effect("a cut stream tells how much came", () =>
  Effect.gen(function*() {
    const handle = (program: Program) =>
      program.pipe(
        Effect.catchTag("Truncated", ({ bytesRead }) => {
          expectTypeOf(bytesRead).toEqualTypeOf<number>()
          return Effect.succeed(`from ${bytesRead}`)
        })
      )
    assert.strictEqual(yield* handle(failing(truncated)), "from 42")
    expectTypeOf<Effect.Error<ReturnType<typeof handle>>>().toEqualTypeOf<Exclude<TlsError, Truncated>>()
  }))

it("what cannot happen cannot be handled", () => {
  const program = failing(expired)
  const nothing = () => Effect.succeed("")
  const programs: ReadonlyArray<unknown> = [
    program.pipe(Effect.catchReason("AlertReceived", "NoRenegotiation", nothing)),
    // @ts-expect-error no_renegotiation is a warning, and never ends a connection of ours
    program.pipe(Effect.catchReason("AlertSent", "NoRenegotiation", nothing)),
    // @ts-expect-error the same among several
    program.pipe(Effect.catchReasons("AlertSent", { NoRenegotiation: nothing })),
    // @ts-expect-error an alert without a name is never sent
    program.pipe(Effect.catchReason("AlertSent", "UnknownAlert", nothing)),
    // @ts-expect-error a reserved alert is never sent
    program.pipe(Effect.catchReason("AlertSent", "DecryptionFailedReserved", nothing)),
    // @ts-expect-error close_notify is the clean end, and no error
    program.pipe(Effect.catchReason("AlertReceived", "CloseNotify", nothing)),
    // @ts-expect-error nor is it when we send it
    program.pipe(Effect.catchReason("AlertSent", "CloseNotify", nothing)),
    // @ts-expect-error misspelled
    program.pipe(Effect.catchReason("AlertReceived", "CertificateExpird", nothing)),
    // @ts-expect-error misspelled
    program.pipe(Effect.catchReasons("AlertReceived", { UnknownCA: nothing })),
    // @ts-expect-error the name on the wire is not the tag
    program.pipe(Effect.catchReason("AlertReceived", "certificate_expired", nothing)),
    // @ts-expect-error there is no such error
    program.pipe(Effect.catchReason("AlertRecieved", "UnknownCa", nothing)),
    // @ts-expect-error there is no such error
    program.pipe(Effect.catchTag("Truncation", nothing))
  ]
  assert.strictEqual(programs.length, 12)
})

it("the reasons of the two directions", () => {
  expectTypeOf<AlertReceived["reason"]>().toEqualTypeOf<Reason.Reason>()
  expectTypeOf<AlertSent["reason"]["_tag"]>().toExtend<Reason.Reason["_tag"]>()
  expectTypeOf<Exclude<Reason.Reason["_tag"], AlertSent["reason"]["_tag"]>>().not.toBeNever()
  // @ts-expect-error a received close_notify is no error
  const received = () => alertReceived({ level: "warning", description: "close_notify" }, "established", "1.2")
  // @ts-expect-error a fault has its facts
  const sent = () => alertSent({ _tag: "AlertFlood" }, "established", "1.2")
  assert.throws(sent, "Schema validation failed")
  assert.isFunction(received)
})
