/** Keying material for the application: RFC 8446 section 7.5 and RFC 5705, against a computation of its own. */
import { assert, describe } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { createHash, createHmac } from "node:crypto"
import { CipherSuite, type Connection, TlsTest } from "effect-tls"
import { bytes, recordsOf, test } from "../connection/conversation.ts"
import { conversation, converse, readToTheEnd } from "../handshake13/conversation.ts"
import { suiteOf } from "../handshake13/conversation.ts"

const material = (connection: Connection, label: string, length: number, context?: Uint8Array): string | undefined =>
  Option.getOrUndefined(Option.map(
    connection.exportKeyingMaterial(label, length, context),
    (made) => Buffer.from(Redacted.value(made)).toString("hex")
  ))

const hmac = (hash: string, key: Uint8Array, ...parts: ReadonlyArray<Uint8Array>): Buffer => {
  const mac = createHmac(hash, key)
  for (const part of parts) mac.update(part)
  return mac.digest()
}

/** RFC 5869 section 2.3 and RFC 8446 section 7.1, straight from their text. */
const expandLabel = (hash: string, secret: Uint8Array, label: string, context: Uint8Array, length: number): Buffer => {
  const name = Buffer.from(`tls13 ${label}`)
  const info = Buffer.concat([
    Buffer.of(length >> 8, length & 255, name.length),
    name,
    Buffer.of(context.length),
    context
  ])
  const blocks: Array<Buffer> = []
  for (let counter = 1; blocks.length * hmac(hash, secret).length < length; counter++) {
    blocks.push(hmac(hash, secret, blocks.at(-1) ?? Buffer.alloc(0), info, Buffer.of(counter)))
  }
  return Buffer.concat(blocks).subarray(0, length)
}
const exported13 = (hash: string, secret: Uint8Array, label: string, context: Uint8Array, length: number): string => {
  const digest = (value: Uint8Array) => createHash(hash).update(value).digest()
  const derived = expandLabel(hash, secret, label, digest(Buffer.alloc(0)), digest(Buffer.alloc(0)).length)
  return expandLabel(hash, derived, "exporter", digest(context), length).toString("hex")
}

/** RFC 5246 section 5 and RFC 5705 section 4. */
const exported12 = (
  hash: string,
  master: Uint8Array,
  label: string,
  randoms: ReadonlyArray<Uint8Array>,
  context: Uint8Array | undefined,
  length: number
): string => {
  const more = context === undefined ? [] : [Buffer.of(context.length >> 8, context.length & 255), context]
  const seed = Buffer.concat([Buffer.from(label), ...randoms, ...more])
  const blocks: Array<Buffer> = []
  let a = hmac(hash, master, seed)
  while (Buffer.concat(blocks).length < length) {
    blocks.push(hmac(hash, master, a, seed))
    a = hmac(hash, master, a)
  }
  return Buffer.concat(blocks).subarray(0, length).toString("hex")
}

const asked: ReadonlyArray<readonly [label: string, length: number, context?: Uint8Array]> = [
  ["EXPORTER-Channel-Binding", 32],
  ["EXPORTER-Channel-Binding", 32, new Uint8Array(0)],
  ["EXPERIMENTAL-one", 20],
  ["EXPERIMENTAL-one", 20, bytes("a context")],
  ["EXPERIMENTAL-two", 20, bytes("a context")],
  ["EXPERIMENTAL-long", 300, new Uint8Array(1000).fill(3)],
  ["EXPERIMENTAL-short", 1]
]

