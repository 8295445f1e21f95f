import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { request } from "node:http"
import { rawClient, rawServer } from "../harness/RawTcp.ts"
import { alertRecord } from "../harness/TlsRecords.ts"
import { ending, faultIn, ourClient, ourServer } from "./Ours.ts"

const unexpectedMessage = 10

/** What node:http makes of an answer that is no HTTP. */
const httpError = (port: number): Effect.Effect<string> =>
  Effect.callback((resume) => {
    const get = request({ port, host: "127.0.0.1" }, () => resume(Effect.succeed("an answer")))
    get.on("error", (error) => resume(Effect.succeed(String(Reflect.get(error, "code")))))
    get.end()
  })

// Bytes that are no record: the first one is taken for a content type.
const spoken = [
  ["HTTP", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  ["SMTP", "EHLO localhost\r\n"]
] as const

const answered = [
  ["HTTP", "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"],
  ["SMTP", "220 mail.test.example ESMTP\r\n"],
  ["SSH", "SSH-2.0-OpenSSH_9.2\r\n"]
] as const

describe("peers that do not speak TLS", () => {
  it.live.each(spoken)("our server, spoken to in %s", ([_what, text]) =>
    Effect.gen(function*() {
      const server = yield* ourServer()
      const client = yield* rawClient(server.port)
      yield* client.send(text)
      yield* client.end
      yield* client.waitForEnd
      const { exit } = yield* server.report
      assert.deepStrictEqual(client.records, [alertRecord(2, unexpectedMessage)])
      assert.deepStrictEqual([ending(exit), faultIn(exit)], ["AlertSent UnexpectedMessage", "RecordTypeUnknown"])
    }))

  it.live("our server, left after less than the header of a record", () =>
    Effect.gen(function*() {
      const server = yield* ourServer()
      const client = yield* rawClient(server.port)
      yield* client.send("hi\r\n")
      yield* client.end
      yield* client.waitForEnd
      assert.deepStrictEqual([...client.received], [])
      assert.strictEqual(ending((yield* server.report).exit), "Truncated")
    }))

  it.live("our server, asked by node:http", () =>
    Effect.gen(function*() {
      const server = yield* ourServer()
      assert.strictEqual(yield* httpError(server.port), "HPE_INVALID_CONSTANT")
      assert.strictEqual(ending((yield* server.report).exit), "AlertSent UnexpectedMessage")
    }))

  it.live.each(answered)("our client, answered in %s", ([_what, text]) =>
    Effect.gen(function*() {
      const server = yield* rawServer
      const connecting = yield* Effect.forkChild(Effect.exit(ourClient({ port: server.port })))
      const connection = yield* server.accept
      yield* connection.waitForRecords(1)
      yield* connection.send(text)
      const records = yield* connection.waitForRecords(2)
      assert.deepStrictEqual(records[1], alertRecord(2, unexpectedMessage))
      yield* connection.waitForEnd
      yield* connection.end
      const exit = yield* Fiber.join(connecting)
      assert.deepStrictEqual([ending(exit), faultIn(exit)], ["AlertSent UnexpectedMessage", "RecordTypeUnknown"])
    }))

  it.live("our client, left by a server that says nothing", () =>
    Effect.gen(function*() {
      const server = yield* rawServer
      const connecting = yield* Effect.forkChild(Effect.exit(ourClient({ port: server.port })))
      const connection = yield* server.accept
      yield* connection.waitForRecords(1)
      yield* connection.end
      assert.strictEqual(ending(yield* Fiber.join(connecting)), "Truncated")
      yield* connection.waitForEnd
      assert.strictEqual(connection.records.length, 1)
    }))
})
