/** RFC 8446 and RFC 9846 section 4.6.1: a session is for who the certificate was judged for, whatever the application calls it. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { Identity, SessionCache, TlsTest } from "effect-tls"
import { findExtension } from "../../src/message/Extension.ts"
import { decodeHandshake } from "../../src/message/HandshakeMessage.ts"
import * as Make from "../x509/Maker.ts"
import { bytes, how, recordsOf, test, trustIn } from "./conversation.ts"

const root = Make.authority("root")
const leaf = Make.leaf(root, { names: [Make.dns("a.test"), Make.address(192, 0, 2, 1)] })
const pem = {
  certificate: `-----BEGIN CERTIFICATE-----\n${Buffer.from(leaf.der).toString("base64")}\n-----END CERTIFICATE-----\n`,
  privateKey: leaf.keys.privateKey.export({ format: "pem", type: "pkcs8" }).toString()
}

/** What a client makes of a server whose certificate is for a.test and 192.0.2.1, one connection after the other. */
const makeWorld = Effect.fnUntraced(function*(version: "1.2" | "1.3") {
  yield* TestClock.setTime(Make.now)
  const identity = yield* Effect.orDie(Identity.makePem(pem))
  const trust = yield* trustIn(root)
  const sessionCache = yield* SessionCache.makeMemory()
  let seed = 0
  return {
    /** How it ended for the client, and whether it had offered a session. */
    connect: Effect.fnUntraced(function*(serverName: string, sessionName: string | undefined) {
      const { accept, connect, wire } = yield* TlsTest.ends({
        identity,
        trust,
        sessionCache,
        seed: `${version} ${seed++}`,
        client: { serverName, versions: [version], ...(sessionName === undefined ? {} : { sessionName }) },
        server: { versions: [version] }
      })
      const greeting = Effect.flatMap(accept, (server) => server.write(bytes("here is your ticket")))
      const [client] = yield* Effect.all([Effect.exit(Effect.tap(connect, (_) => _.pull)), Effect.exit(greeting)], {
        concurrency: 2
      })
      const [record = new Uint8Array()] = yield* recordsOf(wire, "client")
      const hello = yield* Effect.orDie(Effect.fromResult(decodeHandshake(record[5] ?? 0, record.subarray(9), version)))
      assert(hello._tag === "ClientHello")
      const ticket = findExtension(hello.extensions, "SessionTicket")?.ticket ?? new Uint8Array()
      const isOffered = ticket.length > 0 || findExtension(hello.extensions, "PreSharedKeys") !== undefined
      return `${how(client)}${isOffered ? ", offered a session" : ""}`
    }, Effect.scoped)
  }
})

describe("a session does not pass the judgement of the name by", () => {
  const rows = [
    ["two hosts", "a.test", "b.test"],
    ["two addresses", "192.0.2.1", "192.0.2.2"],
    ["a host and an address", "a.test", "192.0.2.2"],
    ["an address and a host", "192.0.2.1", "b.test"]
  ] as const
  for (const version of ["1.2", "1.3"] as const) {
    for (const [what, good, bad] of rows) {
      test(`TLS ${version}: ${what} under one sessionName`, () =>
        Effect.gen(function*() {
          const { connect } = yield* makeWorld(version)
          assert.strictEqual(yield* connect(good, "shared"), "success")
          assert.strictEqual(yield* connect(good, "shared"), "success, offered a session")
          assert.strictEqual(yield* connect(bad, "shared"), "AlertSent CertificateUnknown")
          assert.strictEqual(yield* connect(good, "shared"), "success, offered a session")
        }))
    }

    test(`TLS ${version}: nor where one is called what the other is`, () =>
      Effect.gen(function*() {
        const { connect } = yield* makeWorld(version)
        assert.strictEqual(yield* connect("a.test", undefined), "success")
        assert.strictEqual(yield* connect("b.test", "a.test"), "AlertSent CertificateUnknown")
        assert.strictEqual(yield* connect("A.test.", "a.test"), "success, offered a session")
      }))
  }
})