describe("TLS 1.3", () => {
  for (const side of ["client", "server"] as const) {
    for (const id of [0x1301, 0x1302, 0x1303]) {
      conversation(
        `what a ${side} exports is what RFC 8446 section 7.5 says: ${suiteOf(id).name}`,
        (all) =>
          Effect.gen(function*() {
            const suite = suiteOf(id)
            const options = { cipherSuites: [suite] }
            let ours: ReadonlyArray<string | undefined> = []
            const { puppet } = yield* converse(all, {
              subject: side,
              script: {},
              suite,
              client: options,
              server: options,
              use: (connection) => {
                ours = asked.map(([label, length, context]) => material(connection, label, length, context))
                return readToTheEnd(connection)
              }
            })
            const secret = puppet.exporter?.bytes ?? new Uint8Array(0)
            assert.deepStrictEqual(
              ours,
              asked.map(([label, length, context]) =>
                exported13(suite.hash, secret, label, context ?? new Uint8Array(0), length)
              )
            )
          })
      )
    }
  }

  const both = (
    what: string,
    options: TlsTest.Options,
    prepare: (pair: TlsTest.Pair) => Effect.Effect<unknown, unknown> = () => Effect.void
  ) =>
    test(`both sides export the same, and nothing twice: ${what}`, () =>
      Effect.gen(function*() {
        const pair = yield* TlsTest.pair(options)
        yield* prepare(pair)
        const { client, server } = pair
        const made = asked.map(([label, length, context]) => {
          const ours = material(client, label, length, context)
          assert.strictEqual(material(server, label, length, context), ours)
          assert.lengthOf(ours ?? "", 2 * length)
          return ours
        })
        // No context is an empty one.
        assert.strictEqual(made[0], made[1])
        assert.lengthOf(new Set(made), asked.length - 1)
      }))
  both("in a full handshake", {})
  both("with a client certificate", { clientAuth: "require" })
  both("after a HelloRetryRequest", { client: { groups: ["x25519", "secp256r1"] }, server: { groups: ["secp256r1"] } })
  both("when the keys were updated", {}, ({ client, server }) =>
    Effect.gen(function*() {
      yield* client.updateKeys(true)
      yield* client.write(bytes("x"))
      yield* server.pull
    }))
})

describe("TLS 1.2", () => {
  const suites = CipherSuite.suites.filter(({ authentication }) => authentication === "ecdsa")
  for (const suite of suites) {
    test(`both sides export what RFC 5705 section 4 says: ${suite.name}`, () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        const { client, server, wire } = yield* TlsTest.pair({
          client: { versions: ["1.2"], cipherSuites: [suite], insecureKeyLog: (line) => log.push(line) }
        })
        assert.strictEqual(client.version, "1.2")
        const master = Buffer.from(log[0]?.split(" ")[2] ?? "", "hex")
        assert.lengthOf(master, 48)
        // Header of the record and of the message, and the version.
        const [hello, answer] = [(yield* recordsOf(wire, "client"))[0], (yield* recordsOf(wire, "server"))[0]]
        const randoms = [hello, answer].map((record) => record?.subarray(11, 43) ?? new Uint8Array(0))
        const made = asked.map(([label, length, context]) => {
          const ours = material(client, label, length, context)
          assert.strictEqual(material(server, label, length, context), ours)
          assert.strictEqual(ours, exported12(suite.hash, master, label, randoms, context, length), label)
          return ours
        })
        // An empty context is one.
        assert.lengthOf(new Set(made), asked.length)
      }))
  }
})

describe("what is exported goes with the connection", () => {
  const binding = (connection: Connection) => Option.isSome(connection.channelBinding("tls-exporter"))
  const exports = (
    connection: Connection
  ) => [material(connection, "EXPERIMENTAL-one", 20) !== undefined, binding(connection)]
  for (const version of ["1.2", "1.3"] as const) {
    const options = { client: { versions: [version] }, server: { versions: [version] } }

    test(`it is there when all was read, and not when the scope has ended: TLS ${version}`, () =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const { client, server } = yield* Scope.provide(TlsTest.pair(options), scope)
        yield* server.closeWrite
        assert.isTrue(Cause.isDone(yield* Effect.flip(client.pull)))
        assert.deepStrictEqual([exports(client), exports(server)], [[true, true], [true, true]])
        yield* server.close
        assert.deepStrictEqual([exports(client), exports(server)], [[true, true], [false, false]])
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(exports(client), [false, false])
      }))

    test(`it is gone with a fatal alert, on either side: TLS ${version}`, () =>
      Effect.gen(function*() {
        const { client, server, wire } = yield* TlsTest.pair(options)
        yield* wire.corrupt({ from: "client", record: 0, fragmentBit: -1 })
        yield* client.write(bytes("x"))
        assert.strictEqual((yield* Effect.flip(server.pull))._tag, "AlertSent")
        assert.strictEqual((yield* Effect.flip(client.pull))._tag, "AlertReceived")
        assert.deepStrictEqual([exports(client), exports(server)], [[false, false], [false, false]])
      }))
  }

  test("it is gone with a fault of our own, when the peer has ended in order before", () =>
    Effect.gen(function*() {
      const { client, server } = yield* TlsTest.pair({
        client: { cipherSuites: [{ ...suiteOf(0x1301), recordLimit: 6 }] }
      })
      yield* server.closeWrite
      assert.isTrue(Cause.isDone(yield* Effect.flip(client.pull)))
      assert.deepStrictEqual(exports(client), [true, true])
      yield* Effect.flip(client.write(new Uint8Array(200_000)))
      assert.deepStrictEqual(exports(client), [false, false])
    }))
})
